//! The remembered set: marked objects that were borrowed exclusively since they were marked; and the write barrier, which
//! puts them there.
//!
//! A marked object can refer to one that is not marked only if it was written to, and every write goes through an
//! exclusive borrow. So these are scanned again: by a minor cycle, which does not look at what is old (and marked)
//! otherwise, and by any cycle that runs in slices, between which the program writes. Each object is on the list once: a
//! bit of its header says whether it is there, which costs no line of memory but the one that a write needs anyway. (With
//! a bitmap beside the cells, the splay benchmark took a fifth longer.) Of a long slice single cards can be on the list,
//! each of which has a bit of its own (`parts.rs`).
//!
//! When the system has no memory for a longer list, the set notes that it is not complete. A cycle that runs then looks at
//! every marked object again; otherwise the next cycle has to be a full one, which needs no list.

use super::bits::{bit_of, word_of};
use super::handle::Handle;
use super::mark::cell;
use super::object::{Object, REMEMBERED};
use super::parts::{self, Card, CardState};
use super::prefetch;
use super::stack::Stack;
use super::store::Store;
use super::watch::Touched;
use std::ops::Range;
use std::ptr::NonNull;

/// How many objects, or cards, are taken off the set at once.
pub(super) const BATCH: usize = 64;

/// Which objects have to be scanned again.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// The objects whose header has the bit, and perhaps some that have died.
    list: Stack<u32>,
    /// The cards that are set, and perhaps some whose slice has died.
    cards: Stack<Card>,
    /// The same for the cards of weak tables, which are looked at last.
    weak_cards: Stack<Card>,
    incomplete: bool,
}

impl Remembered {
    /// An empty set.
    pub(super) fn new() -> Remembered {
        Remembered { list: Stack::new(), cards: Stack::new(), weak_cards: Stack::new(), incomplete: false }
    }

    /// Adds a cell, which is not on the list; false when there is no memory for it.
    #[must_use]
    fn insert(&mut self, index: u32) -> bool {
        let has_room = self.list.push(index);
        self.incomplete |= !has_room;
        has_room
    }

    /// Adds a card, which was not set; false when there is no memory for it.
    #[must_use]
    fn insert_card(&mut self, card: Card, is_weak: bool) -> bool {
        if is_weak { self.weak_cards.push(card) } else { self.cards.push(card) }
    }

