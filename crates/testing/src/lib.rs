#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "an allocator, and guards around its blocks")]
mod accounting;
mod externalized;
pub mod faults;
mod liveness;
mod panics;
#[allow(unsafe_code, reason = "bytes whose deleter is watched, freed by that deleter")]
mod probe;
pub mod zeal;

pub use accounting::{AccountingAllocator, Fault, Life, Place};
pub use externalized::ManuallyExternalizedBuffer;
pub use liveness::{
    assert_alive, assert_collected, assert_external_bytes, assert_no_leaks, assert_released, collect_until_stable,
};
pub use panics::panic_message;
pub use probe::{Call, DeleterProbe};
