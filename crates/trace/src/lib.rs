#![doc = include_str!("../README.md")]
//!
//! # Files
//!
//! The format is described in `block.rs` (how events are packed) and `encode.rs` (how they are written); the guide has both in
//! a chapter of its own. `recorder.rs` makes a trace, `decode.rs` reads and checks it, `replay.rs` and `stage.rs` do it
//! again.

#![deny(unsafe_code)]

mod block;
mod caveat;
mod cut;
mod decode;
mod encode;
mod error;
mod event;
mod info;
mod recorder;
mod replay;
mod safepoints;
mod stage;

/// A budget as it is written in options: units of work, microseconds, or `unlimited`.
///
/// ```
/// use tumulus_heap::Budget;
///
/// assert_eq!(tumulus_trace::budget_text(Budget::work(500)), "500");
/// assert_eq!(tumulus_trace::budget_text(Budget::unlimited()), "unlimited");
/// ```
pub fn budget_text(budget: tumulus_heap::Budget) -> String {
    match tumulus_heap::hooks::budget_parts(budget) {
        (Some(units), _) => units.to_string(),
        (None, Some(nanoseconds)) => format!("{}us", nanoseconds.div_ceil(1000)),
        (None, None) => "unlimited".into(),
    }
}

pub use caveat::Caveat;
pub use cut::{Part, cut};
pub use decode::Reader;
pub use encode::Writer;
pub use error::{Flaw, TraceError};
pub use event::{Block, BufferChange, EdgeTo, Event, Kind, Operation, Outcome, RootGroup, Settings, Touching};
pub use info::{Info, PhaseInfo, TypeInfo, check, info};
pub use recorder::{Recorder, Summary};
pub use replay::{Divergence, Player, Replay, Replayed};
pub use safepoints::Safepoints;
