//! Models of what threads do to stores at once, run under schedules that Shuttle chooses: see `scripts/schedules`. Without
//! `--cfg tumulus_shuttle` there is nothing here.
//!
//! | what several threads share | models |
//! |---|---|
//! | a store, its references and its registry | `holders_of_one_store`, `the_registry_while_stores_come_and_go` |
//! | the bytes of a store that is not shared | `one_at_a_time` |
//! | what dead buffers leave to the releaser | `the_releaser`, `the_releaser_is_stopped_and_started` |
//! | the length of a growable store | `a_store_that_grows` |
//! | the lists of who waits for an element | `waiting_and_notifying`, `waiting_with_a_timeout` |
//!
//! A thread that is never woken takes more steps than a model may.

#![cfg(tumulus_shuttle)]

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, MaxSteps, Runner};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tumulus_arraybuffer::atomics::{self, WaitOutcome};
use tumulus_arraybuffer::release::{self, Mode};
use tumulus_arraybuffer::{
    ArrayBuffer, BackingStore, Element, ElementKind, Error, SharedArrayBuffer, TypedArray, registry,
};
use tumulus_heap::{Heap, Zeal};

/// Runs a model under many schedules: three of four change the thread at random, the others seldom and where it hurts.
fn schedules(name: &str, model: fn()) {
    let most: usize = std::env::var("TUMULUS_SCHEDULES").map_or(50, |count| count.parse().expect("a number"));
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.max_steps = MaxSteps::FailAfter(100_000);
    config.silence_warnings = true;
    let seldom = most / 4;
    Runner::new(RandomScheduler::new(most - seldom), config.clone()).run(model);
    Runner::new(PctScheduler::new(3, seldom), config).run(model);
    println!("schedules: {name}: {most}");
}

fn heap() -> Heap {
    Heap::builder().zeal(Zeal::none()).build()
}

fn join<T>(threads: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
}

/// A store whose deleter counts its calls.
fn counted(calls: &Arc<AtomicUsize>) -> BackingStore {
    let bytes = Box::leak(vec![0_u8; 8].into_boxed_slice());
    let free = |data: *mut u8, bytes, calls: Arc<AtomicUsize>| {
        // Releasing takes its time.
        thread::yield_now();
        // SAFETY: leaked above, and put together by the one call of this.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, bytes)) });
        calls.fetch_add(1, Ordering::SeqCst);
    };
    // SAFETY: the bytes are there until `free` is called, and nobody else knows of them.
    unsafe { BackingStore::from_raw(bytes.as_mut_ptr(), bytes.len(), free, Arc::clone(calls)) }.expect("a box")
}

