//! The two programs that put Tumulus beside its peers.
//!
//! | module | what is there |
//! |---|---|
//! | `suite` | what a program of this kind consists of: workloads, contestants, measurements |
//! | `command` | the command line, and the child that makes one measurement |
//! | `rounds` | the parent: starts the children, and checks that all of them computed the same |
//! | `allocator` | the process's allocator, chosen when the process starts |
//! | `clock` | CPU time, wall time and memory of a region of interest |
//! | `report` | what both reports have in common |
//! | `trees` | trees that all contestants build in the same order |
//! | `compare`, `pauses` | each program's own workloads, contestants and report |
//!
//! See the package's README for the method and its limits.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod allocator;
mod clock;
mod command;
mod compare;
mod pauses;
mod report;
mod rounds;
mod suite;
mod trees;

pub use compare::main as compare;
pub use pauses::main as pauses;
