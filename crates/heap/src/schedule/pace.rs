//! The pace of a collection in slices: how far apart they are, and how large.
//!
//! A slice has the pause budget and comes every so many bytes, so that the work is done when the heap has grown to its
//! bound. When the program allocates much for what there is to mark, the bytes between two slices become fewer. Slices that
//! the program had no safepoint for, or for which it allocated too much at once, are made up for at its next safepoints, one
//! at each; and where more and more are missing all the same, as safepoints are rare, slices become larger.
//!
//! When the heap outgrows its bound by as much again, and near the limit, the collection is completed at once. So is a minor
//! one that frees less than the program allocates.
//!
//! Little and often is also what lets marking end: what the program writes to between two slices is looked at again, and
//! that has to be less than what a slice looks at.

use super::{Cycle, Fullness, Schedule};
use crate::raw::Extent;

/// The fewest bytes that are allocated between two slices.
const LEAST_STEP_BYTES: usize = 2 << 10;
/// What is allocated between two slices of work that should be over soon.
const BRISK_STEP_BYTES: usize = 8 << 10;
/// What is allocated between two slices of work that does not hurry.
const CALM_STEP_BYTES: usize = 64 << 10;
/// The most bytes that are allocated between two slices.
pub(super) const MOST_STEP_BYTES: usize = 256 << 10;
/// With more than so many slices missing, the program is behind.
const PATIENCE: u64 = 4;
/// The largest multiple of the budget that a slice has.
const HURRY: u32 = 12;
/// As many slices can be missing, at most: what was not to be done in time is not to be done all at once.
pub(crate) const MOST_MISSING: u64 = 48;

/// What a collection is doing.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Marking,
    Pruning,
    Sweeping,
}

/// What a slice has done.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Slice {
    pub(crate) work: u64,
    /// Bytes of the cells that it has swept.
    pub(crate) swept_bytes: u64,
}

/// How the next slices are done.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// All that is left, now.
    #[default]
    AtOnce,
    /// One for each so many bytes.
    Step(u64),
}

impl Pace {
    /// A slice for every so many bytes, at most so far apart.
    fn of(bytes: u64, most: usize) -> Pace {
        Pace::Step(bytes.clamp(LEAST_STEP_BYTES as u64, most as u64))
    }

    /// How many times the budget the slice has that is done so many bytes late, by the one before it; `None` if it does all
    /// that is left.
    pub(crate) fn times(self, late: u64, last: Lateness) -> Option<u32> {
        let Pace::Step(bytes) = self else { return None };
        let patience = bytes * PATIENCE;
        Some(if late <= patience {
            1
        } else if last.bytes > patience && late >= last.bytes {
            // The last one did not help.
            (last.times + 1).min(HURRY)
        } else {
            last.times
        })
    }
}

/// How late a slice was, and how many times the budget it had.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lateness {
    pub(crate) bytes: u64,
    pub(crate) times: u32,
}

impl Default for Lateness {
    fn default() -> Lateness {
        Lateness { bytes: 0, times: 1 }
    }
}

