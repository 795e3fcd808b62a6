//! An allocator for the whole program that refuses what a test says.

use super::refuse;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;

/// An allocator for a test program, which refuses the allocations that [`refuse`](super::refuse()) says, on the thread that says
/// it.
///
/// It has to be the program's: without it, `refuse` panics, so that no test passes because nothing was refused.
///
/// # Examples
///
/// ```
/// use tumulus_testing::faults::{FailingAllocator, Refuse, refuse};
///
/// #[global_allocator]
/// static ALLOCATOR: FailingAllocator = FailingAllocator::new();
///
/// fn main() {
///     let mut list: Vec<u8> = Vec::new();
///     let outcome = refuse(Refuse::Once(1), || list.try_reserve(100).is_err());
///     assert!(outcome.result);
///     assert_eq!((outcome.allocations, outcome.refused), (1, 1));
/// }
/// ```
#[derive(Copy, Clone, Debug, Default)]
pub struct FailingAllocator<A = System> {
    inner: A,
}

impl FailingAllocator {
    /// One over the system's allocator.
    ///
    /// ```
    /// const ALLOCATOR: tumulus_testing::faults::FailingAllocator = tumulus_testing::faults::FailingAllocator::new();
    /// ```
    pub const fn new() -> FailingAllocator {
        FailingAllocator { inner: System }
    }
}

impl<A> FailingAllocator<A> {
    /// One over another allocator.
    ///
    /// ```
    /// use std::alloc::System;
    /// use tumulus_testing::faults::FailingAllocator;
    ///
    /// const ALLOCATOR: FailingAllocator = FailingAllocator::over(System);
    /// ```
    pub const fn over(inner: A) -> FailingAllocator<A> {
        FailingAllocator { inner }
    }
}

// SAFETY: each function either hands its arguments on unchanged to an allocator that keeps the contract, or returns null, which
// the contract allows; a block that was not enlarged is left as it was. `is_refused` neither allocates nor unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for FailingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refuse::is_refused() {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if refuse::is_refused() {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Who makes a block smaller does not expect to be refused.
        if new_size > layout.size() && refuse::is_refused() {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { self.inner.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.inner.dealloc(block, layout) }
    }
}
