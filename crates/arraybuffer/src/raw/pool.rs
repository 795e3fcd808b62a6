//! Small blocks: recycled from lists by size, one list for each thread in front of one for all.
//!
//! A thread takes and returns blocks without a lock. Only when its list of a size is empty, or too long, it exchanges a batch
//! with the depot of that size. Blocks come from mappings that are carved up and never given back: what a program used at
//! once, it will use again.
//!
//! Invariants:
//!
//! - **P1.** A block is on one list, or in one run that is not carved up yet, or handed out; never two of these.
//! - **P2.** Blocks of a run that is not carved up read as zero.
//! - **P3.** All bytes of a block are initialised, as those of a mapping are, and what is written to them later.

use super::classes::{COUNT, size_of_class};
use super::mapping;
use parking_lot::Mutex;
use std::ptr::NonNull;

/// What is mapped at once.
const CHUNK: usize = if cfg!(miri) { 64 << 10 } else { 1 << 20 };

/// A block that nobody uses.
#[derive(Debug)]
pub(super) struct Block(pub(super) NonNull<u8>);

// SAFETY: a block belongs to whoever has it (P1), on whichever thread.
unsafe impl Send for Block {}

/// Blocks side by side that were never handed out.
#[derive(Debug)]
struct Run {
    next: Block,
    left: usize,
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

    /// The first `count` blocks, or all.
    fn split(&mut self, class: usize, count: usize) -> Run {
        let count = count.min(self.left);
        let first = Run { next: Block(self.next.0), left: count };
        self.left -= count;
        // SAFETY: inside of the run's mapping, or one past its end.
        self.next = Block(unsafe { self.next.0.add(count * size_of_class(class)) });
        first
    }
}

/// The list of one size that all threads share.
struct Depot {
    batches: Vec<Vec<Block>>,
    chunk: Run,
}

static DEPOTS: [Mutex<Depot>; COUNT] =
    [const { Mutex::new(Depot { batches: Vec::new(), chunk: Run { next: Block(NonNull::dangling()), left: 0 } }) };
        COUNT];

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
        Magazine { blocks: Vec::new(), run: Run { next: Block(NonNull::dangling()), left: 0 } }
    }

    /// A block, and whether it is known to be zero; `None` when the system has no memory.
    #[inline]
    pub(super) fn take(&mut self, class: usize) -> Option<(NonNull<u8>, IsZero)> {
        if let Some(block) = self.blocks.pop() {
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
        if let Some(batch) = depot.batches.pop() {
            drop(depot);
            self.blocks = batch;
            // A collection frees blocks in the order of their addresses, and in that order they are written to most quickly.
            self.blocks.reverse();
            let block = self.blocks.pop().expect("no batch is empty");
            return Some((block.0, IsZero::Unknown));
        }
        if depot.chunk.left == 0 {
            depot.chunk = Run { next: Block(mapping::map(CHUNK)?), left: CHUNK / size_of_class(class) };
        }
        self.run = depot.chunk.split(class, batch(class));
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
        let sent = self.blocks.split_off(kept);
        DEPOTS[class].lock().batches.push(sent);
    }

    /// Gives everything to the depot.
    pub(super) fn empty(&mut self, class: usize) {
        let mut sent = std::mem::take(&mut self.blocks);
        while self.run.left > 0 {
            sent.push(Block(self.run.take(class)));
        }
        if !sent.is_empty() {
            DEPOTS[class].lock().batches.push(sent);
        }
    }
}

/// Whether the bytes of a block are known to be zero.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum IsZero {
    Known,
    Unknown,
}
