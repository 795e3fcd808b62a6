//! What an allocation costs, reclaiming included, with `Box` for scale.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tumulus_heap::{Gc, Heap, Trace};

#[derive(Trace)]
struct Tree {
    left: Option<Gc<Tree>>,
    right: Option<Gc<Tree>>,
}

struct BoxTree {
    left: Option<Box<BoxTree>>,
    right: Option<Box<BoxTree>>,
}

const OBJECTS: u64 = 10_000;
const DEPTHS: [u32; 2] = [6, 12];

fn grow(heap: &mut Heap, depth: u32) -> Gc<Tree> {
    let left = (depth > 0).then(|| grow(heap, depth - 1));
    let right = (depth > 0).then(|| grow(heap, depth - 1));
    heap.alloc(Tree { left, right })
}

fn check(heap: &Heap, tree: Gc<Tree>) -> u64 {
    let tree = &heap[tree];
    1 + tree.left.map_or(0, |left| check(heap, left)) + tree.right.map_or(0, |right| check(heap, right))
}

fn grow_box(depth: u32) -> BoxTree {
    let left = (depth > 0).then(|| Box::new(grow_box(depth - 1)));
    let right = (depth > 0).then(|| Box::new(grow_box(depth - 1)));
    BoxTree { left, right }
}

fn check_box(tree: &BoxTree) -> u64 {
    let below = |child: &Option<Box<BoxTree>>| child.as_ref().map_or(0, |child| check_box(child));
    1 + below(&tree.left) + below(&tree.right)
}

/// Objects without edges that die at once: allocation, and the sweeping that makes room for it.
fn short_lived(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("allocation/short-lived");
    group.throughput(Throughput::Elements(OBJECTS));
    let mut heap = Heap::new();
    group.bench_function("alloc", |bencher| {
        bencher.iter(|| {
            for value in 0..OBJECTS {
                black_box(heap.alloc([value; 3]));
            }
            heap.safepoint(&());
        });
    });
    let mut heap = Heap::new();
    group.bench_function("alloc in a scope", |bencher| {
        bencher.iter(|| {
            heap.scope(|heap| {
                for value in 0..OBJECTS {
                    black_box(heap.alloc([value; 3]));
                }
            });
            heap.safepoint(&());
        });
    });
    let mut heap = Heap::new();
    group.bench_function("alloc_slice", |bencher| {
        bencher.iter(|| {
            for value in 0..OBJECTS {
                black_box(heap.alloc_slice(black_box(&[value; 3])));
            }
            heap.safepoint(&());
        });
    });
    group.bench_function("Box", |bencher| {
        bencher.iter(|| {
            for value in 0..OBJECTS {
                drop(black_box(Box::new([value; 3])));
            }
        });
    });
    group.finish();
}

/// Trees built bottom-up, counted and dropped.
fn trees(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("allocation/trees");
    for depth in DEPTHS {
        group.throughput(Throughput::Elements((1 << (depth + 1)) - 1));
        let mut heap = Heap::new();
        group.bench_function(BenchmarkId::new("alloc", depth), |bencher| {
            bencher.iter(|| {
                let tree = grow(&mut heap, black_box(depth));
                let nodes = check(&heap, tree);
                heap.safepoint(&());
                nodes
            });
        });
        group.bench_function(BenchmarkId::new("Box", depth), |bencher| {
            bencher.iter(|| check_box(&black_box(grow_box(black_box(depth)))));
        });
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
    targets = short_lived, trees
}
criterion_main!(benches);
