//! Memory that somebody outside holds stays readable and writable, whatever becomes of the buffer; and it is freed once, neither
//! early nor late.

use std::thread;
use tumulus_arraybuffer::{
    ArrayBuffer, BackingStore, Buffer, DetachKey, Layout, LinearMemory, PAGE_BYTES, SharedArrayBuffer,
};
use tumulus_heap::{Budget, Heap, Progress};
use tumulus_testing::{
    DeleterProbe, ManuallyExternalizedBuffer, assert_alive, assert_collected, assert_external_bytes, assert_released,
    panic_message,
};

const BYTES: usize = 1000;

fn pattern(round: usize) -> Vec<u8> {
    (0..BYTES).map(|at| (at * 7 + round) as u8).collect()
}

/// A buffer of `BYTES` bytes with a pattern, whose deleter is watched.
fn watched(heap: &mut Heap, probe: &DeleterProbe) -> ArrayBuffer {
    ArrayBuffer::from_store(heap, probe.store(pattern(0))).unwrap()
}

/// Reads what is there, and leaves another pattern.
#[track_caller]
fn read_and_write(external: &ManuallyExternalizedBuffer, heap: &mut Heap, round: usize) {
    external.with_bytes(heap, |bytes| assert_eq!(bytes, pattern(round))).unwrap();
    external.with_bytes_mut(heap, |bytes| bytes.copy_from_slice(&pattern(round + 1))).unwrap();
}

/// The same, for bytes that no heap has.
#[track_caller]
fn read_and_write_outside(store: &BackingStore, round: usize) {
    store.with_bytes(|bytes| assert_eq!(bytes, pattern(round))).unwrap();
    store.with_bytes_mut(|bytes| bytes.copy_from_slice(&pattern(round + 1))).unwrap();
}

fn minor(heap: &mut Heap) {
    heap.collect_minor(&());
}

fn full(heap: &mut Heap) {
    heap.collect(&());
}

fn in_slices(heap: &mut Heap) {
    heap.start_major();
    let mut slices = 1;
    while heap.step(&(), Budget::work(1)) != Progress::Done {
        slices += 1;
        assert!(slices < 1_000_000, "it never ends");
    }
    assert!(slices > 1);
}

#[test]
fn collections_of_each_kind_leave_it_alone() {
    for collect in [minor, full, in_slices] {
        for is_detached in [false, true] {
            let mut heap = Heap::new();
            let probe = DeleterProbe::expect_once();
            let buffer = watched(&mut heap, &probe);
            let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
            let address = external.backing_store();
            if is_detached {
                buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
            }
            for round in 0..10 {
                heap.alloc([round; 100]);
                collect(&mut heap);
                read_and_write(&external, &mut heap, round);
                assert_eq!(external.backing_store(), address);
                assert_eq!(probe.count(), 0);
            }
            assert_alive(&heap, buffer.erase());
            drop(external);
            assert_eq!(probe.count(), usize::from(is_detached), "a buffer that was not detached still has them");
            heap.collect(&());
            assert_collected(&heap, buffer.erase());
            assert_external_bytes(&heap, 0);
            probe.verify();
        }
    }
}

#[test]
fn a_linear_memory_that_grows_leaves_it_alone() {
    let mut heap = Heap::new();
    let mut memory = LinearMemory::new(&mut heap, 1, Some(8)).unwrap();
    let old = memory.buffer();
    let external = ManuallyExternalizedBuffer::new(&mut heap, old);
    let (address, id) = (external.backing_store(), external.store().id());
    old.as_mut_slice(&mut heap).unwrap()[..BYTES].copy_from_slice(&pattern(0));

    for (round, pages) in [0, 1, 0, 2, 0].into_iter().enumerate() {
        memory.grow(&mut heap, pages).unwrap();
        assert!(old.detached(&heap) && old.byte_length(&heap) == 0);
        heap.collect(&memory);
        let grown = memory.buffer();
        external.with_bytes(&mut heap, |bytes| assert_eq!(bytes[..BYTES], pattern(round))).unwrap();
        external.with_bytes_mut(&mut heap, |bytes| bytes[..BYTES].copy_from_slice(&pattern(round + 1))).unwrap();
        // One memory, seen from both sides.
        let seen = grown.as_slice(&heap).unwrap();
        assert_eq!((seen.as_ptr(), &seen[..BYTES]), (address.as_ptr().cast_const(), &pattern(round + 1)[..]));
    }

    // The external holder lets go: the memory's new buffer stays usable.
    drop(external);
    heap.collect(&memory);
    assert_collected(&heap, old.erase());
    assert_eq!(memory.buffer().as_slice(&heap).unwrap()[..BYTES], pattern(5));
    memory.buffer().as_mut_slice(&mut heap).unwrap().fill(9);
    memory.grow(&mut heap, 1).unwrap();
    assert_eq!(memory.buffer().byte_length(&heap) as u64, 5 * PAGE_BYTES);
    assert_eq!(memory.buffer().as_slice(&heap).unwrap()[(4 * PAGE_BYTES - 1) as usize..][..2], [9, 0]);

    heap.collect(&());
    assert_external_bytes(&heap, 0);
    assert_released(id);
}

