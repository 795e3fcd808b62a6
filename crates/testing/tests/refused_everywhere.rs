//! Every fallible function of the heap and of the buffers, and what a collection does, with each of its allocations refused in
//! turn, once and with all that follow: an error, or success without it; the heap in order and of use; and no byte lost.
//!
//! An abort would end this program. Not here: `Heap::verify`, which is for tests, and the writing of snapshots, which takes
//! memory of its own for each object and says so.
//!
//! Two crates that the library is made of allocate without asking: a slot map its first slot, a histogram its counters. A larger
//! block is asked for right before, and freed. So what fits a block that was freed just now is not refused here.

use std::alloc::{GlobalAlloc, Layout as BlockLayout, System};
use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tumulus_arraybuffer::{
    Alphabet, ArrayBuffer, BackingStore, DataView, DetachKey, Element, ElementKind, Endian, Error, LastChunk, Layout,
    Padding, Parcel, SharedArrayBuffer, TypedArray, atomics, registry, release,
};
use tumulus_heap::{Budget, EphemeronMap, FinalizationRegistry, Gc, Heap, Root, Trace, WeakRef, WeakSet, Zeal};
use tumulus_testing::faults::{FailingAllocator, for_each_allocation, refuse};

thread_local! {
    /// How many bytes of the allocator this thread has.
    static BYTES: Cell<isize> = const { Cell::new(0) };
    /// What is left of the block that this thread has freed just now.
    static ROOM: Cell<usize> = const { Cell::new(0) };
}

/// An allocator that refuses, but not what fits the block that was freed just now. It counts the bytes that are out.
struct Allocator(FailingAllocator<System>);

impl Allocator {
    /// Whether so many bytes are there without asking the system.
    fn is_there(bytes: usize) -> bool {
        let left = ROOM.with(Cell::take).checked_sub(bytes);
        ROOM.set(left.unwrap_or(0));
        left.is_some()
    }
}

fn count(bytes: usize, sign: isize) {
    BYTES.set(BYTES.get() + bytes.cast_signed() * sign);
}

