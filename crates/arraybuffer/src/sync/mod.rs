//! Locks, atomics and threads for what several threads share: those of `parking_lot` and of the standard library, or, under
//! `--cfg tumulus_shuttle`, the same with a step of Shuttle's before each operation (`scheduled.rs`).
//!
//! Not from here: the words of shared bytes, which are in memory of others, and what only counts.

#[cfg(tumulus_shuttle)]
mod scheduled;
#[cfg(tumulus_shuttle)]
pub(crate) use scheduled::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Condvar, Mutex, MutexGuard, RawMutex, thread,
    thread_local,
};

#[cfg(not(tumulus_shuttle))]
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RawMutex};
#[cfg(not(tumulus_shuttle))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU64, AtomicUsize};
#[cfg(not(tumulus_shuttle))]
pub(crate) use std::{thread, thread_local};
