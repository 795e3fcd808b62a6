//! Checking a heap: every invariant that can be checked, walked over the whole of it.
//!
//! The walk over cells and pages is in `raw/inspect.rs`; this file adds what the heap knows above them (roots, scopes,
//! edges) and says what was found.

use crate::heap::Heap;
use crate::raw::{AnyGc, CellView};
use crate::trace::Visit;
use thiserror::Error;

/// One thing that [`Heap::verify`] found wrong.
///
/// A [`StaleEdge`](Flaw::StaleEdge) is the program's: it stored a handle whose object had died before. All others mean that
/// memory was overwritten or that this crate has a bug.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Flaw, Heap};
///
/// let mut heap = Heap::new();
/// let name = heap.alloc_str("Ada");
/// heap.collect(&()); // `name` dies
/// let person = heap.alloc(Some(name)); // too late: the handle is stale
///
/// for flaw in heap.verify().unwrap_err().flaws {
///     let Flaw::StaleEdge { holder, type_name, edge } = flaw else { panic!("not this program's mistake: {flaw}") };
///     assert_eq!((holder, edge), (person.erase(), name.erase()));
///     assert!(type_name.contains("Option"));
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum Flaw {
    #[error("cell {index:#x} ({type_name}) is alive and has no stamp")]
    NoStamp { index: u32, type_name: &'static str },
    #[error("cell {index:#x} ({type_name}) is alive under stamp {stamp}, which this heap never used")]
    ForeignStamp { index: u32, type_name: &'static str, stamp: u32 },
    #[error("cell {index:#x} ({type_name}) is free and has a stamp")]
    StampOfDead { index: u32, type_name: &'static str },
    #[error("cell {index:#x} (last a {type_name}) was written after its death")]
    BrokenPoison { index: u32, type_name: &'static str },
    #[error("cell {index:#x} ({type_name}) holds {bytes} bytes, more than fit")]
    ValueTooLong { index: u32, type_name: &'static str, bytes: usize },
    #[error("granule {index:#x} is inside a cell and has a live bit")]
    LiveBitInsideCell { index: u32 },
    #[error("page {page} is not in use and has live bits")]
    LiveBitOnIdlePage { page: u32 },
    #[error("granule {index:#x} is marked and no object starts there")]
    MarkWithoutObject { index: u32 },
    #[error("cell {index:#x} ({type_name}): marking says {marked}, a plain search says the opposite")]
    WrongMark { index: u32, type_name: &'static str, marked: bool },
    #[error("page {page} has another stride than its number has in this process")]
    PageStride { page: u32 },
    #[error("page {page} is on the list of a space that is not its own")]
    PageOfAnotherSpace { page: u32 },
    #[error("page {page} is on two lists, or twice on one")]
    PageListedTwice { page: u32 },
    #[error("page {page} is allocated in and not the first of the young pages of its space")]
    PageAstray { page: u32 },
    #[error("pages of {type_name} wait to be swept, and no collection is under way")]
    UnsweptPage { type_name: &'static str },
    #[error("page {page} is on the list of those with room and has none")]
    NoRoom { page: u32 },
    #[error("free cell {index:#x} (last a {type_name}) leads to another run than the next")]
    BrokenLink { index: u32, type_name: &'static str },
    #[error("page {page} is in use and on no list")]
    LostPage { page: u32 },
    #[error("{counted} pages are counted as in use, {found} are")]
    PageCount { counted: usize, found: usize },
    #[error("{counted} bytes of blocks are counted, {found} are there")]
    BlockBytes { counted: usize, found: usize },
    #[error("the run {start:#x}..{end:#x} for {type_name} is not a stretch of free cells")]
    RunAstray { type_name: &'static str, start: u32, end: u32 },
    #[error("the worklist is not empty between collections")]
    WorkLeft,
    #[error("a root refers to a dead object ({handle:?})")]
    DeadRoot { handle: AnyGc },
    #[error("an open scope refers to a dead object ({handle:?})")]
    DeadTemporary { handle: AnyGc },
    #[error("a {type_name} ({holder:?}) holds a stale handle ({edge:?})")]
    StaleEdge { holder: AnyGc, type_name: &'static str, edge: AnyGc },
    #[error("a weak table ({table:?}) has an entry for a dead key ({key:?})")]
    DeadKey { table: AnyGc, key: AnyGc },
}

/// What [`Heap::verify`] found, up to a hundred flaws.
///
/// # Examples
///
/// ```
/// # let mut heap = tumulus_heap::Heap::new();
/// let gone = heap.alloc(1_u8);
/// heap.collect(&());
/// let pair = heap.alloc((gone, gone));
/// let error = heap.verify().unwrap_err();
/// assert_eq!(error.flaws.len(), 2); // one for each field
/// assert!(error.to_string().contains(&format!("({:?}) holds a stale handle", pair.erase())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the heap is not consistent: {}", .flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct VerifyError {
    /// At least one.
    pub flaws: Vec<Flaw>,
}

/// More than these are not kept: one overwritten page makes a thousand.
const KEPT: usize = 100;

impl Heap {
    /// Walks the whole heap and checks the invariants of the soundness chapter, all but those about types and borrows, which
    /// leave no trace to look at.
    ///
    /// It takes time linear in the heap, changes nothing, and is meant for tests. The zeal mode `verify` calls it
    /// before and after each collection.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, up to a hundred [`Flaw`]s.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::Heap;
    ///
    /// let mut heap = Heap::new();
    /// let root = heap.alloc(vec![1, 2, 3]);
    /// heap.collect(&root);
    /// assert_eq!(heap.verify(), Ok(()));
    /// ```
    pub fn verify(&self) -> Result<(), VerifyError> {
        let mut flaws = Vec::new();
        let mut report = |flaw| {
            if flaws.len() < KEPT {
                flaws.push(flaw);
            }
        };
        self.store.check(&mut report);
        for handle in self.roots.handles() {
            if !self.store.contains(handle.handle()) {
                report(Flaw::DeadRoot { handle });
            }
        }
        for &handle in self.temporaries.handles() {
            if !self.store.contains(handle.handle()) {
                report(Flaw::DeadTemporary { handle });
            }
        }
        // What a flawed cell says of its edges means nothing.
        if flaws.is_empty() {
            self.check_edges(&mut flaws);
        }
        if flaws.is_empty() { Ok(()) } else { Err(VerifyError { flaws }) }
    }

    fn check_edges(&self, flaws: &mut Vec<Flaw>) {
        for view in self.store.cells() {
            self.store.visit_edges(view.handle, &mut EdgeCheck { heap: self, holder: view, flaws });
        }
    }
}

/// Checks the edges of an object.
struct EdgeCheck<'c> {
    heap: &'c Heap,
    holder: CellView,
    flaws: &'c mut Vec<Flaw>,
}

impl EdgeCheck<'_> {
    fn report(&mut self, flaw: Flaw) {
        if self.flaws.len() < KEPT {
            self.flaws.push(flaw);
        }
    }
}

impl Visit for EdgeCheck<'_> {
    fn edge(&mut self, edge: AnyGc) {
        if !self.heap.store.contains(edge.handle()) {
            let CellView { handle, info } = self.holder;
            self.report(Flaw::StaleEdge { holder: handle, type_name: info.name(), edge });
        }
    }

    fn is_alive(&mut self, key: AnyGc) -> bool {
        let is_alive = self.heap.store.contains(key.handle());
        // A sweep begins with pruning.
        if !is_alive && !self.heap.store.is_pruning() {
            self.report(Flaw::DeadKey { table: self.holder.handle, key });
        }
        is_alive
    }
}

#[cfg(test)]
mod tests;
