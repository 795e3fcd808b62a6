//! What a full collection costs when much has died: reclaiming, drops, and allocating as many again.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tumulus_heap::{Gc, Heap, Trace};

const OBJECTS: u64 = 100_000;

/// How many of the objects live on: none, every second one, and nine of ten.
const SURVIVORS: [(&str, u64, u64); 3] = [("none live", 0, 1), ("half live", 1, 2), ("nine of ten live", 9, 10)];

type Plain = [u64; 3];

/// A full heap and those of its objects that are to live, spread evenly over it.
fn filled<T: Trace + 'static>(live: u64, of: u64, make: impl Fn(u64) -> T) -> (Heap, Vec<Gc<T>>) {
    let mut heap = Heap::new();
    let mut roots = Vec::new();
    for at in 0..OBJECTS {
        let object = heap.alloc(make(at));
        if at % of < live {
            roots.push(object);
        }
    }
    (heap, roots)
}

/// The heap and the roots are handed on, so that dropping them is not measured.
fn collect<T: Trace + 'static>((mut heap, roots): (Heap, Vec<Gc<T>>)) -> (Heap, Vec<Gc<T>>) {
    heap.collect(&roots);
    (heap, roots)
}

fn sweeping(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sweeping");
    group.throughput(Throughput::Elements(OBJECTS));
    for (name, live, of) in SURVIVORS {
        group.bench_function(BenchmarkId::new("without drop", name), |bencher| {
            bencher.iter_batched(|| filled(live, of, |at| [at; 3]), collect, BatchSize::LargeInput);
        });
        group.bench_function(BenchmarkId::new("with drop", name), |bencher| {
            bencher.iter_batched(|| filled(live, of, Box::new), collect, BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// A heap in its steady state: fill, let half die, collect, and fill again into the gaps.
fn reuse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sweeping/reuse");
    group.throughput(Throughput::Elements(OBJECTS));
    let (mut heap, mut roots) = filled(1, 1, |at| [at; 3]);
    group.bench_function("half replaced", |bencher| {
        bencher.iter(|| {
            let mut at = 0;
            roots.retain(|_| {
                at += 1;
                at % 2 == 0
            });
            heap.collect(&roots);
            roots.extend((roots.len() as u64..OBJECTS).map(|at| heap.alloc([at; 3])));
        });
    });
    black_box(roots.iter().map(|&root| heap[root][0]).sum::<u64>());
    let mut boxes: Vec<Box<Plain>> = (0..OBJECTS).map(|at| Box::new([at; 3])).collect();
    group.bench_function("half replaced, Box", |bencher| {
        bencher.iter(|| {
            let mut at = 0;
            boxes.retain(|_| {
                at += 1;
                at % 2 == 0
            });
            boxes.extend((boxes.len() as u64..OBJECTS).map(|at| Box::new([at; 3])));
        });
    });
    black_box(boxes.iter().map(|value| value[0]).sum::<u64>());
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
    targets = sweeping, reuse
}
criterion_main!(benches);
