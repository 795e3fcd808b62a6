//! The schedule: when a collection begins, how large its slices are, and how far apart.
//!
//! A full collection should be complete when the heap has grown to `end_by`, which is the growth factor times what is
//! alive. It begins when three quarters of that way are gone, and spreads its work over the rest (`pace.rs`).
//!
//! What died after it was marked survives a collection in slices. How much that was is estimated, so that the heap does not
//! grow for the sake of garbage.
//!
//! A minor collection begins whenever a nursery's worth has been allocated. It pays only if most of that is dead: when more
//! survives, there are none until the next full collection, and then it is tried again; if that is in vain, after two
//! more, four, and eight.

mod pace;

pub(crate) use pace::{Lateness, MOST_MISSING, Pace, Slice, Stage};

use crate::budget::Budget;
use crate::collect::Collector;
use crate::events::Reason;
use crate::raw::{Extent, PAGE_BYTES};
use pace::MOST_STEP_BYTES;

/// The usual pause budget, in units of work: about a tenth of a millisecond.
const PAUSE_UNITS: u64 = 12_000;
/// The part of the growth during which a full collection is done.
const AHEAD: usize = 4;
/// With less than this to the limit, a full collection is not done in slices.
const LITTLE_LEFT: usize = 8 << 20;
/// Of what was allocated since the last collection, the part in percent that may survive a minor one for it to have paid.
const WORTHWHILE_SURVIVAL: u64 = 60;
/// Through how many full collections there are no minor ones, at most.
const LONGEST_REST: u32 = 8;
/// Memory that has been empty through so many full collections is given back.
const IDLE_CYCLES: usize = 3;

/// What a heap was asked for, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) collector: Collector,
    /// The heap may grow to this many times what survived a full collection before the next one is complete.
    pub(crate) growth: f64,
    /// A heap smaller than this has no full collection unless it is asked for.
    pub(crate) min_bytes: usize,
    /// Bytes that are allocated between two minor collections; 0 when all collections are full ones.
    pub(crate) nursery_bytes: usize,
    /// Bytes of empty pages to keep; `None` for those that were not empty all the time lately.
    pub(crate) page_retention: Option<usize>,
    /// How much is done in one slice.
    pub(crate) pause: Budget,
    /// A full collection has been asked for, to be done in slices.
    pub(crate) major_wanted: bool,
    /// Bytes that were alive at the end of the last full collection.
    live: usize,
    /// How many of these were outside of the heap.
    live_outside: usize,
    /// How much work that was for each object, which depends on how they lie in memory.
    work_per_object: f64,
    /// Bytes that had been allocated and freed by then.
    allocated_at_last: u64,
    freed_at_last: u64,
    /// Minor collections do not pay: there are none until so many full collections are complete,
    minors_rest: u32,
    /// and until so many, should the next one be in vain as well.
    next_rest: u32,
    /// The next full collection begins when so many bytes are used,
    start_at: usize,
    /// or so many are in pages and blocks, which minor collections cannot empty of old garbage,
    start_at_in_use: usize,
    /// or when pages have come to so many bytes, most of which minor collections have emptied.
    sparse_at: usize,
    /// It should be complete when so many bytes are used. One that begins late has another bound than was planned.
    end_by: usize,
    planned_end: usize,
    /// So many bytes are between where it began and that bound.
    room: usize,
    /// It is completed at once when so many are in pages and blocks.
    end_by_in_use: usize,
    /// Bytes that were empty through each of the last full collections.
    idle_bytes: [usize; IDLE_CYCLES],
}

/// The collection that is under way.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Cycle {
    pub(crate) extent: Extent,
    pub(crate) reason: Reason,
    pub(crate) slices: u64,
    pub(crate) work: u64,
    /// How much work marking was thought to be when it began.
    pub(crate) expected_work: u64,
    pub(crate) used_before: usize,
    /// Bytes of large objects by which the bound has moved since it began.
    pub(crate) lumps: usize,
    pub(crate) committed_before: usize,
    /// Bytes that were allocated since the last collection.
    pub(crate) young_bytes: u64,
    pub(crate) freed_objects_before: u64,
    pub(crate) freed_bytes_before: u64,
    /// Bytes that were allocated since the heap was made, when it began and when marking ended.
    pub(crate) allocated_before: u64,
    pub(crate) allocated_when_marked: u64,
}

/// How full a heap is.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Fullness {
    /// Bytes of objects, and of what they keep alive outside of the heap.
    pub(crate) used: usize,
    /// Bytes of pages and blocks in use, and of what objects keep alive outside of the heap.
    pub(crate) in_use: usize,
    /// Bytes that objects keep alive outside of the heap.
    pub(crate) external: usize,
    /// What may be committed.
    pub(crate) limit: usize,
}

