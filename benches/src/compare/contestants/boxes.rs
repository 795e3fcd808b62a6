//! `Box`: no collector, one owner for each object. A tree is freed by dropping its root.

// The boxes are what is measured.
#![allow(clippy::unnecessary_box_returns)]

use std::hint::black_box;

use super::{Entry, NO_COLLECTOR, NO_EPHEMERONS, NO_SCOPES};
use crate::compare::buffers::{self, Maker};
use crate::compare::graph;
use crate::compare::measure::{Measurement, grown, timed};
use crate::compare::reading;
use crate::compare::workload::{Reading, Sizes, Workload};
use crate::trees;

struct Tree {
    left: Option<Box<Tree>>,
    right: Option<Box<Tree>>,
}

struct Node {
    left: Option<Box<Node>>,
    right: Option<Box<Node>>,
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
        Workload::MarkRandom | Workload::MarkTree | Workload::WeakHandles => Entry::Absent(NO_COLLECTOR),
        Workload::HalfDeadRandom | Workload::Roots => Entry::Absent("an object has one owner"),
        Workload::SmallBuffers => Entry::Runs(|sizes| buffers::measure(&sizes.small_buffers, &mut Boxes)),
        Workload::LargeBuffers => Entry::Runs(|sizes| buffers::measure(&sizes.large_buffers, &mut Boxes)),
        Workload::TypedArray => Entry::Runs(typed_array),
        Workload::ScopePush | Workload::Keep => Entry::Absent(NO_SCOPES),
        Workload::EphemeronsReverse | Workload::EphemeronsTwice | Workload::EphemeronsOrdered => {
            Entry::Absent(NO_EPHEMERONS)
        }
    }
}

fn binary_trees(sizes: &Sizes) -> Measurement {
    fn grow(depth: u32) -> Box<Tree> {
        trees::complete(depth, &mut |left, right| Box::new(Tree { left, right }))
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

fn node(left: Option<Box<Node>>, right: Option<Box<Node>>, value: u64) -> Box<Node> {
    Box::new(Node { left, right, value })
}

fn balanced(nodes: u64) -> Box<Node> {
    trees::balanced(nodes, &mut node).expect("nodes > 0")
}

fn walk(root: &Node) -> u64 {
    graph::walk(&root, |node| (node.value, [node.left.as_deref(), node.right.as_deref()]))
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
    let handles = reading::handles(reading, |value| Box::new([value; WORDS]));
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

struct Boxes;

impl Maker for Boxes {
    type Buffer = Box<[u8]>;

    fn make(&mut self, bytes: usize, _kept: &[Box<[u8]>]) -> Box<[u8]> {
        vec![0; bytes].into_boxed_slice()
    }

    fn ends<'m>(&'m mut self, buffer: &'m mut Box<[u8]>) -> &'m mut [u8] {
        buffer
    }
}

fn typed_array(sizes: &Sizes) -> Measurement {
    let mut array = vec![0_i32; sizes.hot.nodes as usize].into_boxed_slice();
    let (span, ()) = timed(|| {
        for _ in 0..sizes.hot.passes {
            let array = black_box(&mut array);
            for index in 0..array.len() {
                array[index] = array[index].wrapping_mul(5).wrapping_add(1);
            }
        }
    });
    buffers::typed_measurement(sizes, span, array.iter().copied())
}