    /// Takes some cells off the list, and calls `visit` with each. What lives there now may be another object, or nothing.
    /// False when there are none. `cage` is where the cells are.
    pub(super) fn take_batch(&mut self, cage: NonNull<u8>, mut visit: impl FnMut(u32)) -> bool {
        let mut batch = [0; BATCH];
        let mut len = 0;
        while len < BATCH
            && let Some(index) = self.list.pop()
        {
            prefetch::read(cage, index);
            batch[len] = index;
            len += 1;
        }
        for &index in &batch[..len] {
            // SAFETY: the list has the indices of cells of this cage only, which are borders for ever (I1), so that the second
            // four bytes are those of a header, or of a free cell, where this bit is nobody's.
            unsafe {
                let meta = cell(cage, index).cast::<u32>().add(1);
                let value = meta.read();
                // What was given back to the system stays there.
                if value & REMEMBERED != 0 {
                    meta.write(value & !REMEMBERED);
                }
            }
            visit(index);
        }
        len > 0
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

    /// About as many objects as take as long to look at: the elements of a card, and twice that where keys are looked up.
    pub(super) fn work(&self) -> u64 {
        (self.list.len() + (self.cards.len() + 2 * self.weak_cards.len()) * parts::CARD_LEN) as u64
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

/// The write barrier.
impl Store {
    /// Notes that the object of a valid handle is about to be written to.
    ///
    /// Outside of cycles that is needed for what is old. What was allocated since the last sweep is young; its stamp is the
    /// current one, so that this is known from the handle alone. While a cycle marks, no stamp is young.
    #[inline(always)]
    pub(crate) fn before_write(&mut self, handle: Handle) {
        if handle.stamp() != self.young_stamp && !self.is_remembered(handle) {
            self.remember(handle);
        }
    }

    /// Notes that some elements of the slice of a valid handle are about to be written to.
    pub(crate) fn before_write_to<T: Object>(&mut self, handle: Handle, len: usize, elements: &Range<usize>) {
        if !parts::has_cards::<T>(len) {
            self.before_write(handle);
        } else if handle.stamp() != self.young_stamp && !self.is_remembered(handle) {
            self.remember_elements(handle, elements, T::IS_WEAK);
        }
    }

    /// Notes that some elements of a long replica are about to be written to.
    pub(super) fn before_write_to_elements(&mut self, handle: Handle, elements: &Range<usize>) {
        if handle.stamp() != self.young_stamp && !self.is_remembered(handle) {
            self.remember_elements(handle, elements, false);
        }
    }

    /// Puts the cards of some elements of a long slice on the list.
    pub(super) fn remember_elements(&mut self, handle: Handle, elements: &Range<usize>, is_weak: bool) {
        self.watch_write(handle, Touched::Elements(elements.clone()));
        if !self.is_marked(handle.index()) {
            return;
        }
        for number in parts::touched(elements) {
            let card = Card { index: handle.index(), number };
            let was_clear = self.replace_card(card, CardState::Set) == Some(CardState::Clear);
            if was_clear && !self.remembered.insert_card(card, is_weak) {
                self.replace_card(card, CardState::Clear);
                self.remember(handle);
                return;
            }
        }
    }

    /// Whether the object of a valid handle is on the list.
    #[inline(always)]
    pub(super) fn is_remembered(&self, handle: Handle) -> bool {
        // SAFETY: the index is inside the cage and a border there (I1, I2), and behind the four bytes at a border are four
        // more of the same granule (I9).
        unsafe { cell(self.cage, handle.index()).cast::<u32>().add(1).read() & REMEMBERED != 0 }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn remember(&mut self, handle: Handle) {
        self.watch_write(handle, Touched::Whole);
        // What is not marked is scanned when it is. When no cycle marks, all that is not young is marked; what is young gets
        // here when somebody observes what is written to.
        let may_be_skipped =
            if self.is_marking() { !self.is_marked(handle.index()) } else { handle.stamp() == self.stamps.current() };
        if may_be_skipped {
            return;
        }
        debug_assert!(self.holds(handle));
        if self.remembered.insert(handle.index()) {
            // SAFETY: as above. The handle is valid, so that the cell holds an object, whose header this is; its other bits
            // stay (I3).
            unsafe {
                let meta = cell(self.cage, handle.index()).cast::<u32>().add(1);
                meta.write(meta.read() | REMEMBERED);
            }
        }
    }

    /// Whether the object in a cell has been marked, so that a write to it has to be noted.
    pub(super) fn is_marked(&self, index: u32) -> bool {
        self.bits.get(word_of(index)).is_some_and(|bits| bits.mark & bit_of(index) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_come_off_the_list_once_without_the_bit() {
        let mut memory = vec![0_u128; 512];
        let cage = NonNull::from(&mut memory[..]).cast::<u8>();
        let mut remembered = Remembered::new();
        for index in 100..300 {
            // SAFETY: inside of the memory.
            unsafe { cell(cage, index).cast::<u32>().add(1).write(REMEMBERED | 7) };
            assert!(remembered.insert(index));
        }
        let mut seen = Vec::new();
        while remembered.take_batch(cage, |index| seen.push(index)) {}
        assert!(seen.into_iter().eq((100..300).rev()));
        assert_eq!(remembered.len(), 0);
        // SAFETY: as above.
        assert!((100..300).all(|index| unsafe { cell(cage, index).cast::<u32>().add(1).read() == 7 }));
    }

    #[test]
    fn says_that_it_is_not_complete_when_memory_runs_out() {
        let mut remembered = Remembered::new();
        remembered.limit_arena(Some(8 << 10));
        let listed = (1..10_000).filter(|&index| remembered.insert(index)).count();
        assert!(remembered.is_incomplete() && remembered.take_incomplete() && !remembered.is_incomplete());
        assert!(listed < 9_999);
        assert_eq!(remembered.len(), listed);
    }
}
