//! Spaces: the pages of one type and shape, and the page that allocation fills.
//!
//! Each page of a space is on one of its lists, which run through the page table:
//!
//! - *young*: allocated in since the last sweep; the first of them is being allocated in;
//! - *roomy*: swept, with free cells;
//! - *full*: swept, without free cells to speak of;
//! - *unswept*: three of these lists as they were when the sweep that is going on began.
//!
//! While a page is being allocated in, *all* its cells have live bits, so that handing one out need not set any. Before the
//! bits are looked at, they are *published*: those of the cells that are still free are taken back (`cycle.rs`).
//!
//! Runs are found by type and shape in a small hash table. Its hash is known at compile time for a sized type, so that
//! the way to the run is a load and a comparison.

use super::bits::PageBits;
use super::layout::{PAGE_GRANULES, PAGE_WORDS, Shape};
use super::object::TypeInfo;
use super::runs::Run;
use crate::error::AllocErrorKind;
use std::any::TypeId;
use std::hash::{Hash, Hasher};

/// A slot of the table from types to runs.
#[derive(Copy, Clone, Debug)]
pub(super) struct Slot {
    id: TypeId,
    pub(super) run: Run,
    pub(super) space: u16,
    /// The shape, as [`Shape::key`].
    key: u8,
    used: bool,
}

/// The pages of one type and shape. A list is the number of its first page, 0 when it is empty.
#[derive(Debug)]
pub(crate) struct Space {
    pub(super) info: &'static TypeInfo,
    pub(super) shape: Shape,
    pub(super) young: u32,
    pub(super) roomy: u32,
    pub(super) full: u32,
    pub(super) unswept: [u32; 3],
    /// The page that is being allocated in, the first of the young ones; 0 when there is none.
    pub(super) page: u32,
    /// The live bits of that page before anything was allocated in it.
    pub(super) before: [u64; PAGE_WORDS],
    /// While allocations are observed: what follows the run, and is kept from allocation (`watch.rs`).
    pub(super) hidden: Run,
    /// The first hidden cell is a sample.
    pub(super) sample_next: bool,
    /// Granules of the cells that were handed out on other pages, since the heap was made.
    pub(super) filled_granules: u64,
    /// What a histogram asks for.
    pub(super) tally: Tally,
}

/// Counts of one space, kept where pages and blocks come and go, so that allocation pays nothing for them.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) pages: usize,
    /// Since the heap was made, as are the next two.
    pub(super) freed_objects: u64,
    pub(super) made_block_bytes: u64,
    pub(super) freed_block_bytes: u64,
}

impl Space {
    fn new(info: &'static TypeInfo, shape: Shape) -> Space {
        Space {
            info,
            shape,
            young: 0,
            roomy: 0,
            full: 0,
            unswept: [0; 3],
            page: 0,
            before: [0; PAGE_WORDS],
            hidden: Run::default(),
            sample_next: false,
            filled_granules: 0,
            tally: Tally::default(),
        }
    }

    /// Whether its objects have destructors or own blocks.
    pub(super) fn must_drop(&self) -> bool {
        self.info.needs_drop || self.shape.is_outline()
    }

    /// All lists of pages.
    pub(super) fn lists(&self) -> [u32; 6] {
        let [a, b, c] = self.unswept;
        [self.young, self.roomy, self.full, a, b, c]
    }

    /// The live bits of a word of the page that is being allocated in, when `run` is what is left of its current run.
    #[inline]
    pub(super) fn published_word(&self, run: Run, word: usize) -> u64 {
        let starts = super::bits::starts(self.shape.stride(), word);
        // What lies before the next cell to hand out lives, what lies behind is as it was.
        let is_used_up = run.is_used_up() && self.hidden.is_used_up();
        let next = if is_used_up { PAGE_GRANULES } else { run.next % PAGE_GRANULES };
        let lowest = word as u32 * 64;
        let behind = match next.checked_sub(lowest) {
            None => !0,
            Some(bit) if bit < 64 => !0 << bit,
            Some(_) => 0,
        };
        (starts & !behind) | (self.before[word] & behind)
    }

