//! Views of buffers: typed arrays and data views.
//!
//! | file | what is there |
//! |---|---|
//! | `kind.rs` | the kinds of elements, and conversions |
//! | `array.rs` | `TypedArray`, and its elements one by one |
//! | `borrow.rs` | elements as slices of Rust's |
//! | `witness.rs` | methods that take a range: validated, and validated again |
//! | `search.rs`, `sort.rs`, `set.rs` | methods with a file of their own |
//! | `data.rs` | `DataView` |
//! | `text.rs` | base64 and hexadecimal text |

mod array;
mod borrow;
mod data;
mod kind;
mod search;
mod set;
mod sort;
mod text;
mod witness;

pub(crate) use array::Extent;
pub use array::TypedArray;
pub use data::{DataView, Endian};
pub(crate) use kind::to_uint32;
pub use kind::{Element, ElementKind, Native};
pub use text::{Alphabet, LastChunk, Padding, Progress};
pub use witness::{Cursor, Witness};
