#![doc = include_str!("../README.md")]
//!
//! # Why this is a crate of its own
//!
//! Whoever makes snapshots in production does not need what reads them, and who looks at snapshots of node's needs no heap. It
//! knows the format only: of `tumulus-heap` it uses what any program can, to have a snapshot
//! [written](Snapshot::of_heap), and to [rebuild](Snapshot::rebuild) one.
//!
//! A graph is kept as columns of numbers, 29 bytes for a node and 9 for an edge. Questions that look at all of it, such as
//! [`Dominators`], make more columns, for as long as they are kept.

#![deny(unsafe_code)]

mod diff;
mod dominators;
mod error;
mod graph;
mod path;
mod read;
mod rebuild;
mod retainers;
mod summary;

pub use diff::{Change, Diff};
pub use dominators::{Dominators, Ephemerons};
pub use error::{Flaw, ReadError};
pub use graph::{Edge, EdgeType, Label, Node, NodeType, Snapshot};
pub use path::Path;
pub use rebuild::{Rebuilt, Replica};
pub use retainers::Retainers;
pub use summary::Group;