#[test]
fn holders_of_one_store() {
    schedules("holders of one store", || {
        let calls = Arc::new(AtomicUsize::new(0));
        let store = counted(&calls);
        let (one, other) = (store.clone(), store.clone());
        let of_a_heap = thread::spawn(move || {
            let mut heap = heap();
            let buffer = ArrayBuffer::from_store(&mut heap, one).expect("nobody else's");
            assert_eq!(buffer.byte_length(&heap), 8);
            heap.collect(&());
            release::flush();
        });
        let while_held = Arc::clone(&calls);
        let outside = thread::spawn(move || {
            drop(other.clone());
            assert_eq!(while_held.load(Ordering::SeqCst), 0, "freed while it is held");
            drop(other);
        });
        drop(store);
        join([of_a_heap, outside]);
        release::join();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn the_registry_while_stores_come_and_go() {
    schedules("the registry", || {
        let kept = BackingStore::new(117).expect("memory");
        let worker = thread::spawn(|| {
            let ids: Vec<u64> = (1..3).map(|bytes| BackingStore::new(bytes).expect("memory").id()).collect();
            let large = BackingStore::new(100_000).expect("memory");
            (ids, large.id())
        });
        let entries = registry::entries();
        let mine: Vec<_> = entries.iter().filter(|entry| entry.id == kept.id()).collect();
        assert_eq!((mine.len(), mine[0].byte_length, mine[0].holders, mine[0].buffers), (1, 117, 1, 0));
        // Nothing is mixed from two stores.
        assert!(entries.iter().all(|entry| [1, 2, 117, 100_000].contains(&entry.byte_length)), "{entries:?}");
        let (ids, large) = worker.join().expect("no panic");
        assert!(ids.iter().chain([&large]).all(|id| registry::entries().iter().all(|entry| entry.id != *id)));
    });
}

#[test]
fn one_at_a_time() {
    schedules("one at a time", || {
        let store = BackingStore::new(8).expect("memory");
        let other = store.clone();
        let writer = thread::spawn(move || {
            other.with_bytes_mut(|bytes| {
                bytes[0] += 1;
                // Where another thread may come in between.
                thread::yield_now();
                assert_eq!(bytes[0], bytes[1] + 1);
                bytes[1] += 1;
            })
        });
        let mine = {
            let mut heap = heap();
            let made = ArrayBuffer::from_store(&mut heap, store.clone()).map(|buffer| {
                let bytes = buffer.as_mut_slice(&mut heap).expect("attached");
                assert_eq!(bytes[0], bytes[1], "in the midst of another access");
                (bytes[0], bytes[1]) = (bytes[0] + 1, bytes[1] + 1);
            });
            heap.collect(&());
            made
        };
        let theirs = writer.join().expect("no panic");
        for refused in [mine.as_ref().err(), theirs.as_ref().err()].into_iter().flatten() {
            assert!(matches!(refused, Error::InUse { .. }), "{refused}");
        }
        let done = u8::from(mine.is_ok()) + u8::from(theirs.is_ok());
        assert!(done > 0, "each was in the way of the other");
        assert_eq!(store.with_bytes(|bytes| (bytes[0], bytes[1])), Ok((done, done)));
    });
}

#[test]
fn the_releaser() {
    schedules("the releaser", || {
        release::set_mode(Mode::Background);
        let calls = Arc::new(AtomicUsize::new(0));
        let threads = [1, 2].map(|_| {
            let calls = Arc::clone(&calls);
            thread::spawn(move || {
                let mut heap = heap();
                let mine = Arc::new(AtomicUsize::new(0));
                for _ in 0..2 {
                    ArrayBuffer::from_store(&mut heap, counted(&mine)).expect("nobody else's");
                }
                heap.collect(&());
                release::flush();
                assert_eq!(mine.load(Ordering::SeqCst), 2, "what was dead before is released");
                assert_eq!(heap.statistics().external_bytes, 0);
                calls.fetch_add(2, Ordering::SeqCst);
            })
        });
        join(threads);
        release::join();
        assert_eq!(calls.load(Ordering::SeqCst), 4);
        assert!(!release::statistics().is_running);
    });
}

#[test]
fn the_releaser_is_stopped_and_started() {
    schedules("the releaser, stopped and started", || {
        release::set_mode(Mode::Background);
        let calls = Arc::new(AtomicUsize::new(0));
        let mut heap = heap();
        ArrayBuffer::from_store(&mut heap, counted(&calls)).expect("nobody else's");
        heap.collect(&());
        let stopper = thread::spawn(release::join);
        let flusher = thread::spawn(release::flush);
        ArrayBuffer::from_store(&mut heap, counted(&calls)).expect("nobody else's");
        // What dies now may be seen by the thread that stops, by who stops it, or by nobody but who flushes.
        while release::statistics().is_running {
            thread::yield_now();
        }
        drop(heap);
        release::flush();
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        join([stopper, flusher]);
        release::join();
    });
}

#[test]
fn a_store_that_grows() {
    schedules("a store that grows", || {
        let store = BackingStore::growable(10, 200).expect("memory");
        let mut heap = heap();
        let buffer = SharedArrayBuffer::from_store(&mut heap, store.clone()).expect("memory");
        let threads = [100, 60].map(|bytes| {
            let store = store.clone();
            thread::spawn(move || {
                let before = store.byte_length();
                let grown = store.grow(bytes);
                let after = store.byte_length();
                assert!(before <= after && after <= 100, "{before} {after}");
                match grown {
                    Ok(_) => assert!(after >= bytes),
                    Err(error) => assert!(after > bytes, "{error}"),
                }
                // All that the length says can be read, and is zero.
                let mut read = vec![1; after];
                store.copy_to(0, &mut read).expect("inside");
                assert!(read.iter().all(|&byte| byte == 0));
            })
        });
        let (first, second) = (buffer.byte_length(&heap), buffer.byte_length(&heap));
        assert!(first <= second);
        join(threads);
        assert_eq!((store.byte_length(), heap.statistics().external_bytes), (100, 100));
        drop(store);
        heap.collect(&());
        assert_eq!(heap.statistics().external_bytes, 0);
    });
}

/// An array of one element over shared bytes, in a heap of this thread's.
fn array(store: &BackingStore) -> (Heap, TypedArray) {
    let mut heap = heap();
    let buffer = SharedArrayBuffer::from_store(&mut heap, store.clone()).expect("memory");
    let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None).expect("memory");
    (heap, array)
}

const ZERO: Element = Element::Number(0.0);
const ONE: Element = Element::Number(1.0);

/// Two threads that wait for a zero to change.
fn waiters(store: &BackingStore, timeout: f64) -> [JoinHandle<WaitOutcome>; 2] {
    [store.clone(), store.clone()].map(|store| {
        thread::spawn(move || {
            let (heap, array) = array(&store);
            atomics::wait(&heap, array, 0, ZERO, timeout).expect("an Int32Array")
        })
    })
}

fn count(ends: &[WaitOutcome], wanted: WaitOutcome) -> usize {
    ends.iter().filter(|end| **end == wanted).count()
}

#[test]
fn waiting_and_notifying() {
    schedules("waiting and notifying", || {
        let store = BackingStore::shared(4).expect("memory");
        let waiters = waiters(&store, f64::INFINITY);
        let (mut heap, array) = array(&store);
        atomics::access(&heap, array, 0).expect("inside").store(&mut heap, ONE).expect("a number");
        // Who came before the store is on the list, and who comes after it does not wait.
        let notified = atomics::notify(&heap, array, 0, f64::INFINITY).expect("an Int32Array");
        let ends = join(waiters);
        assert_eq!(count(&ends, WaitOutcome::Ok), notified, "{ends:?}");
        assert_eq!(count(&ends, WaitOutcome::TimedOut), 0, "{ends:?}");
        assert_eq!(atomics::waiters(&heap, array, 0), Ok(0));
    });
}

#[test]
fn waiting_with_a_timeout() {
    schedules("waiting with a timeout", || {
        let store = BackingStore::shared(4).expect("memory");
        let waiters = waiters(&store, 0.0);
        let (heap, array) = array(&store);
        let notified = atomics::notify(&heap, array, 0, 1.0).expect("an Int32Array");
        let ends = join(waiters);
        assert_eq!(count(&ends, WaitOutcome::Ok), notified, "{ends:?}");
        assert_eq!(count(&ends, WaitOutcome::NotEqual), 0, "{ends:?}");
        assert_eq!(atomics::waiters(&heap, array, 0), Ok(0));
    });
}
