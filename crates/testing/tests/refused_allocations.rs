//! Each allocation of a fallible function is refused in turn, once and with all that follow: the function gives an error or does
//! without, the heap is in order, and nothing is leaked. An abort would end this program.

use std::sync::{Arc, Mutex, PoisonError};
use tumulus_arraybuffer::{
    ArrayBuffer, BackingStore, DataView, DetachKey, ElementKind, Layout, LinearMemory, SharedArrayBuffer,
    SystemAllocator, TypedArray, release,
};
use tumulus_heap::{EphemeronMap, Gc, Heap, HeapError, WeakSet, Zeal};
use tumulus_testing::assert_external_bytes;
use tumulus_testing::faults::{FailingAllocator, LaggingReleaser, Refuse, for_each_allocation, refuse};

#[global_allocator]
static ALLOCATOR: FailingAllocator = FailingAllocator::new();

fn heap() -> Heap {
    Heap::builder().zeal(Zeal::none()).try_build().expect("a heap")
}

/// Waits until no other test of this program runs, since what one of them leaves another may find instead of allocating it.
///
/// And allocates what a process allocates once and does not ask for: the first slot of the registry's slot map, of which
/// `refused_everywhere.rs` has the first store of a process, and the releaser's thread.
fn alone() -> impl Drop {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    drop(BackingStore::new(1));
    drop(LaggingReleaser::new());
    alone
}

/// Runs `body` with a new heap for each of its allocations, and prints how many these are.
#[track_caller]
fn each(name: &str, mut body: impl FnMut(&mut Heap) -> Result<(), Failed>) {
    let mut succeeded = 0;
    let count = for_each_allocation(|which| {
        let mut heap = heap();
        let outcome = refuse(which, || body(&mut heap).is_ok());
        succeeded += u64::from(outcome.result);
        assert!(outcome.result || outcome.refused > 0, "{name}: failed for another reason");
        heap.verify().unwrap_or_else(|error| panic!("{name}, {which:?}: {error}"));
        heap.collect(&());
        heap.verify().unwrap_or_else(|error| panic!("{name}, {which:?}, after a collection: {error}"));
        assert_external_bytes(&heap, 0);
        outcome
    });
    println!("{name}: {count} allocations, of which each was refused");
    assert!(succeeded >= 2, "{name}: it never succeeds");
}

/// That it was an error; which one is not looked at while nothing can be allocated.
struct Failed;

fn tried<T, E>(result: Result<T, E>) -> Result<T, Failed> {
    result.map_err(|_| Failed)
}

#[test]
fn a_count_is_exact() {
    let _alone = alone();
    let outcome = refuse(Refuse::Nothing, || (Box::new(1_u8), Vec::<u8>::with_capacity(10)));
    assert_eq!((outcome.allocations, outcome.refused), (2, 0));
    let outcome = refuse(Refuse::From(2), || {
        let mut lists: [Vec<u8>; 4] = Default::default();
        lists.each_mut().map(|list| list.try_reserve_exact(10).is_ok())
    });
    assert_eq!((outcome.result, outcome.refused), ([true, false, false, false], 3));
    let outcome = refuse(Refuse::Once(2), || {
        let mut lists: [Vec<u8>; 4] = Default::default();
        lists.each_mut().map(|list| list.try_reserve_exact(10).is_ok())
    });
    assert_eq!((outcome.result, outcome.refused), ([true, false, true, true], 1));
    // Other threads are not concerned, and this one is not any more.
    let outcome = refuse(Refuse::From(1), || ());
    assert_eq!(outcome.allocations, 0);
    assert_eq!(vec![1; 100].len(), 100);
}

#[test]
fn heaps() {
    let _alone = alone();
    let make = || Heap::builder().zeal(Zeal::none()).try_build();
    // Side by side, so that none can have the account of another one that is gone.
    let mut heaps: Vec<_> = (0..10).map(|_| refuse(Refuse::Nothing, make)).collect();
    // The last is the first slot of a slot map, which is not asked for; a larger block is asked for right before.
    let count = heaps.iter().map(|made| made.allocations).min().unwrap() - 1;
    for plan in (1..=count).flat_map(|number| [Refuse::Once(number), Refuse::From(number)]) {
        assert_eq!(refuse(plan, make).result.unwrap_err(), HeapError::Memory, "{plan:?}");
        heaps.push(refuse(Refuse::Nothing, make));
    }
    println!("Heap::try_build: {count} allocations, of which each was refused");
    assert!(heaps.iter().all(|made| made.result.as_ref().is_ok_and(|heap| heap.verify().is_ok())));
}

