//! What a heap can be asked about itself at any time.
//!
//! Sizes and counts as a whole are in this file, under the names of V8 in `v8.rs`, and by type and by space in `spaces.rs`.
//! What collections cost is counted in `collections.rs`, with the times of pauses in `pauses.rs` and the clock that measures
//! them in `clock.rs`.
//!
//! All of it is counted where pages, blocks and collections come and go. Allocation pays nothing, and to read it takes time
//! proportional to the number of types. No decision of the collector depends on a time that is measured here.

mod clock;
mod collections;
mod pauses;
mod spaces;
mod v8;

pub use clock::Timing;
pub(crate) use clock::{Clock, Lap};
pub(crate) use collections::Ledger;
pub use collections::{CollectionStatistics, CollectionTotals};
pub use pauses::Pauses;
pub use spaces::{SpaceStatistics, TypeStatistics};
pub use v8::V8Statistics;

use crate::heap::Heap;

/// Sizes and counts of a heap, made by [`Heap::statistics`].
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
///
/// let mut heap = Heap::new();
/// for n in 0..100_u64 {
///     heap.alloc([n, n, n]);
/// }
/// assert_eq!(heap.statistics().used_bytes, 100 * 32);
/// heap.collect(&());
/// let after = heap.statistics();
/// assert_eq!((after.used_bytes, after.freed_objects, after.collections), (0, 100, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Bytes of the cells and blocks that hold an object, headers and padding included. Objects that died since the last
    /// collection, or were not freed yet, count as alive.
    pub used_bytes: usize,
    /// Bytes of all pages and blocks that the heap has taken and not given back. The limit
    /// bounds these and the `external_bytes` together.
    pub committed_bytes: usize,
    /// The most that was committed at the start of a collection, or now.
    pub peak_committed_bytes: usize,
    /// The most that objects took at the start of a collection, or now.
    pub peak_used_bytes: usize,
    /// The limit; `usize::MAX` when there is none.
    pub limit: usize,
    /// Bytes of the blocks of objects that are too large for a cell. Part of the above.
    pub block_bytes: usize,
    /// Bytes that the collector's lists keep between collections. Not part of the above.
    pub scratch_bytes: usize,
    /// The most that was when a collection ended, or now.
    pub peak_scratch_bytes: usize,
    /// Bytes outside of the heap that its objects keep alive, as [`adjust_external_bytes`](Heap::adjust_external_bytes) was
    /// told. Not part of the above.
    pub external_bytes: usize,
    /// How many pieces of these are held from outside: see [`external_roots`](Heap::external_roots).
    pub external_roots: usize,
    /// Bytes of cells and blocks that were allocated since the heap was made.
    pub allocated_bytes: u64,
    /// Bytes of cells and blocks that collections have freed, one that is under way included.
    pub freed_bytes: u64,
    /// Objects that were alive after the last collection.
    pub live_objects: u64,
    /// Objects, and cards of long slices, that were written to since a collection has looked at them, and that the next
    /// slice or collection looks at.
    pub remembered_objects: usize,
    /// Objects that collections have freed, one that is under way included.
    pub freed_objects: u64,
    /// Collections that were completed, minor ones included.
    pub collections: u64,
    /// Minor collections that were completed.
    pub minor_collections: u64,
    /// [`Root`](crate::Root)s that exist.
    pub roots: usize,
    /// Handles that open scopes hold.
    pub temporaries: usize,
}

impl Heap {
    /// Sizes and counts. Takes time proportional to the number of types in the heap, and as long as
    /// [`external_roots`](Heap::external_roots).
    ///
    /// ```
    /// let heap = tumulus_heap::Heap::new();
    /// assert_eq!(heap.statistics().committed_bytes, 0);
    /// ```
    pub fn statistics(&self) -> Statistics {
        let accounts = &self.accounts;
        let committed_bytes = self.store.committed_bytes();
        let used_bytes = self.store.used_bytes();
        let scratch_bytes = self.store.scratch_bytes();
        Statistics {
            used_bytes,
            committed_bytes,
            peak_committed_bytes: accounts.peak_committed_bytes.max(committed_bytes),
            peak_used_bytes: accounts.peak_used_bytes.max(used_bytes),
            limit: self.store.limit,
            block_bytes: self.store.block_bytes(),
            scratch_bytes,
            peak_scratch_bytes: accounts.peak_scratch_bytes.max(scratch_bytes),
            external_bytes: self.external_bytes().get(),
            external_roots: self.external_roots().len(),
            allocated_bytes: self.store.allocated_bytes(),
            freed_bytes: self.store.freed().bytes,
            live_objects: accounts.live_objects,
            remembered_objects: self.store.remembered_objects(),
            freed_objects: self.store.freed().objects,
            collections: accounts.collections,
            minor_collections: accounts.minor_collections,
            roots: self.roots.len(),
            temporaries: self.temporaries.handles().len(),
        }
    }
}
