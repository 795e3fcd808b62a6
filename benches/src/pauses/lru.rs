//! The workload `lru`: a cache that gives up the entry that was not used for longest.
//!
//! A hash table leads to the entries, and a list through all of them has the one used last in front. Keys are skewed:
//! somewhat less than half of the look-ups find what they look for. The others make an entry with a text of 16 to 128
//! bytes, and if the cache is full, the last of the list goes for it.

use super::measure::Measurement;
use super::random::{Random, scatter, text};
use super::watch::Watch;
use super::workload::Sizes;

/// Entries, in a contestant's hands. `Link` is what leads to one.
///
/// The hash table is one of buckets, each with a chain through its entries.
pub trait Entries {
    /// What leads to an entry.
    type Link: Clone + PartialEq;

    /// How many buckets there are: a power of two.
    fn buckets(&self) -> usize;
    /// The first entry of a bucket.
    fn bucket(&self, at: usize) -> Option<Self::Link>;
    /// Changes it.
    fn set_bucket(&mut self, at: usize, to: Option<Self::Link>);
    /// An entry, which has been put in front of its chain and is not yet in the list.
    fn entry(&mut self, key: u32, text: &str, chain: Option<Self::Link>) -> Self::Link;
    /// Lets go of an entry that nothing leads to any more. Where there is a collector, nothing needs to be done.
    fn give_up(&mut self, _entry: &Self::Link) {}
    /// The key of an entry.
    fn key(&self, entry: &Self::Link) -> u32;
    /// [`sum_of`](super::random::sum_of) its text.
    fn sum(&self, entry: &Self::Link) -> u64;
    /// A link.
    fn get(&self, from: Option<&Self::Link>, way: Way) -> Option<Self::Link>;
    /// Changes a link.
    fn set(&mut self, from: Option<&Self::Link>, way: Way, to: Option<Self::Link>);
}

/// Which link of an entry. The list is closed by the cache itself: from there, `Older` is the newest, and `Newer` the
/// oldest of all. The cache has no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the entry that was used next after this one.
    Newer,
    /// To the entry that was used last before this one.
    Older,
    /// To the next of the same bucket.
    Chain,
}

/// A whole cache, in a contestant's hands.
pub trait Cache {
    /// Does [`look_up`], then lets the collector do what is due.
    fn look_up(&mut self, key: u32, room: Room, watch: &mut Watch) -> Found;
}

/// Whether another entry finds room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It does.
    Left,
    /// The oldest has to go for it.
    Full,
}

/// What came of looking a key up.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Whether the entry was there.
    pub hit: bool,
    /// What its text adds to the checksum.
    pub sum: u64,
}

/// Finds the entry of a key or makes it, and moves it in front.
#[inline]
pub fn look_up<E: Entries>(entries: &mut E, key: u32, room: Room) -> Found {
    let bucket = bucket_of(entries, key);
    let first = entries.bucket(bucket);
    let mut at = first.clone();
    while let Some(entry) = at {
        if entries.key(&entry) == key {
            unlist(entries, &entry);
            list(entries, &entry);
            return Found { hit: true, sum: entries.sum(&entry) };
        }
        at = entries.get(Some(&entry), Way::Chain);
    }
    if room == Room::Full {
        evict(entries);
    }
    // The eviction may have taken what was the bucket's first.
    let first = if room == Room::Full { entries.bucket(bucket) } else { first };
    let entry = entries.entry(key, text(scatter(key)), first);
    entries.set_bucket(bucket, Some(entry.clone()));
    list(entries, &entry);
    Found { hit: false, sum: entries.sum(&entry) }
}

fn bucket_of<E: Entries>(entries: &E, key: u32) -> usize {
    ((u64::from(scatter(key)) * entries.buckets() as u64) >> 32) as usize
}

#[inline]
fn unlist<E: Entries>(entries: &mut E, entry: &E::Link) {
    let newer = entries.get(Some(entry), Way::Newer);
    let older = entries.get(Some(entry), Way::Older);
    entries.set(newer.as_ref(), Way::Older, older.clone());
    entries.set(older.as_ref(), Way::Newer, newer);
}

#[inline]
fn list<E: Entries>(entries: &mut E, entry: &E::Link) {
    let newest = entries.get(None, Way::Older);
    entries.set(newest.as_ref(), Way::Newer, Some(entry.clone()));
    entries.set(Some(entry), Way::Newer, None);
    entries.set(Some(entry), Way::Older, newest);
    entries.set(None, Way::Older, Some(entry.clone()));
}

#[inline]
fn evict<E: Entries>(entries: &mut E) {
    let Some(oldest) = entries.get(None, Way::Newer) else { return };
    unlist(entries, &oldest);
    let bucket = bucket_of(entries, entries.key(&oldest));
    let after = entries.get(Some(&oldest), Way::Chain);
    let mut at = entries.bucket(bucket);
    if at.as_ref() == Some(&oldest) {
        entries.set_bucket(bucket, after);
    } else {
        while let Some(entry) = at {
            let next = entries.get(Some(&entry), Way::Chain);
            if next.as_ref() == Some(&oldest) {
                entries.set(Some(&entry), Way::Chain, after);
                break;
            }
            at = next;
        }
    }
    entries.give_up(&oldest);
}

/// A key. All are less than 4 times the capacity, and many of them much less.
#[inline]
fn key(random: &mut Random, capacity: u32) -> u32 {
    let end = capacity.saturating_mul(4) >> (random.next() & 3);
    random.below(end)
}

/// Runs the workload. `new` makes an empty cache with so many buckets.
pub fn run<C: Cache>(sizes: &Sizes, new: impl FnOnce(usize) -> C) -> Measurement {
    let mut cache = new(sizes.lru_capacity.next_power_of_two() as usize);
    let mut random = Random::new();
    let (mut entries, mut hits, mut sum) = (0, 0, 0);
    let mut watch = Watch::begin(sizes.pass);
    for _ in 0..sizes.lru_operations {
        let room = if entries < sizes.lru_capacity { Room::Left } else { Room::Full };
        let found = cache.look_up(key(&mut random, sizes.lru_capacity), room, &mut watch);
        sum += found.sum;
        if found.hit {
            hits += 1;
        } else if room == Room::Left {
            entries += 1;
        }
    }
    watch.end(u64::from(sizes.lru_operations)).checked(sum * 31 + hits)
}
