//! What tools ask of the store: which cells there are, what they refer to, and whether every invariant holds.
//!
//! Nothing here changes anything, not even by publishing runs.

use super::bits::{self, ones, page_words};
use super::classes;
use super::cycle::Phase;
use super::handle::{AnyGc, Handle};
use super::layout::{CELL_STARTS, GRANULE, HEADER_BYTES, MAX_STRIDE, PAGE_GRANULES, PAGE_WORDS, cells_per_page};
use super::mark::cell;
use super::object::TypeInfo;
use super::runs::Run;
use super::spaces::Space;
use super::store::Store;
use super::sweep::is_untouched;
use crate::trace::{Tracer, Visit};
use crate::verify::Flaw;
use std::collections::HashSet;
use std::num::NonZeroU32;
use std::ptr;

/// A cell that holds an object.
#[derive(Copy, Clone, Debug)]
pub(crate) struct CellView {
    pub(crate) handle: AnyGc,
    pub(crate) info: &'static TypeInfo,
}

/// What a space holds.
#[derive(Copy, Clone, Debug)]
pub(crate) struct SpaceView {
    pub(crate) info: &'static TypeInfo,
    pub(crate) is_outline: bool,
    pub(crate) cell_bytes: usize,
    pub(crate) cells_per_page: usize,
    pub(crate) pages: usize,
    /// Objects that are there, dead ones that were not swept yet among them.
    pub(crate) objects: u64,
    pub(crate) block_bytes: u64,
}