#[test]
fn objects() {
    let _alone = alone();
    each("alloc", |heap| tried(heap.try_alloc([7_u64; 3])).map(drop));
    each("alloc, large", |heap| tried(heap.try_alloc([7_u64; 3000])).map(drop));
    each("alloc_slice", |heap| tried(heap.try_alloc_slice(&[1_u8; 10_000])).map(drop));
    each("alloc_str", |heap| tried(heap.try_alloc_str("mound")).map(drop));
}

#[test]
fn roots() {
    let _alone = alone();
    each("root", |heap| {
        let gc: Gc<u64> = tried(heap.try_alloc(7))?;
        tried(heap.try_root(gc)).map(drop)
    });
}

#[test]
fn weak_tables() {
    let _alone = alone();
    each("on_death", |heap| {
        let gc = tried(heap.try_alloc(1_u8))?;
        tried(heap.try_on_death(gc, 3))
    });
    each("EphemeronMap::try_insert", |heap| {
        let key = tried(heap.try_alloc(1_u8))?;
        let map = tried(heap.try_alloc(EphemeronMap::<Gc<u8>, u32>::new()))?;
        tried(map.try_insert(heap, key, 3)).map(drop)
    });
    each("WeakSet::try_insert", |heap| {
        let key = tried(heap.try_alloc(1_u8))?;
        let set = tried(heap.try_alloc(WeakSet::<Gc<u8>>::new()))?;
        tried(set.try_insert(heap, key)).map(drop)
    });
}

#[test]
fn the_first_store_of_a_slab() {
    let _alone = alone();
    // Those that this thread has room for.
    let _others: Vec<_> = (0..64).map(|_| BackingStore::new(8).expect("memory")).collect();
    each("the first store of a slab", |heap| tried(ArrayBuffer::new(heap, 100)).map(drop));
}

#[test]
fn many_stores() {
    let _alone = alone();
    // More than the records of some slabs.
    each("many stores", |heap| (0..200).try_for_each(|_| tried(ArrayBuffer::new(heap, 8)).map(drop)));
}

#[test]
fn buffers() {
    let _alone = alone();
    each("ArrayBuffer::new", |heap| tried(ArrayBuffer::new(heap, 100)).map(drop));
    each("ArrayBuffer::new, large", |heap| tried(ArrayBuffer::new(heap, 1 << 20)).map(drop));
    each("ArrayBuffer::new, resizable", |heap| {
        let buffer = tried(ArrayBuffer::new(heap, Layout::new(10).max(1 << 20)))?;
        tried(buffer.resize(heap, 1 << 19))
    });
    each("SharedArrayBuffer::new", |heap| tried(SharedArrayBuffer::new(heap, 100)).map(drop));
}

#[test]
fn what_is_done_with_buffers() {
    let _alone = alone();
    each("slice", |heap| {
        let buffer = tried(ArrayBuffer::new(heap, 100))?;
        tried(buffer.slice(heap, 10.0, Some(50.0))).map(drop)
    });
    each("transfer", |heap| {
        let buffer = tried(ArrayBuffer::new(heap, 100))?;
        tried(buffer.transfer(heap, Some(200))).map(drop)
    });
    each("TypedArray::new", |heap| {
        let buffer = tried(ArrayBuffer::new(heap, 100))?;
        tried(TypedArray::new(heap, ElementKind::Float32, buffer, 0, None)).map(drop)
    });
    each("DataView::new", |heap| {
        let buffer = tried(ArrayBuffer::new(heap, 100))?;
        tried(DataView::new(heap, buffer, 0, None)).map(drop)
    });
    each("detach", |heap| {
        let buffer = tried(ArrayBuffer::new(heap, 100))?;
        tried(buffer.detach(heap, DetachKey::Undefined))
    });
}

#[test]
fn linear_memories() {
    let _alone = alone();
    each("LinearMemory", |heap| {
        let mut memory = tried(LinearMemory::new(heap, 1, Some(3)))?;
        tried(memory.grow(heap, 1)).map(drop)
    });
}

#[test]
fn stores_with_an_allocator() {
    let _alone = alone();
    let allocator = Arc::new(SystemAllocator);
    each("with_allocator", |heap| {
        let layout = Layout::new(100).allocator(&allocator);
        tried(ArrayBuffer::new(heap, layout)).map(drop)
    });
}

#[test]
fn stores_of_raw_pointers() {
    let _alone = alone();
    // Or the next round might find the pointer in a store that waits to be released.
    release::set_mode(release::Mode::Inline);
    let mut bytes = [0_u8; 100];
    let data = bytes.as_mut_ptr();
    each("from_raw", |heap| {
        // SAFETY: nobody else uses the bytes until the heap is collected, which is what `each` does after this.
        let store = unsafe { BackingStore::from_raw(data, 100, |_, _, _: [u8; 3]| (), [0; 3]) };
        tried(ArrayBuffer::from_store(heap, tried(store)?)).map(drop)
    });
}
