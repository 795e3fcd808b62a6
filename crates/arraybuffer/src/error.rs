//! What can go wrong, each with the numbers, and which of the language's errors it is.

use std::panic::Location;
use thiserror::Error;
use tumulus_heap::AllocError;

/// Which of the language's errors an interpreter should throw.
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, ErrorKind};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let error = ArrayBuffer::new(&mut heap, 1 << 60).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::RangeError);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A `TypeError`.
    TypeError,
    /// A `RangeError`.
    RangeError,
    /// A `SyntaxError`, of malformed base64 and hexadecimal text.
    SyntaxError,
}

/// Why an operation was not done. Nothing has changed then, unless the operation says so.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, DetachKey, Error};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, 8)?;
/// buffer.detach(&mut heap, DetachKey::Undefined)?;
/// let error = buffer.slice(&mut heap, 0.0, None).unwrap_err();
/// assert_eq!(error, Error::Detached { operation: "slice" });
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The buffer was detached.
    #[error("{operation}: the buffer is detached; ask `detached` before it is used")]
    Detached {
        /// What was to be done.
        operation: &'static str,
    },
    /// The view reaches, or begins, beyond the end of its buffer, which has become shorter.
    #[error(
        "{operation}: the view is out of bounds: it begins at byte {byte_offset} of a buffer of {byte_length} bytes, and \
         has {length:?} bytes of its own"
    )]
    OutOfBounds {
        /// What was to be done.
        operation: &'static str,
        /// Where the view begins.
        byte_offset: usize,
        /// Its length in bytes; `None` if it follows the buffer's.
        length: Option<usize>,
        /// The length of the buffer.
        byte_length: usize,
    },
    /// The buffer is immutable.
    #[error("{operation}: the buffer is immutable; copy it with `slice`")]
    Immutable {
        /// What was to be done.
        operation: &'static str,
    },
    /// The key is not the one that the buffer was given.
    #[error("the buffer has another detach key; only who has set it can detach it")]
    DetachKey,
    /// The buffer may not be detached.
    #[error("{operation}: the buffer may not be detached: it is in use as a linear memory, or was marked so")]
    NotDetachable {
        /// What was to be done.
        operation: &'static str,
    },
    /// A shared store or buffer where a plain one is wanted.
    #[error("{operation}: the bytes are shared; use a SharedArrayBuffer")]
    IsShared {
        /// What was to be done.
        operation: &'static str,
    },
    /// A plain store or buffer where a shared one is wanted.
    #[error("{operation}: the bytes are not shared; use an ArrayBuffer")]
    NotShared {
        /// What was to be done.
        operation: &'static str,
    },
    /// A buffer of fixed length was to be resized or to grow.
    #[error("{operation}: the buffer has a fixed length of {byte_length} bytes; make it with a maximum")]
    NotResizable {
        /// What was to be done.
        operation: &'static str,
        /// The length.
        byte_length: usize,
    },
    /// The new buffer is the old one, or has the same bytes.
    #[error("{operation}: the new buffer has the bytes of the old one; make another")]
    SameBuffer {
        /// What was to be done.
        operation: &'static str,
    },
    /// The new buffer, or array, is shorter than it should be.
    #[error("{operation}: {byte_length} bytes are too few for {needed}; make the new one as long as was asked")]
    TooShort {
        /// What was to be done.
        operation: &'static str,
        /// How many bytes it should have.
        needed: usize,
        /// How many it has.
        byte_length: usize,
    },
    /// `BigInt`s and numbers do not mix.
    #[error("{operation}: BigInts and numbers cannot be mixed; convert explicitly")]
    ContentType {
        /// What was to be done.
        operation: &'static str,
    },
    /// The view is of the wrong kind for the operation.
    #[error("{operation}: not for a {kind}; it takes {expected}")]
    ViewKind {
        /// What was to be done.
        operation: &'static str,
        /// What the view is.
        kind: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The store's bytes are touched by somebody else, as a heap has it or code outside is at it.
    #[error("{operation}: the bytes of store {id} are in use by {by}; plain bytes can be in one heap at a time")]
    InUse {
        /// What was to be done.
        operation: &'static str,
        /// The store.
        id: u64,
        /// Who uses them.
        by: User,
    },
    /// The pointer was wrapped before, and its store lives.
    #[error("{bytes} bytes at {address:#x} are wrapped already, by store {first}, made at {born}; clone that one")]
    AlreadyWrapped {
        /// The pointer.
        address: usize,
        /// How many bytes were to be wrapped.
        bytes: usize,
        /// The store that has them.
        first: u64,
        /// Where it was made.
        born: &'static Location<'static>,
    },
    /// A null pointer with a length.
    #[error("a null pointer cannot lead to {bytes} bytes")]
    Null {
        /// The length.
        bytes: usize,
    },
    /// A length is larger than is possible.
    #[error("{operation}: a length of {requested} bytes is above the maximum of {max}")]
    Length {
        /// What was to be done.
        operation: &'static str,
        /// What was asked for.
        requested: u64,
        /// What is possible.
        max: u64,
    },
    /// A growable buffer cannot become shorter.
    #[error("grow: a length of {requested} bytes is below the {current} that there are; shared buffers do not shrink")]
    Shrink {
        /// What was asked for.
        requested: u64,
        /// What there is.
        current: usize,
    },
    /// A number is no index.
    #[error("{operation}: {value} is no index; it has to be between 0 and 2^53 - 1")]
    Index {
        /// What was to be done.
        operation: &'static str,
        /// The number.
        value: f64,
    },
    /// A range does not fit.
    #[error("{operation}: {length} from {offset} on do not fit {available}")]
    Range {
        /// What was to be done.
        operation: &'static str,
        /// Where the range begins.
        offset: u64,
        /// How long it is.
        length: u64,
        /// How much there is.
        available: u64,
    },
    /// An offset or a length is no multiple of the element's size, or an address is not.
    #[error("{operation}: {value} is no multiple of {element_size}, the size of an element of a {kind}")]
    Alignment {
        /// What was to be done.
        operation: &'static str,
        /// The offset, length or address.
        value: u64,
        /// The size of an element.
        element_size: usize,
        /// The kind of view.
        kind: &'static str,
    },
    /// There is no memory for it.
    #[error("{operation}: no memory for {requested} bytes: {reason}")]
    OutOfMemory {
        /// What was to be done.
        operation: &'static str,
        /// How many bytes were asked for.
        requested: usize,
        /// Who has none.
        reason: NoMemory,
    },
    /// Text is not what it should be.
    #[error("{operation}: {problem} at character {position}")]
    Syntax {
        /// What was to be done.
        operation: &'static str,
        /// What is wrong.
        problem: &'static str,
        /// Where it is.
        position: usize,
    },
}