impl Store {
    /// The spaces that have pages, in the order in which they were first used.
    pub(crate) fn space_views(&self) -> impl Iterator<Item = SpaceView> + '_ {
        let mut views = Vec::with_capacity(self.spaces.list.len());
        views.extend(self.spaces.runs().map(|(space, run)| {
            let tally = space.tally;
            let view = SpaceView {
                info: space.info,
                is_outline: space.shape.is_outline(),
                cell_bytes: space.shape.cell_bytes(),
                cells_per_page: cells_per_page(space.shape.stride()) as usize,
                pages: tally.pages,
                objects: space.made(run) - tally.freed_objects,
                block_bytes: tally.made_block_bytes - tally.freed_block_bytes,
            };
            (ptr::from_ref(space).addr(), view)
        }));
        views.sort_unstable_by_key(|&(place, _)| place);
        views.into_iter().map(|(_, view)| view).filter(|view| view.pages > 0)
    }

    /// The live bits of a page, as they are when published.
    fn live_words(&self, number: u32) -> [u64; PAGE_WORDS] {
        let allocated_in = self.spaces.runs().find(|(space, _)| space.page == number);
        std::array::from_fn(|word| match allocated_in {
            Some((space, run)) => space.published_word(run, word),
            None => self.bits[page_words(number)][word].live,
        })
    }

    /// The pages of a list, at most as many as there are.
    fn pages_of(&self, list: u32) -> impl Iterator<Item = u32> + '_ {
        let first = Some(list).filter(|&number| number != 0);
        std::iter::successors(first, |&number| Some(self.pages.page(number).next).filter(|&next| next != 0))
            .take(self.pages.end() as usize + 1)
    }

    /// The page that a slice of sweeping has left half swept, which is on no list.
    fn half_swept(&self) -> Option<u32> {
        match &self.phase {
            Phase::Sweeping(sweeping) => sweeping.page.map(|(number, _)| number),
            _ => None,
        }
    }

    /// The pages on which what is not marked is dead, and not freed yet.
    fn unswept_pages(&self) -> HashSet<u32> {
        let lists = self.spaces.list.iter().flat_map(|space| space.unswept);
        lists.flat_map(|list| self.pages_of(list)).chain(self.half_swept()).collect()
    }

    fn indices_of(&self, number: u32) -> impl Iterator<Item = u32> + use<> {
        let words = self.live_words(number).into_iter().zip((number * PAGE_GRANULES..).step_by(64));
        words.flat_map(|(word, base)| ones(word).map(move |bit| base + bit))
    }

    /// Every cell that holds an object, reachable or not, but those that a collection has found dead.
    pub(crate) fn cells(&self) -> impl Iterator<Item = CellView> + '_ {
        let unswept = self.unswept_pages();
        (1..self.pages.end()).flat_map(move |number| {
            let info = self.pages.page(number).info;
            let is_unswept = unswept.contains(&number);
            let numbers = info.map(|info| self.indices_of(number).map(move |index| (index, info)));
            numbers.into_iter().flatten().filter_map(move |(index, info)| {
                let is_dead = is_unswept && self.bits[bits::word_of(index)].mark & bits::bit_of(index) == 0;
                let handle = Handle::new(NonZeroU32::new(index)?, self.stamp_at(index));
                (!is_dead).then_some(CellView { handle: AnyGc::new(handle), info })
            })
        })
    }

    /// The stamp of the cell that starts at `index`.
    pub(super) fn stamp_at(&self, index: u32) -> u32 {
        // SAFETY: callers pass the start of a cell of a page in use, which is inside the cage (I1, I3).
        unsafe { cell(self.cage, index).cast::<u32>().read() }
    }

    /// Calls `visit` with each edge of an object, if it is alive.
    pub(crate) fn visit_edges(&self, object: AnyGc, visit: &mut dyn Visit) {
        if let Some(info) = self.type_of(object.handle()) {
            // SAFETY: the handle is valid, so its cell holds a value of the page's type (I5); the borrow of the store
            // keeps exclusive references away (I8).
            unsafe { (info.trace)(cell(self.cage, object.handle().index()), &mut Tracer::visiting(visit)) }
        }
    }

    /// Checks every invariant of cells, pages, runs and counters, and reports each flaw to `report`.
    pub(crate) fn check(&self, report: &mut dyn FnMut(Flaw)) {
        // A cycle that was abandoned leaves work behind, which the next one begins by forgetting.
        if !self.marks_are_void && !self.work.is_empty() {
            report(Flaw::WorkLeft);
        }
        for (space, run) in self.spaces.runs() {
            check_run(space, run, report);
            check_run(space, space.hidden, report);
            for number in self.pages_of(space.roomy) {
                self.check_links(space, number, report);
            }
        }
        let in_use = self.check_lists(report);
        let mut block_bytes = 0;
        for number in 1..self.pages.end() {
            if in_use.contains(&number) {
                self.check_page(number, &mut block_bytes, report);
            } else {
                self.check_idle_page(number, report);
            }
        }
        if block_bytes != self.block_bytes() {
            report(Flaw::BlockBytes { counted: self.block_bytes(), found: block_bytes });
        }
    }

    /// Checks the lists of pages; the pages in use are the result.
    fn check_lists(&self, report: &mut dyn FnMut(Flaw)) -> HashSet<u32> {
        let mut in_use: HashSet<u32> = self.half_swept().into_iter().collect();
        let is_sweeping = matches!(self.phase, Phase::Sweeping(_));
        for (at, space) in self.spaces.list.iter().enumerate() {
            if !is_sweeping && space.unswept != [0; 3] {
                report(Flaw::UnsweptPage { type_name: space.info.name() });
            }
            if space.page != 0 && space.page != space.young {
                report(Flaw::PageAstray { page: space.page });
            }
            for list in space.lists() {
                for number in self.pages_of(list) {
                    if !in_use.insert(number) {
                        report(Flaw::PageListedTwice { page: number });
                        break;
                    }
                    let page = self.pages.page(number);
                    let fits = page.info.is_some_and(|info| info.id() == space.info.id())
                        && usize::from(page.space) == at
                        && u32::from(page.stride) == space.shape.stride();
                    if !fits {
                        report(Flaw::PageOfAnotherSpace { page: number });
                        in_use.remove(&number);
                        break;
                    }
                }
            }
        }
        let mut idle = HashSet::new();
        for (stride, first) in self.pages.idle_lists() {
            let mut number = first;
            while number != 0 {
                if in_use.contains(&number) || !idle.insert(number) {
                    report(Flaw::PageListedTwice { page: number });
                    break;
                }
                if usize::from(self.pages.page(number).stride) != stride {
                    report(Flaw::PageStride { page: number });
                }
                number = self.pages.page(number).next;
            }
        }
        let (counted, _) = self.pages.counts();
        if counted != in_use.len() {
            report(Flaw::PageCount { counted, found: in_use.len() });
        }
        in_use
    }

    fn check_page(&self, number: u32, block_bytes: &mut usize, report: &mut dyn FnMut(Flaw)) {
        let page = self.pages.page(number);
        let Some(info) = page.info else { return };
        let stride = u32::from(page.stride);
        if stride == 0 || stride as usize > MAX_STRIDE || !classes::is_assigned(stride, number) {
            report(Flaw::PageStride { page: number });
            return;
        }
        let live = self.live_words(number);
        let starts = &CELL_STARTS[stride as usize];
        for word in 0..PAGE_WORDS {
            let base = number * PAGE_GRANULES + word as u32 * 64;
            let mark = self.bits[page_words(number)][word].mark;
            for bit in ones(live[word] & !starts[word]) {
                report(Flaw::LiveBitInsideCell { index: base + bit });
            }
            for bit in ones(mark & !live[word]) {
                report(Flaw::MarkWithoutObject { index: base + bit });
            }
            for bit in ones(starts[word]) {
                let index = base + bit;
                let is_live = live[word] >> bit & 1 == 1;
                self.check_cell(index, info, stride, is_live, block_bytes, report);
            }
        }
    }

    fn check_cell(
        &self,
        index: u32,
        info: &'static TypeInfo,
        stride: u32,
        is_live: bool,
        block_bytes: &mut usize,
        report: &mut dyn FnMut(Flaw),
    ) {
        let stamp = self.stamp_at(index);
        let cell_bytes = stride as usize * GRANULE;
        let type_name = info.name();
        if !is_live {
            if stamp != 0 {
                report(Flaw::StampOfDead { index, type_name });
            // SAFETY: the cell is free, its stamp is zero, and with this zeal every cell that dies is poisoned.
            } else if self.zeal.poison && !unsafe { is_untouched(cell(self.cage, index), cell_bytes) } {
                report(Flaw::BrokenPoison { index, type_name });
            }
            return;
        }
        if stamp == 0 {
            report(Flaw::NoStamp { index, type_name });
            return;
        }
        if !self.stamps.owns(stamp) {
            report(Flaw::ForeignStamp { index, type_name, stamp });
            return;
        }
        // SAFETY: the cell has a live bit and a stamp of this heap, so it holds a value of the page's type (I5, I6).
        let (block, value_bytes) = unsafe {
            let cell = cell(self.cage, index);
            ((info.block)(cell), (info.value_bytes)(cell))
        };
        match block {
            Some((_, layout)) => *block_bytes += layout.size(),
            None if value_bytes > cell_bytes - HEADER_BYTES => {
                report(Flaw::ValueTooLong { index, type_name, bytes: value_bytes });
            }
            None => {}
        }
    }

    /// A page that is not in use has no type, and no bits.
    fn check_idle_page(&self, number: u32, report: &mut dyn FnMut(Flaw)) {
        if self.pages.page(number).info.is_some() {
            report(Flaw::LostPage { page: number });
        }
        for bits in &self.bits[page_words(number)] {
            if bits.live != 0 {
                report(Flaw::LiveBitOnIdlePage { page: number });
                return;
            }
        }
    }

    /// Checks that the links of a page lead through all its free cells.
    fn check_links(&self, space: &Space, number: u32, report: &mut dyn FnMut(Flaw)) {
        let stride = space.shape.stride();
        let bits: &bits::PageBits = self.bits[page_words(number)].first_chunk().expect("the words of a page");
        let mut found = bits::next_free_run(bits, stride, 0);
        if found.is_none() {
            report(Flaw::NoRoom { page: number });
        }
        while let Some((begin, end)) = found {
            let index = number * PAGE_GRANULES + begin;
            // SAFETY: a cell border of a page in use; a link that is wrong is not followed.
            let run = unsafe { Run::at(self.cage, index) };
            found = bits::next_free_run(bits, stride, end + stride);
            let link = found.map_or(0, |(begin, _)| number * PAGE_GRANULES + begin);
            if (run.end, run.link) != (number * PAGE_GRANULES + end, link) {
                report(Flaw::BrokenLink { index, type_name: space.info.name() });
                return;
            }
        }
    }
}

