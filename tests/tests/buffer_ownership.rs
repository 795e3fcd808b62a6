//! Who holds a store keeps its bytes; who lets go last releases them, once; and each store counts once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tumulus_arraybuffer::{
    Allocator, ArrayBuffer, BackingStore, DetachKey, Error, Layout, LimitedAllocator, SharedArrayBuffer,
    SystemAllocator, User, registry, release,
};
use tumulus_heap::Heap;
use tumulus_tests::{calm_heap, catch, scaled};

/// A store whose deleter counts its calls.
fn counted(calls: &Arc<AtomicUsize>, bytes: usize) -> BackingStore {
    let data = Box::into_raw(vec![0_u8; bytes].into_boxed_slice());
    let free = |data: *mut u8, len: usize, calls: Arc<AtomicUsize>| {
        // SAFETY: the box below, taken apart.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, len)) });
        calls.fetch_add(1, Ordering::SeqCst);
    };
    // SAFETY: the box was taken apart, and is put together again by the deleter.
    unsafe { BackingStore::from_raw(data.cast(), bytes, free, Arc::clone(calls)) }.unwrap()
}

#[test]
fn a_deleter_runs_once_whoever_is_last() {
    let calls = Arc::new(AtomicUsize::new(0));
    let expect = |count| assert_eq!(calls.load(Ordering::SeqCst), count);

    drop(counted(&calls, 10));
    expect(1); // no buffer was ever made

    let mut heap = calm_heap();
    let buffer = ArrayBuffer::from_store(&mut heap, counted(&calls, 10)).unwrap();
    heap.collect(&buffer);
    release::flush();
    expect(1);
    heap.collect(&());
    release::flush();
    expect(2); // the collector was last

    let buffer = ArrayBuffer::from_store(&mut heap, counted(&calls, 10)).unwrap();
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    expect(3); // at once, on this thread

    let store = counted(&calls, 10);
    let buffer = ArrayBuffer::from_store(&mut heap, store.clone()).unwrap();
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    heap.collect(&());
    release::flush();
    expect(3);
    std::thread::spawn(move || drop(store)).join().unwrap();
    expect(4); // on whichever thread that is

    ArrayBuffer::from_store(&mut heap, counted(&calls, 10)).unwrap();
    drop(heap);
    release::flush();
    expect(5); // the heap's end
}

#[test]
fn a_null_pointer_has_no_deleter_and_no_bytes() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = |_: *mut u8, _: usize, calls: Arc<AtomicUsize>| _ = calls.fetch_add(1, Ordering::SeqCst);
    // SAFETY: there is nothing behind it.
    let store = unsafe { BackingStore::from_raw(std::ptr::null_mut(), 0, count, Arc::clone(&calls)) }.unwrap();
    assert_eq!(store.byte_length(), 0);
    assert_eq!(store.data().addr().get() % 64, 0);
    drop(store);
    // SAFETY: it is refused.
    let refused = unsafe { BackingStore::from_raw(std::ptr::null_mut(), 5, count, Arc::clone(&calls)) };
    assert_eq!(refused.unwrap_err(), Error::Null { bytes: 5 });
    assert_eq!((calls.load(Ordering::SeqCst), Arc::strong_count(&calls)), (0, 1));
}

#[test]
fn the_same_bytes_are_wrapped_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let store = counted(&calls, 100);
    let again = |offset: usize, bytes| {
        let data = store.data().as_ptr().wrapping_add(offset);
        // SAFETY: it is refused, or has no bytes.
        unsafe { BackingStore::from_raw(data, bytes, |_, _, ()| panic!("it was not taken"), ()) }
    };
    for (offset, bytes) in [(0, 100), (99, 1), (50, 100)] {
        let Err(Error::AlreadyWrapped { first, born, .. }) = again(offset, bytes) else { panic!("{offset}") };
        assert_eq!(first, store.id());
        assert_eq!(born.file(), file!());
    }
    drop(store);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    drop(counted(&calls, 100));
}

