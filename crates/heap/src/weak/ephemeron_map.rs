//! Maps whose values live as long as their keys.

use crate::alloc::alloc_failed;
use crate::error::AllocError;
use crate::heap::Heap;
use crate::raw::{AnyGc, Gc};
use crate::trace::{Describer, Trace, Tracer};
use crate::weak::WeakKey;
use crate::weak::table::Table;
use std::fmt;
use std::marker::PhantomData;

/// A map by identity that keeps neither its keys nor, once they are dead, its values: ECMAScript's `WeakMap`.
///
/// A value is alive only while its key is, and the map. It does not keep its key alive, however it refers to it, so that a
/// cycle through a map is garbage like any other: that is what tells an *ephemeron* from a weak key beside a strong value.
///
/// A map is an object in the heap, made by [`Heap::alloc`]. Its methods are on its handle, and take the heap:
/// [`insert`](Gc::insert), [`get`](Gc::get), [`get_mut`](Gc::get_mut), [`remove`](Gc::remove). Keys are handles of any type;
/// `K` is [`Gc<T>`](Gc), or [`AnyGc`] for mixed ones. Any `V` that is [`Trace`](trait@crate::Trace) can be a value.
///
/// # When entries go
///
/// A collection that finds a key dead takes its entry out, and drops the value, in its slices. From the moment at which
/// it knows, no method shows the entry. A minor collection does so for keys that were allocated since the last one, others
/// wait for a full one.
///
/// # What it costs
///
/// An entry takes 16 bytes for a value of 8 or less with a niche, such as a handle, and 8 for the index; up to twice that, as
/// room is kept for more. Looking up a key is two loads that may miss the cache. An insertion that finds the map full moves all
/// entries to a place of twice the size, which takes some 20 ns for each. Marking takes time linear in the number of
/// entries, in whatever order keys are reached, and is done in slices as all marking is; a minor collection looks at what
/// was inserted or changed since the last one.
///
/// # Examples
///
/// Data about objects that are not one's own:
///
/// ```
/// use tumulus_heap::{EphemeronMap, Gc, Heap, Trace};
///
/// #[derive(Trace)]
/// struct Element(Gc<str>);
///
/// let mut heap = Heap::new();
/// let notes = heap.alloc(EphemeronMap::<Gc<Element>, String>::new());
/// let tag = heap.alloc_str("p");
/// let element = heap.alloc(Element(tag));
/// notes.insert(&mut heap, element, "seen twice".to_string());
///
/// heap.collect(&(notes, element));
/// assert_eq!(notes.get(&heap, element).unwrap(), "seen twice");
/// heap.collect(&notes);
/// assert_eq!(notes.iter(&heap).count(), 0);
/// ```
///
/// A value that refers to its own key:
///
/// ```
/// use tumulus_heap::{EphemeronMap, Gc, Heap};
///
/// let mut heap = Heap::new();
/// let map = heap.alloc(EphemeronMap::<Gc<u8>, Gc<u8>>::new());
/// let key = heap.alloc(1);
/// map.insert(&mut heap, key, key);
/// heap.collect(&map);
/// assert!(!heap.contains(key));
/// ```
pub struct EphemeronMap<K, V: Trace + 'static> {
    table: Table<V>,
    keys: PhantomData<fn(K) -> K>,
}

impl<K: WeakKey, V: Trace + 'static> EphemeronMap<K, V> {
    /// An empty map, to be put into a heap. It takes no memory beside its own before something is inserted.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::<Gc<str>, u32>::new());
    /// assert_eq!(map.iter(&heap).count(), 0);
    /// ```
    pub const fn new() -> EphemeronMap<K, V> {
        EphemeronMap { table: Table::new(), keys: PhantomData }
    }
}

