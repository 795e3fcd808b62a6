//! The `boa_gc` crate, the collector of the Boa JavaScript engine: mark and sweep with counted handles.
//!
//! It is used like `Rc`; a collection starts by itself when an allocation passes a threshold, or by `force_collect`.
//! A link is a `OnceCell`, which its `Trace` knows, because a `GcRefCell` would make a 24-byte node one of 40 bytes.

use std::cell::OnceCell;
use std::hint::black_box;

use boa_gc::{Ephemeron, Finalize, Gc, Trace, WeakGc, force_collect};

use super::{Entry, NO_BUFFERS, NO_SCOPES};
use crate::compare::graph::{self, Graph, Order};
use crate::compare::measure::{Measurement, grown, median_of, timed};
use crate::compare::reading;
use crate::compare::workload::{Reading, Sizes, Workload};
use crate::trees;

#[derive(Trace, Finalize)]
struct Tree {
    left: Option<Gc<Tree>>,
    right: Option<Gc<Tree>>,
}

type Link = OnceCell<Gc<Node>>;

#[derive(Trace, Finalize)]
struct Node {
    left: Link,
    right: Link,
    value: u64,
}

pub fn entry(workload: Workload) -> Entry {
    match workload {
        Workload::BinaryTrees => Entry::Runs(binary_trees),
        Workload::MarkRandom => Entry::Runs(mark_random),
        Workload::MarkTree => Entry::Runs(mark_tree),
        Workload::HalfDeadTree => Entry::Runs(half_dead_tree),
        Workload::HalfDeadRandom => Entry::Runs(half_dead_random),
        Workload::ReadHot => Entry::Runs(|sizes| read::<3>(sizes.hot)),
        Workload::WalkHot => Entry::Runs(walk_hot),
        Workload::ReadCold => Entry::Runs(|sizes| read::<5>(sizes.cold)),
        Workload::Memory => Entry::Runs(memory),
        Workload::Roots => Entry::Runs(roots),
        Workload::ScopePush | Workload::Keep => Entry::Absent(NO_SCOPES),
        Workload::EphemeronsReverse => Entry::Runs(|sizes| ephemerons(sizes, Order::Reverse)),
        Workload::EphemeronsTwice => Entry::Absent("it takes a minute"),
        Workload::EphemeronsOrdered => Entry::Runs(|sizes| ephemerons(sizes, Order::Kind)),
        Workload::WeakHandles => Entry::Runs(weak_handles),
        Workload::SmallBuffers | Workload::LargeBuffers | Workload::TypedArray => Entry::Absent(NO_BUFFERS),
    }
}

fn binary_trees(sizes: &Sizes) -> Measurement {
    fn grow(depth: u32) -> Gc<Tree> {
        trees::complete(depth, &mut |left, right| Gc::new(Tree { left, right }))
    }
    fn check(tree: &Tree) -> u64 {
        1 + tree.left.as_ref().map_or(0, |left| check(left)) + tree.right.as_ref().map_or(0, |right| check(right))
    }
    let (span, checksum) = timed(|| {
        let stretch = check(&grow(sizes.tree_depth + 1));
        let long = grow(sizes.tree_depth);
        let sum = trees::short_lived(sizes.tree_depth, |depth| check(&grow(depth)));
        let total = stretch + sum + check(&long);
        drop(long);
        force_collect();
        total
    });
    Measurement::of_time(span, trees::game_nodes(sizes.tree_depth), checksum)
}

fn link(to: Option<Gc<Node>>) -> Link {
    to.map_or_else(OnceCell::new, OnceCell::from)
}

fn node(left: Option<Gc<Node>>, right: Option<Gc<Node>>, value: u64) -> Gc<Node> {
    Gc::new(Node { left: link(left), right: link(right), value })
}

fn balanced(nodes: u64) -> Gc<Node> {
    trees::balanced(nodes, &mut node).expect("nodes > 0")
}

/// Lays a graph out and gives its roots; every other handle is dropped, since a handle outside is a root.
fn lay_out(graph: &Graph) -> Vec<Gc<Node>> {
    let nodes: Vec<Gc<Node>> = (0..).zip(&graph.links).map(|(value, _)| node(None, None, value)).collect();
    for (node, &[left, right]) in nodes.iter().zip(&graph.links) {
        assert!(node.left.set(nodes[left as usize].clone()).is_ok(), "the link is set twice");
        assert!(node.right.set(nodes[right as usize].clone()).is_ok(), "the link is set twice");
    }
    graph.roots.iter().map(|&root| nodes[root as usize].clone()).collect()
}