/// Checks that a run is a stretch of free cells of the page that its space allocates in.
fn check_run(space: &Space, run: Run, report: &mut dyn FnMut(Flaw)) {
    if run == Run::default() {
        return;
    }
    let first = space.page * PAGE_GRANULES;
    let border = |index: u32| (index - first).is_multiple_of(space.shape.stride());
    let ordered = first <= run.next && run.next <= run.end && run.end <= first + PAGE_GRANULES;
    let free = |index: u32| {
        let granule = index - first;
        space.before[bits::word_of(granule)] & bits::bit_of(granule) == 0
    };
    let fits = space.page != 0 && ordered && border(run.next) && border(run.end);
    if !fits || !(run.next..run.end).all(free) {
        report(Flaw::RunAstray { type_name: space.info.name(), start: run.next, end: run.end });
    }
}

/// What a check of marks may find.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exactness {
    /// What is reachable is marked, and nothing else.
    Exact,
    /// What is reachable is marked, and perhaps more.
    MayMarkMore,
}

#[cfg(test)]
mod seeded {
    //! Corruptions, each of which the verifier must report.

    use super::*;
    use crate::raw::Gc;
    use crate::raw::layout::page_of;
    use crate::raw::pages::Page;

    impl Store {
        fn bits_at(&mut self, index: u32) -> &mut bits::Bits {
            &mut self.bits[bits::word_of(index)]
        }

