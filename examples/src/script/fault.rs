//! What can go wrong: faults, which the guest can catch, and errors, which the host is given.

use super::value::Value;
use std::fmt;
use tumulus_heap::AllocError;

/// Why the guest's program stopped, or its handler runs.
#[derive(Debug)]
pub enum Fault {
    /// It threw this.
    Thrown(Value),
    /// It did something that has no meaning.
    Wrong(String),
    /// Its heap is full, and collecting did not help.
    OutOfMemory,
}

/// A result of the guest's. The fault is boxed, so that this is no larger than a value.
pub type Outcome<T = Value> = Result<T, Box<Fault>>;

const _: () = assert!(size_of::<Outcome>() == 16);

impl<V> From<AllocError<V>> for Box<Fault> {
    fn from(_: AllocError<V>) -> Box<Fault> {
        Box::new(Fault::OutOfMemory)
    }
}

/// The fault of a guest that did something that has no meaning.
#[cold]
pub fn wrong<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Box::new(Fault::Wrong(message.into())))
}

/// Why a program gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is none.
    Syntax(String),
    /// It threw something that it did not catch. This is the text of it.
    Uncaught(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Error::Syntax(text) | Error::Uncaught(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for Error {}
