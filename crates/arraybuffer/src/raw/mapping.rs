//! Memory from the operating system: pages that read as zero until they are written, and ranges of addresses.
//!
//! All sizes are rounded up to [`GRAIN`], a multiple of every page size in use. Under Miri, and where there is no `mmap`, a
//! mapping is one zeroed allocation.
//!
//! What is *not* here: who uses the memory (`pool.rs`, `large.rs`, `reserved.rs`).

use std::ptr::NonNull;

/// What mappings are made, committed and given back in.
pub(super) const GRAIN: usize = if cfg!(miri) { 4 << 10 } else { 64 << 10 };

/// A size rounded up to whole grains; `None` if it is too large.
pub(super) fn round(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(GRAIN).filter(|&rounded| isize::try_from(rounded).is_ok())
}

#[cfg(all(unix, not(miri)))]
mod system {
    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
    use std::ptr::{self, NonNull};

    #[cfg(any(target_os = "linux", target_os = "android"))]
    const RESERVE: MapFlags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const RESERVE: MapFlags = MapFlags::PRIVATE;

    fn anonymous(bytes: usize, protection: ProtFlags, flags: MapFlags) -> Option<NonNull<u8>> {
        // SAFETY: a new mapping at an address of the system's choice takes nothing from anybody.
        let mapped = unsafe { mmap_anonymous(ptr::null_mut(), bytes, protection, flags) };
        NonNull::new(mapped.ok()?.cast())
    }

    pub(in crate::raw) fn map(bytes: usize) -> Option<NonNull<u8>> {
        anonymous(bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
    }

    pub(in crate::raw) fn map_aligned(bytes: usize) -> Option<NonNull<u8>> {
        let wide = map(bytes.checked_mul(2)?)?;
        let before = wide.align_offset(bytes);
        // SAFETY: the mapping is twice as long, and nothing refers into it; what is in front and behind goes back.
        unsafe {
            let start = wide.add(before);
            for (part, length) in [(wide, before), (start.add(bytes), bytes - before)] {
                if length > 0 {
                    unmap(part, length);
                }
            }
            Some(start)
        }
    }

    pub(in crate::raw) unsafe fn unmap_aligned(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { unmap(start, bytes) }
    }

    pub(in crate::raw) fn reserve(bytes: usize) -> Option<NonNull<u8>> {
        anonymous(bytes, ProtFlags::empty(), RESERVE)
    }

    pub(in crate::raw) unsafe fn commit(start: NonNull<u8>, bytes: usize) -> bool {
        // SAFETY: the range is in a mapping of the caller's, and it takes no right away.
        unsafe { mprotect(start.as_ptr().cast(), bytes, MprotectFlags::READ | MprotectFlags::WRITE) }.is_ok()
    }

    pub(in crate::raw) unsafe fn discard(start: NonNull<u8>, bytes: usize) {
        // Elsewhere the advice does not promise that the range reads as zero afterwards.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::mm::{Advice, madvise};
            // SAFETY: the range is the caller's, who wants zeros in it.
            if unsafe { madvise(start.as_ptr().cast(), bytes, Advice::LinuxDontNeed) }.is_ok() {
                return;
            }
        }
        // SAFETY: the range is writable and the caller's. (Locked memory refuses the advice.)
        unsafe { ptr::write_bytes(start.as_ptr(), 0, bytes) }
    }

    pub(in crate::raw) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the range is a mapping of ours, whole, and nothing refers into it.
        let done = unsafe { munmap(start.as_ptr().cast(), bytes) };
        debug_assert!(done.is_ok(), "munmap refused a range that mmap gave: {done:?}");
    }
}

#[cfg(not(all(unix, not(miri))))]
mod system {
    use super::GRAIN;
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::ptr::{self, NonNull};

    /// What a machine without an operating system that grants everything may be asked for.
    const MOST: usize = 1 << 30;

    fn layout(bytes: usize) -> Option<Layout> {
        Layout::from_size_align(bytes, GRAIN).ok().filter(|_| bytes <= MOST)
    }

    pub(in crate::raw) fn map(bytes: usize) -> Option<NonNull<u8>> {
        // SAFETY: mappings are at least a grain long.
        NonNull::new(unsafe { alloc_zeroed(layout(bytes)?) })
    }

    pub(in crate::raw) fn map_aligned(bytes: usize) -> Option<NonNull<u8>> {
        // SAFETY: mappings are at least a grain long.
        NonNull::new(unsafe { alloc_zeroed(Layout::from_size_align(bytes, bytes).ok()?) })
    }

