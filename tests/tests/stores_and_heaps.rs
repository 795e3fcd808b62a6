//! Stores outlive heaps, heaps come and go by the hundred, and several threads let go of the same bytes at once.

use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::thread;
use tumulus_arraybuffer::{ArrayBuffer, BackingStore, DetachKey, SharedArrayBuffer, release};
use tumulus_heap::Heap;
use tumulus_testing::{DeleterProbe, assert_external_bytes, assert_released};
use tumulus_tests::{calm_heap, scaled};

#[test]
fn a_store_outlives_all_heaps_that_had_it() {
    let probe = DeleterProbe::expect_once();
    let store = probe.store(vec![0; 8]);
    for round in 0..scaled(100, 5) {
        let mut heap = Heap::new();
        let buffer = ArrayBuffer::from_store(&mut heap, store.clone()).unwrap();
        let bytes = buffer.as_mut_slice(&mut heap).unwrap();
        assert_eq!(bytes[0], round as u8);
        bytes[0] += 1;
        assert_eq!((store.holders(), store.buffers()), (1, 1));
        drop(heap);
        assert_eq!(store.use_count(), 1);
    }
    assert_eq!(probe.count(), 0);
    drop(store);
    assert_eq!(probe.count(), 1);
}

#[test]
fn a_hundred_heaps_at_once_share_a_store_and_have_their_own() {
    let count = scaled(100, 8);
    let probe = DeleterProbe::expect_times(count);
    let shared = BackingStore::shared(8 * count as u64).unwrap();
    let id = shared.id();
    let mut heaps: Vec<(Heap, ArrayBuffer)> = (0..count)
        .map(|n| {
            let mut heap = calm_heap();
            let own = ArrayBuffer::from_store(&mut heap, probe.store(vec![n as u8; 117])).unwrap();
            let all = SharedArrayBuffer::from_store(&mut heap, shared.clone()).unwrap();
            all.backing_store(&heap).copy_from(8 * n, &[n as u8; 8]).unwrap();
            heap.collect(&(own, all));
            (heap, own)
        })
        .collect();
    assert_eq!((shared.holders(), shared.buffers()), (1, count));
    // The shared bytes are paid for once: by the heap that had them first.
    let paid: usize = heaps.iter().map(|(heap, _)| heap.statistics().external_bytes).sum();
    assert_eq!(paid, 117 * count + 8 * count);
    for (n, (heap, own)) in heaps.iter().enumerate() {
        assert_eq!(own.as_slice(heap).unwrap(), [n as u8; 117]);
    }

    // In an order that is not the one in which they were made.
    while !heaps.is_empty() {
        let at = heaps.len() * 7 % heaps.len().max(1) + heaps.len() / 2;
        let (mut heap, own) = heaps.swap_remove(at.min(heaps.len() - 1));
        own.detach(&mut heap, DetachKey::Undefined).unwrap();
        heap.collect(&());
        assert_eq!(shared.buffers(), heaps.len());
    }
    let mut bytes = vec![0; 8 * count];
    shared.copy_to(0, &mut bytes).unwrap();
    assert!(bytes.chunks(8).enumerate().all(|(n, chunk)| chunk == [n as u8; 8]));
    drop(shared);
    assert_released(id);
}

#[test]
fn heaps_on_threads_share_a_store_and_the_last_one_frees_it() {
    let threads = 4;
    let shared = BackingStore::shared(64).unwrap();
    let id = shared.id();
    let meet = Arc::new(Barrier::new(threads));
    let workers: Vec<_> = (0..threads)
        .map(|n| {
            let (store, meet) = (shared.clone(), Arc::clone(&meet));
            thread::spawn(move || {
                let mut heap = calm_heap();
                meet.wait();
                for round in 0..scaled(200, 5) {
                    let buffer = SharedArrayBuffer::from_store(&mut heap, store.clone()).unwrap();
                    buffer.backing_store(&heap).copy_from(8 * n, &[round as u8; 8]).unwrap();
                    heap.collect_minor(&());
                }
                drop(store);
                heap.collect(&());
                // The heap that pays for the bytes does so until no heap has them.
                meet.wait();
                assert_external_bytes(&heap, 0);
            })
        })
        .collect();
    drop(shared);
    for worker in workers {
        worker.join().unwrap();
    }
    assert_released(id);
}

#[test]
fn a_holder_that_goes_while_the_buffer_is_detached_frees_once() {
    for round in 0..scaled(300, 10) {
        let probe = DeleterProbe::expect_once();
        let mut heap = calm_heap();
        let store = probe.store(vec![1; 100]);
        let buffer = ArrayBuffer::from_store(&mut heap, store.clone()).unwrap();
        let meet = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                meet.wait();
                drop(store);
            });
            meet.wait();
            match round % 3 {
                0 => buffer.detach(&mut heap, DetachKey::Undefined).unwrap(),
                1 => heap.collect(&()),
                _ => drop(heap),
            }
        });
        probe.verify();
    }
}

#[test]
#[cfg_attr(miri, ignore = "what dead buffers leave is released by the collection itself there")]
fn a_buffer_can_be_detached_while_the_releaser_is_at_work() {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let slow = move |_: *mut u8, _: usize, (): ()| {
        begun.send(thread::current().id()).unwrap();
        may_go_on.recv().unwrap();
    };
    let bytes: &'static mut [u8] = Box::leak(Box::new([0_u8; 16]));
    // SAFETY: the bytes are there for ever, and nobody else has them.
    let store = unsafe { BackingStore::from_raw(bytes.as_mut_ptr(), 16, slow, ()) }.unwrap();
    let id = store.id();
    let mut heap = calm_heap();
    ArrayBuffer::from_store(&mut heap, store).unwrap();
    heap.collect(&());
    assert_ne!(has_begun.recv().unwrap(), thread::current().id());

    // The releaser is in the midst of a deleter. Nothing else has to wait for it.
    let probe = DeleterProbe::expect_times(2);
    let one = ArrayBuffer::from_store(&mut heap, probe.store(vec![1; 117])).unwrap();
    let two = ArrayBuffer::from_store(&mut heap, probe.store(vec![2; 117])).unwrap();
    assert_external_bytes(&heap, 234);
    one.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert_eq!((probe.count(), probe.calls()[0].thread), (1, thread::current().id()));
    heap.collect(&());
    assert!(!heap.contains(two.erase()));
    assert_external_bytes(&heap, 0);
    assert_eq!(probe.count(), 1, "it comes after the one that is slow");

    go_on.send(()).unwrap();
    release::flush();
    assert_released(id);
    probe.verify();
    assert_ne!(probe.calls()[1].thread, thread::current().id());
}
