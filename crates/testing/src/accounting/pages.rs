//! Blocks in mappings of their own, that end where nothing is mapped.
//!
//! ```text
//! | not accessible, a page | nothing | the block | not accessible, a page |
//! ```
//!
//! Invariant **G1**: between the two pages lie as many whole pages as the block needs, which can be read and written from when
//! it is allocated until it is freed; from then on nothing of it can, and its addresses are given to nobody else as long as
//! they are among those that are kept.

use parking_lot::Mutex;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::collections::VecDeque;
use std::fmt;
use std::ptr::{self, NonNull};
use tumulus_arraybuffer::{ALIGN, Allocator};

/// How many freed blocks keep their addresses.
const KEPT: usize = 1000;

/// An allocator whose blocks end at a page that is not mapped, and cannot be touched any more when they are freed: who writes
/// or reads there is ended by the system, at once.
///
/// [`AccountingAllocator::with_guard_pages`](super::AccountingAllocator::with_guard_pages) keeps accounts of one.
///
/// A block takes whole pages and two more of addresses, and three system calls. The last 1,000 that were freed keep their
/// addresses. What is not a multiple of 16 bytes ends up to 15 bytes before the page.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tumulus_arraybuffer::BackingStore;
/// use tumulus_testing::GuardPages;
///
/// let store = BackingStore::with_allocator(&Arc::new(GuardPages::new()), 160)?;
/// store.with_bytes_mut(|bytes| bytes.fill(7))?;
/// // Byte 160 is on a page that is not there.
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Default)]
pub struct GuardPages {
    freed: Mutex<VecDeque<Mapping>>,
}

/// A whole mapping, both guards included.
struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a mapping is addresses of its owner's (G1), on whichever thread.
unsafe impl Send for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped as a whole, and freed: nobody uses it any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

impl GuardPages {
    /// One without blocks.
    ///
    /// ```
    /// let allocator = tumulus_testing::GuardPages::new();
    /// ```
    pub fn new() -> GuardPages {
        GuardPages::default()
    }

    /// How many bytes of whole pages a block has, and how many its mapping.
    fn sizes(bytes: usize) -> Option<(usize, usize)> {
        let page = rustix::param::page_size();
        let pages = bytes.checked_next_multiple_of(page).filter(|&pages| pages > 0)?;
        Some((pages, pages.checked_add(2 * page)?))
    }
}

// SAFETY: a new mapping is zero, and nobody else's until the block is freed (G1); a block begins a multiple of `ALIGN` before
// the end of a page.
unsafe impl Allocator for GuardPages {
    fn allocate(&self, bytes: usize) -> Option<NonNull<u8>> {
        let (pages, whole) = GuardPages::sizes(bytes)?;
        // SAFETY: a new mapping at an address of the system's choice takes nothing from anybody.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), whole, ProtFlags::empty(), MapFlags::PRIVATE) };
        let mapping = Mapping { start: NonNull::new(start.ok()?.cast())?, bytes: whole };
        // SAFETY: the pages between the first and the last of the mapping; the block is at their end.
        unsafe {
            let accessible = mapping.start.add((whole - pages) / 2);
            mprotect(accessible.as_ptr().cast(), pages, MprotectFlags::READ | MprotectFlags::WRITE).ok()?;
            std::mem::forget(mapping);
            Some(accessible.add(pages - bytes.next_multiple_of(ALIGN)))
        }
    }

    unsafe fn free(&self, data: NonNull<u8>, bytes: usize) {
        let Some((pages, whole)) = GuardPages::sizes(bytes) else { return };
        // SAFETY: the caller's promise: the block is at the end of so many pages, behind a guard (G1).
        let mapping = unsafe {
            let accessible = data.sub(pages - bytes.next_multiple_of(ALIGN));
            Mapping { start: accessible.sub((whole - pages) / 2), bytes: whole }
        };
        // A new mapping over the old one gives its memory back, where a change of rights would not.
        let flags = MapFlags::PRIVATE | MapFlags::FIXED;
        // SAFETY: it replaces the mapping, which nobody uses any more, as a whole.
        let _ = unsafe { mmap_anonymous(mapping.start.as_ptr().cast(), whole, ProtFlags::empty(), flags) };
        let oldest = {
            let mut freed = self.freed.lock();
            freed.push_back(mapping);
            if freed.len() > KEPT { freed.pop_front() } else { None }
        };
        drop(oldest);
    }
}

impl fmt::Debug for GuardPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardPages").field("freed", &self.freed.lock().len()).finish()
    }
}
