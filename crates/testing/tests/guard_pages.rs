//! Blocks between pages that are not mapped: who touches what is not his is ended by the system, in a process of its own here.

#![cfg(all(unix, not(miri)))]

use std::process::Command;
use std::sync::Arc;
use tumulus_arraybuffer::{Allocator, ArrayBuffer, BackingStore, Layout};
use tumulus_testing::{AccountingAllocator, Fault, GuardPages};

const VARIABLE: &str = "TUMULUS_GUARD_PAGES";

/// Runs a test of this program again, by itself, and says whether the system ended it for what it touched.
fn is_ended(test: &str, body: impl FnOnce()) -> Option<bool> {
    if std::env::var_os(VARIABLE).is_some_and(|name| name == test) {
        body();
        println!("nothing happened");
        return None;
    }
    let program = std::env::current_exe().expect("the path of this program");
    let output = Command::new(program)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, test)
        .output()
        .expect("a process");
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("nothing happened") && !told.contains("panicked"), "{said}{told}");
    // SIGSEGV, SIGBUS, or AddressSanitizer's word for them.
    Some(matches!(signal, Some(11 | 7 | 10)) || told.contains("SEGV") || told.contains("BUS"))
}

fn store(bytes: u64) -> (Arc<AccountingAllocator<GuardPages>>, BackingStore) {
    let allocator = Arc::new(AccountingAllocator::with_guard_pages());
    let store = BackingStore::with_allocator(&allocator, bytes).expect("memory");
    (allocator, store)
}

#[test]
fn a_write_behind_a_block() {
    let ended = is_ended("a_write_behind_a_block", || {
        let (_allocator, store) = store(160);
        // SAFETY: a mistake, which the system is to end.
        unsafe { store.data().add(160).write_volatile(1) };
    });
    assert_ne!(ended, Some(false));
}

#[test]
fn a_read_far_behind_a_block() {
    let ended = is_ended("a_read_far_behind_a_block", || {
        let (_allocator, store) = store(100_000);
        // SAFETY: a mistake, which the system is to end.
        unsafe { store.data().add(101_000).read_volatile() };
    });
    assert_ne!(ended, Some(false));
}

#[test]
fn a_write_to_a_freed_block() {
    let ended = is_ended("a_write_to_a_freed_block", || {
        let (_allocator, store) = store(160);
        let data = store.data();
        drop(store);
        // SAFETY: a mistake, which the system is to end.
        unsafe { data.add(3).write_volatile(1) };
    });
    assert_ne!(ended, Some(false));
}

#[test]
fn all_else_is_noticed_as_usual() {
    let (allocator, first) = store(100);
    first.with_bytes_mut(|bytes| bytes.fill(7)).expect("plain");
    // The bytes before, and those up to the next multiple of 16.
    for at in [-1, 100] {
        // SAFETY: a mistake, in memory that belongs to the allocator.
        unsafe { first.data().offset(at).write(1) };
        allocator.check();
        let faults = allocator.take_faults();
        assert!(matches!(faults[..], [Fault::OutOfBounds { offset, .. }] if offset == at), "{faults:?}");
    }
    let data = first.data();
    drop(first);
    // SAFETY: a mistake, which is not passed on.
    unsafe { allocator.free(data, 100) };
    let faults = allocator.take_faults();
    assert!(matches!(faults[..], [Fault::DoubleFree { .. }]), "{faults:?}");
    assert_eq!((allocator.allocations(), allocator.live_bytes()), (1, 0));
    allocator.assert_no_leaks();
}

#[test]
fn many_blocks_of_all_sizes() {
    let allocator = Arc::new(AccountingAllocator::with_guard_pages());
    let mut heap = tumulus_heap::Heap::new();
    for round in 0..400_u64 {
        let layout = Layout::new(round * 53 % 20_000).allocator(&allocator);
        let buffer = ArrayBuffer::new(&mut heap, layout).expect("memory");
        let bytes = buffer.as_mut_slice(&mut heap).expect("attached");
        assert!(bytes.iter().all(|&byte| byte == 0));
        bytes.fill(7);
        heap.safepoint(&());
    }
    heap.collect(&());
    allocator.assert_no_leaks();
    assert!(BackingStore::with_allocator(&Arc::new(GuardPages::new()), 1 << 50).is_err());
}