        pub(crate) fn corrupt_header(&mut self, index: u32, stamp: u32) {
            // SAFETY: a test that never uses the cell again.
            unsafe { cell(self.cage, index).cast::<u32>().write(stamp) }
        }

        pub(crate) fn corrupt_meta(&mut self, index: u32, meta: u32) {
            // SAFETY: a test that never uses the cell again.
            unsafe { cell(self.cage, index).cast::<u32>().add(1).write(meta) }
        }

        pub(crate) fn corrupt_byte(&mut self, index: u32, at: usize) {
            // SAFETY: a test that writes inside a free cell.
            unsafe { cell(self.cage, index).add(at).write(0x55) }
        }

        pub(crate) fn corrupt_live(&mut self, index: u32, live: bool) {
            let bit = bits::bit_of(index);
            let bits = self.bits_at(index);
            if live { bits.live |= bit } else { bits.live &= !bit }
        }

        pub(crate) fn corrupt_mark(&mut self, index: u32) {
            self.bits_at(index).mark |= bits::bit_of(index);
        }

        pub(crate) fn corrupt_page(&mut self, index: u32, change: impl FnOnce(&mut Page)) {
            self.pages.corrupt(page_of(index), change);
        }

        pub(crate) fn corrupt_page_count(&mut self) {
            self.pages.corrupt_in_use();
        }

        pub(crate) fn corrupt_block_bytes(&mut self) {
            self.made_block_bytes += 8;
        }

        pub(crate) fn corrupt_worklist(&mut self) {
            self.work.push(1);
        }

        pub(crate) fn corrupt_run<T: crate::Object>(&mut self, _like: Gc<T>) {
            self.space_of::<T>(|_, run| run.end += 1);
        }

        pub(crate) fn corrupt_run_start<T: crate::Object>(&mut self, _like: Gc<T>, index: u32) {
            self.space_of::<T>(|_, run| run.next = index);
        }

        pub(crate) fn corrupt_lists<T: crate::Object>(&mut self, _like: Gc<T>) {
            self.space_of::<T>(|space, _| (space.young, space.roomy, space.full) = (0, 0, 0));
        }

        pub(crate) fn corrupt_page_in_use<T: crate::Object>(&mut self, _like: Gc<T>) {
            self.space_of::<T>(|space, _| space.page += 1);
        }

        pub(crate) fn corrupt_unswept<T: crate::Object>(&mut self, _like: Gc<T>) {
            self.space_of::<T>(|space, _| space.unswept[1] = std::mem::take(&mut space.roomy));
        }

        fn space_of<T: crate::Object>(&mut self, corrupt: impl Fn(&mut Space, &mut Run)) {
            self.spaces.each_mut(|space, run| {
                if space.info.id() == std::any::TypeId::of::<T>() {
                    corrupt(space, run);
                }
            });
        }
    }

    impl Page {
        pub(crate) fn corrupt_next(&mut self, next: u32) {
            self.next = next;
        }

        pub(crate) fn corrupt_type(&mut self) {
            self.info = None;
        }

        pub(crate) fn corrupt_space(&mut self) {
            self.space += 1;
        }

        pub(crate) fn corrupt_stride(&mut self) {
            self.stride += 1;
        }
    }
}
