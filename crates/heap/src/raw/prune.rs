//! Pruning: entries whose keys are dead leave their tables, before anything is swept.
//!
//! Which these are is known when marking ends: those that still wait. So pruning visits the dead entries and nothing else,
//! whatever the size of the tables, and a minor cycle visits those that died young. It is done in slices, in which the
//! values of these entries are dropped. A table that an entry waits in is marked, so that it survives this sweep; the entry
//! may have been removed or filled anew in the meantime, so that its key is asked for again.
//!
//! If some wait is missing, as there was no memory for it, all tables are pruned whole, page by page.

use super::bits::{Bits, bit_of, ones, page_words, word_of};
use super::cycle::{Phase, Stop};
use super::handle::{AnyGc, Handle};
use super::layout::page_of;
use super::mark::cell;
use super::reclaim::Sweeping;
use super::store::Store;
use super::sweep::forget_panic;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How far pruning has come.
#[derive(Debug, Default)]
pub(super) struct Pruning {
    /// The position of the next wait.
    next: usize,
    /// Where waits are missing: the next page, and the next element of the tables on it.
    page: u32,
}

/// What it costs to look at a wait.
const WAIT_COST: u64 = 2;
/// What it costs to prune an entry.
const ENTRY_COST: u64 = 10;

impl Store {
    /// Prunes until all dead entries are gone, or the credit is used up.
    pub(super) fn prune(&mut self, pruning: &mut Pruning, credit: &mut u64) -> Stop {
        while let Some(wait) = self.waiting.get(pruning.next) {
            if *credit == 0 {
                return Stop::Credit;
            }
            pruning.next += 1;
            *credit = credit.saturating_sub(WAIT_COST);
            if !self.is_marked(wait.key) {
                *credit = credit.saturating_sub(ENTRY_COST);
                self.prune_element(wait.holder, wait.element);
            }
        }
        while self.waiting.is_incomplete() && pruning.page < self.pages.end() {
            if *credit == 0 {
                return Stop::Credit;
            }
            *credit = credit.saturating_sub(1);
            self.prune_page(pruning.page, credit);
            pruning.page += 1;
        }
        Stop::Idle
    }

    /// Prunes all dead entries, if that is not done yet.
    pub(crate) fn finish_pruning(&mut self) {
        if let Phase::Sweeping(mut sweeping) = std::mem::take(&mut self.phase) {
            self.phase = Phase::Sweeping(Sweeping::default());
            self.prune(&mut sweeping.pruning, &mut { u64::MAX });
            self.phase = Phase::Sweeping(sweeping);
        }
    }

    /// Whether entries wait to be pruned.
    pub(crate) fn is_pruning(&self) -> bool {
        let Phase::Sweeping(sweeping) = &self.phase else { return false };
        let pages_are_left = self.waiting.is_incomplete() && sweeping.pruning.page < self.pages.end();
        pages_are_left || self.waiting.get(sweeping.pruning.next).is_some()
    }

    /// Prunes an element of a table, if its key is dead.
    fn prune_element(&mut self, holder: u32, element: u32) {
        debug_assert!(self.is_marked(holder), "a table with a wait was marked");
        let Some(info) = self.pages.page(page_of(holder)).info else { return };
        let (cage, stamp) = (self.cage, self.stamps.current());
        let bits: &[Bits] = &self.bits;
        let is_dead = |any: AnyGc| is_dead(any.handle(), bits, stamp);
        // A destructor of the program's may panic; the entry is empty by then.
        let pruned = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the table was marked in this cycle, and a sweep frees nothing that is marked; so its cell holds a value
            // of the type of its page, which `info` describes (I5, I6). The exclusive borrow of the store says that there
            // is no reference into a cell (I8); `is_dead` looks at handles and bits only.
            unsafe { (info.prune)(cell(cage, holder), element, &is_dead) }
        }));
        if let Err(panic) = pruned {
            match &self.freed.panic {
                None => self.freed.panic = Some(panic),
                Some(_) => forget_panic(panic),
            }
        }
    }

    /// Prunes all tables of a page.
    #[cold]
    fn prune_page(&mut self, number: u32, credit: &mut u64) {
        let Some(info) = self.pages.page(number).info else { return };
        if !info.is_weak {
            return;
        }
        for word in page_words(number) {
            for bit in ones(self.bits[word].mark) {
                let index = word as u32 * 64 + bit;
                // SAFETY: a marked cell of a page of this type holds a value of it (I5, I6), and nobody refers to it (I8).
                let elements = unsafe { (info.elements)(cell(self.cage, index)) };
                for element in 0..elements {
                    *credit = credit.saturating_sub(1);
                    self.prune_element(index, element);
                }
            }
        }
    }
}

/// Whether the object of a handle that was alive when marking began has been found dead by it.
///
/// Its cell may have been swept by now, and have another object, which has the current stamp. Old objects are marked.
fn is_dead(handle: Handle, bits: &[Bits], current: u32) -> bool {
    let is_marked = bits.get(word_of(handle.index())).is_some_and(|bits| bits.mark & bit_of(handle.index()) != 0);
    handle.stamp() != current && !is_marked
}
