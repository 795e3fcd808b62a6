//! What `Atomics` costs between two threads, each with a heap of its own: adding to one element beside an `AtomicI32`, and
//! waiting for one another beside the parking of `parking_lot`, on which the waiting is built.

use std::sync::Barrier;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use parking_lot_core::{DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, ParkResult, park, unpark_one};
use tumulus_arraybuffer::atomics::{self, WaitOutcome};
use tumulus_arraybuffer::{BackingStore, Element, ElementKind, SharedArrayBuffer, TypedArray};
use tumulus_heap::Heap;

/// Two threads.
const THREADS: usize = 2;

/// Runs `body` on two threads that begin together, each with its number, and says how long that took.
fn together(body: impl Fn(usize) + Sync) -> Duration {
    let barrier = Barrier::new(THREADS + 1);
    let run = &|thread| {
        barrier.wait();
        body(thread);
        barrier.wait();
    };
    thread::scope(|scope| {
        (0..THREADS).for_each(|thread| _ = scope.spawn(move || run(thread)));
        barrier.wait();
        let start = Instant::now();
        barrier.wait();
        start.elapsed()
    })
}

/// The store's view as `Int32Array`, in a new heap.
fn view(store: &BackingStore) -> (Heap, TypedArray) {
    let mut heap = Heap::new();
    let buffer = SharedArrayBuffer::from_store(&mut heap, store.clone()).expect("a shared store");
    let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None).expect("an array");
    (heap, array)
}

fn add(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("atomics/add, two threads on one cell");
    let sum = |store: &BackingStore| {
        let (heap, array) = view(store);
        array.get_as::<i32>(&heap, 0)
    };
    group.bench_function("Access::add", |bencher| {
        bencher.iter_custom(|count| {
            let store = BackingStore::shared(64).expect("memory");
            let took = together(|_| {
                let (mut heap, array) = view(&store);
                let cell = atomics::access(&heap, array, 0).expect("an element");
                (0..count).for_each(|_| _ = cell.add(&mut heap, Element::Number(1.0)).expect("still there"));
            });
            assert_eq!(sum(&store), Some((THREADS as u64 * count) as i32));
            took
        });
    });
    group.bench_function("atomics::int32", |bencher| {
        bencher.iter_custom(|count| {
            let store = BackingStore::shared(64).expect("memory");
            let took = together(|_| {
                let (heap, array) = view(&store);
                let cell = atomics::int32(&heap, array, 0).expect("an element");
                (0..count).for_each(|_| _ = cell.fetch_add(1, Ordering::SeqCst));
            });
            assert_eq!(sum(&store), Some((THREADS as u64 * count) as i32));
            took
        });
    });
    group.bench_function("AtomicI32", |bencher| {
        bencher.iter_custom(|count| {
            let cell = AtomicI32::new(0);
            let took = together(|_| (0..count).for_each(|_| _ = cell.fetch_add(1, Ordering::SeqCst)));
            assert_eq!(cell.into_inner(), (THREADS as u64 * count) as i32);
            took
        });
    });
    group.finish();
}

/// Each thread waits until the turn is its own, and gives it to the other: a round trip is two turns.
fn round_trips(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("atomics/wait and notify, a round trip");
    group.bench_function("Atomics", |bencher| {
        bencher.iter_custom(|count| {
            let store = BackingStore::shared(64).expect("memory");
            together(|thread| {
                let (mut heap, array) = view(&store);
                let turn = atomics::access(&heap, array, 0).expect("an element");
                let (own, other) = (Element::Number(thread as f64), Element::Number(1.0 - thread as f64));
                for _ in 0..count {
                    while turn.load(&heap).expect("still there") != own {
                        let outcome = atomics::wait(&heap, array, 0, other, f64::INFINITY).expect("shared");
                        assert_ne!(outcome, WaitOutcome::TimedOut);
                    }
                    turn.store(&mut heap, other).expect("still there");
                    atomics::notify(&heap, array, 0, 1.0).expect("shared");
                }
            })
        });
    });
    group.bench_function("parking_lot", |bencher| {
        bencher.iter_custom(|count| {
            let turn = AtomicU32::new(0);
            let key = std::ptr::from_ref(&turn).addr();
            together(|thread| {
                let (own, other) = (thread as u32, 1 - thread as u32);
                for _ in 0..count {
                    while turn.load(Ordering::SeqCst) != own {
                        let is_others = || turn.load(Ordering::SeqCst) == other;
                        // SAFETY: the key is the address of something of ours, and the callbacks neither panic nor park.
                        let result = unsafe { park(key, is_others, || (), |_, _| (), DEFAULT_PARK_TOKEN, None) };
                        assert!(!matches!(result, ParkResult::TimedOut));
                    }
                    turn.store(other, Ordering::SeqCst);
                    // SAFETY: as above.
                    unsafe { unpark_one(key, |_| DEFAULT_UNPARK_TOKEN) };
                }
            })
        });
    });
    group.finish();
}

fn config() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = config();
    targets = add, round_trips
}
criterion_main!(benches);
