//! A block and what is around it.
//!
//! ```text
//! | guard, 64 bytes of 0xfd | the block's bytes | guard, 64 bytes of 0xfd, and up to 15 more |
//! ```
//!
//! Where a page that is not mapped follows, the second guard is what is left to the next multiple of 16 bytes.
//!
//! A freed block is full of 0xdd. Invariants:
//!
//! - **A1.** A `Block` owns memory of the inner allocator, of the size that `whole` says, and all of it can be read and written
//!   by way of `base`. Who gives it back has the `Block` no more.
//! - **A2.** The bytes between the guards belong to who allocated the block, until it is freed. The guards, and the bytes of a
//!   freed block, belong to the `Block`. A correct program does not touch them; what an incorrect one does there is what is
//!   looked for.

use super::{Life, Place};
use std::ptr::NonNull;
use tumulus_arraybuffer::{ALIGN, Allocator};

/// Bytes before and after each block; a multiple of the alignment.
const GUARD: usize = 64;
const GUARD_BYTE: u8 = 0xfd;
const FREED_BYTE: u8 = 0xdd;

const _: () = assert!(GUARD.is_multiple_of(ALIGN));

/// What follows a block.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Guarded {
    /// Bytes that are looked at.
    ByBytes,
    /// A page that is not mapped; nor is the block when it is freed.
    ByPages,
}

impl Guarded {
    /// How many bytes the guards of a block have, but for those up to a multiple of 16.
    fn bytes(self) -> usize {
        match self {
            Guarded::ByBytes => 2 * GUARD,
            Guarded::ByPages => GUARD,
        }
    }

    /// How many bytes of the inner allocator a block of so many takes.
    pub(super) fn whole(self, bytes: usize) -> Option<usize> {
        bytes.checked_next_multiple_of(ALIGN)?.checked_add(self.bytes())
    }

    /// The most bytes that a block can have, if the inner allocator gives so many.
    pub(super) fn most(self, inner: usize) -> usize {
        (inner - inner % ALIGN).saturating_sub(self.bytes())
    }
}

pub(super) struct Block {
    /// What the inner allocator gave.
    base: NonNull<u8>,
    guarded: Guarded,
    pub(super) life: Life,
}

// SAFETY: a block is memory that it owns (A1), whoever looks at it.
unsafe impl Send for Block {}

impl Block {
    /// Puts guards around new memory.
    ///
    /// # Safety
    ///
    /// `base` is the caller's, with as many bytes as `guarded` says.
    pub(super) unsafe fn new(base: NonNull<u8>, guarded: Guarded, number: u64, bytes: usize, born: Place) -> Block {
        let address = base.addr().get() + GUARD;
        let mut block = Block { base, guarded, life: Life { number, address, bytes, born, freed: None } };
        block.fill_guards();
        block
    }

    /// Where its bytes are.
    pub(super) fn data(&self) -> NonNull<u8> {
        // SAFETY: the memory is longer than a guard (A1).
        unsafe { self.base.add(GUARD) }
    }

    fn whole(&self) -> usize {
        self.guarded.whole(self.life.bytes).expect("it was allocated")
    }

    /// Where a byte differs from a pattern first, which is looked for in bytes that are not somebody else's.
    fn find_other(&self, from: usize, to: usize, pattern: u8) -> Option<usize> {
        assert!(to <= self.whole());
        // SAFETY: inside of the memory (A1). One at a time, as an incorrect program may be writing there.
        let byte = |at| unsafe { self.base.add(at).read_volatile() };
        (from..to).find(|&at| byte(at) != pattern)
    }

    /// The first byte around the block that was written to, counted from its start.
    pub(super) fn first_out_of_bounds(&self) -> Option<isize> {
        let before = self.find_other(0, GUARD, GUARD_BYTE);
        let at = before.or_else(|| self.find_other(GUARD + self.life.bytes, self.whole(), GUARD_BYTE))?;
        Some(at.cast_signed() - GUARD.cast_signed())
    }

    /// The first byte of the block, which is freed, that was written to.
    pub(super) fn first_written_after_free(&self) -> Option<usize> {
        self.find_other(GUARD, GUARD + self.life.bytes, FREED_BYTE).map(|at| at - GUARD)
    }

    /// Makes the guards good.
    pub(super) fn fill_guards(&mut self) {
        let (end, whole) = (GUARD + self.life.bytes, self.whole());
        // SAFETY: inside of the memory (A1), and not the block's bytes (A2).
        unsafe {
            self.base.write_bytes(GUARD_BYTE, GUARD);
            self.base.add(end).write_bytes(GUARD_BYTE, whole - end);
        }
    }

    /// Fills the block, which is freed.
    pub(super) fn fill_freed(&mut self) {
        debug_assert!(self.life.freed.is_some());
        // SAFETY: inside of the memory (A1), and freed (A2).
        unsafe { self.data().write_bytes(FREED_BYTE, self.life.bytes) }
    }

    /// Gives the memory back.
    ///
    /// # Safety
    ///
    /// `inner` gave it.
    pub(super) unsafe fn give_back<A: Allocator>(self, inner: &A) {
        // SAFETY: the caller's promise, with the size that was asked for (A1).
        unsafe { inner.free(self.base, self.whole()) }
    }
}
