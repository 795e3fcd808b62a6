//! `Box`: no collector, one owner for each object. A pause is the freeing of what was replaced.
//!
//! An entry of the cache has two owners at least, so there the entries are in a vector and linked by their places, as
//! is usual without a collector; only the texts are boxes.

use std::mem;

use super::{Entry, ONLY_OURS};
use crate::pauses::buffers::{self, BYTES, Table};
use crate::pauses::bursts::{self, CART, Server};
use crate::pauses::forest::{self, Forest};
use crate::pauses::lru::{self, Cache, Entries, Found, Room, Way};
use crate::pauses::random::{Random, sum_of, text};
use crate::pauses::watch::Watch;
use crate::pauses::workload::Workload;
use crate::trees;

pub fn entry(workload: Workload) -> Entry {
    match workload {
        Workload::LiveTrees => Entry::Runs(|sizes| forest::churn(sizes, sizes.live_trees, Trees::new)),
        Workload::Lru => Entry::Runs(|sizes| lru::run(sizes, LruCache::new)),
        Workload::Bursts => Entry::Runs(|sizes| bursts::run(sizes, Site::new)),
        Workload::Buffers => Entry::Runs(|sizes| buffers::run(sizes, BufferTable::new)),
        Workload::Growing => Entry::Runs(|sizes| forest::growing(sizes, Trees::new)),
        Workload::EventLoop => Entry::Runs(|sizes| forest::event_loop(sizes, Trees::new)),
        Workload::Splay => Entry::Absent("while it turns, a node has two owners"),
        Workload::WeakMap => Entry::Absent("it has no collector to find out what is dead"),
        Workload::HeapSize | Workload::Throughput => Entry::Absent(ONLY_OURS),
    }
}

struct Tree {
    left: Option<Box<Tree>>,
    right: Option<Box<Tree>>,
    value: u64,
}

/// The workloads of trees.
struct Trees(Vec<Option<Box<Tree>>>);

impl Trees {
    fn new(places: usize) -> Self {
        Trees((0..places).map(|_| None).collect())
    }
}

impl Forest for Trees {
    fn replace(&mut self, place: usize, nodes: u64, value: u32, watch: &mut Watch) {
        let value = u64::from(value);
        let tree = trees::balanced(nodes, &mut |left, right, _| Box::new(Tree { left, right, value }));
        let old = mem::replace(&mut self.0[place], tree);
        watch.pause(|| drop(old));
    }

    fn sum(&mut self) -> u64 {
        fn sum(tree: &Tree) -> u64 {
            let below = |child: &Option<Box<Tree>>| child.as_ref().map_or(0, |child| sum(child));
            tree.value + below(&tree.left) + below(&tree.right)
        }
        self.0.iter().flatten().map(|tree| sum(tree)).sum()
    }
}

/// The workload `buffers`.
struct BufferTable(Vec<Option<Box<[u8]>>>);

impl BufferTable {
    fn new(places: usize) -> Self {
        BufferTable((0..places).map(|_| None).collect())
    }
}

impl Table for BufferTable {
    fn empty(&mut self, at: usize, watch: &mut Watch) {
        let old = self.0[at].take();
        watch.pause(|| drop(old));
    }

    fn fill(&mut self, at: usize, first: u8, _watch: &mut Watch) {
        let mut buffer = vec![0; BYTES].into_boxed_slice();
        buffer[0] = first;
        self.0[at] = Some(buffer);
    }

    fn sum(&self, at: usize) -> u64 {
        self.0[at].iter().flatten().map(|&byte| u64::from(byte)).sum()
    }
}

#[derive(Default)]
struct LruEntry {
    newer: Option<u32>,
    older: Option<u32>,
    chain: Option<u32>,
    key: u32,
    text: Box<str>,
}

/// The workload `lru`. Links are places in `entries`, the first of which closes the list.
struct LruCache {
    table: Vec<Option<u32>>,
    entries: Vec<LruEntry>,
    free: Option<u32>,
    /// What is to be freed.
    given_up: Box<str>,
}