/// The methods of an [`EphemeronMap`]. All of them panic if the map is dead.
impl<K: WeakKey, V: Trace + 'static> Gc<EphemeronMap<K, V>> {
    /// The value of a key; none if the map has no such key, or the key is dead.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// # let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::new());
    /// let key = heap.alloc("key");
    /// map.insert(&mut heap, key, 1);
    /// assert_eq!(map.get(&heap, key), Some(&1));
    /// ```
    #[track_caller]
    pub fn get(self, heap: &Heap, key: K) -> Option<&V> {
        heap.get(self).table.get(heap, key.into())
    }

    /// The value of a key, to be changed.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// # let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::new());
    /// let key = heap.alloc("key");
    /// map.insert(&mut heap, key, 1);
    /// *map.get_mut(&mut heap, key).unwrap() += 1;
    /// assert_eq!(map.get(&heap, key), Some(&2));
    /// ```
    #[track_caller]
    pub fn get_mut(self, heap: &mut Heap, key: K) -> Option<&mut V> {
        let table = heap.get(self).table;
        table.get_mut(heap, key.into())
    }

    /// Whether the map has a value for a key that is alive.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// # let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::new());
    /// let key = heap.alloc("key");
    /// assert!(!map.contains_key(&heap, key));
    /// map.insert(&mut heap, key, 1);
    /// assert!(map.contains_key(&heap, key));
    /// ```
    #[track_caller]
    pub fn contains_key(self, heap: &Heap, key: K) -> bool {
        self.get(heap, key).is_some()
    }

    /// Gives a key a value, and says which it had.
    ///
    /// # Panics
    ///
    /// If the key is dead, or there is no room for a larger map.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// # let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::new());
    /// let key = heap.alloc("key");
    /// assert_eq!(map.insert(&mut heap, key, 1), None);
    /// assert_eq!(map.insert(&mut heap, key, 2), Some(1));
    /// ```
    #[track_caller]
    pub fn insert(self, heap: &mut Heap, key: K, value: V) -> Option<V> {
        match self.try_insert(heap, key, value) {
            Ok(before) => before,
            Err(error) => alloc_failed(&error.without_value()),
        }
    }

    /// Gives a key a value, and says which it had, if there is room.
    ///
    /// # Errors
    ///
    /// An [`AllocError`] with the value, if the map would have to grow and cannot.
    ///
    /// # Panics
    ///
    /// If the key is dead.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// # let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::new());
    /// let key = heap.alloc("key");
    /// heap.set_limit(0);
    /// assert_eq!(map.try_insert(&mut heap, key, 1).unwrap_err().into_value(), 1);
    /// ```
    #[track_caller]
    pub fn try_insert(self, heap: &mut Heap, key: K, value: V) -> Result<Option<V>, AllocError<V>> {
        let key: AnyGc = key.into();
        let mut table = heap.get(self).table;
        heap.assert_key(key);
        let before = table.try_insert(heap, key, value)?;
        if before.is_none() {
            heap.get_mut(self).table = table;
        }
        Ok(before)
    }

    /// Takes a key and its value out.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// # let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::new());
    /// let key = heap.alloc("key");
    /// map.insert(&mut heap, key, 1);
    /// assert_eq!(map.remove(&mut heap, key), Some(1));
    /// assert_eq!(map.remove(&mut heap, key), None);
    /// ```
    #[track_caller]
    pub fn remove(self, heap: &mut Heap, key: K) -> Option<V> {
        let table = heap.get(self).table;
        table.remove(heap, key.into())
    }

    /// The keys that are alive, with their values, in the order in which they were inserted. For tests and tools: what it
    /// shows depends on when collections happen, which a language should not let its programs see.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// # let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::new());
    /// let (a, b) = (heap.alloc("a"), heap.alloc("b"));
    /// map.insert(&mut heap, a, 1);
    /// map.insert(&mut heap, b, 2);
    /// assert!(map.iter(&heap).eq([(a, &1), (b, &2)]));
    /// ```
    #[track_caller]
    pub fn iter(self, heap: &Heap) -> impl Iterator<Item = (K, &V)> {
        heap.get(self).table.iter(heap).filter_map(|(key, value)| Some((K::recover(key, heap)?, value)))
    }

    /// Forgets all entries, and gives their memory to the collector.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// # let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::new());
    /// let key = heap.alloc("key");
    /// map.insert(&mut heap, key, 1);
    /// map.clear(&mut heap);
    /// assert_eq!((map.iter(&heap).count(), map.capacity(&heap)), (0, 0));
    /// ```
    #[track_caller]
    pub fn clear(self, heap: &mut Heap) {
        heap.get_mut(self).table = Table::new();
    }

    /// How many entries the map has room for.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// # let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::new());
    /// let key = heap.alloc("key");
    /// map.insert(&mut heap, key, 1);
    /// assert_eq!(map.capacity(&heap), 8);
    /// ```
    #[track_caller]
    pub fn capacity(self, heap: &Heap) -> usize {
        heap.get(self).table.capacity()
    }

    /// Moves the entries to a place that is as large as they need, if that is smaller. A map that has become much emptier does
    /// so by itself when it would otherwise grow.
    ///
    /// # Errors
    ///
    /// If there is no room for the smaller place beside the larger one. The map is as it was.
    ///
    /// ```
    /// # use tumulus_heap::{EphemeronMap, Gc, Heap};
    /// # let mut heap = Heap::new();
    /// let map = heap.alloc(EphemeronMap::new());
    /// let keys: Vec<Gc<u32>> = (0..1000).map(|n| heap.alloc(n)).collect();
    /// for &key in &keys {
    ///     map.insert(&mut heap, key, ());
    /// }
    /// heap.collect(&(map, keys[0]));
    /// map.shrink_to_fit(&mut heap)?;
    /// assert_eq!(map.capacity(&heap), 8);
    /// assert!(map.contains_key(&heap, keys[0]));
    /// # Ok::<(), tumulus_heap::AllocError>(())
    /// ```
    #[track_caller]
    pub fn shrink_to_fit(self, heap: &mut Heap) -> Result<(), AllocError> {
        let mut table = heap.get(self).table;
        table.shrink(heap)?;
        heap.get_mut(self).table = table;
        Ok(())
    }
}

impl Heap {
    /// Panics if a handle that should be a key is stale.
    #[track_caller]
    pub(super) fn assert_key(&self, key: AnyGc) {
        assert!(self.contains(key), "{}", self.store.stale(key.handle(), "key"));
    }
}

impl<K: WeakKey, V: Trace + 'static> Default for EphemeronMap<K, V> {
    fn default() -> Self {
        EphemeronMap::new()
    }
}

/// What is in a map is in slices of its own, which know of their keys.
impl<K, V: Trace + 'static> Trace for EphemeronMap<K, V> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.table.trace(tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.field("table", &self.table);
    }
}

impl<K, V: Trace + 'static> fmt::Debug for EphemeronMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeronMap").field("used", &self.table.used()).finish_non_exhaustive()
    }
}
