//! Raw pointers that were wrapped: which ranges of addresses are in stores, and in which.
//!
//! The ranges are in order, in lists of at most [`MOST`], so that an insertion moves few of them. A tree of the standard
//! library would be shorter, and gives no error where there is no memory.

use std::panic::Location;

/// The longest list.
const MOST: usize = if cfg!(miri) { 32 } else { 256 };

/// A range that is in a store.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Wrapped {
    start: usize,
    bytes: usize,
    /// The store's id.
    pub(crate) id: u64,
    /// Where it was made.
    pub(crate) born: &'static Location<'static>,
}

/// Why a range was not added.
#[derive(Debug)]
pub(crate) enum NotAdded {
    /// Some of it is in this store.
    Overlaps(Wrapped),
    /// There is no memory for it.
    NoMemory,
}

/// See the file's header.
pub(crate) struct Ranges {
    /// None of these is empty, and each ends before the next begins.
    lists: Vec<Vec<Wrapped>>,
}

impl Ranges {
    pub(super) const fn new() -> Ranges {
        Ranges { lists: Vec::new() }
    }

    /// Adds a range of some bytes that overlaps with none.
    pub(super) fn add(
        &mut self,
        start: usize,
        bytes: usize,
        id: u64,
        born: &'static Location<'static>,
    ) -> Result<(), NotAdded> {
        let new = Wrapped { start, bytes, id, born };
        // The list that the range belongs to: the last that begins before it, or else the first.
        let list = self.lists.partition_point(|list| list[0].start <= start).saturating_sub(1);
        if list == self.lists.len() {
            self.lists.try_reserve(1).map_err(|_| NotAdded::NoMemory)?;
            self.lists.push(list_of(&[])?);
        }
        let at = self.lists[list].partition_point(|range| range.start <= start);
        let before = at.checked_sub(1).map(|at| &self.lists[list][at]);
        let after = self.lists[list].get(at).or_else(|| self.lists.get(list + 1).map(|list| &list[0]));
        let overlaps = before
            .filter(|before| before.start + before.bytes > start)
            .or(after.filter(|after| after.start < start + bytes));
        if let Some(&first) = overlaps {
            return Err(NotAdded::Overlaps(first));
        }
        if self.lists[list].len() < MOST {
            self.lists[list].insert(at, new);
            return Ok(());
        }
        self.lists.try_reserve(1).map_err(|_| NotAdded::NoMemory)?;
        let upper = list_of(&self.lists[list][MOST / 2..])?;
        self.lists[list].truncate(MOST / 2);
        self.lists.insert(list + 1, upper);
        let (list, at) = if at > MOST / 2 { (list + 1, at - MOST / 2) } else { (list, at) };
        self.lists[list].insert(at, new);
        Ok(())
    }

    /// Removes the range that begins there.
    pub(super) fn remove(&mut self, start: usize) {
        let list = self.lists.partition_point(|list| list[0].start <= start).saturating_sub(1);
        let Some(ranges) = self.lists.get_mut(list) else { return };
        if let Ok(at) = ranges.binary_search_by_key(&start, |range| range.start) {
            ranges.remove(at);
        }
        if ranges.is_empty() {
            self.lists.remove(list);
        }
    }
}

/// A list that never has to grow.
fn list_of(ranges: &[Wrapped]) -> Result<Vec<Wrapped>, NotAdded> {
    let mut list = Vec::new();
    list.try_reserve_exact(MOST).map_err(|_| NotAdded::NoMemory)?;
    list.extend_from_slice(ranges);
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_says_the_same_as_a_tree() {
        let mut ranges = Ranges::new();
        let mut tree = BTreeMap::new();
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for id in 0..if cfg!(miri) { 600 } else { 20_000 } {
            let (start, bytes) = (random(60_000) as usize * 8, 1 + random(40) as usize);
            if random(3) == 0
                && let Some((&start, _)) = tree.range(start..).next()
            {
                tree.remove(&start);
                ranges.remove(start);
                continue;
            }
            let overlapping = tree.range(..start + bytes).next_back().filter(|&(at, len)| at + len > start);
            let added = ranges.add(start, bytes, id, Location::caller());
            match (overlapping, &added) {
                (Some(_), Err(NotAdded::Overlaps(first))) => assert!(tree.contains_key(&first.start)),
                (None, Ok(())) => _ = tree.insert(start, bytes),
                _ => panic!("{overlapping:?}, {added:?}"),
            }
        }
        let all: Vec<_> = ranges.lists.iter().flatten().map(|range| (range.start, range.bytes)).collect();
        assert_eq!(all, tree.into_iter().collect::<Vec<_>>());
        assert!(all.len() > MOST && ranges.lists.iter().all(|list| !list.is_empty() && list.len() <= MOST));
    }
}
