//! The `bumpalo` crate: bump allocation, and everything freed at once. A floor for allocation, not a peer.
//!
//! The benchmark game's short-lived trees share an arena that is reset after each; the long-lived one has its own.

use std::hint::black_box;

use bumpalo::Bump;

use super::{Entry, NO_BUFFERS, NO_COLLECTOR, NO_EPHEMERONS, NO_SCOPES};
use crate::compare::graph;
use crate::compare::measure::{Measurement, grown, timed};
use crate::compare::reading;
use crate::compare::workload::{Reading, Sizes, Workload};
use crate::trees;

struct Tree<'arena> {
    left: Option<&'arena Tree<'arena>>,
    right: Option<&'arena Tree<'arena>>,
}

struct Node<'arena> {
    left: Option<&'arena Node<'arena>>,
    right: Option<&'arena Node<'arena>>,
    value: u64,
}

pub fn entry(workload: Workload) -> Entry {
    match workload {
        Workload::BinaryTrees => Entry::Runs(binary_trees),
        Workload::ReadHot => Entry::Runs(|sizes| read::<3>(sizes.hot)),
        Workload::WalkHot => Entry::Runs(walk_hot),
        Workload::ReadCold => Entry::Runs(|sizes| read::<5>(sizes.cold)),
        Workload::Memory => Entry::Runs(memory),
        Workload::HalfDeadTree | Workload::HalfDeadRandom => Entry::Absent("it frees everything or nothing"),
        Workload::MarkRandom | Workload::MarkTree | Workload::Roots | Workload::WeakHandles => {
            Entry::Absent(NO_COLLECTOR)
        }
        Workload::ScopePush | Workload::Keep => Entry::Absent(NO_SCOPES),
        Workload::EphemeronsReverse | Workload::EphemeronsTwice | Workload::EphemeronsOrdered => {
            Entry::Absent(NO_EPHEMERONS)
        }
        Workload::SmallBuffers | Workload::LargeBuffers | Workload::TypedArray => Entry::Absent(NO_BUFFERS),
    }
}

fn binary_trees(sizes: &Sizes) -> Measurement {
    fn grow(arena: &Bump, depth: u32) -> &Tree<'_> {
        trees::complete(depth, &mut |left, right| &*arena.alloc(Tree { left, right }))
    }
    fn check(tree: &Tree<'_>) -> u64 {
        1 + tree.left.map_or(0, check) + tree.right.map_or(0, check)
    }
    fn short(arena: &mut Bump, depth: u32) -> u64 {
        let nodes = check(grow(arena, depth));
        arena.reset();
        nodes
    }
    let (span, checksum) = timed(|| {
        let mut arena = Bump::new();
        let stretch = short(&mut arena, sizes.tree_depth + 1);
        let lasting = Bump::new();
        let long = grow(&lasting, sizes.tree_depth);
        let sum = trees::short_lived(sizes.tree_depth, |depth| short(&mut arena, depth));
        stretch + sum + check(long)
    });
    Measurement::of_time(span, trees::game_nodes(sizes.tree_depth), checksum)
}

fn read<const WORDS: usize>(reading: Reading) -> Measurement {
    let arena = Bump::new();
    let handles = reading::handles(reading, |value| &*arena.alloc([value; WORDS]));
    reading::measure(reading, &handles, |handle| handle[0])
}

fn balanced(arena: &Bump, nodes: u64) -> &Node<'_> {
    trees::balanced(nodes, &mut |left, right, value| &*arena.alloc(Node { left, right, value })).expect("nodes > 0")
}

fn walk_hot(sizes: &Sizes) -> Measurement {
    fn sum(node: &Node<'_>) -> u64 {
        node.value + node.left.map_or(0, sum) + node.right.map_or(0, sum)
    }
    let arena = Bump::new();
    let root = balanced(&arena, sizes.hot.nodes);
    reading::measure_walk(sizes.hot, || sum(black_box(root)))
}

fn memory(sizes: &Sizes) -> Measurement {
    let arena = Bump::new();
    let (bytes, (span, root)) = grown(|| timed(|| balanced(&arena, sizes.objects)));
    let checksum = graph::walk(&root, |node| (node.value, [node.left, node.right]));
    Measurement::of_memory(bytes, span, sizes.objects, checksum)
}
