//! The `safe-gc` crate: mark and sweep without `unsafe`, one array for each type.
//!
//! As its documentation advises, links are `Gc`, what is in use is held by `Root`s, and `heap[..]` reads. An
//! allocation may collect, and what it allocates does not count as a root then: the children's roots outlive it.

use std::hint::black_box;

use safe_gc::{Collector, Gc, Heap, Root, Trace};

use super::{Entry, NO_BUFFERS, NO_EPHEMERONS, NO_SCOPES, NO_WEAK};
use crate::compare::graph::{self, Graph};
use crate::compare::measure::{Measurement, grown, median_of, timed};
use crate::compare::reading;
use crate::compare::workload::{Reading, Sizes, Workload};
use crate::trees;

struct Tree {
    left: Option<Gc<Tree>>,
    right: Option<Gc<Tree>>,
}

impl Trace for Tree {
    fn trace(&self, collector: &mut Collector) {
        for child in [self.left, self.right].into_iter().flatten() {
            collector.edge(child);
        }
    }
}

struct Node {
    left: Option<Gc<Node>>,
    right: Option<Gc<Node>>,
    value: u64,
}

impl Trace for Node {
    fn trace(&self, collector: &mut Collector) {
        for child in [self.left, self.right].into_iter().flatten() {
            collector.edge(child);
        }
    }
}

struct Words<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Trace for Words<WORDS> {
    fn trace(&self, _: &mut Collector) {}
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
        Workload::EphemeronsReverse | Workload::EphemeronsTwice | Workload::EphemeronsOrdered => {
            Entry::Absent(NO_EPHEMERONS)
        }
        Workload::WeakHandles => Entry::Absent(NO_WEAK),
        Workload::SmallBuffers | Workload::LargeBuffers | Workload::TypedArray => Entry::Absent(NO_BUFFERS),
    }
}

fn unrooted<T: Trace>(root: Option<&Root<T>>) -> Option<Gc<T>> {
    root.map(Root::unrooted)
}

fn binary_trees(sizes: &Sizes) -> Measurement {
    fn grow(heap: &mut Heap, depth: u32) -> Root<Tree> {
        trees::complete(depth, &mut |left, right| {
            heap.alloc(Tree { left: unrooted(left.as_ref()), right: unrooted(right.as_ref()) })
        })
    }
    fn check(heap: &Heap, tree: Gc<Tree>) -> u64 {
        let tree = &heap[tree];
        1 + tree.left.map_or(0, |left| check(heap, left)) + tree.right.map_or(0, |right| check(heap, right))
    }
    fn short(heap: &mut Heap, depth: u32) -> u64 {
        let tree = grow(heap, depth);
        check(heap, tree.unrooted())
    }
    let (span, checksum) = timed(|| {
        let mut heap = Heap::new();
        let stretch = short(&mut heap, sizes.tree_depth + 1);
        let long = grow(&mut heap, sizes.tree_depth);
        let sum = trees::short_lived(sizes.tree_depth, |depth| short(&mut heap, depth));
        stretch + sum + check(&heap, long.unrooted())
    });
    Measurement::of_time(span, trees::game_nodes(sizes.tree_depth), checksum)
}

fn node(heap: &mut Heap, left: Option<&Root<Node>>, right: Option<&Root<Node>>, value: u64) -> Root<Node> {
    heap.alloc(Node { left: unrooted(left), right: unrooted(right), value })
}

fn balanced(heap: &mut Heap, nodes: u64) -> Root<Node> {
    trees::balanced(nodes, &mut |left, right, value| node(heap, left.as_ref(), right.as_ref(), value))
        .expect("nodes > 0")
}

/// Lays a graph out in the heap and gives its roots; every other `Root` is dropped.
fn lay_out(heap: &mut Heap, graph: &Graph) -> Vec<Root<Node>> {
    let nodes: Vec<Root<Node>> = (0..).zip(&graph.links).map(|(value, _)| node(heap, None, None, value)).collect();
    for (node, &[left, right]) in nodes.iter().zip(&graph.links) {
        let node = &mut heap[node];
        node.left = Some(nodes[left as usize].unrooted());
        node.right = Some(nodes[right as usize].unrooted());
    }
    graph.roots.iter().map(|&root| nodes[root as usize].clone()).collect()
}

fn walk(heap: &Heap, root: &Root<Node>) -> u64 {
    graph::walk(&root.unrooted(), |&node| (heap[node].value, [heap[node].left, heap[node].right]))
}

fn mark_random(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let root = lay_out(&mut heap, &Graph::random(sizes.objects, 1)).remove(0);
    mark(heap, &root, sizes)
}

fn mark_tree(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let root = balanced(&mut heap, sizes.objects);
    mark(heap, &root, sizes)
}

fn mark(mut heap: Heap, root: &Root<Node>, sizes: &Sizes) -> Measurement {
    let span = median_of(sizes.collections, || heap.gc());
    Measurement::of_time(span, sizes.objects, walk(&heap, root))
}

fn half_dead_tree(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let [live, dying] = trees::balanced_pair(sizes.objects / 2, &mut |left, right, value| {
        node(&mut heap, left.as_ref(), right.as_ref(), value)
    });
    half_dead(heap, &live.expect("nodes > 0"), dying.expect("nodes > 0"), sizes)
}

fn half_dead_random(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let mut roots = lay_out(&mut heap, &Graph::random(sizes.objects, 2));
    let dying = roots.remove(1);
    half_dead(heap, &roots[0], dying, sizes)
}

fn half_dead(mut heap: Heap, live: &Root<Node>, dying: Root<Node>, sizes: &Sizes) -> Measurement {
    heap.gc();
    let (span, fresh) = timed(|| {
        drop(dying);
        heap.gc();
        balanced(&mut heap, sizes.objects / 2)
    });
    Measurement::of_time(span, sizes.objects, walk(&heap, live) + walk(&heap, &fresh))
}

fn read<const WORDS: usize>(reading: Reading) -> Measurement {
    let mut heap = Heap::new();
    let roots = reading::handles(reading, |value| heap.alloc(Words([value; WORDS])));
    let handles: Vec<Gc<Words<WORDS>>> = roots.iter().map(Root::unrooted).collect();
    reading::measure(reading, &handles, |&handle| heap[handle].0[0])
}

fn walk_hot(sizes: &Sizes) -> Measurement {
    fn sum(heap: &Heap, node: Gc<Node>) -> u64 {
        let node = &heap[node];
        node.value + node.left.map_or(0, |left| sum(heap, left)) + node.right.map_or(0, |right| sum(heap, right))
    }
    let mut heap = Heap::new();
    let root = balanced(&mut heap, sizes.hot.nodes);
    reading::measure_walk(sizes.hot, || sum(&heap, black_box(root.unrooted())))
}

fn memory(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let (bytes, (span, root)) = grown(|| {
        timed(|| {
            let root = balanced(&mut heap, sizes.objects);
            heap.gc();
            root
        })
    });
    Measurement::of_memory(bytes, span, sizes.objects, walk(&heap, &root))
}

fn roots(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let kept = heap.alloc(Words([1; 3]));
    let object = kept.unrooted();
    let (span, ()) = timed(|| {
        for _ in 0..sizes.roots {
            drop(black_box(heap.root(black_box(object))));
        }
    });
    Measurement::of_time(span, sizes.roots, heap[object].0[0])
}
