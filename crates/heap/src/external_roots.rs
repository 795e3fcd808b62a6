//! External roots: memory outside of the heap that somebody outside holds, whatever becomes of the objects that have it.
//!
//! The heap does not know of these; a crate that does says who to ask, and then snapshots and statistics show them.

use crate::external::HeapId;
use crate::heap::Heap;
use std::panic::Location;
use std::sync::OnceLock;

/// Memory outside of the heap that somebody outside holds; made by who is [asked](ask_for_external_roots).
///
/// ```
/// let heap = tumulus_heap::Heap::new();
/// assert!(heap.external_roots().is_empty());
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ExternalRoot {
    /// What it is, in a snapshot.
    pub name: &'static str,
    /// Which it is: as in [`Native`](crate::Native), of which it is the same node if this is the same.
    pub identity: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// Since where it is held.
    pub place: &'static Location<'static>,
}

type Source = fn(HeapId) -> Vec<ExternalRoot>;

static SOURCE: OnceLock<Source> = OnceLock::new();

/// Says who knows the external roots of heaps, for the whole process: the memory that objects of this heap have, and somebody
/// outside holds.
///
/// There is one such source; who comes second is not asked. `tumulus-arraybuffer` comes when the first store is made.
///
/// ```
/// // In a process without the other crate:
/// tumulus_heap::ask_for_external_roots(|_heap| Vec::new());
/// ```
pub fn ask_for_external_roots(source: fn(HeapId) -> Vec<ExternalRoot>) {
    // The first stays.
    let _ = SOURCE.set(source);
}

impl Heap {
    /// The memory that objects of this heap have, and somebody outside holds. It is there as long as it is held, whatever the
    /// collector does.
    ///
    /// What several heaps share is listed by the one on whose [count](Heap::external_bytes) it is.
    ///
    /// Takes the time that the source takes, for `tumulus-arraybuffer` proportional to the stores of the process while any
    /// is held.
    ///
    /// ```
    /// let heap = tumulus_heap::Heap::new();
    /// let bytes: u64 = heap.external_roots().iter().map(|root| root.bytes).sum();
    /// assert_eq!(bytes, 0);
    /// ```
    pub fn external_roots(&self) -> Vec<ExternalRoot> {
        SOURCE.get().map_or_else(Vec::new, |source| source(self.id()))
    }
}
