//! What the language says of buffers: the order of checks, errors, and what becomes of the bytes.

use tumulus_arraybuffer::{
    ArrayBuffer, BackingStore, Buffer, DetachKey, Error, ErrorKind, Layout, LinearMemory, PAGE_BYTES, Parcel,
    SharedArrayBuffer,
};
use tumulus_heap::Heap;
use tumulus_tests::{calm_heap, scaled};

fn filled(heap: &mut Heap, bytes: &[u8]) -> ArrayBuffer {
    ArrayBuffer::from_store(heap, BackingStore::from_vec(bytes.to_vec())).unwrap()
}

fn resizable(heap: &mut Heap, length: u64, max: u64) -> ArrayBuffer {
    ArrayBuffer::new(heap, Layout::new(length).max(max)).unwrap()
}

#[test]
fn detaching_asks_in_order() {
    let mut heap = calm_heap();
    let key = DetachKey::Number(1);
    let buffer = filled(&mut heap, &[1]);
    buffer.set_detach_key(&mut heap, key);
    buffer.forbid_detaching(&mut heap);
    assert_eq!(buffer.detach(&mut heap, DetachKey::Undefined), Err(Error::DetachKey));
    assert_eq!(buffer.detach(&mut heap, key), Err(Error::NotDetachable { operation: "detach" }));
    assert!(!buffer.is_detachable(&heap));
    buffer.allow_detaching(&mut heap);
    assert_eq!(buffer.detach(&mut heap, key), Ok(()));
    // The key comes first on a detached one, too; then that it is detached is no error.
    assert_eq!(buffer.detach(&mut heap, DetachKey::Undefined), Err(Error::DetachKey));
    buffer.forbid_detaching(&mut heap);
    assert_eq!(buffer.detach(&mut heap, key), Ok(()));
    assert!(buffer.detached(&heap) && buffer.byte_length(&heap) == 0 && buffer.max_byte_length(&heap) == 0);
}

#[test]
fn lengths_that_cannot_be_are_range_errors() {
    let mut heap = calm_heap();
    let lengths = [(1 << 53) - 1, 1 << 53, 1 << 62, u64::MAX];
    for length in lengths {
        let errors = [
            ArrayBuffer::new(&mut heap, length).unwrap_err(),
            SharedArrayBuffer::new(&mut heap, length).unwrap_err(),
            BackingStore::new(length).unwrap_err(),
            ArrayBuffer::new(&mut heap, Layout::new(0).max(length)).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::RangeError, "{error}");
            assert!(error.to_string().contains(&length.to_string()), "{error}");
        }
    }
    let error = ArrayBuffer::new(&mut heap, Layout::new(5).max(4)).unwrap_err();
    assert!(matches!(error, Error::Length { requested: 5, max: 4, .. }));
    assert_eq!(heap.statistics().external_bytes, 0);
}

#[test]
fn resizing_zeroes_keeps_and_does_not_move() {
    let mut heap = calm_heap();
    for max in [100, 30_000, scaled(300_000, 60_000) as u64] {
        let buffer = resizable(&mut heap, max, max);
        let address = buffer.backing_store(&heap).data();
        buffer.as_mut_slice(&mut heap).unwrap().fill(7);
        for length in [max / 2, 3, 0, max / 3, max] {
            buffer.resize(&mut heap, length).unwrap();
            assert_eq!(buffer.byte_length(&heap) as u64, length);
            if length > 0 {
                assert_eq!(buffer.backing_store(&heap).data(), address);
            }
        }
        assert!(buffer.as_slice(&heap).unwrap().iter().all(|&byte| byte == 0));
        let error = buffer.resize(&mut heap, max + 1).unwrap_err();
        assert_eq!(error, Error::Length { operation: "resize", requested: max + 1, max });
        buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
        assert_eq!(buffer.resize(&mut heap, 0), Err(Error::Detached { operation: "resize" }));
    }
    let fixed = filled(&mut heap, &[1]);
    assert!(matches!(fixed.resize(&mut heap, 1), Err(Error::NotResizable { byte_length: 1, .. })));
}

