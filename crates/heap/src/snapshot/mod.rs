//! Snapshots of the heap in the format of V8, as DevTools, memlab and others read it.
//!
//! A snapshot is written as a stream. The file wants to know how many nodes and edges there are before it comes to the first,
//! and how many edges each node has before it comes to these; so all objects describe themselves several times, in the order
//! of their addresses:
//!
//! 1. What can be reached is searched for, from the roots (`reach.rs`). That it can be is one bit in a census (`census.rs`),
//!    and its number in the file is how many bits are before that one.
//! 2. Edges are counted (`edges.rs`).
//! 3. Nodes are written, with names (`names.rs`) and with ids that last from snapshot to snapshot (`ids.rs`).
//! 4. Edges are written.
//! 5. Objects with texts of their own, such as strings, describe themselves again, and these texts are written.
//!
//! What this takes beside the heap is the ids, a worklist, the census, and each name of edges, types and objects once. Nothing that the
//! collector knows of is changed: what was alive is alive, and no more.
//!
//! What is *not* here: how a snapshot is read and asked, which is the crate `tumulus-snapshot`.

mod census;
mod edges;
mod ids;
mod names;
mod reach;
mod roots;
mod text;
mod write;

pub(crate) use ids::Ids;

use crate::heap::Heap;
use crate::trace::Trace;
use roots::Roots;
use std::io::{self, Write};

/// What a snapshot contains; from [`Heap::write_snapshot`].
///
/// # Examples
///
/// ```
/// let mut heap = tumulus_heap::Heap::new();
/// let pair = heap.alloc((1, 2));
/// let summary = heap.write_snapshot(&pair, std::io::sink())?;
/// assert_eq!((summary.objects, summary.self_bytes), (1, 16));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotSummary {
    /// Objects of the heap.
    pub objects: u64,
    /// Nodes in all: objects, memory outside of the heap, and the roots.
    pub nodes: u64,
    /// Edges between them.
    pub edges: u64,
    /// The own sizes of all nodes together.
    pub self_bytes: u64,
}

impl Heap {
    /// Writes what can be reached from `roots`, from [`Root`](crate::Root)s and from open scopes in V8's `.heapsnapshot`
    /// format: for DevTools' Memory panel, where a file of that ending can be loaded, and for the crate `tumulus-snapshot`.
    ///
    /// Objects have the names of their types, and edges those of fields, variants and indices, as the derive of [`Trace`]
    /// names them; [`Trace::describe`] can say otherwise. An object's own size is that of its cell and block.
    ///
    /// An object has the same id in each snapshot of its heap, and no two objects ever have the same, so that snapshots can be
    /// compared. For that the heap keeps 4 bytes for each object from the first snapshot on. While it is written, a snapshot
    /// takes some 10 bytes more for each object.
    ///
    /// It is not a collection: nothing dies. Objects that are not reachable are not in the snapshot, whether they have been
    /// freed or not.
    ///
    /// # Errors
    ///
    /// What the writer says. [`io::ErrorKind::InvalidData`] if a `describe` of the program's says something else each time.
    ///
    /// # Panics
    ///
    /// If a `describe` panics. The heap is as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::{Gc, Heap, Trace};
    ///
    /// #[derive(Trace)]
    /// struct Window {
    ///     title: Gc<str>,
    ///     children: Vec<Gc<Window>>,
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let (inner, outer) = (heap.alloc_str("inner"), heap.alloc_str("outer"));
    /// let child = heap.alloc(Window { title: inner, children: vec![] });
    /// let window = heap.alloc(Window { title: outer, children: vec![child] });
    ///
    /// let mut file = Vec::new(); // or a `File`, which need not be buffered
    /// let summary = heap.write_snapshot(&window, &mut file)?;
    /// assert_eq!(summary.objects, 4);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_snapshot<R: Trace + ?Sized>(&mut self, roots: &R, writer: impl Write) -> io::Result<SnapshotSummary> {
        let external = self.external_roots();
        let Heap { store, temporaries, kept, roots: table, ids, .. } = self;
        let roots = Roots { table, temporaries, kept, passed: roots, external };
        let (summary, next_ids) = write::write(store, &roots, ids, writer)?;
        *ids = next_ids;
        Ok(summary)
    }
}
