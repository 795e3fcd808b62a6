//! The handle table of persistent roots: a slot map that a heap and its roots share.
//!
//! A borrow of the map lasts no longer than one function of this file, and none of these calls anything that could reach the
//! table again: no user code, no `Trace`, no `Drop` of a value (a handle has none), only the global allocator, which has no
//! roots. So the `RefCell` is never found borrowed; that it looks costs a nanosecond for a root that is made and dropped.

use super::handle::{AnyGc, Gc};
use super::shared::Shared;
use crate::error::RootError;
use crate::trace::Tracer;
use slotmap::{DefaultKey, Key, KeyData, SlotMap};
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

/// More slots than this a slot map cannot tell apart. In tests of this crate it is less, for they come that far.
const MOST_ROOTS: usize = if cfg!(test) { 5_000 } else { u32::MAX as usize - 2 };

/// Bytes of which a new slot map takes a few.
const FIRST_SLOTS: usize = 2 << 10;

/// The roots of a heap.
#[derive(Default)]
pub(crate) struct RootTable {
    slots: RefCell<SlotMap<DefaultKey, AnyGc>>,
}

impl RootTable {
    /// A table without roots, or `None` where the system has no memory for it.
    pub(crate) fn new() -> Option<Shared<RootTable>> {
        // A slot map takes its first slot without asking, and the process would abort if the system refused it. So there is
        // asked for a hundred times as much before.
        Vec::<u8>::new().try_reserve_exact(FIRST_SLOTS).ok()?;
        Shared::new(RootTable::default)
    }

    /// Adds a root, if there is room: see [`RootTable::no_room`].
    #[inline]
    fn insert(&self, handle: AnyGc) -> Option<DefaultKey> {
        let mut slots = self.slots.borrow_mut();
        // A slot map panics if it is given more than it can tell apart, and may have the capacity for it.
        if slots.len() >= slots.capacity().min(MOST_ROOTS) && !make_room(&mut slots) {
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

    #[inline]
    fn get(&self, key: DefaultKey) -> AnyGc {
        self.slots.borrow()[key]
    }

    #[inline]
    fn remove(&self, key: DefaultKey) {
        self.slots.borrow_mut().remove(key);
    }

    /// All roots. A copy, as whoever looks at them may come to drop some.
    pub(crate) fn handles(&self) -> Vec<AnyGc> {
        self.slots.borrow().values().copied().collect()
    }

    /// Hands each root to the collector, which only takes note of it.
    pub(crate) fn trace(&self, tracer: &mut Tracer<'_>) {
        self.slots.borrow().values().for_each(|&root| tracer.any_edge(root));
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.borrow().len()
    }
}

/// One root of a table. It is two words, so that it is handed on in registers: a root is often moved right after it was
/// made, and to read back as one what was written in parts costs a processor more than all the rest.
pub(crate) struct RootSlot<T: ?Sized> {
    table: Shared<RootTable>,
    /// **Invariant:** the key, as a number, of a slot of `table` that is this root's alone, and holds a handle to a `T`.
    key: u64,
    object: PhantomData<Gc<T>>,
}

impl<T: ?Sized> RootSlot<T> {
    /// A root for the object of a handle, if the table has room.
    #[inline]
    pub(crate) fn new(table: &Shared<RootTable>, gc: Gc<T>) -> Option<RootSlot<T>> {
        let key = table.insert(gc.erase())?;
        Some(RootSlot { table: table.clone(), key: key.data().as_ffi(), object: PhantomData })
    }

    /// The table that it is in.
    pub(crate) fn table(&self) -> &Shared<RootTable> {
        &self.table
    }

    /// The handle.
    #[inline]
    pub(crate) fn get(&self) -> Gc<T> {
        // The slot was made from a handle to a `T`, and holds it until it is dropped.
        Gc::new(self.table.get(self.slot_key()).handle())
    }

    #[inline]
    fn slot_key(&self) -> DefaultKey {
        KeyData::from_ffi(self.key).into()
    }
}

impl<T: ?Sized> Drop for RootSlot<T> {
    #[inline]
    fn drop(&mut self) {
        self.table.remove(self.slot_key());
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

#[cfg(test)]
mod tests {
    use super::MOST_ROOTS;
    use crate::{Heap, RootError};

    #[test]
    fn a_table_that_is_full_says_so_and_has_room_again() {
        let mut heap = Heap::new();
        let one = heap.alloc(1_u8);
        let mut roots: Vec<_> = (0..MOST_ROOTS).map(|_| heap.root(one)).collect();
        assert_eq!(heap.try_root(one).unwrap_err(), RootError::Full { roots: MOST_ROOTS });
        assert_eq!(heap.statistics().roots, MOST_ROOTS);
        roots.pop();
        roots.push(heap.try_root(one).unwrap());
        heap.collect(&());
        assert!(heap.contains(one));
        drop(roots);
        heap.collect(&());
        assert!(!heap.contains(one));
    }
}
