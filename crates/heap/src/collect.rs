//! Collections: where they may happen, and what they do in which order.
//!
//! A collection is a cycle of the store (`raw/cycle.rs`), done in slices. This file runs the slices and keeps the accounts;
//! when a cycle begins and how large its slices are is decided in `schedule.rs`.

use crate::budget::{BETWEEN_LOOKS, Budget, Meter, Progress};
use crate::events::{Event, Kind, Reason};
use crate::heap::Heap;
use crate::raw::{Exactness, Extent, RootTable, Stop};
use crate::schedule::{Cycle, Fullness, Pace, Schedule, Slice, Stage};
use crate::scope::Temporaries;
use crate::trace::{Trace, Tracer};
use crate::zeal::Zeal;
use std::panic::resume_unwind;

/// Which collector a heap has.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Collector, Heap};
///
/// let mut heap = Heap::builder().collector(Collector::None).build();
/// let gc = heap.alloc("for ever");
/// heap.collect(&());
/// assert_eq!(heap[gc], "for ever");
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Collector {
    /// Marks what is reachable and frees the rest.
    #[default]
    MarkSweep,
    /// Frees nothing before the heap is dropped: for programs that end soon, and for measuring what collection costs.
    None,
}

/// What has been counted since the heap was made, and what is going on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    pub(crate) collections: u64,
    pub(crate) minor_collections: u64,
    /// As the last collection left them.
    pub(crate) live_objects: u64,
    /// `allocated_bytes` of the store when the last sweep began: what has been allocated since is young.
    young_since: u64,
    pub(crate) peak_committed_bytes: usize,
    cycle: Option<Cycle>,
    last_slice: Slice,
    /// Empty pages are being given back until so many bytes of them are left.
    releasing: Option<usize>,
    /// With zeal: how many safepoints are left until a collection is forced, and how many were forced.
    until_forced: u32,
    forced: u32,
    /// The multiple of the pause budget that the next slice has; `None` when it does all there is.
    hurry: Option<u32>,
}

impl Accounts {
    pub(crate) fn new(zeal: Zeal) -> Accounts {
        Accounts { until_forced: zeal.collect_every.map_or(1, u32::from), ..Accounts::default() }
    }
}

impl Heap {
    /// A place where the heap may collect, and does what is due.
    ///
    /// Call it where all handles that are still needed can be reached from `roots`, from a [`Root`](crate::Root) or from
    /// an open [`scope`](Heap::scope): an interpreter does so at calls and at the back edges of loops. When nothing is
    /// due it costs a load and a comparison.
    ///
    /// A collection is done in slices, one at a safepoint, each of which takes about as long as the
    /// [`pause_budget`](crate::HeapBuilder::pause_budget) says, however large the heap is. In between the program goes on,
    /// and what it does is taken into account. So it may take several safepoints until what has become garbage is freed; a
    /// handle to it may go on working until then, and should not be used.
    ///
    /// A [minor](Heap::collect_minor) collection begins when as much has been allocated as the builder's
    /// [`nursery`](crate::HeapBuilder::nursery) says; a full one when the heap grows as the builder's
    /// [`growth`](crate::HeapBuilder::growth) says, or comes near its limit. Their slices are spread so that a full
    /// collection ends before the heap has outgrown that. If the program allocates too fast for it, a slice takes more than
    /// the budget, and [`on_event`](Heap::on_event) is told. When an allocation has failed, the whole heap is collected
    /// at once.
    ///
    /// # What a pause is made of
    ///
    /// Everything that depends on the size of the heap is done in parts. What is not: one call of a `trace` or a `drop` of
    /// yours, the roots, which are looked at whole at the beginning and at the end of a collection, and freeing the block
    /// of one large object.
    ///
    /// # Panics
    ///
    /// If a `Trace` or a `Drop` panics. In `Trace`: the collection is abandoned and nothing is freed. In `Drop`: the slice
    /// is completed, and the first panic is passed on. The heap is in order after either.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::{Gc, Heap};
    ///
    /// let mut heap = Heap::new();
    /// let mut stack: Vec<Gc<String>> = Vec::new();
    /// for n in 0..1000 {
    ///     let gc = heap.alloc(n.to_string());
    ///     if n % 10 == 0 {
    ///         stack.push(gc);
    ///     }
    ///     heap.safepoint(&stack);
    /// }
    /// assert!(stack.iter().all(|&gc| heap.contains(gc)));
    /// ```
    #[inline(always)]
    pub fn safepoint<R: Trace + ?Sized>(&mut self, roots: &R) {
        if self.store.taken_bytes() >= self.pressure.due {
            self.safepoint_slow(roots);
        }
    }

