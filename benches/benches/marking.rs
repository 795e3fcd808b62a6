//! What a full collection costs when everything lives.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use tumulus_heap::{Gc, Heap, Trace};

#[derive(Trace)]
struct Node {
    left: Option<Gc<Node>>,
    right: Option<Gc<Node>>,
    value: u64,
}

const COUNTS: [u64; 2] = [10_000, 300_000];
const SEED: u64 = 1;

/// A tree in the order of its allocation.
fn tree(heap: &mut Heap, nodes: u64) -> Option<Gc<Node>> {
    let below = nodes.checked_sub(1)?;
    let left = tree(heap, below / 2);
    let right = tree(heap, below - below / 2);
    Some(heap.alloc(Node { left, right, value: nodes }))
}

/// A circle through all nodes in a random order, so that all live, and from each node a link to a random one.
fn random(heap: &mut Heap, nodes: u64) -> Option<Gc<Node>> {
    let mut rng = Rng::with_seed(SEED);
    let mut circle: Vec<Gc<Node>> =
        (0..nodes).map(|value| heap.alloc(Node { left: None, right: None, value })).collect();
    rng.shuffle(&mut circle);
    for (at, &node) in circle.iter().enumerate() {
        let node = heap.get_mut(node);
        node.left = Some(circle[(at + 1) % circle.len()]);
        node.right = Some(circle[rng.usize(..circle.len())]);
    }
    circle.first().copied()
}

/// Objects without edges, all held by one slice.
fn leaves(heap: &mut Heap, nodes: u64) -> Gc<[Gc<[u64; 3]>]> {
    let leaves: Vec<Gc<[u64; 3]>> = (0..nodes).map(|value| heap.alloc([value; 3])).collect();
    heap.alloc_slice(&leaves)
}

fn marking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("marking");
    for count in COUNTS {
        group.throughput(Throughput::Elements(count));
        let mut heap = Heap::new();
        let root = tree(&mut heap, count);
        group.bench_function(BenchmarkId::new("tree", count), |bencher| bencher.iter(|| heap.collect(&root)));
        black_box(root.map(|root| heap[root].value));
        let mut heap = Heap::new();
        let root = random(&mut heap, count);
        group.bench_function(BenchmarkId::new("random", count), |bencher| bencher.iter(|| heap.collect(&root)));
        black_box(root.map(|root| heap[root].value));
        let mut heap = Heap::new();
        let root = leaves(&mut heap, count);
        group.bench_function(BenchmarkId::new("leaves", count), |bencher| bencher.iter(|| heap.collect(&root)));
        black_box(heap[root].len());
    }
    group.finish();
}

/// Brief: with its defaults, criterion takes five seconds a function and as long again to resample.
fn brief() -> Criterion {
    let step = Duration::from_millis(250);
    Criterion::default().warm_up_time(step).measurement_time(2 * step).sample_size(20).nresamples(5_000).without_plots()
}

criterion_group! {
    name = benches;
    config = brief();
    targets = marking
}
criterion_main!(benches);