impl LruCache {
    fn new(buckets: usize) -> Self {
        LruCache {
            table: vec![None; buckets],
            entries: vec![LruEntry::default()],
            free: None,
            given_up: Box::default(),
        }
    }
}

impl Cache for LruCache {
    fn look_up(&mut self, key: u32, room: Room, watch: &mut Watch) -> Found {
        let found = lru::look_up(self, key, room);
        let given_up = mem::take(&mut self.given_up);
        watch.pause(|| drop(given_up));
        found
    }
}

impl Entries for LruCache {
    type Link = u32;

    fn buckets(&self) -> usize {
        self.table.len()
    }

    #[inline]
    fn bucket(&self, at: usize) -> Option<u32> {
        self.table[at]
    }

    #[inline]
    fn set_bucket(&mut self, at: usize, to: Option<u32>) {
        self.table[at] = to;
    }

    #[inline]
    fn entry(&mut self, key: u32, text: &str, chain: Option<u32>) -> u32 {
        let entry = LruEntry { newer: None, older: None, chain, key, text: text.into() };
        if let Some(place) = self.free.take() {
            self.entries[place as usize] = entry;
            return place;
        }
        self.entries.push(entry);
        u32::try_from(self.entries.len() - 1).expect("a cache has less than 2^32 entries")
    }

    fn give_up(&mut self, entry: &u32) {
        self.given_up = mem::take(&mut self.entries[*entry as usize].text);
        self.free = Some(*entry);
    }

    #[inline]
    fn key(&self, entry: &u32) -> u32 {
        self.entries[*entry as usize].key
    }

    #[inline]
    fn sum(&self, entry: &u32) -> u64 {
        sum_of(&self.entries[*entry as usize].text)
    }

    #[inline]
    fn get(&self, from: Option<&u32>, way: Way) -> Option<u32> {
        let from = &self.entries[from.map_or(0, |&from| from as usize)];
        match way {
            Way::Newer => from.newer,
            Way::Older => from.older,
            Way::Chain => from.chain,
        }
    }

    #[inline]
    fn set(&mut self, from: Option<&u32>, way: Way, to: Option<u32>) {
        let from = &mut self.entries[from.map_or(0, |&from| from as usize)];
        match way {
            Way::Newer => from.newer = to,
            Way::Older => from.older = to,
            Way::Chain => from.chain = to,
        }
    }
}

struct Element {
    first: Option<Box<Element>>,
    sibling: Option<Box<Element>>,
    text: Box<str>,
    tag: u32,
}

#[derive(Default)]
struct Session {
    text: Box<str>,
    cart: Vec<u32>,
    visits: u32,
}

/// The workload `bursts`. A cart is a vector.
struct Site(Vec<Session>);

impl Site {
    fn new(sessions: usize) -> Self {
        Site((0..sessions).map(|_| Session::default()).collect())
    }
}

impl Server for Site {
    fn document(&mut self, random: &mut Random, watch: &mut Watch) -> u64 {
        fn sum(element: &Element) -> u64 {
            let mut total = 0;
            let mut next = Some(element);
            while let Some(element) = next {
                total += u64::from(element.tag) + sum_of(&element.text);
                total += element.first.as_ref().map_or(0, |first| sum(first));
                next = element.sibling.as_deref();
            }
            total
        }
        let document = bursts::element(0, None, random, &mut |tag, text, first, sibling| {
            Box::new(Element { first, sibling, text: text.into(), tag })
        });
        let total = sum(&document);
        watch.pause(|| drop(document));
        total
    }

    fn visit(&mut self, session: usize, number: u32, watch: &mut Watch) {
        let session = &mut self.0[session];
        let cart = if session.visits % CART == CART - 1 { mem::take(&mut session.cart) } else { Vec::new() };
        let text = mem::replace(&mut session.text, text(number).into());
        session.visits += 1;
        session.cart.push(number);
        watch.pause(|| drop((cart, text)));
    }

    fn sum(&mut self) -> u64 {
        let sum = |session: &Session| {
            sum_of(&session.text) + session.cart.iter().map(|&number| u64::from(number)).sum::<u64>()
        };
        self.0.iter().map(sum).sum()
    }
}
