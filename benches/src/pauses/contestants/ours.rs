//! Tumulus: a safepoint after each operation.
//!
//! Tables are slices in the heap, so that a safepoint has few roots to look at.

use std::time::Duration;

use tumulus_heap::{Gc, Heap, Trace};

use super::Entry;
use crate::pauses::bursts::{self, CART, Server};
use crate::pauses::forest::{self, Forest};
use crate::pauses::lru::{self, Cache, Entries, Found, Room, Way};
use crate::pauses::random::{Random, sum_of, text};
use crate::pauses::splay::{self, NUMBERS, Nodes, PAYLOAD_DEPTH, Step};
use crate::pauses::watch::Watch;
use crate::pauses::workload::Workload;
use crate::trees;

/// The options of the heap.
trait Options {
    fn heap() -> Heap;
}

/// The defaults.
enum Default {}

impl Options for Default {
    fn heap() -> Heap {
        Heap::new()
    }
}

/// The world stops for each collection.
enum Stopping {}

impl Options for Stopping {
    fn heap() -> Heap {
        Heap::builder().build()
    }
}

/// Changes an element of a table.
#[inline]
fn set<T: Trace + 'static>(heap: &mut Heap, table: Gc<[T]>, at: usize, to: T) {
    heap.get_mut(table)[at] = to;
}

/// Collects in time that is left.
fn idle<R: Trace>(heap: &mut Heap, roots: &R, _budget: Duration) {
    heap.safepoint(roots);
}

/// All workloads, with the default options.
pub fn entry(workload: Workload) -> Entry {
    runs::<Default>(workload)
}

/// Those that show what collecting in increments brings and costs, without it.
pub fn entry_stopping(workload: Workload) -> Entry {
    match workload {
        Workload::LiveTrees | Workload::Throughput => runs::<Stopping>(workload),
        _ => Entry::Absent("it is there for live-trees and throughput"),
    }
}

/// The one workload that is about the size of the heap, with a small one.
pub fn entry_small(workload: Workload) -> Entry {
    match workload {
        Workload::HeapSize => Entry::Runs(|sizes| forest::churn(sizes, sizes.small, Trees::new::<Default>).unchecked()),
        _ => Entry::Absent("it is there for heap-size"),
    }
}

fn runs<O: Options>(workload: Workload) -> Entry {
    Entry::Runs(match workload {
        Workload::LiveTrees => |sizes| forest::churn(sizes, sizes.live_trees, Trees::new::<O>),
        Workload::Splay => |sizes| splay::run(sizes, SplayTree { heap: O::heap(), root: None }),
        Workload::Lru => |sizes| lru::run(sizes, LruCache::new::<O>),
        Workload::Bursts => |sizes| bursts::run(sizes, Site::new::<O>),
        Workload::Growing => |sizes| forest::growing(sizes, Trees::new::<O>),
        Workload::EventLoop => |sizes| forest::event_loop(sizes, Trees::new::<O>),
        Workload::HeapSize => |sizes| forest::churn(sizes, sizes.large, Trees::new::<O>).unchecked(),
        Workload::Throughput => |sizes| {
            let trees = forest::churn(sizes, sizes.live_trees, Trees::new::<O>);
            trees.and(&bursts::run(sizes, Site::new::<O>))
        },
    })
}

#[derive(Trace)]
struct Tree {
    left: Option<Gc<Tree>>,
    right: Option<Gc<Tree>>,
    value: u64,
}

/// The workloads of trees.
struct Trees {
    heap: Heap,
    table: Gc<[Option<Gc<Tree>>]>,
}

impl Trees {
    fn new<O: Options>(places: usize) -> Self {
        let mut heap = O::heap();
        let table = heap.alloc_slice_with(places, |_| None);
        Trees { heap, table }
    }
}

impl Forest for Trees {
    fn replace(&mut self, place: usize, depth: u32, value: u32, watch: &mut Watch) {
        let Trees { heap, table } = self;
        let value = u64::from(value);
        let tree = trees::complete(depth, &mut |left, right| heap.alloc(Tree { left, right, value }));
        set(heap, *table, place, Some(tree));
        watch.pause(|| heap.safepoint(table));
    }

    fn idle(&mut self, budget: Duration, watch: &mut Watch) {
        watch.idle(budget, || idle(&mut self.heap, &self.table, budget));
    }

    fn sum(&mut self) -> u64 {
        fn sum(heap: &Heap, tree: Gc<Tree>) -> u64 {
            let Tree { left, right, value } = heap[tree];
            value + left.map_or(0, |left| sum(heap, left)) + right.map_or(0, |right| sum(heap, right))
        }
        self.heap[self.table].iter().flatten().map(|&tree| sum(&self.heap, tree)).sum()
    }
}

#[derive(Trace)]
pub struct SplayNode {
    key: f64,
    left: Option<Gc<SplayNode>>,
    right: Option<Gc<SplayNode>>,
    payload: Option<Payload>,
}

#[derive(Clone, Copy, Trace)]
pub enum Payload {
    Branch(Gc<[Payload; 2]>),
    Leaf(Gc<Leaf>),
}

#[derive(Trace)]
pub struct Leaf {
    numbers: Gc<[f64; NUMBERS]>,
    text: Gc<str>,
}

/// The workload `splay`.
struct SplayTree {
    heap: Heap,
    root: Option<Gc<SplayNode>>,
}

impl Nodes for Heap {
    type Link = Gc<SplayNode>;
    type Payload = Payload;

