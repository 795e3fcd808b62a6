//! The sweep of a heap: which page is next, where it goes when it has been swept, and what becomes of the empty ones.
//!
//! Pages are swept in slices at safepoints, and, where their objects have no destructors, also when allocation wants their
//! cells. So a destructor runs at a safepoint and nowhere else. All pages have been swept before the next cycle begins.
//!
//! Until its page has been swept, a dead object is still there, whole: a handle to it, which a correct program does not
//! have, leads to it.

use super::bits;
use super::cycle::{Extent, Phase, Stop};
use super::layout::{PAGE_WORDS, cells_per_page};
use super::prune::Pruning;
use super::runs::{self, Room};
use super::store::Store;
use super::sweep::{Remains, sweep_page, sweep_word};

/// A sweep, between two pieces of it.
#[derive(Debug, Default)]
pub(super) struct Sweeping {
    /// The space whose pages are being swept.
    space: usize,
    /// The page that is being swept, which is on no list, and its next word.
    pub(super) page: Option<(u32, usize)>,
    /// Dead entries leave their tables first.
    pub(super) pruning: Pruning,
}

/// What sweeping a page costs, in units of credit, beside what it frees.
const PAGE_COST: u64 = 32;
/// How many cells without a destructor are freed for one unit.
const FREED_FOR_ONE: u32 = 2;
/// What a destructor costs.
const DROP_COST: u32 = 6;
/// What giving a page back to the system costs.
const RELEASE_COST: u64 = 1_500;

impl Store {
    /// Sweeps until everything is swept, or the credit is used up.
    pub(super) fn sweep(&mut self, sweeping: &mut Sweeping, credit: &mut u64) -> Stop {
        if self.prune(&mut sweeping.pruning, credit) == Stop::Credit {
            return Stop::Credit;
        }
        loop {
            if *credit == 0 {
                return Stop::Credit;
            }
            if let Some((number, word)) = sweeping.page {
                sweeping.page = self.sweep_on(number, word, credit).map(|word| (number, word));
                if sweeping.page.is_none() {
                    self.put_away(sweeping.space, number);
                }
            } else if sweeping.space == self.spaces.list.len() {
                return Stop::Idle;
            } else if let Some(number) = self.next_unswept(sweeping.space) {
                sweeping.page = Some((number, 0));
            } else {
                sweeping.space += 1;
            }
        }
    }

    fn next_unswept(&mut self, space: usize) -> Option<u32> {
        let pages = &mut self.pages;
        self.spaces.list[space].unswept.iter_mut().find_map(|list| pages.pop(list))
    }

    /// Sweeps a page from a word on, and says at which to go on.
    fn sweep_on(&mut self, number: u32, word: usize, credit: &mut u64) -> Option<usize> {
        let before = (self.freed.objects, self.freed.block_bytes);
        let next = self.sweep_words(number, word, credit);
        let space = usize::from(self.pages.page(number).space);
        let tally = &mut self.spaces.list[space].tally;
        tally.freed_objects += self.freed.objects - before.0;
        tally.freed_block_bytes += self.freed.block_bytes - before.1;
        next
    }

    fn sweep_words(&mut self, number: u32, mut word: usize, credit: &mut u64) -> Option<usize> {
        let page = *self.pages.page(number);
        let remains = self.remains();
        let bits = bits::of_page(&mut self.bits, number);
        if !page.must_drop() {
            // SAFETY: the page is in use as the table says, and everything was published when the sweep began. The exclusive
            // borrow of the store says that no reference into a cell is left (I8).
            let freed = unsafe { sweep_page(self.cage, number, &page, bits, remains, &mut self.freed) };
            *credit = credit.saturating_sub(PAGE_COST + u64::from(freed / FREED_FOR_ONE));
            self.swept_words += PAGE_WORDS as u64;
            return None;
        }
        while word < PAGE_WORDS && *credit > 0 {
            // SAFETY: as above.
            let freed = unsafe { sweep_word(self.cage, number, &page, bits, word, remains, &mut self.freed) };
            *credit = credit.saturating_sub(2 + u64::from(freed * DROP_COST));
            word += 1;
            self.swept_words += 1;
        }
        (word < PAGE_WORDS).then_some(word)
    }

    /// Puts a page that has been swept on the list where it belongs.
    fn put_away(&mut self, space: usize, number: u32) {
        let is_empty = bits::of_page(&mut self.bits, number).iter().all(|bits| bits.live == 0);
        // What a minor cycle has emptied is about to be filled again, with the same type.
        if is_empty && self.extent == Extent::Full {
            self.spaces.list[space].tally.pages -= 1;
            if self.zeal.no_reuse {
                self.pages.retire(&mut self.region, number);
            } else {
                self.pages.vacate(number);
            }
        } else if self.has_room(number) {
            self.pages.push(&mut self.spaces.list[space].roomy, number);
        } else {
            self.pages.push(&mut self.spaces.list[space].full, number);
        }
    }

    /// Links the free cells of a page that has been swept, if it has some to speak of.
    fn has_room(&mut self, number: u32) -> bool {
        let stride = u32::from(self.pages.page(number).stride);
        let capacity = cells_per_page(stride);
        let bits = bits::of_page(&mut self.bits, number);
        let live: u32 = bits.iter().map(|bits| bits.live.count_ones()).sum();
        let too_few = self.extent == Extent::Young && live > capacity - capacity / 8;
        if self.zeal.no_reuse || too_few {
            return false;
        }
        // SAFETY: the page has been swept, so that its bits are those of its living cells, and it is not allocated in. The
        // exclusive borrow of the store says that no reference into a cell is left (I8).
        unsafe { runs::link(self.cage, number, bits, stride) == Room::Some }
    }

    /// Sweeps pages of a space until one has room, which is on no list then; at most so many. Runs no destructor.
    pub(super) fn sweep_for_allocation(&mut self, space: u16, most: u32) -> Option<u32> {
        if !matches!(self.phase, Phase::Sweeping(_)) || self.zeal.no_reuse {
            return None;
        }
        let space = usize::from(space);
        if self.spaces.list[space].must_drop() {
            return None;
        }
        for _ in 0..most {
            let number = self.next_unswept(space)?;
            self.sweep_on(number, 0, &mut { u64::MAX });
            if self.has_room(number) {
                return Some(number);
            }
            self.pages.push(&mut self.spaces.list[space].full, number);
        }
        None
    }

    fn remains(&self) -> Remains {
        if self.zeal.poison { Remains::Poisoned } else { Remains::Left }
    }

    /// Gives memory of empty pages back to the system until at most `keep` bytes of them are left. False when the credit is
    /// used up before.
    pub(crate) fn release_empty(&mut self, keep: usize, credit: &mut u64) -> bool {
        while *credit > 0 {
            if !self.pages.release_one(&mut self.region, keep) {
                return true;
            }
            *credit = credit.saturating_sub(RELEASE_COST);
        }
        false
    }

    /// Bytes of the pages that have been empty all the time since this was asked last.
    pub(crate) fn take_idle_bytes(&mut self) -> usize {
        self.pages.take_idle_bytes()
    }

    /// Bytes of the pages that are empty.
    pub(crate) fn empty_bytes(&self) -> usize {
        self.pages.empty_bytes()
    }
}
