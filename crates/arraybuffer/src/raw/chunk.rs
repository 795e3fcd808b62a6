//! Chunks: mappings that are carved up into small blocks of one size.
//!
//! A chunk begins with a header, in which there is a bit for each of its blocks: set while the block is free. So free blocks
//! are handed out in the order of their addresses, whatever the order in which they were returned. Memory that is written to
//! in order is written to several times as fast: where lists were used here, a program that allocates and collects blocks of
//! a kibibyte spent three quarters of its time waiting for memory, as its lists were in random order after a while. And it is
//! seen when all of a chunk is free, so that it can be given back.
//!
//! Invariants:
//!
//! - **C1.** A chunk lies at a multiple of its size, so that the header is found from a block. Its depot alone, which is
//!   behind a lock, touches the header.
//! - **C2.** A bit is set exactly if the block was handed out once, and is free. Blocks from `fresh` on were never handed out.
//! - **C3.** A chunk is on its depot's list exactly if one of its bits is set.

use super::classes::{COUNT, size_of_class};
use super::mapping;
use super::pool::{Block, Run};
use std::ptr::NonNull;

/// The size of a chunk.
const CHUNK: usize = if cfg!(miri) { 64 << 10 } else { 1 << 20 };
/// How many bytes of chunks in which all is free are kept, for each size.
pub(super) const KEPT_BYTES: usize = 16 << 20;

/// What a chunk begins with. The bits follow.
#[derive(Debug)]
#[repr(C)]
struct Header {
    /// How many bits are set.
    free: u32,
    /// The first block that was never handed out.
    fresh: u32,
    /// No word of the bits before this one has a bit that is set.
    first_word: u32,
    is_listed: bool,
}

/// Where the blocks of a class begin in a chunk, and how many there are.
const fn layout(class: usize) -> (usize, usize) {
    let words = (CHUNK / size_of_class(class)).div_ceil(64);
    let first = (size_of::<Header>() + words * 8).next_multiple_of(64);
    (first, (CHUNK - first) / size_of_class(class))
}

/// The reciprocals of the sizes, times 2^40, rounded up: exact for quotients of what is shorter than a chunk.
const RECIPROCALS: [u64; COUNT] = {
    let mut all = [0; COUNT];
    let mut class = 0;
    while class < COUNT {
        all[class] = (1_u64 << 40).div_ceil(size_of_class(class) as u64);
        class += 1;
    }
    all
};

/// A chunk of this depot's.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Chunk(NonNull<u8>);

// SAFETY: the memory of a header belongs to whoever has the depot (C1).
unsafe impl Send for Chunk {}

impl Chunk {
    fn of(block: NonNull<u8>) -> Chunk {
        let start = block.as_ptr().map_addr(|address| address & !(CHUNK - 1));
        Chunk(NonNull::new(start).expect("no chunk is at address zero"))
    }

    fn header(&mut self) -> &mut Header {
        // SAFETY: a chunk begins with its header, and whoever is here has the depot (C1). Zeros are a header.
        unsafe { self.0.cast().as_mut() }
    }

    fn word(&mut self, class: usize, word: usize) -> &mut u64 {
        debug_assert!(word < (CHUNK / size_of_class(class)).div_ceil(64));
        // SAFETY: the bits follow the header, which is a multiple of 8 long; as above.
        unsafe { self.0.add(size_of::<Header>()).cast::<u64>().add(word).as_mut() }
    }

    fn block(self, class: usize, index: usize) -> Block {
        let (first, count) = layout(class);
        debug_assert!(index < count);
        // SAFETY: inside of the chunk.
        Block(unsafe { self.0.add(first + index * size_of_class(class)) })
    }

    fn index(self, class: usize, block: &Block) -> usize {
        let offset = block.0.addr().get() - self.0.addr().get() - layout(class).0;
        ((offset as u64 * RECIPROCALS[class]) >> 40) as usize
    }
}

/// The chunks of one size.
#[derive(Debug)]
pub(super) struct Depot {
    /// Those with free blocks.
    listed: Vec<Chunk>,
    /// The one that has blocks which were never handed out.
    current: Option<Chunk>,
    /// How many bytes the chunks have in which all is free.
    idle_bytes: usize,
}

impl Depot {
    pub(super) const fn new() -> Depot {
        Depot { listed: Vec::new(), current: None, idle_bytes: 0 }
    }

    fn is_idle(&self, chunk: &mut Chunk, class: usize) -> bool {
        self.current != Some(*chunk) && chunk.header().free as usize == layout(class).1
    }

