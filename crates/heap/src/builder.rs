//! The options of a heap.

use crate::budget::Budget;
use crate::collect::{Accounts, Collector};
use crate::error::HeapError;
use crate::external::{HeapId, OpenAccount};
use crate::heap::Heap;
use crate::options::Options;
use crate::raw::{RootTable, Store};
use crate::schedule::Schedule;
use crate::stats::Clock;
use crate::zeal::Zeal;
use std::time::Instant;

/// Options for a new heap; made by [`Heap::builder`].
///
/// | option | default | in `TUMULUS_OPTIONS` |
/// |---|---|---|
/// | [`limit`](HeapBuilder::limit) | none | `limit=64m` |
/// | [`growth`](HeapBuilder::growth) | 2.0 | `growth=1.5` |
/// | [`min_heap`](HeapBuilder::min_heap) | 16 MiB | `min-heap=1m` |
/// | [`nursery`](HeapBuilder::nursery) | 1 MiB | `nursery=256k` |
/// | [`pause_budget`](HeapBuilder::pause_budget) | 12,000 units of work | `pause-budget=2000`, `=100us` or `=unlimited` |
/// | [`page_retention`](HeapBuilder::page_retention) | what was in use lately | `page-retention=0` |
/// | [`collector`](HeapBuilder::collector) | [`Collector::MarkSweep`] | |
/// | [`zeal`](HeapBuilder::zeal) | what `TUMULUS_ZEAL` says | |
/// | [`clock`](HeapBuilder::clock) | [`Instant::now`] | |
///
/// The environment variable `TUMULUS_OPTIONS` holds a list of words, separated by commas. It sets options that the program
/// leaves open, to try other ones out without compiling it again.
///
/// Who wants to measure what the parts of the collector are worth: a nursery of 0 switches generations off, an unlimited
/// pause budget increments, and both together leave a plain mark-sweep collector that stops the world.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Budget, Collector, Heap};
///
/// let heap = Heap::builder().limit(256 << 20).growth(1.5).min_heap(1 << 20).build();
/// let never_frees = Heap::builder().collector(Collector::None).build();
/// let plain = Heap::builder().nursery(0).pause_budget(Budget::unlimited()).build();
/// # drop((heap, never_frees, plain));
/// ```
#[derive(Clone, Debug, Default)]
pub struct HeapBuilder {
    options: Options,
    collector: Collector,
    zeal: Option<Zeal>,
    clock: Option<fn() -> Instant>,
}

impl HeapBuilder {
    /// The most bytes that the heap may commit, in pages and in the blocks of large objects, and that its objects may keep
    /// alive outside of it.
    ///
    /// Beyond it `try_alloc` gives an error and `alloc` panics. Near it, collections come more often.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::builder().limit(1 << 20).build();
    /// assert!(heap.try_alloc_slice(&[0_u8; 2 << 20]).is_err());
    /// ```
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> HeapBuilder {
        self.options.limit = Some(bytes);
        self
    }

    /// How many times what survived a full collection the heap may grow to before the next one is complete: more than 1.
    ///
    /// Twice the memory for half the work is the usual choice. A collection in slices begins earlier, so that it ends by
    /// then.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// assert!(Heap::builder().growth(1.0).try_build().is_err());
    /// ```
    #[must_use]
    pub fn growth(mut self, factor: f64) -> HeapBuilder {
        self.options.growth = Some(factor);
        self
    }

    /// A heap with fewer bytes of objects than this is never due for a full collection to be complete. One in slices begins
    /// when three quarters of it are used.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::builder().min_heap(64 << 20).nursery(0).build();
    /// for _ in 0..50_000 {
    ///     heap.alloc([0_u8; 1000]);
    ///     heap.safepoint(&());
    /// }
    /// # if std::env::var_os("TUMULUS_ZEAL").is_none() {
    /// assert_eq!(heap.statistics().collections, 0);
    /// # }
    /// ```
    #[must_use]
    pub fn min_heap(mut self, bytes: usize) -> HeapBuilder {
        self.options.min_heap = Some(bytes);
        self
    }

    /// How many bytes are allocated between two [minor](Heap::collect_minor) collections. 0 makes every collection a full
    /// one.
    ///
    /// What is allocated and dies between two of them stays in the processor's cache, if that is larger.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::builder().nursery(256 << 10).build();
    /// for _ in 0..10_000 {
    ///     heap.alloc([0_u8; 1000]);
    ///     heap.safepoint(&());
    /// }
    /// # if std::env::var_os("TUMULUS_ZEAL").is_none() {
    /// assert!(heap.statistics().peak_committed_bytes < 1 << 20);
    /// # }
    /// ```
    #[must_use]
    pub fn nursery(mut self, bytes: usize) -> HeapBuilder {
        self.options.nursery = Some(bytes);
        self
    }

    /// How much the collector does at a safepoint, before it lets the program go on.
    ///
    /// See [`Heap::safepoint`] for what a pause is made of. Smaller slices come more often, and a collection takes a little
    /// longer in all.
    ///
    /// ```
    /// # use tumulus_heap::{Budget, Heap};
    /// let mut heap = Heap::builder().pause_budget(Budget::work(100)).build();
    /// let list: Vec<_> = (0..10_000).map(|n| heap.alloc(Some(n))).collect();
    /// heap.start_major();
    /// let mut slices = 0;
    /// while heap.statistics().collections == 0 {
    ///     heap.safepoint(&list);
    ///     slices += 1;
    /// }
    /// # if std::env::var_os("TUMULUS_ZEAL").is_none() {
    /// assert!(slices > 1);
    /// # }
    /// ```
    #[must_use]
    pub fn pause_budget(mut self, budget: Budget) -> HeapBuilder {
        self.options.pause_budget = Some(budget);
        self
    }

