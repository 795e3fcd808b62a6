//! Panics out of every callback that has to do with buffers: each reaches who caused it, and leaves heap, store and accounts in
//! order.

use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tumulus_arraybuffer::{Allocator, ArrayBuffer, BackingStore, DetachKey, Layout, SystemAllocator, release};
use tumulus_heap::Heap;
use tumulus_testing::{AccountingAllocator, assert_external_bytes, assert_released};
use tumulus_tests::{calm_heap, expect_sound, panic_words};

/// A store whose deleter panics, after it has freed the bytes.
fn explosive() -> BackingStore {
    release::set_mode(release::Mode::Inline);
    let bytes = Box::into_raw(Box::new([7_u8; 117]));
    let free = |data: *mut u8, _: usize, (): ()| {
        // SAFETY: the box that was taken apart above.
        drop(unsafe { Box::from_raw(data.cast::<[u8; 117]>()) });
        panic!("a deleter");
    };
    // SAFETY: the box was leaked, and is put together again by the deleter.
    unsafe { BackingStore::from_raw(bytes.cast(), 117, free, ()) }.unwrap()
}

#[test]
fn a_deleter_panics_into_whoever_lets_go() {
    let lets_go: [fn(&mut Heap, ArrayBuffer); 4] = [
        |heap, buffer| buffer.detach(heap, DetachKey::Undefined).unwrap(),
        |heap, _| heap.collect(&()),
        |heap, _| heap.collect_minor(&()),
        |heap, _| drop(std::mem::replace(heap, calm_heap())),
    ];
    for let_go in lets_go {
        let mut heap = calm_heap();
        let store = explosive();
        let id = store.id();
        let buffer = ArrayBuffer::from_store(&mut heap, store).unwrap();
        assert_eq!(panic_words(|| let_go(&mut heap, buffer)), "a deleter");
        expect_sound(&heap);
        assert_external_bytes(&heap, 0);
        assert_released(id);
        let again = ArrayBuffer::new(&mut heap, 117).unwrap();
        heap.collect(&again);
        assert_external_bytes(&heap, 117);
    }
    let store = explosive();
    assert_eq!(panic_words(|| drop(store)), "a deleter");
}

#[test]
fn several_deleters_panic_in_one_collection() {
    let mut heap = calm_heap();
    let stores: Vec<_> = (0..10).map(|_| explosive()).collect();
    let ids: Vec<_> = stores.iter().map(BackingStore::id).collect();
    for store in stores {
        ArrayBuffer::from_store(&mut heap, store).unwrap();
    }
    assert_eq!(panic_words(|| heap.collect(&())), "a deleter");
    heap.collect(&());
    for id in ids {
        assert_released(id);
    }
    assert_external_bytes(&heap, 0);
    expect_sound(&heap);
}

/// Panics when it is told to.
struct Moody {
    inner: AccountingAllocator,
    panics: AtomicBool,
}

// SAFETY: what it gives is the inner one's.
unsafe impl Allocator for Moody {
    fn allocate(&self, bytes: usize) -> Option<NonNull<u8>> {
        assert!(!self.panics.load(Ordering::Relaxed), "allocate");
        self.inner.allocate(bytes)
    }

    unsafe fn free(&self, data: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.inner.free(data, bytes) }
        assert!(!self.panics.load(Ordering::Relaxed), "free");
    }
}

#[test]
fn an_allocator_panics() {
    release::set_mode(release::Mode::Inline);
    let moody = Arc::new(Moody { inner: AccountingAllocator::new(), panics: AtomicBool::new(true) });
    let layout = Layout::new(117).allocator(&moody);
    let mut heap = calm_heap();
    assert_eq!(panic_words(|| ArrayBuffer::new(&mut heap, layout.clone())), "allocate");
    assert_eq!(panic_words(|| ArrayBuffer::new_or_collect(&mut heap, &(), layout.clone())), "allocate");
    assert_external_bytes(&heap, 0);
    expect_sound(&heap);

    moody.panics.store(false, Ordering::Relaxed);
    let buffer = ArrayBuffer::new(&mut heap, layout).unwrap();
    moody.panics.store(true, Ordering::Relaxed);
    assert_eq!(panic_words(|| buffer.detach(&mut heap, DetachKey::Undefined)), "free");
    assert!(buffer.detached(&heap));
    assert_external_bytes(&heap, 0);
    moody.inner.assert_no_leaks();
    assert_eq!(SystemAllocator.max_bytes(), moody.inner.inner().max_bytes());
}

#[test]
fn who_reads_or_writes_panics() {
    let store = BackingStore::from_vec(vec![1, 2, 3]);
    assert_eq!(panic_words(|| store.with_bytes(|_| panic!("reader"))), "reader");
    let write = |bytes: &mut [u8]| {
        bytes[0] = 7;
        panic!("writer");
    };
    assert_eq!(panic_words(|| store.with_bytes_mut(write)), "writer");
    // Nobody has the bytes, and what was written is written.
    assert_eq!(store.with_bytes(<[u8]>::to_vec).unwrap(), [7, 2, 3]);
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::from_store(&mut heap, store).unwrap();
    assert_eq!(buffer.as_slice(&heap).unwrap(), [7, 2, 3]);
}

#[test]
fn who_is_asked_for_a_new_limit_panics() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 117).unwrap();
    heap.set_limit(1 << 20);
    heap.on_near_limit(|_| panic!("limit"));
    assert_eq!(panic_words(|| ArrayBuffer::new(&mut heap, 2 << 20)), "limit");
    assert_external_bytes(&heap, 117);
    expect_sound(&heap);
    assert_eq!(buffer.as_slice(&heap).unwrap(), [0; 117]);
}

#[test]
fn who_is_told_of_a_collection_panics() {
    let mut heap = calm_heap();
    let panics = Rc::new(Cell::new(true));
    let told = Rc::clone(&panics);
    heap.on_event(move |_| assert!(!told.get(), "event"));
    let (dead, kept) = (ArrayBuffer::new(&mut heap, 100).unwrap(), ArrayBuffer::new(&mut heap, 17).unwrap());
    assert_eq!(panic_words(|| heap.collect(&kept)), "event");
    panics.set(false);
    heap.collect(&kept);
    expect_sound(&heap);
    assert!(!heap.contains(dead.erase()));
    assert_external_bytes(&heap, 17);
}