#[test]
fn what_a_length_comes_to_include_is_zero_whatever_the_bytes_before_are() {
    let mut heap = calm_heap();
    for max in [100, scaled(100_000, 33_000) as u64] {
        // What a store that is gone has left.
        let dirty = BackingStore::new(max).unwrap();
        dirty.with_bytes_mut(|bytes| bytes.fill(0xaa)).unwrap();
        drop(dirty);
        let layout = Layout::new(4).max(max).uninitialized();
        let plain = ArrayBuffer::new(&mut heap, layout.clone()).unwrap();
        plain.resize(&mut heap, max).unwrap();
        assert!(plain.as_slice(&heap).unwrap()[4..].iter().all(|&byte| byte == 0));
        plain.as_mut_slice(&mut heap).unwrap().fill(0xaa);
        plain.detach(&mut heap, DetachKey::Undefined).unwrap();
        let shared = SharedArrayBuffer::new(&mut heap, layout).unwrap();
        shared.grow(&mut heap, max).unwrap();
        let mut bytes = vec![1; max as usize - 4];
        shared.backing_store(&heap).copy_to(4, &mut bytes).unwrap();
        assert!(bytes.iter().all(|&byte| byte == 0));
    }
}

#[test]
fn a_transfer_of_the_same_length_moves_the_pointer() {
    let mut heap = calm_heap();
    let buffer = filled(&mut heap, &[1, 2, 3]);
    let address = buffer.as_slice(&heap).unwrap().as_ptr();
    let moved = buffer.transfer(&mut heap, None).unwrap();
    assert_eq!(moved.as_slice(&heap).unwrap().as_ptr(), address);
    assert_eq!(buffer.transfer(&mut heap, None), Err(Error::Detached { operation: "transfer" }));
    let longer = moved.transfer(&mut heap, Some(5)).unwrap();
    assert_eq!(longer.as_slice(&heap).unwrap(), [1, 2, 3, 0, 0]);
    let shorter = longer.transfer_to_fixed_length(&mut heap, Some(2)).unwrap();
    assert_eq!(shorter.as_slice(&heap).unwrap(), [1, 2]);
    assert_eq!(heap.statistics().external_bytes, 2);
}

#[test]
fn transfers_keep_resizability_where_they_should() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 4, 8);
    buffer.as_mut_slice(&mut heap).unwrap().fill(7);
    let error = buffer.transfer(&mut heap, Some(9)).unwrap_err();
    assert_eq!(error, Error::Length { operation: "transfer", requested: 9, max: 8 });
    let same = buffer.transfer(&mut heap, Some(6)).unwrap();
    assert_eq!((same.resizable(&heap), same.max_byte_length(&heap)), (true, 8));
    assert_eq!(same.as_slice(&heap).unwrap(), [7, 7, 7, 7, 0, 0]);
    let fixed = same.transfer_to_fixed_length(&mut heap, Some(100)).unwrap();
    assert_eq!((fixed.resizable(&heap), fixed.byte_length(&heap)), (false, 100));
}

#[test]
fn what_has_a_key_is_not_transferred_and_loses_nothing() {
    let mut heap = calm_heap();
    let buffer = filled(&mut heap, &[1, 2]);
    buffer.set_detach_key(&mut heap, DetachKey::Number(1));
    for result in [buffer.transfer(&mut heap, None), buffer.transfer_to_immutable(&mut heap, Some(1))] {
        assert!(matches!(result, Err(Error::NotDetachable { .. })));
    }
    assert!(Parcel::new().transfer(&mut heap, buffer).is_err());
    assert_eq!(buffer.as_slice(&heap).unwrap(), [1, 2]);
}

#[test]
fn immutable_buffers_cannot_be_changed_by_anybody() {
    let mut heap = calm_heap();
    let store = BackingStore::from_vec(vec![1, 2]);
    let buffer = ArrayBuffer::from_store(&mut heap, store.clone()).unwrap();
    let twin = ArrayBuffer::from_store(&mut heap, store).unwrap();
    let frozen = buffer.transfer_to_immutable(&mut heap, None).unwrap();
    twin.as_mut_slice(&mut heap).unwrap()[0] = 9;
    assert_eq!(frozen.as_slice(&heap).unwrap(), [1, 2], "its bytes were those of another buffer as well");
    let operations = [
        frozen.detach(&mut heap, DetachKey::Undefined).unwrap_err(),
        frozen.transfer(&mut heap, None).unwrap_err(),
        frozen.as_mut_slice(&mut heap).map(|_| ()).unwrap_err(),
    ];
    assert!(operations.iter().all(|error| matches!(error, Error::Immutable { .. })));
    let copy = frozen.slice(&mut heap, 0.0, None).unwrap();
    copy.as_mut_slice(&mut heap).unwrap()[0] = 5;
    assert_eq!(frozen.slice_to_immutable(&mut heap, 1.0, None).unwrap().as_slice(&heap).unwrap(), [2]);
}

