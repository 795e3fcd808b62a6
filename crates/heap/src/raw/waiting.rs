//! Entries of weak tables that wait for their keys: the memory of marking ephemerons.
//!
//! When a table is scanned, an entry whose key is marked has its value traced at once. One whose key is not is noted here,
//! as a *wait*, under its key. When the key is marked later, its waits are *released*: the entries are looked at again,
//! just these. So each entry is looked at twice at most, in whatever order keys are reached, and there are no rounds over all
//! tables until nothing changes. What was never released when marking ends is an entry whose key is dead, and is pruned
//! (`prune.rs`).
//!
//! The waits lie in chunks, numbered in the order in which they came. For every four granules there is the number of the
//! last wait for a key that starts there, and each wait has the number of the one before it. To ask whether a newly marked
//! object is waited for is one load, from a line that is shared by a kibibyte of cells. Numbers go on rising from cycle to
//! cycle: one that is less than the first of this cycle is that of a wait long gone, so that nothing has to be cleared.
//!
//! A hash table of keys would take less address space, and would stop the program whenever it grows. The chunks are kept, so
//! that a steady state asks the system for nothing. When there is no memory for another one, the table says that it is
//! incomplete, and marking goes over all tables in rounds for once.
//!
//! What is *not* here: who marks, and when (`ephemerons.rs`).

use super::parts::Part;
use super::region::{Table, Zeroed};
use super::stack::Stack;

// SAFETY: a number.
unsafe impl Zeroed for u32 {}

/// How many granules share a head: those of a cache line of cells.
const GRANULES_PER_HEAD: u32 = 4;
/// Waits in a chunk: 64 KiB of them.
const CHUNK: usize = 4096;
/// From here on the numbers begin anew, in the next cycle.
const LAST_FIRST: u32 = u32::MAX / 2;

/// An entry whose key was not marked when it was looked at.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// The cell of the key.
    pub(super) key: u32,
    /// The cell of the table.
    pub(super) holder: u32,
    /// Which of its elements.
    pub(super) element: u32,
    /// The number of another wait for a key nearby; of none if it is less than the first number of the cycle.
    next: u32,
}

const _: () = assert!(size_of::<Wait>() == 16);

/// A key that was marked, and the first of the waits that may be for it and have not been looked at.
#[derive(Copy, Clone, Debug)]
struct Release {
    key: u32,
    next: u32,
}

/// The waits of a cycle, and the tables that it has still to scan.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// For every four granules, the number of the last wait for a key that starts there.
    heads: Table<u32>,
    /// **Invariant:** the first `len` waits are those of this cycle.
    chunks: Vec<Vec<Wait>>,
    len: usize,
    /// The number of the first wait of this cycle; not zero.
    first: u32,
    /// Waits that were not released.
    open: usize,
    released: Stack<Release>,
    releasing: Option<Release>,
    /// Weak tables that are marked, each from the part on that has not been scanned.
    tables: Stack<Part>,
    /// Some wait or some table is missing, as there was no memory for it.
    incomplete: bool,
    /// Something was marked, or got missing, since this was asked last.
    progress: bool,
    /// Bytes that the chunks may take.
    limit: usize,
}

impl Waiting {
    /// The heads for a cage of so many granules, if the system grants the addresses.
    pub(super) fn reserve_heads(granules: usize) -> Option<Table<u32>> {
        Table::reserve(granules / GRANULES_PER_HEAD as usize)
    }

    /// Nothing waits.
    pub(super) fn new(heads: Table<u32>) -> Waiting {
        Waiting {
            heads,
            chunks: Vec::new(),
            len: 0,
            first: 1,
            open: 0,
            released: Stack::new(),
            releasing: None,
            tables: Stack::new(),
            incomplete: false,
            progress: false,
            limit: usize::MAX,
        }
    }

    /// Forgets everything. The memory is kept for the next cycle.
    pub(super) fn reset(&mut self) {
        // So many numbers were used, of which there were enough.
        self.first += self.len as u32;
        if self.first > LAST_FIRST {
            match Table::reserve(self.heads.len()) {
                Some(heads) => (self.heads, self.first) = (heads, 1),
                // Without the addresses for new ones, the old ones do as long as there are numbers.
                None => self.first = self.first.min(u32::MAX - 1),
            }
        }
        self.len = 0;
        self.open = 0;
        self.released.reset();
        self.releasing = None;
        self.tables.reset();
        self.incomplete = false;
        self.progress = false;
    }

