//! The handle table of persistent roots: a slot map that a heap and its roots share.
//!
//! **Invariant:** a reference into the map lives only inside one function of this file, and none of these calls anything
//! that could reach the table again: no user code, no `Trace`, no `Drop` of a value (a handle has
//! none), only the global allocator, which has no roots. So no two such
//! references exist at once, which is what a `RefCell` would check at each of the two ends of a root's life, at a third of
//! their cost.

use super::handle::AnyGc;
use crate::error::RootError;
use slotmap::{DefaultKey, SlotMap};
use std::cell::UnsafeCell;
use std::fmt;

/// More slots than this a slot map cannot tell apart.
const MOST_ROOTS: usize = u32::MAX as usize - 2;

/// The roots of a heap.
#[derive(Default)]
pub(crate) struct RootTable {
    slots: UnsafeCell<SlotMap<DefaultKey, AnyGc>>,
}

impl RootTable {
    /// Adds a root, if there is room: see [`RootTable::no_room`].
    #[inline]
    pub(crate) fn insert(&self, handle: AnyGc) -> Option<DefaultKey> {
        // SAFETY: the only reference into the map, by the invariant of this file.
        let slots = unsafe { &mut *self.slots.get() };
        if slots.len() == slots.capacity() && !make_room(slots) {
            return None;
        }
        Some(slots.insert(handle))
    }

    /// Why there is no room for another root.
    #[cold]
    pub(crate) fn no_room(&self) -> RootError {
        let roots = self.len();
        if roots >= MOST_ROOTS { RootError::Full { roots } } else { RootError::System { roots } }
    }

    /// Removes a root.
    #[inline]
    pub(crate) fn remove(&self, key: DefaultKey) {
        // SAFETY: the only reference into the map, by the invariant of this file.
        let slots = unsafe { &mut *self.slots.get() };
        slots.remove(key);
    }

    /// All roots. A copy, as whoever looks at them may come to drop some.
    pub(crate) fn handles(&self) -> Vec<AnyGc> {
        // SAFETY: the only reference into the map, by the invariant of this file.
        let slots = unsafe { &*self.slots.get() };
        slots.values().copied().collect()
    }

    /// Hands each root to the collector, which only takes note of it.
    pub(super) fn mark_all(&self, marker: &mut super::mark::Marker<'_>) {
        // SAFETY: the only reference into the map, by the invariant of this file: marking an edge calls nothing.
        let slots = unsafe { &*self.slots.get() };
        slots.values().for_each(|root| marker.edge(root.handle()));
    }

    pub(crate) fn len(&self) -> usize {
        // SAFETY: the only reference into the map, by the invariant of this file.
        unsafe { &*self.slots.get() }.len()
    }
}

#[cold]
fn make_room(slots: &mut SlotMap<DefaultKey, AnyGc>) -> bool {
    slots.len() < MOST_ROOTS && slots.try_reserve(1).is_ok()
}

impl fmt::Debug for RootTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootTable").field("len", &self.len()).finish_non_exhaustive()
    }
}
