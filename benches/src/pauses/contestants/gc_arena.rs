//! The `gc-arena` crate: incremental mark and sweep behind branded lifetimes.
//!
//! As its documentation advises, links that change are `Lock`s, the arena is entered with `mutate`, and `collect_debt`
//! is called between two mutations. The pacing is the default.
//!
//! Writing to an object that is marked has it traced again as a whole. A table is therefore in [`SEGMENT`]s, as a
//! program would do it that looks at its profile: with one object for all of it, each write would have the next
//! `collect_debt` look at the whole table.

use gc_arena::barrier::unlock;
use gc_arena::{Arena, Collect, Gc, Lock, Mutation, RefLock, Rootable};

use super::{Entry, ONLY_OURS};
use crate::pauses::bursts::{self, CART, Server};
use crate::pauses::forest::{self, Forest};
use crate::pauses::lru::{self, Cache, Entries, Found, Room, Way};
use crate::pauses::random::{Random, sum_of, text};
use crate::pauses::splay::{self, NUMBERS, Nodes, PAYLOAD_DEPTH, Step};
use crate::pauses::watch::Watch;
use crate::pauses::workload::Workload;
use crate::trees;

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
        Workload::Splay => Entry::Runs(|sizes| splay::run(sizes, SplayTree(Arena::new(|_| Lock::new(None))))),
        Workload::Lru => Entry::Runs(|sizes| lru::run(sizes, LruCache::new)),
        Workload::Bursts => Entry::Runs(|sizes| bursts::run(sizes, Site::new)),
        Workload::Growing => Entry::Runs(|sizes| forest::growing(sizes, Trees::new)),
        Workload::EventLoop => Entry::Runs(|sizes| forest::event_loop(sizes, Trees::new)),
        Workload::HeapSize | Workload::Throughput => Entry::Absent(ONLY_OURS),
    }
}

#[derive(Collect)]
#[collect(no_drop)]
struct Tree<'gc> {
    left: Link<'gc, Tree<'gc>>,
    right: Link<'gc, Tree<'gc>>,
    value: u64,
}

type TreesRoot = Rootable![Table<'_, Tree<'_>>];

/// The workloads of trees.
struct Trees(Arena<TreesRoot>);

impl Trees {
    fn new(places: usize) -> Self {
        Trees(Arena::new(|mc| Table::new(mc, places)))
    }
}

impl Forest for Trees {
    fn replace(&mut self, place: usize, depth: u32, value: u32, watch: &mut Watch) {
        let value = u64::from(value);
        self.0.mutate(|mc, table| {
            let tree = trees::complete(depth, &mut |left, right| Gc::new(mc, Tree { left, right, value }));
            table.set(mc, place, Some(tree));
        });
        watch.pause(|| self.0.collect_debt());
    }

    fn sum(&mut self) -> u64 {
        fn sum(tree: &Tree<'_>) -> u64 {
            tree.value + tree.left.map_or(0, |left| sum(&left)) + tree.right.map_or(0, |right| sum(&right))
        }
        self.0.mutate(|_, table| table.values().map(|tree| sum(&tree)).sum())
    }
}

#[derive(Collect)]
#[collect(no_drop)]
pub struct SplayNode<'gc> {
    key: f64,
    left: Lock<Link<'gc, SplayNode<'gc>>>,
    right: Lock<Link<'gc, SplayNode<'gc>>>,
    payload: Option<Payload<'gc>>,
}

#[derive(Clone, Copy, Collect)]
#[collect(no_drop)]
pub enum Payload<'gc> {
    Branch(Gc<'gc, [Payload<'gc>; 2]>),
    Leaf(Gc<'gc, Leaf<'gc>>),
}

#[derive(Collect)]
#[collect(no_drop)]
pub struct Leaf<'gc> {
    numbers: Gc<'gc, [f64; NUMBERS]>,
    text: Box<str>,
}

type SplayRoot = Rootable![Lock<Link<'_, SplayNode<'_>>>];

/// The workload `splay`.
struct SplayTree(Arena<SplayRoot>);

impl<'gc> Nodes for &Mutation<'gc> {
    type Link = Gc<'gc, SplayNode<'gc>>;
    type Payload = Payload<'gc>;

