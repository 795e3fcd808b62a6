//! The `gc-arena` crate: incremental mark and sweep behind branded lifetimes.
//!
//! As its documentation advises, links that change are `Lock`s, the arena is entered with `mutate`, and `collect_debt`
//! is called between two mutations. The pacing is the default.
//!
//! Writing to an object that is marked has it traced again as a whole. A table is therefore in [`SEGMENT`]s, as a
//! program would do it that looks at its profile: with one object for all of it, each write would have the next
//! `collect_debt` look at the whole table.

mod lru_cache;
mod site;
mod splay_tree;
mod trees;

use gc_arena::{Collect, Gc, Mutation, RefLock};

use super::{Entry, NO_BUFFERS, NO_WEAK_MAPS, ONLY_OURS};
use crate::pauses::workload::Workload;
use crate::pauses::{bursts, forest, lru, splay};
use lru_cache::LruCache;
use site::Site;
use splay_tree::SplayTree;
use trees::Trees;

/// How many places of a table are in one object.
const SEGMENT: usize = 64;

type Link<'gc, T> = Option<Gc<'gc, T>>;

/// A table whose places change.
#[derive(Collect)]
#[collect(no_drop)]
struct Table<'gc, T>(Vec<Gc<'gc, RefLock<[Link<'gc, T>; SEGMENT]>>>);

impl<'gc, T: Collect<'gc>> Table<'gc, T> {
    fn new(mc: &Mutation<'gc>, places: usize) -> Self {
        Table((0..places.div_ceil(SEGMENT)).map(|_| Gc::new(mc, RefLock::new([None; SEGMENT]))).collect())
    }

    #[inline]
    fn get(&self, at: usize) -> Link<'gc, T> {
        self.0[at / SEGMENT].borrow()[at % SEGMENT]
    }

    #[inline]
    fn set(&self, mc: &Mutation<'gc>, at: usize, to: Link<'gc, T>) {
        self.0[at / SEGMENT].borrow_mut(mc)[at % SEGMENT] = to;
    }

    fn values(&self) -> impl Iterator<Item = Gc<'gc, T>> {
        self.0.iter().flat_map(|segment| *segment.borrow()).flatten()
    }
}

pub fn entry(workload: Workload) -> Entry {
    match workload {
        Workload::LiveTrees => Entry::Runs(|sizes| forest::churn(sizes, sizes.live_trees, Trees::new)),
        Workload::Splay => Entry::Runs(|sizes| splay::run(sizes, SplayTree::new())),
        Workload::Lru => Entry::Runs(|sizes| lru::run(sizes, LruCache::new)),
        Workload::Bursts => Entry::Runs(|sizes| bursts::run(sizes, Site::new)),
        Workload::Growing => Entry::Runs(|sizes| forest::growing(sizes, Trees::new)),
        Workload::EventLoop => Entry::Runs(|sizes| forest::event_loop(sizes, Trees::new)),
        Workload::Buffers => Entry::Absent(NO_BUFFERS),
        Workload::WeakMap => Entry::Absent(NO_WEAK_MAPS),
        Workload::HeapSize | Workload::Throughput => Entry::Absent(ONLY_OURS),
    }
}
