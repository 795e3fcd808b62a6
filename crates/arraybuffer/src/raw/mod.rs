//! The unsafe half of the crate: memory, records of stores, and access to bytes.
//!
//! | file | what is there |
//! |---|---|
//! | `mapping.rs` | memory from the operating system |
//! | `blocks.rs`, `classes.rs`, `pool.rs`, `chunk.rs`, `large.rs` | the default allocator |
//! | `record.rs` | what is known of a store, and the invariants R1 to R6 |
//! | `records.rs` | the table of all records, and what a thread has at hand |
//! | `directory.rs`, `shelf.rs` | where the records are, by number; what lies side by side, a bit for each |
//! | `wrapped.rs` | raw pointers that were wrapped |
//! | `begin.rs` | how stores begin |
//! | `lifecycle.rs` | how references to them come and go, and how they end |
//! | `resize.rs` | how they change their size |
//! | `queue.rs` | what waits to be released |
//! | `prefetch.rs` | hints to the processor |
//! | `words.rs` | shared bytes |
//! | `object.rs` | the buffer in the heap, and its bytes |
//! | `cast.rs` | bytes as numbers of other types |
//! | `exit.rs` | what is done when the process ends |
//!
//! What these export is safe, but for what says in its `# Safety` section what it needs.

mod begin;
mod blocks;
mod cast;
mod chunk;
mod classes;
mod directory;
mod exit;
mod large;
mod lifecycle;
mod mapping;
mod object;
mod pool;
mod prefetch;
mod queue;
mod record;
mod records;
mod resize;
mod shelf;
mod words;
mod wrapped;

pub(crate) use begin::{FirstRef, Foreign, Refused, Wanted, begin, begin_foreign, nowhere};
pub(crate) use blocks::{allocate, free, trim, trim_all};
pub use cast::Pod;
pub(crate) use cast::{elements, elements_mut};
pub(crate) use classes::LARGEST as LARGEST_SMALL;
pub(crate) use exit::at_exit;
pub(crate) use lifecycle::{Claimed, When, forget_panic};
pub(crate) use object::{BufferObject, Bytes, BytesMut, NODE_NAME, copy_between};
pub(crate) use pool::IsZero;
pub(crate) use queue::{is_empty as queue_is_empty, release_all as release_queue};
pub(crate) use record::{BUFFER, HOLDER, OUTSIDE, Reading, Record, Release, Traits};
pub(crate) use records::with_table;
pub(crate) use resize::GrowError;
pub(crate) use words::{Words, signed};
