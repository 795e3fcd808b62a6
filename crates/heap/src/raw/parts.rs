//! Long slices, which are scanned part by part.
//!
//! A slice of more than some thousand elements that may have edges is never scanned at once: a slice of marking takes a few
//! of its *parts*. A write to some of its elements makes the collector look at their neighbours again, not at the whole:
//! at their *card*, which is much smaller than a part, as a table that is written to at random has many of them to look at.
//!
//! Which cards were written to is known from a bitmap behind the elements, in the same block. So a slice that is short, or
//! has no edges, pays nothing.
//!
//! What is *not* here: the list of the cards that were written to (`remember.rs`).

use crate::trace::Trace;
use std::alloc::Layout;
use std::ops::Range;
use std::ptr::NonNull;

/// How many elements are scanned at once.
pub(super) const PART_LEN: usize = 512;
/// How many elements share a card: two cache lines of handles.
pub(super) const CARD_LEN: usize = 16;

/// A part of a slice: the elements from `number * PART_LEN` on, [`PART_LEN`] of them or what is left.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The cell of the slice.
    pub(super) index: u32,
    pub(super) number: u32,
}

/// A card of a slice: the elements from `number * CARD_LEN` on, [`CARD_LEN`] of them or what is left.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    /// The cell of the slice.
    pub(super) index: u32,
    pub(super) number: u32,
}

/// Whether a slice of `len` elements is scanned part by part. It is in a block of its own then, as its elements take at
/// least a byte each.
pub(super) const fn has_cards<T: Trace>(len: usize) -> bool {
    T::HAS_EDGES && size_of::<T>() > 0 && is_long(len)
}

/// Whether a slice of `len` elements is long enough for that.
pub(super) const fn is_long(len: usize) -> bool {
    len > LONGEST_WHOLE
}

/// The longest slice without cards. As long as no inline slice is, whatever the size of its elements.
const LONGEST_WHOLE: usize = 4 * PART_LEN;

/// How many parts a slice of `len` elements has.
pub(super) const fn parts(len: usize) -> usize {
    len.div_ceil(PART_LEN)
}

/// How many cards a slice of `len` elements has.
pub(super) const fn cards(len: usize) -> usize {
    len.div_ceil(CARD_LEN)
}

/// The elements of a part.
pub(super) fn elements_of_part(number: u32, len: usize) -> Range<usize> {
    elements(number, PART_LEN, len)
}

/// The elements of a card.
pub(super) fn elements_of_card(number: u32, len: usize) -> Range<usize> {
    elements(number, CARD_LEN, len)
}

fn elements(number: u32, each: usize, len: usize) -> Range<usize> {
    let from = (number as usize).saturating_mul(each).min(len);
    from..(from + each).min(len)
}

/// The layout of the block of a slice of `len` elements: the elements, and their cards. `None` if there is no such layout.
pub(super) fn block_layout<T: Trace>(len: usize) -> Option<Layout> {
    let elements = Layout::array::<T>(len).ok()?;
    if has_cards::<T>(len) {
        // The number of a card is 32 bits.
        u32::try_from(cards(len)).ok()?;
        Some(elements.extend(cards_layout(len)?).ok()?.0)
    } else {
        Some(elements)
    }
}

/// The cards that some elements are in.
pub(super) fn touched(elements: &Range<usize>) -> Range<u32> {
    if elements.is_empty() {
        return 0..0;
    }
    (elements.start / CARD_LEN) as u32..((elements.end - 1) / CARD_LEN) as u32 + 1
}

fn cards_layout(len: usize) -> Option<Layout> {
    Layout::array::<u64>(cards(len).div_ceil(64)).ok()
}

/// Where the cards of a slice are.
///
/// # Safety
///
/// `block` has the layout that [`block_layout`] gives, and the slice has cards.
unsafe fn card_words<T>(block: NonNull<u8>, len: usize) -> NonNull<u64> {
    let offset = (size_of::<T>() * len).next_multiple_of(align_of::<u64>());
    // SAFETY: the cards follow the elements, aligned to `u64`, in the same block.
    unsafe { block.add(offset).cast() }
}