#[test]
fn the_store_of_an_immutable_buffer_is_read_only_to_whoever_has_it() {
    let mut heap = calm_heap();
    let buffer = filled(&mut heap, &[1, 2]);
    let copied = buffer.slice_to_immutable(&mut heap, 0.0, None).unwrap();
    let longer = filled(&mut heap, &[1, 2]).transfer_to_immutable(&mut heap, Some(3)).unwrap();
    let moved = buffer.transfer_to_immutable(&mut heap, None).unwrap();
    let mut parcel = Parcel::new();
    parcel.copy(&heap, moved).unwrap();
    let Buffer::Plain(sent) = parcel.unpack(&mut heap).unwrap()[0] else { unreachable!() };
    for frozen in [copied, longer, moved, sent] {
        let store = frozen.backing_store(&heap);
        assert!(frozen.immutable(&heap) && store.is_read_only());
        let twin = ArrayBuffer::from_store(&mut heap, store).unwrap();
        assert!(matches!(twin.as_mut_slice(&mut heap), Err(Error::Immutable { .. })));
    }
}

#[test]
fn slices_take_relative_indices() {
    let mut heap = calm_heap();
    let buffer = filled(&mut heap, &[0, 1, 2, 3, 4]);
    let cases: [(f64, Option<f64>, &[u8]); 7] = [
        (0.0, None, &[0, 1, 2, 3, 4]),
        (-2.0, None, &[3, 4]),
        (1.0, Some(-1.0), &[1, 2, 3]),
        (f64::NEG_INFINITY, Some(1.9), &[0]),
        (f64::NAN, Some(f64::INFINITY), &[0, 1, 2, 3, 4]),
        (3.0, Some(1.0), &[]),
        (9e15, None, &[]),
    ];
    for (start, end, expected) in cases {
        let slice = buffer.slice(&mut heap, start, end).unwrap();
        assert_eq!(slice.as_slice(&heap).unwrap(), expected, "{start} {end:?}");
    }
}

#[test]
fn a_slice_looks_again_after_the_constructor() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 8, 8);
    buffer.as_mut_slice(&mut heap).unwrap().fill(7);
    let witness = buffer.begin_slice(&heap).unwrap();
    let range = witness.range(2.0, None);
    let target = ArrayBuffer::new(&mut heap, 6).unwrap();
    let copy = |heap: &mut Heap, target: Buffer| witness.copy(heap, range.clone(), target);

    assert!(matches!(copy(&mut heap, buffer.into()), Err(Error::SameBuffer { .. })));
    let short = ArrayBuffer::new(&mut heap, 5).unwrap();
    assert!(matches!(copy(&mut heap, short.into()), Err(Error::TooShort { needed: 6, byte_length: 5, .. })));
    let shared = SharedArrayBuffer::new(&mut heap, 6).unwrap();
    assert!(matches!(copy(&mut heap, shared.into()), Err(Error::IsShared { .. })));
    buffer.resize(&mut heap, 4).unwrap();
    copy(&mut heap, target.into()).unwrap();
    assert_eq!(target.as_slice(&heap).unwrap(), [7, 7, 0, 0, 0, 0]);
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert_eq!(copy(&mut heap, target.into()), Err(Error::Detached { operation: "slice" }));
}

#[test]
fn threads_that_grow_a_buffer_reach_each_length_once() {
    let store = BackingStore::growable(0, 1 << 20).unwrap();
    let steps = scaled(200, 5);
    let lengths: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10)
            .map(|_| {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    while mine.len() < steps {
                        let wanted = store.byte_length() + 8;
                        if store.grow(wanted) == Ok(true) {
                            mine.push(wanted);
                        }
                    }
                    mine
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut sorted = lengths.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), lengths.len());
    assert!(sorted.iter().all(|&length| length <= store.byte_length()));
    let mut last = [1];
    store.copy_to(store.byte_length() - 1, &mut last).unwrap();
    assert_eq!(last, [0]);
}

