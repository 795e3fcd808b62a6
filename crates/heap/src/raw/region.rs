//! Address space: reserved at once, backed by memory as it is touched, zero where it was never written.
//!
//! A [`Region`] is a range of bytes; a [`Table`] is one seen as a slice of plain numbers. Both are readable and
//! writable over their whole length from the start, so that no access inside of them can fault, and both read as zero
//! until something is written. That is invariant **I9** of the soundness chapter.
//!
//! On Unix the range is an anonymous mapping without a reservation of swap. Elsewhere, and under Miri, it is one
//! zeroed allocation of a much smaller size.
//!
//! What is *not* here: what the bytes mean (`store.rs`), and who decides which of them are in use (`pages.rs`).

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Regions start at a multiple of this, the size of a huge page on the common machines.
#[cfg(not(miri))]
pub(super) const ALIGN: usize = 2 << 20;
/// Under Miri a region is a small allocation, which need not be aligned beyond a page of cells.
#[cfg(miri)]
pub(super) const ALIGN: usize = super::layout::PAGE_BYTES;

/// A range of address space that belongs to its owner alone.
pub(super) struct Region {
    start: NonNull<u8>,
    bytes: usize,
    mapping: sys::Mapping,
}

impl Region {
    /// Reserves `bytes` of address space, or says `None` when the system refuses.
    pub(super) fn reserve(bytes: usize) -> Option<Region> {
        let (start, mapping) = sys::reserve(bytes)?;
        debug_assert_eq!(start.addr().get() % ALIGN, 0);
        Some(Region { start, bytes, mapping })
    }

    /// The first byte.
    #[inline(always)]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How long the region is.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives the memory behind `offset..offset + bytes` back to the system. The range reads as zero afterwards.
    ///
    /// # Safety
    ///
    /// Nothing refers to a byte of the range.
    pub(super) unsafe fn discard(&mut self, offset: usize, bytes: usize) {
        assert!(offset <= self.bytes && bytes <= self.bytes - offset, "a discard beyond the region");
        // SAFETY: the range is inside the region, which is ours alone, and the caller vouches that nothing refers to it.
        unsafe { sys::discard(self.start.add(offset), bytes) }
    }

    /// Asks the system to back `offset..offset + bytes` with huge pages. A hint: nothing changes if it is refused.
    pub(super) fn prefer_huge_pages(&mut self, offset: usize, bytes: usize) {
        assert!(offset <= self.bytes && bytes <= self.bytes - offset, "advice beyond the region");
        // SAFETY: the range is inside the region, which is ours alone.
        unsafe { sys::prefer_huge_pages(self.start.add(offset), bytes) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `reserve` and is released here, once.
        unsafe { sys::release(&self.mapping) }
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").field("start", &self.start).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// A type for which memory full of zeros is a valid value.
///
/// # Safety
///
/// All-zero bytes are a valid value of the type, it has no destructor, and its alignment divides a page.
pub(super) unsafe trait Zeroed: Copy {}

/// A slice of `T` in a [`Region`]: long, zero at first, and resident only where it was touched.
pub(super) struct Table<T: Zeroed> {
    region: Region,
    len: usize,
    items: PhantomData<T>,
}

impl<T: Zeroed> Table<T> {
    /// Reserves a table of `len` zero items, or says `None` when the system refuses.
    pub(super) fn reserve(len: usize) -> Option<Table<T>> {
        let bytes = len.checked_mul(size_of::<T>())?;
        Some(Table { region: Region::reserve(bytes)?, len, items: PhantomData })
    }
}

impl<T: Zeroed> Deref for Table<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the region holds `len` items, aligned (`ALIGN` is more than any `Zeroed` type asks), zero or written
        // through `deref_mut`, and it is borrowed as long as the slice is.
        unsafe { std::slice::from_raw_parts(self.region.start.cast().as_ptr(), self.len) }
    }
}

impl<T: Zeroed> DerefMut for Table<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.region.start.cast().as_ptr(), self.len) }
    }
}

impl<T: Zeroed> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(all(unix, not(miri)))]
mod sys {
    //! Anonymous private mappings.

    use super::ALIGN;
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
    use std::ptr::{self, NonNull};

    /// What `munmap` wants to be told.
    pub(super) struct Mapping {
        start: NonNull<u8>,
        bytes: usize,
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    const FLAGS: MapFlags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const FLAGS: MapFlags = MapFlags::PRIVATE;

