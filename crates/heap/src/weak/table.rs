//! Hash tables in the heap whose entries live as long as their keys.
//!
//! ```text
//! Table            index: Gc<[u32]>, no edges          entries: Gc<[Entry<V>]>, weak
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
//! such a hash is looked for behind it. When all places for entries are used, what is alive is moved to new slices of the size
//! that it needs. So an entry stays where it is as long as its slice lives, and the collector can look at a table in parts.
//!
//! The slices are objects as any other: they count against the limit, long ones are scanned in parts and remembered in cards,
//! and what the table has outgrown is garbage.

use crate::error::AllocError;
use crate::heap::Heap;
use crate::raw::{AnyGc, Gc};
use crate::trace::{Describer, Trace, Tracer};

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

/// The slices of a table.
struct Parts<V: Trace + 'static> {
    entries: Gc<[Entry<V>]>,
    index: Gc<[u32]>,
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
            tracer.edge(entries);
            tracer.edge(index);
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

    /// How many entries there is room for.
    pub(super) fn capacity(&self, heap: &Heap) -> usize {
        self.parts.map_or(0, |parts| heap.get(parts.entries).len())
    }

    /// How many entries were ever filled.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Where the entry of a key is.
    fn find(&self, heap: &Heap, key: AnyGc) -> Option<(Parts<V>, usize)> {
        let parts = self.parts?;
        let (entries, index) = (heap.get(parts.entries), heap.get(parts.index));
        let mut place = first_place(key, index.len());
        loop {
            let at = (index[place] as usize).checked_sub(1)?;
            if entries[at].key == Some(key) {
                return Some((parts, at));
            }
            place = next_place(place, index.len());
        }
    }

    /// The value of a key, if that is alive and has one.
    pub(super) fn get<'h>(&self, heap: &'h Heap, key: AnyGc) -> Option<&'h V> {
        let (parts, at) = self.find(heap, key)?;
        // A handle to the dead is no key, but its entry may not have been pruned yet.
        heap.contains(key).then(|| heap.get(parts.entries)[at].value.as_ref())?
    }

    /// The same, to be changed.
    pub(super) fn get_mut<'h>(&self, heap: &'h mut Heap, key: AnyGc) -> Option<&'h mut V> {
        let (parts, at) = self.find(heap, key)?;
        if !heap.contains(key) {
            return None;
        }
        heap.slice_mut(parts.entries, at..=at)[0].value.as_mut()
    }

    /// Gives a key, which is alive, a value, and says which it had. The table changes only if there is no error.
    pub(super) fn try_insert(&mut self, heap: &mut Heap, key: AnyGc, value: V) -> Result<Option<V>, AllocError<V>> {
        if let Some((parts, at)) = self.find(heap, key) {
            return Ok(heap.slice_mut(parts.entries, at..=at)[0].value.replace(value));
        }
        let with_room = self.parts.filter(|parts| self.used < heap.get(parts.entries).len());
        let parts = match with_room {
            Some(parts) => parts,
            None => match self.grow(heap) {
                Ok(parts) => parts,
                Err(error) => return Err(error.with_value(value).1),
            },
        };
        let at = self.used;
        self.used += 1;
        heap.slice_mut(parts.entries, at..=at)[0] = Entry { key: Some(key), value: Some(value) };
        enter(heap.get_mut(parts.index), key, at);
        Ok(None)
    }

    /// Takes a key and its value out.
    pub(super) fn remove(&self, heap: &mut Heap, key: AnyGc) -> Option<V> {
        let (parts, at) = self.find(heap, key)?;
        if !heap.contains(key) {
            return None;
        }
        let entry = &mut heap.slice_mut(parts.entries, at..=at)[0];
        entry.key = None;
        entry.value.take()
    }

    /// The keys that are alive, and their values, in the order in which they came.
    pub(super) fn iter<'h>(&self, heap: &'h Heap) -> impl Iterator<Item = (AnyGc, &'h V)> + use<'h, V> {
        let entries: &[Entry<V>] = match self.parts {
            Some(parts) => &heap.get(parts.entries)[..self.used],
            None => &[],
        };
        let filled = entries.iter().filter_map(|entry| Some((entry.key?, entry.value.as_ref()?)));
        filled.filter(|&(key, _)| heap.contains(key))
    }

    /// Makes room for another entry: with a third of it free at least, so that it takes a while until the next time.
    #[cold]
    fn grow(&mut self, heap: &mut Heap) -> Result<Parts<V>, AllocError> {
        let alive = self.iter(heap).count();
        let room = room_for(alive + 1 + alive / 2);
        match self.parts {
            Some(parts) if heap.get(parts.entries).len() == room => {
                self.compact(heap, parts);
                Ok(parts)
            }
            _ => self.rebuild(heap, room),
        }
    }

    /// Moves what is alive to the front, so that large slices need not be made and freed where much comes and goes.
    ///
    /// What has died and not been pruned yet moves to the back, where it is dropped at the end, as that may panic.
    fn compact(&mut self, heap: &mut Heap, parts: Parts<V>) {
        let old = self.used;
        self.used = 0;
        heap.get_mut(parts.index).fill(0);
        for at in 0..old {
            let Some(key) = heap.get(parts.entries)[at].key.filter(|&key| heap.contains(key)) else { continue };
            if at != self.used {
                // The collector learns of both places: it may have looked at one of them, and not at the other.
                let to = self.used;
                let entry = std::mem::take(&mut heap.slice_mut(parts.entries, at..=at)[0]);
                let dead = std::mem::replace(&mut heap.slice_mut(parts.entries, to..=to)[0], entry);
                heap.slice_mut(parts.entries, at..=at)[0] = dead;
            }
            enter(heap.get_mut(parts.index), key, self.used);
            self.used += 1;
        }
        heap.slice_mut(parts.entries, self.used..old).fill_with(Entry::default);
    }

    /// Moves what is alive to smaller slices, if they would be smaller.
    pub(super) fn shrink(&mut self, heap: &mut Heap) -> Result<(), AllocError> {
        let alive = self.iter(heap).count();
        if alive == 0 {
            *self = Table::new();
        } else if room_for(alive) < self.capacity(heap) {
            self.rebuild(heap, room_for(alive))?;
        }
        Ok(())
    }

    /// Moves what is alive to new slices, with room for so many entries.
    ///
    /// What is dead and not pruned yet stays in the old ones: the collector will find it there.
    fn rebuild(&mut self, heap: &mut Heap, room: usize) -> Result<Parts<V>, AllocError> {
        let entries = heap.try_alloc_slice_with(room, |_| Entry::default())?;
        let index = heap.try_alloc_slice_with(room * 2, |_| 0_u32)?;
        let parts = Parts { entries, index };
        let mut used = 0;
        for at in 0..self.used {
            let Some(old) = self.parts else { break };
            let Some(key) = heap.get(old.entries)[at].key.filter(|&key| heap.contains(key)) else { continue };
            // The collector need not know: a handle that is taken out is found where it goes, and what it goes to is new, so
            // that it will be looked at as a whole.
            let taken = heap.store.get_mut(old.entries).map(|entries| std::mem::take(&mut entries[at]));
            if let (Some(entry), Some(entries)) = (taken, heap.store.get_mut(entries)) {
                entries[used] = entry;
            }
            enter(heap.get_mut(index), key, used);
            used += 1;
        }
        self.parts = Some(parts);
        self.used = used;
        Ok(parts)
    }
}

/// The room of a table with so many entries.
fn room_for(entries: usize) -> usize {
    entries.max(LEAST_ENTRIES).next_power_of_two()
}

/// Lets the index lead to an entry, whose key is not there yet.
fn enter(index: &mut [u32], key: AnyGc, at: usize) {
    let mut place = first_place(key, index.len());
    while index[place] != 0 {
        place = next_place(place, index.len());
    }
    // A table of so many entries is larger than any heap.
    index[place] = u32::try_from(at + 1).expect("a table has less than 2^32 entries");
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
