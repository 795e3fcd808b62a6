//! Tumulus.

use std::hint::black_box;

use tumulus_arraybuffer::{ArrayBuffer, ElementKind, TypedArray};
use tumulus_heap::{EphemeronMap, Gc, Heap, Trace, Weak};

use super::Entry;
use crate::compare::buffers::{self, Maker};
use crate::compare::graph::{self, Graph, Order};
use crate::compare::measure::{Measurement, Span, grown, median_of, timed};
use crate::compare::reading;
use crate::compare::workload::{Reading, Sizes, Workload};
use crate::trees;

/// How many objects a scope holds before it ends.
const SCOPE: u64 = 10_000;

#[derive(Trace)]
struct Tree {
    left: Option<Gc<Tree>>,
    right: Option<Gc<Tree>>,
}

#[derive(Trace)]
struct Node {
    left: Option<Gc<Node>>,
    right: Option<Gc<Node>>,
    value: u64,
}

pub fn entry(workload: Workload) -> Entry {
    Entry::Runs(match workload {
        Workload::BinaryTrees => binary_trees,
        Workload::MarkRandom => mark_random,
        Workload::MarkTree => mark_tree,
        Workload::HalfDeadTree => half_dead_tree,
        Workload::HalfDeadRandom => half_dead_random,
        Workload::ReadHot => |sizes| read::<3>(sizes.hot),
        Workload::WalkHot => walk_hot,
        Workload::ReadCold => |sizes| read::<5>(sizes.cold),
        Workload::Memory => memory,
        Workload::Roots => roots,
        Workload::SmallBuffers => |sizes| buffers::measure(&sizes.small_buffers, &mut Buffers(Heap::new())),
        Workload::LargeBuffers => |sizes| buffers::measure(&sizes.large_buffers, &mut Buffers(Heap::new())),
        Workload::TypedArray => typed_array,
        Workload::ScopePush => scope_push,
        Workload::Keep => keep,
        Workload::EphemeronsReverse => |sizes| ephemerons(sizes, Order::Reverse),
        Workload::EphemeronsTwice => ephemerons_twice,
        Workload::EphemeronsOrdered => |sizes| ephemerons(sizes, Order::Kind),
        Workload::WeakHandles => weak_handles,
    })
}

fn binary_trees(sizes: &Sizes) -> Measurement {
    fn grow(heap: &mut Heap, depth: u32) -> Gc<Tree> {
        trees::complete(depth, &mut |left, right| heap.alloc(Tree { left, right }))
    }
    fn check(heap: &Heap, tree: Gc<Tree>) -> u64 {
        let tree = &heap[tree];
        1 + tree.left.map_or(0, |left| check(heap, left)) + tree.right.map_or(0, |right| check(heap, right))
    }
    fn short(heap: &mut Heap, long: Option<Gc<Tree>>, depth: u32) -> u64 {
        let tree = grow(heap, depth);
        let nodes = check(heap, tree);
        heap.safepoint(&long);
        nodes
    }
    let (span, checksum) = timed(|| {
        let mut heap = Heap::new();
        let stretch = short(&mut heap, None, sizes.tree_depth + 1);
        let long = grow(&mut heap, sizes.tree_depth);
        let sum = trees::short_lived(sizes.tree_depth, |depth| short(&mut heap, Some(long), depth));
        stretch + sum + check(&heap, long)
    });
    Measurement::of_time(span, trees::game_nodes(sizes.tree_depth), checksum)
}

/// Lays a graph out in the heap and gives its roots; no other handle is left.
fn lay_out(heap: &mut Heap, graph: &Graph) -> Vec<Gc<Node>> {
    let nodes: Vec<Gc<Node>> =
        (0..).zip(&graph.links).map(|(value, _)| heap.alloc(Node { left: None, right: None, value })).collect();
    for (&node, &[left, right]) in nodes.iter().zip(&graph.links) {
        let node = heap.get_mut(node);
        node.left = Some(nodes[left as usize]);
        node.right = Some(nodes[right as usize]);
    }
    graph.roots.iter().map(|&root| nodes[root as usize]).collect()
}

