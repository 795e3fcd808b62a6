//! Runs: stretches of free cells of one page, which allocation fills from the front.
//!
//! Allocation takes a cell by moving one number. When a run is used up, the next one of its page is found through its first
//! cell: what a sweep leaves there says how long the run is and where the next one begins.
//!
//! ```text
//! free cell, first of its run    | stamp: 0 | granules of the run: u16, granule of the next: u16 | ...
//! any other free cell            | stamp: 0 | anything | ...
//! ```
//!
//! Invariant **I10**: on a page of a space that is swept and not allocated in since, the free cells are those of the runs
//! that the first free cell leads to. It is established by [`link`], and nothing writes to the header of a free cell but
//! the commit that makes an object of it.

use super::bits::{PageBits, ones};
use super::layout::{CELL_STARTS, PAGE_GRANULES, cells_per_page};
use super::mark::cell;
use super::object::meta;
use std::ptr::NonNull;

/// The free cells that allocation takes next, as indices.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// The next cell to hand out.
    pub(super) next: u32,
    /// The end of the run. `next == end` when nothing is left.
    pub(super) end: u32,
    /// The first cell of the next run of the page; 0 when this is the last.
    pub(super) link: u32,
}

impl Run {
    /// All cells of a page on which nothing lives.
    pub(super) fn of_empty_page(number: u32, stride: u32) -> Run {
        let first = number * PAGE_GRANULES;
        Run { next: first, end: first + cells_per_page(stride) * stride, link: 0 }
    }

    /// The run that begins at `index`.
    ///
    /// # Safety
    ///
    /// `index` is the first cell of a run, inside the cage at `cage`, and nothing has been put into it (I10).
    #[inline(always)]
    pub(super) unsafe fn at(cage: NonNull<u8>, index: u32) -> Run {
        // SAFETY: the caller's promise: `link` has written the header.
        let meta = unsafe { meta(cell(cage, index)) };
        let (len, next) = (meta & 0xffff, meta >> 16);
        let link = if next == 0 { 0 } else { index / PAGE_GRANULES * PAGE_GRANULES + next };
        Run { next: index, end: index + len, link }
    }

    /// Whether nothing is left, here and in the runs behind.
    pub(super) fn is_used_up(self) -> bool {
        self.next == self.end && self.link == 0
    }

    /// How many granules are left.
    pub(super) fn granules(self) -> u32 {
        self.end - self.next
    }
}

/// Links the runs of free cells of a page, and says whether there is any.
///
/// # Safety
///
/// `number` is a page of the cage at `cage` whose cells have this stride; `bits` are its bits; nobody holds a reference into
/// a free cell.
pub(super) unsafe fn link(cage: NonNull<u8>, number: u32, bits: &PageBits, stride: u32) -> Room {
    /// No granule of a page.
    const NONE: u32 = u32::MAX;
    let first = number * PAGE_GRANULES;
    let write = |begin: u32, end: u32, next: u32| {
        // SAFETY: a free cell of the page. The four bytes behind its stamp are nobody's.
        unsafe { cell(cage, first + begin).cast::<u32>().add(1).write((end - begin) | next << 16) };
    };
    let (mut begin, mut end) = (NONE, NONE);
    for (word, (&starts, bits)) in CELL_STARTS[stride as usize].iter().zip(bits).enumerate() {
        let free = starts & !bits.live;
        let lowest = word as u32 * 64;
        if free == starts && starts != 0 && lowest + starts.trailing_zeros() == end {
            // The run goes on through the whole word.
            end = lowest + 63 - starts.leading_zeros() + stride;
            continue;
        }
        for bit in ones(free) {
            let at = lowest + bit;
            if at != end {
                if begin != NONE {
                    write(begin, end, at);
                }
                begin = at;
            }
            end = at + stride;
        }
    }
    if begin == NONE {
        return Room::None;
    }
    write(begin, end, 0);
    Room::Some
}

/// Whether a page has a free cell.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Room {
    None,
    Some,
}

// A link leaves the highest bit clear, which is that of the remembered: to clear it in a free cell changes no link.
const _: () = assert!(PAGE_GRANULES <= 1 << 15);

#[cfg(test)]
mod tests {
    use super::super::bits::{Bits, bit_of, next_free_run, word_of};
    use super::super::layout::{PAGE_BYTES, PAGE_WORDS};
    use super::*;

    #[test]
    fn the_links_of_a_page_lead_through_all_its_free_cells() {
        let mut memory = vec![0_u128; 3 * PAGE_BYTES / 16];
        let cage = NonNull::from(&mut memory[..]).cast::<u8>();
        for stride in [1, 2, 3, 7, 64, 100, 128] {
            let cells = cells_per_page(stride);
            for pattern in 0..8_u32 {
                let mut bits = [Bits::default(); PAGE_WORDS];
                let is_live = |n: u32| match pattern {
                    0 => false,
                    1 => true,
                    2 => n.is_multiple_of(2),
                    3 => n % 2 == 1,
                    _ => n.wrapping_mul(0x9e37_79b9) >> 16 & 7 > pattern,
                };
                for granule in (0..cells).filter(|&n| is_live(n)).map(|n| n * stride) {
                    bits[word_of(granule)].live |= bit_of(granule);
                }
                // SAFETY: the memory has three pages; the runs are read as they were linked.
                let found = unsafe {
                    let mut found = Vec::new();
                    if link(cage, 2, &bits, stride) == Room::Some {
                        let (begin, _) = next_free_run(&bits, stride, 0).unwrap();
                        let mut run = Run::at(cage, 2 * PAGE_GRANULES + begin);
                        loop {
                            assert!(run.granules() > 0);
                            found.extend((run.next..run.end).step_by(stride as usize));
                            if run.link == 0 {
                                break;
                            }
                            run = Run::at(cage, run.link);
                        }
                    }
                    found
                };
                let free = (0..cells).filter(|&n| !is_live(n)).map(|n| 2 * PAGE_GRANULES + n * stride);
                assert!(found.into_iter().eq(free), "stride {stride}, pattern {pattern}");
            }
        }
    }
}