    pub(in crate::raw) unsafe fn unmap_aligned(start: NonNull<u8>, bytes: usize) {
        let layout = Layout::from_size_align(bytes, bytes).expect("it was made with it");
        // SAFETY: `map_aligned` allocated the range with this layout.
        unsafe { dealloc(start.as_ptr(), layout) }
    }

    pub(in crate::raw) fn reserve(bytes: usize) -> Option<NonNull<u8>> {
        map(bytes)
    }

    pub(in crate::raw) unsafe fn commit(_start: NonNull<u8>, _bytes: usize) -> bool {
        true
    }

    pub(in crate::raw) unsafe fn discard(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the range is writable and the caller's.
        unsafe { ptr::write_bytes(start.as_ptr(), 0, bytes) }
    }

    pub(in crate::raw) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
        // SAFETY: `map` allocated the range with this layout.
        unsafe { dealloc(start.as_ptr(), layout(bytes).expect("it was made with it")) }
    }
}

/// Maps `bytes`, a multiple of the grain and not zero, that read as zero and can be written to.
pub(super) fn map(bytes: usize) -> Option<NonNull<u8>> {
    debug_assert!(bytes != 0 && bytes.is_multiple_of(GRAIN));
    system::map(bytes)
}

/// The same, at a multiple of the size, which is a power of two.
pub(super) fn map_aligned(bytes: usize) -> Option<NonNull<u8>> {
    debug_assert!(bytes.is_power_of_two() && bytes >= GRAIN);
    system::map_aligned(bytes)
}

/// Gives a mapping back that was made by [`map_aligned`].
///
/// # Safety
///
/// It has this size, and nothing refers into it.
pub(super) unsafe fn unmap_aligned(start: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { system::unmap_aligned(start, bytes) }
}

/// Reserves addresses for `bytes`, which may be touched only where they were committed.
pub(super) fn reserve(bytes: usize) -> Option<NonNull<u8>> {
    debug_assert!(bytes != 0 && bytes.is_multiple_of(GRAIN));
    system::reserve(bytes)
}

/// Lets a range of whole grains be read, as zeros, and written to; false if the system refuses.
///
/// # Safety
///
/// The range is in a reservation of the caller's.
pub(super) unsafe fn commit(start: NonNull<u8>, bytes: usize) -> bool {
    // SAFETY: the caller's promise.
    bytes == 0 || unsafe { system::commit(start, bytes) }
}

/// Gives the memory behind a range of whole grains back. It reads as zero afterwards.
///
/// # Safety
///
/// The range is writable and the caller's, and nothing refers to what is in it.
pub(super) unsafe fn discard(start: NonNull<u8>, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the caller's promise.
        unsafe { system::discard(start, bytes) }
    }
}

/// Gives a mapping or a reservation back.
///
/// # Safety
///
/// It was made by [`map`] or [`reserve`] with this size, and nothing refers into it.
pub(super) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { system::unmap(start, bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zero_at_first_and_after_a_discard() {
        let start = map(2 * GRAIN).unwrap();
        // SAFETY: inside of the mapping, to which nothing else refers.
        unsafe {
            start.add(GRAIN + 3).write(7);
            discard(start.add(GRAIN), GRAIN);
            assert_eq!((start.read(), start.add(GRAIN + 3).read()), (0, 0));
            unmap(start, 2 * GRAIN);
        }
    }

    #[test]
    fn a_reservation_can_be_used_where_it_is_committed() {
        let start = reserve(16 * GRAIN).unwrap();
        // SAFETY: the same.
        unsafe {
            assert!(commit(start.add(GRAIN), GRAIN));
            start.add(GRAIN).write(1);
            assert_eq!(start.add(2 * GRAIN - 1).read(), 0);
            unmap(start, 16 * GRAIN);
        }
    }

    #[test]
    fn chunks_are_aligned() {
        let start = map_aligned(16 * GRAIN).unwrap();
        assert!(start.addr().get().is_multiple_of(16 * GRAIN));
        // SAFETY: inside of the mapping, to which nothing else refers.
        unsafe {
            start.add(16 * GRAIN - 1).write(1);
            unmap_aligned(start, 16 * GRAIN);
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert_eq!(round(usize::MAX), None);
        assert!(reserve(round(isize::MAX as usize - (1 << 20)).unwrap()).is_none());
    }
}
