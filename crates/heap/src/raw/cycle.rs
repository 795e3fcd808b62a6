//! A collection, as the store sees it: publish, mark, sweep, release.
//!
//! The cycle is stop-the-world: [`Store::mark`] and [`Store::sweep`] follow each other without anything between. What
//! follows from "marked means survived" is kept between cycles all the same.

use super::bits::{self, Bits, page_words};
use super::mark::{self, Marker};
use super::spaces::Run;
use super::store::Store;
use super::sweep::{Remains, Swept, sweep_page};
use crate::trace::{Sink, Tracer};

impl Store {
    /// Brings the live bits up to date with what has been handed out.
    pub(crate) fn publish(&mut self) {
        let bits = &mut self.bits;
        for (space, run) in self.spaces.runs_mut() {
            bits::publish(bits, space.shape.stride(), *run);
            run.start = run.next;
        }
    }

    /// Marks everything that can be reached from what `roots` reports.
    ///
    /// If `roots`, or the `Trace` of an object, unwinds, nothing else has happened: the marks made so far are forgotten
    /// when the next cycle begins.
    pub(crate) fn mark(&mut self, roots: impl FnOnce(&mut Tracer<'_>)) {
        self.publish();
        self.clear_marks();
        self.work.reset();
        let end = self.pages.end() as usize;
        let marker = Marker {
            cage: self.cage,
            bits: &mut self.bits[..page_words(end as u32).start],
            pages: &self.pages.table()[..end],
            work: &mut self.work,
        };
        let mut tracer = Tracer { sink: Sink::Mark(marker) };
        roots(&mut tracer);
        mark::run(&mut tracer);
    }

    fn clear_marks(&mut self) {
        for space in &self.spaces.list {
            let mut number = space.first_page;
            while number != 0 {
                for bits in &mut self.bits[page_words(number)] {
                    bits.mark = 0;
                }
                number = self.pages.page(number).next;
            }
        }
    }

    /// Frees everything that is not marked. What is allocated from here on has a new stamp.
    pub(crate) fn sweep(&mut self) -> Swept {
        // Before a freed cell can be handed out again (I4).
        self.stamps.advance();
        for (_, run) in self.spaces.runs_mut() {
            *run = Run::default();
        }
        let remains = if self.zeal.poison { Remains::Poisoned } else { Remains::Left };
        let mut swept = Swept::default();
        for space in 0..self.spaces.list.len() {
            self.sweep_space(space, remains, &mut swept);
        }
        self.block_bytes -= swept.freed_block_bytes;
        swept.live_bytes += self.block_bytes;
        swept
    }

    fn sweep_space(&mut self, at: usize, remains: Remains, swept: &mut Swept) {
        let mut number = std::mem::take(&mut self.spaces.list[at].first_page);
        self.spaces.list[at].last_page = 0;
        while number != 0 {
            let page = *self.pages.page(number);
            // SAFETY: the page is on the list of a space, so it is in use as the table says; all runs have been
            // published by `mark`; the exclusive borrow of the store says that no reference into a cell is left (I8).
            let empty =
                unsafe { sweep_page(self.cage, number, &page, &mut self.bits[page_words(number)], remains, swept) };
            if !empty {
                self.append_page(at, number);
            } else if self.zeal.no_reuse {
                self.pages.retire(&mut self.region, number);
            } else {
                self.pages.vacate(number);
            }
            number = page.next;
        }
        let space = &mut self.spaces.list[at];
        (space.search_page, space.search_from) = if self.zeal.no_reuse { (0, 0) } else { (space.first_page, 0) };
    }

    /// Puts a page at the end of a space's list.
    pub(super) fn append_page(&mut self, space: usize, number: u32) {
        let list = &mut self.spaces.list[space];
        if list.last_page == 0 {
            list.first_page = number;
        } else {
            self.pages.page_mut(list.last_page).next = number;
        }
        list.last_page = number;
        self.pages.page_mut(number).next = 0;
    }

    /// Gives memory of empty pages back to the system until at most `keep` bytes of them are left.
    pub(crate) fn release_empty(&mut self, keep: usize) {
        self.pages.release_empty(&mut self.region, keep);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.publish();
        self.clear_marks();
        let mut swept = Swept::default();
        for space in 0..self.spaces.list.len() {
            let mut number = self.spaces.list[space].first_page;
            while number != 0 {
                let page = *self.pages.page(number);
                if page.must_drop() {
                    let bits: &mut [Bits] = &mut self.bits[page_words(number)];
                    // SAFETY: as in `sweep_space`; nothing is marked, so that everything dies.
                    unsafe { sweep_page(self.cage, number, &page, bits, Remains::Left, &mut swept) };
                }
                number = page.next;
            }
        }
        if let Some(panic) = swept.panic
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}
