//! The unsafe half of the crate: memory, records of stores, and access to bytes.
//!
//! | file | what is there |
//! |---|---|
//! | `mapping.rs` | memory from the operating system |
//! | `classes.rs`, `pool.rs`, `chunk.rs`, `large.rs` | the default allocator |
//! | `record.rs` | what is known of a store, and the invariants R1 to R6 |
//! | `records.rs` | the table of all records, and what a thread has at hand |
//! | `lifecycle.rs` | how stores begin, change their size, and end |
//! | `words.rs` | shared bytes |
//! | `object.rs` | the buffer in the heap, and its bytes |
//! | `cast.rs` | bytes as numbers of other types |
//! | `exit.rs` | what is done when the process ends |
//!
//! What these export is safe, but for what says in its `# Safety` section what it needs.

mod cast;
mod chunk;
mod classes;
mod exit;
mod large;
mod lifecycle;
mod mapping;
mod object;
mod pool;
mod record;
mod records;
mod words;

pub use cast::Pod;
pub(crate) use cast::{elements, elements_mut};
pub(crate) use exit::at_exit;
pub(crate) use lifecycle::{
    Claimed, FirstRef, Foreign, GrowError, Wanted, When, allocate, begin, begin_foreign, free, nowhere, queue_is_empty,
    release_queue, trim, trim_all,
};
pub(crate) use object::{BufferObject, Bytes, BytesMut, copy_between};
pub(crate) use pool::IsZero;
pub(crate) use record::{BUFFER, HOLDER, OUTSIDE, Reading, Record, Release, Traits};
pub(crate) use records::with_table;
pub(crate) use words::Words;
