//! Marking: from edges to marked cells.
//!
//! An edge is followed by its index alone. Whatever lives in that cell is marked and scanned as what it is, by the type
//! of its page, and an index at which nothing lives is ignored. So a stale or a foreign handle that a `Trace` reports
//! may keep an object alive for one more cycle, and can do nothing else. (To compare stamps here would mean to touch
//! each object when it is seen, which is what the whole design avoids; and an edge that was refused after its cell had
//! been marked would hide the right edge that comes later.)
//!
//! Marking runs in slices, between which the program goes on. Its invariant, when a slice ends: an object that is reachable
//! and not marked can be reached from a root, or from an object that is marked and on the worklist or in the remembered
//! set, which is where a marked object comes when it is written to. When both are empty and the roots have been looked
//! at, with nothing in between, everything reachable is marked.
//!
//! An index is on the worklist only if its live bit was set, and no cell dies before marking has ended.

use super::bits::{Bits, bit_of, ones, page_words, word_of};
use super::ephemerons;
use super::handle::Handle;
use super::layout::{GRANULE, PAGE_GRANULES, page_of};
use super::object::{Object, TypeInfo};
use super::pages::{EDGES, Page};
use super::parts::{CARD_LEN, Card, CardState, PART_LEN, Part};
use super::waiting::Waiting;
use super::worklist::Worklist;
use crate::trace::{Sink, Tracer};
use std::ptr::{self, NonNull};

/// What marking works on. Lives inside a [`Tracer`].
pub(crate) struct Marker<'h> {
    pub(super) cage: NonNull<u8>,
    pub(super) bits: &'h mut [Bits],
    pub(super) pages: &'h [Page],
    pub(super) work: &'h mut Worklist,
    /// Weak tables, and their entries that wait for a key.
    pub(super) waiting: &'h mut Waiting,
}

impl Marker<'_> {
    /// Follows an edge to an object that may have edges itself.
    #[inline(always)]
    pub(crate) fn edge(&mut self, handle: Handle) {
        if self.mark(handle.index()) {
            self.work.push(handle.index());
        }
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
    pub(super) fn mark(&mut self, index: u32) -> bool {
        self.work.pay_edge(word_of(index));
        let Some(bits) = self.bits.get_mut(word_of(index)) else { return false };
        let bit = bit_of(index);
        if bits.live & !bits.mark & bit == 0 {
            return false;
        }
        bits.mark |= bit;
        true
    }

    /// Whether something lives at `index` that is marked.
    pub(super) fn is_marked(&self, index: u32) -> bool {
        self.bits.get(word_of(index)).is_some_and(|bits| bits.live & bits.mark & bit_of(index) != 0)
    }
}

/// See [`TypeInfo::drain`](super::object::TypeInfo).
pub(super) type Drain = unsafe fn(&mut Tracer<'_>, &'static TypeInfo, u32) -> Option<u32>;

/// Scans the cell at `first`, and then what the worklist gives, until that is a cell of another type, whose index is
/// the result, or there is nothing, or no credit. One loop per type lets the compiler put the type's `trace` and the
/// marking of its edges into one piece.
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
        let cage = marker(tracer).cage;
        if const { T::IS_WEAK } {
            marker(tracer).waiting.push_table(Part { index, number: 0 });
        } else {
            // SAFETY: the cell at `index` is inside the cage and holds a `T`: the page's type is `info`, and the live bit
            // was set when the index was marked (I5, I6). Marking happens under an exclusive borrow of the store, so that
            // there is no reference into a cell but this one (I8).
            let next_part = unsafe { T::trace_part(cell(cage, index), 0, tracer) };
            if let Some(number) = next_part {
                put_aside(tracer, Part { index, number });
            }
        }
        let marker = marker(tracer);
        index = marker.work.next(cage)?;
        let next_info = marker.pages[page_of(index) as usize].info;
        if !next_info.is_some_and(|next| ptr::eq(next, info)) {
            return Some(index);
        }
    }
}

/// Leaves the rest of a long slice for later, or scans it at once when there is no memory to remember it.
#[cold]
#[inline(never)]
pub(super) fn put_aside(tracer: &mut Tracer<'_>, from: Part) {
    let marker = any_marker(tracer);
    marker.work.spend(PART_COST);
    if marker.work.push_part(from) {
        return;
    }
    let mut next = Some(from.number);
    while let Some(number) = next {
        next = scan_part(tracer, Part { index: from.index, number });
    }
}

