//! What can be a key: a handle, with its type or without.

use crate::heap::Heap;
use crate::raw::{AnyGc, Gc, Object};

/// A handle that can be the key of an [`EphemeronMap`](crate::EphemeronMap) or in a [`WeakSet`](crate::WeakSet): a [`Gc`] of
/// any type, or an [`AnyGc`]. The trait cannot be implemented from outside.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{AnyGc, EphemeronMap, Heap};
///
/// let mut heap = Heap::new();
/// let names = heap.alloc(EphemeronMap::<AnyGc, &str>::new());
/// let (number, text) = (heap.alloc(1).erase(), heap.alloc_str("one").erase());
/// names.insert(&mut heap, number, "a number");
/// names.insert(&mut heap, text, "a text");
/// assert_eq!(names.get(&heap, number), Some(&"a number"));
/// ```
pub trait WeakKey: Recover + Copy + Eq + Into<AnyGc> + 'static {}

impl<K: Recover + Copy + Eq + Into<AnyGc> + 'static> WeakKey for K {}

/// The hidden half of [`WeakKey`].
#[doc(hidden)]
pub trait Recover: Sized {
    /// The handle with its type, if its object is alive.
    fn recover(handle: AnyGc, heap: &Heap) -> Option<Self>;
}

impl<T: Object + ?Sized> Recover for Gc<T> {
    fn recover(handle: AnyGc, heap: &Heap) -> Option<Gc<T>> {
        handle.downcast(heap).ok()
    }
}

impl Recover for AnyGc {
    fn recover(handle: AnyGc, heap: &Heap) -> Option<AnyGc> {
        heap.contains(handle).then_some(handle)
    }
}
