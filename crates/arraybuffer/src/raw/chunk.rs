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
//! - **C3.** A chunk is on its depot's list exactly if one of its bits is set. The list has room for all chunks, so that
//!   returning a block allocates nothing.

use super::classes::{COUNT, size_of_class};
use super::mapping;
use super::pool::{Block, Run};
use super::shelf::Shelf;
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
    #[inline]
    fn start(block: NonNull<u8>) -> usize {
        block.addr().get() & !(CHUNK - 1)
    }

    fn of(block: NonNull<u8>) -> Chunk {
        let start = block.as_ptr().map_addr(|_| Chunk::start(block));
        Chunk(NonNull::new(start).expect("no chunk is at address zero"))
    }

    fn word_at(self, class: usize, word: usize) -> Word {
        Word(self.block(class, word * 64).0)
    }

    fn header(&mut self) -> &mut Header {
        // SAFETY: a chunk begins with its header, and whoever is here has the depot (C1). Zeros are a header.
        unsafe { self.0.cast().as_mut() }
    }

    fn bits(&mut self, class: usize, word: usize) -> &mut u64 {
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
}

/// The 64 blocks of a chunk whose bits are in one word, or fewer at its end: where the first of them is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Word(NonNull<u8>);

// SAFETY: who has it has some of the blocks (P1), and touches the others only with the depot's lock.
unsafe impl Send for Word {}

impl Word {
    /// No blocks.
    pub(super) const NONE: Word = Word(NonNull::dangling());

    /// Which of this word's blocks it is, if it is one.
    #[inline]
    pub(super) fn bit_of(self, class: usize, block: &Block) -> Option<u32> {
        let offset = block.0.addr().get().wrapping_sub(self.0.addr().get());
        // The next word's begin right behind, and no chunk is as long as that is far from address zero.
        (offset < 64 * size_of_class(class) && Chunk::start(self.0) == Chunk::start(block.0))
            .then(|| quotient(offset, class))
    }

    /// The word of a block, and which of its bits is the block's.
    pub(super) fn of(class: usize, block: &Block) -> (Word, u32) {
        let chunk = Chunk::of(block.0);
        let index = quotient(block.0.addr().get() - chunk.0.addr().get() - layout(class).0, class);
        (chunk.word_at(class, index as usize / 64), index % 64)
    }

    /// One of the blocks.
    #[inline]
    pub(super) fn block(self, class: usize, bit: u32) -> Block {
        // SAFETY: the chunk has a block for each bit that is ever set.
        Block(unsafe { self.0.add(bit as usize * size_of_class(class)) })
    }
}

/// How many blocks fit a distance inside of a chunk.
#[inline]
fn quotient(offset: usize, class: usize) -> u32 {
    ((offset as u64 * RECIPROCALS[class]) >> 40) as u32
}

/// The chunks of one size.
#[derive(Debug)]
pub(super) struct Depot {
    /// Those with free blocks. There is room for all chunks.
    listed: Vec<Chunk>,
    chunks: usize,
    /// The one that has blocks which were never handed out.
    current: Option<Chunk>,
    /// How many bytes the chunks have in which all is free.
    idle_bytes: usize,
}

impl Depot {
    pub(super) const fn new() -> Depot {
        Depot { listed: Vec::new(), chunks: 0, current: None, idle_bytes: 0 }
    }

    fn is_idle(&self, chunk: &mut Chunk, class: usize) -> bool {
        self.current != Some(*chunk) && chunk.header().free as usize == layout(class).1
    }

    /// Puts free blocks on an empty shelf, those with the lowest addresses on top, and says how many: some more than `wanted`
    /// where they lie together, or as many as there are in the chunk that is looked at.
    pub(super) fn take<const N: usize>(&mut self, class: usize, wanted: u32, onto: &mut Shelf<Word, N>) -> u32 {
        let Some(&(mut chunk)) = self.listed.last() else { return 0 };
        if self.is_idle(&mut chunk, class) {
            self.idle_bytes -= CHUNK;
        }
        let mut word = chunk.header().first_word as usize;
        let words = layout(class).1.div_ceil(64);
        let (mut taken, mut count, mut len) = ([(Word::NONE, 0); N], 0, 0);
        while len < N && word < words {
            let bits = std::mem::take(chunk.bits(class, word));
            if bits != 0 {
                count += bits.count_ones();
                taken[len] = (chunk.word_at(class, word), bits);
                len += 1;
            }
            word += 1;
            if count >= wanted {
                break;
            }
        }
        taken[..len].iter().rev().for_each(|&(word, bits)| onto.push(word, bits));
        let header = chunk.header();
        header.free -= count;
        header.first_word = word as u32;
        if header.free == 0 {
            header.is_listed = false;
            self.listed.pop();
        }
        count
    }