fn balanced(heap: &mut Heap, nodes: u64) -> Gc<Node> {
    trees::balanced(nodes, &mut |left, right, value| heap.alloc(Node { left, right, value })).expect("nodes > 0")
}

fn walk(heap: &Heap, root: Gc<Node>) -> u64 {
    graph::walk(&root, |&node| (heap[node].value, [heap[node].left, heap[node].right]))
}

fn mark_random(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let root = lay_out(&mut heap, &Graph::random(sizes.objects, 1))[0];
    mark(heap, root, sizes)
}

fn mark_tree(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let root = balanced(&mut heap, sizes.objects);
    mark(heap, root, sizes)
}

fn mark(mut heap: Heap, root: Gc<Node>, sizes: &Sizes) -> Measurement {
    let span = median_of(sizes.collections, || heap.collect(&root));
    Measurement::of_time(span, sizes.objects, walk(&heap, root))
}

fn half_dead_tree(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let [live, dying] =
        trees::balanced_pair(sizes.objects / 2, &mut |left, right, value| heap.alloc(Node { left, right, value }));
    half_dead(heap, live.expect("nodes > 0"), dying.expect("nodes > 0"), sizes)
}

fn half_dead_random(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let roots = lay_out(&mut heap, &Graph::random(sizes.objects, 2));
    half_dead(heap, roots[0], roots[1], sizes)
}

fn half_dead(mut heap: Heap, live: Gc<Node>, dying: Gc<Node>, sizes: &Sizes) -> Measurement {
    heap.collect(&(live, dying));
    let (span, fresh) = timed(|| {
        heap.collect(&live);
        balanced(&mut heap, sizes.objects / 2)
    });
    Measurement::of_time(span, sizes.objects, walk(&heap, live) + walk(&heap, fresh))
}

fn read<const WORDS: usize>(reading: Reading) -> Measurement {
    let mut heap = Heap::new();
    let handles = reading::handles(reading, |value| heap.alloc([value; WORDS]));
    reading::measure(reading, &handles, |&handle| heap[handle][0])
}

fn walk_hot(sizes: &Sizes) -> Measurement {
    fn sum(heap: &Heap, node: Gc<Node>) -> u64 {
        let node = &heap[node];
        node.value + node.left.map_or(0, |left| sum(heap, left)) + node.right.map_or(0, |right| sum(heap, right))
    }
    let mut heap = Heap::new();
    let root = balanced(&mut heap, sizes.hot.nodes);
    reading::measure_walk(sizes.hot, || sum(&heap, black_box(root)))
}

fn memory(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let (bytes, (span, root)) = grown(|| {
        timed(|| {
            let root = balanced(&mut heap, sizes.objects);
            heap.collect(&root);
            root
        })
    });
    Measurement::of_memory(bytes, span, sizes.objects, walk(&heap, root))
}

fn roots(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let object = heap.alloc([1_u64; 3]);
    let (span, ()) = timed(|| {
        for _ in 0..sizes.roots {
            drop(black_box(heap.root(black_box(object))));
        }
    });
    Measurement::of_time(span, sizes.roots, heap[object][0])
}

/// The difference between allocating in a scope and allocating outside, in turns.
fn scope_push(sizes: &Sizes) -> Measurement {
    fn allocate(heap: &mut Heap) {
        for value in 0..SCOPE {
            black_box(heap.alloc([value, value]));
        }
    }
    let mut heap = Heap::new();
    let mut difference = Span { cpu_ns: 0.0, wall_ns: 0.0 };
    let turns = sizes.scoped.div_ceil(SCOPE);
    for _ in 0..turns {
        let (inside, ()) = timed(|| heap.scope(allocate));
        heap.collect(&());
        let (outside, ()) = timed(|| allocate(&mut heap));
        heap.collect(&());
        difference.cpu_ns += inside.cpu_ns - outside.cpu_ns;
        difference.wall_ns += inside.wall_ns - outside.wall_ns;
    }
    Measurement::of_time(difference, turns * SCOPE, 0)
}

fn keep(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let object = heap.alloc([1_u64; 3]);
    let root = heap.root(object);
    let turns = sizes.roots.div_ceil(SCOPE);
    let (span, ()) = timed(|| {
        for _ in 0..turns {
            heap.scope(|heap| {
                for _ in 0..SCOPE {
                    heap.keep(black_box(object));
                }
            });
        }
    });
    Measurement::of_time(span, turns * SCOPE, heap[root.get()][0])
}

