//! The `gc-arena` crate: incremental mark and sweep behind branded lifetimes.
//!
//! As its documentation advises, links that change are `Lock`s, the arena is entered with `mutate`, and `collect_debt`
//! is called between two mutations; a full collection is `finish_cycle`. The pacing is the default.

use std::hint::black_box;

use gc_arena::barrier::unlock;
use gc_arena::{Arena, Collect, DynamicRootSet, Gc, GcWeak, Lock, Mutation, Rootable};

use super::{Entry, NO_BUFFERS, NO_EPHEMERONS, NO_SCOPES};
use crate::compare::graph::{self, Graph};
use crate::compare::measure::{Measurement, grown, median_of, timed};
use crate::compare::reading;
use crate::compare::workload::{Reading, Sizes, Workload};
use crate::trees;

#[derive(Collect)]
#[collect(no_drop)]
struct Tree<'gc> {
    left: Option<Gc<'gc, Tree<'gc>>>,
    right: Option<Gc<'gc, Tree<'gc>>>,
}

type Link<'gc> = Option<Gc<'gc, Node<'gc>>>;

#[derive(Collect)]
#[collect(no_drop)]
struct Node<'gc> {
    left: Lock<Link<'gc>>,
    right: Lock<Link<'gc>>,
    value: u64,
}

type TreeArena = Arena<Rootable![Option<Gc<'_, Tree<'_>>>]>;
type NodeArena = Arena<Rootable![[Link<'_>; 2]]>;

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
        Workload::EphemeronsReverse | Workload::EphemeronsTwice | Workload::EphemeronsOrdered => {
            Entry::Absent(NO_EPHEMERONS)
        }
        Workload::WeakHandles => Entry::Runs(weak_handles),
        Workload::SmallBuffers | Workload::LargeBuffers | Workload::TypedArray => Entry::Absent(NO_BUFFERS),
    }
}

fn binary_trees(sizes: &Sizes) -> Measurement {
    fn grow<'gc>(mc: &Mutation<'gc>, depth: u32) -> Gc<'gc, Tree<'gc>> {
        trees::complete(depth, &mut |left, right| Gc::new(mc, Tree { left, right }))
    }
    fn check(tree: &Tree<'_>) -> u64 {
        1 + tree.left.map_or(0, |left| check(&left)) + tree.right.map_or(0, |right| check(&right))
    }
    fn short(arena: &mut TreeArena, depth: u32) -> u64 {
        let nodes = arena.mutate(|mc, _| check(&grow(mc, depth)));
        arena.collect_debt();
        nodes
    }
    let (span, checksum) = timed(|| {
        let mut arena = TreeArena::new(|_| None);
        let stretch = short(&mut arena, sizes.tree_depth + 1);
        arena.mutate_root(|mc, long| *long = Some(grow(mc, sizes.tree_depth)));
        let sum = trees::short_lived(sizes.tree_depth, |depth| short(&mut arena, depth));
        stretch + sum + arena.mutate(|_, long| long.map_or(0, |long| check(&long)))
    });
    Measurement::of_time(span, trees::game_nodes(sizes.tree_depth), checksum)
}

fn node<'gc>(mc: &Mutation<'gc>, left: Link<'gc>, right: Link<'gc>, value: u64) -> Gc<'gc, Node<'gc>> {
    Gc::new(mc, Node { left: Lock::new(left), right: Lock::new(right), value })
}

fn balanced<'gc>(mc: &Mutation<'gc>, nodes: u64) -> Link<'gc> {
    trees::balanced(nodes, &mut |left, right, value| node(mc, left, right, value))
}

fn lay_out(graph: &Graph) -> NodeArena {
    NodeArena::new(|mc| {
        let nodes: Vec<Gc<'_, Node<'_>>> =
            (0..).zip(&graph.links).map(|(value, _)| node(mc, None, None, value)).collect();
        for (&node, &[left, right]) in nodes.iter().zip(&graph.links) {
            let node = Gc::write(mc, node);
            unlock!(node, Node, left).set(Some(nodes[left as usize]));
            unlock!(node, Node, right).set(Some(nodes[right as usize]));
        }
        let root = |part: usize| graph.roots.get(part).map(|&root| nodes[root as usize]);
        [root(0), root(1)]
    })
}

fn walk(arena: &NodeArena) -> u64 {
    arena.mutate(|_, roots| {
        roots
            .iter()
            .flatten()
            .map(|root| graph::walk(root, |node| (node.value, [node.left.get(), node.right.get()])))
            .sum()
    })
}

