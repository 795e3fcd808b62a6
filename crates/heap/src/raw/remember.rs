//! The remembered set: old objects that were borrowed exclusively since the last collection.
//!
//! An old object can refer to a young one only if it was written to, and every write goes through an exclusive borrow. So
//! a minor collection, which does not look at old objects otherwise, scans these. Each is on the list once; a bit says
//! whether it is there.
//!
//! When the system has no memory for a longer list, the set only notes that it is not complete, and the next collection
//! has to be a major one, which needs no list.

use super::bits::{bit_of, word_of};
use super::region::{Table, Zeroed};

// SAFETY: a number.
unsafe impl Zeroed for u64 {}

/// Which old objects have to be scanned again.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// One bit per granule. **Invariant:** set exactly for the indices on the list.
    bits: Table<u64>,
    list: Vec<u32>,
    incomplete: bool,
}

impl Remembered {
    /// An empty set for a cage of so many granules.
    pub(super) fn reserve(granules: usize) -> Option<Remembered> {
        Some(Remembered { bits: Table::reserve(granules / 64)?, list: Vec::new(), incomplete: false })
    }

    /// Adds the cell at `index`.
    #[inline(always)]
    pub(super) fn insert(&mut self, index: u32) {
        if self.bits.get(word_of(index)).is_some_and(|word| word & bit_of(index) == 0) {
            self.insert_new(index);
        }
    }

    #[cold]
    #[inline(never)]
    fn insert_new(&mut self, index: u32) {
        if self.list.try_reserve(1).is_err() {
            self.incomplete = true;
            return;
        }
        self.bits[word_of(index)] |= bit_of(index);
        self.list.push(index);
    }

    /// Whether some object is missing.
    pub(super) fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// How many objects are on the list.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Empties the set, and gives `visit` each index that was in it.
    pub(super) fn drain(&mut self, mut visit: impl FnMut(u32)) {
        for &index in &self.list {
            self.bits[word_of(index)] &= !bit_of(index);
            visit(index);
        }
        self.list.clear();
        self.incomplete = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_is_kept_once_and_an_index_beyond_the_cage_not_at_all() {
        let mut remembered = Remembered::reserve(1 << 16).unwrap();
        for index in [5, 64, 5, 1 << 15, 64, u32::MAX] {
            remembered.insert(index);
        }
        assert_eq!(remembered.len(), 3);
        let mut seen = Vec::new();
        remembered.drain(|index| seen.push(index));
        assert_eq!(seen, [5, 64, 1 << 15]);
        remembered.insert(5);
        assert_eq!(remembered.len(), 1);
    }
}