    /// Puts up to `count` free blocks on an empty list, the one with the lowest address last.
    pub(super) fn take(&mut self, class: usize, count: usize, into: &mut Vec<Block>) {
        let Some(&(mut chunk)) = self.listed.last() else { return };
        if self.is_idle(&mut chunk, class) {
            self.idle_bytes -= CHUNK;
        }
        let mut word = chunk.header().first_word as usize;
        let words = layout(class).1.div_ceil(64);
        while into.len() < count && word < words {
            let bits = chunk.word(class, word);
            if *bits == 0 {
                word += 1;
                continue;
            }
            let bit = bits.trailing_zeros() as usize;
            *bits &= *bits - 1;
            into.push(chunk.block(class, word * 64 + bit));
        }
        let header = chunk.header();
        header.free -= into.len() as u32;
        header.first_word = word as u32;
        if header.free == 0 {
            header.is_listed = false;
            self.listed.pop();
        }
        into.reverse();
    }

    /// Blocks that were never handed out; `None` when the system has no memory.
    pub(super) fn take_new(&mut self, class: usize, count: usize) -> Option<Run> {
        let total = layout(class).1;
        let mut chunk = match self.current {
            Some(chunk) => chunk,
            None => *self.current.insert(Chunk(mapping::map_aligned(CHUNK)?)),
        };
        let first = chunk.header().fresh as usize;
        let count = count.min(total - first);
        chunk.header().fresh += count as u32;
        if first + count == total {
            self.current = None;
        }
        Some(Run { next: chunk.block(class, first), left: count })
    }

    /// Takes blocks back. True if more memory is idle now than should be kept.
    pub(super) fn put(&mut self, class: usize, blocks: impl Iterator<Item = Block>) -> bool {
        for block in blocks {
            let mut chunk = Chunk::of(block.0);
            let index = chunk.index(class, &block);
            let bits = chunk.word(class, index / 64);
            debug_assert_eq!(*bits >> (index % 64) & 1, 0, "a block was freed twice");
            *bits |= 1 << (index % 64);
            let header = chunk.header();
            header.free += 1;
            header.first_word = header.first_word.min(index as u32 / 64);
            if !header.is_listed {
                header.is_listed = true;
                self.listed.push(chunk);
            }
            if self.is_idle(&mut chunk, class) {
                self.idle_bytes += CHUNK;
            }
        }
        self.idle_bytes > KEPT_BYTES
    }

    /// Gives chunks back in which all is free, until at most `bytes` of these are left.
    pub(super) fn trim_to(&mut self, class: usize, bytes: usize) {
        let mut at = 0;
        while self.idle_bytes > bytes && at < self.listed.len() {
            let mut chunk = self.listed[at];
            if self.is_idle(&mut chunk, class) {
                self.listed.swap_remove(at);
                self.idle_bytes -= CHUNK;
                // SAFETY: `map_aligned` made it; all of its blocks are free, and it is on no list any more.
                unsafe { mapping::unmap_aligned(chunk.0, CHUNK) }
            } else {
                at += 1;
            }
        }
    }

    /// How many bytes are idle.
    #[cfg(test)]
    fn idle_bytes(&self) -> usize {
        self.idle_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::classes::class_of;
    use super::*;

    #[test]
    fn every_block_has_its_own_bit() {
        for class in (0..COUNT).step_by(if cfg!(miri) { 13 } else { 1 }) {
            let (first, count) = layout(class);
            assert!(first + count * size_of_class(class) <= CHUNK && count > 0);
            let chunk = Chunk(NonNull::without_provenance(CHUNK.try_into().unwrap()));
            for index in (0..count).step_by(if cfg!(miri) { 97 } else { 1 }) {
                let address = CHUNK + first + index * size_of_class(class);
                let block = Block(NonNull::without_provenance(address.try_into().unwrap()));
                assert_eq!(chunk.index(class, &block), index);
                assert_eq!(Chunk::of(block.0), chunk);
            }
        }
    }

    #[test]
    fn blocks_come_back_in_order_and_idle_chunks_are_given_back() {
        let class = class_of(if cfg!(miri) { 8 << 10 } else { 4 << 10 });
        let mut depot = Depot::new();
        let mut all: Vec<NonNull<u8>> = Vec::new();
        for _ in 0..3 * layout(class).1 {
            all.push(depot.take_new(class, 1).unwrap().next.0);
        }
        // Returned in an order of its own.
        let count = all.len();
        let order = (0..count).step_by(2).chain((1..count).step_by(2).rev());
        depot.put(class, order.map(|n| Block(all[n])));
        assert_eq!(depot.idle_bytes(), 3 * CHUNK);
        let mut taken = Vec::new();
        depot.take(class, 5, &mut taken);
        assert!(taken.windows(2).all(|pair| pair[0].0 > pair[1].0));
        assert_eq!(depot.idle_bytes(), 2 * CHUNK);
        depot.trim_to(class, CHUNK);
        assert_eq!((depot.idle_bytes(), depot.listed.len()), (CHUNK, 2));
        depot.put(class, taken.into_iter());
        depot.trim_to(class, 0);
        assert_eq!((depot.idle_bytes(), depot.listed.len()), (0, 0));
    }
}
