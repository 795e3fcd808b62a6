//! Hash tables in the heap whose entries live as long as their keys.
//!
//! ```text
//! Table            index: a row of u32, no edges       entries: a row of Entry<V>, weak
//! +---------+      +---+---+---+---+---+---+---+---+   +-------+-------+-------+-------+
//! | index   | ---> | 0 | 2 | 0 | 0 | 1 | 0 | 0 | 3 |   | k0 v0 | k1 v1 |   -   |   -   |
//! | entries | -.   +---+---+---+---+---+---+---+---+   +-------+-------+-------+-------+
//! | used: 3 |  '----------------------------------------^
//! +---------+
//! ```
//!
//! Entries lie side by side in the order in which they came, up to `used`. The index has two places for each that fits, at most
//! half of them taken: the number of an entry, counted from one, at or behind the place that the identity hash of its key
//! says. An entry whose key has died, or that was removed, is empty; the index goes on leading to it, and the next key with
//! such a hash is looked for behind it. When all places for entries are used, what is there moves together, and the index is
//! made anew, longer or shorter if need be. Before that, an entry stays where it is, so that the collector can look at a table
//! in parts; and of those that move it learns as of any that are written.
//!
//! The rows (`row.rs`) are objects as any other: they count against the limit, long ones are scanned in parts and remembered in
//! cards, and what the table has outgrown is garbage.

use crate::error::AllocError;
use crate::heap::Heap;
use crate::raw::AnyGc;
use crate::trace::{Describer, Trace, Tracer};
use crate::weak::row::{CHUNK, Row};

/// The fewest entries that a table has room for, unless it has none.
const LEAST_ENTRIES: usize = 8;

/// A key, and a value that lives as long as it. Empty if there is no key.
#[derive(Debug)]
pub(super) struct Entry<V> {
    key: Option<AnyGc>,
    value: Option<V>,
}

impl<V> Default for Entry<V> {
    fn default() -> Entry<V> {
        Entry { key: None, value: None }
    }
}

impl<V: Trace> Trace for Entry<V> {
    // Also where the value has none: the key is looked at.
    const HAS_EDGES: bool = true;
    const IS_WEAK: bool = true;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if tracer.entry(self.key) && V::HAS_EDGES {
            self.value.trace(tracer);
        }
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.entry(self.key, &self.value);
    }

    fn prune(table: &mut [Self], at: usize, is_dead: &dyn Fn(AnyGc) -> bool) {
        let entry = &mut table[at];
        if entry.key.is_some_and(is_dead) {
            entry.key = None;
            entry.value = None;
        }
    }
}

/// The rows of a table.
struct Parts<V: Trace + 'static> {
    entries: Row<Entry<V>>,
    index: Row<u32>,
}

/// A table, to be kept in an object.
pub(super) struct Table<V: Trace + 'static> {
    /// None as long as nothing was put in.
    parts: Option<Parts<V>>,
    /// Entries that were ever filled.
    used: usize,
}

impl<V: Trace + 'static> Copy for Parts<V> {}

impl<V: Trace + 'static> Clone for Parts<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Trace + 'static> Copy for Table<V> {}

impl<V: Trace + 'static> Clone for Table<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Trace + 'static> Trace for Table<V> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Some(Parts { entries, index }) = self.parts {
            entries.trace(tracer);
            index.trace(tracer);
        }
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        if let Some(Parts { entries, index }) = self.parts {
            describer.field("entries", &entries);
            describer.field("index", &index);
        }
    }
}

