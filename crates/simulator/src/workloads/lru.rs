//! A cache of strings that gives up the one that was not used for longest.
//!
//! A hash table leads to the entries, each bucket with a chain through its own, and a list through all of them has the one
//! used last in front. Keys are skewed, so that somewhat less than half of the look-ups find what they look for. The others
//! make an entry, and if the cache is full, the last of the list goes for it: as a rule an old object.

use super::numbers::{Checksum, Numbers, scatter, sum_of, text};
use super::shapes::{Words, put, put_slice, put_text};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use tumulus_heap::{Gc, Heap, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "lru",
    summary: "a cache of strings that gives up the one not used for longest",
    page: include_str!("../../pages/lru.md"),
    parameters: &[
        Parameter::count("capacity", "entries that the cache holds", 200_000, 1..=100_000_000),
        Parameter::count("lookups", "how often it is asked", 5_000_000, 1..=4_000_000_000),
    ],
    make: |values| {
        Ok(Box::new(Lru { capacity: values.count("capacity") as u32, lookups: values.count("lookups") as u32 }))
    },
};

/// How many times as many keys there are as entries.
const KEYS: u32 = 4;

#[derive(Debug)]
struct Lru {
    /// How many entries the cache holds.
    capacity: u32,
    /// How often it is asked.
    lookups: u32,
}

#[derive(Debug, Trace)]
struct Entry {
    words: Words,
    key: u64,
    text: Gc<str>,
    newer: Option<Gc<Entry>>,
    older: Option<Gc<Entry>>,
    chain: Option<Gc<Entry>>,
}

/// The cache itself. The list is not closed: the newest has none that is newer.
#[derive(Debug, Trace)]
struct Cache {
    buckets: Gc<[Option<Gc<Entry>>]>,
    newest: Option<Gc<Entry>>,
    oldest: Option<Gc<Entry>>,
    entries: u32,
}

impl Workload for Lru {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut numbers = Numbers::new(session.random().get_seed());
        let (mut checksum, mut hits) = (Checksum::default(), 0_u32);
        let buckets = put_slice(session.heap(), &(), self.capacity.next_power_of_two() as usize, |_| None)?;
        let mut cache = Cache { buckets, newest: None, oldest: None, entries: 0 };
        session.plan(u64::from(self.lookups));
        session.phase("filling");
        let mut full = false;
        for _ in 0..self.lookups {
            if !full && cache.entries == self.capacity {
                full = true;
                session.phase("full");
            }
            let key = numbers.skewed(self.capacity.saturating_mul(KEYS));
            let entry = match cache.find(session.heap(), key) {
                Some(entry) => {
                    hits += 1;
                    cache.unlist(session.heap(), entry);
                    entry
                }
                None => cache.add(session, key, self.capacity)?,
            };
            cache.list(session.heap(), entry);
            let heap = session.heap();
            checksum.add(sum_of(&heap[heap[entry].text]));
            session.done(1);
            session.safepoint(&cache)?;
        }
        checksum.add(hits);
        Ok(checksum.get())
    }
}

impl Cache {
    fn bucket_of(&self, heap: &Heap, key: u32) -> usize {
        // The length is a power of two: the upper bits of what is scattered choose.
        ((u64::from(scatter(key)) * heap[self.buckets].len() as u64) >> 32) as usize
    }

    fn find(&self, heap: &Heap, key: u32) -> Option<Gc<Entry>> {
        let mut at = heap[self.buckets][self.bucket_of(heap, key)];
        while let Some(entry) = at {
            if heap[entry].key == u64::from(key) {
                return at;
            }
            at = heap[entry].chain;
        }
        None
    }

    /// Makes an entry, in its chain and not yet in the list.
    fn add(&mut self, session: &mut Session, key: u32, capacity: u32) -> Result<Gc<Entry>, Stop> {
        if self.entries == capacity {
            self.evict(session.heap());
        }
        let text = put_text(session.heap(), self, text(scatter(key)))?;
        let bucket = self.bucket_of(session.heap(), key);
        let chain = session.heap()[self.buckets][bucket];
        let (words, key) = (Words::default(), u64::from(key));
        let entry = put(session.heap(), self, Entry { words, key, text, newer: None, older: None, chain })?;
        session.heap().slice_mut(self.buckets, bucket..=bucket)[0] = Some(entry);
        self.entries += 1;
        Ok(entry)
    }

    fn evict(&mut self, heap: &mut Heap) {
        let Some(oldest) = self.oldest else { return };
        self.unlist(heap, oldest);
        self.entries -= 1;
        let bucket = self.bucket_of(heap, heap[oldest].key as u32);
        let after = heap[oldest].chain;
        let mut before = None;
        let mut at = heap[self.buckets][bucket];
        while let Some(entry) = at.filter(|&entry| entry != oldest) {
            before = at;
            at = heap[entry].chain;
        }
        match before {
            Some(before) => heap.get_mut(before).chain = after,
            None => heap.slice_mut(self.buckets, bucket..=bucket)[0] = after,
        }
    }

    fn list(&mut self, heap: &mut Heap, entry: Gc<Entry>) {
        let listed = heap.get_mut(entry);
        (listed.newer, listed.older) = (None, self.newest);
        match self.newest {
            Some(newest) => heap.get_mut(newest).newer = Some(entry),
            None => self.oldest = Some(entry),
        }
        self.newest = Some(entry);
    }

    fn unlist(&mut self, heap: &mut Heap, entry: Gc<Entry>) {
        let Entry { newer, older, .. } = heap[entry];
        match newer {
            Some(newer) => heap.get_mut(newer).older = older,
            None => self.newest = older,
        }
        match older {
            Some(older) => heap.get_mut(older).newer = newer,
            None => self.oldest = newer,
        }
    }
}
