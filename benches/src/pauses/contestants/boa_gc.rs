//! The `boa_gc` crate, the collector of the Boa JavaScript engine: mark and sweep with counted handles.
//!
//! It collects when an allocation passes a threshold, inside of that allocation, and does not tell. A pause is therefore
//! a whole operation in which it has collected: a little too long, by the few microseconds of the operation's own work.
//! Whether it has is told by the finalizer of an unreachable object, of which there is always one.

use std::cell::Cell;

use boa_gc::{Finalize, Gc, GcRefCell, Trace};

use super::{Entry, NO_BUFFERS, ONLY_OURS};
use crate::pauses::bursts::{self, CART, Server};
use crate::pauses::forest::{self, Forest};
use crate::pauses::lru::{self, Cache, Entries, Found, Room, Way};
use crate::pauses::random::{Random, sum_of, text};
use crate::pauses::splay::{self, NUMBERS, Nodes, PAYLOAD_DEPTH, Step};
use crate::pauses::watch::Watch;
use crate::pauses::workload::Workload;
use crate::trees;

pub fn entry(workload: Workload) -> Entry {
    match workload {
        Workload::LiveTrees => Entry::Runs(|sizes| forest::churn(sizes, sizes.live_trees, Trees::new)),
        Workload::Splay => Entry::Runs(|sizes| splay::run(sizes, SplayTree(None))),
        Workload::Lru => Entry::Runs(|sizes| lru::run(sizes, LruCache::new)),
        Workload::Bursts => Entry::Runs(|sizes| bursts::run(sizes, Site::new)),
        Workload::Growing => Entry::Runs(|sizes| forest::growing(sizes, Trees::new)),
        Workload::EventLoop => Entry::Runs(|sizes| forest::event_loop(sizes, Trees::new)),
        Workload::Buffers => Entry::Absent(NO_BUFFERS),
        Workload::WeakMap => Entry::Absent("its collections take longer with each entry"),
        Workload::HeapSize | Workload::Throughput => Entry::Absent(ONLY_OURS),
    }
}

thread_local! {
    /// Whether there was a collection since the last look.
    static COLLECTED: Cell<bool> = const { Cell::new(true) };
}

/// Is finalized by the next collection.
#[derive(Trace)]
struct Bell;

impl Finalize for Bell {
    fn finalize(&self) {
        COLLECTED.set(true);
    }
}

/// Does an operation, and notes it as a pause if there was a collection in it.
fn watched<R>(watch: &mut Watch, operation: impl FnOnce() -> R) -> R {
    if COLLECTED.take() {
        drop(Gc::new(Bell));
    }
    watch.pause_if(operation, || COLLECTED.get())
}

#[derive(Trace, Finalize)]
struct Tree {
    left: Option<Gc<Tree>>,
    right: Option<Gc<Tree>>,
    value: u64,
}

/// The workloads of trees.
struct Trees(Vec<Option<Gc<Tree>>>);

impl Trees {
    fn new(places: usize) -> Self {
        Trees(vec![None; places])
    }
}

impl Forest for Trees {
    fn replace(&mut self, place: usize, nodes: u64, value: u32, watch: &mut Watch) {
        let value = u64::from(value);
        watched(watch, || {
            let tree = trees::balanced(nodes, &mut |left, right, _| Gc::new(Tree { left, right, value }));
            self.0[place] = tree;
        });
    }

    fn sum(&mut self) -> u64 {
        fn sum(tree: &Tree) -> u64 {
            let below = |child: &Option<Gc<Tree>>| child.as_ref().map_or(0, |child| sum(child));
            tree.value + below(&tree.left) + below(&tree.right)
        }
        self.0.iter().flatten().map(|tree| sum(tree)).sum()
    }
}

#[derive(Trace, Finalize)]
struct SplayNode {
    key: f64,
    left: GcRefCell<Option<Gc<SplayNode>>>,
    right: GcRefCell<Option<Gc<SplayNode>>>,
    payload: Option<Payload>,
}

#[derive(Clone, Trace, Finalize)]
enum Payload {
    Branch(Gc<[Payload; 2]>),
    Leaf(Gc<Leaf>),
}

#[derive(Trace, Finalize)]
struct Leaf {
    numbers: Gc<[f64; NUMBERS]>,
    text: Box<str>,
}

/// The workload `splay`.
struct SplayTree(Option<Gc<SplayNode>>);

/// Nodes need nothing beside themselves.
struct Here;

impl Nodes for Here {
    type Link = Gc<SplayNode>;
    type Payload = Payload;

    fn payload(&mut self, number: u32) -> Payload {
        fn grow(depth: u32, number: u32, text: &str) -> Payload {
            if depth == 0 {
                let numbers = Gc::new(splay::numbers(number));
                return Payload::Leaf(Gc::new(Leaf { numbers, text: text.into() }));
            }
            let left = grow(depth - 1, number, text);
            let right = grow(depth - 1, number, text);
            Payload::Branch(Gc::new([left, right]))
        }
        grow(PAYLOAD_DEPTH, number, &splay::text(number))
    }

    fn node(&mut self, key: f64, payload: Option<Payload>) -> Gc<SplayNode> {
        Gc::new(SplayNode { key, left: GcRefCell::new(None), right: GcRefCell::new(None), payload })
    }

    fn key(&self, node: &Gc<SplayNode>) -> f64 {
        node.key
    }

    fn left(&self, node: &Gc<SplayNode>) -> Option<Gc<SplayNode>> {
        node.left.borrow().clone()
    }

    fn right(&self, node: &Gc<SplayNode>) -> Option<Gc<SplayNode>> {
        node.right.borrow().clone()
    }

