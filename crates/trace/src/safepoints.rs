//! Which safepoints a trace has.

/// Which safepoints of a program are recorded.
///
/// A replay on the same heap needs those at which something was due, and no others. To know what another heap would do, it
/// needs the *quiet* ones as well, at which nothing was due: another heap may have something to do there.
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
/// use tumulus_trace::{Recorder, Replay, Safepoints};
///
/// let mut heap = Heap::builder().nursery(0).build();
/// let recorder = Recorder::start_with(&mut heap, Vec::new(), Safepoints::USUAL)?;
/// for n in 0..20_000_u64 {
///     heap.alloc([n; 4]);
///     heap.safepoint(&());
/// }
/// let (file, _) = recorder.finish(&mut heap)?;
/// assert_eq!(heap.statistics().collections, 0);
///
/// let replay = Replay::new(&file[..])?;
/// let options = replay.options().nursery(100 << 10);
/// let replayed = replay.with_options(options).run()?;
/// # if std::env::var_os("TUMULUS_ZEAL").is_none() {
/// assert!(replayed.heap.statistics().minor_collections > 5);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Safepoints {
    /// Those at which something was due.
    #[default]
    Due,
    /// And of the others, one for every so many bytes that are allocated, in the heap or outside of it. Memory is taken in
    /// pages and parts of pages, so that less than a page makes little difference.
    Every(u64),
    /// And all others.
    All,
}

impl Safepoints {
    /// What serves most comparisons: a safepoint for every 16 KiB, which is a page.
    pub const USUAL: Safepoints = Safepoints::Every(16 << 10);

    /// As a witness says it.
    pub(crate) fn quiet_every(self) -> Option<u64> {
        match self {
            Safepoints::Due => None,
            Safepoints::Every(bytes) => Some(bytes),
            Safepoints::All => Some(0),
        }
    }
}