    /// Blocks that were never handed out; `None` when the system has no memory.
    pub(super) fn take_new(&mut self, class: usize, count: usize) -> Option<Run> {
        let total = layout(class).1;
        let mut chunk = match self.current {
            Some(chunk) => chunk,
            None => self.add_chunk()?,
        };
        let first = chunk.header().fresh as usize;
        let count = count.min(total - first);
        chunk.header().fresh += count as u32;
        if first + count == total {
            self.current = None;
        }
        Some(Run { next: chunk.block(class, first), left: count })
    }

    /// Maps a chunk, for which there is room on the list.
    fn add_chunk(&mut self) -> Option<Chunk> {
        self.listed.try_reserve(self.chunks + 1 - self.listed.len()).ok()?;
        let chunk = Chunk(mapping::map_aligned(CHUNK)?);
        self.chunks += 1;
        Some(*self.current.insert(chunk))
    }

    /// Takes blocks back. True if more memory is idle now than should be kept.
    pub(super) fn put(&mut self, class: usize, words: impl Iterator<Item = (Word, u64)>) -> bool {
        for (word, returned) in words {
            let mut chunk = Chunk::of(word.0);
            let (first, _) = Word::of(class, &Block(word.0));
            debug_assert_eq!(first, word);
            let at = quotient(word.0.addr().get() - chunk.0.addr().get() - layout(class).0, class) / 64;
            let bits = chunk.bits(class, at as usize);
            debug_assert_eq!(*bits & returned, 0, "a block was freed twice");
            *bits |= returned;
            let header = chunk.header();
            header.free += returned.count_ones();
            header.first_word = header.first_word.min(at);
            if !header.is_listed {
                header.is_listed = true;
                debug_assert!(self.listed.len() < self.listed.capacity());
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
                self.chunks -= 1;
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
        let chunk = Chunk(mapping::map_aligned(CHUNK).unwrap());
        for class in (0..COUNT).step_by(if cfg!(miri) { 13 } else { 1 }) {
            let (first, count) = layout(class);
            assert!(first + count * size_of_class(class) <= CHUNK && count > 0);
            for index in (0..count).step_by(if cfg!(miri) { 97 } else { 1 }) {
                // SAFETY: inside of the chunk.
                let block = Block(unsafe { chunk.0.add(first + index * size_of_class(class)) });
                let (word, bit) = Word::of(class, &block);
                assert_eq!((word.block(class, bit).0, bit as usize), (block.0, index % 64));
                assert_eq!((word.bit_of(class, &block), Chunk::of(block.0)), (Some(bit), chunk));
                if index >= 64 {
                    assert_eq!(chunk.word_at(class, index / 64 - 1).bit_of(class, &block), None);
                }
            }
        }
        // SAFETY: made above, and nothing refers to it any more.
        unsafe { mapping::unmap_aligned(chunk.0, CHUNK) }
    }

    #[test]
    fn blocks_come_back_in_order_and_idle_chunks_are_given_back() {
        let class = class_of(if cfg!(miri) { 512 } else { 4 << 10 });
        let mut depot = Depot::new();
        let mut all: Vec<NonNull<u8>> = Vec::new();
        for _ in 0..3 * layout(class).1 {
            all.push(depot.take_new(class, 1).unwrap().next.0);
        }
        // Returned in an order of its own.
        let count = all.len();
        let order = (0..count).step_by(2).chain((1..count).step_by(2).rev());
        let words = order.map(|n| Word::of(class, &Block(all[n]))).map(|(word, bit)| (word, 1 << bit));
        depot.put(class, words);
        assert_eq!(depot.idle_bytes(), 3 * CHUNK);
        let mut taken = Shelf::<Word, 2>::new(Word::NONE);
        let count = depot.take(class, 5, &mut taken);
        assert!(count >= 5 && taken.top().1 & 0b11111 == 0b11111);
        assert_eq!(depot.idle_bytes(), 2 * CHUNK);
        depot.trim_to(class, CHUNK);
        assert_eq!((depot.idle_bytes(), depot.listed.len()), (CHUNK, 2));
        depot.put(class, taken.drain());
        depot.trim_to(class, 0);
        assert_eq!((depot.idle_bytes(), depot.listed.len()), (0, 0));
    }
}
