//! What a snapshot asks of the store: which object is where, how large it is, and what it says of itself.
//!
//! Nothing here changes anything.

use super::cycle::Phase;
use super::handle::{AnyGc, Handle};
use super::inspect::CellView;
use super::layout::{CELL_STARTS, GRANULE, PAGE_GRANULES, page_of};
use super::mark::cell;
use super::prefetch;
use super::store::Store;
use crate::trace::Describer;
use std::num::NonZeroU32;

impl Store {
    /// One more than the highest index of a cell.
    pub(crate) fn end_of_cells(&self) -> u32 {
        self.pages.end() * PAGE_GRANULES
    }

    /// The stamp that an object has which is made now.
    pub(crate) fn current_stamp(&self) -> u32 {
        self.stamps.current()
    }

    /// Asks for the header at an index to be brought near.
    pub(crate) fn prefetch(&self, index: u32) {
        if index < self.end_of_cells() {
            prefetch::read(self.cage, index);
        }
    }

    /// The object whose cell starts at an index, if there is one that no collection has found dead.
    pub(crate) fn object_at(&self, index: u32) -> Option<CellView> {
        let page = self.pages.page(page_of(index));
        let info = page.info?;
        let place = index % PAGE_GRANULES;
        let is_border = CELL_STARTS[usize::from(page.stride)][place as usize / 64] >> (place % 64) & 1 == 1;
        if !is_border {
            return None;
        }
        // A border of a page in use (I1).
        let stamp = self.stamp_at(index);
        if stamp == 0 {
            return None;
        }
        let handle = Handle::new(NonZeroU32::new(index)?, stamp);
        let is_doomed = matches!(self.phase, Phase::Sweeping(_)) && self.is_doomed(handle);
        (!is_doomed).then_some(CellView { handle: AnyGc::new(handle), info })
    }

    /// Bytes of the cell and the block of an object, if it is alive.
    pub(crate) fn bytes_of(&self, object: AnyGc) -> usize {
        let Some(info) = self.type_of(object.handle()) else { return 0 };
        let index = object.handle().index();
        // SAFETY: the handle is valid, so its cell holds a value of the page's type (I5).
        let block = unsafe { (info.block)(cell(self.cage, index)) };
        usize::from(self.pages.page(page_of(index)).stride) * GRANULE + block.map_or(0, |(_, layout)| layout.size())
    }

    /// Has an object describe itself, if it is alive.
    pub(crate) fn describe(&self, object: AnyGc, describer: &mut Describer<'_>) {
        if let Some(info) = self.type_of(object.handle()) {
            // SAFETY: the handle is valid, so its cell holds a value of the page's type (I5); the borrow of the store keeps
            // exclusive references away (I8).
            unsafe { (info.describe)(cell(self.cage, object.handle().index()), describer) }
        }
    }
}
