//! Small blocks: recycled by size, with a shelf for each thread in front of a depot for all.
//!
//! A thread takes and returns blocks without a lock. Only when it has none of a size, or too many, it exchanges some with the
//! depot of that size, which keeps the free blocks in chunks, by address (`chunk.rs`). Returning a block allocates nothing.
//!
//! Invariants:
//!
//! - **P1.** A block is on a thread's shelf, or in a run that is not carved up yet, or free in its chunk, or handed out; never
//!   two of these.
//! - **P2.** Blocks of a run that is not carved up read as zero.
//! - **P3.** All bytes of a block are initialised, as those of a mapping are, and what is written to them later.

use super::chunk::{Depot, Word};
use super::classes::{COUNT, size_of_class};
use super::prefetch::prefetch_all;
use super::shelf::Shelf;
use crate::sync::Mutex;
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

/// How much of the next block is fetched while one is handed out: its stores then do not wait for memory.
const PREFETCHED: usize = 1024;

/// How many blocks are exchanged with the depot at once.
const fn batch(class: usize) -> u32 {
    let fit = (64 << 10) / size_of_class(class) as u32;
    if fit > 64 { 64 } else { fit }
}

/// How many blocks a thread keeps, of each size.
const MOST: [u32; COUNT] = {
    let mut all = [0; COUNT];
    let mut class = 0;
    while class < COUNT {
        all[class] = 2 * batch(class);
        class += 1;
    }
    all
};

/// A thread's blocks of one size.
#[derive(Debug)]
pub(super) struct Magazine {
    /// Blocks that were used before, by word of their chunk's bits.
    used: Shelf<Word, 6>,
    /// How many these are.
    count: u32,
    run: Run,
}

impl Magazine {
    pub(super) const fn new() -> Magazine {
        Magazine { used: Shelf::new(Word::NONE), count: 0, run: Run::EMPTY }
    }

    /// A block, and whether it is known to be zero; `None` when the system has no memory.
    #[inline]
    pub(super) fn take(&mut self, class: usize) -> Option<(NonNull<u8>, IsZero)> {
        if self.used.top().1 == 0 {
            if self.run.left > 0 && self.count == 0 {
                return Some((self.run.take(class), IsZero::Known));
            }
            if !self.refill(class)? {
                return Some((self.run.take(class), IsZero::Known));
            }
        }
        self.count -= 1;
        let bit = self.used.take();
        let (word, left) = self.used.top();
        if left != 0 {
            let next = word.block(class, left.trailing_zeros()).0;
            prefetch_all(next.as_ptr(), size_of_class(class).min(PREFETCHED));
        }
        Some((word.block(class, bit).0, IsZero::Unknown))
    }

    /// Gets blocks, and says whether these were used before; `None` when the system has no memory.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, class: usize) -> Option<bool> {
        if self.used.uncover() {
            return Some(true);
        }
        let mut depot = DEPOTS[class].lock();
        self.count = depot.take(class, batch(class), &mut self.used);
        if self.count == 0 {
            self.run = depot.take_new(class, batch(class) as usize)?;
        }
        Some(self.count > 0)
    }

    /// Takes a block back, which nobody uses any more.
    #[inline]
    pub(super) fn put(&mut self, class: usize, block: NonNull<u8>) {
        match self.used.top().0.bit_of(class, &Block(block)) {
            Some(bit) if self.count < MOST[class] => self.used.add(bit),
            _ => self.put_elsewhere(class, &Block(block)),
        }
        self.count += 1;
    }

    #[inline(never)]
    fn put_elsewhere(&mut self, class: usize, block: &Block) {
        if self.used.is_full() || self.count >= MOST[class] {
            self.return_blocks(class);
        }
        let (word, bit) = Word::of(class, block);
        self.used.push(word, 1 << bit);
    }

    #[cold]
    fn return_blocks(&mut self, class: usize) {
        self.count = 0;
        if DEPOTS[class].lock().put(class, self.used.drain()) {
            crate::release::want_trim();
        }
    }

    /// Gives everything to the depot.
    pub(super) fn empty(&mut self, class: usize) {
        while self.run.left > 0 {
            let block = self.run.take(class);
            self.put(class, block);
        }
        if self.count > 0 {
            self.return_blocks(class);
        }
    }
}

/// Whether the bytes of a block are known to be zero.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum IsZero {
    Known,
    Unknown,
}
