//! The `gc` crate: mark and sweep with counted handles.
//!
//! It is used like `Rc`, and a link that changes is a `GcCell`, as its documentation has it. Its handle has no spare
//! bit pattern and its cell carries a flag, so that a link takes 24 bytes and a "24-byte" node 56. Marking recurses:
//! on a graph linked at random its depth is in the millions, so these workloads run on a thread with a huge stack.

// The crate's derives wrap their impls in a constant, which the compiler has come to advise against.
#![allow(non_local_definitions)]

use std::hint::black_box;

use gc::{Finalize, Gc, GcCell, Trace, force_collect};

use super::{Entry, NO_BUFFERS, NO_EPHEMERONS, NO_SCOPES, NO_WEAK};
use crate::compare::graph::{self, Graph};
use crate::compare::measure::{Measurement, grown, median_of, timed};
use crate::compare::reading;
use crate::compare::stack;
use crate::compare::workload::{Reading, Sizes, Workload};
use crate::trees;

#[derive(Trace, Finalize)]
struct Tree {
    left: Option<Gc<Tree>>,
    right: Option<Gc<Tree>>,
}

#[derive(Trace, Finalize)]
struct Node {
    left: GcCell<Option<Gc<Node>>>,
    right: GcCell<Option<Gc<Node>>>,
    value: u64,
}

pub fn entry(workload: Workload) -> Entry {
    match workload {
        Workload::BinaryTrees => Entry::Runs(binary_trees),
        Workload::MarkRandom => Entry::Runs(|sizes| stack::with_huge(|| mark_random(sizes))),
        Workload::MarkTree => Entry::Runs(mark_tree),
        Workload::HalfDeadTree => Entry::Runs(half_dead_tree),
        Workload::HalfDeadRandom => Entry::Runs(|sizes| stack::with_huge(|| half_dead_random(sizes))),
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
        let total = stretch + sum + check(&long);
        drop(long);
        force_collect();
        total
    });
    Measurement::of_time(span, trees::game_nodes(sizes.tree_depth), checksum)
}

fn node(left: Option<Gc<Node>>, right: Option<Gc<Node>>, value: u64) -> Gc<Node> {
    Gc::new(Node { left: GcCell::new(left), right: GcCell::new(right), value })
}

fn balanced(nodes: u64) -> Gc<Node> {
    trees::balanced(nodes, &mut node).expect("nodes > 0")
}

/// Lays a graph out and gives its roots; every other handle is dropped, since a handle outside is a root.
fn lay_out(graph: &Graph) -> Vec<Gc<Node>> {
    let nodes: Vec<Gc<Node>> = (0..).zip(&graph.links).map(|(value, _)| node(None, None, value)).collect();
    for (node, &[left, right]) in nodes.iter().zip(&graph.links) {
        *node.left.borrow_mut() = Some(nodes[left as usize].clone());
        *node.right.borrow_mut() = Some(nodes[right as usize].clone());
    }
    graph.roots.iter().map(|&root| nodes[root as usize].clone()).collect()
}

fn walk(root: &Gc<Node>) -> u64 {
    graph::walk(root, |node| (node.value, [node.left.borrow().clone(), node.right.borrow().clone()]))
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
        node.value
            + node.left.borrow().as_ref().map_or(0, |left| sum(left))
            + node.right.borrow().as_ref().map_or(0, |right| sum(right))
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
