//! What a weak handle asks of the store when it is upgraded.

use super::bits::{bit_of, word_of};
use super::cycle::Phase;
use super::handle::Handle;
use super::layout::page_of;
use super::pages::EDGES;
use super::store::Store;
use super::watch::Touched;

/// Whether an object that has been handed out anew lives through the cycle.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It does, or there is none that could find it dead.
    Yes,
    /// Marks are being cleared, so that it cannot be marked: it has to be among the roots of this cycle.
    NotYet,
}

impl Store {
    /// Sees to it that the object of a handle that is alive lives through the cycle that is marking, if there is one.
    pub(crate) fn keep_for_cycle(&mut self, handle: Handle) -> Kept {
        match self.phase {
            Phase::Idle | Phase::Sweeping(_) => Kept::Yes,
            Phase::Clearing { .. } => Kept::NotYet,
            Phase::Marking(_) => {
                self.watch_write(handle, Touched::Kept);
                self.mark_between_slices(handle.index());
                Kept::Yes
            }
        }
    }

    /// Marks an object as an edge to it would. Its live bit is set, be its page one that is allocated in, in which all are.
    fn mark_between_slices(&mut self, index: u32) {
        let bits = &mut self.bits[word_of(index)];
        if bits.mark & bit_of(index) != 0 {
            return;
        }
        bits.mark |= bit_of(index);
        if self.pages.page(page_of(index)).traits & EDGES != 0 {
            self.work.push(index);
        }
        self.waiting.note_progress();
        if self.waiting.is_waited_for(index) {
            self.waiting.release(index);
        }
    }
}
