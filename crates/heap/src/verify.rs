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
mod tests {
    use super::*;
    use crate::raw::{Extent, Page, Stop};
    use crate::{Gc, Zeal};

    /// Corrupts a heap that has, besides the object in question, a dead neighbour of it.
    fn seeded(corrupt: impl FnOnce(&mut Heap, Gc<u64>, u32)) -> Vec<Flaw> {
        let mut heap = Heap::builder().zeal(Zeal { poison: true, ..Zeal::default() }).build();
        let dead = heap.alloc(1_u64);
        let alive = heap.alloc(2_u64);
        let root = heap.root(alive);
        heap.collect(&());
        assert_eq!(heap.verify(), Ok(()));
        corrupt(&mut heap, alive, dead.handle().index());
        let flaws = heap.verify().expect_err("the corruption goes unnoticed").flaws;
        drop(root);
        // What was corrupted must not be dropped.
        std::mem::forget(heap);
        flaws
    }

    fn collect_without_roots(heap: &mut Heap) {
        heap.store.begin_cycle(Extent::Full);
        assert_eq!(heap.store.work(&mut { u64::MAX }, |_| ()), Stop::Marked);
        heap.store.begin_sweep();
        assert_eq!(heap.store.work(&mut { u64::MAX }, |_| ()), Stop::Idle);
    }

    macro_rules! finds {
        ($name:ident, $corrupt:expr, $flaw:pat) => {
            #[test]
            fn $name() {
                let flaws = seeded($corrupt);
                assert!(flaws.iter().any(|flaw| matches!(flaw, $flaw)), "{flaws:?}");
            }
        };
    }

    finds!(
        a_live_cell_without_a_stamp,
        |heap, alive, _| heap.store.corrupt_header(alive.handle().index(), 0),
        Flaw::NoStamp { .. }
    );
    finds!(
        a_live_cell_with_a_foreign_stamp,
        |heap, alive, _| {
            let other = Heap::new();
            heap.store.corrupt_header(alive.handle().index(), u32::MAX);
            drop(other);
        },
        Flaw::ForeignStamp { .. }
    );
    finds!(a_free_cell_with_a_stamp, |heap, _, dead| heap.store.corrupt_header(dead, 1), Flaw::StampOfDead { .. });
    finds!(a_write_into_a_dead_cell, |heap, _, dead| heap.store.corrupt_byte(dead, 9), Flaw::BrokenPoison { .. });
    finds!(
        a_live_bit_that_is_missing,
        |heap, alive, _| heap.store.corrupt_live(alive.handle().index(), false),
        Flaw::StampOfDead { .. } | Flaw::MarkWithoutObject { .. }
    );
    finds!(a_live_bit_of_a_dead_cell, |heap, _, dead| heap.store.corrupt_live(dead, true), Flaw::NoStamp { .. });
    finds!(
        a_live_bit_inside_a_cell,
        |heap, _, _| {
            let big = heap.alloc([0_u64; 3]);
            heap.collect(&big);
            heap.store.corrupt_live(big.handle().index() + 1, true);
        },
        Flaw::LiveBitInsideCell { .. }
    );
    finds!(
        a_live_bit_on_a_page_that_is_not_in_use,
        |heap, _, _| {
            let gone = heap.alloc([0_u64; 30]);
            heap.collect(&());
            heap.store.corrupt_live(gone.handle().index(), true);
        },
        Flaw::LiveBitOnIdlePage { .. }
    );
    finds!(a_mark_without_an_object, |heap, _, dead| heap.store.corrupt_mark(dead), Flaw::MarkWithoutObject { .. });
    finds!(
        a_slice_that_is_too_long,
        |heap, _, _| {
            let text = heap.alloc_str("short");
            heap.store.corrupt_meta(text.handle().index(), 1_000_000);
        },
        Flaw::ValueTooLong { .. }
    );
    finds!(
        a_page_with_the_wrong_stride,
        |heap, alive, _| heap.store.corrupt_page(alive.handle().index(), Page::corrupt_stride),
        Flaw::PageOfAnotherSpace { .. }
    );
    finds!(
        a_page_of_another_space,
        |heap, alive, _| heap.store.corrupt_page(alive.handle().index(), Page::corrupt_space),
        Flaw::PageOfAnotherSpace { .. }
    );
    finds!(
        a_list_of_pages_that_bites_its_tail,
        |heap, alive, _| {
            let page = alive.handle().index() / 1024;
            heap.store.corrupt_page(alive.handle().index(), |entry| entry.corrupt_next(page));
        },
        Flaw::PageListedTwice { .. }
    );
    finds!(
        a_page_that_is_allocated_in_and_not_young,
        |heap, alive, _| {
            heap.alloc(3_u64);
            heap.store.corrupt_page_in_use(alive);
        },
        Flaw::PageAstray { .. }
    );
    finds!(a_page_that_was_never_swept, |heap, alive, _| heap.store.corrupt_unswept(alive), Flaw::UnsweptPage { .. });
    finds!(
        a_page_without_room_among_those_with_room,
        |heap, alive, _| {
            let page = alive.handle().index() / 1024 * 1024;
            (page..page + 1024).for_each(|index| heap.store.corrupt_live(index, true));
        },
        Flaw::NoRoom { .. }
    );
    finds!(a_link_that_leads_astray, |heap, _, dead| heap.store.corrupt_meta(dead, 1), Flaw::BrokenLink { .. });
    finds!(a_wrong_count_of_pages, |heap, _, _| heap.store.corrupt_page_count(), Flaw::PageCount { .. });
    finds!(a_wrong_count_of_block_bytes, |heap, _, _| heap.store.corrupt_block_bytes(), Flaw::BlockBytes { .. });
    finds!(
        a_run_that_ends_astray,
        |heap, alive, _| {
            heap.alloc(3_u64);
            heap.store.corrupt_run(alive);
        },
        Flaw::RunAstray { .. }
    );
    finds!(work_that_was_left, |heap, _, _| heap.store.corrupt_worklist(), Flaw::WorkLeft);
    finds!(
        a_root_that_died,
        |heap, _, _| {
            let gone = heap.alloc("gone");
            let root = heap.root(gone);
            collect_without_roots(heap);
            std::mem::forget(root);
        },
        Flaw::DeadRoot { .. }
    );
    finds!(
        an_edge_to_the_dead,
        |heap, alive, _| {
            let gone = heap.alloc("gone");
            heap.collect(&alive);
            heap.alloc(Some(gone));
        },
        Flaw::StaleEdge { .. }
    );

    #[test]
    fn a_scope_whose_temporary_died() {
        let mut heap = Heap::new();
        heap.scope(|heap| {
            heap.alloc(1_u8);
            collect_without_roots(heap);
            let flaws = heap.verify().unwrap_err().flaws;
            assert!(matches!(flaws[..], [Flaw::DeadTemporary { .. }]), "{flaws:?}");
        });
    }

    #[test]
    fn the_report_names_what_it_found() {
        let error = VerifyError { flaws: vec![Flaw::WorkLeft, Flaw::PageCount { counted: 3, found: 2 }] };
        let text = error.to_string();
        assert!(text.contains("worklist is not empty") && text.contains("3 pages are counted as in use, 2 are"));
    }
}
