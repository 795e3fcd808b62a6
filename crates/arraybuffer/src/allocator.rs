//! Where the bytes of stores come from.

use crate::raw::{self, IsZero};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What every block is aligned to.
pub const ALIGN: usize = 16;

/// Gives and takes the bytes of stores, on any thread.
///
/// A store that was made by an allocator holds a reference to it until its bytes are given back.
///
/// # Safety
///
/// What [`allocate`](Allocator::allocate) and [`allocate_uninitialized`](Allocator::allocate_uninitialized) give is aligned to
/// [`ALIGN`], has so many bytes, all of which are initialised in Rust's sense, and belongs to the caller until it is passed
/// to [`free`](Allocator::free). The bytes of `allocate` are zero.
///
/// # Examples
///
/// One that counts:
///
/// ```
/// use std::ptr::NonNull;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use tumulus_arraybuffer::{Allocator, BackingStore, SystemAllocator};
///
/// #[derive(Debug, Default)]
/// struct Counting(AtomicUsize);
///
/// // SAFETY: the other allocator does as it should.
/// unsafe impl Allocator for Counting {
///     fn allocate(&self, bytes: usize) -> Option<NonNull<u8>> {
///         self.0.fetch_add(1, Ordering::Relaxed);
///         SystemAllocator.allocate(bytes)
///     }
///
///     unsafe fn free(&self, data: NonNull<u8>, bytes: usize) {
///         self.0.fetch_sub(1, Ordering::Relaxed);
///         unsafe { SystemAllocator.free(data, bytes) }
///     }
/// }
///
/// let counting = Arc::new(Counting::default());
/// let store = BackingStore::with_allocator(&counting, 100)?;
/// assert_eq!(counting.0.load(Ordering::Relaxed), 1);
/// drop(store);
/// assert_eq!(counting.0.load(Ordering::Relaxed), 0);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub unsafe trait Allocator: Send + Sync + 'static {
    /// So many bytes, which is not 0, all zero; `None` if there are none.
    fn allocate(&self, bytes: usize) -> Option<NonNull<u8>>;

    /// So many bytes, with whatever is in them.
    fn allocate_uninitialized(&self, bytes: usize) -> Option<NonNull<u8>> {
        self.allocate(bytes)
    }

    /// Takes bytes back.
    ///
    /// # Safety
    ///
    /// This allocator gave them, with this length, and nobody uses them any more.
    unsafe fn free(&self, data: NonNull<u8>, bytes: usize);

    /// The most bytes that it is worth asking for, however much is collected before.
    fn max_bytes(&self) -> usize {
        isize::MAX as usize
    }
}

/// The allocator for stores that ask for no other.
///
/// Blocks of up to 32 KiB are recycled from lists by size, without a lock where the same thread makes and releases them.
/// Larger ones are mappings of the operating system, of which pages that are not touched cost nothing; some are kept for the
/// next.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tumulus_arraybuffer::{DefaultAllocator, LimitedAllocator};
///
/// let at_most_a_megabyte = Arc::new(LimitedAllocator::new(DefaultAllocator, 1 << 20));
/// # drop(at_most_a_megabyte);
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultAllocator;

// SAFETY: blocks of pools and mappings are aligned, initialised, and handed out to one at a time.
unsafe impl Allocator for DefaultAllocator {
    fn allocate(&self, bytes: usize) -> Option<NonNull<u8>> {
        raw::allocate(bytes, IsZero::Known)
    }

    fn allocate_uninitialized(&self, bytes: usize) -> Option<NonNull<u8>> {
        raw::allocate(bytes, IsZero::Unknown)
    }

    unsafe fn free(&self, data: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { raw::free(data, bytes) }
    }
}

/// The allocator of Rust's standard library, whichever the program has chosen.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tumulus_arraybuffer::{BackingStore, SystemAllocator};
///
/// let store = BackingStore::with_allocator(&Arc::new(SystemAllocator), 100)?;
/// assert_eq!(store.byte_length(), 100);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemAllocator;

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes, ALIGN).ok().filter(|layout| layout.size() > 0)
}

// SAFETY: the layout is aligned and as large as asked, and the memory is zeroed. What is not initialised is not on offer.
unsafe impl Allocator for SystemAllocator {
    fn allocate(&self, bytes: usize) -> Option<NonNull<u8>> {
        // SAFETY: the layout is not of size zero.
        NonNull::new(unsafe { alloc_zeroed(layout(bytes)?) })
    }

    unsafe fn free(&self, data: NonNull<u8>, bytes: usize) {
        if let Some(layout) = layout(bytes) {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(data.as_ptr(), layout) }
        }
    }
}

/// An allocator that gives at most so many bytes at a time of another one's.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tumulus_arraybuffer::{BackingStore, LimitedAllocator, SystemAllocator};
///
/// let limited = Arc::new(LimitedAllocator::new(SystemAllocator, 1000));
/// let store = BackingStore::with_allocator(&limited, 800)?;
/// assert!(BackingStore::with_allocator(&limited, 300).is_err());
/// drop(store);
/// assert_eq!(limited.used(), 0);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Debug)]
pub struct LimitedAllocator<A> {
    inner: A,
    limit: usize,
    used: AtomicUsize,
}

impl<A: Allocator> LimitedAllocator<A> {
    /// At most `limit` bytes of `inner`'s.
    pub fn new(inner: A, limit: usize) -> LimitedAllocator<A> {
        LimitedAllocator { inner, limit, used: AtomicUsize::new(0) }
    }

    /// How many bytes are in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    fn limited(&self, bytes: usize, allocate: impl FnOnce() -> Option<NonNull<u8>>) -> Option<NonNull<u8>> {
        let more = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= self.limit);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).ok()?;
        // Also where the inner one panics.
        let taken = Taken { used: &self.used, bytes };
        let data = allocate()?;
        std::mem::forget(taken);
        Some(data)
    }
}

/// Bytes that were put on a count, and are taken off it when this is dropped.
struct Taken<'a> {
    used: &'a AtomicUsize,
    bytes: usize,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

// SAFETY: as the inner one.
unsafe impl<A: Allocator> Allocator for LimitedAllocator<A> {
    fn allocate(&self, bytes: usize) -> Option<NonNull<u8>> {
        self.limited(bytes, || self.inner.allocate(bytes))
    }

    fn allocate_uninitialized(&self, bytes: usize) -> Option<NonNull<u8>> {
        self.limited(bytes, || self.inner.allocate_uninitialized(bytes))
    }

    unsafe fn free(&self, data: NonNull<u8>, bytes: usize) {
        let _freed = Taken { used: &self.used, bytes };
        // SAFETY: the caller's promise.
        unsafe { self.inner.free(data, bytes) }
    }

    fn max_bytes(&self) -> usize {
        self.limit.min(self.inner.max_bytes())
    }
}
