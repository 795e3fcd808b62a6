//! A collection cycle, as the store sees it: its phases, and the slices that it runs in.
//!
//! ```text
//! idle -> clearing (full cycles only) -> marking -> sweeping, pruning first -> idle
//! ```
//!
//! A cycle's extent is the whole heap or what is young. Marks stay between cycles: *marked means old*. A full cycle clears
//! them first; a minor one leaves them, starts from the roots and the remembered objects, and stops at whatever is marked,
//! so that it marks and sweeps only what was allocated since the last cycle. There is one cycle at a time.
//!
//! Every phase can stop after any slice of work, and the program goes on: it allocates, and it writes. What it allocates
//! while a cycle marks is not marked, and lives or dies by whether it is reached in the end. What it writes to is
//! remembered, if it is marked (`mark.rs` has the invariant). Marking ends in a slice that has looked at the roots and has
//! found nothing left to scan.
//!
//! What is *not* here: sweeping (`reclaim.rs`), pruning (`prune.rs`), the write barrier (`remember.rs`), and when to do how much of
//! all that (`schedule/`, above).

use super::bits::{self, page_words};
use super::ephemerons;
use super::layout::page_of;
use super::mark::{self, Marker, cell};
use super::parts::{Card, CardState};
use super::reclaim::Sweeping;
use super::remember::BATCH;
use super::runs::Run;
use super::store::Store;
use super::sweep::{Remains, forget_panic, sweep_page};
use crate::trace::{Sink, Tracer};
use std::any::Any;

/// How much of the heap a cycle looks at.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What was allocated since the last cycle.
    Young,
    /// Everything.
    Full,
}

/// Where a cycle stands.
#[derive(Debug, Default)]
pub(super) enum Phase {
    /// There is none. Also while a slice runs, so that one that unwinds leaves no cycle.
    #[default]
    Idle,
    /// The marks of the last cycle are being cleared, up to this page.
    Clearing { next: u32 },
    /// What is reachable is being marked.
    Marking(Marking),
    /// What was not marked is being freed.
    Sweeping(Sweeping),
}

/// Marking, between two pieces of it.
#[derive(Debug, Default)]
pub(super) struct Marking {
    /// The roots have been looked at, and the program has not run since.
    roots_seen: bool,
    /// Memory for a list ran out: all marked objects are looked at again, from this page on.
    rescan: Option<u32>,
}

/// Why a piece of work came to its end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The credit is used up.
    Credit,
    /// Everything reachable is marked. [`Store::begin_sweep`] has to follow at once.
    Marked,
    /// The cycle is complete, or there was none.
    Idle,
}

/// What it costs to clear the marks of a page.
const CLEAR_COST: u64 = 4;
/// What it costs to clear a card, which is somewhere in memory.
const FORGET_CARD_COST: u64 = 16;
/// What it costs to take an object off the remembered set.
const FORGET_COST: u64 = 2;

impl Store {
    /// Whether a cycle has begun and not ended.
    pub(crate) fn in_cycle(&self) -> Option<Extent> {
        (!matches!(self.phase, Phase::Idle)).then_some(self.extent)
    }

    /// Whether the cycle that runs has not marked everything yet.
    pub(crate) fn is_marking(&self) -> bool {
        matches!(self.phase, Phase::Clearing { .. } | Phase::Marking(_))
    }

    /// Whether the next cycle has to be a full one.
    pub(crate) fn needs_full_cycle(&self) -> bool {
        self.marks_are_void || self.remembered.is_incomplete()
    }

    /// Begins a cycle. There is none.
    ///
    /// Until the sweep begins, the marks are neither the old nor the new ones. If a `Trace` unwinds, the cycle is abandoned:
    /// nothing is freed, and the next cycle is a full one whatever is asked for.
    pub(crate) fn begin_cycle(&mut self, wanted: Extent) {
        debug_assert!(self.in_cycle().is_none());
        self.extent = if self.needs_full_cycle() { Extent::Full } else { wanted };
        self.marks_are_void = true;
        self.work.reset();
        self.waiting.reset();
        match self.extent {
            Extent::Full => {
                self.set_young_stamp();
                self.phase = Phase::Clearing { next: 1 };
            }
            Extent::Young => self.begin_marking(),
        }
    }

