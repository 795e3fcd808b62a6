//! Bytes that threads share: no races whatever the widths, atomic operations, and waiting.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use tumulus_arraybuffer::atomics::{self, Ticket, WaitOutcome, WaitStart};
use tumulus_arraybuffer::{
    BackingStore, DataView, Element, ElementKind, Endian, Error, Layout, SharedArrayBuffer, TypedArray,
};
use tumulus_heap::Heap;
use tumulus_tests::{calm_heap, scaled};

fn view(heap: &mut Heap, kind: ElementKind, store: &BackingStore) -> TypedArray {
    let buffer = SharedArrayBuffer::from_store(heap, store.clone()).unwrap();
    TypedArray::new(heap, kind, buffer, 0, None).unwrap()
}

fn number(value: u32) -> Element {
    Element::Number(value.into())
}

/// Elements of two bytes in a word, in the upper half of one, and behind the last one.
#[test]
fn elements_of_two_bytes_do_not_tear() {
    for index in 0..3 {
        let store = BackingStore::shared(6).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut heap = calm_heap();
                let array = view(&mut heap, ElementKind::Uint16, &store);
                for n in 0..scaled(100_000, 50) {
                    let value = if n % 2 == 0 { 0xffff } else { 0 };
                    if n % 3 == 0 {
                        let witness = array.validate_to_write(&heap, "fill").unwrap();
                        witness.fill(&mut heap, number(value), index as f64, None).unwrap();
                    } else {
                        array.set(&mut heap, index, number(value)).unwrap();
                    }
                }
            });
            let mut heap = calm_heap();
            let array = view(&mut heap, ElementKind::Uint16, &store);
            for _ in 0..scaled(100_000, 50) {
                let value = array.get_as::<u16>(&heap, index).unwrap();
                assert!(value == 0 || value == 0xffff, "{value:#x} at {index}");
            }
        });
    }
}

