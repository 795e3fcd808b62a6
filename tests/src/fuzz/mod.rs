//! What the fuzz targets do with their bytes. The targets themselves, in `fuzz/`, only call these, and so does the test that
//! replays the corpus.
//!
//! | file | what it attacks | what it is compared with |
//! |---|---|---|
//! | `programs.rs` | a heap, by programs of objects, weak tables, buffers and collections | the reference model |
//! | `handles.rs` | handles: stale, of another heap, of another type | a list of what each was made for |
//! | `buffers.rs` | buffers: resized, detached, sliced, transferred, sent to another heap | vectors of bytes |
//! | `views.rs` | typed arrays and data views of buffers that change under them | conversions written plainly |
//! | `text.rs` | base64 and hexadecimal text | decoders written plainly |
//! | `snapshots.rs` | the reader of heap snapshots, and what answers questions about them | itself: what was read has to hold together |

mod buffers;
mod handles;
mod programs;
mod snapshots;
mod text;
mod views;

use arbitrary::{Arbitrary, Unstructured};

/// A fuzz target: its name is that of its program, and of the folder of its corpus.
#[derive(Copy, Clone, Debug)]
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// Does something with bytes, and panics if that shows a mistake.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "programs", run: programs::run },
    Target { name: "handles", run: handles::run },
    Target { name: "buffers", run: buffers::run },
    Target { name: "views", run: views::run },
    Target { name: "text", run: text::run },
    Target { name: "snapshots", run: snapshots::run },
];

/// Runs the target of this name.
///
/// # Panics
///
/// If there is none, or it finds a mistake.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target {name}"));
    (target.run)(bytes);
}

/// Bytes as a value of a type, if they are enough for one.
fn read<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(bytes)).ok()
}

/// One of those that there are.
fn pick<T: Copy>(of: &[T], number: u8) -> Option<T> {
    of.get(usize::from(number) % of.len().max(1)).copied()
}
