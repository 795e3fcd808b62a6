//! Weak handles.
//!
//! They need no table. A handle names one object for ever, so that the stamp in the cell says whether the object is there;
//! and while a collection is freeing what it has found dead, the mark bit says which of these it is.

use crate::heap::Heap;
use crate::raw::{AnyGc, Gc, Kept, Object};
use crate::trace::{Describer, Trace, Tracer};
use std::any::type_name;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A handle that does not keep its object alive, and knows when it is dead.
///
/// Any [`Gc`] can be asked whether its object is there; but one that is stored in an object, or passed to a safepoint, keeps
/// its object alive, and one that is not may be used until the next safepoint only. A `Weak` can be stored anywhere, and
/// be [upgraded](Weak::upgrade) at any time.
///
/// It is made by [`Gc::downgrade`], has the size of a [`Gc`], 8 bytes, and costs nothing else: no entry in a table, no count,
/// no destructor, and no work in a collection. [`WeakRef`](crate::WeakRef) is the same with the rules that ECMAScript has.
///
/// # Examples
///
/// A cache that does not keep what is in it:
///
/// ```
/// use tumulus_heap::{Gc, Heap, Trace, Weak};
///
/// #[derive(Trace, Default)]
/// struct Cache {
///     last: Option<Weak<String>>,
/// }
///
/// let mut heap = Heap::new();
/// let cache = heap.alloc(Cache::default());
/// let text = heap.alloc("expensive".to_string());
/// heap.get_mut(cache).last = Some(text.downgrade());
///
/// heap.collect(&(cache, text));
/// assert_eq!(heap[cache].last.unwrap().upgrade(&mut heap), Some(text));
/// heap.collect(&cache);
/// assert_eq!(heap[cache].last.unwrap().upgrade(&mut heap), None);
/// ```
pub struct Weak<T: ?Sized> {
    gc: Gc<T>,
}

const _: () = assert!(size_of::<Option<Weak<str>>>() == 8);

impl<T: Object + ?Sized> Weak<T> {
    /// The object, if no collection has found it dead.
    ///
    /// The answer is exact: `None` from the moment at which a collection knows that the object cannot be reached, be its
    /// memory freed or not, and the object before that. The handle that is given is good until the next safepoint, and past
    /// it if it can be reached from a root, as any other. If a collection is under way that has not decided yet, the object
    /// lives through that one in any case.
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc(5);
    /// let weak = gc.downgrade();
    /// assert_eq!(weak.upgrade(&mut heap), Some(gc));
    /// heap.collect(&());
    /// assert_eq!(weak.upgrade(&mut heap), None);
    /// ```
    #[inline]
    pub fn upgrade(self, heap: &mut Heap) -> Option<Gc<T>> {
        if !heap.contains(self.gc) {
            return None;
        }
        heap.keep_for_cycle(self.gc.erase());
        Some(self.gc)
    }

    /// Whether no collection has found the object dead. It keeps nothing alive.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let weak = heap.alloc(5).downgrade();
    /// assert!(weak.is_alive(&heap));
    /// heap.collect(&());
    /// assert!(!weak.is_alive(&heap));
    /// ```
    #[inline]
    pub fn is_alive(self, heap: &Heap) -> bool {
        heap.contains(self.gc)
    }

    /// The object, if no collection has found it dead, for a look that ends before the next slice of one.
    #[inline]
    pub(super) fn peek(self, heap: &Heap) -> Option<Gc<T>> {
        heap.contains(self.gc).then_some(self.gc)
    }

    /// A hash of the object's identity, as [`Gc::identity_hash`], also when it is dead.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc(5);
    /// assert_eq!(gc.downgrade().identity_hash(), gc.identity_hash());
    /// ```
    #[inline]
    pub fn identity_hash(self) -> u64 {
        self.gc.identity_hash()
    }
}

impl<T: Object + ?Sized> Gc<T> {
    /// A handle to the same object that does not keep it alive.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc_str("mound");
    /// let weak = gc.downgrade();
    /// assert_eq!(weak.upgrade(&mut heap), Some(gc));
    /// ```
    #[inline]
    pub fn downgrade(self) -> Weak<T> {
        Weak { gc: self }
    }
}

impl Heap {
    /// Sees to it that an object that is alive lives through the collection that is under way.
    #[inline]
    pub(super) fn keep_for_cycle(&mut self, object: AnyGc) {
        if self.store.keep_for_cycle(object.handle()) == Kept::NotYet {
            self.kept.upgraded.insert(object);
        }
    }
}

/// A weak handle has no edges.
impl<T: ?Sized> Trace for Weak<T> {
    const HAS_EDGES: bool = false;

    #[inline]
    fn trace(&self, _tracer: &mut Tracer<'_>) {}

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.weak_edge(self.gc.erase());
    }
}

impl<T: ?Sized> Copy for Weak<T> {}

impl<T: ?Sized> Clone for Weak<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

/// Two are equal when they were made from handles to the same object, dead or alive.
impl<T: ?Sized> PartialEq for Weak<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.gc == other.gc
    }
}

impl<T: ?Sized> Eq for Weak<T> {}

impl<T: ?Sized> Hash for Weak<T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.gc.hash(state);
    }
}

impl<T: ?Sized> fmt::Debug for Weak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weak<{}>({:?})", type_name::<T>(), self.gc.handle())
    }
}