    /// How many bytes of empty pages a full collection leaves for reuse; the memory of the others is given back. By default
    /// that of pages which have been empty through three full collections.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::builder().page_retention(0).build();
    /// heap.alloc([1; 100]);
    /// heap.collect(&());
    /// assert_eq!(heap.statistics().committed_bytes, 0);
    /// ```
    #[must_use]
    pub fn page_retention(mut self, bytes: usize) -> HeapBuilder {
        self.options.page_retention = Some(bytes);
        self
    }

    /// Which collector the heap has.
    ///
    /// ```
    /// # use tumulus_heap::{Collector, Heap};
    /// let mut heap = Heap::builder().collector(Collector::None).build();
    /// let gc = heap.alloc(1);
    /// heap.collect(&());
    /// assert!(heap.contains(gc));
    /// ```
    #[must_use]
    pub fn collector(mut self, collector: Collector) -> HeapBuilder {
        self.collector = collector;
        self
    }

    /// Modes that look for mistakes. Overrides the environment variable `TUMULUS_ZEAL`.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Zeal};
    /// let heap = Heap::builder().zeal(Zeal { poison: true, ..Zeal::none() }).build();
    /// # drop(heap);
    /// ```
    #[must_use]
    pub fn zeal(mut self, zeal: Zeal) -> HeapBuilder {
        self.zeal = Some(zeal);
        self
    }

    /// What tells the time to budgets and statistics: for a program whose time is simulated, and to test what becomes of a
    /// clock that jumps.
    ///
    /// It need not be even or monotonic. A slice whose time is up, or whose clock has been set back, ends after the work that
    /// it is about to do, and what is measured is at least zero.
    ///
    /// ```
    /// # use tumulus_heap::{Budget, Heap, Kind};
    /// use std::cell::Cell;
    /// use std::time::{Duration, Instant};
    ///
    /// thread_local! {
    ///     static START: Instant = Instant::now();
    ///     static TICKS: Cell<u32> = const { Cell::new(0) };
    /// }
    /// // A microsecond passes each time that it is asked for.
    /// fn simulated() -> Instant {
    ///     TICKS.set(TICKS.get() + 1);
    ///     START.with(|start| *start) + Duration::from_micros(TICKS.get().into())
    /// }
    ///
    /// let mut heap = Heap::builder().clock(simulated).build();
    /// heap.collect(&());
    /// assert_eq!(heap.collection_statistics().pauses(Kind::Full).longest().as_micros(), 1);
    /// ```
    #[must_use]
    pub fn clock(mut self, now: fn() -> Instant) -> HeapBuilder {
        self.clock = Some(now);
        self
    }

    /// Makes the heap.
    ///
    /// # Panics
    ///
    /// Where [`try_build`](HeapBuilder::try_build) gives an error.
    ///
    /// ```
    /// let heap = tumulus_heap::Heap::builder().build();
    /// # drop(heap);
    /// ```
    #[track_caller]
    pub fn build(self) -> Heap {
        self.try_build().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Makes the heap, or says what stands in its way.
    ///
    /// # Errors
    ///
    /// See [`HeapError`].
    ///
    /// ```
    /// use tumulus_heap::{Heap, HeapError};
    ///
    /// let error = Heap::builder().growth(f64::NAN).try_build().unwrap_err();
    /// assert!(matches!(error, HeapError::Option { option: "growth", .. }));
    /// ```
    pub fn try_build(self) -> Result<Heap, HeapError> {
        let options = self.options.or(Options::from_environment()?);
        let mut schedule = Schedule::new(self.collector);
        schedule.growth = options.growth.unwrap_or(schedule.growth);
        schedule.min_bytes = options.min_heap.unwrap_or(schedule.min_bytes);
        schedule.nursery_bytes = options.nursery.unwrap_or(schedule.nursery_bytes);
        schedule.pause = options.pause_budget.unwrap_or(schedule.pause);
        schedule.page_retention = options.page_retention;
        if !(schedule.growth > 1.0 && schedule.growth.is_finite()) {
            return Err(HeapError::Option {
                option: "growth",
                value: schedule.growth.to_string(),
                reason: "it must be a finite number above 1",
            });
        }
        let zeal = match self.zeal {
            Some(zeal) => zeal,
            None => Zeal::from_environment()?,
        };
        let external = OpenAccount::new()?;
        let mut heap = Heap {
            store: Store::new(options.limit.unwrap_or(usize::MAX), external.0, zeal)?,
            pressure: crate::limit::Pressure::default(),
            temporaries: crate::scope::Temporaries::default(),
            kept: crate::weak::Kept::default(),
            roots: RootTable::new().ok_or(HeapError::Memory)?,
            schedule,
            accounts: Accounts::new(zeal, Clock::new(self.clock.unwrap_or(Instant::now))),
            listener: crate::events::Listener::default(),
            ids: crate::snapshot::Ids::default(),
            observers: crate::observe::Observers::default(),
            zeal,
            id: HeapId::next(),
            external,
        };
        heap.external.serve(heap.id);
        heap.limit_changed();
        Ok(heap)
    }
}