    /// Whether no entry waits: what is marked need not be looked up here.
    pub(super) fn is_idle(&self) -> bool {
        self.open == 0 && self.releasing.is_none() && self.released.is_empty() && !self.incomplete
    }

    /// Notes an entry whose key is not marked.
    pub(super) fn insert(&mut self, key: u32, holder: u32, element: u32) {
        let Some(head) = self.heads.get_mut((key / GRANULES_PER_HEAD) as usize) else {
            // No object can have this index, so that it will not be marked. It is noted to be pruned.
            self.push(Wait { key, holder, element, next: 0 });
            return;
        };
        let wait = Wait { key, holder, element, next: *head };
        let number = self.first.checked_add(self.len as u32).filter(|&number| number < u32::MAX - 1);
        if let Some(number) = number
            && self.push(wait)
        {
            self.heads[(key / GRANULES_PER_HEAD) as usize] = number;
            self.open += 1;
        } else {
            self.incomplete = true;
        }
    }

    fn push(&mut self, wait: Wait) -> bool {
        let chunk = self.len / CHUNK;
        if chunk == self.chunks.len() && !self.grow() {
            self.incomplete = true;
            return false;
        }
        let chunk = &mut self.chunks[chunk];
        match chunk.get_mut(self.len % CHUNK) {
            Some(place) => *place = wait,
            None => chunk.push(wait),
        }
        self.len += 1;
        true
    }

    #[cold]
    fn grow(&mut self) -> bool {
        let mut chunk = Vec::new();
        let fits = (self.chunks.len() + 1) * CHUNK * size_of::<Wait>() <= self.limit;
        let has_room = fits && self.chunks.try_reserve(1).is_ok() && chunk.try_reserve_exact(CHUNK).is_ok();
        if has_room {
            self.chunks.push(chunk);
        }
        has_room
    }

    /// The wait at this position, in the order in which they came.
    pub(super) fn get(&self, position: usize) -> Option<Wait> {
        (position < self.len).then(|| self.chunks[position / CHUNK][position % CHUNK])
    }

    /// Whether some entry may wait for the object at `key`.
    #[inline(always)]
    pub(super) fn is_waited_for(&self, key: u32) -> bool {
        self.heads.get((key / GRANULES_PER_HEAD) as usize).is_some_and(|&head| head >= self.first)
    }

    /// Releases what waits for the object at `key`, which was marked just now.
    pub(super) fn release(&mut self, key: u32) {
        let next = self.heads[(key / GRANULES_PER_HEAD) as usize];
        if !self.released.push(Release { key, next }) {
            self.incomplete = true;
            self.progress = true;
        }
    }

    /// The next entry that was released, if there is credit to look for it: one unit for each wait that is passed.
    pub(super) fn next_released(&mut self, credit: &mut u64) -> Option<Wait> {
        while *credit > 0 {
            let Release { key, next } = match self.releasing.take() {
                Some(release) => release,
                None => self.released.pop()?,
            };
            let Some(position) = next.checked_sub(self.first) else { continue };
            *credit -= 1;
            let wait = self.chunks[position as usize / CHUNK][position as usize % CHUNK];
            self.releasing = Some(Release { key, next: wait.next });
            if wait.key == key {
                self.open -= 1;
                return Some(wait);
            }
        }
        None
    }

    /// Notes a table to be scanned from a part on.
    pub(super) fn push_table(&mut self, from: Part) {
        if !self.tables.push(from) {
            self.lose_table();
        }
    }

    /// Notes that some table that is marked may not have been scanned.
    #[cold]
    pub(super) fn lose_table(&mut self) {
        self.incomplete = true;
        self.progress = true;
    }

    /// A table to be scanned, and from which part on.
    pub(super) fn pop_table(&mut self) -> Option<Part> {
        self.tables.pop()
    }

    /// Notes that something was marked.
    #[inline(always)]
    pub(super) fn note_progress(&mut self) {
        self.progress = true;
    }

    /// Whether all tables have to be scanned once more, as something is missing, and something was marked since it was
    /// asked last.
    pub(super) fn needs_round(&mut self) -> bool {
        std::mem::take(&mut self.progress) && self.incomplete
    }

