//! Collections: when they happen, and what they do in which order.

use crate::heap::Heap;
use crate::raw::{Extent, PAGE_BYTES};
use crate::trace::{Trace, Tracer};
use std::panic::resume_unwind;

/// Which collector a heap has.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Collector {
    /// Marks what is reachable and frees the rest.
    #[default]
    MarkSweep,
    /// Frees nothing before the heap is dropped: for programs that end soon, and for measuring what collection costs.
    None,
}

/// When the next collection is due, and what is kept for reuse after it.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) collector: Collector,
    /// The heap may grow to this many times what survived a full collection before there is another one.
    pub(crate) growth: f64,
    /// A heap smaller than this has no full collection unless it is asked for.
    pub(crate) min_bytes: usize,
    /// Bytes that are allocated between two minor collections; 0 when all collections are full ones.
    pub(crate) nursery_bytes: usize,
    /// Bytes of empty pages to keep; `None` for what is allocated until the next full collection.
    pub(crate) page_retention: Option<usize>,
    /// With zeal: how many safepoints are left until a collection is forced, and how many were forced.
    pub(crate) until_forced: u32,
    pub(crate) forced: u32,
    /// The next collection is a full one if the heap has grown to this.
    full_at: usize,
    /// Or if its pages, which minor collections cannot empty of old garbage, have come to half of what the limit leaves.
    full_at_in_use: usize,
    pub(crate) totals: Totals,
}

/// What has been counted since the heap was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) collections: u64,
    pub(crate) minor_collections: u64,
    pub(crate) freed_objects: u64,
    /// As the last collection left them.
    pub(crate) live_objects: u64,
    pub(crate) live_bytes: usize,
    /// `published` of the store when the last collection ended.
    published: u64,
    /// `taken_bytes` of the store when the last collection ended.
    pub(crate) taken_bytes: u64,
    pub(crate) peak_committed_bytes: usize,
}

impl Schedule {
    pub(crate) fn new(collector: Collector, growth: f64, min_bytes: usize, nursery_bytes: usize) -> Schedule {
        Schedule {
            collector,
            growth,
            min_bytes,
            nursery_bytes,
            page_retention: None,
            until_forced: 0,
            forced: 0,
            full_at: min_bytes,
            full_at_in_use: usize::MAX,
            totals: Totals::default(),
        }
    }

    /// Bytes that the heap may grow by before the next full collection, when `live` bytes survived the last.
    fn budget(&self, live: usize, limit: usize) -> usize {
        // A cast from a float saturates, and the product is not negative.
        #[allow(clippy::cast_sign_loss)]
        let grown = (live as f64 * (self.growth - 1.0)).min(usize::MAX as f64 / 2.0) as usize;
        let to_minimum = self.min_bytes.saturating_sub(live);
        // Near the limit a collection comes when half of what is left has been used, so that it comes before the limit
        // does; but not for every few pages.
        let to_limit = (limit.saturating_sub(live) / 2).max(2 * PAGE_BYTES);
        grown.max(to_minimum).min(to_limit)
    }
}

