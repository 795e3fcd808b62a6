//! The heap: its parts, and access to what is in it.
//!
//! Allocation is in `alloc.rs` and `slices.rs`, roots in `roots.rs` and `scope.rs`, collection in `collect/`, options
//! in `builder.rs`. None of these files contains unsafe code: that is below, in `raw/`.

use crate::builder::HeapBuilder;
use crate::collect::Accounts;
use crate::error::{HandleError, HeapError};
use crate::events::Listener;
use crate::external::{HeapId, OpenAccount};
use crate::limit::Pressure;
use crate::observe::Observers;
use crate::raw::{AnyGc, Gc, NotDisjoint, Object, RootTable, Shared, Store, TypeInfo};
use crate::schedule::Schedule;
use crate::scope::Temporaries;
use crate::snapshot::Ids;
use crate::weak::Kept;
use crate::zeal::Zeal;
use std::any::type_name;
use std::fmt;
use std::ops::{Index, IndexMut};

/// A garbage-collected heap.
///
/// # The one rule
///
/// **Collection happens in [`safepoint`](Heap::safepoint), [`collect`](Heap::collect) and what else says so in its name,
/// and nowhere else.** Allocation never collects. A handle that you hold is good until the next safepoint, and past it
/// exactly when its object can be reached from a root. The roots are:
///
/// - what is passed to `safepoint` or `collect`: anything that is [`Trace`](crate::Trace), such as an interpreter's
///   stack and globals;
/// - every [`Root`](crate::Root), made by [`root`](Heap::root);
/// - everything that was allocated in an open [`scope`](Heap::scope).
///
/// # Access
///
/// Objects are borrowed from the heap as plain `&T` and `&mut T`, so that no cell types are needed in them:
///
/// | | shared | exclusive | when the handle is stale |
/// |---|---|---|---|
/// | index | `heap[gc]` | `heap[gc] = ..` | panics with the type and the reason |
/// | plain | [`get`](Heap::get) | [`get_mut`](Heap::get_mut) | the same |
/// | `try_` | [`try_get`](Heap::try_get) | [`try_get_mut`](Heap::try_get_mut) | [`HandleError`] |
/// | several | | [`get_disjoint_mut`](Heap::get_disjoint_mut) | panics, or [`try_`](Heap::try_get_disjoint_mut) |
///
/// # Allocation
///
/// | | one value | a slice | a string |
/// |---|---|---|---|
/// | plain | [`alloc`](Heap::alloc), [`alloc_with`](Heap::alloc_with) | [`alloc_slice`](Heap::alloc_slice), [`alloc_slice_with`](Heap::alloc_slice_with), [`alloc_slice_from_iter`](Heap::alloc_slice_from_iter) | [`alloc_str`](Heap::alloc_str) |
/// | `try_` | [`try_alloc`](Heap::try_alloc), [`try_alloc_with`](Heap::try_alloc_with) | [`try_alloc_slice`](Heap::try_alloc_slice), [`try_alloc_slice_with`](Heap::try_alloc_slice_with), [`try_alloc_slice_from_iter`](Heap::try_alloc_slice_from_iter), [`try_build_slice`](Heap::try_build_slice) | [`try_alloc_str`](Heap::try_alloc_str) |
/// | collecting | [`alloc_or_collect`](Heap::alloc_or_collect) | | |
///
/// The plain forms panic at the heap's limit; the `try_` forms return an error with the numbers, and the value.
///
/// # Threads
///
/// A heap stays on the thread that made it; any number of heaps can be used side by side, in one thread or in many.
/// Handles are plain numbers and can go anywhere.
///
/// ```compile_fail,E0277
/// let heap = tumulus_heap::Heap::new();
/// std::thread::spawn(move || drop(heap));
/// ```
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Gc, Heap, Trace};
///
/// #[derive(Trace)]
/// enum Value {
///     Nil,
///     Number(f64),
///     Pair(Gc<Pair>),
/// }
///
/// #[derive(Trace)]
/// struct Pair {
///     head: Value,
///     tail: Value,
/// }
///
/// let mut heap = Heap::new();
/// let one = heap.alloc(Pair { head: Value::Number(1.0), tail: Value::Nil });
/// let list = heap.alloc(Pair { head: Value::Number(2.0), tail: Value::Pair(one) });
///
/// let stack = vec![Value::Pair(list)];
/// heap.collect(&stack); // `list` is a root, and `one` is reachable from it
///
/// let Value::Pair(tail) = heap[list].tail else { unreachable!() };
/// heap.get_mut(tail).head = Value::Nil;
/// ```
pub struct Heap {
    pub(crate) store: Store,
    pub(crate) pressure: Pressure,
    pub(crate) temporaries: Temporaries,
    pub(crate) kept: Kept,
    pub(crate) roots: Shared<RootTable>,
    pub(crate) schedule: Schedule,
    pub(crate) accounts: Accounts,
    pub(crate) listener: Listener,
    pub(crate) ids: Ids,
    pub(crate) observers: Observers,
    pub(crate) zeal: Zeal,
    pub(crate) id: HeapId,
    /// Behind `store`: objects that are dropped with it take their bytes off.
    pub(crate) external: OpenAccount,
}

