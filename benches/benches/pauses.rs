//! The means behind the program `pauses`: what the parts of a collection cost that a program waits for.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tumulus_heap::{Budget, Gc, Heap, Progress, Trace};

#[derive(Trace)]
struct Node {
    left: Option<Gc<Node>>,
    right: Option<Gc<Node>>,
    value: u64,
}

/// How many objects are old.
const OLD: u64 = 5_000_000;
/// How many are young, and survive.
const YOUNG: u64 = 1_000;
/// How many objects are read and written while they are in the cache.
const HOT: u64 = 1_024;
/// How many live objects a full collection is about.
const FULL: u64 = 300_000;
/// How long a slice of one takes.
const SLICE: Duration = Duration::from_micros(200);

fn tree(heap: &mut Heap, nodes: u64) -> Option<Gc<Node>> {
    let below = nodes.checked_sub(1)?;
    let left = tree(heap, below / 2);
    let right = tree(heap, below - below / 2);
    Some(heap.alloc(Node { left, right, value: nodes }))
}

/// A minor collection beside millions of old objects, which it must not look at.
///
/// What survives is old afterwards, and garbage in the next turn: the heap grows until a full collection, outside of the
/// time, makes an end of it.
fn minor(criterion: &mut Criterion) {
    let mut heap = Heap::new();
    let old = tree(&mut heap, OLD);
    heap.collect(&old);
    criterion.bench_function("pauses/minor collection, 5 million old, 1,000 young survive", |bencher| {
        bencher.iter_custom(|turns| {
            let mut time = Duration::ZERO;
            for turn in 0..turns {
                if turn % YOUNG == YOUNG - 1 {
                    heap.collect(&old);
                }
                let young = tree(&mut heap, YOUNG);
                let begin = Instant::now();
                heap.collect_minor(&(old, young));
                time += begin.elapsed();
            }
            time
        });
    });
    black_box(old.map(|old| heap[old].value));
}

/// A safepoint at which nothing is due.
fn nothing_due(criterion: &mut Criterion) {
    let mut heap = Heap::new();
    let root = heap.alloc(1_u64);
    criterion.bench_function("pauses/safepoint, nothing due", |bencher| {
        bencher.iter(|| black_box(&mut heap).safepoint(black_box(&root)));
    });
}

/// What writing costs beside reading, which checks the handle too: the barrier. It should cost at most 0.6 ns.
///
/// A young object is known by its handle; an old one is noted when it is written to for the first time.
fn access(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pauses/access in cache");
    group.throughput(Throughput::Elements(HOT));
    let mut heap = Heap::new();
    let nodes: Vec<Gc<Node>> = (0..HOT).map(|value| heap.alloc(Node { left: None, right: None, value })).collect();
    for age in ["young", "old"] {
        group.bench_function(format!("get, {age}"), |bencher| {
            bencher.iter(|| {
                for &node in black_box(&nodes) {
                    black_box(&raw const heap.get(node).value);
                }
            });
        });
        group.bench_function(format!("get_mut, {age}"), |bencher| {
            bencher.iter(|| {
                for &node in black_box(&nodes) {
                    black_box(&raw mut heap.get_mut(node).value);
                }
            });
        });
        heap.collect(&nodes);
    }
    group.finish();
}

/// A full collection, all at once and in slices.
fn full(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pauses/full collection");
    group.throughput(Throughput::Elements(FULL));
    let grown = || {
        let mut heap = Heap::new();
        let root = tree(&mut heap, FULL);
        heap.collect(&root);
        (heap, root)
    };
    group.bench_function("at once", |bencher| {
        bencher.iter_batched_ref(grown, |(heap, root)| heap.collect(root), BatchSize::PerIteration);
    });
    group.bench_function("in slices", |bencher| {
        bencher.iter_batched_ref(
            grown,
            |(heap, root)| {
                heap.start_major();
                while heap.step(root, Budget::time(SLICE)) == Progress::Pending {}
            },
            BatchSize::PerIteration,
        );
    });
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
    targets = minor, nothing_due, access, full
}
criterion_main!(benches);
