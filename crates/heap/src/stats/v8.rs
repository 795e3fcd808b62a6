//! The same figures under the names that V8 has for them.

use super::Statistics;
use std::fmt;

/// Bytes of a slot of the table of roots.
const HANDLE_BYTES: usize = 16;

/// What `v8.getHeapStatistics()` of node tells, as far as it means something here; from [`Statistics::as_v8`].
///
/// Left out is what has no counterpart: executable memory, native contexts, and the zap flag.
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
///
/// let mut heap = Heap::new();
/// heap.alloc_str("mound");
/// let figures = heap.statistics().as_v8();
/// assert_eq!((figures.used_heap_size, figures.total_heap_size), (16, 16384));
/// assert!(figures.to_string().starts_with("total_heap_size=16384 used_heap_size=16 "));
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct V8Statistics {
    /// Bytes that the heap has committed.
    pub total_heap_size: usize,
    /// Bytes of objects.
    pub used_heap_size: usize,
    /// The limit; `usize::MAX` when there is none.
    pub heap_size_limit: usize,
    /// What is left to the limit.
    pub total_available_size: usize,
    /// Bytes outside of the heap that its objects keep alive.
    pub external_memory: usize,
    /// Bytes that the collector's own lists hold.
    pub malloced_memory: usize,
    /// The most that these have held.
    pub peak_malloced_memory: usize,
    /// Bytes of the slots of all [`Root`](crate::Root)s.
    pub used_global_handles_size: usize,
    /// Handles: roots, and what open scopes hold.
    pub number_of_handles: usize,
}

impl Statistics {
    /// The same figures under the names that V8 has for them.
    ///
    /// ```
    /// let heap = tumulus_heap::Heap::builder().limit(1 << 20).build();
    /// assert_eq!(heap.statistics().as_v8().total_available_size, 1 << 20);
    /// ```
    pub fn as_v8(&self) -> V8Statistics {
        V8Statistics {
            total_heap_size: self.committed_bytes,
            used_heap_size: self.used_bytes,
            heap_size_limit: self.limit,
            total_available_size: self.limit.saturating_sub(self.committed_bytes),
            external_memory: self.external_bytes,
            malloced_memory: self.scratch_bytes,
            peak_malloced_memory: self.peak_scratch_bytes,
            used_global_handles_size: self.roots * HANDLE_BYTES,
            number_of_handles: self.roots + self.temporaries,
        }
    }
}

/// All of them, as `name=value`, separated by spaces.
impl fmt::Display for V8Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let V8Statistics {
            total_heap_size,
            used_heap_size,
            heap_size_limit,
            total_available_size,
            external_memory,
            malloced_memory,
            peak_malloced_memory,
            used_global_handles_size,
            number_of_handles,
        } = self;
        write!(
            f,
            "total_heap_size={total_heap_size} used_heap_size={used_heap_size} heap_size_limit={heap_size_limit} \
             total_available_size={total_available_size} external_memory={external_memory} \
             malloced_memory={malloced_memory} peak_malloced_memory={peak_malloced_memory} \
             used_global_handles_size={used_global_handles_size} number_of_handles={number_of_handles}"
        )
    }
}
