//! The collection that is under way: it begins, goes on a slice at a time, and ends.

use super::Collector;
use crate::budget::{BETWEEN_LOOKS, Budget, Meter};
use crate::events::{Event, Kind, Pause, Reason};
use crate::heap::Heap;
use crate::raw::{Exactness, Extent, RootTable, Stop};
use crate::schedule::{Cycle, Lateness, Pace, Schedule, Slice};
use crate::scope::Temporaries;
use crate::stats::{Clock, Ledger};
use crate::trace::{Trace, Tracer};
use crate::weak::Kept;
use crate::zeal::Zeal;
use std::panic::resume_unwind;

/// What has been counted since the heap was made, and what is going on.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    pub(crate) collections: u64,
    pub(crate) minor_collections: u64,
    /// As the last collection left them.
    pub(crate) live_objects: u64,
    /// `allocated_bytes` of the store when the last sweep began: what has been allocated since is young.
    pub(super) young_since: u64,
    pub(crate) peak_committed_bytes: usize,
    pub(crate) peak_used_bytes: usize,
    pub(crate) peak_scratch_bytes: usize,
    /// What collections have cost.
    pub(crate) ledger: Ledger,
    pub(crate) clock: Clock,
    /// The collection that is under way.
    pub(super) cycle: Option<Cycle>,
    /// What its last slice did.
    pub(super) last_slice: Slice,
    /// Empty pages are being given back until so many bytes of them are left.
    pub(super) releasing: Option<usize>,
    /// With zeal: how many safepoints are left until a collection is forced, and how many were forced.
    until_forced: u32,
    forced: u32,
    /// How the collection goes on.
    pub(super) pace: Pace,
    /// The `taken_bytes` of the store at which the next slice should be done.
    pub(super) planned: u64,
    /// How late its last slice was.
    pub(super) lateness: Lateness,
    /// The `lump_bytes` of the store that the plan knows of.
    pub(super) planned_lumps: u64,
    /// The largest multiple of the pause budget that a slice of it had; `None` for one that did all there was.
    pub(super) hurry: Option<u32>,
}

impl Accounts {
    pub(crate) fn new(zeal: Zeal, clock: Clock) -> Accounts {
        Accounts { until_forced: zeal.collect_every.map_or(1, u32::from), clock, ..Accounts::default() }
    }
}

impl Heap {
    /// Begins the collection that is due, if there is none.
    pub(super) fn begin_what_is_due(&mut self) {
        if self.is_between_cycles()
            && let Some((extent, reason)) = self.due()
        {
            self.begin(extent, reason);
        }
    }

    /// Whether no collection is under way.
    pub(super) fn is_between_cycles(&self) -> bool {
        self.accounts.cycle.is_none()
    }

    /// Whether no collection is under way and no memory is being given back.
    pub(super) fn has_nothing_to_do(&self) -> bool {
        self.is_between_cycles() && self.accounts.releasing.is_none()
    }

    /// Notes of a full collection that is under way that the program has asked for it. False if there is none.
    pub(super) fn note_asked(&mut self) -> bool {
        let cycle = self.accounts.cycle.as_mut().filter(|cycle| cycle.extent == Extent::Full);
        cycle.map(|cycle| cycle.reason = Reason::Asked).is_some()
    }

    /// Does what the zeal says; beside that only what cannot wait.
    pub(super) fn zealous_safepoint<R: Trace + ?Sized>(&mut self, roots: &R) {
        let slice = self.zeal.slice.map(|units| Budget::work(u64::from(units.get())));
        // Collections that are forced at once leave none under way, and what is due is done as ever.
        if slice.is_none() {
            self.begin_what_is_due();
        }
        if !self.is_between_cycles() && (slice.is_none() || self.accounts.pace == Pace::AtOnce) {
            self.run_slice(Budget::unlimited(), roots);
        }
        self.accounts.until_forced = self.accounts.until_forced.saturating_sub(1);
        if self.accounts.until_forced == 0 {
            self.accounts.until_forced = self.zeal.collect_every.map_or(1, u32::from);
            self.begin_forced();
            self.run_slice(slice.unwrap_or(Budget::unlimited()), roots);
        }
    }

    /// Begins the collection that the zeal forces, if there is none.
    fn begin_forced(&mut self) {
        if self.is_between_cycles() {
            let forced = self.accounts.forced.wrapping_add(1);
            self.accounts.forced = forced;
            let is_minor = self.zeal.minor && !forced.is_multiple_of(8);
            self.begin(if is_minor { Extent::Young } else { Extent::Full }, Reason::Zeal);
        }
    }

    /// A collection that is complete when this returns.
    pub(super) fn collect_at_once<R: Trace + ?Sized>(&mut self, extent: Extent, reason: Reason, roots: &R) {
        if self.schedule.collector == Collector::None {
            self.reschedule();
            return;
        }
        if extent == Extent::Full {
            // What a collection that is under way has marked may have died since.
            self.store.abandon_marking();
        }
        self.forget_abandoned();
        if let Some(panic) = self.run_cycle(extent, reason, roots) {
            resume_unwind(panic);
        }
    }