#[test]
fn it_outlives_buffer_heap_and_thread() {
    let probe = DeleterProbe::expect_once();
    let store = thread::scope(|scope| {
        let made = scope.spawn(|| {
            let mut heap = Heap::new();
            let buffer = watched(&mut heap, &probe);
            let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
            let store = external.store().clone();

            drop(external);
            heap.collect(&());
            assert_collected(&heap, buffer.erase());
            assert_external_bytes(&heap, 0);
            read_and_write_outside(&store, 0);

            drop(heap);
            read_and_write_outside(&store, 1);
            store
        });
        made.join().unwrap()
    });
    read_and_write_outside(&store, 2);

    // Another heap on another thread takes them up, and its death changes nothing either.
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut heap = Heap::new();
            let buffer = ArrayBuffer::from_store(&mut heap, store.clone()).unwrap();
            read_and_write(&ManuallyExternalizedBuffer::new(&mut heap, buffer), &mut heap, 3);
        });
    });
    read_and_write_outside(&store, 4);
    assert_eq!((probe.count(), store.use_count()), (0, 1));
    drop(store);
    assert_eq!(probe.count(), 1, "the last reference frees at once");
    assert_eq!(probe.calls()[0].thread, thread::current().id());
}

#[test]
fn a_holder_may_outlive_its_heap() {
    let mut heap = Heap::new();
    let probe = DeleterProbe::expect_once();
    let buffer = watched(&mut heap, &probe);
    let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    drop(heap);
    read_and_write_outside(external.store(), 0);
    assert_eq!((external.store().use_count(), probe.count()), (1, 0));
    drop(external);
    assert_eq!(probe.count(), 1);
}

#[test]
fn several_holders_are_as_good_as_one() {
    let mut heap = Heap::new();
    let probe = DeleterProbe::expect_once();
    let buffer = watched(&mut heap, &probe);
    let mut holders: Vec<_> = (0..10).map(|_| ManuallyExternalizedBuffer::new(&mut heap, buffer)).collect();
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    for round in 0..10 {
        assert_eq!(probe.count(), 0);
        let holder = holders.swap_remove(round * 3 % holders.len());
        read_and_write(&holder, &mut heap, round);
        drop(holder);
        heap.collect(&());
    }
    assert_eq!(probe.count(), 1);
    assert_collected(&heap, buffer.erase());
}

#[test]
fn a_transfer_leaves_it_with_the_same_bytes() {
    let mut heap = Heap::new();
    let probe = DeleterProbe::expect_once();
    let buffer = watched(&mut heap, &probe);
    let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    let moved = buffer.transfer(&mut heap, None).unwrap();
    read_and_write(&external, &mut heap, 0);
    assert_eq!(moved.as_slice(&heap).unwrap(), pattern(1));
    heap.collect(&());
    assert_collected(&heap, moved.erase());
    read_and_write(&external, &mut heap, 1);
    assert_eq!(probe.count(), 0);
    drop(external);
    assert_eq!(probe.count(), 1);
}

#[test]
fn resizing_leaves_the_bytes_where_they_are() {
    let mut heap = Heap::new();
    let buffer = ArrayBuffer::new(&mut heap, Layout::new(BYTES as u64).max(1 << 20)).unwrap();
    let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    let address = external.backing_store();
    for bytes in [1 << 20, 1, 100_000, 0, BYTES] {
        buffer.resize(&mut heap, bytes as u64).unwrap();
        heap.collect(&());
        assert_eq!(external.store().byte_length(), bytes);
        assert_eq!(external.backing_store(), address);
        external.with_bytes_mut(&mut heap, |all| all.fill(7)).unwrap();
        external.with_bytes(&mut heap, |all| assert_eq!(all, vec![7; bytes])).unwrap();
    }
}