/// What the scan of a part of a slice costs.
pub(super) const PART_COST: u64 = PART_LEN as u64 / 4;
/// What the scan of a card costs.
const CARD_COST: u64 = CARD_LEN as u64;

/// Scans until the worklist is empty, or the credit is used up.
pub(super) fn run(tracer: &mut Tracer<'_>) {
    loop {
        let marker = marker(tracer);
        let mut next = marker.work.next(marker.cage);
        while let Some(index) = next {
            next = scan(tracer, index);
        }
        let marker = self::marker(tracer);
        if marker.work.credit() == 0 {
            return;
        }
        let Some(part) = marker.work.pop_part() else { return };
        // First, as what the part leads to goes on top of the list.
        if let Some(number) = scan_part(tracer, part) {
            put_aside(tracer, Part { index: part.index, number });
        }
    }
}

/// Scans the marked cell at `index`, and may go on with others; what is to be scanned next is the result.
fn scan(tracer: &mut Tracer<'_>, index: u32) -> Option<u32> {
    let info = marker(tracer).pages[page_of(index) as usize].info?;
    // SAFETY: `info` describes the type of the page at `index`, and `drain` is that type's; `index` is marked.
    unsafe { (info.drain)(tracer, info, index) }
}

/// Scans a part of a marked slice, and says which is next.
pub(super) fn scan_part(tracer: &mut Tracer<'_>, part: Part) -> Option<u32> {
    let marker = any_marker(tracer);
    let info = marker.pages[page_of(part.index) as usize].info?;
    // SAFETY: the cell is marked, so it holds a value of the type of its page, which `info` describes (I5, I6); there is
    // no reference into a cell while the store is marking (I8).
    unsafe { (info.trace_part)(cell(marker.cage, part.index), part.number, tracer) }
}

/// Scans a card that was written to, if its slice is still there and the card is set.
pub(super) fn rescan_card(tracer: &mut Tracer<'_>, card: Card) {
    let marker = any_marker(tracer);
    marker.work.spend(CARD_COST);
    if !marker.is_marked(card.index) {
        return;
    }
    let Some(info) = marker.pages[page_of(card.index) as usize].info else { return };
    let cage = marker.cage;
    ephemerons::begin(tracer, card.index, ephemerons::first_of_card(card.number));
    // SAFETY: as in `scan_part`. What lives there now may be another object than the one that was written to, of which the
    // functions that are called make sure that it has such a card.
    unsafe {
        let cell = cell(cage, card.index);
        if (info.replace_card)(cell, card.number, CardState::Clear) == Some(CardState::Set) {
            (info.trace_card)(cell, card.number, tracer);
        }
    }
}

/// Scans the marked cells of a page again, because some of them were forgotten when memory for a list ran out.
#[cold]
pub(super) fn rescan_page(tracer: &mut Tracer<'_>, number: u32) {
    let marker = any_marker(tracer);
    marker.work.spend(1);
    let page = &marker.pages[number as usize];
    if page.traits & EDGES == 0 {
        return;
    }
    let is_weak = page.info.is_some_and(|info| info.is_weak);
    if is_weak && !tracer.is_watching() {
        // All tables are looked at again when there is nothing else to do.
        any_marker(tracer).waiting.lose_table();
        return;
    }
    for word in page_words(number) {
        for bit in ones(any_marker(tracer).bits[word].mark) {
            let index = word as u32 * 64 + bit;
            any_marker(tracer).work.spend(2);
            ephemerons::begin(tracer, index, 0);
            let mut next = Some(0);
            while let Some(number) = next {
                next = scan_part(tracer, Part { index, number });
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

/// What a plainly marking tracer works on.
#[inline(always)]
fn marker<'a, 'h>(tracer: &'a mut Tracer<'h>) -> &'a mut Marker<'h> {
    match &mut tracer.sink {
        Sink::Mark(marker) => marker,
        _ => unreachable!("only a plainly marking tracer runs these loops"),
    }
}

/// What a marking tracer works on, be it a watching one.
pub(super) fn any_marker<'a, 'h>(tracer: &'a mut Tracer<'h>) -> &'a mut Marker<'h> {
    match &mut tracer.sink {
        Sink::Mark(marker) => marker,
        Sink::Watch(watcher) => &mut watcher.marker,
        Sink::Visit(_) => unreachable!("only a marking tracer scans cells"),
    }
}

const _: () = assert!(PAGE_GRANULES.is_power_of_two());
