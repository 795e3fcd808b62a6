//! Faults: memory that is refused, limits that move, a background thread that is late, and a clock that jumps.
//!
//! | file | what is there |
//! |---|---|
//! | `failing.rs` | an allocator for the whole program that refuses what a test says |
//! | `refuse.rs` | which allocations of a piece of code are refused |
//! | `limits.rs` | a heap's limit that moves |
//! | `releaser.rs` | a background thread that lags, or is not there |
//! | `clock.rs` | a clock that jumps |

mod clock;
#[allow(unsafe_code, reason = "an allocator")]
mod failing;
mod limits;
mod refuse;
#[allow(unsafe_code, reason = "a byte whose deleter waits, freed by that deleter")]
mod releaser;

pub use clock::{Jump, clock, with_jumps};
pub use failing::FailingAllocator;
pub use limits::{at_each_limit, with_room};
pub use refuse::{Outcome, Refuse, for_each_allocation, refuse};
pub use releaser::{LaggingReleaser, without_releaser};
