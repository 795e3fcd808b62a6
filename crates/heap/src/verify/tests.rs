//! Corruptions, each of which the verifier has to find.
//!
//! What corrupts is in the unsafe half, in `raw/inspect.rs`. A heap that was corrupted is forgotten, not dropped.

use super::*;
use crate::raw::{Exactness, Extent, Page, Stop};
use crate::{EphemeronMap, Gc, Zeal};
use std::collections::BTreeSet;

/// A heap in order, with an object that is rooted, and a dead neighbour of it on the same page.
struct Sound {
    heap: Heap,
    alive: Gc<u64>,
    /// The index of the dead neighbour.
    dead: u32,
}

impl Sound {
    fn new() -> Sound {
        let mut heap = Heap::builder().zeal(Zeal { poison: true, ..Zeal::none() }).build();
        let dead = heap.alloc(1_u64);
        let alive = heap.alloc(2_u64);
        std::mem::forget(heap.root(alive));
        heap.collect(&());
        assert_eq!(heap.verify(), Ok(()));
        Sound { heap, alive, dead: dead.handle().index() }
    }

    fn index(&self) -> u32 {
        self.alive.handle().index()
    }

    /// The page of both.
    fn page(&self) -> u32 {
        self.index() / 1024
    }

    fn flaws(&self) -> Vec<Flaw> {
        self.heap.verify().err().map_or_else(Vec::new, |error| error.flaws)
    }
}

/// A collection that is not told of any root.
fn collect_without_roots(heap: &mut Heap) {
    heap.store.begin_cycle(Extent::Full);
    assert_eq!(heap.store.work(&mut { u64::MAX }, |_| ()), Stop::Marked);
    heap.store.begin_sweep();
    assert_eq!(heap.store.work(&mut { u64::MAX }, |_| ()), Stop::Idle);
}

/// A way to corrupt a heap, and whether a flaw is the one that has to be found then.
struct Seed {
    what: &'static str,
    corrupt: fn(&mut Sound),
    is_found_as: fn(&Flaw) -> bool,
}

macro_rules! seeds {
    ($($what:literal: $corrupt:expr => $flaw:pat,)*) => {
        [$(Seed { what: $what, corrupt: $corrupt, is_found_as: |flaw| matches!(flaw, $flaw) }),*]
    };
}