    /// Takes the live bits of the cells back that have not been handed out.
    pub(super) fn publish(&mut self, run: Run, bits: &mut PageBits) {
        self.filled_granules += self.granules_of_page(run);
        for (word, bits) in bits.iter_mut().enumerate() {
            let live = self.published_word(run, word);
            (bits.live, self.before[word]) = (live, live);
        }
    }

    /// Gives all cells of the page that is allocated in live bits, and notes which are alive.
    pub(super) fn claim(&mut self, bits: &mut PageBits) {
        for (word, (bits, before)) in bits.iter_mut().zip(&mut self.before).enumerate() {
            *before = bits.live;
            bits.live = super::bits::starts(self.shape.stride(), word);
        }
    }

    /// Granules of the cells that have been handed out of the page that is being allocated in.
    fn granules_of_page(&self, run: Run) -> u64 {
        let handed_out = |word: usize| (self.published_word(run, word) & !self.before[word]).count_ones();
        let cells: u32 = if self.page == 0 { 0 } else { (0..PAGE_WORDS).map(handed_out).sum() };
        u64::from(cells * self.shape.stride())
    }

    /// Leaves the page that is being allocated in, which stays a young one.
    pub(super) fn leave_page(&mut self, run: Run) {
        self.filled_granules += self.granules_of_page(run);
        self.page = 0;
    }

    /// Objects that were made since the heap was.
    pub(super) fn made(&self, run: Run) -> u64 {
        (self.filled_granules + self.granules_of_page(run)) / u64::from(self.shape.stride())
    }
}

/// All spaces of a heap.
#[derive(Debug)]
pub(crate) struct Spaces {
    /// A power of two of slots, at most half of them used.
    slots: Box<[Slot]>,
    /// **Invariant:** one less than the number of slots.
    mask: usize,
    pub(super) list: Vec<Space>,
}

impl Spaces {
    /// No spaces, or `None` when the system refuses even the table.
    pub(super) fn new() -> Option<Spaces> {
        let slots = vacant(64)?;
        Some(Spaces { mask: slots.len() - 1, slots, list: Vec::new() })
    }

    /// The slot of a type and shape, and its run, if it is where it should be. A miss says nothing: ask
    /// [`Spaces::find`].
    #[inline(always)]
    pub(super) fn expected(&self, id: TypeId, shape: Shape) -> Option<(usize, Run)> {
        let at = slot_hash(id, shape.key()) & self.mask;
        // SAFETY: there are `mask + 1` slots, always.
        let slot = unsafe { self.slots.get_unchecked(at) };
        (slot.id == id && slot.key == shape.key()).then_some((at, slot.run))
    }

    /// Where the slot of a type and shape is, which is made when there is none.
    pub(super) fn find(&mut self, info: &'static TypeInfo, shape: Shape) -> Result<usize, AllocErrorKind> {
        if self.list.len() * 2 >= self.slots.len() {
            self.grow()?;
        }
        let at = self.probe(info.id(), shape.key());
        if !self.slots[at].used {
            let space = u16::try_from(self.list.len()).map_err(|_| AllocErrorKind::TooManyTypes)?;
            self.list.try_reserve(1).map_err(|_| AllocErrorKind::System)?;
            self.list.push(Space::new(info, shape));
            self.slots[at] = Slot { id: info.id(), run: Run::default(), space, key: shape.key(), used: true };
        }
        Ok(at)
    }

    pub(super) fn slot(&self, at: usize) -> &Slot {
        &self.slots[at]
    }

    /// Whether `index` is the next free cell of the run at `at`, and that run is for this type and shape.
    pub(super) fn is_next(&self, at: usize, index: u32, id: TypeId, shape: Shape) -> bool {
        let slot = &self.slots[at];
        slot.used && slot.id == id && slot.key == shape.key() && slot.run.next == index && index != slot.run.end
    }

    /// Moves the front of a run forward. The position came from `expected` or `find`.
    #[inline(always)]
    pub(super) fn advance(&mut self, at: usize, next: u32) {
        // SAFETY: there are `mask + 1` slots, always.
        unsafe { self.slots.get_unchecked_mut(at & self.mask).run.next = next };
    }