impl Schedule {
    /// How many times a slice of so many units has to be done at once, so that the collection comes to an end. It would not
    /// if the program made as much new work between two slices as one of them does.
    pub(crate) fn insistence(cycle: &Cycle, units: u64) -> u32 {
        let excess = cycle.work.saturating_sub(cycle.expected_work.saturating_mul(2).saturating_add(64));
        let share = units.saturating_mul(8).max(cycle.expected_work);
        u32::try_from(excess / share).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Whether a minor collection frees what was young more slowly than the program fills the next nursery. Each would have
    /// more to do than the one before, as no full one can begin.
    fn falls_behind(&self, cycle: &Cycle, stage: Stage, young_bytes: u64) -> bool {
        if cycle.extent == Extent::Full || stage == Stage::Marking {
            return false;
        }
        // Zero where it was not noted what was allocated while marking.
        let since = cycle.allocated_when_marked.saturating_sub(cycle.allocated_before);
        let were_young = cycle.young_bytes + since;
        young_bytes >= (were_young / 2).max(self.nursery_bytes as u64)
    }

    /// When the next slice of the collection that is under way is due, and how large it is, by what the last one did.
    /// So many bytes were allocated since the last sweep began.
    pub(crate) fn pace(&self, cycle: &Cycle, stage: Stage, now: Fullness, young_bytes: u64, last: Slice) -> Pace {
        // A minor one would not make room.
        let near_limit = now.in_use >= self.end_by_in_use && cycle.extent == Extent::Full;
        let has_outgrown = now.used >= self.end_by.saturating_add(self.room);
        if near_limit || has_outgrown || self.falls_behind(cycle, stage, young_bytes) {
            return Pace::AtOnce;
        }
        let units = self.pause.units().unwrap_or(last.work).max(1);
        match (stage, cycle.extent) {
            // Faster than the program fills cells, which it takes a page at a time. Things to drop take long.
            (Stage::Sweeping, _) => Pace::of(last.swept_bytes / last.work.div_ceil(units).max(1) / 4, CALM_STEP_BYTES),
            // A cycle that short is over before much is written to.
            (Stage::Marking, Extent::Young) => Pace::Step(BRISK_STEP_BYTES as u64),
            (Stage::Pruning, _) => Pace::of(CALM_STEP_BYTES as u64, CALM_STEP_BYTES),
            (Stage::Marking, Extent::Full) => {
                // An eighth is added for what is new, and as a reserve.
                let expected = cycle.expected_work + cycle.expected_work / 8;
                let left = expected.saturating_sub(cycle.work).max(units);
                let room = self.end_by.saturating_sub(now.used).min(self.end_by_in_use - now.in_use) as u64;
                Pace::of(room / left.div_ceil(units), MOST_STEP_BYTES)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::PAUSE_UNITS;
    use super::super::tests::{MIB, cycle, fullness, planned};
    use super::*;
    use crate::collect::Collector;
    use crate::events::Reason;

    /// Where the heap stands when a full collection of so much work is done, or when it is not calm any more.
    fn follow(schedule: &Schedule, from: usize, work: u64) -> Result<usize, Pace> {
        let (mut used, mut done) = (from, 0);
        while done < work {
            match schedule.pace(&cycle(work, done), Stage::Marking, fullness(used), 0, Slice::default()) {
                Pace::Step(bytes) => used += bytes as usize,
                Pace::AtOnce => return Err(Pace::AtOnce),
            }
            done += PAUSE_UNITS;
        }
        Ok(used)
    }

    #[test]
    fn a_full_collection_ends_by_the_growth_factor() {
        let mut schedule = planned(fullness(60 * MIB));
        assert_eq!(schedule.due(fullness(104 * MIB), 0), None);
        assert_eq!(schedule.due(fullness(106 * MIB), 0), Some((Extent::Full, Reason::Growth)));
        schedule.begun(fullness(105 * MIB));
        let end = follow(&schedule, 105 * MIB, 2_000_000).unwrap();
        assert!(end > 110 * MIB && end < 121 * MIB, "{}", end / MIB);
    }

    #[test]
    fn one_that_begins_late_takes_its_time_all_the_same() {
        let mut schedule = planned(fullness(0));
        let late = fullness(200 * MIB);
        assert!(schedule.due(late, 0).is_some());
        schedule.begun(late);
        assert!(follow(&schedule, 200 * MIB, 2_000_000).is_ok());
    }

    #[test]
    fn slices_come_often_when_there_is_little_room() {
        let mut schedule = Schedule::new(Collector::MarkSweep);
        schedule.growth = 1.1;
        schedule.live = 60 * MIB;
        schedule.plan(fullness(60 * MIB));
        let pace = |schedule: &Schedule, used, cycle: Cycle| {
            schedule.pace(&cycle, Stage::Marking, fullness(used), 0, Slice::default())
        };
        schedule.begun(fullness(64 * MIB));
        assert_eq!(pace(&schedule, 65 * MIB, cycle(2_000_000, 0)), Pace::Step(5577));
        assert_eq!(pace(&schedule, 67 * MIB, cycle(2_000_000, 0)), Pace::Step(LEAST_STEP_BYTES as u64));
        assert_eq!(pace(&schedule, 90 * MIB, cycle(2_000_000, 0)), Pace::AtOnce);
    }

    #[test]
    fn a_collection_insists_when_there_is_more_work_than_was_thought() {
        assert_eq!(Schedule::insistence(&cycle(1000, 2000), 10), 1);
        assert_eq!(Schedule::insistence(&cycle(1000, 2064 + 5000), 10), 6);
        assert_eq!(Schedule::insistence(&cycle(1000, 2064 + 5000), 500), 2);
        assert_eq!(Schedule::insistence(&cycle(0, u64::MAX), 1), u32::MAX);
    }

    #[test]
    fn slices_grow_while_more_and_more_are_missing() {
        let pace = Pace::Step(1000);
        let mut last = Lateness::default();
        let mut after = |late| {
            last = Lateness { bytes: late, times: pace.times(late, last).unwrap() };
            last.times
        };
        // A lump, which is made up for in slices of the usual size.
        assert_eq!([0, 40_000, 39_000, 38_000].map(&mut after), [1; 4]);
        // Another one before that is done; and then all of it is done.
        assert_eq!([45_000, 43_000, 4_001, 4_000].map(&mut after), [2, 2, 2, 1]);
        // Rare safepoints: the slices grow until what is missing becomes less.
        assert_eq!([6_000, 11_000, 15_000, 18_000, 20_000, 20_000, 19_000].map(&mut after), [1, 2, 3, 4, 5, 6, 6]);
        assert_eq!([u64::MAX; 9].map(&mut after), [7, 8, 9, 10, 11, 12, 12, 12, 12]);
        assert_eq!(Pace::AtOnce.times(0, last), None);
    }

    #[test]
    fn sweeping_keeps_ahead_of_the_program() {
        let schedule = planned(fullness(60 * MIB));
        let pace = |swept_bytes| {
            schedule.pace(
                &cycle(0, 0),
                Stage::Sweeping,
                fullness(61 * MIB),
                0,
                Slice { work: PAUSE_UNITS, swept_bytes },
            )
        };
        assert_eq!(pace(10 << 20), Pace::Step(CALM_STEP_BYTES as u64));
        assert_eq!(pace(40 << 10), Pace::Step(10 << 10));
        assert_eq!(pace(1 << 10), Pace::Step(LEAST_STEP_BYTES as u64));
    }

    #[test]
    fn a_minor_one_that_falls_behind_is_completed_at_once() {
        let schedule = planned(fullness(60 * MIB));
        let minor = |were_young: usize| Cycle {
            extent: Extent::Young,
            young_bytes: were_young as u64 - 1000,
            allocated_before: 5000,
            allocated_when_marked: 6000,
            ..cycle(0, 0)
        };
        let is_at_once = |cycle: Cycle, stage, young: usize| {
            schedule.pace(&cycle, stage, fullness(70 * MIB), young as u64, Slice::default()) == Pace::AtOnce
        };
        for stage in [Stage::Pruning, Stage::Sweeping] {
            assert!(!is_at_once(minor(MIB), stage, MIB - 1) && is_at_once(minor(MIB), stage, MIB));
            assert!(!is_at_once(minor(8 * MIB), stage, 4 * MIB - 1) && is_at_once(minor(8 * MIB), stage, 4 * MIB));
            assert!(!is_at_once(cycle(0, 0), stage, 9 * MIB));
        }
        assert!(!is_at_once(minor(MIB), Stage::Marking, MIB));
    }

    #[test]
    fn near_the_limit_it_is_completed_at_once() {
        let at = |used: usize| Fullness { used, in_use: used, external: 0, limit: 20 * MIB };
        let mut schedule = planned(at(4 * MIB));
        assert_eq!(schedule.due(at(8 * MIB), 0), None);
        assert_eq!(schedule.due(at(12 * MIB), 0).map(|(extent, _)| extent), Some(Extent::Full));
        schedule.begun(at(12 * MIB));
        assert_ne!(schedule.pace(&cycle(1000, 0), Stage::Marking, at(13 * MIB), 0, Slice::default()), Pace::AtOnce);
        assert_eq!(schedule.pace(&cycle(1000, 0), Stage::Marking, at(18 * MIB), 0, Slice::default()), Pace::AtOnce);
    }
}