/// Who uses the bytes of a store.
///
/// ```
/// use tumulus_arraybuffer::User;
///
/// assert_eq!(User::Heap(7).to_string(), "heap 7");
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// The heap of this [number](tumulus_heap::HeapId::get).
    Heap(u64),
    /// Code outside, which is reading or writing now.
    Outside,
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            User::Heap(id) => write!(f, "heap {id}"),
            User::Outside => f.write_str("code outside of all heaps"),
        }
    }
}

/// Why there is no memory.
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, Error, NoMemory};
///
/// let mut heap = tumulus_heap::Heap::builder().limit(1 << 20).build();
/// let error = ArrayBuffer::new(&mut heap, 2 << 20).unwrap_err();
/// assert!(matches!(error, Error::OutOfMemory { requested: 0x200000, reason: NoMemory::Heap(_), .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoMemory {
    /// The heap's limit, or it has no room for the object.
    #[error("{0}")]
    Heap(AllocError),
    /// The allocator.
    #[error("the allocator has none; collect, or free something else")]
    Allocator,
}

impl Error {
    /// Which of the language's errors this is.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Error, ErrorKind};
    /// assert_eq!(Error::DetachKey.kind(), ErrorKind::TypeError);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Length { .. }
            | Error::Shrink { .. }
            | Error::Index { .. }
            | Error::Range { .. }
            | Error::Alignment { .. }
            | Error::OutOfMemory { .. } => ErrorKind::RangeError,
            Error::Syntax { .. } => ErrorKind::SyntaxError,
            _ => ErrorKind::TypeError,
        }
    }

    /// Whether a collection may help.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        matches!(self, Error::OutOfMemory { .. })
    }
}
