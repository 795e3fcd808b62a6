//! A collection, as the store sees it: publish, mark, sweep, release.
//!
//! A cycle is stop-the-world: [`Store::mark`] and [`Store::sweep`] follow each other without anything between. Its extent
//! is the whole heap or what is young. Marks stay between cycles: *marked means old*. A full cycle clears them first; a
//! minor one leaves them, starts from the roots and the remembered objects, and stops at whatever is marked, so that it
//! marks and sweeps only what was allocated since the last cycle.

use super::bits::{self, Bits, bit_of, page_words, word_of};
use super::layout::{cells_per_page, page_of};
use super::mark::{self, Marker};
use super::spaces::{Run, Space};
use super::store::Store;
use super::sweep::{Remains, Swept, forget_panic, sweep_page};
use crate::trace::{Sink, Tracer};

/// How much of the heap a cycle looks at.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What was allocated since the last cycle.
    Young,
    /// Everything.
    Full,
}

impl Store {
    /// Brings the live bits up to date with what has been handed out.
    pub(crate) fn publish(&mut self) {
        let bits = &mut self.bits;
        self.spaces.each_mut(|space, run| {
            if run.start == run.next {
                return;
            }
            bits::publish(bits::of_page(bits, page_of(run.start)), space.shape.stride(), *run);
            space.published_granules += u64::from(run.next - run.start);
            run.start = run.next;
        });
    }

    /// Objects that were published since the store was made. All that were allocated, right after a cycle.
    pub(crate) fn published(&self) -> u64 {
        let objects = |space: &Space| space.published_granules / u64::from(space.shape.stride());
        self.spaces.list.iter().map(objects).sum()
    }

    /// Whether the next cycle has to be a full one.
    pub(crate) fn needs_full_cycle(&self) -> bool {
        self.marks_are_void || self.remembered.is_incomplete()
    }

    /// Marks everything within the extent that can be reached from what `roots` reports.
    ///
    /// Until the sweep begins, the marks are neither the old nor the new ones. If `roots`, or the `Trace` of an object,
    /// unwinds, the cycle is abandoned: nothing is freed, and the next cycle is a full one whatever is asked for.
    pub(crate) fn mark(&mut self, extent: Extent, roots: impl FnOnce(&mut Tracer<'_>)) {
        debug_assert!(extent == Extent::Full || !self.needs_full_cycle());
        self.publish();
        self.work.reset();
        self.marks_are_void = true;
        match extent {
            Extent::Full => {
                self.remembered.drain(|_| ());
                self.clear_marks();
            }
            Extent::Young => {
                let (bits, work) = (&self.bits, &mut self.work);
                self.remembered.drain(|index| {
                    if bits[word_of(index)].live & bit_of(index) != 0 {
                        work.push(index);
                    }
                });
            }
        }
        let end = self.pages.end();
        let marker = Marker {
            cage: self.cage,
            bits: &mut self.bits[..page_words(end).start],
            pages: &self.pages.table()[..end as usize],
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

    /// Frees everything within the extent that is not marked. What is allocated from here on has a new stamp.
    pub(crate) fn sweep(&mut self, extent: Extent) -> Swept {
        self.marks_are_void = false;
        // Before a freed cell can be handed out again (I4).
        self.stamps.advance();
        for run in self.spaces.runs_mut() {
            *run = Run::default();
        }
        let mut swept = Swept::default();
        for space in 0..self.spaces.list.len() {
            match extent {
                Extent::Full => self.sweep_space(space, &mut swept),
                Extent::Young => self.sweep_young(space, &mut swept),
            }
            self.spaces.list[space].young_page = 0;
            if self.zeal.no_reuse {
                self.spaces.list[space].search_page = 0;
            }
        }
        self.block_bytes -= swept.freed_block_bytes;
        swept
    }

    /// Sweeps all pages of a space, and takes the empty ones out of use.
    fn sweep_space(&mut self, at: usize, swept: &mut Swept) {
        let mut number = std::mem::take(&mut self.spaces.list[at].first_page);
        self.spaces.list[at].last_page = 0;
        while number != 0 {
            let next = self.pages.page(number).next;
            if self.sweep_one(number, swept) > 0 {
                self.append_page(at, number);
            } else if self.zeal.no_reuse {
                self.pages.retire(&mut self.region, number);
            } else {
                self.pages.vacate(number);
            }
            number = next;
        }
        let space = &mut self.spaces.list[at];
        (space.search_page, space.search_from) = (space.first_page, 0);
    }

    /// Sweeps the pages of a space that have been allocated in since the last sweep, and lets allocation begin again at
    /// the first of them that has room to speak of. Empty pages stay, as they are about to be filled again.
    fn sweep_young(&mut self, at: usize, swept: &mut Swept) {
        let space = &self.spaces.list[at];
        let capacity = cells_per_page(space.shape.stride());
        let (mut number, last) = (space.young_page, space.search_page);
        let mut search = 0;
        while number != 0 {
            let live = self.sweep_one(number, swept);
            if search == 0 && live <= capacity - capacity / 8 {
                search = number;
            }
            let next = self.pages.page(number).next;
            if number == last {
                search = if search == 0 { next } else { search };
                break;
            }
            number = next;
        }
        let space = &mut self.spaces.list[at];
        if space.young_page != 0 {
            (space.search_page, space.search_from) = (search, 0);
        }
    }

    /// Sweeps a page that is on the list of a space, and says how many objects are left in it.
    fn sweep_one(&mut self, number: u32, swept: &mut Swept) -> u32 {
        let remains = if self.zeal.poison { Remains::Poisoned } else { Remains::Left };
        let page = *self.pages.page(number);
        // SAFETY: the page is in use as the table says, and all runs have been published by `mark`. The exclusive borrow of
        // the store says that no reference into a cell is left (I8).
        unsafe { sweep_page(self.cage, number, &page, &mut self.bits[page_words(number)], remains, swept) }
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
                    // SAFETY: as in `sweep_one`; nothing is marked, so that everything dies.
                    unsafe { sweep_page(self.cage, number, &page, bits, Remains::Left, &mut swept) };
                }
                number = page.next;
            }
        }
        if let Some(panic) = swept.panic {
            if std::thread::panicking() {
                forget_panic(panic);
            } else {
                std::panic::resume_unwind(panic);
            }
        }
    }
}
