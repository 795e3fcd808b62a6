//! The page table of a heap: what each of its pages holds, and which of them are empty.
//!
//! A page is in one of four states:
//!
//! - *unknown*: never taken by this heap, all zero;
//! - *in use*: it has a type, and is on the list of its space (`spaces.rs`);
//! - *empty*: no type; kept for the next space that wants its stride, and counted as committed;
//! - *released*: no type, its memory given back, still first to be taken again for its stride.
//!
//! Lists of pages run through the table itself, so that moving a page from one to another asks for no memory.

use super::classes::{self, NoPage};
use super::layout::{GRANULE, MAX_STRIDE, PAGE_BYTES, PAGE_GRANULES, Shape};
use super::object::TypeInfo;
use super::region::{Region, Table, Zeroed};
use crate::error::AllocErrorKind;

/// One page.
#[derive(Copy, Clone, Debug)]
#[repr(C)]
pub(crate) struct Page {
    /// The type of its objects, when in use.
    pub(super) info: Option<&'static TypeInfo>,
    /// The next page of the list that this one is on; 0 ends it.
    pub(super) next: u32,
    /// The space that it belongs to, when in use.
    pub(super) space: u16,
    /// Its stride in granules; 0 when unknown.
    pub(super) stride: u8,
    /// Whether its objects may have edges, and whether they must be dropped.
    pub(super) traits: u8,
}

impl Page {
    /// Whether its objects have destructors or own blocks.
    pub(super) fn must_drop(&self) -> bool {
        self.traits & DROPS != 0
    }
}

/// The objects of the page may contain handles.
pub(super) const EDGES: u8 = 1;
/// The objects of the page have destructors or own blocks.
pub(super) const DROPS: u8 = 2;

// SAFETY: zero is `None`, which is what the null niche of a reference promises, and numbers.
unsafe impl Zeroed for Page {}

const _: () = assert!(size_of::<Page>() == 16);

/// Huge pages are asked for once a heap has this much, so that a small one stays small.
const HUGE_FROM: usize = 8 << 20;
const HUGE_BYTES: usize = 2 << 20;

/// The pages of one stride that are not in use.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Idle {
    /// The first empty page.
    empty: u32,
    /// The first released page.
    released: u32,
    /// How many page numbers of this stride the heap has asked for.
    asked: u32,
}

/// The pages of one heap.
#[derive(Debug)]
pub(crate) struct Pages {
    table: Table<Page>,
    /// For each stride in granules, its pages that are not in use.
    idle: Box<[Idle]>,
    in_use: usize,
    empty_count: usize,
    /// The lowest that `empty_count` has been since it was asked for.
    fewest_empty: usize,
    /// One more than the highest page that was ever taken.
    end: u32,
    /// Up to where the cage was advised to be on huge pages, in bytes.
    huge_until: usize,
}

impl Pages {
    /// No pages of any stride that are idle, or `None` where the system has no memory for the lists.
    pub(super) fn no_idle() -> Option<Box<[Idle]>> {
        let mut idle = Vec::new();
        idle.try_reserve_exact(MAX_STRIDE + 1).ok()?;
        idle.resize(MAX_STRIDE + 1, Idle::default());
        Some(idle.into_boxed_slice())
    }

    /// All pages are unknown.
    pub(super) fn new(table: Table<Page>, idle: Box<[Idle]>) -> Pages {
        Pages { table, idle, in_use: 0, empty_count: 0, fewest_empty: 0, end: 0, huge_until: 0 }
    }

    /// The whole table.
    #[inline(always)]
    pub(super) fn table(&self) -> &[Page] {
        &self.table
    }

    /// One page. Any number will do; a page beyond the table is unknown.
    #[inline(always)]
    pub(super) fn page(&self, number: u32) -> &Page {
        const UNKNOWN: Page = Page { info: None, next: 0, space: 0, stride: 0, traits: 0 };
        self.table.get(number as usize).unwrap_or(&UNKNOWN)
    }

    /// Bytes of the pages in use and of the empty ones.
    #[inline]
    pub(crate) fn committed_bytes(&self) -> usize {
        (self.in_use + self.empty_count) * PAGE_BYTES
    }

    /// Bytes of the pages in use.
    pub(crate) fn in_use_bytes(&self) -> usize {
        self.in_use * PAGE_BYTES
    }

    /// One more than the highest page that was ever taken.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// Whether taking a page for `stride` would add to what is committed.
    pub(super) fn would_commit(&self, stride: u32) -> bool {
        self.idle[stride as usize].empty == 0
    }