    pub(super) fn slot_mut(&mut self, at: usize) -> &mut Slot {
        &mut self.slots[at]
    }

    /// The slots that belong to a space.
    pub(super) fn used_slots(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|&at| self.slots[at].used).collect()
    }

    /// The runs with their spaces.
    pub(super) fn runs(&self) -> impl Iterator<Item = (&Space, Run)> {
        let list = &self.list;
        self.slots.iter().filter(|slot| slot.used).map(|slot| (&list[slot.space as usize], slot.run))
    }

    /// Calls `visit` with each space and its run.
    pub(super) fn each_mut(&mut self, mut visit: impl FnMut(&mut Space, &mut Run)) {
        for slot in self.slots.iter_mut().filter(|slot| slot.used) {
            visit(&mut self.list[slot.space as usize], &mut slot.run);
        }
    }

    /// The slot that holds this key, or the free one where it belongs.
    fn probe(&self, id: TypeId, key: u8) -> usize {
        let mut at = slot_hash(id, key) & self.mask;
        while self.slots[at].used && !(self.slots[at].id == id && self.slots[at].key == key) {
            at = (at + 1) & self.mask;
        }
        at
    }

    #[cold]
    fn grow(&mut self) -> Result<(), AllocErrorKind> {
        let slots = vacant(self.slots.len() * 4).ok_or(AllocErrorKind::System)?;
        self.mask = slots.len() - 1;
        let old = std::mem::replace(&mut self.slots, slots);
        for slot in old.into_iter().filter(|slot| slot.used) {
            let at = self.probe(slot.id, slot.key);
            self.slots[at] = slot;
        }
        Ok(())
    }
}

/// A table of `count` slots that belong to no type: nothing can be allocated as a [`Nothing`].
fn vacant(count: usize) -> Option<Box<[Slot]>> {
    enum Nothing {}
    let vacant = Slot { id: TypeId::of::<Nothing>(), run: Run::default(), space: 0, key: 0, used: false };
    let mut slots = Vec::new();
    slots.try_reserve_exact(count).ok()?;
    slots.resize(count, vacant);
    Some(slots.into_boxed_slice())
}

/// A type's id is a hash already; the shape of a slice is folded in.
#[inline(always)]
fn slot_hash(id: TypeId, key: u8) -> usize {
    struct Take(u64);
    impl Hasher for Take {
        #[inline(always)]
        fn write(&mut self, bytes: &[u8]) {
            for &byte in bytes {
                self.0 = self.0.rotate_left(8) ^ u64::from(byte);
            }
        }
        #[inline(always)]
        fn write_u64(&mut self, word: u64) {
            self.0 ^= word;
        }
        #[inline(always)]
        fn finish(&self) -> u64 {
            self.0
        }
    }
    let mut take = Take(0);
    id.hash(&mut take);
    take.finish() as usize ^ (key as usize).wrapping_mul(0x9e37_79b1) >> 3
}

#[cfg(test)]
mod tests {
    use super::super::object::Cell;
    use super::*;
    use std::alloc::Layout;

    #[test]
    fn finds_what_it_made_through_growth_and_collisions() {
        let mut spaces = Spaces::new().unwrap();
        let shapes: Vec<Shape> = (0..2040)
            .map(|size| Shape::of_slice(Layout::from_size_align(size, 1).unwrap()))
            .chain([Shape::OUTLINE])
            .collect();
        let mut made = Vec::new();
        for info in [<[u8]>::INFO, <[u16]>::INFO, <[u32]>::INFO, <[i8]>::INFO, str::INFO] {
            for &shape in &shapes {
                let at = spaces.find(info, shape).unwrap();
                made.push((info, shape, spaces.slot(at).space));
            }
        }
        for &(info, shape, space) in &made {
            let at = spaces.find(info, shape).unwrap();
            assert_eq!(spaces.slot(at).space, space);
            assert_eq!(spaces.list[space as usize].info.id(), info.id());
            assert_eq!(spaces.list[space as usize].shape, shape);
            if let Some((expected, _)) = spaces.expected(info.id(), shape) {
                assert_eq!(expected, at);
            }
        }
        assert!(spaces.list.len() * 2 <= spaces.slots.len());
    }
}
