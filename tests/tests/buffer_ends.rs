//! Where threads and stores end: what they hold goes back once, to whoever comes next, and to no account but its own.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tumulus_arraybuffer::atomics::{self, WaitOutcome, WaitStart};
use tumulus_arraybuffer::{
    ArrayBuffer, BackingStore, Element, ElementKind, Layout, SharedArrayBuffer, TypedArray, registry,
};
use tumulus_heap::Heap;
use tumulus_tests::calm_heap;

thread_local! {
    static EARLY: RefCell<Vec<BackingStore>> = const { RefCell::new(Vec::new()) };
    static LATE: RefCell<Vec<BackingStore>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn stores_in_thread_locals_end_with_the_thread() {
    let ids = Arc::new(Mutex::new(Vec::new()));
    for round in 0..if cfg!(miri) { 3 } else { 50 } {
        let ids = Arc::clone(&ids);
        std::thread::spawn(move || {
            // One is registered before what the library keeps for the thread, the other after it.
            EARLY.with_borrow_mut(|all| all.reserve(1));
            let make = || {
                let store = BackingStore::new(100 + round).unwrap();
                ids.lock().unwrap().push(store.id());
                store.with_bytes_mut(|bytes| bytes.fill(7)).unwrap();
                store
            };
            EARLY.with_borrow_mut(|all| all.extend((0..100).map(|_| make())));
            LATE.with_borrow_mut(|all| all.extend((0..100).map(|_| make())));
        })
        .join()
        .unwrap();
    }
    let ids: BTreeSet<u64> = ids.lock().unwrap().iter().copied().collect();
    assert!(registry::entries().iter().all(|entry| !ids.contains(&entry.id)));
    // All of what they had is there once.
    let stores: Vec<_> = (0..1000).map(|_| BackingStore::new(100).unwrap()).collect();
    let addresses: BTreeSet<_> = stores.iter().map(BackingStore::data).collect();
    assert_eq!(addresses.len(), stores.len());
    assert!(stores.iter().all(|store| store.with_bytes(|bytes| bytes.iter().all(|&byte| byte == 0)).unwrap()));
}

#[test]
fn nothing_is_paid_for_by_a_heap_that_never_had_it() {
    let mut first = calm_heap();
    let shared = SharedArrayBuffer::new(&mut first, Layout::new(0).max(1000)).unwrap();
    let store = shared.backing_store(&first);
    let mut second = calm_heap();
    let other = SharedArrayBuffer::from_store(&mut second, store.clone()).unwrap();
    drop(first);
    let others: Vec<Heap> = (0..8).map(|_| calm_heap()).collect();
    other.grow(&mut second, 1000).unwrap();
    assert_eq!(others.iter().map(|heap| heap.external_bytes().get()).sum::<usize>(), 0);
    assert_eq!(second.external_bytes().get(), 1000);
}

/// Re-enters the lists and drops a ticket when it is woken.
struct Reenters {
    ticket: Mutex<Option<atomics::Ticket>>,
    woken: AtomicUsize,
    panics: bool,
}

impl Wake for Reenters {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        drop(self.ticket.lock().unwrap().take());
        assert!(!self.panics, "a waker");
    }
}

fn ticket(heap: &Heap, array: TypedArray, timeout: f64) -> atomics::Ticket {
    match atomics::wait_async(heap, array, 0, Element::Number(0.0), timeout).unwrap() {
        WaitStart::Waits(ticket) => ticket,
        WaitStart::Ended(_) => unreachable!(),
    }
}

#[test]
fn wakers_that_drop_tickets_and_panic() {
    let mut heap = calm_heap();
    let buffer = SharedArrayBuffer::new(&mut heap, 8).unwrap();
    let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None).unwrap();
    let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(ticket(&heap, array, f64::INFINITY))).collect();
    let wakers: Vec<_> = (0..4)
        .map(|n| {
            Arc::new(Reenters {
                ticket: Mutex::new(Some(ticket(&heap, array, f64::INFINITY))),
                woken: AtomicUsize::new(0),
                panics: n % 2 == 0,
            })
        })
        .collect();
    for (task, waker) in waiting.iter_mut().zip(&wakers) {
        let waker = Waker::from(Arc::clone(waker));
        assert_eq!(task.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    }
    assert_eq!(atomics::waiters(&heap, array, 0).unwrap(), 8);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| atomics::notify(&heap, array, 0, 4.0)));
    assert!(caught.is_err());
    assert!(wakers.iter().all(|waker| waker.woken.load(Ordering::SeqCst) == 1 && Arc::strong_count(waker) == 1));
    assert_eq!(atomics::waiters(&heap, array, 0).unwrap(), 0);
    for task in &mut waiting {
        assert_eq!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(WaitOutcome::Ok));
        assert_eq!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(WaitOutcome::Ok));
    }
}

#[test]
fn tickets_outlive_heap_and_time_on_another_thread() {
    let mut heap = calm_heap();
    let buffer = SharedArrayBuffer::new(&mut heap, 8).unwrap();
    let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None).unwrap();
    let (late, early) = (ticket(&heap, array, 1.0), ticket(&heap, array, f64::INFINITY));
    let id = buffer.backing_store(&heap).id();
    drop(heap);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(late.poll(), Some(WaitOutcome::TimedOut));
        assert_eq!(late.poll(), Some(WaitOutcome::TimedOut));
        drop(late);
        assert_eq!(early.poll(), None);
        assert!(registry::entries().iter().any(|entry| entry.id == id));
    })
    .join()
    .unwrap();
    assert!(registry::entries().iter().all(|entry| entry.id != id));
}

#[test]
fn roots_are_listed_while_stores_end() {
    let stop = Arc::new(AtomicBool::new(false));
    let worker = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            let mut heap = calm_heap();
            let mut kept = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                for bytes in [1, 64, 40_000] {
                    let buffer = ArrayBuffer::new(&mut heap, bytes).unwrap();
                    kept.push(buffer.externalize(&mut heap));
                }
                if kept.len() > 60 {
                    kept.clear();
                    heap.collect(&());
                }
                let here = heap.external_roots();
                assert!(here.iter().all(|root| root.place.file() == file!()));
            }
        })
    };
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 117).unwrap();
    let held = buffer.externalize(&mut heap);
    for _ in 0..if cfg!(miri) { 5 } else { 2000 } {
        let roots = heap.external_roots();
        assert_eq!((roots.len(), roots[0].identity, roots[0].bytes), (1, held.id(), 117));
    }
    stop.store(true, Ordering::Relaxed);
    worker.join().unwrap();
}
