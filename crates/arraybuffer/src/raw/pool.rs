//! Small blocks: recycled by size, with a list for each thread in front of a depot for all.
//!
//! A thread takes and returns blocks without a lock. Only when its list of a size is empty, or too long, it exchanges a batch
//! with the depot of that size, which keeps the free blocks in chunks, by address (`chunk.rs`).
//!
//! Invariants:
//!
//! - **P1.** A block is on a thread's list, or in a run that is not carved up yet, or free in its chunk, or handed out; never
//!   two of these.
//! - **P2.** Blocks of a run that is not carved up read as zero.
//! - **P3.** All bytes of a block are initialised, as those of a mapping are, and what is written to them later.

use super::chunk::Depot;
use super::classes::{COUNT, size_of_class};
use parking_lot::Mutex;
use std::ptr::NonNull;

/// A block that nobody uses.
#[derive(Debug)]
pub(super) struct Block(pub(super) NonNull<u8>);

// SAFETY: a block belongs to whoever has it (P1), on whichever thread.
unsafe impl Send for Block {}

/// Blocks side by side that were never handed out.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) next: Block,
    pub(super) left: usize,
}

impl Run {
    /// The next block; there is one.
    #[inline]
    fn take(&mut self, class: usize) -> NonNull<u8> {
        debug_assert!(self.left > 0);
        let block = self.next.0;
        self.left -= 1;
        // SAFETY: at most one past the end of the run's mapping.
        self.next = Block(unsafe { block.add(size_of_class(class)) });
        block
    }

    /// None.
    const EMPTY: Run = Run { next: Block(NonNull::dangling()), left: 0 };
}

static DEPOTS: [Mutex<Depot>; COUNT] = [const { Mutex::new(Depot::new()) }; COUNT];

/// Gives the memory of chunks back in which all is free, until at most `bytes` of these are kept.
pub(super) fn trim_to(bytes: usize) {
    for (class, depot) in DEPOTS.iter().enumerate() {
        depot.lock().trim_to(class, bytes);
    }
}

/// Fetches a block that will be written to before long, or its beginning.
#[inline]
fn prefetch(block: NonNull<u8>, bytes: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in (0..bytes.min(PREFETCHED)).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        // SAFETY: a hint, of an address inside of the block.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(block.as_ptr().add(line).cast()) }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (block, bytes);
}

/// How much of the next block is fetched.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const PREFETCHED: usize = 1024;

/// How many blocks are exchanged with the depot at once.
const fn batch(class: usize) -> usize {
    let fit = (64 << 10) / size_of_class(class);
    if fit > 64 { 64 } else { fit }
}

/// A thread's list of one size.
#[derive(Debug)]
pub(super) struct Magazine {
    blocks: Vec<Block>,
    run: Run,
}

impl Magazine {
    pub(super) const fn new() -> Magazine {
        Magazine { blocks: Vec::new(), run: Run::EMPTY }
    }

    /// A block, and whether it is known to be zero; `None` when the system has no memory.
    #[inline]
    pub(super) fn take(&mut self, class: usize) -> Option<(NonNull<u8>, IsZero)> {
        if let Some(block) = self.blocks.pop() {
            if let Some(next) = self.blocks.last() {
                prefetch(next.0, size_of_class(class));
            }
            return Some((block.0, IsZero::Unknown));
        }
        if self.run.left > 0 {
            return Some((self.run.take(class), IsZero::Known));
        }
        self.refill(class)
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self, class: usize) -> Option<(NonNull<u8>, IsZero)> {
        let mut depot = DEPOTS[class].lock();
        depot.take(class, batch(class), &mut self.blocks);
        if let Some(block) = self.blocks.pop() {
            return Some((block.0, IsZero::Unknown));
        }
        self.run = depot.take_new(class, batch(class))?;
        Some((self.run.take(class), IsZero::Known))
    }

    /// Takes a block back, which nobody uses any more.
    #[inline]
    pub(super) fn put(&mut self, class: usize, block: NonNull<u8>) {
        if self.blocks.len() >= 2 * batch(class) {
            self.send_batch(class);
        }
        self.blocks.push(Block(block));
    }

    #[cold]
    #[inline(never)]
    fn send_batch(&mut self, class: usize) {
        let kept = self.blocks.len() - batch(class);
        // The oldest go; what was used last is in the cache.
        let sent = self.blocks.len() - kept;
        if DEPOTS[class].lock().put(class, self.blocks.drain(..sent)) {
            crate::release::want_trim();
        }
    }

    /// Gives everything to the depot.
    pub(super) fn empty(&mut self, class: usize) {
        while self.run.left > 0 {
            self.blocks.push(Block(self.run.take(class)));
        }
        if !self.blocks.is_empty() {
            DEPOTS[class].lock().put(class, self.blocks.drain(..));
        }
    }
}

/// Whether the bytes of a block are known to be zero.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum IsZero {
    Known,
    Unknown,
}
