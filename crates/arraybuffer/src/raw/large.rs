//! Large blocks: mappings, of which some that nobody uses are kept for the next who wants one as large.
//!
//! A mapping is made of pages that cost nothing until they are touched. One that comes back is kept as it is, with what is
//! written in it, and is cleaned only when it is handed out again: where few of its pages are there, by giving these back,
//! and where most are, by writing zeros over them, which is quicker than taking new pages from the system. What is kept is
//! bounded; beyond the bound the oldest is unmapped, which takes long, and is therefore left to the releaser.
//!
//! All bytes of a block are initialised, as those of a mapping are, and what is written to them later.

use super::mapping;
use super::pool::{Block, IsZero};
use crate::sync::Mutex;
use std::collections::VecDeque;
use std::ptr::NonNull;

/// How many bytes are kept at most, and how many blocks.
const KEPT_BYTES: usize = 32 << 20;
const KEPT_BLOCKS: usize = 64;

/// Blocks that nobody uses, the oldest first.
struct Kept {
    blocks: VecDeque<(Block, usize)>,
    bytes: usize,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { blocks: VecDeque::new(), bytes: 0 });

/// The size of the mapping for a block of `bytes`; `None` if it is too large.
pub(super) fn capacity(bytes: usize) -> Option<usize> {
    // One of eight sizes for each doubling, so that what is kept fits the next.
    let step = (bytes.checked_next_power_of_two()? / 16).max(mapping::GRAIN);
    mapping::round(bytes.checked_next_multiple_of(step)?)
}

/// A block, and whether it is known to be zero; `None` when the system refuses.
pub(super) fn take(bytes: usize, wanted: IsZero) -> Option<NonNull<u8>> {
    let capacity = capacity(bytes)?;
    let kept = {
        let mut kept = KEPT.lock();
        let newest = kept.blocks.iter().rposition(|&(_, size)| size == capacity);
        newest.and_then(|at| kept.blocks.remove(at)).inspect(|_| kept.bytes -= capacity)
    };
    let Some((Block(start), _)) = kept else { return mapping::map(capacity) };
    if wanted == IsZero::Known {
        // SAFETY: the block is `capacity` long, and ours since it is off the list.
        unsafe { clean(start, capacity) }
    }
    Some(start)
}

/// Takes a block back. True if there are more now than should be kept, so that [`trim`] should be called.
///
/// # Safety
///
/// It came from [`take`] with this size, and nobody uses it any more.
pub(super) unsafe fn put(start: NonNull<u8>, bytes: usize) -> bool {
    let Some(capacity) = capacity(bytes) else { return false };
    let mut kept = KEPT.lock();
    if kept.blocks.try_reserve(1).is_err() {
        // SAFETY: it is `capacity` long, and nobody uses it.
        unsafe { mapping::unmap(start, capacity) }
        return false;
    }
    kept.blocks.push_back((Block(start), capacity));
    kept.bytes += capacity;
    kept.bytes > KEPT_BYTES || kept.blocks.len() > KEPT_BLOCKS
}

/// Unmaps the oldest blocks, until at most `bytes` are kept.
pub(super) fn trim_to(bytes: usize) {
    loop {
        let mut kept = KEPT.lock();
        if kept.bytes <= bytes && kept.blocks.len() <= KEPT_BLOCKS {
            return;
        }
        let Some((Block(start), capacity)) = kept.blocks.pop_front() else { return };
        kept.bytes -= capacity;
        drop(kept);
        // SAFETY: it is `capacity` long, off the list, and nobody uses it.
        unsafe { mapping::unmap(start, capacity) }
    }
}

/// Unmaps what is too much.
pub(super) fn trim() {
    trim_to(KEPT_BYTES);
}

/// Makes a block zero again.
///
/// # Safety
///
/// The block is `capacity` long and the caller's.
unsafe fn clean(start: NonNull<u8>, capacity: usize) {
    if residency::is_dense(start, capacity) {
        // SAFETY: the caller's promise.
        unsafe { start.write_bytes(0, capacity) }
    } else {
        // SAFETY: the same; a capacity is a number of whole grains.
        unsafe { mapping::discard(start, capacity) }
    }
}

mod residency {
    //! How much of a mapping is there. A wrong answer costs time and nothing else.

    use std::ptr::NonNull;

    #[cfg(all(target_os = "linux", not(miri)))]
    pub(super) fn is_dense(start: NonNull<u8>, bytes: usize) -> bool {
        use std::fs::File;
        use std::os::unix::fs::FileExt;
        use std::sync::LazyLock;

        /// One word for each page of the process, of which the highest bits say that it is in memory or swapped out.
        static PAGEMAP: LazyLock<Option<File>> = LazyLock::new(|| File::open("/proc/self/pagemap").ok());
        const PAGE: usize = 4096;
        const THERE: u64 = 0b11 << 62;
        const LOOKED_AT: usize = 64;

        // The first pages speak for the others. The last one is written to by those who try a block out.
        let Some(pagemap) = &*PAGEMAP else { return false };
        let mut words = [[0_u8; 8]; LOOKED_AT];
        let looked_at = LOOKED_AT.min(bytes / PAGE);
        let words = &mut words[..looked_at];
        let place = (start.addr().get() / PAGE * 8) as u64;
        let read = pagemap.read_exact_at(words.as_flattened_mut(), place);
        let there = words.iter().filter(|word| u64::from_ne_bytes(**word) & THERE != 0).count();
        read.is_ok() && there * 4 >= looked_at
    }

    #[cfg(not(all(target_os = "linux", not(miri))))]
    pub(super) fn is_dense(_start: NonNull<u8>, bytes: usize) -> bool {
        bytes <= 256 << 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_was_used_is_zero_again() {
        let bytes = if cfg!(miri) { 40 << 10 } else { 3 << 20 };
        for touched in [2, bytes] {
            let start = take(bytes, IsZero::Known).unwrap();
            // SAFETY: the block is ours.
            unsafe {
                start.write_bytes(0xff, touched);
                start.add(bytes - 1).write(1);
                put(start, bytes);
            }
            let again = take(bytes, IsZero::Known).unwrap();
            // SAFETY: the same.
            unsafe {
                assert!(std::slice::from_raw_parts(again.as_ptr(), bytes).iter().all(|&byte| byte == 0));
                put(again, bytes);
            }
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let blocks: Vec<_> = (0..KEPT_BLOCKS + 10).map(|_| take(100_000, IsZero::Unknown).unwrap()).collect();
        for block in blocks {
            // SAFETY: it came from `take` with this size.
            unsafe { put(block, 100_000) };
        }
        trim();
        assert!(KEPT.lock().blocks.len() <= KEPT_BLOCKS);
    }

    #[test]
    fn capacities_are_whole_grains_and_waste_little() {
        for bytes in [32 << 10, 100_000, 1 << 20, (1 << 20) + 1, 77 << 20] {
            let capacity = capacity(bytes).unwrap();
            assert!(capacity >= bytes && capacity.is_multiple_of(mapping::GRAIN));
            assert!(capacity <= bytes + (bytes / 8).max(mapping::GRAIN), "{bytes} {capacity}");
        }
        assert_eq!(capacity(usize::MAX), None);
    }
}
