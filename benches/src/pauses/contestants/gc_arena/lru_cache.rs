//! The workload `lru`.

use gc_arena::barrier::unlock;
use gc_arena::{Arena, Collect, Gc, Lock, Mutation, Rootable};

use super::{Link, Table};
use crate::pauses::lru::{self, Cache, Entries, Found, Room, Way};
use crate::pauses::random::sum_of;
use crate::pauses::watch::Watch;

#[derive(Collect)]
#[collect(no_drop)]
struct LruEntry<'gc> {
    newer: Lock<Link<'gc, LruEntry<'gc>>>,
    older: Lock<Link<'gc, LruEntry<'gc>>>,
    chain: Lock<Link<'gc, LruEntry<'gc>>>,
    text: Box<str>,
    key: u32,
}

#[derive(Collect)]
#[collect(no_drop)]
struct LruRoot<'gc> {
    table: Table<'gc, LruEntry<'gc>>,
    /// An entry that closes the list.
    ends: Gc<'gc, LruEntry<'gc>>,
    buckets: usize,
}

/// An arena with a cache.
pub struct LruCache(Arena<Rootable![LruRoot<'_>]>);

impl LruCache {
    pub fn new(buckets: usize) -> Self {
        LruCache(Arena::new(|mc| LruRoot { table: Table::new(mc, buckets), ends: new_entry(mc, 0, "", None), buckets }))
    }
}

#[inline]
fn new_entry<'gc>(mc: &Mutation<'gc>, key: u32, text: &str, chain: Link<'gc, LruEntry<'gc>>) -> Gc<'gc, LruEntry<'gc>> {
    let [newer, older] = [Lock::new(None), Lock::new(None)];
    Gc::new(mc, LruEntry { newer, older, chain: Lock::new(chain), text: text.into(), key })
}

impl Cache for LruCache {
    fn look_up(&mut self, key: u32, room: Room, watch: &mut Watch) -> Found {
        let found = self.0.mutate(|mc, root| lru::look_up(&mut LruEntries { mc, root }, key, room));
        watch.pause(|| self.0.collect_debt());
        found
    }
}

/// What there is inside of a mutation.
struct LruEntries<'a, 'gc> {
    mc: &'a Mutation<'gc>,
    root: &'a LruRoot<'gc>,
}

impl<'gc> Entries for LruEntries<'_, 'gc> {
    type Link = Same<'gc>;

    fn buckets(&self) -> usize {
        self.root.buckets
    }

    #[inline]
    fn bucket(&self, at: usize) -> Option<Same<'gc>> {
        self.root.table.get(at).map(Same)
    }

    #[inline]
    fn set_bucket(&mut self, at: usize, to: Option<Same<'gc>>) {
        self.root.table.set(self.mc, at, to.map(|to| to.0));
    }

    #[inline]
    fn entry(&mut self, key: u32, text: &str, chain: Option<Same<'gc>>) -> Same<'gc> {
        Same(new_entry(self.mc, key, text, chain.map(|chain| chain.0)))
    }

    #[inline]
    fn key(&self, entry: &Same<'gc>) -> u32 {
        entry.0.key
    }

    #[inline]
    fn sum(&self, entry: &Same<'gc>) -> u64 {
        sum_of(&entry.0.text)
    }

    #[inline]
    fn get(&self, from: Option<&Same<'gc>>, way: Way) -> Option<Same<'gc>> {
        let from = from.map_or(self.root.ends, |from| from.0);
        match way {
            Way::Newer => from.newer.get(),
            Way::Older => from.older.get(),
            Way::Chain => from.chain.get(),
        }
        .map(Same)
    }

    #[inline]
    fn set(&mut self, from: Option<&Same<'gc>>, way: Way, to: Option<Same<'gc>>) {
        let from = Gc::write(self.mc, from.map_or(self.root.ends, |from| from.0));
        match way {
            Way::Newer => unlock!(from, LruEntry, newer),
            Way::Older => unlock!(from, LruEntry, older),
            Way::Chain => unlock!(from, LruEntry, chain),
        }
        .set(to.map(|to| to.0));
    }
}

/// A handle that is equal to another when both lead to the same entry.
#[derive(Clone, Copy)]
struct Same<'gc>(Gc<'gc, LruEntry<'gc>>);

impl PartialEq for Same<'_> {
    fn eq(&self, other: &Self) -> bool {
        Gc::ptr_eq(self.0, other.0)
    }
}