impl Schedule {
    pub(crate) fn new(collector: Collector) -> Schedule {
        Schedule {
            collector,
            growth: 2.0,
            min_bytes: 16 << 20,
            nursery_bytes: 1 << 20,
            page_retention: None,
            pause: Budget::work(PAUSE_UNITS),
            major_wanted: false,
            live: 0,
            live_outside: 0,
            work_per_object: 3.0,
            allocated_at_last: 0,
            freed_at_last: 0,
            minors_rest: 0,
            next_rest: 1,
            start_at: usize::MAX,
            start_at_in_use: usize::MAX,
            end_by: usize::MAX,
            room: 0,
            planned_end: usize::MAX,
            end_by_in_use: usize::MAX,
            sparse_at: usize::MAX,
            idle_bytes: [0; IDLE_CYCLES],
        }
    }

    /// Plans the next full collection, by what is alive and the limit.
    pub(crate) fn plan(&mut self, now: Fullness) {
        let budget = self.growth_budget(self.live, now.limit);
        self.end_by = self.live.saturating_add(budget);
        self.start_at = self.end_by - self.ahead(budget);
        let left = now.limit.saturating_sub(now.in_use);
        let part = |part: usize| if now.limit == usize::MAX { usize::MAX } else { now.in_use + part };
        self.start_at_in_use = part(left / 2);
        // Where little is left, one large object may be enough to reach the limit.
        self.end_by_in_use = part(if left < LITTLE_LEFT { left / 2 } else { left / 4 * 3 });
    }

    /// How many of the bytes that the heap may grow by are left when a full collection begins.
    fn ahead(&self, growth_budget: usize) -> usize {
        if self.pause == Budget::unlimited() { 0 } else { growth_budget / AHEAD }
    }

    /// Takes note that a collection begins, which may be late: the heap may have grown far, where no safepoint came.
    pub(crate) fn begun(&mut self, now: Fullness) {
        self.planned_end = self.end_by;
        self.room = self.ahead(self.growth_budget(self.live, now.limit));
        if now.used >= self.end_by.saturating_sub(self.room / 2) {
            self.room = self.ahead(self.growth_budget(now.used, now.limit));
            self.end_by = now.used.saturating_add(self.room);
        }
    }

    /// Takes note of large objects that were made while a collection was under way. A few of them are no sign of a program that
    /// outruns the collector: the bound moves by their size, until that is as much as was used when the collection began. By
    /// how much it has moved is the result.
    pub(crate) fn make_room_for_lumps(&mut self, cycle: &mut Cycle, bytes: u64) -> u64 {
        let left = cycle.used_before.saturating_sub(cycle.lumps);
        let moved = usize::try_from(bytes).unwrap_or(usize::MAX).min(left);
        cycle.lumps += moved;
        self.end_by = self.end_by.saturating_add(moved);
        moved as u64
    }

    /// Bytes that the heap may grow by before the next full collection is complete.
    fn growth_budget(&self, live: usize, limit: usize) -> usize {
        // A cast from a float saturates, and the product is not negative.
        #[allow(clippy::cast_sign_loss)]
        let grown = (live as f64 * (self.growth - 1.0)).min(usize::MAX as f64 / 2.0) as usize;
        let to_minimum = self.min_bytes.saturating_sub(live);
        // Near the limit a collection comes when half of what is left has been used, so that it comes before the limit
        // does; but not for every few pages.
        let to_limit = (limit.saturating_sub(live) / 2).max(2 * PAGE_BYTES);
        let budget = grown.max(to_minimum);
        // A collection takes time for objects and not for bytes. Those outside of the heap are many for each object, so that
        // it costs little to get them back soon; and the next buffer finds the memory of the last still in the cache.
        let outside = budget as u128 * self.live_outside.min(live) as u128 / live.max(1) as u128;
        (budget - outside as usize / 5 * 3).min(to_limit)
    }

    /// Which collection is due now, if any.
    pub(crate) fn due(&self, now: Fullness, young_bytes: u64) -> Option<(Extent, Reason)> {
        // Where safepoints are rare, much may have been allocated since the last one, which a minor collection deals with.
        let old = if self.has_minors() { now.used.saturating_sub(young_bytes as usize) } else { now.used };
        if self.major_wanted {
            Some((Extent::Full, Reason::Asked))
        } else if old >= self.start_at || now.in_use >= self.sparse_at {
            Some((Extent::Full, Reason::Growth))
        } else if now.in_use >= self.start_at_in_use {
            Some((Extent::Full, Reason::Limit))
        } else if self.has_minors() && young_bytes >= self.nursery_bytes as u64 {
            Some((Extent::Young, Reason::Nursery))
        } else {
            None
        }
    }