    #[cold]
    #[inline(never)]
    fn safepoint_slow<R: Trace + ?Sized>(&mut self, roots: &R) {
        self.forget_abandoned();
        if self.schedule.collector == Collector::None {
            self.reschedule();
        } else if self.pressure.failed {
            self.collect_all(Reason::Failure, roots);
        } else if self.zeal.forces_collections() {
            self.zealous_safepoint(roots);
        } else {
            self.begin_what_is_due();
            let budget = self.accounts.hurry.map_or(Budget::unlimited(), |times| self.schedule.pause.times(times));
            self.run_slice(budget, roots);
        }
    }

    fn begin_what_is_due(&mut self) {
        if self.accounts.cycle.is_none()
            && let Some((extent, reason)) = self.schedule.due(self.fullness(), self.young_bytes())
        {
            self.begin(extent, reason);
        }
    }

    /// Does what the zeal says; beside that only what cannot wait.
    fn zealous_safepoint<R: Trace + ?Sized>(&mut self, roots: &R) {
        let accounts = &mut self.accounts;
        if self.zeal.slice.is_none() {
            // Forced collections are complete ones, so that there is none under way.
            self.begin_what_is_due();
            if self.accounts.cycle.is_some() {
                self.run_slice(Budget::unlimited(), roots);
            }
        } else if accounts.hurry.is_none() {
            self.run_slice(Budget::unlimited(), roots);
        }
        let accounts = &mut self.accounts;
        accounts.until_forced = accounts.until_forced.saturating_sub(1);
        if accounts.until_forced > 0 {
            return;
        }
        accounts.until_forced = self.zeal.collect_every.map_or(1, u32::from);
        if accounts.cycle.is_none() {
            accounts.forced = accounts.forced.wrapping_add(1);
            let is_minor = self.zeal.minor && !accounts.forced.is_multiple_of(8);
            self.begin(if is_minor { Extent::Young } else { Extent::Full }, Reason::Zeal);
        }
        let budget = self.zeal.slice.map_or(Budget::unlimited(), |units| Budget::work(u64::from(units.get())));
        self.run_slice(budget, roots);
    }

    /// Does up to `budget` of what is due or will be due before long: for idle time, such as the rest of a frame.
    ///
    /// It begins a collection if there is none and one would be worth it. [`Progress::Done`] says that nothing is left to do
    /// for now. Like a safepoint, it is a place where everything needed has to be reachable.
    ///
    /// # Panics
    ///
    /// As [`safepoint`](Heap::safepoint).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tumulus_heap::{Budget, Gc, Heap, Progress};
    ///
    /// let mut heap = Heap::new();
    /// let mut scene: Vec<Gc<String>> = Vec::new();
    /// for frame in 0..3 {
    ///     scene.push(heap.alloc(format!("frame {frame}")));
    ///     heap.safepoint(&scene);
    ///     let time_left = Duration::from_millis(2);
    ///     let progress = heap.step(&scene, Budget::time(time_left));
    ///     assert_eq!(progress, Progress::Done);
    /// }
    /// ```
    pub fn step<R: Trace + ?Sized>(&mut self, roots: &R, budget: Budget) -> Progress {
        if self.schedule.collector == Collector::None {
            return Progress::Done;
        }
        self.forget_abandoned();
        // Where nothing was allocated since the last collection, another one would find what that did.
        let young_bytes = self.young_bytes();
        if self.accounts.cycle.is_none()
            && (young_bytes > 0 || self.schedule.major_wanted)
            && let Some((extent, reason)) = self.schedule.due_in_idle_time(self.fullness(), young_bytes)
        {
            self.begin(extent, reason);
        }
        self.run_slice(budget, roots);
        let is_idle = self.accounts.cycle.is_none() && self.accounts.releasing.is_none();
        let young_bytes = self.young_bytes();
        let more_is_due = young_bytes > 0 && self.schedule.due_in_idle_time(self.fullness(), young_bytes).is_some();
        if is_idle && !more_is_due { Progress::Done } else { Progress::Pending }
    }

    /// Asks for a full collection that is done in slices, at the safepoints and [`step`](Heap::step)s that follow.
    ///
    /// If one is under way already, that is the one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let garbage = heap.alloc("garbage");
    /// heap.start_major();
    /// while heap.statistics().collections == 0 {
    ///     heap.safepoint(&());
    /// }
    /// assert!(!heap.contains(garbage));
    /// ```
    pub fn start_major(&mut self) {
        self.forget_abandoned();
        match &mut self.accounts.cycle {
            Some(cycle) if cycle.extent == Extent::Full => cycle.reason = Reason::Asked,
            _ => self.schedule.major_wanted = self.schedule.collector == Collector::MarkSweep,
        }
        self.pressure.due = self.pressure.due.min(self.store.taken_bytes());
    }