#[expect(unsafe_code, reason = "an allocator")]
// SAFETY: all is passed on unchanged, to one of two allocators whose blocks are the same system's.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: BlockLayout) -> *mut u8 {
        let bytes = layout.size();
        // SAFETY: the caller's promise.
        let block = unsafe { if Allocator::is_there(bytes) { System.alloc(layout) } else { self.0.alloc(layout) } };
        count(if block.is_null() { 0 } else { bytes }, 1);
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: BlockLayout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let moved = unsafe { self.0.realloc(block, layout, bytes) };
        if !moved.is_null() {
            count(layout.size(), -1);
            count(bytes, 1);
        }
        moved
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: BlockLayout) {
        count(layout.size(), -1);
        ROOM.set(layout.size());
        // SAFETY: the caller's promise.
        unsafe { self.0.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(FailingAllocator::new());

/// That it was an error; which one is not looked at while nothing can be allocated.
struct Failed;

fn tried<T, E>(result: Result<T, E>) -> Result<T, Failed> {
    result.map_err(|_| Failed)
}

fn heap() -> Heap {
    Heap::builder().zeal(Zeal::none()).try_build().expect("a heap")
}

/// The lock for a test of its own: where another thread is met at a lock, `parking_lot` takes memory for good.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was found of all functions together.
#[derive(Default)]
struct Tally {
    functions: u64,
    allocations: u64,
    errors: u64,
    successes: u64,
}

impl Tally {
    /// A function that is called on a heap which `prepare` has made ready, with what that returned.
    #[track_caller]
    fn each<S>(
        &mut self,
        name: &str,
        mut prepare: impl FnMut(&mut Heap) -> S,
        mut body: impl FnMut(&mut Heap, &mut S) -> Result<(), Failed>,
    ) {
        // What is made once for the process, or for the thread, is made now, for as many objects as there will be.
        for _ in 0..2 {
            let mut heap = heap();
            let mut state = prepare(&mut heap);
            for _ in 0..2 {
                assert!(body(&mut heap, &mut state).is_ok(), "{name}: fails with memory");
            }
        }
        let (mut errors, mut runs) = (0, 0);
        let count = for_each_allocation(|which| {
            let before = BYTES.get();
            let mut heap = heap();
            let mut state = prepare(&mut heap);
            ROOM.set(0);
            let outcome = refuse(which, || {
                ROOM.set(0);
                body(&mut heap, &mut state).is_ok()
            });
            runs += 1;
            errors += u64::from(!outcome.result);
            assert!(outcome.result || outcome.refused > 0, "{name}, {which:?}: failed for another reason");
            heap.verify().unwrap_or_else(|error| panic!("{name}, {which:?}: {error}"));
            // With memory it works again.
            assert!(body(&mut heap, &mut state).is_ok(), "{name}, {which:?}: fails afterwards");
            heap.collect(&());
            heap.verify().unwrap_or_else(|error| panic!("{name}, {which:?}, after a collection: {error}"));
            drop((state, heap));
            release::flush();
            assert_eq!(BYTES.get(), before, "{name}, {which:?}: bytes that nobody has any more");
            outcome
        });
        println!("{name}: {count} allocations, {errors} errors in {runs} runs");
        self.functions += 1;
        self.allocations += count;
        self.errors += errors;
        self.successes += runs - errors;
    }

    fn say(&self, of: &str) {
        let Tally { functions, allocations, errors, successes } = self;
        println!(
            "refused memory: {of}: {functions} functions, {allocations} of {allocations} allocations refused, once and with \
             all that follow: {errors} errors, {successes} successes, 0 leaks, 0 aborts"
        );
    }
}

const fn nothing(_: &mut Heap) {}

#[derive(Trace)]
struct Node {
    next: Option<Gc<Node>>,
    number: u64,
}

/// A list of so many nodes.
fn list(heap: &mut Heap, count: u64) -> Root<Node> {
    let first = heap.alloc(Node { next: None, number: 0 });
    let last = (1..count).fold(first, |next, number| heap.alloc(Node { next: Some(next), number }));
    heap.root(last)
}

#[test]
fn every_fallible_function_of_the_heap() {
    let _alone = alone();
    let mut tally = Tally::default();
    what_allocates(&mut tally);
    what_is_weak(&mut tally);
    tally.say("heap");
}

fn what_allocates(tally: &mut Tally) {
    tally.each("Heap::try_new", nothing, |_, ()| tried(Heap::try_new()).map(drop));
    tally.each("HeapBuilder::try_build", nothing, |_, ()| {
        tried(Heap::builder().limit(1 << 20).nursery(1 << 16).try_build()).map(drop)
    });
    tally.each("try_alloc, of a new type", nothing, |heap, ()| tried(heap.try_alloc([7_u64; 3])).map(drop));
    tally.each("try_alloc, of many types", nothing, |heap, ()| {
        tried(heap.try_alloc(1_u8))?;
        tried(heap.try_alloc(1_u16))?;
        tried(heap.try_alloc((1_u16, 2_u64)))?;
        tried(heap.try_alloc([1_u32; 9]))?;
        tried(heap.try_alloc(String::new()))?;
        tried(heap.try_alloc(None::<Gc<u8>>)).map(drop)
    });
    tally.each("try_alloc, in a block", nothing, |heap, ()| tried(heap.try_alloc([7_u64; 3000])).map(drop));
    tally.each("try_alloc, many pages", nothing, |heap, ()| {
        for number in 0..3000 {
            tried(heap.try_alloc([number; 20]))?;
        }
        Ok(())
    });
    tally.each("try_alloc, in a scope", nothing, |heap, ()| {
        heap.scope(|heap| {
            let all = (0..300_u64).try_for_each(|number| tried(heap.try_alloc(number)).map(drop));
            all.is_ok()
        })
        .then_some(())
        .ok_or(Failed)
    });
    tally.each("try_alloc_with", nothing, |heap, ()| tried(heap.try_alloc_with(|| [7_u64; 3000])).map(drop));
    tally.each("alloc_or_collect", nothing, |heap, ()| tried(heap.alloc_or_collect(&(), [7_u64; 3000])).map(drop));
    tally.each("try_or_collect", nothing, |heap, ()| {
        tried(heap.try_or_collect(&(), |heap| heap.try_alloc_str("mound"))).map(drop)
    });
    tally.each("try_alloc_slice", nothing, |heap, ()| tried(heap.try_alloc_slice(&[1_u8; 10_000])).map(drop));
    tally.each("try_alloc_slice_with, of handles", nothing, |heap, ()| {
        tried(heap.try_alloc_slice_with(5000, |_| None::<Gc<u8>>)).map(drop)
    });
    tally.each("try_build_slice", nothing, |heap, ()| tried(heap.try_build_slice(1000, Ok::<_, ()>)).map(drop));
    tally.each("try_alloc_slice_from_iter", nothing, |heap, ()| {
        tried(heap.try_alloc_slice_from_iter(0..1000_usize)).map(drop)
    });
    tally.each("try_alloc_str", nothing, |heap, ()| tried(heap.try_alloc_str("mound")).map(drop));
    tally.each(
        "try_root, until the table grows",
        |heap| (heap.alloc(7_u64), Vec::with_capacity(1000)),
        |heap, (gc, roots)| {
            roots.clear();
            if !heap.contains(*gc) {
                *gc = tried(heap.try_alloc(7))?;
            }
            for _ in 0..500 {
                roots.push(tried(heap.try_root(*gc))?);
            }
            Ok(())
        },
    );
    tally.each("try_add_external_bytes", nothing, |heap, ()| {
        tried(heap.try_add_external_bytes(1 << 20))?;
        heap.adjust_external_bytes(-(1 << 20));
        Ok(())
    });
}

fn what_is_weak(tally: &mut Tally) {
    tally.each("try_on_death", nothing, |heap, ()| {
        let gc = tried(heap.try_alloc(1_u8))?;
        (0..100).try_for_each(|token| tried(heap.try_on_death(gc, token)))
    });
    tally.each("EphemeronMap::try_insert", nothing, |heap, ()| {
        let map = tried(heap.try_alloc(EphemeronMap::<Gc<u32>, u32>::new()))?;
        for number in 0..100 {
            let key = tried(heap.try_alloc(number))?;
            tried(map.try_insert(heap, key, number))?;
        }
        Ok(())
    });
    tally.each(
        "EphemeronMap::shrink_to_fit",
        |heap| {
            let map = heap.alloc(EphemeronMap::<Gc<u32>, u32>::new());
            let map = heap.root(map);
            for number in 0..200 {
                let key = heap.alloc(number);
                map.get().insert(heap, key, number);
            }
            heap.collect(&());
            map
        },
        |heap, map| tried(map.get().shrink_to_fit(heap)),
    );
    tally.each("WeakSet::try_insert", nothing, |heap, ()| {
        let set = tried(heap.try_alloc(WeakSet::<Gc<u32>>::new()))?;
        for number in 0..100 {
            let key = tried(heap.try_alloc(number))?;
            tried(set.try_insert(heap, key))?;
        }
        Ok(())
    });
    tally.each("FinalizationRegistry::register", nothing, |heap, ()| {
        let registry = tried(heap.try_alloc(FinalizationRegistry::<u32>::new()))?;
        for number in 0..100 {
            let target = tried(heap.try_alloc(number))?;
            tried(registry.register(heap, target, number, Some(target.erase())))?;
        }
        Ok(())
    });
}

#[test]
fn what_cannot_fail_does_not_need_memory() {
    let _alone = alone();
    let mut tally = Tally::default();
    let lists =
        |heap: &mut Heap| (list(heap, 3000), list(heap, 10), heap.alloc(EphemeronMap::<Gc<Node>, Gc<Node>>::new()));
    tally.each(
        "collect",
        |heap| list(heap, 3000),
        |heap, list| {
            heap.collect(&());
            assert_eq!(heap[&*list].number, 2999);
            Ok(())
        },
    );
    tally.each(
        "collect_minor, after writes",
        |heap| list(heap, 3000),
        |heap, list| {
            let mut at = Some(list.get());
            while let Some(gc) = at {
                at = heap.get_mut(gc).next;
            }
            heap.collect_minor(&());
            assert_eq!(heap[&*list].number, 2999);
            Ok(())
        },
    );
    tally.each(
        "safepoints and steps",
        |heap| list(heap, 3000),
        |heap, list| {
            heap.start_major();
            for _ in 0..100 {
                heap.safepoint(&());
                let _ = heap.step(&(), Budget::work(100));
            }
            assert_eq!(heap[&*list].number, 2999);
            Ok(())
        },
    );
    tally.each(
        "weak tables in a collection",
        |heap| {
            let (long, short, table) = lists(heap);
            let root = heap.root(table);
            let mut at = Some(long.get());
            while let Some(gc) = at {
                table.insert(heap, gc, short.get());
                at = heap[gc].next;
            }
            (long, short, root)
        },
        |heap, (long, _, table)| {
            heap.collect(&());
            let entries = table.get().iter(heap).count();
            assert_eq!(entries, 3000);
            assert_eq!(heap[&*long].number, 2999);
            Ok(())
        },
    );
    tally.each(
        "dead weak things",
        |heap| {
            let registry = heap.alloc(FinalizationRegistry::<u64>::new());
            let registry = heap.root(registry);
            for number in 0..200_u64 {
                let target = heap.alloc(number);
                registry.get().register(heap, target, number, None).expect("memory");
                heap.on_death(target, number);
                WeakRef::new(heap, target);
            }
            heap.end_of_job();
            registry
        },
        |heap, registry| {
            heap.collect(&());
            while registry.get().take_dead(heap).is_some() {}
            while heap.take_dead().is_some() {}
            Ok(())
        },
    );
    assert_eq!(tally.errors, 0);
    tally.say("collections");
}

#[test]
fn the_first_store_of_a_process() {
    let _alone = alone();
    // Where each test is a process of its own, this makes the registry.
    let count = for_each_allocation(|which| {
        ROOM.set(0);
        let outcome = refuse(which, || {
            ROOM.set(0);
            BackingStore::new(0).is_ok()
        });
        assert!(outcome.result || outcome.refused > 0, "{which:?}: failed for another reason");
        outcome
    });
    println!("the first store: {count} allocations, of which each was refused");
    let stores: Vec<_> = (0..200).map(|_| BackingStore::new(8).expect("memory")).collect();
    assert!(stores.iter().all(|store| registry::get(store).byte_length == 8));
}

#[test]
#[allow(clippy::too_many_lines, reason = "a list, one entry for each function")]
fn every_fallible_function_of_the_buffers() {
    let _alone = alone();
    release::set_mode(release::Mode::Inline);
    let mut tally = Tally::default();
    let buffer = |heap: &mut Heap| ArrayBuffer::new(heap, 100);
    let array = |heap: &mut Heap| TypedArray::with_length(heap, ElementKind::Int32, 25);
    tally.each("ArrayBuffer::new", nothing, |heap, ()| tried(ArrayBuffer::new(heap, 100)).map(drop));
    tally.each("ArrayBuffer::new, large", nothing, |heap, ()| tried(ArrayBuffer::new(heap, 1 << 20)).map(drop));
    tally.each("ArrayBuffer::new_or_collect", nothing, |heap, ()| {
        tried(ArrayBuffer::new_or_collect(heap, &(), 100)).map(drop)
    });
    tally.each("ArrayBuffer::resize", nothing, |heap, ()| {
        let buffer = tried(ArrayBuffer::new(heap, Layout::new(10).max(1 << 20)))?;
        tried(buffer.resize(heap, 1 << 19))
    });
    tally.each("ArrayBuffer::from_store", nothing, |heap, ()| {
        let store = tried(BackingStore::new(100))?;
        tried(ArrayBuffer::from_store(heap, store)).map(drop)
    });
    tally.each("ArrayBuffer::slice", nothing, |heap, ()| {
        let buffer = tried(buffer(heap))?;
        tried(buffer.slice(heap, 10.0, Some(50.0)))?;
        tried(buffer.slice_to_immutable(heap, 10.0, Some(50.0))).map(drop)
    });
    tally.each("ArrayBuffer::transfer", nothing, |heap, ()| {
        let buffer = tried(buffer(heap))?;
        let longer = tried(buffer.transfer(heap, Some(200)))?;
        let same = tried(longer.transfer_to_fixed_length(heap, None))?;
        tried(same.transfer_to_immutable(heap, None)).map(drop)
    });
    tally.each("ArrayBuffer::detach", nothing, |heap, ()| {
        let buffer = tried(buffer(heap))?;
        tried(buffer.detach(heap, DetachKey::Undefined))
    });
    tally.each("SharedArrayBuffer::new", nothing, |heap, ()| tried(SharedArrayBuffer::new(heap, 100)).map(drop));
    tally.each("SharedArrayBuffer::grow", nothing, |heap, ()| {
        let buffer = tried(SharedArrayBuffer::new(heap, Layout::new(10).max(1 << 20)))?;
        tried(buffer.grow(heap, 1 << 19))
    });
    tally.each("BackingStore::growable", nothing, |_, ()| {
        let store = tried(BackingStore::growable(10, 1000))?;
        tried(store.grow(20)).map(drop)
    });
    tally.each("BackingStore::copy_to and from", nothing, |_, ()| {
        let store = tried(BackingStore::shared(100))?;
        tried(store.copy_from(3, &[1, 2, 3]))?;
        tried(store.copy_to(3, &mut [0; 3]))
    });
    tally.each("TypedArray::new", nothing, |heap, ()| {
        let buffer = tried(buffer(heap))?;
        tried(TypedArray::new(heap, ElementKind::Float32, buffer, 0, None)).map(drop)
    });
    tally.each("TypedArray: set, fill, copy, slice", nothing, |heap, ()| {
        let array = tried(array(heap))?;
        tried(array.set(heap, 3, Element::Number(7.0)))?;
        tried(tried(array.validate_to_write(heap, "fill"))?.fill(heap, Element::Number(1.0), 0.0, None))?;
        tried(tried(array.validate_to_write(heap, "copyWithin"))?.copy_within(heap, 3.0, 0.0, None))?;
        tried(tried(array.validate(heap, "slice"))?.slice(heap, 3.0, None))?;
        tried(array.subarray(heap, 3.0, None)).map(drop)
    });
    tally.each("TypedArray::set_from_array", nothing, |heap, ()| {
        let (ints, floats) = (tried(array(heap))?, tried(TypedArray::with_length(heap, ElementKind::Float64, 25))?);
        tried(floats.set_from_array(heap, ints, 0.0))
    });
    tally.each("TypedArray::set_from_array, the same bytes", nothing, |heap, ()| {
        let ints = tried(array(heap))?;
        let floats = tried(TypedArray::new(heap, ElementKind::Float32, ints.buffer(heap), 0, None))?;
        tried(floats.set_from_array(heap, ints, 0.0))
    });
    tally.each("shared bytes: slice, copyWithin", nothing, |heap, ()| {
        let buffer = tried(SharedArrayBuffer::new(heap, 30_000))?;
        tried(buffer.slice(heap, 1.0, None))?;
        let bytes = tried(TypedArray::new(heap, ElementKind::Uint8, buffer, 0, None))?;
        tried(tried(bytes.validate_to_write(heap, "copyWithin"))?.copy_within(heap, 3.0, 0.0, None))
    });
    tally.each("DataView", nothing, |heap, ()| {
        let buffer = tried(buffer(heap))?;
        let view = tried(DataView::new(heap, buffer, 0, None))?;
        tried(view.set(heap, ElementKind::Int16, 3, Element::Number(7.0), Endian::Big))?;
        tried(view.get(heap, ElementKind::Int16, 3, Endian::Little)).map(drop)
    });
    tally.each("Atomics", nothing, |heap, ()| {
        let array = tried(array(heap))?;
        tried(tried(atomics::access(heap, array, 3))?.add(heap, Element::Number(1.0)))?;
        tried(atomics::notify(heap, array, 3, 1.0)).map(drop)
    });
    tally.each("Atomics: wait, waitAsync and notify", nothing, |heap, ()| {
        let shared = tried(SharedArrayBuffer::new(heap, 100))?;
        let array = tried(TypedArray::new(heap, ElementKind::Int32, shared, 0, None))?;
        let zero = Element::Number(0.0);
        tried(atomics::wait(heap, array, 0, zero, 0.0))?;
        let one = tried(atomics::wait_async(heap, array, 3, zero, f64::INFINITY))?;
        let other = tried(atomics::wait_async(heap, array, 3, zero, f64::INFINITY))?;
        let notified = tried(atomics::notify(heap, array, 3, f64::INFINITY))?;
        drop((one, other));
        if notified == 2 { Ok(()) } else { Err(Failed) }
    });
    tally.each("TypedArray: sort and sort_by", nothing, |heap, ()| {
        let array = tried(array(heap))?;
        tried(tried(array.validate_to_write(heap, "sort"))?.sort(heap))?;
        tried(tried(array.validate_to_write(heap, "sort"))?.sort_by(heap, |_, a, b| Ok::<_, Error>(b.order(&a))))
    });
    tally.each("TypedArray: base64", nothing, |heap, ()| {
        let array = tried(TypedArray::from_base64(heap, "Zm9vYmFy", Alphabet::Base64, LastChunk::Loose))?;
        tried(array.set_from_base64(heap, "Zm9v", Alphabet::Base64, LastChunk::Strict))?;
        tried(array.to_base64(heap, Alphabet::Base64Url, Padding::Omitted)).map(drop)
    });
    tally.each("TypedArray: hexadecimal", nothing, |heap, ()| {
        let array = tried(TypedArray::from_hex(heap, "00ff00ff"))?;
        tried(array.set_from_hex(heap, "ff00"))?;
        tried(array.to_hex(heap)).map(drop)
    });
    tally.each("Parcel", nothing, |heap, ()| {
        let (moved, copied) = (tried(buffer(heap))?, tried(buffer(heap))?);
        let shared = tried(SharedArrayBuffer::new(heap, 100))?;
        let mut parcel = Parcel::new();
        tried(parcel.transfer(heap, moved))?;
        tried(parcel.copy(heap, copied))?;
        // It cannot fail: the room that two had taken is enough for a third.
        parcel.share(heap, shared);
        tried(parcel.unpack(heap)).map(drop)
    });
    tally.say("arraybuffer");
}