    fn payload(&mut self, number: u32) -> Payload<'gc> {
        fn grow<'gc>(mc: &Mutation<'gc>, depth: u32, number: u32, text: &str) -> Payload<'gc> {
            if depth == 0 {
                let numbers = Gc::new(mc, splay::numbers(number));
                return Payload::Leaf(Gc::new(mc, Leaf { numbers, text: text.into() }));
            }
            let left = grow(mc, depth - 1, number, text);
            let right = grow(mc, depth - 1, number, text);
            Payload::Branch(Gc::new(mc, [left, right]))
        }
        grow(self, PAYLOAD_DEPTH, number, &splay::text(number))
    }

    #[inline]
    fn node(&mut self, key: f64, payload: Option<Payload<'gc>>) -> Self::Link {
        Gc::new(self, SplayNode { key, left: Lock::new(None), right: Lock::new(None), payload })
    }

    #[inline]
    fn key(&self, node: &Self::Link) -> f64 {
        node.key
    }

    #[inline]
    fn left(&self, node: &Self::Link) -> Option<Self::Link> {
        node.left.get()
    }

    #[inline]
    fn right(&self, node: &Self::Link) -> Option<Self::Link> {
        node.right.get()
    }

    #[inline]
    fn set_left(&mut self, node: &Self::Link, to: Option<Self::Link>) {
        unlock!(Gc::write(self, *node), SplayNode, left).set(to);
    }

    #[inline]
    fn set_right(&mut self, node: &Self::Link, to: Option<Self::Link>) {
        unlock!(Gc::write(self, *node), SplayNode, right).set(to);
    }

    fn sum(&self, node: &Self::Link) -> u64 {
        fn sum(payload: Payload<'_>) -> u64 {
            match payload {
                Payload::Branch(children) => children.iter().map(|&child| sum(child)).sum(),
                Payload::Leaf(leaf) => splay::sum_of_leaf(&*leaf.numbers, &leaf.text),
            }
        }
        node.payload.map_or(0, sum)
    }
}

impl splay::Tree for SplayTree {
    fn step(&mut self, number: u32, step: Step, watch: &mut Watch) -> bool {
        let added = self.0.mutate_root(|mut mc, root| splay::step(&mut mc, root.get_mut(), number, step));
        watch.pause(|| self.0.collect_debt());
        added
    }

    fn checksum(&mut self) -> u64 {
        self.0.mutate(|mc, root| splay::checksum(&mc, root.get()))
    }
}

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

/// The workload `lru`.
struct LruCache(Arena<Rootable![LruRoot<'_>]>);

impl LruCache {
    fn new(buckets: usize) -> Self {
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

#[derive(Collect)]
#[collect(no_drop)]
struct Element<'gc> {
    first: Link<'gc, Element<'gc>>,
    sibling: Link<'gc, Element<'gc>>,
    text: Box<str>,
    tag: u32,
}

#[derive(Collect)]
#[collect(no_drop)]
struct Session<'gc> {
    text: Box<str>,
    cart: Link<'gc, Item<'gc>>,
    visits: u32,
}

#[derive(Collect)]
#[collect(no_drop)]
struct Item<'gc> {
    next: Link<'gc, Item<'gc>>,
    number: u32,
}

type Sessions<'gc> = Vec<Gc<'gc, RefLock<Session<'gc>>>>;
/// The vector does not change, and is behind a `Gc` so that it is traced once in a cycle.
type SiteRoot = Rootable![Gc<'_, Sessions<'_>>];

/// The workload `bursts`.
struct Site(Arena<SiteRoot>);

impl Site {
    fn new(sessions: usize) -> Self {
        Site(Arena::new(|mc| {
            let session = || RefLock::new(Session { text: Box::default(), cart: None, visits: 0 });
            Gc::new(mc, (0..sessions).map(|_| Gc::new(mc, session())).collect())
        }))
    }
}

impl Server for Site {
    fn document(&mut self, random: &mut Random, _watch: &mut Watch) -> u64 {
        fn sum(element: &Element<'_>) -> u64 {
            let mut total = 0;
            let mut next = Some(element);
            while let Some(element) = next {
                total += u64::from(element.tag) + sum_of(&element.text);
                total += element.first.as_ref().map_or(0, |first| sum(first));
                next = element.sibling.as_deref();
            }
            total
        }
        self.0.mutate(|mc, _| {
            let document = bursts::element(0, None, random, &mut |tag, text, first, sibling| {
                Gc::new(mc, Element { first, sibling, text: text.into(), tag })
            });
            sum(&document)
        })
    }

    fn visit(&mut self, session: usize, number: u32, _watch: &mut Watch) {
        self.0.mutate(|mc, sessions| {
            let mut session = sessions[session].borrow_mut(mc);
            let next = if session.visits % CART == CART - 1 { None } else { session.cart };
            session.visits += 1;
            session.text = text(number).into();
            session.cart = Some(Gc::new(mc, Item { next, number }));
        });
    }

    fn rest(&mut self, watch: &mut Watch) {
        watch.pause(|| self.0.collect_debt());
    }

    fn sum(&mut self) -> u64 {
        self.0.mutate(|_, sessions| {
            let mut total = 0;
            for session in sessions.iter().map(|session| session.borrow()) {
                total += sum_of(&session.text);
                let mut next = session.cart;
                while let Some(item) = next {
                    total += u64::from(item.number);
                    next = item.next;
                }
            }
            total
        })
    }
}
