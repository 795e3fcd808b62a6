//! Persistent roots: handles that keep their object alive for as long as they exist.
//!
//! The table is a slot map that the heap and each [`Root`] share, so that a root can be cloned and dropped wherever it
//! is, with or without the heap at hand, and in either order. It is in `raw/root_table.rs`.

use crate::heap::Heap;
use crate::raw::{Gc, Object, RootSlot};
use crate::{HandleError, RootError};
use std::fmt;
use std::ops::{Index, IndexMut};

/// A handle that keeps its object alive.
///
/// Made by [`Heap::root`]. Cloning one makes another root for the same object; the object may die at the first
/// safepoint after the last of them is dropped. Dropping needs no access to the heap, and a root may outlive the heap:
/// its handle is then stale, like any other.
///
/// A root is for handles that live outside the heap and outside what is passed to
/// [`safepoint`](Heap::safepoint): in globals, in a host's tables, across calls. It cannot be put *into* the heap: it is
/// not [`Trace`](crate::Trace). Store the [`Gc`] that [`get`](Root::get) gives instead.
///
/// It costs 16 bytes, a slot of 16 bytes in the table, and a few nanoseconds to make and to drop.
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
///
/// let mut heap = Heap::new();
/// let greeting = heap.alloc("hello".to_string());
/// let root = heap.root(greeting);
/// heap.collect(&());
/// assert_eq!(heap[&root], "hello");
///
/// let again = root.clone();
/// drop(root);
/// heap.collect(&());
/// assert_eq!(heap[again.get()], "hello");
///
/// drop(again);
/// heap.collect(&());
/// assert!(!heap.contains(greeting));
/// ```
pub struct Root<T: Object + ?Sized> {
    slot: RootSlot<T>,
}

const _: () = assert!(size_of::<Root<str>>() == 16);

impl<T: Object + ?Sized> Root<T> {
    /// The handle, to be stored in the heap or to ask the heap for the object.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc(1);
    /// assert_eq!(heap.root(gc).get(), gc);
    /// ```
    #[inline]
    pub fn get(&self) -> Gc<T> {
        self.slot.get()
    }
}

impl<T: Object + ?Sized> Clone for Root<T> {
    /// Another root for the same object, made without the heap.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc(1);
    /// let root = heap.root(gc);
    /// let other = root.clone();
    /// drop(root);
    /// heap.collect(&());
    /// assert_eq!(heap[&other], 1);
    /// ```
    ///
    /// # Panics
    ///
    /// If the table is full, or the system has no memory for it.
    fn clone(&self) -> Root<T> {
        match RootSlot::new(self.slot.table(), self.get()) {
            Some(slot) => Root { slot },
            None => panic!("{}", self.slot.table().no_room()),
        }
    }
}

impl<T: Object + ?Sized> fmt::Debug for Root<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root({:?})", self.get())
    }
}

impl Heap {
    /// Makes a root of a handle: its object stays alive until the [`Root`] and all its clones are gone.
    ///
    /// # Panics
    ///
    /// If the object is not alive, or the table of roots cannot grow. See [`try_root`](Heap::try_root).
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(vec![1, 2]);
    /// let root = heap.root(list);
    /// heap.collect(&());
    /// assert_eq!(heap[list], [1, 2]);
    /// # drop(root);
    /// ```
    #[inline]
    #[track_caller]
    pub fn root<T: Object + ?Sized>(&mut self, gc: Gc<T>) -> Root<T> {
        // Not by way of `try_root`, whose result would go through memory.
        if self.store.contains(gc.handle())
            && let Some(slot) = RootSlot::new(&self.roots, gc)
        {
            return Root { slot };
        }
        self.cannot_root(gc)
    }

    /// Makes a root of a handle, or says why not.
    ///
    /// # Errors
    ///
    /// If the object is not alive in this heap, or the table of roots cannot grow.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::{HandleError, Heap, RootError};
    ///
    /// let (mut here, mut there) = (Heap::new(), Heap::new());
    /// let gc = there.alloc(1);
    /// let error = here.try_root(gc).unwrap_err();
    /// assert!(matches!(error, RootError::Handle(HandleError::OtherHeap { .. })));
    /// ```
    #[inline]
    pub fn try_root<T: Object + ?Sized>(&mut self, gc: Gc<T>) -> Result<Root<T>, RootError> {
        if !self.store.contains(gc.handle()) {
            return Err(RootError::Handle(self.stale::<T>(gc)));
        }
        let slot = RootSlot::new(&self.roots, gc).ok_or_else(|| self.roots.no_room())?;
        Ok(Root { slot })
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn cannot_root<T: Object + ?Sized>(&self, gc: Gc<T>) -> ! {
        assert!(!self.store.contains(gc.handle()), "{}", self.roots.no_room());
        self.panic_stale(gc)
    }
}

/// `heap[&root]` borrows the object, as [`Heap::get`] does.
impl<T: Object + ?Sized> Index<&Root<T>> for Heap {
    type Output = T;

    #[inline]
    fn index(&self, root: &Root<T>) -> &T {
        self.get(root.get())
    }
}

/// `heap[&root]` borrows the object exclusively, as [`Heap::get_mut`] does.
///
/// ```
/// # let mut heap = tumulus_heap::Heap::new();
/// let gc = heap.alloc(vec![1]);
/// let root = heap.root(gc);
/// heap[&root].push(2);
/// assert_eq!(heap[&root], [1, 2]);
/// ```
impl<T: Object + ?Sized> IndexMut<&Root<T>> for Heap {
    #[inline]
    fn index_mut(&mut self, root: &Root<T>) -> &mut T {
        self.get_mut(root.get())
    }
}

impl From<HandleError> for RootError {
    fn from(error: HandleError) -> RootError {
        RootError::Handle(error)
    }
}
