//! What a checked read and a checked write cost, with `Box` for scale.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use tumulus_heap::{Gc, Heap};

/// An object of 24 bytes, and one of 40: an odd size beside one whose cell is a power of two.
type Small = [u64; 3];
type Wide = [u64; 5];

/// In the first cache, in the second or third, and in none.
const COUNTS: [u64; 3] = [256, 4_096, 500_000];
const SEED: u64 = 1;

fn shuffled<H>(count: u64, make: impl FnMut(u64) -> H) -> Vec<H> {
    let mut handles: Vec<H> = (0..count).map(make).collect();
    Rng::with_seed(SEED).shuffle(&mut handles);
    handles
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dereference/read");
    for count in COUNTS {
        group.throughput(Throughput::Elements(count));
        let mut heap = Heap::new();
        let handles: Vec<Gc<Small>> = shuffled(count, |value| heap.alloc([value; 3]));
        group.bench_function(BenchmarkId::new("24 bytes", count), |bencher| {
            bencher.iter(|| black_box(&handles).iter().map(|&handle| heap[handle][0]).sum::<u64>());
        });
        let mut heap = Heap::new();
        let handles: Vec<Gc<Wide>> = shuffled(count, |value| heap.alloc([value; 5]));
        group.bench_function(BenchmarkId::new("40 bytes", count), |bencher| {
            bencher.iter(|| black_box(&handles).iter().map(|&handle| heap[handle][0]).sum::<u64>());
        });
        let boxes: Vec<Box<Small>> = shuffled(count, |value| Box::new([value; 3]));
        group.bench_function(BenchmarkId::new("Box, 24 bytes", count), |bencher| {
            bencher.iter(|| black_box(&boxes).iter().map(|value| value[0]).sum::<u64>());
        });
    }
    group.finish();
}

fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dereference/write");
    for count in COUNTS {
        group.throughput(Throughput::Elements(count));
        let mut heap = Heap::new();
        let handles: Vec<Gc<Small>> = shuffled(count, |value| heap.alloc([value; 3]));
        group.bench_function(BenchmarkId::new("get_mut", count), |bencher| {
            bencher.iter(|| {
                for &handle in black_box(&handles) {
                    heap.get_mut(handle)[0] += 1;
                }
            });
        });
        // The sum was not used above, so make sure that the writes were done.
        black_box(handles.iter().map(|&handle| heap[handle][0]).sum::<u64>());
        let mut boxes: Vec<Box<Small>> = shuffled(count, |value| Box::new([value; 3]));
        group.bench_function(BenchmarkId::new("Box", count), |bencher| {
            bencher.iter(|| {
                for value in black_box(&mut boxes) {
                    value[0] += 1;
                }
            });
        });
    }
    group.finish();
}

fn roots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dereference/roots");
    let mut heap = Heap::new();
    let object = heap.alloc([1_u64; 3]);
    group.bench_function("root and unroot", |bencher| bencher.iter(|| drop(black_box(heap.root(black_box(object))))));
    let root = heap.root(object);
    group.bench_function("Root::get", |bencher| bencher.iter(|| black_box(&root).get()));
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
    targets = read, write, roots
}
criterion_main!(benches);