    /// What is worth doing when there is nothing else to do: what will be due before long.
    pub(crate) fn due_in_idle_time(&self, now: Fullness, young_bytes: u64) -> Option<(Extent, Reason)> {
        let ahead = |target: usize| target.saturating_sub((self.end_by - self.start_at.min(self.end_by)) / 2);
        if self.major_wanted {
            Some((Extent::Full, Reason::Asked))
        } else if now.used >= ahead(self.start_at) {
            Some((Extent::Full, Reason::Growth))
        } else if self.has_minors() && young_bytes >= self.nursery_bytes as u64 / 4 {
            Some((Extent::Young, Reason::Nursery))
        } else {
            self.due(now, young_bytes)
        }
    }

    fn has_minors(&self) -> bool {
        self.nursery_bytes != 0 && self.minors_rest == 0
    }

    /// In how many bytes the next collection is due, when there is none.
    pub(crate) fn bytes_to_next(&self, now: Fullness, young_bytes: u64) -> usize {
        if self.major_wanted {
            return 0;
        }
        let to_full = self.start_at.saturating_sub(now.used);
        let to_limit = self.start_at_in_use.saturating_sub(now.in_use);
        let to_minor = if self.has_minors() {
            (self.nursery_bytes as u64).saturating_sub(young_bytes) as usize
        } else {
            usize::MAX
        };
        to_full.min(to_limit).min(to_minor).max(2 * PAGE_BYTES)
    }

    /// Bytes by which a full collection should be complete.
    pub(crate) fn bound(&self) -> usize {
        self.end_by
    }

    /// How much work a collection of so many objects, in so many bytes, is expected to be.
    pub(crate) fn expected_work(&self, objects: u64, bytes: u64) -> u64 {
        // Some objects are long slices, of which each part is work. A cast from a float saturates.
        #[allow(clippy::cast_sign_loss)]
        let work = (objects.max(bytes / 32) as f64 * self.work_per_object) as u64;
        work
    }

    /// Learns from a collection that is complete, which has left `now`. Since the heap was made, `freed_bytes` were freed.
    /// So many bytes were allocated since marking ended.
    pub(crate) fn ended(&mut self, cycle: &Cycle, freed_bytes: u64, young_bytes: u64, now: Fullness) {
        match cycle.extent {
            Extent::Full => {
                // Of what was allocated since the last full collection, the part that was garbage by now. While this one
                // marked, as much will have become garbage for each byte; marked already, unless it died young.
                let allocated = cycle.allocated_when_marked - self.allocated_at_last;
                let freed = (freed_bytes - self.freed_at_last).min(allocated);
                let while_marking =
                    if self.has_minors() { 0 } else { cycle.allocated_when_marked - cycle.allocated_before };
                let floating = u128::from(while_marking) * u128::from(freed) / u128::from(allocated.max(1));
                let floating = (floating as usize).min(now.used / 4);
                self.minors_rest = self.minors_rest.saturating_sub(1);
                (self.allocated_at_last, self.freed_at_last) = (cycle.allocated_when_marked, freed_bytes);
                let expected = cycle.expected_work.max(1) as f64 / self.work_per_object;
                self.work_per_object = (cycle.work as f64 / expected).clamp(1.0, 32.0);
                // What was allocated since marking ended is not known to be alive.
                self.live = now.used.saturating_sub(floating).saturating_sub(young_bytes as usize);
                self.live_outside = now.external.min(self.live);
                self.sparse_at = now.in_use.saturating_add(now.used.max(self.min_bytes));
                self.plan(now);
                // What floats is not worth another collection right away.
                self.start_at = self.start_at.max(now.used.saturating_add(MOST_STEP_BYTES));
                self.end_by = self.end_by.max(self.start_at);
            }
            Extent::Young => {
                self.end_by = self.planned_end;
                let enough = cycle.young_bytes >= self.nursery_bytes as u64 / 2;
                let survived = cycle.young_bytes.saturating_sub(freed_bytes - cycle.freed_bytes_before);
                if !enough || survived * 100 <= cycle.young_bytes * WORTHWHILE_SURVIVAL {
                    self.next_rest = 1;
                } else {
                    self.minors_rest = self.next_rest;
                    self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
                }
            }
        }
    }