const SEEDS: &[Seed] = &seeds! {
    // Cells.
    "a live cell without a stamp": |it| it.heap.store.corrupt_header(it.index(), 0) => Flaw::NoStamp { .. },
    "a live cell with a stamp that no heap has used": |it| it.heap.store.corrupt_header(it.index(), u32::MAX)
        => Flaw::ForeignStamp { .. },
    "a live cell with the stamp of another heap": |it| {
        let stamp = Heap::new().alloc(3_u64).handle().stamp();
        it.heap.store.corrupt_header(it.index(), stamp);
    } => Flaw::ForeignStamp { .. },
    "a free cell with a stamp": |it| it.heap.store.corrupt_header(it.dead, 1) => Flaw::StampOfDead { .. },
    "a write into a dead cell": |it| it.heap.store.corrupt_byte(it.dead, 9) => Flaw::BrokenPoison { .. },
    "a write into the last byte of a dead cell": |it| it.heap.store.corrupt_byte(it.dead, 15) => Flaw::BrokenPoison { .. },
    "a string that is longer than its cell": |it| {
        let text = it.heap.alloc_str("short");
        it.heap.store.corrupt_meta(text.handle().index(), 1_000_000);
    } => Flaw::ValueTooLong { .. },
    "a slice in a block, as if it were in its cell": |it| {
        let long = it.heap.alloc_slice(&[7_u64; 1000]);
        it.heap.store.corrupt_meta(long.handle().index(), 1000);
    } => Flaw::BlockBytes { counted: 8000, found: 0 },
    // Bits.
    "a live bit that is missing": |it| it.heap.store.corrupt_live(it.index(), false) => Flaw::StampOfDead { .. },
    "a mark that outlived its live bit": |it| it.heap.store.corrupt_live(it.index(), false) => Flaw::MarkWithoutObject { .. },
    "a live bit of a dead cell": |it| it.heap.store.corrupt_live(it.dead, true) => Flaw::NoStamp { .. },
    "a live bit inside a cell": |it| {
        let big = it.heap.alloc([0_u64; 3]);
        it.heap.collect(&big);
        it.heap.store.corrupt_live(big.handle().index() + 1, true);
    } => Flaw::LiveBitInsideCell { .. },
    "a live bit on a page that is not in use": |it| {
        let gone = it.heap.alloc([0_u64; 30]);
        it.heap.collect(&());
        it.heap.store.corrupt_live(gone.handle().index(), true);
    } => Flaw::LiveBitOnIdlePage { .. },
    "a mark of a dead cell": |it| it.heap.store.corrupt_mark(it.dead) => Flaw::MarkWithoutObject { .. },
    // Pages and their lists.
    "a page with another stride than its space": |it| it.heap.store.corrupt_page(it.index(), Page::corrupt_stride)
        => Flaw::PageOfAnotherSpace { .. },
    "a page of another space": |it| it.heap.store.corrupt_page(it.index(), Page::corrupt_space)
        => Flaw::PageOfAnotherSpace { .. },
    "a page that has lost its type": |it| it.heap.store.corrupt_page(it.index(), Page::corrupt_type)
        => Flaw::PageOfAnotherSpace { .. },
    "an empty page with another stride than its list": |it| {
        let gone = it.heap.alloc([0_u64; 30]);
        it.heap.collect(&());
        it.heap.store.corrupt_page(gone.handle().index(), Page::corrupt_stride);
    } => Flaw::PageStride { .. },
    "a list of pages that bites its tail": |it| {
        let page = it.page();
        it.heap.store.corrupt_page(it.index(), |entry| entry.corrupt_next(page));
    } => Flaw::PageListedTwice { .. },
    "a list of empty pages that goes on with a page in use": |it| {
        let (gone, page) = (it.heap.alloc([0_u64; 30]), it.page());
        it.heap.collect(&());
        it.heap.store.corrupt_page(gone.handle().index(), |entry| entry.corrupt_next(page));
    } => Flaw::PageListedTwice { .. },
    "a page that is allocated in and not young": |it| {
        it.heap.alloc(3_u64);
        it.heap.store.corrupt_page_in_use(it.alive);
    } => Flaw::PageAstray { .. },
    "a page that was never swept": |it| it.heap.store.corrupt_unswept(it.alive) => Flaw::UnsweptPage { .. },
    "a page on no list": |it| it.heap.store.corrupt_lists(it.alive) => Flaw::LostPage { .. },
    "a full page among those with room": |it| {
        let page = it.page() * 1024;
        (page..page + 1024).for_each(|index| it.heap.store.corrupt_live(index, true));
    } => Flaw::NoRoom { .. },
    "a wrong count of pages": |it| it.heap.store.corrupt_page_count() => Flaw::PageCount { .. },
    "a wrong count of block bytes": |it| it.heap.store.corrupt_block_bytes() => Flaw::BlockBytes { .. },
    // Runs of free cells.
    "a link that leads astray": |it| it.heap.store.corrupt_meta(it.dead, 1) => Flaw::BrokenLink { .. },
    "a run that ends inside a cell": |it| {
        it.heap.alloc(3_u64);
        it.heap.store.corrupt_run(it.alive);
    } => Flaw::RunAstray { .. },
    "a run over a cell that is alive": |it| {
        // The first fills the gap before it, the second is behind it.
        it.heap.alloc(3_u64);
        it.heap.alloc(4_u64);
        it.heap.store.corrupt_run_start(it.alive, it.index());
    } => Flaw::RunAstray { .. },
    // Marking.
    "work that was left": |it| it.heap.store.corrupt_worklist() => Flaw::WorkLeft,
    // Who refers to what.
    "a root of the dead": |it| {
        let gone = it.heap.alloc("gone");
        std::mem::forget(it.heap.root(gone));
        collect_without_roots(&mut it.heap);
    } => Flaw::DeadRoot { .. },
    "an object that holds a stale handle": |it| {
        let gone = it.heap.alloc("gone");
        it.heap.collect(&it.alive);
        it.heap.alloc(Some(gone));
    } => Flaw::StaleEdge { .. },
    "an object that holds a handle of another heap": |it| {
        let foreign = Heap::new().alloc(1_u64);
        it.heap.alloc([it.alive, foreign]);
    } => Flaw::StaleEdge { .. },
    "an entry for a dead key that was not pruned": |it| {
        let key = it.heap.alloc("key");
        let table = it.heap.alloc(EphemeronMap::<Gc<&str>, u8>::new());
        table.insert(&mut it.heap, key, 1);
        // As if it had died, and another object had come to its place.
        let newer = it.heap.collect_and_stamp(&(table, key));
        it.heap.store.corrupt_header(key.handle().index(), newer);
    } => Flaw::DeadKey { .. },
};

