//! A naive model of a heap, and a machine that runs the same program on both.
//!
//! | file | what is there |
//! |---|---|
//! | `step.rs` | programs, and how bytes are read as one |
//! | `model.rs` | what should be alive, found by search from the roots |
//! | `machine.rs` | a heap beside a model |
//! | `program.rs` | a program and the heap that it is for, as a fuzzer makes them |

mod machine;
mod model;
mod program;
mod step;

pub use machine::Machine;
pub use program::Program;
pub use step::{Step, decode};