    /// Completes the cycle that is under way, if there is one, and then a whole one. The result is the first panic that
    /// came out of a destructor.
    fn run_cycle<R: Trace + ?Sized>(&mut self, extent: Extent, reason: Reason, roots: &R) -> Option<Panic> {
        let mut panic = None;
        if self.accounts.cycle.is_some() {
            panic = self.slice(Budget::unlimited(), roots);
        }
        self.begin(extent, reason);
        match (panic, self.slice(Budget::unlimited(), roots)) {
            (Some(first), second) => {
                // It may panic when it is dropped.
                std::mem::forget(second);
                Some(first)
            }
            (None, second) => second,
        }
    }

    pub(super) fn begin(&mut self, extent: Extent, reason: Reason) {
        debug_assert!(self.accounts.cycle.is_none());
        let extent = if self.store.needs_full_cycle() { Extent::Full } else { extent };
        self.assert_consistent("before");
        self.note_peak();
        if extent == Extent::Full {
            self.schedule.major_wanted = false;
        }
        let used_before = self.store.used_bytes();
        let freed = self.store.freed();
        let objects = self.store.made_objects() - freed.objects;
        let (freed_objects_before, freed_bytes_before) = (freed.objects, freed.bytes);
        let young_bytes = self.young_bytes();
        self.kept.forget_upgraded();
        self.store.begin_cycle(extent);
        self.accounts.cycle = Some(Cycle {
            extent,
            reason,
            slices: 0,
            work: 0,
            lumps: 0,
            expected_work: match extent {
                Extent::Young => self.schedule.expected_work(self.store.remembered_work(), young_bytes),
                Extent::Full => self.schedule.expected_work(objects, used_before as u64),
            },
            used_before,
            committed_before: self.store.committed_bytes(),
            young_bytes,
            freed_objects_before,
            freed_bytes_before,
            allocated_before: self.store.allocated_bytes(),
            allocated_when_marked: 0,
        });
        self.schedule.begun(self.fullness());
        self.accounts.pace = self.pace();
        self.accounts.planned = self.store.taken_bytes();
        self.accounts.lateness = Lateness::default();
        self.accounts.planned_lumps = self.store.lump_bytes();
        self.accounts.hurry = Some(1);
        self.accounts.clock.begin_cycle();
        let (number, committed) = (self.accounts.collections + 1, self.store.committed_bytes());
        self.listener.tell(|| Event::Began { number, kind: kind(extent), reason, used: used_before, committed });
    }

    /// Does up to `budget` of the work that there is, and plans the next slice.
    pub(super) fn run_slice<R: Trace + ?Sized>(&mut self, budget: Budget, roots: &R) {
        if let Some(panic) = self.slice(budget, roots) {
            resume_unwind(panic);
        }
    }

    /// As `run_slice`, but that a panic of a destructor is a result. One of a `Trace` goes through.
    fn slice<R: Trace + ?Sized>(&mut self, budget: Budget, roots: &R) -> Option<Panic> {
        #[cfg(feature = "tracing")]
        let _span = crate::log::span(self.accounts.cycle.as_ref().map(|cycle| (kind(cycle.extent), cycle.reason)));
        let mut budget = budget;
        self.accounts.clock.begin_slice();
        if let Some(cycle) = &mut self.accounts.cycle {
            cycle.slices += 1;
            budget = budget.times(Schedule::insistence(cycle, budget.units().unwrap_or(BETWEEN_LOOKS)));
        }
        self.store.begin_slice();
        let swept_before = self.store.swept_bytes();
        let mut meter = Meter::start(budget, self.accounts.clock.now);
        loop {
            let granted = meter.grant();
            if granted == 0 {
                break;
            }
            let mut credit = granted;
            let stop = {
                let Heap { store, temporaries, kept, roots: table, .. } = self;
                store.work(&mut credit, |tracer| trace_roots(table, temporaries, kept, roots, tracer))
            };
            meter.spend(granted - credit);
            if let Some(cycle) = &mut self.accounts.cycle {
                cycle.work += granted - credit;
            }
            match stop {
                Stop::Credit => {}
                Stop::Marked => self.begin_sweep(roots),
                Stop::Idle => {
                    self.end_cycle();
                    let mut left = credit;
                    let is_done = self.release_empty(&mut left);
                    meter.spend(credit - left);
                    if is_done {
                        break;
                    }
                }
            }
        }
        let swept_bytes = self.store.swept_bytes() - swept_before;
        self.settle_external();
        self.accounts.last_slice = Slice { work: meter.spent(), swept_bytes };
        self.reschedule();
        // Last, as a callback may panic.
        self.end_lap(None);
        self.assert_consistent("after");
        self.store.take_panic()
    }