#[test]
fn a_deleter_that_panics_has_run_and_nothing_is_lost() {
    let free = |data: *mut u8, len: usize, (): ()| {
        // SAFETY: the box below, taken apart.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, len)) });
        panic!("the deleter");
    };
    let wrap = || {
        let data = Box::into_raw(vec![0_u8; 10].into_boxed_slice());
        // SAFETY: as above.
        unsafe { BackingStore::from_raw(data.cast(), 10, free, ()) }.unwrap()
    };
    let store = wrap();
    assert!(catch(|| drop(store)).is_err());

    let mut heap = calm_heap();
    ArrayBuffer::from_store(&mut heap, wrap()).unwrap();
    let other = ArrayBuffer::new(&mut heap, 10).unwrap();
    // Inline it comes out of the collection; on the releaser's thread it is counted.
    let before = release::statistics().panicked_deleters;
    let panicked = catch(|| {
        heap.collect(&other);
        release::flush();
    });
    assert!(panicked.is_err() || release::statistics().panicked_deleters > before);
    assert_eq!(heap.statistics().external_bytes, 10);
    assert_eq!(other.as_slice(&heap).unwrap(), [0; 10]);
}

#[test]
fn nothing_frees_or_moves_what_is_externalized() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 100).unwrap();
    buffer.as_mut_slice(&mut heap).unwrap().fill(7);
    let held = buffer.externalize(&mut heap);
    let address = held.data();
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    for _ in 0..3 {
        heap.collect(&());
    }
    drop(heap);
    release::flush();
    assert_eq!((held.data(), held.use_count()), (address, 1));
    assert_eq!(held.with_bytes(<[u8]>::to_vec).unwrap(), [7; 100]);
    let report = registry::leak_report();
    let entry = report.places.iter().flat_map(|(_, entries)| entries).find(|entry| entry.id == held.id()).unwrap();
    assert_eq!(entry.externalized.unwrap().0.file(), file!());
    assert!(report.to_string().contains(&format!("store {}: 100 bytes", held.id())));
}

#[test]
fn a_store_counts_once_however_many_buffers_and_heaps_have_it() {
    let (mut one, mut two) = (calm_heap(), calm_heap());
    let external = |heap: &Heap| heap.statistics().external_bytes;
    let store = BackingStore::new(1000).unwrap();
    let first = ArrayBuffer::from_store(&mut one, store.clone()).unwrap();
    let second = ArrayBuffer::from_store(&mut one, store.clone()).unwrap();
    assert_eq!(external(&one), 1000);
    one.collect(&second);
    assert_eq!(external(&one), 1000); // the first to have it is gone
    assert!(!one.contains(first.erase()));
    second.detach(&mut one, DetachKey::Undefined).unwrap();
    assert_eq!((external(&one), store.use_count()), (0, 1)); // at once

    let shared = SharedArrayBuffer::new(&mut one, Layout::new(500).max(5000)).unwrap();
    let other = SharedArrayBuffer::from_store(&mut two, shared.backing_store(&one)).unwrap();
    assert_eq!((external(&one), external(&two)), (500, 0));
    other.grow(&mut two, 700).unwrap();
    assert_eq!((external(&one), external(&two)), (700, 0));
    drop(two);
    one.collect(&());
    assert_eq!(external(&one), 0);
}

#[test]
fn resizing_changes_the_count_by_the_difference() {
    let mut heap = calm_heap();
    for max in [20_000, 1 << 20] {
        let buffer = ArrayBuffer::new(&mut heap, Layout::new(100).max(max)).unwrap();
        for length in [20_000, 0, 7, 19_999] {
            buffer.resize(&mut heap, length).unwrap();
            assert_eq!(heap.statistics().external_bytes as u64, length);
        }
        buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
        assert_eq!(heap.statistics().external_bytes, 0);
    }
}

#[test]
fn static_bytes_count_nowhere() {
    let mut heap = calm_heap();
    let store = BackingStore::from_static(b"tumulus");
    let buffer = ArrayBuffer::from_store(&mut heap, store.clone()).unwrap();
    assert_eq!(heap.statistics().external_bytes, 0);
    assert!(buffer.immutable(&heap));
    assert_eq!(buffer.as_mut_slice(&mut heap).unwrap_err(), Error::Immutable { operation: "as_mut_slice" });
    assert_eq!(registry::get(&store).kind, registry::Kind::Static);
}

