//! External bytes are accounted for exactly: what goes in comes out, once for each store, on the heap that pays for it.

use tumulus_arraybuffer::{
    ArrayBuffer, BackingStore, DetachKey, Layout, LinearMemory, PAGE_BYTES, Parcel, SharedArrayBuffer,
};
use tumulus_testing::{ManuallyExternalizedBuffer, assert_external_bytes, zeal};
use tumulus_tests::calm_heap;

#[test]
fn what_goes_in_comes_out() {
    zeal::for_each_mode(|heap| {
        for bytes in [117, 0, 1, 31, 32_769] {
            let buffer = ArrayBuffer::new(heap, bytes).unwrap();
            assert_external_bytes(heap, bytes as usize);
            heap.collect(&buffer);
            assert_external_bytes(heap, bytes as usize);
            heap.collect(&());
            assert_external_bytes(heap, 0);
        }
    });
}

#[test]
fn a_store_counts_once() {
    let mut heap = calm_heap();
    let store = BackingStore::from_vec(vec![0; 117]);
    assert_external_bytes(&heap, 0);
    let buffers: Vec<_> = (0..10).map(|_| ArrayBuffer::from_store(&mut heap, store.clone()).unwrap()).collect();
    assert_external_bytes(&heap, 117);
    for buffer in &buffers[1..] {
        buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
        assert_external_bytes(&heap, 117);
    }
    buffers[0].detach(&mut heap, DetachKey::Undefined).unwrap();
    // It lives, and is nobody's in this heap.
    assert_external_bytes(&heap, 0);
    assert_eq!(store.byte_length(), 117);
}

#[test]
fn a_length_that_changes_is_followed() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, Layout::new(117).max(1 << 20)).unwrap();
    for bytes in [1 << 20, 0, 117, 118, 116] {
        buffer.resize(&mut heap, bytes).unwrap();
        assert_external_bytes(&heap, bytes as usize);
    }
    heap.collect(&());
    let shared = SharedArrayBuffer::new(&mut heap, Layout::new(117).max(1000)).unwrap();
    let store = shared.backing_store(&heap);
    std::thread::spawn(move || store.grow(1000).unwrap()).join().unwrap();
    assert_external_bytes(&heap, 1000);
    heap.collect(&());
    let mut memory = LinearMemory::new(&mut heap, 1, Some(3)).unwrap();
    for pages in [1, 1, 2, 3] {
        let more = pages - memory.pages(&heap);
        memory.grow(&mut heap, more).unwrap();
        heap.collect(&memory);
        assert_external_bytes(&heap, (pages * PAGE_BYTES) as usize);
    }
    heap.collect(&());
    assert_external_bytes(&heap, 0);
}

#[test]
fn who_holds_from_outside_changes_nothing() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 117).unwrap();
    let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    assert_external_bytes(&heap, 117);
    let store = external.store().clone();
    drop(external);
    heap.collect(&());
    assert_external_bytes(&heap, 0);
    let again = ArrayBuffer::from_store(&mut heap, store).unwrap();
    assert_external_bytes(&heap, 117);
    heap.collect(&again);
    assert_external_bytes(&heap, 117);
}

#[test]
fn bytes_that_move_take_their_account_along() {
    let (mut from, mut to) = (calm_heap(), calm_heap());
    let buffer = ArrayBuffer::new(&mut from, 117).unwrap();
    let mut parcel = Parcel::new();
    parcel.transfer(&mut from, buffer).unwrap();
    assert_external_bytes(&from, 0);
    parcel.unpack(&mut to).unwrap();
    assert_external_bytes(&to, 117);
    to.collect(&());
    assert_external_bytes(&to, 0);
}