#[test]
fn shared_bytes_are_held_too() {
    let mut heap = Heap::new();
    let buffer = SharedArrayBuffer::new(&mut heap, 8).unwrap();
    let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    assert_eq!(external.buffer(), Buffer::Shared(buffer));
    assert!(external.with_bytes(&mut heap, <[u8]>::len).is_err(), "no slice of what others may write to");
    let store = external.store().clone();
    thread::spawn(move || store.copy_from(3, &[7, 8]).unwrap()).join().unwrap();
    drop(heap);
    let mut bytes = [0; 4];
    external.store().copy_to(2, &mut bytes).unwrap();
    assert_eq!(bytes, [0, 7, 8, 0]);
}

#[test]
fn what_is_read_in_a_window_counts_nowhere() {
    let mut heap = Heap::new();
    let buffer = ArrayBuffer::new(&mut heap, BYTES as u64).unwrap();
    let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    for _ in 0..10 {
        external.with_bytes(&mut heap, |_| ()).unwrap();
        assert_eq!((external.store().holders(), external.store().buffers()), (1, 1));
        assert_external_bytes(&heap, BYTES);
    }
    // A panic leaves the window open, until the next collection.
    panic_message(|| external.with_bytes(&mut heap, |_| panic!("on purpose"))).unwrap();
    heap.collect(&());
    assert_eq!(external.store().buffers(), 1);
}

#[test]
fn an_owner_frees_once_and_itself() {
    let mut heap = Heap::new();
    let probe = DeleterProbe::expect_once();
    probe.watch(&mut heap);
    let buffer = watched(&mut heap, &probe);
    let owner = ManuallyExternalizedBuffer::owning(&mut heap, buffer);
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    for round in 0..3 {
        heap.collect(&());
        read_and_write(&owner, &mut heap, round);
    }
    let address = owner.backing_store().addr().get();
    assert_eq!(probe.count(), 0);
    drop(owner);
    let [call] = &probe.calls()[..] else { panic!("{:?}", probe.calls()) };
    assert_eq!((call.address, call.bytes, call.collections), (address, BYTES, 3));
    assert_eq!(call.thread, thread::current().id());
    heap.collect(&());
    drop(heap);
}

#[test]
fn an_owner_does_not_free_what_others_have() {
    let mut heap = Heap::new();
    let probe = DeleterProbe::expect_once();
    let buffer = watched(&mut heap, &probe);
    let owner = ManuallyExternalizedBuffer::owning(&mut heap, buffer);
    let words = panic_message(|| drop(owner)).unwrap();
    assert!(words.contains("1 holders, 1 buffers") && words.contains(file!()), "{words}");
    // The bytes are still good: the mistake was found, and did no harm.
    assert_eq!(buffer.as_slice(&heap).unwrap(), pattern(0));
    assert_eq!(probe.count(), 0);
    heap.collect(&());
    probe.verify();
}

#[test]
fn bytes_have_one_owner_at_a_time() {
    let mut heap = Heap::new();
    let probe = DeleterProbe::expect_once();
    let buffer = watched(&mut heap, &probe);
    let first = ManuallyExternalizedBuffer::owning(&mut heap, buffer);
    let words = panic_message(|| ManuallyExternalizedBuffer::owning(&mut heap, buffer)).unwrap();
    assert!(words.contains("would be freed twice"), "{words}");
    // One that shares may come and go.
    drop(ManuallyExternalizedBuffer::new(&mut heap, buffer));
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    drop(first);
    assert_eq!(probe.count(), 1);
}

#[test]
fn an_owner_of_a_deleter_that_panics_passes_the_panic_on() {
    let mut heap = Heap::new();
    let mut bytes = Box::new([1_u8, 2, 3]);
    let deleter = |_: *mut u8, _: usize, (): ()| panic!("a deleter");
    #[allow(unsafe_code, reason = "a deleter that panics has to be given with a pointer")]
    // SAFETY: the box outlives the store, and nobody else touches it.
    let store = unsafe { BackingStore::from_raw(bytes.as_mut_ptr(), 3, deleter, ()) }.unwrap();
    let id = store.id();
    let buffer = ArrayBuffer::from_store(&mut heap, store).unwrap();
    let owner = ManuallyExternalizedBuffer::owning(&mut heap, buffer);
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert_eq!(panic_message(|| drop(owner)).as_deref(), Some("a deleter"));
    assert_released(id);
    heap.verify().unwrap();
}
