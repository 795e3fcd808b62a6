//! Faults: memory that is refused, and limits that move.
//!
//! | file | what is there |
//! |---|---|
//! | `failing.rs` | an allocator for the whole program that refuses what a test says |
//! | `refuse.rs` | which allocations of a piece of code are refused |
//! | `limits.rs` | a heap's limit that moves |

#[allow(unsafe_code, reason = "an allocator")]
mod failing;
mod limits;
mod refuse;

pub use failing::FailingAllocator;
pub use limits::{at_each_limit, with_room};
pub use refuse::{Outcome, Refuse, for_each_allocation, refuse};