impl<V: Trace + 'static> Table<V> {
    pub(super) const fn new() -> Table<V> {
        Table { parts: None, used: 0 }
    }

    /// How many entries there can be before the table has to be made anew.
    pub(super) fn capacity(&self) -> usize {
        self.parts.map_or(0, |parts| parts.entries.len())
    }

    /// How many entries were ever filled.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Where the entry of a key is.
    fn find(&self, heap: &Heap, key: AnyGc) -> Option<(Parts<V>, usize)> {
        let parts = self.parts?;
        let mut place = first_place(key, parts.index.len());
        loop {
            let at = (*parts.index.get(heap, place) as usize).checked_sub(1)?;
            if parts.entries.get(heap, at).key == Some(key) {
                return Some((parts, at));
            }
            place = next_place(place, parts.index.len());
        }
    }

    /// The value of a key, if that is alive and has one.
    pub(super) fn get<'h>(&self, heap: &'h Heap, key: AnyGc) -> Option<&'h V> {
        let (parts, at) = self.find(heap, key)?;
        // A handle to the dead is no key, but its entry may not have been pruned yet.
        heap.contains(key).then(|| parts.entries.get(heap, at).value.as_ref())?
    }

    /// The same, to be changed.
    pub(super) fn get_mut<'h>(&self, heap: &'h mut Heap, key: AnyGc) -> Option<&'h mut V> {
        let (parts, at) = self.find(heap, key)?;
        if !heap.contains(key) {
            return None;
        }
        parts.entries.get_mut(heap, at).value.as_mut()
    }

    /// Gives a key, which is alive, a value, and says which it had. The table changes only if there is no error.
    pub(super) fn try_insert(&mut self, heap: &mut Heap, key: AnyGc, value: V) -> Result<Option<V>, AllocError<V>> {
        if let Some((parts, at)) = self.find(heap, key) {
            return Ok(parts.entries.get_mut(heap, at).value.replace(value));
        }
        let parts = match self.make_room(heap) {
            Ok(parts) => parts,
            Err(error) => return Err(error.with_value(value).1),
        };
        *parts.entries.get_mut(heap, self.used) = Entry { key: Some(key), value: Some(value) };
        enter(heap, parts.index, key, self.used);
        self.used += 1;
        Ok(None)
    }

    /// Takes a key and its value out.
    pub(super) fn remove(&self, heap: &mut Heap, key: AnyGc) -> Option<V> {
        let (parts, at) = self.find(heap, key)?;
        if !heap.contains(key) {
            return None;
        }
        let entry = parts.entries.get_mut(heap, at);
        entry.key = None;
        entry.value.take()
    }

    /// The keys that are alive, and their values, in the order in which they came.
    pub(super) fn iter<'h>(&self, heap: &'h Heap) -> impl Iterator<Item = (AnyGc, &'h V)> + use<'h, V> {
        let entries = self.parts.into_iter().flat_map(|parts| parts.entries.iter(heap));
        let filled = entries.filter_map(|entry| Some((entry.key?, entry.value.as_ref()?)));
        filled.filter(|&(key, _)| heap.contains(key))
    }

    /// Makes room for another entry at `used`.
    #[inline]
    fn make_room(&mut self, heap: &mut Heap) -> Result<Parts<V>, AllocError> {
        let parts = match self.parts {
            Some(parts) if self.used < parts.entries.len() => parts,
            _ => {
                // A third is left free at least, so that it takes a while until the next time.
                let alive = self.iter(heap).count();
                self.resize(heap, room_for(alive + 1 + alive / 2))?
            }
        };
        parts.entries.try_reach_element(heap, self.used)?;
        Ok(parts)
    }

    /// Gives back what is not needed.
    pub(super) fn shrink(&mut self, heap: &mut Heap) -> Result<(), AllocError> {
        let alive = self.iter(heap).count();
        if alive == 0 {
            *self = Table::new();
        } else if room_for(alive) < self.capacity() {
            self.resize(heap, room_for(alive))?;
        }
        Ok(())
    }

    /// Moves what is alive together, and makes an index for so many entries.
    #[cold]
    fn resize(&mut self, heap: &mut Heap, room: usize) -> Result<Parts<V>, AllocError> {
        // The collector knows the dead by their places.
        heap.store.finish_pruning();
        let alive = self.iter(heap).count();
        let old = self.parts;
        let keeps_chunks = |old: &Parts<V>| room >= CHUNK && old.entries.len() >= CHUNK;
        let parts = match old {
            Some(old) if old.entries.len() == room => {
                old.index.reset(heap);
                old
            }
            Some(old) if keeps_chunks(&old) => {
                Parts { entries: old.entries.try_resized(heap, room)?, index: Row::try_new(heap, room * 2)? }
            }
            _ => {
                let entries = Row::try_new(heap, room)?;
                entries.try_reach(heap, alive)?;
                Parts { entries, index: Row::try_new(heap, room * 2)? }
            }
        };
        parts.index.try_reach(heap, room * 2)?;
        // From here on nothing fails.
        let mut to = 0;
        for at in 0..self.used {
            let Some(old) = old else { break };
            let Some(key) = old.entries.get(heap, at).key else { continue };
            let entry = std::mem::take(old.entries.get_mut(heap, at));
            *parts.entries.get_mut(heap, to) = entry;
            enter(heap, parts.index, key, to);
            to += 1;
        }
        (self.parts, self.used) = (Some(parts), to);
        Ok(parts)
    }
}

/// The room of a table with so many entries.
fn room_for(entries: usize) -> usize {
    entries.max(LEAST_ENTRIES).next_power_of_two()
}

/// Lets the index lead to an entry, whose key is not there yet.
fn enter(heap: &mut Heap, index: Row<u32>, key: AnyGc, at: usize) {
    let mut place = first_place(key, index.len());
    while *index.get(heap, place) != 0 {
        place = next_place(place, index.len());
    }
    // A table of so many entries is larger than any heap.
    *index.get_mut(heap, place) = u32::try_from(at + 1).expect("a table has less than 2^32 entries");
}

/// Where an index of so many places, a power of two, leads to a key at best.
#[inline]
fn first_place(key: AnyGc, len: usize) -> usize {
    key.identity_hash() as usize & (len - 1)
}

#[inline]
fn next_place(place: usize, len: usize) -> usize {
    (place + 1) & (len - 1)
}