/// A heap in which each key of a map leads to the next.
struct Chain {
    heap: Heap,
    map: Gc<EphemeronMap<Gc<Node>, Gc<Node>>>,
    first: Gc<Node>,
}

impl Chain {
    fn new(links: u64, order: Order) -> Chain {
        let mut heap = Heap::new();
        let map = heap.alloc(EphemeronMap::new());
        let keys: Vec<Gc<Node>> =
            (0..=links).map(|value| heap.alloc(Node { left: None, right: None, value })).collect();
        for at in order.of_links(links) {
            map.insert(&mut heap, keys[at], keys[at + 1]);
        }
        Chain { heap, map, first: keys[0] }
    }

    fn collect(&mut self) {
        self.heap.collect(&(self.map, self.first));
    }

    fn walk(&self) -> u64 {
        let next = |&key: &Gc<Node>| self.map.get(&self.heap, key).copied();
        std::iter::successors(Some(self.first), next).map(|key| self.heap[key].value).sum()
    }
}

fn ephemerons(sizes: &Sizes, order: Order) -> Measurement {
    let mut chain = Chain::new(sizes.ephemerons, order);
    let span = median_of(sizes.collections, || chain.collect());
    Measurement::of_time(span, sizes.ephemerons, chain.walk())
}

fn ephemerons_twice(sizes: &Sizes) -> Measurement {
    let mut once = Chain::new(sizes.ephemerons, Order::Reverse);
    let mut twice = Chain::new(sizes.ephemerons * 2, Order::Reverse);
    let short = median_of(sizes.collections, || once.collect());
    let long = median_of(sizes.collections, || twice.collect());
    Measurement::of_times(long, short, once.walk() + twice.walk())
}

fn weak_handles(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let strong = heap.alloc_slice_with(sizes.weak_handles as usize, |_| None);
    for (at, value) in (0..sizes.weak_handles).enumerate() {
        let node = heap.alloc(Node { left: None, right: None, value });
        heap.slice_mut(strong, at..=at)[0] = Some(node);
    }
    let weak: Vec<Weak<Node>> = heap[strong].iter().flatten().map(|node| node.downgrade()).collect();
    let weak = heap.alloc_slice(&weak);
    heap.collect(&(strong, weak));
    heap.get_mut(strong).iter_mut().step_by(2).for_each(|link| *link = None);
    let (span, ()) = timed(|| heap.collect(&(strong, weak)));
    let weak = heap[weak].to_vec();
    let value = |weak: Weak<Node>| weak.upgrade(&mut heap).map(|node| heap[node].value);
    let checksum = weak.into_iter().filter_map(value).sum();
    Measurement::of_time(span, sizes.weak_handles, checksum)
}

struct Buffers(Heap);

impl Maker for Buffers {
    type Buffer = ArrayBuffer;

    fn make(&mut self, bytes: usize, kept: &[ArrayBuffer]) -> ArrayBuffer {
        self.0.safepoint(kept);
        ArrayBuffer::new(&mut self.0, bytes as u64).expect("memory")
    }

    fn ends<'m>(&'m mut self, buffer: &'m mut ArrayBuffer) -> &'m mut [u8] {
        buffer.as_mut_slice(&mut self.0).expect("not detached")
    }
}

fn typed_array(sizes: &Sizes) -> Measurement {
    let mut heap = Heap::new();
    let array = TypedArray::with_length(&mut heap, ElementKind::Int32, sizes.hot.nodes).expect("memory");
    let (span, ()) = timed(|| {
        for _ in 0..sizes.hot.passes {
            let array = black_box(array);
            for index in 0..sizes.hot.nodes as usize {
                let value: i32 = array.get_as(&heap, index).expect("it is there");
                array.set_as(&mut heap, index, value.wrapping_mul(5).wrapping_add(1));
            }
        }
    });
    let elements = array.as_slice::<i32>(&heap).expect("it is there");
    buffers::typed_measurement(sizes, span, elements.iter().copied())
}