#[test]
fn all_views_at_once_on_the_same_bytes_do_not_race() {
    let store = BackingStore::shared(19).unwrap();
    std::thread::scope(|scope| {
        for kind in ElementKind::ALL {
            let store = &store;
            scope.spawn(move || {
                let mut heap = calm_heap();
                let buffer = SharedArrayBuffer::from_store(&mut heap, store.clone()).unwrap();
                let length = 16 / kind.size() as u64;
                let array = TypedArray::new(&mut heap, kind, buffer, 0, Some(length)).unwrap();
                let data = DataView::new(&mut heap, buffer, 1, None).unwrap();
                let one = if kind.is_big_int() { Element::BigInt(1) } else { Element::Number(1.0) };
                for n in 0..scaled(200, 4) {
                    array.set(&mut heap, n % length as usize, one).unwrap();
                    array.get(&heap, n % length as usize).unwrap();
                    data.set(&mut heap, kind, n as u64 % 9, one, Endian::Little).unwrap();
                    let witness = array.validate_to_write(&heap, "fill").unwrap();
                    witness.fill(&mut heap, one, 0.0, None).unwrap();
                    witness.reverse(&mut heap).unwrap();
                    buffer.slice(&mut heap, 0.0, None).unwrap();
                    if let Ok(cell) = atomics::access(&heap, array, 0) {
                        cell.add(&mut heap, one).unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn no_operation_is_lost() {
    for kind in [ElementKind::Int8, ElementKind::Uint16, ElementKind::Int32, ElementKind::BigUint64] {
        let store = BackingStore::shared(16).unwrap();
        let (threads, times) = (2, scaled(1000, 20));
        let one = if kind.is_big_int() { Element::BigInt(1) } else { number(1) };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut heap = calm_heap();
                    let array = view(&mut heap, kind, &store);
                    let cells = [0, 1].map(|index| atomics::access(&heap, array, index).unwrap());
                    for _ in 0..times {
                        cells[0].add(&mut heap, one).unwrap();
                        cells[1].sub(&mut heap, one).unwrap();
                    }
                });
            }
        });
        let mut heap = calm_heap();
        let array = view(&mut heap, kind, &store);
        let expected = TypedArray::with_length(&mut heap, kind, 2).unwrap();
        let total = i32::try_from(threads * times).unwrap();
        for (index, total) in [(0, total), (1, -total)] {
            let total = if kind.is_big_int() { Element::BigInt(total.into()) } else { Element::Number(total.into()) };
            expected.set(&mut heap, index, total).unwrap();
            assert_eq!(array.get(&heap, index), expected.get(&heap, index), "{kind:?}");
        }
    }
}

#[test]
fn operations_on_plain_bytes_do_the_same() {
    let mut heap = calm_heap();
    for kind in [ElementKind::Int8, ElementKind::Uint32] {
        let array = TypedArray::with_length(&mut heap, kind, 1).unwrap();
        let cell = atomics::access(&heap, array, 0).unwrap();
        assert_eq!(cell.store(&mut heap, number(0b1100)), Ok(number(0b1100)));
        assert_eq!(cell.xor(&mut heap, number(0b0110)), Ok(number(0b1100)));
        assert_eq!(cell.or(&mut heap, number(1)), Ok(number(0b1010)));
        assert_eq!(cell.and(&mut heap, number(0b1110)), Ok(number(0b1011)));
        assert_eq!(cell.exchange(&mut heap, number(5)), Ok(number(0b1010)));
        assert_eq!(cell.compare_exchange(&mut heap, number(6), number(7)), Ok(number(5)));
        assert_eq!(cell.load(&heap), Ok(number(5)));
    }
    for kind in [ElementKind::Float64, ElementKind::Uint8Clamped] {
        let array = TypedArray::with_length(&mut heap, kind, 1).unwrap();
        assert!(matches!(atomics::access(&heap, array, 0), Err(Error::ViewKind { .. })));
    }
    let array = TypedArray::with_length(&mut heap, ElementKind::Int32, 1).unwrap();
    assert!(matches!(atomics::access(&heap, array, 1), Err(Error::Range { offset: 1, available: 1, .. })));
    assert!(matches!(atomics::wait(&heap, array, 9, number(0), 0.0), Err(Error::NotShared { .. })), "before the index");
}

/// Waits until so many wait for the first element.
fn until_waiting(heap: &Heap, array: TypedArray, count: usize) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while atomics::waiters(heap, array, 0).unwrap() < count {
        assert!(Instant::now() < give_up, "they do not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn who_waits_first_is_notified_first() {
    for kind in [ElementKind::Int32, ElementKind::BigInt64] {
        let store = BackingStore::shared(8).unwrap();
        let zero = if kind.is_big_int() { Element::BigInt(0) } else { number(0) };
        let (sender, woken) = std::sync::mpsc::channel();
        let mut heap = calm_heap();
        let array = view(&mut heap, kind, &store);
        std::thread::scope(|scope| {
            for n in 0..3 {
                let (sender, store) = (sender.clone(), &store);
                scope.spawn(move || {
                    let mut heap = calm_heap();
                    let array = view(&mut heap, kind, store);
                    let outcome = atomics::wait(&heap, array, 0, zero, f64::INFINITY).unwrap();
                    sender.send((n, outcome)).unwrap();
                });
                until_waiting(&heap, array, n + 1);
            }
            for n in 0..3 {
                assert_eq!(atomics::notify(&heap, array, 0, 1.0), Ok(1));
                assert_eq!(woken.recv_timeout(Duration::from_secs(20)), Ok((n, WaitOutcome::Ok)));
            }
        });
        assert_eq!(atomics::notify(&heap, array, 0, f64::INFINITY), Ok(0));
    }
}

/// Begins to wait for the first element, which is 0.
fn begin(heap: &Heap, array: TypedArray, timeout: f64) -> Ticket {
    match atomics::wait_async(heap, array, 0, number(0), timeout).unwrap() {
        WaitStart::Waits(ticket) => ticket,
        WaitStart::Ended(outcome) => panic!("{outcome:?}"),
    }
}

#[test]
fn threads_and_tickets_are_on_one_list() {
    let store = BackingStore::shared(8).unwrap();
    let mut heap = calm_heap();
    let array = view(&mut heap, ElementKind::Int32, &store);
    let begin = |timeout| begin(&heap, array, timeout);
    let (first, dropped, second) = (begin(f64::NAN), begin(f64::INFINITY), begin(1e9));
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut heap = calm_heap();
            let array = view(&mut heap, ElementKind::Int32, &store);
            atomics::wait(&heap, array, 0, number(0), f64::INFINITY)
        });
        until_waiting(&heap, array, 4);
        drop(dropped);
        assert_eq!(atomics::notify(&heap, array, 0, 1.0), Ok(1));
        assert_eq!((first.poll(), second.poll()), (Some(WaitOutcome::Ok), None));
        assert_eq!(atomics::notify(&heap, array, 0, f64::INFINITY), Ok(2));
        assert_eq!(thread.join().unwrap(), Ok(WaitOutcome::Ok));
        assert_eq!(second.poll(), Some(WaitOutcome::Ok));
    });
    let late = begin(1.0);
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(atomics::notify(&heap, array, 0, f64::INFINITY), Ok(0));
    assert_eq!(late.poll(), Some(WaitOutcome::TimedOut));
    let ended = atomics::wait_async(&heap, array, 0, number(0), -1.0).unwrap();
    assert!(matches!(ended, WaitStart::Ended(WaitOutcome::TimedOut)));
}