    /// How many of `empty` bytes in empty pages should be kept after a full collection, through which `idle` of them have
    /// been empty all the time.
    pub(crate) fn keep_empty(&mut self, empty: usize, idle: usize) -> usize {
        self.idle_bytes.rotate_left(1);
        self.idle_bytes[IDLE_CYCLES - 1] = idle;
        let surplus = self.idle_bytes.iter().copied().min().unwrap_or(0);
        self.page_retention.unwrap_or(empty.saturating_sub(surplus))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const MIB: usize = 1 << 20;

    pub(super) fn fullness(used: usize) -> Fullness {
        Fullness { used, in_use: used, external: 0, limit: usize::MAX }
    }

    /// A schedule for a heap of which so much is alive.
    pub(super) fn planned(now: Fullness) -> Schedule {
        let mut schedule = Schedule::new(Collector::MarkSweep);
        schedule.live = now.used;
        schedule.plan(now);
        schedule
    }

    pub(super) fn cycle(expected_work: u64, work: u64) -> Cycle {
        Cycle {
            extent: Extent::Full,
            reason: Reason::Growth,
            slices: 0,
            work,
            expected_work,
            used_before: 0,
            lumps: 0,
            committed_before: 0,
            young_bytes: 0,
            freed_objects_before: 0,
            freed_bytes_before: 0,
            allocated_before: 0,
            allocated_when_marked: 0,
        }
    }

    #[test]
    fn pages_that_were_emptied_bring_a_full_collection() {
        let mut schedule = planned(fullness(MIB));
        schedule.ended(&cycle(0, 0), 0, 0, fullness(MIB));
        let sparse = |in_use| Fullness { used: MIB, in_use, external: 0, limit: usize::MAX };
        assert_eq!(schedule.due(sparse(16 * MIB), 0), None);
        assert_eq!(schedule.due(sparse(17 * MIB), 0), Some((Extent::Full, Reason::Growth)));
    }

    #[test]
    fn what_is_outside_is_collected_sooner() {
        let mut schedule = Schedule::new(Collector::MarkSweep);
        let end_by = |schedule: &mut Schedule, external| {
            schedule.ended(&cycle(0, 0), 0, 0, Fullness { external, ..fullness(100 * MIB) });
            schedule.end_by / MIB
        };
        assert_eq!(end_by(&mut schedule, 0), 200);
        assert_eq!(end_by(&mut schedule, 50 * MIB), 170);
        assert_eq!(end_by(&mut schedule, 100 * MIB), 140);
    }

    #[test]
    fn minor_collections_rest_while_most_survives() {
        let mut schedule = planned(fullness(0));
        let nursery = schedule.nursery_bytes as u64;
        let minor = Cycle { extent: Extent::Young, young_bytes: nursery, ..cycle(0, 0) };
        assert_eq!(schedule.due(fullness(0), nursery), Some((Extent::Young, Reason::Nursery)));
        schedule.ended(&minor, nursery / 2, 0, fullness(MIB));
        assert!(schedule.due(fullness(MIB), nursery).is_some());
        schedule.ended(&minor, nursery / 4, 0, fullness(MIB));
        assert_eq!(schedule.due(fullness(MIB), 10 * nursery), None);
        schedule.ended(&cycle(0, 0), 0, 0, fullness(MIB));
        assert!(schedule.due(fullness(MIB), nursery).is_some());
        // In vain again: twice as long.
        schedule.ended(&minor, 0, 0, fullness(MIB));
        schedule.ended(&cycle(0, 0), 0, 0, fullness(MIB));
        assert_eq!(schedule.due(fullness(MIB), nursery), None);
        schedule.ended(&cycle(0, 0), 0, 0, fullness(MIB));
        assert!(schedule.due(fullness(MIB), nursery).is_some());
    }

    #[test]
    fn what_died_after_it_was_marked_does_not_count_as_alive() {
        let mib = |n: u64| n << 20;
        let mut schedule = planned(fullness(60 * MIB));
        schedule.nursery_bytes = 0;
        // All that was allocated is garbage of old: 20 MiB while the cycle marked, of which none was freed.
        let steady = Cycle { allocated_before: mib(80), allocated_when_marked: mib(100), ..cycle(0, 0) };
        schedule.ended(&steady, mib(100), 0, fullness(80 * MIB));
        assert_eq!(schedule.live, 60 * MIB);
        // Nothing of it is garbage.
        let growing = Cycle { allocated_before: mib(180), allocated_when_marked: mib(200), ..cycle(0, 0) };
        schedule.ended(&growing, mib(100), 0, fullness(180 * MIB));
        assert_eq!(schedule.live, 180 * MIB);
    }

    #[test]
    fn memory_is_given_back_when_it_was_idle_for_some_cycles() {
        let mut schedule = Schedule::new(Collector::MarkSweep);
        assert_eq!(schedule.keep_empty(10 * MIB, 4 * MIB), 10 * MIB);
        assert_eq!(schedule.keep_empty(10 * MIB, 5 * MIB), 10 * MIB);
        assert_eq!(schedule.keep_empty(10 * MIB, 6 * MIB), 6 * MIB);
        assert_eq!(schedule.keep_empty(6 * MIB, 0), 6 * MIB);
        schedule.page_retention = Some(0);
        assert_eq!(schedule.keep_empty(6 * MIB, 0), 0);
    }
}
