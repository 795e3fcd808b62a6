//! Marking: from edges to marked cells.
//!
//! An edge is followed by its index alone. Whatever lives in that cell is marked and scanned as what it is, by the type
//! of its page, and an index at which nothing lives is ignored. So a stale or a foreign handle that a `Trace` reports
//! may keep an object alive for one more cycle, and can do nothing else. (To compare stamps here would mean to touch
//! each object when it is seen, which is what the whole design avoids; and an edge that was refused after its cell had
//! been marked would hide the right edge that comes later.)
//!
//! Invariant of a cycle: an index is on the worklist only if its live bit was set, and no cell dies while one runs.

use super::bits::{Bits, bit_of, ones, word_of};
use super::handle::Handle;
use super::layout::{GRANULE, PAGE_GRANULES, PAGE_WORDS, page_of};
use super::object::{Object, TypeInfo};
use super::pages::{EDGES, Page};
use super::root_table::RootTable;
use super::worklist::Worklist;
use crate::trace::{Sink, Tracer};
use std::ptr::{self, NonNull};

/// What marking works on. Lives inside a [`Tracer`].
pub(crate) struct Marker<'h> {
    pub(super) cage: NonNull<u8>,
    pub(super) bits: &'h mut [Bits],
    pub(super) pages: &'h [Page],
    pub(super) work: &'h mut Worklist,
}

impl Marker<'_> {
    /// Follows an edge to an object that may have edges itself.
    #[inline(always)]
    pub(crate) fn edge(&mut self, handle: Handle) {
        if self.mark(handle.index()) {
            self.work.push(handle.index());
        }
    }

    /// Follows the edges of the handle table.
    pub(crate) fn roots(&mut self, table: &RootTable) {
        table.mark_all(self);
    }

    /// Follows an edge to an object whose type is known to have none: it is marked, and not touched.
    #[inline(always)]
    pub(crate) fn leaf_edge(&mut self, handle: Handle) {
        let index = handle.index();
        // A handle that has gone stale may point at an object of a type with edges by now.
        if self.mark(index) && self.pages.get(page_of(index) as usize).is_some_and(|page| page.traits & EDGES != 0) {
            self.work.push(index);
        }
    }

    /// Marks what lives at `index`. False if it is marked already, or nothing lives there.
    #[inline(always)]
    fn mark(&mut self, index: u32) -> bool {
        let Some(bits) = self.bits.get_mut(word_of(index)) else { return false };
        let bit = bit_of(index);
        if bits.live & !bits.mark & bit == 0 {
            return false;
        }
        bits.mark |= bit;
        true
    }
}

/// See [`TypeInfo::drain`](super::object::TypeInfo).
pub(super) type Drain = unsafe fn(&mut Tracer<'_>, &'static TypeInfo, u32) -> Option<u32>;

/// Scans the cell at `first`, and then what the worklist gives, until that is a cell of another type, whose index is
/// the result. One loop per type lets the compiler put the type's `trace` and the marking of its edges into one piece.
///
/// # Safety
///
/// `info` describes `T`; `first` is marked, on a page of `info`; the tracer is marking.
pub(super) unsafe fn drain<T: Object + ?Sized>(
    tracer: &mut Tracer<'_>,
    info: &'static TypeInfo,
    first: u32,
) -> Option<u32> {
    let mut index = first;
    loop {
        let marker = marker(tracer);
        // SAFETY: the cell at `index` is inside the cage and holds a `T`: the page's type is `info`, and the live bit
        // was set when the index was marked (I5, I6). Marking happens under an exclusive borrow of the store, so that
        // there is no reference into a cell but this one (I8).
        let value = unsafe { T::payload(cell(marker.cage, index)).as_ref() };
        value.trace(tracer);
        let marker = self::marker(tracer);
        index = marker.work.next(marker.cage)?;
        let next_info = marker.pages[page_of(index) as usize].info;
        if !next_info.is_some_and(|next| ptr::eq(next, info)) {
            return Some(index);
        }
    }
}

/// Scans until nothing is left to scan.
pub(super) fn run(tracer: &mut Tracer<'_>) {
    loop {
        let marker = marker(tracer);
        let mut next = marker.work.next(marker.cage);
        while let Some(index) = next {
            next = scan(tracer, index);
        }
        if !self::marker(tracer).work.take_overflow() {
            return;
        }
        rescan(tracer);
    }
}

/// Scans the marked cell at `index`, and may go on with others; what is to be scanned next is the result.
fn scan(tracer: &mut Tracer<'_>, index: u32) -> Option<u32> {
    let info = marker(tracer).pages[page_of(index) as usize].info?;
    // SAFETY: `info` describes the type of the page at `index`, and `drain` is that type's; `index` is marked.
    unsafe { (info.drain)(tracer, info, index) }
}

/// Scans every marked cell again, because some of them were forgotten when memory for the worklist ran out. Each round
/// marks at least one cell more, or is the last.
#[cold]
fn rescan(tracer: &mut Tracer<'_>) {
    for page in 0..marker(tracer).pages.len() as u32 {
        if marker(tracer).pages[page as usize].traits & EDGES == 0 {
            continue;
        }
        for word in page as usize * PAGE_WORDS..(page as usize + 1) * PAGE_WORDS {
            for bit in ones(marker(tracer).bits[word].mark) {
                let mut next = Some(word as u32 * 64 + bit);
                while let Some(index) = next {
                    next = scan(tracer, index);
                }
            }
        }
    }
}

/// The address of a cell.
///
/// # Safety
///
/// `index` is inside the cage that starts at `cage`.
#[inline(always)]
pub(super) unsafe fn cell(cage: NonNull<u8>, index: u32) -> NonNull<u8> {
    // SAFETY: the caller's promise.
    unsafe { cage.add(index as usize * GRANULE) }
}

#[inline(always)]
fn marker<'a, 'h>(tracer: &'a mut Tracer<'h>) -> &'a mut Marker<'h> {
    match &mut tracer.sink {
        Sink::Mark(marker) => marker,
        Sink::Visit(_) => unreachable!("only a marking tracer scans cells"),
    }
}

const _: () = assert!(PAGE_GRANULES.is_power_of_two());
