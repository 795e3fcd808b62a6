//! The accounting allocator: each mistake is found, told from the others, and does no harm; what is right is not reported.

#![allow(unsafe_code, reason = "the mistakes that are to be found cannot be made otherwise")]

use std::ptr::NonNull;
use std::sync::Arc;
use std::thread;
use tumulus_arraybuffer::{
    ALIGN, Allocator, ArrayBuffer, BackingStore, Layout, LimitedAllocator, SharedArrayBuffer, SystemAllocator,
};
use tumulus_heap::Heap;
use tumulus_testing::{AccountingAllocator, Fault, panic_message};

fn accounting() -> Arc<AccountingAllocator> {
    Arc::new(AccountingAllocator::new())
}

/// Frees what may be no block.
fn free<A: Allocator>(allocator: &AccountingAllocator<A>, data: NonNull<u8>, bytes: usize) {
    // SAFETY: none is needed, as this allocator looks at the pointer before it does anything.
    unsafe { allocator.free(data, bytes) }
}

/// The one mistake, after a look at everything.
#[track_caller]
fn only_fault<A: Allocator>(allocator: &AccountingAllocator<A>) -> Fault {
    allocator.check();
    let mut faults = allocator.take_faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0)
}

/// Whether a report names the function that this one was called from, so many times.
#[track_caller]
fn assert_names(fault: &Fault, function: &str, times: usize) {
    let words = fault.to_string();
    if !cfg!(miri) {
        assert_eq!(words.matches(function).count(), times, "{words}");
    }
}

#[test]
fn what_is_right_is_not_reported() {
    let allocator = accounting();
    let mut heap = Heap::new();
    let largest = if cfg!(miri) { 1000 } else { 100_000 };
    for bytes in [1, 15, 16, 17, 117, 400, largest] {
        let data = allocator.allocate(bytes).unwrap();
        assert!(data.addr().get().is_multiple_of(ALIGN));
        // SAFETY: so many bytes were allocated, all zero.
        unsafe {
            assert!(std::slice::from_raw_parts(data.as_ptr(), bytes).iter().all(|&byte| byte == 0));
            data.write_bytes(0xfd, bytes);
            allocator.free(data, bytes);
        }
        let layout = Layout::new(bytes as u64).allocator(&allocator);
        let plain = ArrayBuffer::new(&mut heap, layout.clone()).unwrap();
        plain.as_mut_slice(&mut heap).unwrap().fill(0xdd);
        let shared = SharedArrayBuffer::new(&mut heap, layout.clone().uninitialized()).unwrap();
        let held = shared.externalize(&mut heap);
        thread::spawn(move || held.copy_from(0, &vec![7; bytes]).unwrap()).join().unwrap();
        assert_eq!(allocator.live_bytes(), 2 * bytes);
        heap.collect(&());
        allocator.assert_no_leaks();
    }
    assert_eq!((allocator.allocations(), allocator.live_bytes(), allocator.peak_bytes()), (21, 0, 2 * largest));
}

#[test]
fn an_early_free_names_who_has_the_bytes() {
    let allocator = accounting();
    let store = BackingStore::with_allocator(&allocator, 100).unwrap();
    free(&allocator, store.data(), 100);
    let fault = only_fault(&allocator);
    let Fault::EarlyFree { life, store: entry, .. } = &fault else { panic!("{fault}") };
    assert_eq!((life.bytes, life.number, entry.id, entry.holders), (100, 1, store.id(), 1));
    assert_names(&fault, "by accounting::an_early_free_names_who_has_the_bytes", 1);
    assert_names(&fault, "freed by accounting::free", 1);

    // The store does not know, and its bytes are still memory: poisoned, and reported when they are written to.
    assert!(store.with_bytes(|bytes| bytes.iter().all(|&byte| byte == 0xdd)).unwrap());
    store.with_bytes_mut(|bytes| bytes[99] = 1).unwrap();
    assert!(matches!(only_fault(&allocator), Fault::WriteAfterFree { offset: 99, .. }));
    drop(store);
    assert!(matches!(only_fault(&allocator), Fault::DoubleFree { .. }));
}

#[test]
fn a_double_free_names_all_three_places() {
    fn first(allocator: &AccountingAllocator, data: NonNull<u8>) {
        free(allocator, data, 8);
    }
    fn second(allocator: &AccountingAllocator, data: NonNull<u8>) {
        free(allocator, data, 8);
    }
    let allocator = accounting();
    let data = allocator.allocate(8).unwrap();
    first(&allocator, data);
    second(&allocator, data);
    let fault = only_fault(&allocator);
    let Fault::DoubleFree { life, again, .. } = &fault else { panic!("{fault}") };
    if !cfg!(miri) {
        let freed = life.freed.as_ref().unwrap().to_string();
        assert!(freed.contains("::free") && format!("{again:#}").contains("::second"), "{fault}");
        assert!(format!("{:#}", life.freed.as_ref().unwrap()).contains("::first"), "{fault}");
        assert!(life.born.to_string().contains("a_double_free_names_all_three_places"), "{fault}");
    }
    // The block was given back once, and its place can be allocated again.
    assert_eq!(allocator.live_bytes(), 0);
    let other = allocator.allocate(8).unwrap();
    free(&allocator, other, 8);
    allocator.assert_no_leaks();
}

