//! What a trace consists of.

use crate::caveat::Caveat;
pub use tumulus_heap::hooks::{Kind, Operation, Outcome, RootGroup, Settings, Touching};

/// An event of a trace.
///
/// Objects have numbers, in the order of their [`Alloc`](Event::Alloc) events, from 0; so have types and forms.
///
/// ```
/// use tumulus_heap::Heap;
/// use tumulus_trace::{Event, Reader, Recorder};
///
/// let mut heap = Heap::new();
/// let recorder = Recorder::start(&mut heap, Vec::new())?;
/// heap.alloc([0_u64; 3]);
/// heap.collect(&());
/// let (file, _) = recorder.finish(&mut heap)?;
///
/// let mut reader = Reader::new(&file[..])?;
/// let mut allocations = 0;
/// while let Some(event) = reader.next_event()? {
///     allocations += u32::from(matches!(event, Event::Alloc { .. }));
/// }
/// assert_eq!(allocations, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The options of the heap. The first event, and no other.
    Settings(Settings),
    /// There is another type.
    Type {
        /// Its name, as the compiler writes it.
        name: String,
        /// What the collector knows of it.
        kind: Kind,
    },
    /// There is another form of objects: a type in cells of a size.
    Form {
        /// The number of the type.
        of: u32,
        /// The size of the cell, in units of 16 bytes.
        granules: u8,
        /// The value is in a block of its own.
        has_block: bool,
    },
    /// An object was made.
    Alloc {
        /// The number of its form.
        form: u32,
        /// Its block, if its form has one.
        block: Option<Block>,
    },
    /// An object was borrowed exclusively, or kept.
    Touch {
        /// Its number.
        object: u64,
        /// How.
        what: Touching,
    },
    /// An object has these edges now.
    Edges {
        /// Its number.
        object: u64,
        /// They.
        edges: Vec<EdgeTo>,
    },
    /// Elements of a long slice have these edges now.
    Elements {
        /// Its number.
        object: u64,
        /// The first of the elements.
        first: u32,
        /// The edges of each.
        elements: Vec<Vec<EdgeTo>>,
    },
    /// A group of roots has changed in one place.
    Roots {
        /// Which.
        group: RootGroup,
        /// So many stay as they are,
        keep: u64,
        /// so many that follow are gone,
        remove: u64,
        /// and these are in their place.
        insert: Vec<EdgeTo>,
    },
    /// The program asks for something.
    Operation {
        /// What for.
        operation: Operation,
        /// Bytes that were counted outside of the heap.
        external: usize,
        /// The limit.
        limit: usize,
        /// An allocation has failed since the last one.
        failed: bool,
    },
    /// It was done, and has left this.
    Outcome(Outcome),
    /// A phase of the program begins, by its own account.
    Phase {
        /// Its name.
        name: String,
    },
    /// Something has happened to a buffer, by the account of the program. What that means for collections is in the bytes
    /// outside of the heap.
    Buffer {
        /// What.
        change: BufferChange,
        /// Bytes of the buffer, afterwards.
        bytes: u64,
    },
    /// Something could not be recorded as it was.
    Caveat(Caveat),
}

/// The block of an object.
///
/// ```
/// use tumulus_trace::Block;
///
/// let text = Block { bytes: 5000, long: None };
/// assert_eq!(text.bytes, 5000);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its size.
    pub bytes: usize,
    /// Of a slice that is scanned in parts: its elements, and how many handles fit each of them.
    pub long: Option<(u32, u32)>,
}

/// An edge to an object of a trace.
///
/// ```
/// use tumulus_trace::EdgeTo;
///
/// let nowhere = EdgeTo { to: None, untyped: false };
/// assert!(nowhere.to.is_none());
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct EdgeTo {
    /// The number of the object; none, if it had died before the edge was recorded.
    pub to: Option<u64>,
    /// The edge was reported without a type.
    pub untyped: bool,
}

/// What happens to a buffer.
///
/// ```
/// use tumulus_trace::BufferChange;
///
/// assert_ne!(BufferChange::Detach, BufferChange::Drop);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BufferChange {
    /// Somebody outside holds its bytes from now on.
    Externalize,
    /// It has lost its bytes to somebody else.
    Detach,
    /// It has another size.
    Resize,
    /// Its bytes were released.
    Drop,
}

impl BufferChange {
    pub(crate) const ALL: [BufferChange; 4] =
        [BufferChange::Externalize, BufferChange::Detach, BufferChange::Resize, BufferChange::Drop];
}