impl Heap {
    /// A place where the heap may collect, and does when a collection is due.
    ///
    /// Call it where all handles that are still needed can be reached from `roots`, from a [`Root`](crate::Root) or from
    /// an open [`scope`](Heap::scope): an interpreter does so at calls and at the back edges of loops. When nothing is
    /// due it costs a load and a comparison.
    ///
    /// A [minor](Heap::collect_minor) collection is due when as much has been allocated as the builder's
    /// [`nursery`](crate::HeapBuilder::nursery) says. It is a full one instead when the heap has grown by the builder's
    /// [`growth`](crate::HeapBuilder::growth) since the last full one, is near its limit, or an allocation has failed.
    ///
    /// # Panics
    ///
    /// If a `Trace` or a `Drop` panics. In `Trace`: the collection is abandoned and nothing is freed. In `Drop`: the
    /// collection is completed, all other values are dropped, and the first panic is passed on. The heap is in order
    /// after either.
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
        let full_is_due = self.pressure.failed
            || self.used_bytes() >= self.schedule.full_at
            || self.store.in_use_bytes() >= self.schedule.full_at_in_use;
        let extent = match self.zeal.collect_every {
            None if full_is_due || self.schedule.nursery_bytes == 0 => Extent::Full,
            None => Extent::Young,
            Some(every) => {
                self.schedule.until_forced -= 1;
                if self.schedule.until_forced > 0 {
                    if full_is_due {
                        self.run_cycle(Extent::Full, roots);
                    }
                    return;
                }
                self.schedule.until_forced = every.get();
                self.schedule.forced = self.schedule.forced.wrapping_add(1);
                if self.zeal.minor && !self.schedule.forced.is_multiple_of(8) { Extent::Young } else { Extent::Full }
            }
        };
        self.run_cycle(extent, roots);
    }

    /// Collects the whole heap: everything that cannot be reached from `roots`, a [`Root`](crate::Root) or an open scope
    /// is dead, and dropped, when this returns.
    ///
    /// It takes time proportional to what is alive, plus a little for each page of the heap. After the first few
    /// collections of a heap in a steady state it asks the system for no memory.
    ///
    /// # Panics
    ///
    /// As [`safepoint`](Heap::safepoint).
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
        self.run_cycle(Extent::Full, roots);
    }

    /// Collects what is young: everything that was allocated since the last collection and cannot be reached is dead, and
    /// dropped, when this returns. What survives is old, and dies in full collections only.
    ///
    /// It takes time proportional to the roots, to what was allocated since the last collection and survives, and to the
    /// old objects that were written to since; the size of the heap does not matter.
    ///
    /// After a collection that was abandoned, because a `Trace` panicked, it collects the whole heap.
    ///
    /// # Panics
    ///
    /// As [`safepoint`](Heap::safepoint).
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
        self.run_cycle(Extent::Young, roots);
    }

    fn run_cycle<R: Trace + ?Sized>(&mut self, wanted: Extent, roots: &R) {
        if self.schedule.collector == Collector::None {
            self.reschedule();
            return;
        }
        self.assert_consistent("before");
        self.note_peak();
        let extent = if self.store.needs_full_cycle() { Extent::Full } else { wanted };
        let used_bytes = self.used_bytes();
        let Heap { store, temporaries, roots: table, .. } = self;
        let trace_roots = |tracer: &mut Tracer<'_>| {
            tracer.roots(table);
            temporaries.trace(tracer);
            roots.trace(tracer);
        };
        store.mark(extent, trace_roots);
        if self.zeal.recheck
            && let Err(flaw) = store.check_marks(extent, trace_roots)
        {
            panic!("zeal: {flaw}");
        }
        let swept = store.sweep(extent);

        let totals = &mut self.schedule.totals;
        totals.collections += 1;
        totals.minor_collections += u64::from(extent == Extent::Young);
        totals.freed_objects += swept.freed_objects as u64;
        totals.live_objects += store.published() - totals.published;
        totals.live_objects -= swept.freed_objects as u64;
        totals.published = store.published();
        totals.live_bytes = used_bytes - swept.freed_bytes;
        totals.taken_bytes = store.taken_bytes();
        self.pressure.failed = false;
        if extent == Extent::Full {
            self.after_full_cycle();
        }
        self.reschedule();
        self.assert_consistent("after");
        if let Some(panic) = swept.panic {
            resume_unwind(panic);
        }
    }

    /// Decides when the next full collection is due, and gives memory back that is not needed until then.
    fn after_full_cycle(&mut self) {
        let live = self.schedule.totals.live_bytes;
        let budget = self.schedule.budget(live, self.store.limit);
        self.schedule.full_at = live.saturating_add(budget);
        self.schedule.full_at_in_use = self.half_way_to_limit();
        // Somewhat more than the budget, as a heap in a steady state leaves some cells of its pages unused each time.
        self.store.release_empty(self.schedule.page_retention.unwrap_or(budget + budget / 4));
    }

    /// Sets when the next collection is due, by what is in the heap now.
    pub(crate) fn reschedule(&mut self) {
        let Schedule { collector, totals, nursery_bytes, full_at, full_at_in_use, .. } = &self.schedule;
        self.pressure.due = match collector {
            Collector::None => u64::MAX,
            Collector::MarkSweep if self.zeal.collect_every.is_some() => 0,
            Collector::MarkSweep => {
                let to_full = full_at.saturating_sub(totals.live_bytes);
                let to_limit = full_at_in_use.saturating_sub(self.store.in_use_bytes());
                let to_minor = if *nursery_bytes == 0 { usize::MAX } else { *nursery_bytes };
                let bytes = to_full.min(to_limit).min(to_minor);
                totals.taken_bytes.saturating_add(bytes.max(2 * PAGE_BYTES) as u64)
            }
        };
    }

    /// Takes a change of the limit into account.
    pub(crate) fn limit_changed(&mut self) {
        let live = self.schedule.totals.live_bytes;
        self.schedule.full_at = live.saturating_add(self.schedule.budget(live, self.store.limit));
        self.schedule.full_at_in_use = self.half_way_to_limit();
        self.reschedule();
    }

    /// What is in use when half of what the limit leaves now has been taken; for ever out of reach without a limit.
    fn half_way_to_limit(&self) -> usize {
        let (in_use, limit) = (self.store.in_use_bytes(), self.store.limit);
        if limit == usize::MAX { limit } else { in_use + limit.saturating_sub(in_use) / 2 }
    }

    fn note_peak(&mut self) {
        let peak = &mut self.schedule.totals.peak_committed_bytes;
        *peak = (*peak).max(self.store.committed_bytes());
    }

    fn assert_consistent(&self, when: &str) {
        if self.zeal.verify
            && let Err(error) = self.verify()
        {
            panic!("zeal: {when} collection {}: {error}", self.schedule.totals.collections + 1);
        }
    }
}