#[test]
fn a_foreign_free_is_told_from_one_inside_of_a_block() {
    let allocator = accounting();
    let mut bytes = [0; 64];
    free(&allocator, NonNull::from(&mut bytes).cast(), 64);
    assert!(matches!(only_fault(&allocator), Fault::ForeignFree { inside: None, bytes: 64, .. }));

    let data = allocator.allocate(64).unwrap();
    // SAFETY: inside of the block.
    free(&allocator, unsafe { data.add(16) }, 48);
    let fault = only_fault(&allocator);
    assert!(matches!(&fault, Fault::ForeignFree { inside: Some(life), .. } if life.number == 1), "{fault}");
    assert!(fault.to_string().contains("byte 16 of a block"), "{fault}");
    // The block is as it was.
    free(&allocator, data, 64);
    allocator.assert_no_leaks();
}

#[test]
fn a_wrong_length_is_reported_and_the_right_one_given_back() {
    let limited = LimitedAllocator::new(SystemAllocator, 1 << 20);
    let allocator = AccountingAllocator::over(limited, 0);
    let data = allocator.allocate(100).unwrap();
    free(&allocator, data, 99);
    let fault = only_fault(&allocator);
    assert!(matches!(&fault, Fault::WrongLength { bytes: 99, life, .. } if life.bytes == 100), "{fault}");
    assert_eq!((allocator.live_bytes(), allocator.inner().used()), (0, 0));
}

#[test]
fn a_stray_write_is_found_on_either_side_and_once() {
    for offset in [-64, -1, 100, 111, 163] {
        let allocator = accounting();
        let data = allocator.allocate(100).unwrap();
        // SAFETY: not in the block, but in what the allocator has around it.
        unsafe { data.offset(offset).write(1) };
        let fault = only_fault(&allocator);
        assert!(matches!(fault, Fault::OutOfBounds { offset: at, .. } if at == offset), "{offset}: {fault}");
        allocator.assert_no_faults();
        // SAFETY: as above.
        unsafe { data.offset(offset).write(2) };
        free(&allocator, data, 100);
        assert!(matches!(only_fault(&allocator), Fault::OutOfBounds { .. }));
    }
}

#[test]
fn a_write_after_a_free_is_found_when_the_block_leaves_the_quarantine() {
    let allocator = AccountingAllocator::over(SystemAllocator, 100);
    let data = allocator.allocate(100).unwrap();
    free(&allocator, data, 100);
    // SAFETY: freed, but in quarantine.
    unsafe { data.add(50).write(0) };
    assert!(allocator.take_faults().is_empty());
    let other = allocator.allocate(1).unwrap();
    free(&allocator, other, 1);
    assert!(matches!(allocator.take_faults()[..], [Fault::WriteAfterFree { offset: 50, .. }]));
}

#[test]
fn a_leak_names_where_the_block_was_made_and_who_has_it() {
    let allocator = accounting();
    let mut heap = Heap::new();
    let buffer = ArrayBuffer::new(&mut heap, Layout::new(117).allocator(&allocator)).unwrap();
    let words = panic_message(|| allocator.assert_no_leaks()).unwrap();
    assert!(words.contains("1 blocks with 117 bytes") && words.contains("0 holders, 1 buffers"), "{words}");
    if !cfg!(miri) {
        assert!(words.contains("a_leak_names_where_the_block_was_made_and_who_has_it"), "{words}");
    }
    drop(buffer.externalize(&mut heap));
    drop(heap);
    allocator.assert_no_leaks();

    // One that no store has.
    let data = allocator.allocate(3).unwrap();
    let words = panic_message(|| allocator.assert_no_leaks()).unwrap();
    assert!(words.contains("no store has it"), "{words}");
    let words = panic_message(|| drop(allocator)).unwrap();
    assert!(words.contains("leak: block 2 of 3 bytes"), "{words}");
    // The memory is left to who leaked it: the guard before it is part of it.
    // SAFETY: allocated by the system's allocator with this size, and never freed.
    unsafe { SystemAllocator.free(data.sub(64), 16 + 128) }
}

#[test]
fn mistakes_that_nobody_looked_at_are_told_when_the_allocator_goes() {
    let allocator = AccountingAllocator::new();
    let data = allocator.allocate(3).unwrap();
    free(&allocator, data, 3);
    free(&allocator, data, 3);
    assert!(panic_message(|| drop(allocator)).unwrap().contains("double free: block 1 of 3 bytes"));
}

#[test]
fn memory_comes_back_to_the_allocator_beneath() {
    let limited = LimitedAllocator::new(SystemAllocator, 1 << 20);
    let allocator = Arc::new(AccountingAllocator::over(limited, 1000));
    for _ in 0..100 {
        drop(BackingStore::with_allocator(&allocator, 100).unwrap());
    }
    // What is in quarantine, and no more.
    assert_eq!(allocator.inner().used(), 10 * (112 + 128));
    assert!(BackingStore::with_allocator(&allocator, 1 << 20).is_err());
    assert_eq!((allocator.live_bytes(), allocator.allocations()), (0, 100));
    let too_much = allocator.max_bytes() as u64 + 1;
    assert!(BackingStore::with_allocator(&allocator, too_much).is_err());
    allocator.assert_no_leaks();
}

#[test]
fn threads_may_use_it_at_once() {
    let allocator = accounting();
    thread::scope(|scope| {
        for round in 1..=4_usize {
            let allocator = &allocator;
            scope.spawn(move || {
                for n in 1..=20 {
                    let store = BackingStore::with_allocator(allocator, (round * n) as u64).unwrap();
                    store.with_bytes_mut(|bytes| bytes.fill(round as u8)).unwrap();
                }
            });
        }
    });
    assert_eq!(allocator.allocations(), 80);
    allocator.assert_no_leaks();
}