#[test]
fn plain_bytes_are_in_one_heap_at_a_time() {
    let (mut one, mut two) = (calm_heap(), calm_heap());
    let store = BackingStore::new(10).unwrap();
    let buffer = ArrayBuffer::from_store(&mut one, store.clone()).unwrap();
    let in_use = |error| matches!(error, Error::InUse { by: User::Heap(id), .. } if id == one.id().get().get());
    assert!(in_use(ArrayBuffer::from_store(&mut two, store.clone()).unwrap_err()));
    assert!(in_use(store.with_bytes_mut(|_| ()).unwrap_err()));
    assert_eq!(two.statistics().external_bytes, 0);
    buffer.detach(&mut one, DetachKey::Undefined).unwrap();

    store
        .with_bytes_mut(|_| {
            let error = ArrayBuffer::from_store(&mut two, store.clone()).unwrap_err();
            assert!(matches!(error, Error::InUse { by: User::Outside, .. }));
            assert!(store.with_bytes(|_| ()).is_err());
        })
        .unwrap();
    assert!(catch(|| store.with_bytes(|_| panic!("in the midst"))).is_err());
    assert!(ArrayBuffer::from_store(&mut two, store).is_ok());
}

#[test]
fn kinds_of_stores_do_not_mix() {
    let mut heap = calm_heap();
    let plain = BackingStore::new(8).unwrap();
    let shared = BackingStore::shared(8).unwrap();
    assert!(matches!(ArrayBuffer::from_store(&mut heap, shared.clone()), Err(Error::IsShared { .. })));
    assert!(matches!(SharedArrayBuffer::from_store(&mut heap, plain), Err(Error::NotShared { .. })));
    assert!(matches!(shared.with_bytes(|_| ()), Err(Error::IsShared { .. })));
}

#[test]
fn an_allocator_lives_as_long_as_its_stores_empty_ones_too() {
    let allocator = Arc::new(LimitedAllocator::new(SystemAllocator, 1000));
    let empty = BackingStore::with_allocator(&allocator, 0).unwrap();
    let store = BackingStore::with_allocator(&allocator, 600).unwrap();
    let weak = Arc::downgrade(&allocator);
    drop(allocator);
    drop(store);
    assert!(weak.upgrade().is_some_and(|allocator| allocator.used() == 0));
    drop(empty);
    assert!(weak.upgrade().is_none());
}

/// Refuses the first allocations.
#[derive(Debug)]
struct Refusing {
    refusals: AtomicUsize,
    asked: AtomicUsize,
}

// SAFETY: the other allocator does as it should.
unsafe impl Allocator for Refusing {
    fn allocate(&self, bytes: usize) -> Option<std::ptr::NonNull<u8>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let less = |left: usize| left.checked_sub(1);
        if self.refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            return None;
        }
        SystemAllocator.allocate(bytes)
    }

    unsafe fn free(&self, data: std::ptr::NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { SystemAllocator.free(data, bytes) }
    }

    fn max_bytes(&self) -> usize {
        1 << 20
    }
}

#[test]
fn an_allocator_that_panics_leaves_nothing_on_the_count() {
    struct Panicking;
    // SAFETY: it gives nothing.
    unsafe impl Allocator for Panicking {
        fn allocate(&self, _: usize) -> Option<std::ptr::NonNull<u8>> {
            panic!("no")
        }

        unsafe fn free(&self, _: std::ptr::NonNull<u8>, _: usize) {}
    }
    let mut heap = calm_heap();
    let layout = Layout::new(1000).allocator(&Arc::new(Panicking));
    assert!(catch(|| ArrayBuffer::new(&mut heap, layout)).is_err());
    assert_eq!(heap.external_bytes().get(), 0);
    let limited = Arc::new(LimitedAllocator::new(Panicking, 1000));
    assert!(catch(|| BackingStore::with_allocator(&limited, 1000)).is_err());
    assert_eq!(limited.used(), 0);
}

