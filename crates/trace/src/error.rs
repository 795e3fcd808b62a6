//! What can be wrong with a trace.

use thiserror::Error;

/// A file is not a trace, or is a broken one.
///
/// # Examples
///
/// ```
/// use tumulus_trace::{Flaw, info};
///
/// let error = info(&b"no trace at all"[..]).unwrap_err();
/// assert_eq!(error.to_string(), "at byte 0: this is not a trace of a tumulus heap");
/// assert_eq!((error.offset, error.flaw), (0, Flaw::NotATrace));
/// ```
#[derive(Debug, Error)]
#[error("at byte {offset}: {flaw}")]
#[non_exhaustive]
pub struct TraceError {
    /// Where the block begins in which it is, in bytes from the start.
    pub offset: u64,
    /// What it is.
    pub flaw: Flaw,
}

/// What is wrong with a trace; part of a [`TraceError`].
///
/// ```
/// use tumulus_trace::{Flaw, info};
///
/// assert_eq!(info(&b""[..]).unwrap_err().flaw, Flaw::End);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The file could not be read.
    #[error("cannot read: {message}")]
    Read {
        /// What the system says.
        message: String,
    },
    /// It does not begin as traces do.
    #[error("this is not a trace of a tumulus heap")]
    NotATrace,
    /// It was written by a later version of this crate.
    #[error("this trace has the format {version}, and this program reads up to {understood}; use a newer one")]
    Newer {
        /// Its format.
        version: u16,
        /// The newest format that is understood.
        understood: u16,
    },
    /// It was written by an earlier version of this crate.
    #[error("this trace has the format {version}, and this program reads {understood} and later ones; record it again")]
    Older {
        /// Its format.
        version: u16,
        /// The oldest format that is understood.
        understood: u16,
    },
    /// It ends in the midst of it.
    #[error("the trace ends too early: its recorder was not finished, or the file was cut off")]
    End,
    /// There is more after the end.
    #[error("there is something after the end of the trace")]
    Trailing,
    /// A block is not what was written.
    #[error("a block is damaged: {what}")]
    Damaged {
        /// In which way.
        what: &'static str,
    },
    /// An event says what cannot be.
    #[error("event {number} {what}")]
    Event {
        /// Which, from 0.
        number: u64,
        /// In which way it is wrong.
        what: &'static str,
    },
    /// It cannot be done again on this heap.
    #[error("event {number} cannot be replayed: {what}")]
    Replay {
        /// Which, from 0.
        number: u64,
        /// Why.
        what: &'static str,
    },
    /// Done again on a heap with other options, it has no room.
    #[error("event {number}: the heap's limit of {limit} bytes is reached")]
    Limit {
        /// Which event, from 0.
        number: u64,
        /// The limit.
        limit: usize,
    },
    /// There is no such place to cut at.
    #[error("the trace has no phase {name:?}")]
    NoPhase {
        /// What was asked for.
        name: String,
    },
    /// What was cut out could not be written.
    #[error("cannot write: {message}")]
    Write {
        /// What the system says.
        message: String,
    },
}
