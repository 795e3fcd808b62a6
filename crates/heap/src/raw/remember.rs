//! The remembered set: marked objects that were borrowed exclusively since they were marked.
//!
//! A marked object can refer to one that is not marked only if it was written to, and every write goes through an
//! exclusive borrow. So these are scanned again: by a minor cycle, which does not look at what is old (and marked)
//! otherwise, and by any cycle that runs in slices, between which the program writes. Each object is on the list once; a
//! bit says whether it is there. Of a long slice single cards can be on the list, each of which has a bit of its own
//! (`parts.rs`).
//!
//! When the system has no memory for a longer list, the set notes that it is not complete. A cycle that runs then looks at
//! every marked object again; otherwise the next cycle has to be a full one, which needs no list.

use super::bits::{bit_of, word_of};
use super::parts::Card;
use super::region::{Table, Zeroed};
use super::stack::Stack;
use crate::trace::Trace;

// SAFETY: a number.
unsafe impl Zeroed for u64 {}

/// Which objects have to be scanned again.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// One bit per granule. **Invariant:** set exactly for the indices on the list.
    bits: Table<u64>,
    list: Stack<u32>,
    /// **Invariant:** those that are set, and perhaps some whose slice has died.
    cards: Stack<Card>,
    /// The same for the cards of weak tables, which are looked at last.
    weak_cards: Stack<Card>,
    incomplete: bool,
}

impl Remembered {
    /// An empty set for a cage of so many granules.
    pub(super) fn reserve(granules: usize) -> Option<Remembered> {
        Some(Remembered {
            bits: Table::reserve(granules / 64)?,
            list: Stack::new(),
            cards: Stack::new(),
            weak_cards: Stack::new(),
            incomplete: false,
        })
    }

    /// Whether the cell at `index` is on the list. One that is beyond the cage need not be.
    #[inline(always)]
    pub(super) fn contains(&self, index: u32) -> bool {
        self.bits.get(word_of(index)).is_none_or(|word| word & bit_of(index) != 0)
    }

    /// Adds the cell at `index`, which is not on the list.
    pub(super) fn insert(&mut self, index: u32) {
        if self.list.push(index) {
            self.bits[word_of(index)] |= bit_of(index);
        } else {
            self.incomplete = true;
        }
    }

    /// Adds a card, which was not set; false when there is no memory for it.
    #[must_use]
    pub(super) fn insert_card<T: Trace>(&mut self, card: Card) -> bool {
        if T::IS_WEAK { self.weak_cards.push(card) } else { self.cards.push(card) }
    }

    /// Takes a cell off the list.
    pub(super) fn pop(&mut self) -> Option<u32> {
        let index = self.list.pop()?;
        self.bits[word_of(index)] &= !bit_of(index);
        Some(index)
    }

    /// Takes a card off the list. Its slice may have died, and it may be clear by now.
    pub(super) fn pop_card(&mut self) -> Option<Card> {
        self.cards.pop()
    }

    /// Takes a card of a weak table off the list, as [`pop_card`](Remembered::pop_card).
    pub(super) fn pop_weak_card(&mut self) -> Option<Card> {
        self.weak_cards.pop()
    }

    /// Whether some object is missing.
    pub(super) fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Whether some object is missing. Forgets that it is.
    pub(super) fn take_incomplete(&mut self) -> bool {
        std::mem::take(&mut self.incomplete)
    }

    /// How many objects and cards are on the list.
    pub(super) fn len(&self) -> usize {
        self.list.len() + self.cards.len() + self.weak_cards.len()
    }

    /// Whether there are some beside cards of weak tables.
    pub(super) fn has_strong(&self) -> bool {
        self.list.len() + self.cards.len() > 0
    }

    /// Bytes held from the system for the list.
    pub(super) fn arena_bytes(&self) -> usize {
        self.list.arena_bytes() + self.cards.arena_bytes() + self.weak_cards.arena_bytes()
    }

    /// Begins anew with an empty list. The memory is kept.
    pub(super) fn reset(&mut self) {
        debug_assert!(self.len() == 0);
        self.list.reset();
        self.cards.reset();
        self.weak_cards.reset();
        self.incomplete = false;
    }

    /// Lets the list grow to `bytes` only; `None` lifts the limit.
    pub(crate) fn limit_arena(&mut self, bytes: Option<usize>) {
        self.list.limit_arena(bytes);
        self.cards.limit_arena(bytes);
        self.weak_cards.limit_arena(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_is_kept_once_and_an_index_beyond_the_cage_not_at_all() {
        let mut remembered = Remembered::reserve(1 << 16).unwrap();
        for index in [5, 64, 5, 1 << 15, 64, u32::MAX] {
            if !remembered.contains(index) {
                remembered.insert(index);
            }
        }
        assert_eq!(remembered.len(), 3);
        let seen: Vec<u32> = std::iter::from_fn(|| remembered.pop()).collect();
        assert_eq!(seen, [1 << 15, 64, 5]);
        assert!(!remembered.contains(5));
    }

    #[test]
    fn says_that_it_is_not_complete_when_memory_runs_out() {
        let mut remembered = Remembered::reserve(1 << 20).unwrap();
        remembered.limit_arena(Some(8 << 10));
        (1..10_000).for_each(|index| remembered.insert(index));
        assert!(remembered.is_incomplete() && remembered.take_incomplete() && !remembered.is_incomplete());
        let listed = remembered.len();
        assert!(listed < 9_999);
        assert_eq!((1..10_000).filter(|&index| remembered.contains(index)).count(), listed);
    }
}