#[test]
fn a_buffer_is_tried_again_after_one_minor_and_two_full_collections() {
    for (refusals, collections, is_made) in [(0, 0, true), (1, 1, true), (2, 2, true), (3, 3, true), (4, 3, false)] {
        let allocator = Arc::new(Refusing { refusals: AtomicUsize::new(refusals), asked: AtomicUsize::new(0) });
        let mut heap = calm_heap();
        let layout = Layout::new(100).allocator(&allocator);
        let made = ArrayBuffer::new_or_collect(&mut heap, &(), layout.clone());
        assert_eq!(made.is_ok(), is_made);
        let statistics = heap.statistics();
        assert_eq!(statistics.collections, collections);
        assert_eq!(statistics.minor_collections, collections.min(1));
        assert_eq!(statistics.external_bytes, if is_made { 100 } else { 0 });

        // What is impossible is not tried.
        let before = allocator.asked.load(Ordering::Relaxed);
        let layout = Layout::new((1 << 20) + 1).allocator(&allocator);
        let error = ArrayBuffer::new_or_collect(&mut heap, &(), layout).unwrap_err();
        assert!(matches!(error, Error::Length { requested: 1_048_577, max: 1_048_576, .. }), "{error}");
        assert_eq!((heap.statistics().collections, allocator.asked.load(Ordering::Relaxed)), (collections, before));
    }
}

/// Somebody else may be joining the thread already.
#[test]
fn the_releaser_is_joined_by_many_at_once() {
    for _ in 0..scaled(100, 3) {
        let mut heap = calm_heap();
        let bytes: Arc<[u8]> = Arc::from([1, 2, 3]);
        ArrayBuffer::from_store(&mut heap, BackingStore::from_arc(Arc::clone(&bytes))).unwrap();
        drop(heap);
        std::thread::scope(|scope| (0..3).for_each(|_| _ = scope.spawn(release::join)));
        assert_eq!(Arc::strong_count(&bytes), 1);
    }
}

#[test]
fn dead_buffers_make_room_at_a_limit() {
    let allocator = Arc::new(LimitedAllocator::new(SystemAllocator, 10_000));
    let mut heap = calm_heap();
    for _ in 0..scaled(100, 10) {
        let layout = Layout::new(6000).allocator(&allocator);
        ArrayBuffer::new_or_collect(&mut heap, &(), layout).unwrap();
    }
    let mut heap = Heap::builder().limit(100 << 10).zeal(tumulus_heap::Zeal::none()).build();
    for _ in 0..scaled(100, 10) {
        ArrayBuffer::new_or_collect(&mut heap, &(), 60 << 10).unwrap();
    }
    let error = ArrayBuffer::new(&mut heap, 90 << 10).unwrap_err().to_string();
    for part in ["no memory for 92160 bytes", "102400 is the limit"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn external_bytes_bring_collections() {
    let mut heap = calm_heap();
    for _ in 0..100 {
        ArrayBuffer::new(&mut heap, 1 << 20).unwrap();
        heap.safepoint(&());
    }
    let statistics = heap.statistics();
    assert!(statistics.collections > 2 && statistics.external_bytes < 40 << 20, "{statistics:?}");
}

#[test]
fn sources_are_not_copied() {
    let mut heap = calm_heap();
    let vec = vec![1, 2, 3];
    let address = vec.as_ptr();
    let buffer = ArrayBuffer::from_store(&mut heap, BackingStore::from_vec(vec)).unwrap();
    assert_eq!(buffer.as_slice(&heap).unwrap().as_ptr(), address);
    let boxed: Box<[u8]> = Box::new([4, 5]);
    let address = boxed.as_ptr();
    assert_eq!(BackingStore::from_box(boxed).data().as_ptr().cast_const(), address);
    let arc: Arc<[u8]> = Arc::from([6]);
    let store = BackingStore::from_arc(Arc::clone(&arc));
    assert!(store.is_read_only() && matches!(store.with_bytes_mut(|_| ()), Err(Error::Immutable { .. })));
    drop(store);
    assert_eq!(Arc::strong_count(&arc), 1);
}

#[test]
fn what_is_empty_has_an_aligned_address() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 0).unwrap();
    for store in [BackingStore::empty(), BackingStore::from_vec(Vec::new()), buffer.backing_store(&heap)] {
        assert_eq!((store.byte_length(), store.data().addr().get() % 64), (0, 0));
        assert_eq!(store.with_bytes(<[u8]>::len).unwrap(), 0);
    }
    let detached = ArrayBuffer::new(&mut heap, 5).unwrap();
    detached.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert_eq!(detached.backing_store(&heap).byte_length(), 0);
    assert_ne!(detached.backing_store(&heap).id(), detached.backing_store(&heap).id());
}
