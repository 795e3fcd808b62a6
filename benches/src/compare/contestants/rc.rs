//! `Rc`: counted handles and no collector. A tree is freed by dropping the last handle of its root.

use std::hint::black_box;
use std::rc::Rc;

use super::{Entry, NO_BUFFERS, NO_COLLECTOR, NO_EPHEMERONS, NO_SCOPES};
use crate::compare::graph;
use crate::compare::measure::{Measurement, grown, timed};
use crate::compare::reading;
use crate::compare::workload::{Reading, Sizes, Workload};
use crate::trees;

struct Tree {
    left: Option<Rc<Tree>>,
    right: Option<Rc<Tree>>,
}

struct Node {
    left: Option<Rc<Node>>,
    right: Option<Rc<Node>>,
    value: u64,
}

pub fn entry(workload: Workload) -> Entry {
    match workload {
        Workload::BinaryTrees => Entry::Runs(binary_trees),
        Workload::HalfDeadTree => Entry::Runs(half_dead_tree),
        Workload::ReadHot => Entry::Runs(|sizes| read::<3>(sizes.hot)),
        Workload::WalkHot => Entry::Runs(walk_hot),
        Workload::ReadCold => Entry::Runs(|sizes| read::<5>(sizes.cold)),
        Workload::Memory => Entry::Runs(memory),
        Workload::Roots => Entry::Runs(roots),
        Workload::MarkRandom | Workload::MarkTree | Workload::WeakHandles => Entry::Absent(NO_COLLECTOR),
        Workload::HalfDeadRandom => Entry::Absent("it never frees a cycle"),
        Workload::ScopePush | Workload::Keep => Entry::Absent(NO_SCOPES),
        Workload::EphemeronsReverse | Workload::EphemeronsTwice | Workload::EphemeronsOrdered => {
            Entry::Absent(NO_EPHEMERONS)
        }
        Workload::SmallBuffers | Workload::LargeBuffers | Workload::TypedArray => Entry::Absent(NO_BUFFERS),
    }
}

fn binary_trees(sizes: &Sizes) -> Measurement {
    fn grow(depth: u32) -> Rc<Tree> {
        trees::complete(depth, &mut |left, right| Rc::new(Tree { left, right }))
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

fn node(left: Option<Rc<Node>>, right: Option<Rc<Node>>, value: u64) -> Rc<Node> {
    Rc::new(Node { left, right, value })
}

fn balanced(nodes: u64) -> Rc<Node> {
    trees::balanced(nodes, &mut node).expect("nodes > 0")
}

fn walk(root: &Rc<Node>) -> u64 {
    graph::walk(root, |node| (node.value, [node.left.clone(), node.right.clone()]))
}

fn half_dead_tree(sizes: &Sizes) -> Measurement {
    let [live, dying] = trees::balanced_pair(sizes.objects / 2, &mut node);
    let (span, fresh) = timed(|| {
        drop(dying);
        balanced(sizes.objects / 2)
    });
    Measurement::of_time(span, sizes.objects, walk(&live.expect("nodes > 0")) + walk(&fresh))
}

fn read<const WORDS: usize>(reading: Reading) -> Measurement {
    let handles = reading::handles(reading, |value| Rc::new([value; WORDS]));
    reading::measure(reading, &handles, |handle| handle[0])
}

fn walk_hot(sizes: &Sizes) -> Measurement {
    fn sum(node: &Node) -> u64 {
        node.value + node.left.as_ref().map_or(0, |left| sum(left)) + node.right.as_ref().map_or(0, |right| sum(right))
    }
    let root = balanced(sizes.hot.nodes);
    reading::measure_walk(sizes.hot, || sum(black_box(&root)))
}

fn memory(sizes: &Sizes) -> Measurement {
    let (bytes, (span, root)) = grown(|| timed(|| balanced(sizes.objects)));
    Measurement::of_memory(bytes, span, sizes.objects, walk(&root))
}

fn roots(sizes: &Sizes) -> Measurement {
    let object = Rc::new([1_u64; 3]);
    let (span, ()) = timed(|| {
        for _ in 0..sizes.roots {
            drop(black_box(Rc::clone(black_box(&object))));
        }
    });
    Measurement::of_time(span, sizes.roots, object[0])
}
