//! Sets that do not keep what is in them.

use crate::alloc::alloc_failed;
use crate::error::AllocError;
use crate::heap::Heap;
use crate::raw::{AnyGc, Gc};
use crate::trace::{Describer, Trace, Tracer};
use crate::weak::WeakKey;
use crate::weak::table::Table;
use std::fmt;
use std::marker::PhantomData;

/// A set of objects by identity that keeps none of them alive: ECMAScript's `WeakSet`.
///
/// It is an [`EphemeronMap`](crate::EphemeronMap) without values; what is said there holds here. An object in it takes 24
/// bytes, up to twice that.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{AnyGc, Heap, WeakSet};
///
/// let mut heap = Heap::new();
/// let visited = heap.alloc(WeakSet::<AnyGc>::new());
/// let (kept, lost) = (heap.alloc(1).erase(), heap.alloc(2).erase());
/// assert!(visited.insert(&mut heap, kept));
/// assert!(!visited.insert(&mut heap, kept)); // it was there
/// visited.insert(&mut heap, lost);
///
/// heap.collect(&(visited, kept));
/// assert!(visited.contains(&heap, kept));
/// assert_eq!(visited.iter(&heap).count(), 1);
/// ```
pub struct WeakSet<K> {
    table: Table<()>,
    keys: PhantomData<fn(K) -> K>,
}

impl<K: WeakKey> WeakSet<K> {
    /// An empty set, to be put into a heap.
    ///
    /// ```
    /// # use tumulus_heap::{Gc, Heap, WeakSet};
    /// let mut heap = Heap::new();
    /// let set = heap.alloc(WeakSet::<Gc<str>>::new());
    /// assert_eq!(set.iter(&heap).count(), 0);
    /// ```
    pub const fn new() -> WeakSet<K> {
        WeakSet { table: Table::new(), keys: PhantomData }
    }
}

/// The methods of a [`WeakSet`]. All of them panic if the set is dead.
impl<K: WeakKey> Gc<WeakSet<K>> {
    /// Whether an object is in the set, and alive.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, WeakSet};
    /// # let mut heap = Heap::new();
    /// let set = heap.alloc(WeakSet::new());
    /// let object = heap.alloc(1);
    /// assert!(!set.contains(&heap, object));
    /// set.insert(&mut heap, object);
    /// assert!(set.contains(&heap, object));
    /// ```
    #[track_caller]
    pub fn contains(self, heap: &Heap, object: K) -> bool {
        heap.get(self).table.get(heap, object.into()).is_some()
    }

    /// Puts an object into the set; false if it was there.
    ///
    /// # Panics
    ///
    /// If the object is dead, or there is no room for a larger set.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, WeakSet};
    /// # let mut heap = Heap::new();
    /// let set = heap.alloc(WeakSet::new());
    /// let object = heap.alloc(1);
    /// assert!(set.insert(&mut heap, object));
    /// assert!(!set.insert(&mut heap, object));
    /// ```
    #[track_caller]
    pub fn insert(self, heap: &mut Heap, object: K) -> bool {
        self.try_insert(heap, object).unwrap_or_else(|error| alloc_failed(&error))
    }

    /// Puts an object into the set, if there is room; false if it was there.
    ///
    /// # Errors
    ///
    /// If the set would have to grow and cannot.
    ///
    /// # Panics
    ///
    /// If the object is dead.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, WeakSet};
    /// # let mut heap = Heap::new();
    /// let set = heap.alloc(WeakSet::new());
    /// let object = heap.alloc(1);
    /// assert_eq!(set.try_insert(&mut heap, object), Ok(true));
    /// ```
    #[track_caller]
    pub fn try_insert(self, heap: &mut Heap, object: K) -> Result<bool, AllocError> {
        let key: AnyGc = object.into();
        let mut table = heap.get(self).table;
        heap.assert_key(key);
        let before = table.try_insert(heap, key, ())?;
        if before.is_none() {
            heap.get_mut(self).table = table;
        }
        Ok(before.is_none())
    }

    /// Takes an object out; false if it was not in the set.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, WeakSet};
    /// # let mut heap = Heap::new();
    /// let set = heap.alloc(WeakSet::new());
    /// let object = heap.alloc(1);
    /// set.insert(&mut heap, object);
    /// assert!(set.remove(&mut heap, object));
    /// assert!(!set.remove(&mut heap, object));
    /// ```
    #[track_caller]
    pub fn remove(self, heap: &mut Heap, object: K) -> bool {
        let table = heap.get(self).table;
        table.remove(heap, object.into()).is_some()
    }

    /// The objects that are alive, in the order in which they were put in. For tests and tools.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, WeakSet};
    /// # let mut heap = Heap::new();
    /// let set = heap.alloc(WeakSet::new());
    /// let object = heap.alloc(1);
    /// set.insert(&mut heap, object);
    /// assert!(set.iter(&heap).eq([object]));
    /// ```
    #[track_caller]
    pub fn iter(self, heap: &Heap) -> impl Iterator<Item = K> {
        heap.get(self).table.iter(heap).filter_map(|(key, ())| K::recover(key, heap))
    }

    /// Forgets all objects.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, WeakSet};
    /// # let mut heap = Heap::new();
    /// let set = heap.alloc(WeakSet::new());
    /// let object = heap.alloc(1);
    /// set.insert(&mut heap, object);
    /// set.clear(&mut heap);
    /// assert!(!set.contains(&heap, object));
    /// ```
    #[track_caller]
    pub fn clear(self, heap: &mut Heap) {
        heap.get_mut(self).table = Table::new();
    }
}

impl<K: WeakKey> Default for WeakSet<K> {
    fn default() -> Self {
        WeakSet::new()
    }
}

impl<K> Trace for WeakSet<K> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.table.trace(tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.field("table", &self.table);
    }
}

impl<K> fmt::Debug for WeakSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSet").field("used", &self.table.used()).finish_non_exhaustive()
    }
}
