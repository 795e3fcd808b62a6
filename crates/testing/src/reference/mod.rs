//! A naive model of a heap, and a machine that runs the same program on both.
//!
//! | file | what is there |
//! |---|---|
//! | `step.rs` | programs, and how bytes are read as one |
//! | `model.rs` | what should be alive, found by search from the roots |
//! | `machine.rs` | a heap beside a model |

mod machine;
mod model;
mod step;

pub use machine::Machine;
pub use step::{Step, decode};