impl Heap {
    /// Collects, and says the stamp that new objects have from then on.
    fn collect_and_stamp<R: crate::Trace>(&mut self, roots: &R) -> u32 {
        self.collect(roots);
        self.alloc(0_u64).handle().stamp()
    }
}

/// The name of a kind of flaw: the match is exhaustive, so that a new kind is noticed here.
fn kind(flaw: &Flaw) -> &'static str {
    macro_rules! names {
        ($($name:ident),* $(,)?) => { match flaw { $(Flaw::$name { .. } => stringify!($name)),* } };
    }
    names!(
        NoStamp,
        ForeignStamp,
        StampOfDead,
        BrokenPoison,
        ValueTooLong,
        LiveBitInsideCell,
        LiveBitOnIdlePage,
        MarkWithoutObject,
        WrongMark,
        PageStride,
        PageOfAnotherSpace,
        PageListedTwice,
        PageAstray,
        UnsweptPage,
        NoRoom,
        BrokenLink,
        LostPage,
        PageCount,
        BlockBytes,
        RunAstray,
        WorkLeft,
        DeadRoot,
        DeadTemporary,
        StaleEdge,
        DeadKey,
    )
}

#[test]
fn every_seeded_corruption_is_found() {
    let mut kinds = BTreeSet::from(["WrongMark", "DeadTemporary"]); // by the two tests below
    for seed in SEEDS {
        let mut it = Sound::new();
        (seed.corrupt)(&mut it);
        let flaws = it.flaws();
        let found = flaws.iter().find(|flaw| (seed.is_found_as)(flaw));
        let found = found.unwrap_or_else(|| panic!("{} goes unnoticed: {flaws:?}", seed.what));
        assert!(!found.to_string().is_empty());
        kinds.insert(kind(found));
        // What was corrupted must not be dropped.
        std::mem::forget(it.heap);
    }
    let seeds = SEEDS.len() + 3;
    assert_eq!(kinds.len(), 25, "a kind of flaw that no seed shows: {kinds:?}");
    println!("verifier: {seeds} kinds of seeded corruption found, as {} kinds of flaws", kinds.len());
}

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
fn a_mark_that_is_missing_and_one_that_is_too_much() {
    for rooted in [true, false] {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        let gc = heap.alloc(7_u64);
        heap.store.begin_cycle(Extent::Full);
        assert_eq!(heap.store.work(&mut { u64::MAX }, |_| ()), Stop::Marked);
        if !rooted {
            heap.store.corrupt_mark(gc.handle().index());
        }
        // Marking was told of no root; the search is.
        let found = heap.store.check_marks(Exactness::Exact, |tracer| {
            if rooted {
                tracer.edge(gc);
            }
        });
        let Err(Flaw::WrongMark { marked, .. }) = found else { panic!("{found:?}") };
        assert_eq!(marked, !rooted);
    }
}

#[test]
fn the_report_names_what_it_found() {
    let error = VerifyError { flaws: vec![Flaw::WorkLeft, Flaw::PageCount { counted: 3, found: 2 }] };
    let text = error.to_string();
    assert!(text.contains("worklist is not empty") && text.contains("3 pages are counted as in use, 2 are"));
}