fn mark_random(sizes: &Sizes) -> Measurement {
    mark(lay_out(&Graph::random(sizes.objects, 1)), sizes)
}

fn mark_tree(sizes: &Sizes) -> Measurement {
    mark(NodeArena::new(|mc| [balanced(mc, sizes.objects), None]), sizes)
}

fn mark(mut arena: NodeArena, sizes: &Sizes) -> Measurement {
    let span = median_of(sizes.collections, || arena.finish_cycle());
    Measurement::of_time(span, sizes.objects, walk(&arena))
}

fn half_dead_tree(sizes: &Sizes) -> Measurement {
    let arena = NodeArena::new(|mc| {
        trees::balanced_pair(sizes.objects / 2, &mut |left, right, value| node(mc, left, right, value))
    });
    half_dead(arena, sizes)
}

fn half_dead_random(sizes: &Sizes) -> Measurement {
    half_dead(lay_out(&Graph::random(sizes.objects, 2)), sizes)
}

fn half_dead(mut arena: NodeArena, sizes: &Sizes) -> Measurement {
    arena.finish_cycle();
    arena.mutate_root(|_, roots| roots[1] = None);
    let (span, ()) = timed(|| {
        arena.finish_cycle();
        arena.mutate_root(|mc, roots| roots[1] = balanced(mc, sizes.objects / 2));
    });
    Measurement::of_time(span, sizes.objects, walk(&arena))
}

fn read<const WORDS: usize>(reading: Reading) -> Measurement {
    Arena::<Rootable![()]>::new(|_| ()).mutate(|mc, ()| {
        let handles = reading::handles(reading, |value| Gc::new(mc, [value; WORDS]));
        reading::measure(reading, &handles, |handle| handle[0])
    })
}

fn walk_hot(sizes: &Sizes) -> Measurement {
    fn sum(node: &Node<'_>) -> u64 {
        node.value + node.left.get().map_or(0, |left| sum(&left)) + node.right.get().map_or(0, |right| sum(&right))
    }
    let arena = NodeArena::new(|mc| [balanced(mc, sizes.hot.nodes), None]);
    arena.mutate(|_, roots| reading::measure_walk(sizes.hot, || black_box(roots)[0].map_or(0, |root| sum(&root))))
}

fn memory(sizes: &Sizes) -> Measurement {
    let (bytes, (span, arena)) = grown(|| {
        timed(|| {
            let mut arena = NodeArena::new(|mc| [balanced(mc, sizes.objects), None]);
            arena.finish_cycle();
            arena
        })
    });
    Measurement::of_memory(bytes, span, sizes.objects, walk(&arena))
}

fn roots(sizes: &Sizes) -> Measurement {
    // The function by itself is not general enough in its lifetime.
    #[allow(clippy::redundant_closure)]
    let arena = Arena::<Rootable![DynamicRootSet<'_>]>::new(|mc| DynamicRootSet::new(mc));
    arena.mutate(|mc, set| {
        let object = Gc::new(mc, [1_u64; 3]);
        let (span, ()) = timed(|| {
            for _ in 0..sizes.roots {
                drop(black_box(set.stash::<Rootable![[u64; 3]]>(mc, black_box(object))));
            }
        });
        Measurement::of_time(span, sizes.roots, object[0])
    })
}

/// What is alive, and weak handles to that and as much else.
#[derive(Collect)]
#[collect(no_drop)]
struct Targets<'gc> {
    strong: Vec<Link<'gc>>,
    weak: Vec<GcWeak<'gc, Node<'gc>>>,
}

fn weak_handles(sizes: &Sizes) -> Measurement {
    let mut arena = Arena::<Rootable![Targets<'_>]>::new(|mc| {
        let nodes: Vec<Gc<'_, Node<'_>>> = (0..sizes.weak_handles).map(|value| node(mc, None, None, value)).collect();
        let weak = nodes.iter().map(|&node| Gc::downgrade(node)).collect();
        Targets { strong: nodes.into_iter().map(Some).collect(), weak }
    });
    arena.finish_cycle();
    arena.mutate_root(|_, targets| targets.strong.iter_mut().step_by(2).for_each(|link| *link = None));
    let (span, ()) = timed(|| arena.finish_cycle());
    let checksum = arena
        .mutate(|mc, targets| targets.weak.iter().filter_map(|weak| weak.upgrade(mc)).map(|node| node.value).sum());
    Measurement::of_time(span, sizes.weak_handles, checksum)
}
