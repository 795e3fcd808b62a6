//! The process's allocator, chosen when the process starts.
//!
//! Some contestants live on the global allocator, and their figures depend on it more than on anything they do
//! themselves. One binary has to serve both kinds, so the global allocator is a switch: the environment variable
//! [`VARIABLE`] says which of the two a process uses, and the first allocation reads it.
//!
//! This is the one file of the package with `unsafe` code. Its invariants:
//!
//! 1. *One allocator for life.* [`CHOICE`] is written with one value only, however many threads race to write it,
//!    because it is computed from the environment, which nothing in this program changes. Every block is
//!    therefore freed by the allocator that made it.
//! 2. *No allocation inside.* Reading the choice does not allocate: `getenv` returns a pointer into the environment.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::CStr;
use std::sync::atomic::{AtomicU8, Ordering};

use mimalloc::MiMalloc;

/// The environment variable that a parent sets for its child; `mimalloc` picks mimalloc, anything else the system's.
pub const VARIABLE: &str = "TUMULUS_BENCH_ALLOCATOR";
const VARIABLE_C: &CStr = c"TUMULUS_BENCH_ALLOCATOR";

/// An allocator that a contestant can be run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocator {
    /// What the platform's C library gives.
    System,
    /// The `mimalloc` crate, with its default features.
    MiMalloc,
}

impl Allocator {
    /// The value of [`VARIABLE`] that picks this allocator.
    pub const fn name(self) -> &'static str {
        match self {
            Allocator::System => "system",
            Allocator::MiMalloc => "mimalloc",
        }
    }
}

struct Switch;

#[global_allocator]
static GLOBAL: Switch = Switch;

const UNDECIDED: u8 = 0;
const SYSTEM: u8 = 1;
const MIMALLOC: u8 = 2;

static CHOICE: AtomicU8 = AtomicU8::new(UNDECIDED);

/// Reads the environment and writes [`CHOICE`]. What follows costs one load and one branch for each call.
#[cold]
#[inline(never)]
fn decide_slow() {
    // SAFETY: the name is a C string, and nothing in this program writes to the environment while this reads it.
    let value = unsafe { libc::getenv(VARIABLE_C.as_ptr()) };
    // SAFETY: a pointer of `getenv` that is not null is a C string, valid while the environment is not written.
    let picked = !value.is_null() && unsafe { CStr::from_ptr(value) } == c"mimalloc";
    CHOICE.store(if picked { MIMALLOC } else { SYSTEM }, Ordering::Relaxed);
}

/// The first allocation. It is apart so that the others are a jump to the allocator, without a frame of their own.
///
/// # Safety
///
/// As for [`GlobalAlloc::alloc`].
#[cold]
#[inline(never)]
unsafe fn alloc_slow(layout: Layout) -> *mut u8 {
    decide_slow();
    // SAFETY: the caller's promise about `layout`, handed on.
    unsafe { GLOBAL.alloc(layout) }
}

/// # Safety
///
/// As for [`GlobalAlloc::alloc_zeroed`].
#[cold]
#[inline(never)]
unsafe fn alloc_zeroed_slow(layout: Layout) -> *mut u8 {
    decide_slow();
    // SAFETY: the caller's promise about `layout`, handed on.
    unsafe { GLOBAL.alloc_zeroed(layout) }
}

// SAFETY: every method hands its arguments on unchanged to one of two allocators that keep the contract of
// `GlobalAlloc`, and by invariant 1 to the same one for the life of the process, so a block comes back to its maker.
// By invariant 2 the switch itself does not allocate, and it cannot unwind.
unsafe impl GlobalAlloc for Switch {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match CHOICE.load(Ordering::Relaxed) {
            // SAFETY: the caller's promise about `layout`, handed on.
            MIMALLOC => unsafe { MiMalloc.alloc(layout) },
            // SAFETY: the caller's promise about `layout`, handed on.
            SYSTEM => unsafe { System.alloc(layout) },
            // SAFETY: the caller's promise about `layout`, handed on.
            _ => unsafe { alloc_slow(layout) },
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // There is a block, so the choice was made.
        if CHOICE.load(Ordering::Relaxed) == MIMALLOC {
            // SAFETY: the caller's promise about `block` and `layout`; mimalloc made the block (invariant 1).
            unsafe { MiMalloc.dealloc(block, layout) }
        } else {
            // SAFETY: the caller's promise about `block` and `layout`; the system made the block (invariant 1).
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match CHOICE.load(Ordering::Relaxed) {
            // SAFETY: the caller's promise about `layout`, handed on.
            MIMALLOC => unsafe { MiMalloc.alloc_zeroed(layout) },
            // SAFETY: the caller's promise about `layout`, handed on.
            SYSTEM => unsafe { System.alloc_zeroed(layout) },
            // SAFETY: the caller's promise about `layout`, handed on.
            _ => unsafe { alloc_zeroed_slow(layout) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // There is a block, so the choice was made.
        if CHOICE.load(Ordering::Relaxed) == MIMALLOC {
            // SAFETY: the caller's promise about all three; mimalloc made the block (invariant 1).
            unsafe { MiMalloc.realloc(block, layout, new_size) }
        } else {
            // SAFETY: the caller's promise about all three; the system made the block (invariant 1).
            unsafe { System.realloc(block, layout, new_size) }
        }
    }
}
