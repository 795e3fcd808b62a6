//! Collections: where they may happen, and what a program can ask of them.
//!
//! A collection is a cycle of the store (`raw/cycle.rs`), done in slices. `cycle.rs` runs the slices and keeps the
//! accounts; `timing.rs` sets when the next one is due, by what `schedule/` decides; `due.rs` is what a safepoint compares with.

mod cycle;
mod due;
mod timing;

pub(crate) use cycle::Accounts;
pub(crate) use due::Due;

use crate::budget::{Budget, Progress};
use crate::events::Reason;
use crate::heap::Heap;
use crate::observe::Operation;
use crate::raw::Extent;
use crate::trace::Trace;

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
    /// collection ends before the heap has outgrown that. If the program allocates too fast for it, slices take more than
    /// the budget, and [`on_event`](Heap::on_event) is told; where there are few safepoints, they take up to four times as
    /// much once more. When an allocation has failed, the whole heap is collected at once.
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
        if self.pressure.due.is_reached(self.store.taken_bytes()) {
            self.safepoint_slow(roots);
        }
    }

    #[cold]
    #[inline(never)]
    fn safepoint_slow<R: Trace + ?Sized>(&mut self, roots: &R) {
        let taken = self.store.taken_bytes();
        if self.pressure.due.is_for_collector(taken) {
            self.safepoint_when_due(roots);
        } else {
            self.observed(Operation::QuietSafepoint, roots, |heap| heap.pressure.due.told(taken));
        }
    }

    /// A safepoint at which the collector has something to do.
    pub(crate) fn safepoint_when_due<R: Trace + ?Sized>(&mut self, roots: &R) {
        self.observed(Operation::Safepoint, roots, |heap| heap.safepoint_work(roots));
    }

    /// Does what is due.
    fn safepoint_work<R: Trace + ?Sized>(&mut self, roots: &R) {
        self.forget_abandoned();
        if self.schedule.collector == Collector::None {
            self.reschedule();
        } else if self.pressure.failed {
            self.collect_at_once(Extent::Full, Reason::Failure, roots);
        } else if self.zeal.forces_collections() {
            self.zealous_safepoint(roots);
        } else {
            self.begin_what_is_due();
            let budget = self.next_budget();
            self.run_slice(budget, roots);
        }
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
        self.observed(Operation::Step(budget), roots, |heap| heap.idle_work(roots, budget))
    }

    /// Does up to `budget` of what there is to do.
    fn idle_work<R: Trace + ?Sized>(&mut self, roots: &R, budget: Budget) -> Progress {
        if self.schedule.collector == Collector::None {
            return Progress::Done;
        }
        self.forget_abandoned();
        if self.is_between_cycles()
            && let Some((extent, reason)) = self.due_in_idle_time()
        {
            self.begin(extent, reason);
        }
        self.run_slice(budget, roots);
        let is_done = self.has_nothing_to_do() && self.due_in_idle_time().is_none();
        if is_done { Progress::Done } else { Progress::Pending }
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
        self.observed(Operation::StartMajor, &(), |heap| {
            heap.forget_abandoned();
            if !heap.note_asked() {
                heap.schedule.major_wanted = heap.schedule.collector == Collector::MarkSweep;
            }
            heap.due_at_once();
        });
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
        self.observed(Operation::Collect, roots, |heap| heap.collect_at_once(Extent::Full, Reason::Asked, roots));
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
        self.observed(Operation::CollectMinor, roots, |heap| heap.collect_at_once(Extent::Young, Reason::Asked, roots));
    }
}
