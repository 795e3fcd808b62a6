//! What can be wrong with a file.

use thiserror::Error;

/// A file is not a heap snapshot, or is a broken one.
///
/// # Examples
///
/// ```
/// use tumulus_snapshot::{Flaw, Snapshot};
///
/// let error = Snapshot::parse(b"{\"snapshot\": 7}").unwrap_err();
/// assert_eq!(error.to_string(), "at byte 13: expected an object");
/// assert_eq!((error.offset, error.flaw), (13, Flaw::Unexpected { expected: "an object" }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("at byte {offset}: {flaw}")]
#[non_exhaustive]
pub struct ReadError {
    /// Where it is, in bytes from the start.
    pub offset: usize,
    /// What it is.
    pub flaw: Flaw,
}

/// What is wrong with a file; part of a [`ReadError`].
///
/// # Examples
///
/// ```
/// use tumulus_snapshot::{Flaw, Snapshot};
///
/// assert_eq!(Snapshot::parse(b"").unwrap_err().flaw, Flaw::End);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The file ends in the midst of it.
    #[error("the file ends too early")]
    End,
    /// Something else is here than should be.
    #[error("expected {expected}")]
    Unexpected {
        /// What should be here.
        expected: &'static str,
    },
    /// There is more after the end.
    #[error("there is something after the end of the snapshot")]
    Trailing,
    /// A part is missing, or comes before one that it should come after.
    #[error("the part {name:?} is missing, or comes too late")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A part is there twice.
    #[error("the part {name:?} is there twice")]
    Twice {
        /// Its name.
        name: &'static str,
    },
    /// A field or a type that is needed is not in the list of them.
    #[error("the format has no {name:?}")]
    Format {
        /// Its name.
        name: &'static str,
    },
    /// A type that is not known is in the list of them.
    #[error("the format has a type {name:?}, which is not known")]
    UnknownType {
        /// Its name.
        name: String,
    },
    /// A number is too large for what it says.
    #[error("{value} is too large: {of} are fewer than {bound}")]
    Range {
        /// What it is the number of.
        of: &'static str,
        /// The number.
        value: u64,
        /// The smallest number that is too large.
        bound: u64,
    },
    /// A node is referred to by a number that is not the start of one.
    #[error("{value} is not the start of a node, which has {fields} numbers")]
    InsideNode {
        /// The number.
        value: u64,
        /// How many numbers a node has.
        fields: u64,
    },
    /// There are fewer or more of something than the head of the file says.
    #[error("there are {found} {of}, and {expected} were promised")]
    Count {
        /// What was counted.
        of: &'static str,
        /// How many there are.
        found: u64,
        /// How many there should be.
        expected: u64,
    },
    /// Two nodes have the same id.
    #[error("another node has the id {id}, too")]
    SameId {
        /// The id.
        id: u64,
    },
    /// A node cannot be reached from the root.
    #[error("node {node} cannot be reached from the root")]
    Unreachable {
        /// The place of the node among all.
        node: u32,
    },
    /// There is no node, so that there is no root.
    #[error("there is no node")]
    NoRoot,
}
