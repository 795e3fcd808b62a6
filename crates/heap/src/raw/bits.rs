//! The live and mark bits of all granules, beside the cells.
//!
//! One pair of words covers 64 granules, so that seeing an edge touches one line of bitmap. Only the first granule of a
//! cell has bits. *Live* means that the cell holds an object (I6); *marked* means that the object was reached by the
//! cycle that runs, or, between cycles, survived the last one.
//!
//! A bit that is looked up far out of the table does not exist, and reads as dead.

use super::layout::{CELL_STARTS, PAGE_GRANULES, PAGE_WORDS, cells_per_page};
use super::region::Zeroed;

/// The bits of 64 granules.
#[derive(Copy, Clone, Debug, Default)]
#[repr(C)]
pub(crate) struct Bits {
    pub(super) live: u64,
    pub(super) mark: u64,
}

// SAFETY: two numbers.
unsafe impl Zeroed for Bits {}

/// The bits of one page.
pub(super) type PageBits = [Bits; PAGE_WORDS];

/// The bits of a page in the table.
#[inline(always)]
pub(super) fn of_page(table: &mut [Bits], page: u32) -> &mut PageBits {
    let first = page as usize * PAGE_WORDS;
    table[first..].first_chunk_mut().expect("a page in use is inside the table")
}

/// The word of the table that an index belongs to.
#[inline(always)]
pub(super) const fn word_of(index: u32) -> usize {
    index as usize / 64
}

/// The bit of its word that an index belongs to.
#[inline(always)]
pub(super) const fn bit_of(index: u32) -> u64 {
    1 << (index % 64)
}

/// The words that cover a page.
pub(super) fn page_words(page: u32) -> std::ops::Range<usize> {
    let first = page as usize * PAGE_WORDS;
    first..first + PAGE_WORDS
}

/// The positions of the ones of a word, ascending.
#[inline(always)]
pub(super) fn ones(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let bit = word.trailing_zeros();
        word &= word - 1;
        Some(bit)
    })
}

/// The granules of a word of the table at which cells of this stride start.
#[inline(always)]
pub(super) fn starts(stride: u32, word: usize) -> u64 {
    CELL_STARTS[stride as usize][word % PAGE_WORDS]
}

/// The next run of free cells at or behind `from`, as granules of the page: where it begins and ends.
#[inline]
pub(super) fn next_free_run(page: &PageBits, stride: u32, from: u32) -> Option<(u32, u32)> {
    if from >= PAGE_GRANULES {
        return None;
    }
    let starts = &CELL_STARTS[stride as usize];
    let mut word = from as usize / 64;
    let mut free = starts[word] & !page[word].live & (!0 << (from % 64));
    while free == 0 {
        word += 1;
        if word == PAGE_WORDS {
            return None;
        }
        free = starts[word] & !page[word].live;
    }
    let begin = word as u32 * 64 + free.trailing_zeros();

    let mut live = page[word].live & (!0 << (begin % 64));
    while live == 0 {
        word += 1;
        if word == PAGE_WORDS {
            return Some((begin, cells_per_page(stride) * stride));
        }
        live = page[word].live;
    }
    Some((begin, word as u32 * 64 + live.trailing_zeros()))
}

#[cfg(test)]
mod tests {
    use super::super::layout::MAX_STRIDE;
    use super::*;

    /// A page with the cells of `live` alive.
    fn page(stride: u32, live: &[u32]) -> [Bits; PAGE_WORDS] {
        let mut page = [Bits::default(); PAGE_WORDS];
        for cell in live {
            page[word_of(cell * stride)].live |= bit_of(cell * stride);
        }
        page
    }

    #[test]
    fn runs_are_the_gaps_between_the_living() {
        let strides: &[u32] = if cfg!(miri) { &[3, 100] } else { &[1, 2, 3, 5, 7, 16, 33, 100, 128] };
        for &stride in strides {
            let cells = cells_per_page(stride);
            let live: Vec<u32> = (0..cells).filter(|n| n % 7 == 3 || n % 5 == 1).collect();
            let page = page(stride, &live);
            let mut free = Vec::new();
            let mut from = 0;
            while let Some((begin, end)) = next_free_run(&page, stride, from) {
                assert!(begin >= from && begin < end && end % stride == 0);
                free.extend(begin / stride..end / stride);
                from = end;
            }
            let expected: Vec<u32> = (0..cells).filter(|n| !live.contains(n)).collect();
            assert_eq!(free, expected, "stride {stride}");
        }
    }

    #[test]
    fn a_full_page_has_no_run_and_an_empty_page_has_one() {
        for stride in (1..=MAX_STRIDE as u32).step_by(if cfg!(miri) { 31 } else { 1 }) {
            let cells = cells_per_page(stride);
            assert_eq!(next_free_run(&page(stride, &[]), stride, 0), Some((0, cells * stride)));
            let full: Vec<u32> = (0..cells).collect();
            assert_eq!(next_free_run(&page(stride, &full), stride, 0), None);
        }
    }
}