    /// Takes a page into use, for objects of `info` in cells of `shape`. It is on no list.
    pub(super) fn take(
        &mut self,
        cage: &mut Region,
        info: &'static TypeInfo,
        shape: Shape,
        space: u16,
    ) -> Result<u32, AllocErrorKind> {
        let stride = shape.stride() as usize;
        let idle = &mut self.idle[stride];
        let number = if idle.empty != 0 {
            self.empty_count -= 1;
            self.fewest_empty = self.fewest_empty.min(self.empty_count);
            pop(&mut self.table, &mut idle.empty)
        } else if idle.released != 0 {
            pop(&mut self.table, &mut idle.released)
        } else {
            let bound = (cage.bytes() / GRANULE / PAGE_GRANULES as usize).min(self.table.len()) as u32;
            let number = classes::page_number(shape.stride(), idle.asked as usize, bound);
            let number = number.map_err(|no_page| match no_page {
                NoPage::AddressSpace => AllocErrorKind::AddressSpace,
                NoPage::System => AllocErrorKind::System,
            })?;
            idle.asked += 1;
            number
        };
        self.in_use += 1;
        self.end = self.end.max(number + 1);
        self.prefer_huge_pages(cage, number);
        let edges = if info.has_edges { EDGES } else { 0 };
        let drops = if info.needs_drop || shape.is_outline() { DROPS } else { 0 };
        self.table[number as usize] =
            Page { info: Some(info), next: 0, space, stride: stride as u8, traits: edges | drops };
        Ok(number)
    }

    /// Takes a page without objects out of use. It is on no list of its space any more.
    pub(super) fn vacate(&mut self, number: u32) {
        let stride = self.table[number as usize].stride;
        let first = std::mem::replace(&mut self.idle[usize::from(stride)].empty, number);
        self.table[number as usize] = Page { info: None, next: first, space: 0, stride, traits: 0 };
        self.in_use -= 1;
        self.empty_count += 1;
    }

    /// Takes a page without objects out of use for ever: its cells are never handed out again.
    pub(super) fn retire(&mut self, cage: &mut Region, number: u32) {
        let stride = self.table[number as usize].stride;
        self.table[number as usize] = Page { info: None, next: 0, space: 0, stride, traits: 0 };
        self.in_use -= 1;
        discard(cage, number);
    }

    /// Gives the memory of an empty page back to the system if more than `keep` bytes of them are left.
    pub(super) fn release_one(&mut self, cage: &mut Region, keep: usize) -> bool {
        if self.empty_count * PAGE_BYTES <= keep {
            return false;
        }
        let Some(idle) = self.idle.iter_mut().find(|idle| idle.empty != 0) else { return false };
        let number = pop(&mut self.table, &mut idle.empty);
        push(&mut self.table, &mut idle.released, number);
        self.empty_count -= 1;
        self.fewest_empty = self.fewest_empty.min(self.empty_count);
        discard(cage, number);
        true
    }

    /// Bytes of the pages that have been empty all the time since this was asked last.
    pub(super) fn take_idle_bytes(&mut self) -> usize {
        std::mem::replace(&mut self.fewest_empty, self.empty_count) * PAGE_BYTES
    }

    /// Bytes of the empty pages.
    pub(super) fn empty_bytes(&self) -> usize {
        self.empty_count * PAGE_BYTES
    }

    /// Puts a page at the front of a list.
    pub(super) fn push(&mut self, list: &mut u32, number: u32) {
        push(&mut self.table, list, number);
    }

    /// Takes the page at the front of a list.
    pub(super) fn pop(&mut self, list: &mut u32) -> Option<u32> {
        (*list != 0).then(|| pop(&mut self.table, list))
    }

    /// The lists of pages that are not in use, for the verifier: each with its stride.
    pub(crate) fn idle_lists(&self) -> impl Iterator<Item = (usize, u32)> {
        let lists = self.idle.iter().enumerate();
        let lists = lists.flat_map(|(stride, idle)| [(stride, idle.empty), (stride, idle.released)]);
        lists.filter(|&(_, first)| first != 0)
    }

    /// Pages in use and empty pages, as counted.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.in_use, self.empty_count)
    }

    fn prefer_huge_pages(&mut self, cage: &mut Region, number: u32) {
        let offset = number as usize * PAGE_BYTES;
        if offset < self.huge_until || self.committed_bytes() < HUGE_FROM {
            return;
        }
        let start = offset / HUGE_BYTES * HUGE_BYTES;
        if start + HUGE_BYTES <= cage.bytes() {
            cage.prefer_huge_pages(start, HUGE_BYTES);
            self.huge_until = start + HUGE_BYTES;
        }
    }
}

/// Takes the page at the front of a list.
fn pop(table: &mut [Page], first: &mut u32) -> u32 {
    let number = *first;
    *first = table[number as usize].next;
    number
}

/// Puts a page at the front of a list.
fn push(table: &mut [Page], first: &mut u32, number: u32) {
    table[number as usize].next = std::mem::replace(first, number);
}

fn discard(cage: &mut Region, number: u32) {
    // SAFETY: the page is not in use: all its objects are dead, and no reference into a dead object is left, as one
    // borrows the heap, which is borrowed exclusively here.
    unsafe { cage.discard(number as usize * PAGE_BYTES, PAGE_BYTES) }
}

#[cfg(test)]
impl Pages {
    /// Seeds a corruption.
    pub(crate) fn corrupt(&mut self, number: u32, change: impl FnOnce(&mut Page)) {
        change(&mut self.table[number as usize]);
    }

    /// Seeds a wrong count of pages in use.
    pub(crate) fn corrupt_in_use(&mut self) {
        self.in_use += 1;
    }
}
