//! The workload `lru`.

use tumulus_heap::{Gc, Heap, Trace};

use super::{Options, set};
use crate::pauses::lru::{self, Cache, Entries, Found, Room, Way};
use crate::pauses::random::sum_of;
use crate::pauses::watch::Watch;

type Link = Option<Gc<LruEntry>>;

#[derive(Trace)]
pub struct LruEntry {
    newer: Link,
    older: Link,
    chain: Link,
    text: Gc<str>,
    key: u32,
}

/// A heap with a cache.
pub struct LruCache {
    heap: Heap,
    table: Gc<[Link]>,
    newest: Link,
    oldest: Link,
}

impl LruCache {
    pub fn new<O: Options>(buckets: usize) -> Self {
        let mut heap = O::heap();
        let table = heap.alloc_slice_with(buckets, |_| None);
        LruCache { heap, table, newest: None, oldest: None }
    }
}

impl Cache for LruCache {
    fn look_up(&mut self, key: u32, room: Room, watch: &mut Watch) -> Found {
        let found = lru::look_up(self, key, room);
        watch.pause(|| self.heap.safepoint(&(self.table, self.newest, self.oldest)));
        found
    }
}

impl Entries for LruCache {
    type Link = Gc<LruEntry>;

    fn buckets(&self) -> usize {
        self.heap[self.table].len()
    }

    #[inline]
    fn bucket(&self, at: usize) -> Link {
        self.heap[self.table][at]
    }

    #[inline]
    fn set_bucket(&mut self, at: usize, to: Link) {
        set(&mut self.heap, self.table, at, to);
    }

    #[inline]
    fn entry(&mut self, key: u32, text: &str, chain: Link) -> Gc<LruEntry> {
        let text = self.heap.alloc_str(text);
        self.heap.alloc(LruEntry { newer: None, older: None, chain, text, key })
    }

    #[inline]
    fn key(&self, entry: &Gc<LruEntry>) -> u32 {
        self.heap[*entry].key
    }

    #[inline]
    fn sum(&self, entry: &Gc<LruEntry>) -> u64 {
        sum_of(&self.heap[self.heap[*entry].text])
    }

    #[inline]
    fn get(&self, from: Option<&Gc<LruEntry>>, way: Way) -> Link {
        match (from, way) {
            (Some(&entry), Way::Newer) => self.heap[entry].newer,
            (Some(&entry), Way::Older) => self.heap[entry].older,
            (Some(&entry), Way::Chain) => self.heap[entry].chain,
            (None, Way::Newer) => self.oldest,
            (None, Way::Older) => self.newest,
            (None, Way::Chain) => None,
        }
    }

    #[inline]
    fn set(&mut self, from: Option<&Gc<LruEntry>>, way: Way, to: Link) {
        match (from, way) {
            (Some(&entry), Way::Newer) => self.heap.get_mut(entry).newer = to,
            (Some(&entry), Way::Older) => self.heap.get_mut(entry).older = to,
            (Some(&entry), Way::Chain) => self.heap.get_mut(entry).chain = to,
            (None, Way::Newer) => self.oldest = to,
            (None, Way::Older) => self.newest = to,
            (None, Way::Chain) => {}
        }
    }
}
