//! Handles: what a program holds instead of a reference.
//!
//! A handle is made in one place, [`Handle::new`], which only the cell store calls, with the index of a cell that it is
//! filling, or that is alive, and the stamp that is written there. That is invariant **I2**: so the index of a handle is a
//! cell border in *every* heap of the process (I1), and reading a stamp through it never reads anything else.

use super::object::Object;
use std::any::type_name;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::{NonZeroU32, NonZeroU64};

/// Which cell, and which of the objects that live there one after the other.
///
/// One word rather than two halves, so that it is loaded, stored and compared in one go.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    /// The index in the upper half, which is never zero; the stamp in the lower, where it can be compared as it is.
    bits: NonZeroU64,
}

impl Handle {
    /// A handle to the object that was just put into the cell at `index`, under `stamp`.
    #[inline(always)]
    pub(super) fn new(index: NonZeroU32, stamp: u32) -> Handle {
        let bits = u64::from(index.get()) << 32 | u64::from(stamp);
        // SAFETY: the index is not zero, and all of it is in the upper half.
        Handle { bits: unsafe { NonZeroU64::new_unchecked(bits) } }
    }

    /// Where the cell is, in granules from the start of the cage.
    #[inline(always)]
    pub(crate) fn index(self) -> u32 {
        (self.bits.get() >> 32) as u32
    }

    /// The stamp of the object.
    #[inline(always)]
    pub(crate) fn stamp(self) -> u32 {
        self.bits.get() as u32
    }

    #[inline(always)]
    fn bits(self) -> u64 {
        self.bits.get()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:x}@{}", self.index(), self.stamp())
    }
}

/// A handle to a `T` in a [`Heap`](crate::Heap): `Copy`, 8 bytes, and valid for as long as the object lives.
///
/// A `Gc` is a number, not a reference. It borrows nothing, can be stored, compared, hashed and sent to other threads,
/// and keeps nothing alive by itself: an object lives while it can be reached from a root (see
/// [`Heap::safepoint`](crate::Heap::safepoint)). To get at the object, ask the heap: `heap[gc]`,
/// [`heap.get(gc)`](crate::Heap::get), [`heap.get_mut(gc)`](crate::Heap::get_mut).
///
/// A handle whose object has died, or that belongs to another heap, is *stale*. Using it is an error that says so, and
/// never another object: each heap checks, at each access, that the cell still holds the object that this handle was
/// made for.
///
/// `T` may be a slice or `str`, whose payload then lies in the heap: see
/// [`alloc_slice`](crate::Heap::alloc_slice) and [`alloc_str`](crate::Heap::alloc_str).
///
/// Two handles are equal when they name the same object of the same heap. The order is an arbitrary total one.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Gc, Heap};
///
/// let mut heap = Heap::new();
/// let answer: Gc<u32> = heap.alloc(42);
/// assert_eq!(heap[answer], 42);
///
/// heap.collect(&()); // nothing is a root here
/// assert!(heap.try_get(answer).is_err());
///
/// assert_eq!(size_of::<Gc<String>>(), 8);
/// assert_eq!(size_of::<Option<Gc<String>>>(), 8);
/// ```
pub struct Gc<T: ?Sized> {
    handle: Handle,
    /// Invariant in `T`, as a handle is read and written through; free of `T`'s own auto traits, as it holds none.
    object: PhantomData<fn(*mut T) -> *mut T>,
}

const _: () = {
    assert!(size_of::<Gc<[u64]>>() == 8);
    assert!(size_of::<Option<Gc<str>>>() == 8);
    assert!(size_of::<Option<AnyGc>>() == 8);
};

impl<T: ?Sized> Gc<T> {
    /// A handle that says which type its object has. The caller has seen that it does.
    #[inline(always)]
    pub(super) fn new(handle: Handle) -> Gc<T> {
        Gc { handle, object: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn handle(self) -> Handle {
        self.handle
    }

    /// The same handle, without its type.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let any = heap.alloc(7_i64).erase();
    /// assert!(any.is::<i64>(&heap));
    /// ```
    #[inline]
    pub fn erase(self) -> AnyGc {
        AnyGc { handle: self.handle }
    }

    /// A hash of the object's identity: the same for the whole life of the object, as objects do not move.
    ///
    /// It costs a few instructions, touches no memory, and takes no space in the object. Different objects have
    /// different hashes, even when one is made where another died.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let (a, b) = (heap.alloc("x"), heap.alloc("x"));
    /// assert_eq!(a.identity_hash(), a.identity_hash());
    /// assert_ne!(a.identity_hash(), b.identity_hash());
    /// ```
    #[inline]
    pub fn identity_hash(self) -> u64 {
        mix(self.handle.bits())
    }
}

/// A bijection on `u64` that spreads every input bit over the output (the finalizer of `splitmix64`).
#[inline]
fn mix(bits: u64) -> u64 {
    let bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

impl<T: ?Sized> Copy for Gc<T> {}

impl<T: ?Sized> Clone for Gc<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> PartialEq for Gc<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.handle == other.handle
    }
}

impl<T: ?Sized> Eq for Gc<T> {}

impl<T: ?Sized> PartialOrd for Gc<T> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: ?Sized> Ord for Gc<T> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.handle.cmp(&other.handle)
    }
}

impl<T: ?Sized> Hash for Gc<T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.handle.bits());
    }
}

impl<T: ?Sized> fmt::Debug for Gc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gc<{}>({:?})", type_name::<T>(), self.handle)
    }
}

/// A handle to an object of any type, for tables of mixed things and for tools.
///
/// It has the size and the rules of [`Gc`]. [`is`](AnyGc::is) and [`downcast`](AnyGc::downcast) ask the heap for the
/// object's type.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{AnyGc, Heap};
///
/// let mut heap = Heap::new();
/// let things: Vec<AnyGc> = vec![heap.alloc(1_u8).into(), heap.alloc_str("two").into()];
/// let strings = things.iter().filter_map(|thing| thing.downcast::<str>(&heap).ok());
/// assert_eq!(strings.map(|s| &heap[s]).collect::<String>(), "two");
/// ```
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnyGc {
    handle: Handle,
}

impl AnyGc {
    #[inline(always)]
    pub(super) fn new(handle: Handle) -> AnyGc {
        AnyGc { handle }
    }

    #[inline(always)]
    pub(crate) fn handle(self) -> Handle {
        self.handle
    }

    /// A hash of the object's identity, as [`Gc::identity_hash`].
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let gc = heap.alloc(1);
    /// assert_eq!(gc.erase().identity_hash(), gc.identity_hash());
    /// ```
    #[inline]
    pub fn identity_hash(self) -> u64 {
        mix(self.handle.bits())
    }
}

/// What [`Gc::erase`] gives, so that functions which take `impl Into<AnyGc>` take either.
///
/// ```
/// # use tumulus_heap::{AnyGc, Heap};
/// # let mut heap = Heap::new();
/// let gc = heap.alloc(1);
/// let any: AnyGc = gc.into();
/// assert_eq!(any, gc.erase());
/// assert!(heap.contains(gc) && heap.contains(any));
/// ```
impl<T: Object + ?Sized> From<Gc<T>> for AnyGc {
    #[inline]
    fn from(gc: Gc<T>) -> AnyGc {
        gc.erase()
    }
}

impl Hash for AnyGc {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.handle.bits());
    }
}

impl fmt::Debug for AnyGc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyGc({:?})", self.handle)
    }
}
