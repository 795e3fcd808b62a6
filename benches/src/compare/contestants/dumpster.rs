//! The `dumpster` crate, its single-threaded half: counted handles, and a search for cycles.
//!
//! It is used like `Rc`, and frees at once what is not in a cycle. A collection looks only at objects of which a
//! handle was dropped since the last one, so a second collection of the same graph has nothing to do: a child times
//! one. Collecting and dropping recurse, so graphs linked at random run on a thread with a huge stack. A link is a
//! `OnceCell`, half as large as a `RefCell`; a node takes 40 bytes, since the handle has no spare bit pattern.

use std::cell::OnceCell;
use std::hint::black_box;

use dumpster::Trace;
use dumpster::unsync::{Gc, collect};

use super::{Entry, NO_BUFFERS, NO_EPHEMERONS, NO_SCOPES, NO_WEAK};
use crate::compare::graph::{self, Graph};
use crate::compare::measure::{Measurement, grown, timed};
use crate::compare::reading;
use crate::compare::stack;
use crate::compare::workload::{Reading, Sizes, Workload};
use crate::trees;

#[derive(Trace)]
struct Tree {
    left: Option<Gc<Tree>>,
    right: Option<Gc<Tree>>,
}

type Link = OnceCell<Gc<Node>>;

#[derive(Trace)]
struct Node {
    left: Link,
    right: Link,
    value: u64,
}

pub fn entry(workload: Workload) -> Entry {
    match workload {
        Workload::BinaryTrees => Entry::Runs(binary_trees),
        Workload::MarkRandom => Entry::Once(|sizes| stack::with_huge(|| mark_random(sizes))),
        Workload::MarkTree => {
            Entry::Absent("no handle is dropped while the tree is built, so it has nothing to look at")
        }
        Workload::HalfDeadTree => Entry::Runs(half_dead_tree),
        Workload::HalfDeadRandom => Entry::Once(|sizes| stack::with_huge(|| half_dead_random(sizes))),
        Workload::ReadHot => Entry::Runs(|sizes| read::<3>(sizes.hot)),
        Workload::WalkHot => Entry::Runs(walk_hot),
        Workload::ReadCold => Entry::Runs(|sizes| read::<5>(sizes.cold)),
        Workload::Memory => Entry::Runs(memory),
        Workload::Roots => Entry::Runs(roots),
        Workload::ScopePush | Workload::Keep => Entry::Absent(NO_SCOPES),
        Workload::EphemeronsReverse | Workload::EphemeronsTwice | Workload::EphemeronsOrdered => {
            Entry::Absent(NO_EPHEMERONS)
        }
        Workload::WeakHandles => Entry::Absent(NO_WEAK),
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
        stretch + sum + check(&long)
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

/// Lays a graph out and gives its roots; every other handle is dropped, and so every object is suspect.
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
    let root = lay_out(&Graph::random(sizes.objects, 1)).remove(0);
    let (span, ()) = timed(collect);
    Measurement::of_time(span, sizes.objects, walk(&root))
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
    collect();
    let (span, fresh) = timed(|| {
        drop(dying);
        collect();
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
            collect();
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