    /// Goes on from marking to sweeping.
    fn begin_sweep<R: Trace + ?Sized>(&mut self, roots: &R) {
        if self.zeal.recheck {
            let Heap { store, temporaries, kept, roots: table, .. } = self;
            let at_once = self.accounts.cycle.is_some_and(|cycle| cycle.slices == 1 && cycle.extent == Extent::Full);
            let exactness = if at_once { Exactness::Exact } else { Exactness::MayMarkMore };
            let checked = store.check_marks(exactness, |tracer| trace_roots(table, temporaries, kept, roots, tracer));
            if let Err(flaw) = checked {
                panic!("zeal: {flaw}");
            }
        }
        self.store.begin_sweep();
        self.kept.forget_upgraded();
        self.accounts.young_since = self.store.allocated_bytes();
        if let Some(cycle) = &mut self.accounts.cycle {
            cycle.allocated_when_marked = self.accounts.young_since;
        }
    }

    /// Keeps the accounts of a cycle that is complete.
    fn end_cycle(&mut self) {
        let Some(cycle) = self.accounts.cycle.take() else { return };
        self.settle_external();
        self.end_lap(Some(&cycle));
        self.note_peak();
        self.accounts.collections += 1;
        self.accounts.minor_collections += u64::from(cycle.extent == Extent::Young);
        let freed_objects = self.store.freed().objects;
        let freed_bytes = self.store.freed().bytes;
        self.accounts.live_objects = self.store.made_objects() - freed_objects;
        self.pressure.failed &= cycle.extent == Extent::Young;
        let now = self.fullness();
        self.schedule.ended(&cycle, freed_bytes, self.young_bytes(), now);
        if cycle.extent == Extent::Full {
            let idle = self.store.take_idle_bytes();
            self.accounts.releasing = Some(self.schedule.keep_empty(self.store.empty_bytes(), idle));
        }
        let (used_after, committed) = (self.store.used_bytes(), self.store.committed_bytes());
        let number = self.accounts.collections;
        let timing = self.accounts.clock.end_cycle();
        let (freed_objects, freed_bytes) =
            (freed_objects - cycle.freed_objects_before, freed_bytes - cycle.freed_bytes_before);
        self.accounts.ledger.note(&cycle, freed_objects, freed_bytes, timing);
        self.listener.tell(|| Event::Ended {
            number,
            kind: kind(cycle.extent),
            reason: cycle.reason,
            slices: cycle.slices,
            work: cycle.work,
            used_before: cycle.used_before,
            used_after,
            committed_before: cycle.committed_before,
            committed,
            freed_objects,
            freed_bytes,
            timing,
        });
    }

    /// Notes how long the collector has been at work since the slice began, or since this was called last in it. The cycle is
    /// given if it has just ended.
    fn end_lap(&mut self, ended: Option<&Cycle>) {
        let cycle = ended.or(self.accounts.cycle.as_ref()).map(|cycle| (cycle.extent, cycle.reason));
        let lap = self.accounts.clock.end_lap();
        let Some((extent, reason)) = cycle else { return };
        self.accounts.ledger.note_slice(extent, reason, lap.took);
        let used = self.store.used_bytes();
        self.listener.tell_pause(|| Pause::new(kind(extent), lap, used));
    }

    /// Gives memory back that has been decided on; true if that is done.
    fn release_empty(&mut self, credit: &mut u64) -> bool {
        let Some(keep) = self.accounts.releasing else { return true };
        let is_done = self.store.release_empty(keep, credit);
        if is_done {
            self.accounts.releasing = None;
        }
        is_done
    }

    /// Notes that the cycle that was under way is not any more, if that is so.
    pub(super) fn forget_abandoned(&mut self) {
        if self.store.in_cycle().is_none()
            && let Some(cycle) = self.accounts.cycle.take()
        {
            self.listener.tell(|| Event::Abandoned { kind: kind(cycle.extent) });
        }
    }

    fn note_peak(&mut self) {
        let accounts = &mut self.accounts;
        accounts.peak_committed_bytes = accounts.peak_committed_bytes.max(self.store.committed_bytes());
        accounts.peak_used_bytes = accounts.peak_used_bytes.max(self.store.used_bytes());
        accounts.peak_scratch_bytes = accounts.peak_scratch_bytes.max(self.store.scratch_bytes());
    }

    fn assert_consistent(&self, when: &str) {
        if self.zeal.verify
            && let Err(error) = self.verify()
        {
            panic!("zeal: {when} collection {}: {error}", self.accounts.collections + 1);
        }
    }
}

type Panic = Box<dyn std::any::Any + Send>;

/// Reports all roots of a heap.
fn trace_roots<R: Trace + ?Sized>(
    table: &RootTable,
    temporaries: &Temporaries,
    kept: &Kept,
    roots: &R,
    tracer: &mut Tracer<'_>,
) {
    table.trace(tracer);
    temporaries.trace(tracer);
    kept.trace(tracer);
    roots.trace(tracer);
}

pub(super) fn kind(extent: Extent) -> Kind {
    match extent {
        Extent::Young => Kind::Minor,
        Extent::Full => Kind::Full,
    }
}
