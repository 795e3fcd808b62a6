//! The options of a heap.

use crate::collect::{Collector, Schedule};
use crate::error::HeapError;
use crate::heap::Heap;
use crate::raw::Store;
use crate::zeal::Zeal;
use std::num::NonZeroU32;

/// Options for a new heap; made by [`Heap::builder`].
///
/// | option | default |
/// |---|---|
/// | [`limit`](HeapBuilder::limit) | none |
/// | [`growth`](HeapBuilder::growth) | 2.0 |
/// | [`min_heap`](HeapBuilder::min_heap) | 16 MiB |
/// | [`nursery`](HeapBuilder::nursery) | 1 MiB |
/// | [`page_retention`](HeapBuilder::page_retention) | what is allocated until the next collection |
/// | [`collector`](HeapBuilder::collector) | [`Collector::MarkSweep`] |
/// | [`zeal`](HeapBuilder::zeal) | what `TUMULUS_ZEAL` says |
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Collector, Heap};
///
/// let heap = Heap::builder().limit(256 << 20).growth(1.5).min_heap(1 << 20).build();
/// let never_frees = Heap::builder().collector(Collector::None).build();
/// # drop((heap, never_frees));
/// ```
#[derive(Clone, Debug)]
pub struct HeapBuilder {
    limit: usize,
    growth: f64,
    min_heap: usize,
    nursery: usize,
    page_retention: Option<usize>,
    collector: Collector,
    zeal: Option<Zeal>,
}

impl Default for HeapBuilder {
    fn default() -> HeapBuilder {
        HeapBuilder {
            limit: usize::MAX,
            growth: 2.0,
            min_heap: 16 << 20,
            nursery: 1 << 20,
            page_retention: None,
            collector: Collector::default(),
            zeal: None,
        }
    }
}

impl HeapBuilder {
    /// The most bytes that the heap may commit, in pages and in the blocks of large objects.
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
        self.limit = bytes;
        self
    }

    /// How many times what survived a collection the heap may grow to before the next one is due: more than 1.
    ///
    /// Twice the memory for half the work is the usual choice.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// assert!(Heap::builder().growth(1.0).try_build().is_err());
    /// ```
    #[must_use]
    pub fn growth(mut self, factor: f64) -> HeapBuilder {
        self.growth = factor;
        self
    }

    /// A heap with fewer bytes of objects than this has no full collection unless it is asked for.
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
        self.min_heap = bytes;
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
        self.nursery = bytes;
        self
    }

    /// How many bytes of empty pages a collection leaves for reuse; the memory of the others is given back.
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
        self.page_retention = Some(bytes);
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
        if !(self.growth > 1.0 && self.growth.is_finite()) {
            return Err(HeapError::Option {
                option: "growth",
                value: self.growth.to_string(),
                reason: "it must be a finite number above 1",
            });
        }
        let zeal = match self.zeal {
            Some(zeal) => zeal,
            None => Zeal::from_environment()?,
        };
        let mut schedule = Schedule::new(self.collector, self.growth, self.min_heap, self.nursery);
        schedule.page_retention = self.page_retention;
        schedule.until_forced = zeal.collect_every.map_or(0, NonZeroU32::get);
        let mut heap = Heap {
            store: Store::new(self.limit, zeal)?,
            pressure: crate::limit::Pressure::default(),
            temporaries: crate::scope::Temporaries::default(),
            roots: std::rc::Rc::default(),
            schedule,
            zeal,
        };
        heap.limit_changed();
        Ok(heap)
    }
}