#[test]
fn a_growable_buffer_is_seen_to_grow_by_all() {
    let store = BackingStore::shared(Layout::new(4).max(64)).unwrap();
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut heap = calm_heap();
            let array = view(&mut heap, ElementKind::Int32, &store);
            barrier.wait();
            while array.length(&heap) < 16 {
                std::hint::spin_loop();
            }
            assert_eq!(array.get(&heap, 15), Some(number(7)));
        });
        let mut heap = calm_heap();
        let array = view(&mut heap, ElementKind::Int32, &store);
        barrier.wait();
        store.grow(63).unwrap();
        store.copy_from(60, &[7, 0, 0]).unwrap();
        store.grow(64).unwrap();
        assert_eq!(array.length(&heap), 16);
    });
}

/// A waker that counts, and panics if told so.
struct Counter {
    calls: AtomicUsize,
    panics: bool,
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "a waker panics");
    }
}

#[test]
fn tasks_are_woken_in_order_and_all_of_them() {
    let store = BackingStore::shared(8).unwrap();
    let mut heap = calm_heap();
    let array = view(&mut heap, ElementKind::Int32, &store);
    let begin = |timeout| begin(&heap, array, timeout);
    let poll = |ticket: &mut Ticket, counter: &Arc<Counter>| {
        Pin::new(ticket).poll(&mut Context::from_waker(&Waker::from(Arc::clone(counter))))
    };
    let counters: [Arc<Counter>; 3] =
        std::array::from_fn(|n| Arc::new(Counter { calls: AtomicUsize::new(0), panics: n == 0 }));
    let calls = || counters.each_ref().map(|counter| counter.calls.load(Ordering::SeqCst));
    let mut tickets = [begin(f64::INFINITY), begin(f64::INFINITY), begin(f64::INFINITY)];
    for (ticket, counter) in tickets.iter_mut().zip(&counters) {
        assert_eq!(poll(ticket, counter), Poll::Pending);
        assert_eq!(poll(ticket, counter), Poll::Pending, "the waker of the last poll counts, once");
    }
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| atomics::notify(&heap, array, 0, 2.0)));
    assert!(outcome.is_err(), "what a waker panics with goes on");
    assert_eq!(calls(), [1, 1, 0], "the others are woken all the same");
    let outcomes = [0, 1, 2].map(|n| poll(&mut tickets[n], &counters[n]));
    assert_eq!(outcomes, [Poll::Ready(WaitOutcome::Ok), Poll::Ready(WaitOutcome::Ok), Poll::Pending]);
    // A task that is dropped waits no more, and a late one is not notified.
    let [_, _, last] = tickets;
    drop(last);
    // Longer than a busy machine, or Miri, may take to come to the poll.
    let mut late = begin(500.0);
    assert_eq!(poll(&mut late, &counters[2]), Poll::Pending);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(atomics::notify(&heap, array, 0, f64::INFINITY), Ok(0));
    assert_eq!((poll(&mut late, &counters[2]), calls()), (Poll::Ready(WaitOutcome::TimedOut), [1, 1, 0]));
}

#[test]
fn late_ones_in_front_are_passed_over() {
    let store = BackingStore::shared(8).unwrap();
    let mut heap = calm_heap();
    let array = view(&mut heap, ElementKind::Int32, &store);
    let begin = |timeout| begin(&heap, array, timeout);
    let tickets = [1.0, f64::INFINITY, 1.0, f64::INFINITY].map(begin);
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(atomics::notify(&heap, array, 0, 1.0), Ok(1));
    let now = || tickets.each_ref().map(Ticket::poll);
    let late = Some(WaitOutcome::TimedOut);
    assert_eq!(now(), [late, Some(WaitOutcome::Ok), late, None]);
    assert_eq!(atomics::notify(&heap, array, 0, 0.9), Ok(0), "as an integer, that is none");
    assert_eq!(atomics::notify(&heap, array, 0, f64::NAN), Ok(0));
    assert_eq!(atomics::notify(&heap, array, 0, 9.0), Ok(1));
    assert_eq!(now()[3], Some(WaitOutcome::Ok));
}

#[test]
fn an_element_that_was_validated_once_is_operated_on_by_threads() {
    let store = BackingStore::shared(16).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut heap = calm_heap();
                let array = view(&mut heap, ElementKind::Int32, &store);
                let cell = atomics::int32(&heap, array, 3).unwrap();
                (0..scaled(10_000, 50)).for_each(|_| _ = cell.fetch_sub(1, Ordering::Relaxed));
            });
        }
    });
    let mut heap = calm_heap();
    let array = view(&mut heap, ElementKind::Int32, &store);
    assert_eq!(array.get_as::<i32>(&heap, 3), Some(-2 * i32::try_from(scaled(10_000, 50)).unwrap()));
    assert!(matches!(atomics::int32(&heap, array, 4), Err(Error::Range { offset: 4, available: 4, .. })));
    assert!(matches!(atomics::uint32(&heap, array, 0), Err(Error::ViewKind { .. })));
    let plain = TypedArray::with_length(&mut heap, ElementKind::Int32, 1).unwrap();
    assert!(matches!(atomics::int32(&heap, plain, 0), Err(Error::NotShared { .. })));
}
