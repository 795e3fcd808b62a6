//! Which objects are in a snapshot, and which number each has.
//!
//! A bitmap with a bit for each granule, and the number of ones before each word: so the number of an object is found from
//! the index of its cell in one look, and all of it takes less than two hundredths of the heap.

/// A set of cells, by their index, that knows the rank of each.
#[derive(Debug, Default)]
pub(super) struct Census {
    words: Vec<Word>,
    len: u32,
}

#[derive(Copy, Clone, Debug, Default)]
struct Word {
    bits: u64,
    /// Ones in the words before, once the set is ranked.
    before: u32,
}

impl Census {
    /// An empty set for indices below `end`.
    pub(super) fn new(end: u32) -> Census {
        Census { words: vec![Word::default(); (end as usize).div_ceil(64)], len: 0 }
    }

    /// Adds an index; false if it was there, or is beyond the end.
    #[inline]
    pub(super) fn insert(&mut self, index: u32) -> bool {
        let Some(word) = self.words.get_mut(index as usize / 64) else { return false };
        let bit = 1 << (index % 64);
        let is_new = word.bits & bit == 0;
        word.bits |= bit;
        is_new
    }

    pub(super) fn remove(&mut self, index: u32) {
        if let Some(word) = self.words.get_mut(index as usize / 64) {
            word.bits &= !(1 << (index % 64));
        }
    }

    #[inline]
    pub(super) fn contains(&self, index: u32) -> bool {
        self.words.get(index as usize / 64).is_some_and(|word| word.bits >> (index % 64) & 1 == 1)
    }

    /// Counts, after which ranks can be asked for.
    pub(super) fn count(&mut self) {
        self.len = 0;
        for word in &mut self.words {
            word.before = self.len;
            self.len += word.bits.count_ones();
        }
    }

    /// How many indices there were when they were counted.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// How many indices of the set are smaller than this one, if it is one of them.
    #[inline]
    pub(super) fn rank(&self, index: u32) -> Option<u32> {
        let word = self.words.get(index as usize / 64)?;
        let bit = 1 << (index % 64);
        (word.bits & bit != 0).then(|| word.before + (word.bits & (bit - 1)).count_ones())
    }

    /// All indices, ascending.
    pub(super) fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().filter(|(_, word)| word.bits != 0).flat_map(|(at, word)| {
            let mut bits = word.bits;
            std::iter::from_fn(move || {
                (bits != 0).then(|| {
                    let bit = bits.trailing_zeros();
                    bits &= bits - 1;
                    at as u32 * 64 + bit
                })
            })
        })
    }

    /// The index with a rank.
    pub(super) fn index_of(&self, rank: u32) -> Option<u32> {
        let at = self.words.partition_point(|word| word.before <= rank).checked_sub(1)?;
        let Word { mut bits, before } = *self.words.get(at)?;
        for _ in before..rank {
            bits &= bits.wrapping_sub(1);
        }
        (bits != 0).then(|| at as u32 * 64 + bits.trailing_zeros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranks_are_those_of_an_ordered_set() {
        let mut census = Census::new(5000);
        let mut model = BTreeSet::new();
        for n in 0..700_u32 {
            let index = n * n * 37 % 5000;
            assert_eq!(census.insert(index), model.insert(index));
            if n % 5 == 0 {
                census.remove(index);
                model.remove(&index);
            }
        }
        assert!(!census.insert(5000 + 64));
        census.count();
        assert_eq!(census.len() as usize, model.len());
        assert!(census.indices().eq(model.iter().copied()));
        for (rank, &index) in model.iter().enumerate() {
            assert_eq!(census.rank(index), Some(rank as u32));
            assert_eq!(census.index_of(rank as u32), Some(index));
        }
        assert!((0..5000).all(|index| census.contains(index) == model.contains(&index)));
        assert_eq!(census.index_of(census.len()), None);
        assert_eq!(census.rank(4_000_000), None);
    }
}
