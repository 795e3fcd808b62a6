//! The unsafe core: cells, the tables beside them, and everything that memory safety rests on.
//!
//! The functions that this module exports are safe. Inside of it, each `SAFETY` comment names the invariants that it
//! leans on. They are argued at length in the soundness chapter of the guide, and [`Heap::verify`](crate::Heap::verify)
//! checks those that can be checked.
//!
//! - **I1, borders.** A page number has one stride in all heaps of the process, for ever (`classes.rs`). Cells start
//!   at the multiples of the stride from the start of the page. The cages of all heaps are of one size (`store.rs`).
//! - **I2, handles.** A handle is made only by `Store::commit`, for the cell that is being filled, and by the walk over
//!   cells that are alive, from what `commit` wrote there (`handle.rs`, `inspect.rs`, `describe.rs`).
//! - **I3, headers.** The first four bytes at a cell border are the stamp of the object in the cell, or zero. They are
//!   written by `Store::commit` and by the sweep, and by nothing else.
//! - **I4, stamps.** A stamp belongs to one heap, and to one epoch of it: between two sweeps a cell is handed out at
//!   most once. So an index and a stamp together name one object, in all heaps and for ever (`stamps.rs`).
//! - **I5, values.** A cell with a stamp holds a value of the type of its page. A page changes its type only while it
//!   has no such cell.
//! - **I6, live bits.** Outside of the pages that are allocated in, and there once they are published, a granule has a live
//!   bit exactly if a cell with a stamp starts there.
//! - **I7, blocks.** An outline cell with a stamp owns its block, alone.
//! - **I8, exclusion.** References into cells borrow the store. User code that runs while the store is being changed
//!   (`Trace`, `Drop`, the closures of allocation) has no way to reach it.
//! - **I9, memory.** The cage can be read and written over its whole length, and what was never written, or was given
//!   back, reads as zero (`region.rs`). Only pages without objects are given back.
//! - **I10, runs.** The free cells of a page on the list of those with room are those that its links lead to (`runs.rs`).
//! - **I11, replicas.** A cell of a page whose type is one of replicas was written by `Store::put_replica`, in the flavour of
//!   that type (`replica.rs`).

#![allow(unsafe_code)]

mod bits;
mod classes;
#[cfg(test)]
mod crowded;
mod cycle;
mod describe;
mod ephemerons;
mod fill;
mod handle;
mod inspect;
mod layout;
mod mark;
mod object;
mod pages;
mod parts;
mod prefetch;
mod prune;
mod recheck;
mod reclaim;
mod region;
mod remember;
mod replica;
mod root_table;
mod runs;
mod shared;
mod spaces;
mod stack;
mod stamps;
mod store;
mod sweep;
mod upgrade;
mod waiting;
mod watch;
mod worklist;

pub(crate) use cycle::{Extent, Stop};
pub(crate) use ephemerons::Watcher;
pub(crate) use fill::Vacancy;
pub use handle::{AnyGc, Gc, Handle};
pub(crate) use inspect::{CellView, Exactness, SpaceView};
pub(crate) use layout::{PAGE_BYTES, requested_bytes};
pub(crate) use mark::Marker;
pub use object::Object;
pub(crate) use object::TypeInfo;
#[cfg(test)]
pub(crate) use pages::Page;
pub(crate) use replica::{Form, Unfit};
pub(crate) use root_table::{RootSlot, RootTable};
pub(crate) use shared::Shared;
pub(crate) use stamps::leave_only;
pub(crate) use store::{NotDisjoint, Store};
pub(crate) use upgrade::Kept;
pub(crate) use watch::{Born, Fresh, Policy, Touched};