    fn begin_marking(&mut self) {
        // Whatever is written to from here on may have been scanned before.
        self.young_stamp = 0;
        self.phase = Phase::Marking(Marking::default());
    }

    /// Forgets the cycle that runs, if that has not marked everything yet. The next one is a full one.
    pub(crate) fn abandon_marking(&mut self) {
        if self.is_marking() {
            self.phase = Phase::Idle;
            self.set_young_stamp();
        }
    }

    /// Says that the program has run since the last piece of work.
    pub(crate) fn begin_slice(&mut self) {
        if let Phase::Marking(marking) = &mut self.phase {
            marking.roots_seen = false;
        }
    }

    /// Works on the cycle until that is marked or complete, or `credit` is used up; what is left of it stays there.
    /// `roots` reports the roots.
    pub(crate) fn work(&mut self, credit: &mut u64, mut roots: impl FnMut(&mut Tracer<'_>)) -> Stop {
        loop {
            match std::mem::take(&mut self.phase) {
                Phase::Idle => return Stop::Idle,
                Phase::Clearing { next } => {
                    let next = self.clear_marks(next, credit);
                    self.phase = Phase::Clearing { next };
                    if *credit == 0 {
                        return Stop::Credit;
                    }
                    self.begin_marking();
                }
                Phase::Marking(mut marking) => {
                    let stop = self.mark(&mut marking, credit, &mut roots);
                    self.phase = Phase::Marking(marking);
                    return stop;
                }
                Phase::Sweeping(mut sweeping) => {
                    if self.sweep(&mut sweeping, credit) == Stop::Credit {
                        self.phase = Phase::Sweeping(sweeping);
                        return Stop::Credit;
                    }
                }
            }
        }
    }

    /// Clears the marks from a page on, and then the remembered set. Says where to go on; it is all done if there is
    /// credit left.
    fn clear_marks(&mut self, from: u32, credit: &mut u64) -> u32 {
        let mut next = from;
        while *credit > 0 && next < self.pages.end() {
            for bits in &mut self.bits[page_words(next)] {
                bits.mark = 0;
            }
            next += 1;
            *credit = credit.saturating_sub(CLEAR_COST);
        }
        // Nothing is marked any more, so that nothing more is remembered.
        while *credit > 0 && self.remembered.take_batch(self.cage, |_| *credit = credit.saturating_sub(FORGET_COST)) {}
        while *credit > 0
            && let Some(card) = self.remembered.pop_card().or_else(|| self.remembered.pop_weak_card())
        {
            self.replace_card(card, CardState::Clear);
            *credit = credit.saturating_sub(FORGET_CARD_COST);
        }
        if *credit > 0 {
            self.remembered.reset();
        }
        next
    }

    /// Changes a card, if something lives there that has such a card.
    pub(super) fn replace_card(&mut self, card: Card, to: CardState) -> Option<CardState> {
        let info = self.pages.page(page_of(card.index)).info?;
        if self.stamp_at(card.index) == 0 {
            return None;
        }
        // SAFETY: the cell has a stamp, so it holds a value of the type of its page (I5). There is no reference into it, as
        // the store is borrowed exclusively (I8).
        unsafe { (info.replace_card)(cell(self.cage, card.index), card.number, to) }
    }

    /// Marks everything within the extent that can be reached.
    fn mark(&mut self, marking: &mut Marking, credit: &mut u64, roots: &mut dyn FnMut(&mut Tracer<'_>)) -> Stop {
        /// Lets allocation go on, also behind a panic.
        struct Published<'s>(&'s mut Store);
        impl Drop for Published<'_> {
            fn drop(&mut self) {
                self.0.claim();
            }
        }
        self.publish();
        let published = Published(self);
        let Store { cage, bits, pages, work, remembered, waiting, .. } = &mut *published.0;
        let end = pages.end();
        work.set_credit(*credit);
        let marker = Marker {
            cage: *cage,
            bits: &mut bits[..page_words(end).start],
            pages: &pages.table()[..end as usize],
            work,
            waiting,
        };
        let mut tracer = Tracer { sink: Sink::Mark(marker) };
        loop {
            if mark::any_marker(&mut tracer).waiting.is_idle() {
                tracer = ephemerons::plain(tracer);
                mark::run(&mut tracer);
            } else {
                tracer = ephemerons::watching(tracer);
                ephemerons::run(&mut tracer);
            }
            let marker = mark::any_marker(&mut tracer);
            *credit = marker.work.credit();
            if *credit == 0 {
                return Stop::Credit;
            }
            if !marker.work.is_empty() {
                // Nothing waits any more: the rest is marked plainly.
                continue;
            }
            if remembered.has_strong() {
                remembered.take_batch(marker.cage, |index| {
                    marker.work.spend(FORGET_COST);
                    // What is not marked is scanned when it is.
                    if marker.is_marked(index) {
                        marker.work.push(index);
                    }
                });
                for card in std::iter::from_fn(|| remembered.pop_card()).take(BATCH) {
                    mark::rescan_card(&mut tracer, card);
                }
                continue;
            }
            if remembered.take_incomplete() || marker.work.take_overflow() {
                // Each round marks at least one object more, or is the last.
                marking.rescan = Some(1);
            }
            if let Some(number) = marking.rescan {
                marking.rescan = (number < end).then_some(number + 1);
                if number < end {
                    mark::rescan_page(&mut tracer, number);
                }
            } else if !marking.roots_seen {
                marking.roots_seen = true;
                roots(&mut tracer);
                // They are looked at whole, and would use up small budgets.
                mark::any_marker(&mut tracer).work.set_credit(*credit);
            } else if let Some(table) = mark::any_marker(&mut tracer).waiting.pop_table() {
                tracer = ephemerons::watching(tracer);
                ephemerons::scan_table(&mut tracer, table);
            } else if let Some(card) = remembered.pop_weak_card() {
                tracer = ephemerons::watching(tracer);
                mark::rescan_card(&mut tracer, card);
            } else if mark::any_marker(&mut tracer).waiting.needs_round() {
                // Each round marks at least one object more, or is the last.
                marking.rescan = Some(1);
            } else {
                return Stop::Marked;
            }
        }
    }

