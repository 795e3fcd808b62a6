//! Collections: when they happen, and what they do in which order.

use crate::heap::Heap;
use crate::raw::PAGE_BYTES;
use crate::trace::Trace;
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
    /// The heap may grow to this many times what survived before it is collected again.
    pub(crate) growth: f64,
    /// A heap smaller than this is not collected unless it is asked for.
    pub(crate) min_bytes: usize,
    /// Bytes of empty pages to keep; `None` for what is allocated until the next collection.
    pub(crate) page_retention: Option<usize>,
    /// With zeal: how many safepoints are left until a collection is forced.
    pub(crate) until_forced: u32,
    pub(crate) totals: Totals,
}

/// What has been counted since the heap was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) collections: u64,
    pub(crate) freed_objects: u64,
    /// As the last collection found them.
    pub(crate) live_objects: usize,
    pub(crate) live_bytes: usize,
    /// `taken_bytes` of the store when the last collection ended.
    pub(crate) taken_bytes: u64,
    pub(crate) peak_committed_bytes: usize,
}

impl Schedule {
    /// Bytes that may be allocated before the next collection.
    fn budget(&self, limit: usize) -> usize {
        let live = self.totals.live_bytes;
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
    /// A collection is due when the heap has grown by the builder's [`growth`](crate::HeapBuilder::growth) since the
    /// last one, is near its limit, or an allocation has failed.
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
        if self.store.taken_bytes() >= self.due {
            self.safepoint_slow(roots);
        }
    }

    #[cold]
    #[inline(never)]
    fn safepoint_slow<R: Trace + ?Sized>(&mut self, roots: &R) {
        if let Some(every) = self.zeal.collect_every {
            self.schedule.until_forced -= 1;
            if self.schedule.until_forced > 0 {
                return;
            }
            self.schedule.until_forced = every.get();
        }
        self.collect(roots);
    }

    /// Collects: everything that cannot be reached from `roots`, a [`Root`](crate::Root) or an open scope is dead, and
    /// dropped, when this returns.
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
        if self.schedule.collector == Collector::None {
            self.due = u64::MAX;
            return;
        }
        self.assert_consistent("before");
        self.note_peak();
        let Heap { store, temporaries, roots: table, .. } = self;
        let trace_roots = |tracer: &mut crate::Tracer<'_>| {
            table.trace(tracer);
            temporaries.trace(tracer);
            roots.trace(tracer);
        };
        store.mark(trace_roots);
        if self.zeal.recheck
            && let Err(flaw) = store.check_marks(trace_roots)
        {
            panic!("zeal: {flaw}");
        }
        let swept = store.sweep();

        let totals = &mut self.schedule.totals;
        totals.collections += 1;
        totals.freed_objects += swept.freed_objects as u64;
        totals.live_objects = swept.live_objects;
        totals.live_bytes = swept.live_bytes;
        totals.taken_bytes = store.taken_bytes();
        self.reschedule();
        let budget = self.schedule.budget(self.store.limit);
        // Somewhat more than the budget, as a heap in a steady state leaves some cells of its pages unused each time.
        self.store.release_empty(self.schedule.page_retention.unwrap_or(budget + budget / 4));
        self.assert_consistent("after");
        if let Some(panic) = swept.panic {
            resume_unwind(panic);
        }
    }

    /// Sets when the next collection is due, by what the last one left.
    pub(crate) fn reschedule(&mut self) {
        let Schedule { collector, totals, .. } = &self.schedule;
        self.due = match collector {
            Collector::None => u64::MAX,
            Collector::MarkSweep if self.zeal.collect_every.is_some() => 0,
            Collector::MarkSweep => totals.taken_bytes + self.schedule.budget(self.store.limit) as u64,
        };
    }

    pub(crate) fn note_peak(&mut self) {
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