    fn set_left(&mut self, node: &Gc<SplayNode>, to: Option<Gc<SplayNode>>) {
        *node.left.borrow_mut() = to;
    }

    fn set_right(&mut self, node: &Gc<SplayNode>, to: Option<Gc<SplayNode>>) {
        *node.right.borrow_mut() = to;
    }

    fn sum(&self, node: &Gc<SplayNode>) -> u64 {
        fn sum(payload: &Payload) -> u64 {
            match payload {
                Payload::Branch(children) => children.iter().map(sum).sum(),
                Payload::Leaf(leaf) => splay::sum_of_leaf(&*leaf.numbers, &leaf.text),
            }
        }
        node.payload.as_ref().map_or(0, sum)
    }
}

impl splay::Tree for SplayTree {
    fn step(&mut self, number: u32, step: Step, watch: &mut Watch) -> bool {
        watched(watch, || splay::step(&mut Here, &mut self.0, number, step))
    }

    fn checksum(&mut self) -> u64 {
        splay::checksum(&Here, self.0.clone())
    }
}

#[derive(Trace, Finalize)]
struct LruEntry {
    newer: GcRefCell<Option<Gc<LruEntry>>>,
    older: GcRefCell<Option<Gc<LruEntry>>>,
    chain: GcRefCell<Option<Gc<LruEntry>>>,
    text: Box<str>,
    key: u32,
}

impl LruEntry {
    fn new(key: u32, text: &str, chain: Option<Same>) -> Gc<Self> {
        let [newer, older] = [GcRefCell::new(None), GcRefCell::new(None)];
        let chain = GcRefCell::new(chain.map(|chain| chain.0));
        Gc::new(LruEntry { newer, older, chain, text: text.into(), key })
    }

    fn way(&self, way: Way) -> &GcRefCell<Option<Gc<LruEntry>>> {
        match way {
            Way::Newer => &self.newer,
            Way::Older => &self.older,
            Way::Chain => &self.chain,
        }
    }
}

/// A handle that is equal to another when both lead to the same entry.
#[derive(Clone)]
struct Same(Gc<LruEntry>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        Gc::ptr_eq(&self.0, &other.0)
    }
}

/// The workload `lru`.
struct LruCache {
    table: Vec<Option<Same>>,
    /// An entry that closes the list.
    ends: Gc<LruEntry>,
}

impl LruCache {
    fn new(buckets: usize) -> Self {
        LruCache { table: vec![None; buckets], ends: LruEntry::new(0, "", None) }
    }
}

impl Cache for LruCache {
    fn look_up(&mut self, key: u32, room: Room, watch: &mut Watch) -> Found {
        watched(watch, || lru::look_up(self, key, room))
    }
}

impl Entries for LruCache {
    type Link = Same;

    fn buckets(&self) -> usize {
        self.table.len()
    }

    fn bucket(&self, at: usize) -> Option<Same> {
        self.table[at].clone()
    }

    fn set_bucket(&mut self, at: usize, to: Option<Same>) {
        self.table[at] = to;
    }

    fn entry(&mut self, key: u32, text: &str, chain: Option<Same>) -> Same {
        Same(LruEntry::new(key, text, chain))
    }

    fn key(&self, entry: &Same) -> u32 {
        entry.0.key
    }

    fn sum(&self, entry: &Same) -> u64 {
        sum_of(&entry.0.text)
    }

    fn get(&self, from: Option<&Same>, way: Way) -> Option<Same> {
        from.map_or(&self.ends, |from| &from.0).way(way).borrow().clone().map(Same)
    }

    fn set(&mut self, from: Option<&Same>, way: Way, to: Option<Same>) {
        *from.map_or(&self.ends, |from| &from.0).way(way).borrow_mut() = to.map(|to| to.0);
    }
}

#[derive(Trace, Finalize)]
struct Element {
    first: Option<Gc<Element>>,
    sibling: Option<Gc<Element>>,
    text: Box<str>,
    tag: u32,
}

#[derive(Default, Trace, Finalize)]
struct Session {
    text: Box<str>,
    cart: Option<Gc<Item>>,
    visits: u32,
}

#[derive(Trace, Finalize)]
struct Item {
    next: Option<Gc<Item>>,
    number: u32,
}

/// The workload `bursts`. The table of sessions is outside of the heap, and each session a root.
struct Site(Vec<Gc<GcRefCell<Session>>>);

impl Site {
    fn new(sessions: usize) -> Self {
        Site((0..sessions).map(|_| Gc::new(GcRefCell::default())).collect())
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
        watched(watch, || {
            let document: Gc<Element> = bursts::element(0, None, random, &mut |tag, text, first, sibling| {
                Gc::new(Element { first, sibling, text: text.into(), tag })
            });
            sum(&document)
        })
    }

    fn visit(&mut self, session: usize, number: u32, watch: &mut Watch) {
        watched(watch, || {
            let session = &self.0[session];
            let emptied = session.borrow().visits % CART == CART - 1;
            let next = if emptied { None } else { session.borrow().cart.clone() };
            // A collection may come here, and the session must not be borrowed.
            let item = Gc::new(Item { next, number });
            let mut session = session.borrow_mut();
            session.visits += 1;
            session.text = text(number).into();
            session.cart = Some(item);
        });
    }

    fn sum(&mut self) -> u64 {
        let mut total = 0;
        for session in &self.0 {
            let session = session.borrow();
            total += sum_of(&session.text);
            let mut next = session.cart.clone();
            while let Some(item) = next.take() {
                total += u64::from(item.number);
                next.clone_from(&item.next);
            }
        }
        total
    }
}
