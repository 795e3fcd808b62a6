#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "an allocator, and guards around its blocks")]
mod accounting;
mod externalized;
pub mod faults;
mod liveness;
mod panics;
mod path;
#[allow(unsafe_code, reason = "bytes whose deleter is watched, freed by that deleter")]
mod probe;
pub mod reference;
pub mod zeal;

#[cfg(all(unix, not(miri)))]
pub use accounting::GuardPages;
pub use accounting::{AccountingAllocator, Fault, Life, Place};
pub use externalized::ManuallyExternalizedBuffer;
pub use liveness::{
    assert_alive, assert_collected, assert_external_bytes, assert_no_leaks, assert_released, collect_until_stable,
};
pub use panics::panic_message;
pub use path::path_to;
pub use probe::{Call, DeleterProbe};