    /// Collects the whole heap: everything that cannot be reached from `roots`, a [`Root`](crate::Root) or an open scope
    /// is dead, and dropped, when this returns.
    ///
    /// It takes time proportional to what is alive, plus a little for each page of the heap. After the first few
    /// collections of a heap in a steady state it asks the system for no memory.
    ///
    /// # Panics
    ///
    /// As [`safepoint`](Heap::safepoint); a `Drop` that panics does not keep the others from being run.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let shared = Rc::new(7);
    /// heap.alloc(Rc::clone(&shared));
    /// assert_eq!(Rc::strong_count(&shared), 2);
    /// heap.collect(&());
    /// assert_eq!(Rc::strong_count(&shared), 1);
    /// ```
    pub fn collect<R: Trace + ?Sized>(&mut self, roots: &R) {
        self.collect_all(Reason::Asked, roots);
    }

    fn collect_all<R: Trace + ?Sized>(&mut self, reason: Reason, roots: &R) {
        if self.schedule.collector == Collector::None {
            self.reschedule();
            return;
        }
        // What a collection that is under way has marked may have died since.
        self.store.abandon_marking();
        self.forget_abandoned();
        let panic = self.run_cycle(Extent::Full, reason, roots);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Collects what is young: everything that was allocated since the last collection and cannot be reached is dead, and
    /// dropped, when this returns. What survives is old, and dies in full collections only.
    ///
    /// It takes time proportional to the roots, to what was allocated since the last collection, and to the old objects that
    /// were written to since; the size of the heap does not matter.
    ///
    /// If a collection is under way, that is completed first. After one that was abandoned, because a `Trace` panicked, it
    /// collects the whole heap.
    ///
    /// # Panics
    ///
    /// As [`collect`](Heap::collect).
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::{Gc, Heap};
    ///
    /// let mut heap = Heap::new();
    /// let old: Gc<Option<Gc<u8>>> = heap.alloc(None);
    /// let soon_garbage = heap.alloc("old garbage");
    /// heap.collect_minor(&(old, soon_garbage));
    ///
    /// let young = heap.alloc(1);
    /// *heap.get_mut(old) = Some(young);
    /// let garbage = heap.alloc(2);
    /// heap.collect_minor(&old);
    /// assert!(heap.contains(young) && !heap.contains(garbage));
    /// assert!(heap.contains(soon_garbage)); // for now
    ///
    /// heap.collect(&old);
    /// assert!(!heap.contains(soon_garbage));
    /// ```
    pub fn collect_minor<R: Trace + ?Sized>(&mut self, roots: &R) {
        if self.schedule.collector == Collector::None {
            self.reschedule();
            return;
        }
        self.forget_abandoned();
        let panic = self.run_cycle(Extent::Young, Reason::Asked, roots);
        if let Some(panic) = panic {
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

    fn begin(&mut self, extent: Extent, reason: Reason) {
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
        self.store.begin_cycle(extent);
        self.accounts.cycle = Some(Cycle {
            extent: self.store.in_cycle().unwrap_or(extent),
            reason,
            slices: 0,
            work: 0,
            expected_work: match extent {
                Extent::Young => self.schedule.expected_work(self.store.remembered_objects() as u64, young_bytes),
                Extent::Full => self.schedule.expected_work(objects, used_before as u64),
            },
            used_before,
            young_bytes,
            freed_objects_before,
            freed_bytes_before,
            taken_before: self.store.allocated_bytes(),
            taken_when_marked: 0,
        });
        self.schedule.begun(self.fullness());
        self.accounts.hurry = Some(1);
    }

    /// Does up to `budget` of the work that there is, and plans the next slice.
    fn run_slice<R: Trace + ?Sized>(&mut self, budget: Budget, roots: &R) {
        if let Some(panic) = self.slice(budget, roots) {
            resume_unwind(panic);
        }
    }

    /// As `run_slice`, but that a panic of a destructor is a result. One of a `Trace` goes through.
    fn slice<R: Trace + ?Sized>(&mut self, budget: Budget, roots: &R) -> Option<Panic> {
        let mut budget = budget;
        if let Some(cycle) = &mut self.accounts.cycle {
            cycle.slices += 1;
            budget = budget.times(Schedule::insistence(cycle, budget.units().unwrap_or(BETWEEN_LOOKS)));
        }
        self.store.begin_slice();
        let swept_before = self.store.swept_bytes();
        let mut meter = Meter::start(budget);
        loop {
            let granted = meter.grant();
            if granted == 0 {
                break;
            }
            let mut credit = granted;
            let stop = {
                let Heap { store, temporaries, roots: table, .. } = self;
                store.work(&mut credit, |tracer| trace_roots(table, temporaries, roots, tracer))
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
        self.accounts.last_slice = Slice { work: meter.spent(), swept_bytes };
        self.reschedule();
        self.assert_consistent("after");
        self.store.take_panic()
    }

    /// Goes on from marking to sweeping.
    fn begin_sweep<R: Trace + ?Sized>(&mut self, roots: &R) {
        if self.zeal.recheck {
            let Heap { store, temporaries, roots: table, .. } = self;
            let at_once = self.accounts.cycle.is_some_and(|cycle| cycle.slices == 1 && cycle.extent == Extent::Full);
            let exactness = if at_once { Exactness::Exact } else { Exactness::MayMarkMore };
            let checked = store.check_marks(exactness, |tracer| trace_roots(table, temporaries, roots, tracer));
            if let Err(flaw) = checked {
                panic!("zeal: {flaw}");
            }
        }
        self.store.begin_sweep();
        self.accounts.young_since = self.store.allocated_bytes();
        if let Some(cycle) = &mut self.accounts.cycle {
            cycle.taken_when_marked = self.accounts.young_since;
        }
    }

    /// Keeps the accounts of a cycle that is complete.
    fn end_cycle(&mut self) {
        let Some(cycle) = self.accounts.cycle.take() else { return };
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
        self.listener.tell(|| Event::Ended {
            number,
            kind: kind(cycle.extent),
            reason: cycle.reason,
            slices: cycle.slices,
            work: cycle.work,
            used_before: cycle.used_before,
            used_after,
            committed,
            freed_objects: freed_objects - cycle.freed_objects_before,
        });
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
    fn forget_abandoned(&mut self) {
        if self.store.in_cycle().is_none()
            && let Some(cycle) = self.accounts.cycle.take()
        {
            self.listener.tell(|| Event::Abandoned { kind: kind(cycle.extent) });
        }
    }

    /// Sets when the next slice or collection is due, by what is in the heap now.
    pub(crate) fn reschedule(&mut self) {
        let taken = self.store.taken_bytes();
        if self.schedule.collector == Collector::None {
            self.pressure.due = u64::MAX;
            return;
        }
        let now = self.fullness();
        let stage = if self.store.is_marking() { Stage::Marking } else { Stage::Sweeping };
        let step = match &self.accounts.cycle {
            None if self.accounts.releasing.is_some() => 2 * crate::raw::PAGE_BYTES,
            None => self.schedule.bytes_to_next(now, self.young_bytes()),
            Some(cycle) => {
                let (step, hurry) = match self.schedule.pace(cycle, stage, now, self.accounts.last_slice) {
                    Pace::Calm(step) => (step, Some(1)),
                    Pace::Hurried(step, times) => (step, Some(times)),
                    Pace::AtOnce => (0, None),
                };
                if hurry != Some(1) && hurry != self.accounts.hurry {
                    let (kind, bound) = (kind(cycle.extent), self.schedule.bound());
                    self.listener.tell(|| Event::Hurried { kind, times: hurry, used: now.used, bound });
                }
                self.accounts.hurry = hurry;
                step
            }
        };
        // One that was asked for goes on at each safepoint, also where the program allocates nothing.
        let asked =
            self.schedule.major_wanted || self.accounts.cycle.is_some_and(|cycle| cycle.reason == Reason::Asked);
        let at_once = self.zeal.forces_collections() || self.pressure.failed || asked;
        self.pressure.due = if at_once { 0 } else { taken.saturating_add(step as u64) };
    }

    /// Takes a change of the limit into account.
    pub(crate) fn limit_changed(&mut self) {
        self.schedule.plan(self.fullness());
        self.reschedule();
    }

    /// Bytes of the cells and blocks that were allocated since the last sweep began.
    fn young_bytes(&self) -> u64 {
        self.store.allocated_bytes() - self.accounts.young_since
    }

    fn fullness(&self) -> Fullness {
        let external = self.external_bytes().get();
        Fullness {
            used: self.store.used_bytes().saturating_add(external),
            in_use: self.store.in_use_bytes().saturating_add(external),
            limit: self.store.limit,
        }
    }

    fn note_peak(&mut self) {
        let peak = &mut self.accounts.peak_committed_bytes;
        *peak = (*peak).max(self.store.committed_bytes());
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
fn trace_roots<R: Trace + ?Sized>(table: &RootTable, temporaries: &Temporaries, roots: &R, tracer: &mut Tracer<'_>) {
    tracer.roots(table);
    temporaries.trace(tracer);
    roots.trace(tracer);
}

fn kind(extent: Extent) -> Kind {
    match extent {
        Extent::Young => Kind::Minor,
        Extent::Full => Kind::Full,
    }
}