/// Clears all cards of a slice.
///
/// # Safety
///
/// As for [`card_words`].
pub(super) unsafe fn clear_cards<T>(block: NonNull<u8>, len: usize) {
    // SAFETY: so many words of cards are there.
    unsafe { card_words::<T>(block, len).write_bytes(0, cards(len).div_ceil(64)) }
}

/// Changes a card, and says what it was before.
///
/// # Safety
///
/// As for [`card_words`], whose words are written; there is such a card.
pub(super) unsafe fn replace_card<T>(block: NonNull<u8>, len: usize, number: u32, to: CardState) -> CardState {
    let bit = 1 << (number % 64);
    // SAFETY: the word of an existing card is inside the cards.
    let word = unsafe { card_words::<T>(block, len).add(number as usize / 64).as_mut() };
    let before = if *word & bit == 0 { CardState::Clear } else { CardState::Set };
    match to {
        CardState::Set => *word |= bit,
        CardState::Clear => *word &= !bit,
    }
    before
}

/// Whether a card is on the list of those that were written to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CardState {
    Clear,
    Set,
}

#[cfg(test)]
mod tests {
    use super::super::layout::{GRANULE, MAX_STRIDE};
    use super::*;
    use crate::Gc;

    #[test]
    fn parts_and_cards_cover_the_slice_without_overlap() {
        for len in [0, 1, CARD_LEN, CARD_LEN + 1, PART_LEN - 1, PART_LEN, PART_LEN + 1, 10 * PART_LEN + 7] {
            let in_parts = (0..parts(len) as u32).flat_map(|number| elements_of_part(number, len));
            let in_cards = (0..cards(len) as u32).flat_map(|number| elements_of_card(number, len));
            assert!(in_parts.eq(0..len) && in_cards.eq(0..len));
            assert!(elements_of_part(parts(len) as u32, len).is_empty());
            assert!(elements_of_card(u32::MAX, len).is_empty());
            assert_eq!(touched(&(0..len)), 0..cards(len) as u32);
            for at in 0..len {
                assert!(touched(&(at..at + 1)).all(|number| elements_of_card(number, len).contains(&at)));
            }
        }
    }

    #[test]
    fn only_long_slices_with_edges_have_cards() {
        const { assert!(LONGEST_WHOLE >= MAX_STRIDE * GRANULE) };
        assert!(!has_cards::<u64>(1 << 30));
        assert!(!has_cards::<Gc<u8>>(LONGEST_WHOLE) && has_cards::<Gc<u8>>(LONGEST_WHOLE + 1));
        assert_eq!(block_layout::<u64>(10_000).unwrap().size(), 80_000);
        assert_eq!(block_layout::<Gc<u8>>(10_000).unwrap().size(), 80_000 + 10 * 8);
        assert!(block_layout::<Gc<u8>>(usize::MAX / 8).is_none());
    }

    #[test]
    fn a_card_is_one_bit_of_its_own() {
        let len = 10 * PART_LEN;
        let layout = block_layout::<Gc<u8>>(len).unwrap();
        let mut block = vec![0_u64; layout.size() / 8];
        let block = NonNull::from(&mut block[..]).cast::<u8>();
        // SAFETY: a block of that layout, whose cards are written by the first call.
        unsafe {
            clear_cards::<Gc<u8>>(block, len);
            assert_eq!(replace_card::<Gc<u8>>(block, len, 70, CardState::Set), CardState::Clear);
            for number in 0..cards(len) as u32 {
                let expected = if number == 70 { CardState::Set } else { CardState::Clear };
                assert_eq!(replace_card::<Gc<u8>>(block, len, number, CardState::Clear), expected);
            }
            assert_eq!(replace_card::<Gc<u8>>(block, len, 70, CardState::Set), CardState::Clear);
        }
    }
}