impl Heap {
    /// A heap with the default options.
    ///
    /// # Panics
    ///
    /// If the system refuses even a small range of addresses, or one of the environment variables `TUMULUS_ZEAL` and
    /// `TUMULUS_OPTIONS` cannot be read. See [`try_new`](Heap::try_new).
    ///
    /// # Examples
    ///
    /// ```
    /// let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc(1);
    /// assert_eq!(heap[gc], 1);
    /// ```
    #[allow(clippy::new_without_default, reason = "a heap is a thing to be made on purpose, not by a derive")]
    pub fn new() -> Heap {
        Heap::builder().build()
    }

    /// A heap with the default options, or what stands in its way.
    ///
    /// # Errors
    ///
    /// See [`HeapError`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), tumulus_heap::HeapError> {
    /// let heap = tumulus_heap::Heap::try_new()?;
    /// # drop(heap);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_new() -> Result<Heap, HeapError> {
        Heap::builder().try_build()
    }

    /// A heap with options.
    ///
    /// # Examples
    ///
    /// ```
    /// let heap = tumulus_heap::Heap::builder().limit(64 << 20).growth(1.5).build();
    /// assert_eq!(heap.limit(), 64 << 20);
    /// ```
    pub fn builder() -> HeapBuilder {
        HeapBuilder::default()
    }

    /// Borrows an object.
    ///
    /// It costs one comparison more than following a pointer.
    ///
    /// # Panics
    ///
    /// If the handle is stale; the message is that of [`HandleError`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc("mound");
    /// assert_eq!(heap.get(gc).len(), 5);
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn get<T: Object + ?Sized>(&self, gc: Gc<T>) -> &T {
        match self.store.get(gc) {
            Some(object) => object,
            None => self.panic_stale(gc),
        }
    }

    /// Borrows an object exclusively.
    ///
    /// # Panics
    ///
    /// If the handle is stale; the message is that of [`HandleError`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc(vec![1]);
    /// heap.get_mut(gc).push(2);
    /// assert_eq!(heap[gc], [1, 2]);
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn get_mut<T: Object + ?Sized>(&mut self, gc: Gc<T>) -> &mut T {
        // The borrow checker does not see that the first borrow ends where it is not returned.
        if !self.store.holds(gc.handle()) {
            self.panic_stale(gc);
        }
        self.barrier(gc);
        match self.store.get_mut(gc) {
            Some(object) => object,
            None => unreachable!("it was there a moment ago"),
        }
    }

    /// Borrows an object, if it is alive.
    ///
    /// # Errors
    ///
    /// [`HandleError::Collected`] or [`HandleError::OtherHeap`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc(1);
    /// assert_eq!(heap.try_get(gc), Ok(&1));
    /// heap.collect(&());
    /// assert!(heap.try_get(gc).is_err());
    /// ```
    #[inline]
    pub fn try_get<T: Object + ?Sized>(&self, gc: Gc<T>) -> Result<&T, HandleError> {
        match self.store.get(gc) {
            Some(object) if !self.store.is_doomed(gc.handle()) => Ok(object),
            _ => Err(self.stale(gc)),
        }
    }

    /// Borrows an object exclusively, if it is alive.
    ///
    /// # Errors
    ///
    /// [`HandleError::Collected`] or [`HandleError::OtherHeap`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc(1);
    /// *heap.try_get_mut(gc)? += 1;
    /// assert_eq!(heap[gc], 2);
    /// # Ok::<(), tumulus_heap::HandleError>(())
    /// ```
    #[inline]
    pub fn try_get_mut<T: Object + ?Sized>(&mut self, gc: Gc<T>) -> Result<&mut T, HandleError> {
        if !self.store.contains(gc.handle()) {
            return Err(self.stale(gc));
        }
        Ok(self.get_mut(gc))
    }

    /// Borrows several objects of a type exclusively, at once.
    ///
    /// # Panics
    ///
    /// If a handle is stale, or two of them lead to the same object. See
    /// [`try_get_disjoint_mut`](Heap::try_get_disjoint_mut).
    ///
    /// # Examples
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let (a, b) = (heap.alloc(1), heap.alloc(2));
    /// let [x, y] = heap.get_disjoint_mut([a, b]);
    /// std::mem::swap(x, y);
    /// assert_eq!((heap[a], heap[b]), (2, 1));
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_disjoint_mut<T: Object + ?Sized, const N: usize>(&mut self, gcs: [Gc<T>; N]) -> [&mut T; N] {
        match self.try_get_disjoint_mut(gcs) {
            Ok(objects) => objects,
            Err(error) => panic!("{error}"),
        }
    }

    /// Borrows several objects of a type exclusively, at once, if all are alive and no two are the same.
    ///
    /// It compares each pair of handles, which is quick for the few that one borrows at once.
    ///
    /// # Errors
    ///
    /// [`HandleError::Overlap`] names two positions with the same object; otherwise as
    /// [`try_get`](Heap::try_get).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::HandleError;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let a = heap.alloc(1);
    /// let error = heap.try_get_disjoint_mut([a, a]).unwrap_err();
    /// assert!(matches!(error, HandleError::Overlap { first: 0, second: 1, .. }));
    /// ```
    pub fn try_get_disjoint_mut<T: Object + ?Sized, const N: usize>(
        &mut self,
        gcs: [Gc<T>; N],
    ) -> Result<[&mut T; N], HandleError> {
        // Asked for first, as the error is made from the heap that the result would borrow.
        let stale = gcs.iter().find(|gc| !self.store.contains(gc.handle()));
        if let Some(&gc) = stale {
            return Err(self.stale(gc));
        }
        for gc in gcs {
            self.barrier(gc);
        }
        self.store.get_disjoint_mut(gcs).map_err(|error| match error {
            NotDisjoint::Overlap { first, second } => {
                HandleError::Overlap { type_name: type_name::<T>(), first, second }
            }
            NotDisjoint::Stale => unreachable!("all were alive a moment ago"),
        })
    }

    /// Whether the object of a handle is alive in this heap.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::new();
    /// let gc = heap.alloc(());
    /// assert!(heap.contains(gc) && heap.contains(gc.erase()));
    /// assert!(!Heap::new().contains(gc));
    /// ```
    #[inline]
    pub fn contains(&self, gc: impl Into<AnyGc>) -> bool {
        self.store.contains(gc.into().handle())
    }

    /// What has to happen before an object is written to: the collector must learn of it, if a handle may be stored.
    #[inline(always)]
    fn barrier<T: Object + ?Sized>(&mut self, written: Gc<T>) {
        if T::HAS_EDGES {
            self.store.before_write(written.handle());
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn panic_stale<T: Object + ?Sized>(&self, gc: Gc<T>) -> ! {
        panic!("{}", self.stale(gc))
    }

    #[cold]
    pub(crate) fn stale<T: Object + ?Sized>(&self, gc: Gc<T>) -> HandleError {
        self.store.stale(gc.handle(), type_name::<T>())
    }
}

/// `heap[gc]` borrows the object, as [`Heap::get`] does.
impl<T: Object + ?Sized> Index<Gc<T>> for Heap {
    type Output = T;

    #[inline(always)]
    #[track_caller]
    fn index(&self, gc: Gc<T>) -> &T {
        self.get(gc)
    }
}

/// `heap[gc]` borrows the object exclusively, as [`Heap::get_mut`] does.
///
/// ```
/// # let mut heap = tumulus_heap::Heap::new();
/// let counter = heap.alloc(0);
/// heap[counter] += 1;
/// assert_eq!(heap[counter], 1);
/// ```
impl<T: Object + ?Sized> IndexMut<Gc<T>> for Heap {
    #[inline(always)]
    #[track_caller]
    fn index_mut(&mut self, gc: Gc<T>) -> &mut T {
        self.get_mut(gc)
    }
}

impl AnyGc {
    /// Whether the object is alive and of type `T`.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let any = heap.alloc_str("text").erase();
    /// assert!(any.is::<str>(&heap) && !any.is::<String>(&heap));
    /// ```
    pub fn is<T: Object + ?Sized>(self, heap: &Heap) -> bool {
        self.downcast::<T>(heap).is_ok()
    }

    /// The handle with its type, if the object is alive and of that type.
    ///
    /// # Errors
    ///
    /// [`HandleError::WrongType`] with both names, or as [`Heap::try_get`].
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let any = heap.alloc(5_u8).erase();
    /// assert_eq!(heap[any.downcast::<u8>(&heap)?], 5);
    /// let error = any.downcast::<u16>(&heap).unwrap_err();
    /// assert_eq!(error.to_string(), "this handle leads to a u8, not to a u16; ask `is` before `downcast`");
    /// # Ok::<(), tumulus_heap::HandleError>(())
    /// ```
    pub fn downcast<T: Object + ?Sized>(self, heap: &Heap) -> Result<Gc<T>, HandleError> {
        heap.store.downcast(self)
    }

    /// The name of the object's type, as the compiler writes it, if the object is alive.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(heap.alloc(5_u8).erase().type_name(&heap), Some("u8"));
    /// ```
    pub fn type_name(self, heap: &Heap) -> Option<&'static str> {
        heap.store.type_of(self.handle()).map(TypeInfo::name)
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("statistics", &self.statistics()).finish_non_exhaustive()
    }
}