#[test]
fn shared_bytes_do_not_shrink() {
    let mut heap = calm_heap();
    let buffer = SharedArrayBuffer::new(&mut heap, Layout::new(10).max(20)).unwrap();
    assert_eq!(buffer.grow(&mut heap, 9), Err(Error::Shrink { requested: 9, current: 10 }));
    assert_eq!(
        buffer.grow(&mut heap, u64::MAX),
        Err(Error::Length { operation: "grow", requested: u64::MAX, max: 20 })
    );
    assert_eq!(buffer.grow(&mut heap, 10), Ok(()));
    let fixed = SharedArrayBuffer::new(&mut heap, 10).unwrap();
    assert!(matches!(fixed.grow(&mut heap, 10), Err(Error::NotResizable { .. })));
    assert_eq!(heap.statistics().external_bytes, 20);
}

#[test]
fn a_linear_memory_grows_in_place_and_detaches_its_buffers() {
    let mut heap = calm_heap();
    let mut memory = LinearMemory::new(&mut heap, 1, Some(4)).unwrap();
    let first = memory.buffer();
    first.as_mut_slice(&mut heap).unwrap()[10] = 7;
    assert!(matches!(first.detach(&mut heap, DetachKey::Undefined), Err(Error::DetachKey)));
    assert!(first.transfer(&mut heap, None).is_err());
    let address = first.backing_store(&heap).data();
    assert_eq!(memory.grow(&mut heap, 0), Ok(1));
    assert!(first.detached(&heap));
    assert_eq!(memory.grow(&mut heap, 3), Ok(1));
    assert_eq!(memory.buffer().backing_store(&heap).data(), address);
    assert_eq!(memory.buffer().as_slice(&heap).unwrap()[10], 7);
    assert_eq!(heap.statistics().external_bytes as u64, 4 * PAGE_BYTES);
    let (buffer, error) = (memory.buffer(), memory.grow(&mut heap, 1).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::RangeError);
    assert!(memory.grow(&mut heap, u64::MAX).is_err());
    assert_eq!(memory.buffer(), buffer);
    heap.collect(&memory);
    assert_eq!(memory.pages(&heap), 4);
    heap.collect(&());
    assert_eq!(heap.statistics().external_bytes, 0);

    let mut memory = LinearMemory::new(&mut heap, 1, Some(2)).unwrap();
    memory.buffer().set_detach_key(&mut heap, DetachKey::Undefined);
    memory.buffer().allow_detaching(&mut heap);
    memory.buffer().detach(&mut heap, DetachKey::Undefined).unwrap();
    assert!(matches!(memory.grow(&mut heap, 1), Err(Error::Detached { .. })), "who insists can break it");
}

#[test]
fn a_parcel_keeps_identity_and_moves_bytes_to_another_thread() {
    let mut heap = calm_heap();
    let moved = filled(&mut heap, &[1, 2, 3]);
    let copied = resizable(&mut heap, 2, 9);
    let shared = SharedArrayBuffer::new(&mut heap, 4).unwrap();
    let address = moved.as_slice(&heap).unwrap().as_ptr().addr();
    let mut parcel = Parcel::new();
    let slots =
        [parcel.transfer(&mut heap, moved).unwrap(), parcel.copy(&heap, copied).unwrap(), parcel.share(&heap, shared)];
    assert_eq!(parcel.share(&heap, shared), slots[2]);
    assert!(moved.detached(&heap) && parcel.copy(&heap, moved) == Ok(slots[0]));
    let arrived = std::thread::spawn(move || {
        let mut heap = calm_heap();
        let buffers = parcel.unpack(&mut heap).unwrap();
        let (Buffer::Plain(moved), Buffer::Plain(copied)) = (buffers[0], buffers[1]) else { panic!() };
        assert_eq!(moved.as_slice(&heap).unwrap().as_ptr().addr(), address);
        assert_eq!((copied.max_byte_length(&heap), buffers.len()), (9, 3));
        heap.statistics().external_bytes
    });
    // The shared bytes stay on the account of the heap that made them.
    assert_eq!(arrived.join().unwrap(), 5);
    assert_eq!(shared.backing_store(&heap).buffers(), 1);
    assert_eq!(heap.statistics().external_bytes, 6);
}