    /// Brings the live bits up to date with what has been handed out.
    fn publish(&mut self) {
        let bits = &mut self.bits;
        self.spaces.each_mut(|space, run| {
            if space.page != 0 {
                space.publish(*run, bits::of_page(bits, space.page));
            }
        });
    }

    /// Lets allocation go on in the pages that it was in.
    fn claim(&mut self) {
        let bits = &mut self.bits;
        self.spaces.each_mut(|space, _| {
            if space.page != 0 {
                space.claim(bits::of_page(bits, space.page));
            }
        });
    }

    /// Begins to free what is not marked. What is allocated from here on has a new stamp, and is young.
    pub(crate) fn begin_sweep(&mut self) {
        self.marks_are_void = false;
        // Before a freed cell can be handed out again (I4).
        self.stamps.advance();
        self.set_young_stamp();
        self.publish();
        let (extent, returned) = (self.extent, &mut self.returned_granules);
        self.spaces.each_mut(|space, run| {
            *returned += u64::from(run.granules() + space.hidden.granules());
            *run = Run::default();
            space.hidden = Run::default();
            space.page = 0;
            space.unswept[0] = std::mem::take(&mut space.young);
            if extent == Extent::Full {
                space.unswept[1] = std::mem::take(&mut space.roomy);
                space.unswept[2] = std::mem::take(&mut space.full);
            }
        });
        self.phase = Phase::Sweeping(Sweeping::default());
    }

    /// The first panic that came out of a destructor since this was asked last.
    pub(crate) fn take_panic(&mut self) -> Option<Box<dyn Any + Send>> {
        self.freed.panic.take()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.publish();
        for number in 1..self.pages.end() {
            let page = *self.pages.page(number);
            if page.must_drop() {
                let bits = bits::of_page(&mut self.bits, number);
                for word in bits.iter_mut() {
                    word.mark = 0;
                }
                // SAFETY: a page in use as the table says, everything is published, and the exclusive borrow says that no
                // reference into a cell is left (I8). Nothing is marked, so that everything dies.
                unsafe { sweep_page(self.cage, number, &page, bits, Remains::Left, &mut self.freed) };
            }
        }
        if let Some(panic) = self.take_panic() {
            if std::thread::panicking() {
                forget_panic(panic);
            } else {
                std::panic::resume_unwind(panic);
            }
        }
    }
}
