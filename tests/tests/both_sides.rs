//! Bytes are written on one side and seen on the other: by buffers, views, holders outside, heaps and threads.

use std::thread;
use tumulus_arraybuffer::{ArrayBuffer, DetachKey, Element, ElementKind, Endian, SharedArrayBuffer, TypedArray};
use tumulus_heap::Heap;
use tumulus_testing::{ManuallyExternalizedBuffer, zeal};
use tumulus_tests::calm_heap;

#[test]
fn what_the_heap_writes_is_seen_outside_and_back() {
    zeal::for_each_mode(|heap| {
        let buffer = ArrayBuffer::new(heap, 16).unwrap();
        let external = ManuallyExternalizedBuffer::new(heap, buffer);
        let view = TypedArray::new(heap, ElementKind::Uint32, buffer, 4, Some(2)).unwrap();
        for round in 0..20_u32 {
            view.set(heap, 0, Element::Number(f64::from(0x0102_0300 + round))).unwrap();
            heap.safepoint(&view);
            external
                .with_bytes_mut(heap, |bytes| {
                    assert_eq!(bytes[4..8], (0x0102_0300 + round).to_ne_bytes());
                    bytes[8..12].copy_from_slice(&(round * 1000).to_ne_bytes());
                })
                .unwrap();
            heap.safepoint(&view);
            assert_eq!(view.get(heap, 1), Some(Element::Number(f64::from(round * 1000))));
        }
    });
}

#[test]
fn two_buffers_of_a_store_are_two_sides() {
    let mut heap = calm_heap();
    let one = ArrayBuffer::new(&mut heap, 100).unwrap();
    let store = one.backing_store(&heap);
    let two = ArrayBuffer::from_store(&mut heap, store).unwrap();
    one.as_mut_slice(&mut heap).unwrap()[99] = 7;
    assert_eq!(two.as_slice(&heap).unwrap()[99], 7);
    two.as_mut_slice(&mut heap).unwrap()[0] = 8;
    one.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert_eq!(two.as_slice(&heap).unwrap()[0], 8);
}

#[test]
fn plain_bytes_go_from_heap_to_thread_to_heap() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 4).unwrap();
    let store = buffer.externalize(&mut heap);
    for round in 1..=10 {
        let buffer = ArrayBuffer::from_store(&mut heap, store.clone()).unwrap();
        buffer.as_mut_slice(&mut heap).unwrap()[0] += 1;
        heap.collect(&());
        let theirs = store.clone();
        let work = move || {
            let mut heap = Heap::new();
            let buffer = ArrayBuffer::from_store(&mut heap, theirs).unwrap();
            buffer.as_mut_slice(&mut heap).unwrap()[0] += 1;
        };
        thread::spawn(work).join().unwrap();
        assert_eq!(store.with_bytes(|bytes| bytes[0]).unwrap(), 2 * round);
    }
}

#[test]
fn shared_bytes_are_seen_by_heaps_on_other_threads() {
    let mut heap = calm_heap();
    let buffer = SharedArrayBuffer::new(&mut heap, 64).unwrap();
    let store = buffer.externalize(&mut heap);
    let view = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None).unwrap();
    thread::scope(|scope| {
        for part in 0..8_u64 {
            let store = store.clone();
            scope.spawn(move || {
                let mut heap = Heap::new();
                let buffer = SharedArrayBuffer::from_store(&mut heap, store).unwrap();
                let mine = TypedArray::new(&mut heap, ElementKind::Int32, buffer, part * 8, Some(2)).unwrap();
                mine.set(&mut heap, 1, Element::Number(part as f64 + 1.0)).unwrap();
                heap.collect(&());
            });
        }
    });
    for part in 0..8_u32 {
        let at = part as usize * 2;
        assert_eq!(view.get(&heap, at), Some(Element::Number(0.0)));
        assert_eq!(view.get(&heap, at + 1), Some(Element::Number(f64::from(part + 1))));
    }
}

#[test]
fn a_view_of_either_endian_writes_the_bytes_that_are_seen() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 8).unwrap();
    let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    let view = tumulus_arraybuffer::DataView::new(&mut heap, buffer, 0, None).unwrap();
    view.set(&mut heap, ElementKind::Uint32, 0, Element::Number(1.0), Endian::Little).unwrap();
    view.set(&mut heap, ElementKind::Uint32, 4, Element::Number(1.0), Endian::Big).unwrap();
    external.with_bytes(&mut heap, |bytes| assert_eq!(bytes, [1, 0, 0, 0, 0, 0, 0, 1])).unwrap();
}
