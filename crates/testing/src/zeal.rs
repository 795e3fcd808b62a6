//! A test's body under every mode of a heap.

use crate::panics::words_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tumulus_heap::{Budget, Collector, Heap, HeapBuilder, Zeal};

/// Words of zeal, as `TUMULUS_ZEAL` has them.
const ZEAL: [&str; 12] = [
    "none",
    "collect",
    "every=3",
    "collect,minor",
    "poison",
    "verify",
    "no-reuse",
    "recheck",
    "all",
    "all,minor",
    "slice=1,recheck,verify",
    "slice=50,minor,recheck,poison",
];

/// A way to set a heap up.
type Setup = fn(HeapBuilder) -> HeapBuilder;

/// What the builder can be told about when and how to collect; the first is what it does by itself.
const CONFIGURATIONS: [(&str, Setup); 7] = [
    ("generations, in slices", |builder| builder),
    ("generations, in slices of 100 units", |builder| builder.pause_budget(Budget::work(100)).nursery(16 << 10)),
    ("generations, stopping the world", |builder| builder.pause_budget(Budget::unlimited()).nursery(4 << 10)),
    ("full collections, in slices", |builder| builder.nursery(0).min_heap(0).growth(1.1)),
    ("full collections, stopping the world", |builder| {
        builder.nursery(0).min_heap(0).growth(1.1).pause_budget(Budget::unlimited())
    }),
    ("memory given back at once", |builder| builder.page_retention(0).min_heap(0).nursery(4 << 10)),
    ("no collector", |builder| builder.collector(Collector::None)),
];

/// One of the ways in which a heap can be set up: a [`Zeal`], or a configuration of the collector.
///
/// # Examples
///
/// ```
/// use tumulus_testing::zeal::Mode;
///
/// assert!(Mode::all().count() >= 18);
/// for mode in Mode::all() {
///     let mut heap = mode.build();
///     let gc = heap.alloc(7);
///     heap.collect(&());
///     assert_eq!(heap.contains(gc), !mode.frees(), "{}", mode.name());
/// }
/// ```
#[derive(Copy, Clone, Debug)]
pub struct Mode {
    name: &'static str,
    zeal: &'static str,
    setup: Setup,
}

impl Mode {
    /// Every zeal with the usual collector, and every configuration of the collector without zeal.
    ///
    /// ```
    /// # use tumulus_testing::zeal::Mode;
    /// assert!(Mode::all().any(|mode| mode.name() == "every=3"));
    /// ```
    pub fn all() -> impl Iterator<Item = Mode> {
        let zealous = ZEAL.into_iter().map(|zeal| Mode { name: zeal, zeal, setup: CONFIGURATIONS[0].1 });
        let configured = CONFIGURATIONS[1..].iter().map(|&(name, setup)| Mode { name, zeal: "none", setup });
        zealous.chain(configured)
    }

    /// The words of the zeal, or what the configuration is.
    ///
    /// ```
    /// # use tumulus_testing::zeal::Mode;
    /// assert_eq!(Mode::all().next().unwrap().name(), "none");
    /// ```
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether collections free anything.
    ///
    /// ```
    /// # use tumulus_testing::zeal::Mode;
    /// assert_eq!(Mode::all().filter(|mode| !mode.frees()).count(), 1);
    /// ```
    pub fn frees(self) -> bool {
        self.name != "no collector"
    }

    /// A builder that is set up so, for more options.
    ///
    /// ```
    /// # use tumulus_testing::zeal::Mode;
    /// let heap = Mode::all().next().unwrap().builder().limit(1 << 20).build();
    /// assert_eq!(heap.limit(), 1 << 20);
    /// ```
    pub fn builder(self) -> HeapBuilder {
        let zeal: Zeal = self.zeal.parse().expect("words of zeal");
        (self.setup)(Heap::builder()).zeal(zeal)
    }

    /// A heap that is set up so.
    ///
    /// ```
    /// # use tumulus_testing::zeal::Mode;
    /// let heap = Mode::all().next().unwrap().build();
    /// ```
    pub fn build(self) -> Heap {
        self.builder().build()
    }
}

/// Runs a test's body with a new heap of each mode in which dead objects are freed, and verifies the heap after it.
///
/// A forgotten root shows under `collect` at the first safepoint; a handle that the collector did not learn of, under `minor`
/// and `slice`. What the environment says is not looked at, so that a test is the same everywhere.
///
/// # Panics
///
/// If the body panics, or the heap is found wrong after it: with the name of the mode, and what the panic said.
///
/// # Examples
///
/// ```
/// use tumulus_testing::zeal;
///
/// let mut runs = 0;
/// zeal::for_each_mode(|heap| {
///     let mut stack = Vec::new();
///     for n in 0..100 {
///         stack.push(heap.alloc(n));
///         heap.safepoint(&stack);
///     }
///     assert!(stack.iter().enumerate().all(|(n, &gc)| heap[gc] == n));
///     runs += 1;
/// });
/// assert!(runs >= 17);
/// ```
///
/// ```
/// use tumulus_testing::{panic_message, zeal};
///
/// let words = panic_message(|| {
///     zeal::for_each_mode(|heap| {
///         let forgotten = heap.alloc(1);
///         heap.safepoint(&());
///         assert_eq!(heap[forgotten], 1);
///     });
/// });
/// assert!(words.unwrap().starts_with("in mode \"collect\": the i32 behind this handle was collected"));
/// ```
#[track_caller]
pub fn for_each_mode(mut body: impl FnMut(&mut Heap)) {
    for mode in Mode::all().filter(|mode| mode.frees()) {
        let mut heap = mode.build();
        let run = AssertUnwindSafe(|| {
            body(&mut heap);
            heap.verify().map_err(|error| error.to_string())
        });
        match catch_unwind(run) {
            Ok(Ok(())) => {}
            Ok(Err(words)) => panic!("in mode {:?}: the heap is wrong: {words}", mode.name),
            Err(payload) => panic!("in mode {:?}: {}", mode.name, words_of(payload.as_ref())),
        }
    }
}