    pub(super) fn reserve(bytes: usize) -> Option<(NonNull<u8>, Mapping)> {
        let padded = bytes.max(1).checked_add(ALIGN)?;
        // SAFETY: a new mapping at an address of the system's choice takes nothing from anybody.
        let mapped = unsafe { mmap_anonymous(ptr::null_mut(), padded, ProtFlags::READ | ProtFlags::WRITE, FLAGS) };
        let start = NonNull::new(mapped.ok()?.cast::<u8>())?;
        // SAFETY: the offset is less than `ALIGN`, by which the mapping is longer than asked.
        let aligned = unsafe { start.add(start.align_offset(ALIGN)) };
        Some((aligned, Mapping { start, bytes: padded }))
    }

    /// # Safety
    ///
    /// `mapping` came from `reserve`, and nothing refers into it.
    pub(super) unsafe fn release(mapping: &Mapping) {
        // SAFETY: the range is one that `mmap` gave us, whole.
        let released = unsafe { munmap(mapping.start.as_ptr().cast(), mapping.bytes) };
        debug_assert!(released.is_ok(), "munmap refused a range that mmap gave: {released:?}");
    }

    /// # Safety
    ///
    /// The range is inside a mapping of ours, and nothing refers into it.
    pub(super) unsafe fn discard(start: NonNull<u8>, bytes: usize) {
        // Elsewhere the advice does not promise that the range reads as zero afterwards.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::mm::{Advice, madvise};
            // SAFETY: the range is ours and nothing refers into it.
            if unsafe { madvise(start.as_ptr().cast(), bytes, Advice::LinuxDontNeed) }.is_ok() {
                return;
            }
        }
        // SAFETY: the range is ours, writable, and nothing refers into it. (Locked memory refuses the advice.)
        unsafe { ptr::write_bytes(start.as_ptr(), 0, bytes) }
    }

    /// # Safety
    ///
    /// The range is inside a mapping of ours.
    pub(super) unsafe fn prefer_huge_pages(start: NonNull<u8>, bytes: usize) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::mm::{Advice, madvise};
            // SAFETY: the advice changes how the range is backed, not what it holds. A refusal changes nothing.
            let _ = unsafe { madvise(start.as_ptr().cast(), bytes, Advice::LinuxHugepage) };
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = (start, bytes);
    }
}

#[cfg(not(all(unix, not(miri))))]
mod sys {
    //! One zeroed allocation.

    use super::ALIGN;
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::ptr::{self, NonNull};

    pub(super) struct Mapping {
        start: NonNull<u8>,
        layout: Layout,
    }

    pub(super) fn reserve(bytes: usize) -> Option<(NonNull<u8>, Mapping)> {
        let layout = Layout::from_size_align(bytes.max(1), ALIGN).ok()?;
        // SAFETY: the layout is not of size zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some((start, Mapping { start, layout }))
    }

    /// # Safety
    ///
    /// `mapping` came from `reserve`, and nothing refers into it.
    pub(super) unsafe fn release(mapping: &Mapping) {
        // SAFETY: allocated by `reserve` with this layout.
        unsafe { dealloc(mapping.start.as_ptr(), mapping.layout) }
    }

    /// # Safety
    ///
    /// The range is inside an allocation of ours, and nothing refers into it.
    pub(super) unsafe fn discard(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the range is ours, writable, and nothing refers into it.
        unsafe { ptr::write_bytes(start.as_ptr(), 0, bytes) }
    }

    /// # Safety
    ///
    /// None needed here: nothing is done.
    pub(super) unsafe fn prefer_huge_pages(_start: NonNull<u8>, _bytes: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_zero_until_written_and_after_a_discard() {
        let mut region = Region::reserve(4 * ALIGN).unwrap();
        // SAFETY: inside the region, to which nothing else refers.
        unsafe {
            let byte = region.start().add(ALIGN + 5);
            assert_eq!(byte.read(), 0);
            byte.write(7);
            region.discard(ALIGN, ALIGN);
            assert_eq!(byte.read(), 0);
        }
        assert_eq!(region.bytes(), 4 * ALIGN);
    }

    #[test]
    fn an_impossible_size_is_refused() {
        assert!(Region::reserve(usize::MAX).is_none());
        // Miri gives up where a system refuses.
        #[cfg(not(miri))]
        assert!(Region::reserve(usize::MAX / 4).is_none());
    }
}
