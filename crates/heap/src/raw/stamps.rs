//! Stamps: numbers that tell the objects of a process apart.
//!
//! There is one counter for the whole process. A heap takes stamps from it in blocks, uses one until a sweep frees
//! cells, and then goes on to the next. Invariant **I4**: no two heaps ever use the same stamp, no heap uses one in
//! two epochs, and zero is none. When the 2^32 are used up there are no more: the process can go on reading and
//! collecting, and every further allocation that would need a new stamp is an error.

use crate::error::HeapError;
use parking_lot::Mutex;
use std::ops::Range;

/// The first stamp that no heap has taken yet; `None` when all are taken.
static NEXT: Mutex<Option<u32>> = Mutex::new(Some(1));

/// The largest block that a heap takes at once.
const LARGEST_BLOCK: u32 = 4096;

/// The stamps that one heap has taken from the process, and the one that it is using.
#[derive(Debug)]
pub(crate) struct Stamps {
    current: u32,
    /// Blocks taken, in ascending order; all up to `current` have been used.
    blocks: Vec<Range<u32>>,
}

impl Stamps {
    /// Takes a first stamp.
    pub(super) fn new() -> Result<Stamps, HeapError> {
        // Enough for the doubling blocks of a heap that is alone in its process, which needs no memory for them later.
        let mut blocks = Vec::new();
        blocks.try_reserve(32).map_err(|_| HeapError::Memory)?;
        let mut stamps = Stamps { current: 0, blocks };
        stamps.advance();
        if stamps.current == 0 { Err(HeapError::Stamps) } else { Ok(stamps) }
    }

    /// The stamp for what is allocated now. Zero when none is left.
    #[inline(always)]
    pub(crate) fn current(&self) -> u32 {
        self.current
    }

    /// Leaves the current stamp for ever and goes on to a new one, or to zero when none is left.
    pub(super) fn advance(&mut self) {
        if let Some(block) = self.blocks.last()
            && self.current != 0
            && self.current + 1 < block.end
        {
            self.current += 1;
            return;
        }
        self.current = 0;
        // Blocks double, so that a short life wastes few stamps and a long one needs few blocks.
        let wanted = self.blocks.last().map_or(1, |block| (block.len() as u32).saturating_mul(2).min(LARGEST_BLOCK));
        if self.blocks.try_reserve(1).is_err() {
            return;
        }
        if let Some(block) = take(wanted) {
            self.current = block.start;
            match self.blocks.last_mut() {
                // Alone in the process, a heap has one long block.
                Some(last) if last.end == block.start && last.len() >= LARGEST_BLOCK as usize => last.end = block.end,
                _ => self.blocks.push(block),
            }
        }
    }

    /// Whether this heap has ever used `stamp`.
    pub(crate) fn owns(&self, stamp: u32) -> bool {
        let after = self.blocks.partition_point(|block| block.end <= stamp);
        let in_block = self.blocks.get(after).is_some_and(|block| block.contains(&stamp));
        in_block && (self.current == 0 || stamp <= self.current)
    }
}

/// Takes up to `wanted` stamps from the process.
fn take(wanted: u32) -> Option<Range<u32>> {
    let mut next = NEXT.lock();
    let start = (*next)?;
    // The very last stamp is never used, so that the end of a block is a number too.
    let end = start.saturating_add(wanted);
    *next = (end < u32::MAX).then_some(end);
    (start < end).then_some(start..end)
}

/// Leaves the process with at most `remaining` stamps. The rest is gone: there is no way back.
pub(crate) fn leave_only(remaining: u32) {
    let mut next = NEXT.lock();
    *next = match *next {
        Some(start) if remaining > 0 => Some(start.max(u32::MAX - remaining)),
        _ => None,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise_differ_between_heaps_and_are_known_to_their_owner() {
        let (mut a, mut b) = (Stamps::new().unwrap(), Stamps::new().unwrap());
        let mut used = std::collections::HashSet::new();
        let mut last = (0, 0);
        for _ in 0..if cfg!(miri) { 200 } else { 20_000 } {
            assert!(last.0 < a.current() && last.1 < b.current());
            assert!(used.insert(a.current()) && used.insert(b.current()));
            assert!(a.owns(a.current()) && !a.owns(b.current()));
            assert!(b.owns(b.current()) && !b.owns(a.current()));
            assert!(!a.owns(a.current() + 1) && !a.owns(0));
            last = (a.current(), b.current());
            a.advance();
            b.advance();
        }
    }

    #[test]
    fn a_heap_that_lives_long_needs_few_blocks() {
        let mut stamps = Stamps::new().unwrap();
        for _ in 0..if cfg!(miri) { 1000 } else { 100_000 } {
            stamps.advance();
        }
        assert!(stamps.blocks.len() < 100);
    }
}