    /// Whether there may be entries with dead keys that are not among the waits.
    pub(super) fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Bytes held from the system.
    pub(super) fn arena_bytes(&self) -> usize {
        let chunks = self.chunks.len() * CHUNK * size_of::<Wait>();
        chunks + self.released.arena_bytes() + self.tables.arena_bytes()
    }

    /// Lets each list grow to `bytes` only; `None` lifts the limit.
    pub(super) fn limit_arena(&mut self, bytes: Option<usize>) {
        self.limit = bytes.unwrap_or(usize::MAX);
        self.released.limit_arena(bytes);
        self.tables.limit_arena(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANULES: usize = 1 << 18;

    /// What is released for a key.
    fn released(waiting: &mut Waiting, key: u32) -> Vec<(u32, u32)> {
        if waiting.is_waited_for(key) {
            waiting.release(key);
        }
        let mut credit = u64::MAX;
        std::iter::from_fn(|| waiting.next_released(&mut credit)).map(|wait| (wait.holder, wait.element)).collect()
    }

    #[test]
    fn a_key_releases_its_own_entries_and_no_others() {
        let mut waiting = Waiting::new(Waiting::reserve_heads(GRANULES).unwrap());
        let count = if cfg!(miri) { 200 } else { 20_000 };
        for n in 0..count {
            // Three keys in a line, and each of them twice.
            waiting.insert(100 + n % (count / 2), 7, n);
        }
        assert!(!waiting.is_idle());
        for key in 0..count / 2 {
            assert_eq!(released(&mut waiting, 100 + key), [(7, key + count / 2), (7, key)], "{key}");
        }
        assert!(waiting.is_idle());
        assert!(!waiting.is_waited_for(99) && !waiting.is_waited_for(u32::MAX));
    }

    #[test]
    fn the_next_cycle_knows_nothing_of_the_last() {
        let mut waiting = Waiting::new(Waiting::reserve_heads(GRANULES).unwrap());
        for cycle in 0..5 {
            waiting.insert(12, 1, cycle);
            waiting.insert(13, 2, cycle);
            assert_eq!(released(&mut waiting, 13), [(2, cycle)]);
            assert!(waiting.get(1).is_some() && waiting.get(2).is_none());
            waiting.reset();
            assert!(waiting.is_idle() && !waiting.is_waited_for(12));
        }
    }

    #[test]
    fn numbers_that_are_used_up_begin_anew() {
        let mut waiting = Waiting::new(Waiting::reserve_heads(GRANULES).unwrap());
        waiting.first = LAST_FIRST;
        waiting.insert(12, 1, 1);
        waiting.reset();
        assert_eq!(waiting.first, 1);
        assert!(!waiting.is_waited_for(12));
        waiting.insert(12, 1, 2);
        assert_eq!(released(&mut waiting, 12), [(1, 2)]);
    }

    #[test]
    fn stops_where_the_credit_ends_and_goes_on_there() {
        let mut waiting = Waiting::new(Waiting::reserve_heads(GRANULES).unwrap());
        (0..100).for_each(|n| waiting.insert(40 + n % 4, 1, n));
        (40..44).for_each(|key| waiting.release(key));
        let mut seen = 0;
        for _ in 0..400 {
            let mut credit = 1;
            seen += usize::from(waiting.next_released(&mut credit).is_some());
        }
        assert_eq!(seen, 100);
        assert!(waiting.next_released(&mut { 9 }).is_none() && waiting.is_idle());
    }

    #[test]
    fn says_that_it_is_not_complete_when_memory_runs_out() {
        let mut waiting = Waiting::new(Waiting::reserve_heads(GRANULES).unwrap());
        waiting.limit_arena(Some(CHUNK * size_of::<Wait>()));
        (0..CHUNK as u32).for_each(|n| waiting.insert(n, 1, n));
        assert!(!waiting.is_incomplete());
        waiting.insert(9000, 1, 1);
        assert!(waiting.is_incomplete() && !waiting.is_waited_for(9000));
        waiting.note_progress();
        assert!(waiting.needs_round() && !waiting.needs_round());
        waiting.reset();
        assert!(waiting.is_idle());
    }
}
