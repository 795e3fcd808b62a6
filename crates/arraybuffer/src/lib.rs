#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[allow(unsafe_code, reason = "a trait whose implementors hand out memory, and three that do")]
mod allocator;
pub mod atomics;
mod buffer;
pub mod convert;
mod error;
#[allow(unsafe_code, reason = "bytes that an allocator gave")]
mod layout;
#[allow(unsafe_code, reason = "see the header of `raw/mod.rs`")]
mod raw;
pub mod registry;
pub mod release;
mod scratch;
#[allow(unsafe_code, reason = "bytes that somebody else owned")]
mod sources;
#[allow(unsafe_code, reason = "bytes that a claim makes one's own")]
mod store;
#[cfg_attr(tumulus_shuttle, allow(unsafe_code, reason = "a lock"))]
mod sync;
mod view;

pub use allocator::{ALIGN, Allocator, DefaultAllocator, LimitedAllocator, SystemAllocator};
pub use buffer::{
    ArrayBuffer, Buffer, DetachKey, LinearMemory, PAGE_BYTES, Parcel, SharedArrayBuffer, SliceWitness, Slot,
};
pub use error::{Error, ErrorKind, NoMemory, User};
pub use layout::{Layout, MAX_BYTE_LENGTH};
pub use store::BackingStore;
pub use view::{
    Alphabet, Cursor, DataView, Element, ElementKind, Endian, LastChunk, Native, Padding, Progress, TypedArray, Witness,
};