    fn payload(&mut self, number: u32) -> Payload {
        fn grow(heap: &mut Heap, depth: u32, number: u32, text: &str) -> Payload {
            if depth == 0 {
                let numbers = heap.alloc(splay::numbers(number));
                let text = heap.alloc_str(text);
                return Payload::Leaf(heap.alloc(Leaf { numbers, text }));
            }
            let left = grow(heap, depth - 1, number, text);
            let right = grow(heap, depth - 1, number, text);
            Payload::Branch(heap.alloc([left, right]))
        }
        grow(self, PAYLOAD_DEPTH, number, &splay::text(number))
    }

    #[inline]
    fn node(&mut self, key: f64, payload: Option<Payload>) -> Gc<SplayNode> {
        self.alloc(SplayNode { key, left: None, right: None, payload })
    }

    #[inline]
    fn key(&self, node: &Gc<SplayNode>) -> f64 {
        self[*node].key
    }

    #[inline]
    fn left(&self, node: &Gc<SplayNode>) -> Option<Gc<SplayNode>> {
        self[*node].left
    }

    #[inline]
    fn right(&self, node: &Gc<SplayNode>) -> Option<Gc<SplayNode>> {
        self[*node].right
    }

    #[inline]
    fn set_left(&mut self, node: &Gc<SplayNode>, to: Option<Gc<SplayNode>>) {
        self.get_mut(*node).left = to;
    }

    #[inline]
    fn set_right(&mut self, node: &Gc<SplayNode>, to: Option<Gc<SplayNode>>) {
        self.get_mut(*node).right = to;
    }

    fn sum(&self, node: &Gc<SplayNode>) -> u64 {
        fn sum(heap: &Heap, payload: Payload) -> u64 {
            match payload {
                Payload::Branch(children) => heap[children].iter().map(|&child| sum(heap, child)).sum(),
                Payload::Leaf(leaf) => splay::sum_of_leaf(&heap[heap[leaf].numbers], &heap[heap[leaf].text]),
            }
        }
        self[*node].payload.map_or(0, |payload| sum(self, payload))
    }
}

impl splay::Tree for SplayTree {
    fn step(&mut self, number: u32, step: Step, watch: &mut Watch) -> bool {
        let added = splay::step(&mut self.heap, &mut self.root, number, step);
        watch.pause(|| self.heap.safepoint(&self.root));
        added
    }

    fn checksum(&mut self) -> u64 {
        splay::checksum(&self.heap, self.root)
    }
}

type Link = Option<Gc<LruEntry>>;

#[derive(Trace)]
struct LruEntry {
    newer: Link,
    older: Link,
    chain: Link,
    text: Gc<str>,
    key: u32,
}

/// The workload `lru`.
struct LruCache {
    heap: Heap,
    table: Gc<[Link]>,
    newest: Link,
    oldest: Link,
}

impl LruCache {
    fn new<O: Options>(buckets: usize) -> Self {
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

#[derive(Trace)]
struct Element {
    first: Option<Gc<Element>>,
    sibling: Option<Gc<Element>>,
    text: Gc<str>,
    tag: u32,
}

#[derive(Trace)]
struct Session {
    text: Option<Gc<str>>,
    cart: Option<Gc<Item>>,
    visits: u32,
}

#[derive(Trace)]
struct Item {
    next: Option<Gc<Item>>,
    number: u32,
}

/// The workload `bursts`.
struct Site {
    heap: Heap,
    sessions: Gc<[Gc<Session>]>,
}

impl Site {
    fn new<O: Options>(sessions: usize) -> Self {
        let mut heap = O::heap();
        let sessions: Vec<Gc<Session>> =
            (0..sessions).map(|_| heap.alloc(Session { text: None, cart: None, visits: 0 })).collect();
        let sessions = heap.alloc_slice(&sessions);
        Site { heap, sessions }
    }
}

impl Server for Site {
    fn document(&mut self, random: &mut Random, _watch: &mut Watch) -> u64 {
        fn sum(heap: &Heap, element: Gc<Element>) -> u64 {
            let mut total = 0;
            let mut next = Some(element);
            while let Some(element) = next {
                let element = &heap[element];
                total += u64::from(element.tag) + sum_of(&heap[element.text]);
                total += element.first.map_or(0, |first| sum(heap, first));
                next = element.sibling;
            }
            total
        }
        let heap = &mut self.heap;
        let document = bursts::element(0, None, random, &mut |tag, text, first, sibling| {
            let text = heap.alloc_str(text);
            heap.alloc(Element { first, sibling, text, tag })
        });
        sum(heap, document)
    }

    fn visit(&mut self, session: usize, number: u32, _watch: &mut Watch) {
        let heap = &mut self.heap;
        let session = heap[self.sessions][session];
        let next = if heap[session].visits % CART == CART - 1 { None } else { heap[session].cart };
        let item = heap.alloc(Item { next, number });
        let text = heap.alloc_str(text(number));
        let session = heap.get_mut(session);
        session.visits += 1;
        session.text = Some(text);
        session.cart = Some(item);
    }

    fn rest(&mut self, watch: &mut Watch) {
        watch.pause(|| self.heap.safepoint(&self.sessions));
    }

    fn sum(&mut self) -> u64 {
        let heap = &self.heap;
        let mut total = 0;
        for &session in &heap[self.sessions] {
            total += heap[session].text.map_or(0, |text| sum_of(&heap[text]));
            let mut next = heap[session].cart;
            while let Some(item) = next {
                total += u64::from(heap[item].number);
                next = heap[item].next;
            }
        }
        total
    }
}