fn walk(root: &Gc<Node>) -> u64 {
    graph::walk(root, |node| (node.value, [node.left.get().cloned(), node.right.get().cloned()]))
}

fn mark_random(sizes: &Sizes) -> Measurement {
    mark(&lay_out(&Graph::random(sizes.objects, 1))[0], sizes)
}

fn mark_tree(sizes: &Sizes) -> Measurement {
    mark(&balanced(sizes.objects), sizes)
}

fn mark(root: &Gc<Node>, sizes: &Sizes) -> Measurement {
    let span = median_of(sizes.collections, force_collect);
    Measurement::of_time(span, sizes.objects, walk(root))
}

fn half_dead_tree(sizes: &Sizes) -> Measurement {
    let [live, dying] = trees::balanced_pair(sizes.objects / 2, &mut node);
    half_dead(&live.expect("nodes > 0"), dying.expect("nodes > 0"), sizes)
}

fn half_dead_random(sizes: &Sizes) -> Measurement {
    let mut roots = lay_out(&Graph::random(sizes.objects, 2));
    let dying = roots.remove(1);
    half_dead(&roots[0], dying, sizes)
}

fn half_dead(live: &Gc<Node>, dying: Gc<Node>, sizes: &Sizes) -> Measurement {
    force_collect();
    let (span, fresh) = timed(|| {
        drop(dying);
        force_collect();
        balanced(sizes.objects / 2)
    });
    Measurement::of_time(span, sizes.objects, walk(live) + walk(&fresh))
}

fn read<const WORDS: usize>(reading: Reading) -> Measurement {
    let handles = reading::handles(reading, |value| Gc::new([value; WORDS]));
    reading::measure(reading, &handles, |handle| handle[0])
}

fn walk_hot(sizes: &Sizes) -> Measurement {
    fn sum(node: &Node) -> u64 {
        node.value + node.left.get().map_or(0, |left| sum(left)) + node.right.get().map_or(0, |right| sum(right))
    }
    let root = balanced(sizes.hot.nodes);
    reading::measure_walk(sizes.hot, || sum(black_box(&root)))
}

fn memory(sizes: &Sizes) -> Measurement {
    let (bytes, (span, root)) = grown(|| {
        timed(|| {
            let root = balanced(sizes.objects);
            force_collect();
            root
        })
    });
    Measurement::of_memory(bytes, span, sizes.objects, walk(&root))
}

fn roots(sizes: &Sizes) -> Measurement {
    let object = Gc::new([1_u64; 3]);
    let (span, ()) = timed(|| {
        for _ in 0..sizes.roots {
            drop(black_box(Gc::clone(black_box(&object))));
        }
    });
    Measurement::of_time(span, sizes.roots, object[0])
}

/// `WeakMap` goes through its entries in the order of a hash, so that the order here is that of ephemerons in a list.
fn ephemerons(sizes: &Sizes, order: Order) -> Measurement {
    let keys: Vec<Gc<Node>> = (0..=sizes.ephemerons).map(|value| node(None, None, value)).collect();
    let mut chain: Vec<(u64, Ephemeron<Node, Gc<Node>>)> = order
        .of_links(sizes.ephemerons)
        .map(|at| (at as u64, Ephemeron::new(&keys[at], keys[at + 1].clone())))
        .collect();
    let first = keys[0].clone();
    drop(keys);
    // One collection in the reverse order takes ten seconds.
    let collections = if matches!(order, Order::Kind) { sizes.collections } else { 1 };
    let span = median_of(collections, force_collect);
    chain.sort_by_key(|&(at, _)| at);
    let walked = chain.iter().filter_map(|(_, ephemeron)| ephemeron.value().map(|next| next.value)).sum::<u64>();
    Measurement::of_time(span, sizes.ephemerons, first.value + walked)
}

fn weak_handles(sizes: &Sizes) -> Measurement {
    let mut strong: Vec<Option<Gc<Node>>> =
        (0..sizes.weak_handles).map(|value| Some(node(None, None, value))).collect();
    let weak: Vec<WeakGc<Node>> = strong.iter().flatten().map(WeakGc::new).collect();
    force_collect();
    strong.iter_mut().step_by(2).for_each(|link| *link = None);
    let (span, ()) = timed(force_collect);
    let checksum = weak.iter().filter_map(WeakGc::upgrade).map(|node| node.value).sum();
    Measurement::of_time(span, sizes.weak_handles, checksum)
}
