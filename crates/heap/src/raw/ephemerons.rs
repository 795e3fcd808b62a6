//! Marking through weak tables.
//!
//! A weak table is a slice of entries, each of which has a key, and a value that counts only while the key is alive: an
//! *ephemeron*. Marking does not scan a table when it comes to it. It puts it aside, until there is nothing else to do. By
//! then most keys that are alive are marked, and the values behind them are marked at once. The entries with other keys wait
//! (`waiting.rs`), and as long as some do, marking *watches*: it looks up each object that it marks, and looks again at the
//! entries that were waiting for it. When nothing waits any more, or never did, marking goes on as usual, which costs nothing
//! for the sake of tables.
//!
//! Between two slices the program may write to tables. An entry that it adds or replaces is on a card that it has written
//! to, or in a short table that is looked at again as a whole (`parts.rs`, `remember.rs`): for the collector in slices and
//! for the next minor one alike. Cards of tables are on a list of their own, as they, too, wait until there is nothing
//! else to do.
//!
//! The watching marker counts the entries that it is shown, to know which one it is at. It relies on a table's `Trace` to
//! show each element once and in order; if it did not, the wrong entries would wait, which memory safety does not rest on.

use super::bits::word_of;
use super::handle::{AnyGc, Handle};
use super::layout::page_of;
use super::mark::{Marker, any_marker, cell};
use super::pages::EDGES;
use super::parts::{CARD_LEN, PART_LEN, Part};
use crate::trace::{Sink, Tracer};

/// What it costs to look at an entry, beside the way to the bits of its key.
const ENTRY_COST: u64 = 3;
/// What it costs to note an entry that waits.
const WAIT_COST: u64 = 8;
/// What it costs to look at an entry that was released.
const RELEASE_COST: u64 = 6;

/// A marker that looks for entries that wait for what it marks.
pub(crate) struct Watcher<'h> {
    pub(super) marker: Marker<'h>,
    /// The table that is being scanned, and the next of its elements.
    holder: u32,
    element: u32,
}

impl Watcher<'_> {
    /// Follows an edge.
    pub(crate) fn edge(&mut self, handle: Handle) {
        let index = handle.index();
        let marker = &mut self.marker;
        if !marker.mark(index) {
            return;
        }
        marker.waiting.note_progress();
        if marker.pages[page_of(index) as usize].traits & EDGES != 0 {
            marker.work.push(index);
        }
        if marker.waiting.is_waited_for(index) {
            marker.waiting.release(index);
        }
    }

    /// Whether the value of the next entry is to be traced. If its key is not marked yet, the entry waits.
    pub(crate) fn entry(&mut self, key: Option<AnyGc>) -> bool {
        let element = self.element;
        self.element = element.wrapping_add(1);
        let Some(key) = key else { return false };
        let index = key.handle().index();
        let marker = &mut self.marker;
        marker.work.spend(ENTRY_COST);
        marker.work.pay_edge(word_of(index));
        if marker.is_marked(index) {
            return true;
        }
        marker.work.spend(WAIT_COST);
        marker.waiting.insert(index, self.holder, element);
        false
    }
}

/// The tracer, with a watching marker.
pub(super) fn watching(tracer: Tracer<'_>) -> Tracer<'_> {
    match tracer.sink {
        Sink::Mark(marker) => Tracer { sink: Sink::Watch(Watcher { marker, holder: 0, element: 0 }) },
        sink => Tracer { sink },
    }
}

/// The tracer, with a plain marker.
pub(super) fn plain(tracer: Tracer<'_>) -> Tracer<'_> {
    match tracer.sink {
        Sink::Watch(watcher) => Tracer { sink: Sink::Mark(watcher.marker) },
        sink => Tracer { sink },
    }
}

/// Scans what is on the worklist and looks at what was released, until there is nothing left, nothing waits any more, or the
/// credit is used up. The tracer is watching.
pub(super) fn run(tracer: &mut Tracer<'_>) {
    loop {
        let Marker { work, waiting, pages, cage, .. } = any_marker(tracer);
        let mut credit = work.credit();
        let released = waiting.next_released(&mut credit);
        work.set_credit(credit);
        if let Some(wait) = released {
            work.spend(RELEASE_COST);
            look_again(tracer, wait.holder, wait.element);
        } else if waiting.is_idle() || credit == 0 {
            return;
        } else if let Some(index) = work.next(*cage) {
            if pages[page_of(index) as usize].info.is_some_and(|info| info.is_weak) {
                waiting.push_table(Part { index, number: 0 });
            } else {
                scan(tracer, Part { index, number: 0 });
            }
        } else if work.credit() == 0 {
            return;
        } else if let Some(part) = work.pop_part() {
            scan(tracer, part);
        } else {
            return;
        }
    }
}

/// Scans a marked object, or a part of it; what is left of it goes back on the worklist.
fn scan(tracer: &mut Tracer<'_>, part: Part) {
    if let Some(number) = super::mark::scan_part(tracer, part) {
        super::mark::put_aside(tracer, Part { index: part.index, number });
    }
}

/// Scans a part of a marked table; what is left of it is noted. The tracer is watching.
pub(super) fn scan_table(tracer: &mut Tracer<'_>, part: Part) {
    begin(tracer, part.index, part.number.wrapping_mul(PART_LEN as u32));
    if let Some(number) = super::mark::scan_part(tracer, part) {
        any_marker(tracer).waiting.push_table(Part { index: part.index, number });
    }
}

/// Says which element is the next to be shown, if the tracer is watching.
pub(super) fn begin(tracer: &mut Tracer<'_>, holder: u32, element: u32) {
    if let Sink::Watch(watcher) = &mut tracer.sink {
        (watcher.holder, watcher.element) = (holder, element);
    }
}

/// The first element of a card.
pub(super) fn first_of_card(number: u32) -> u32 {
    number.wrapping_mul(CARD_LEN as u32)
}

/// Looks at an entry of a marked table whose key has been marked.
fn look_again(tracer: &mut Tracer<'_>, holder: u32, element: u32) {
    begin(tracer, holder, element);
    let marker = any_marker(tracer);
    let Some(info) = marker.pages[page_of(holder) as usize].info else { return };
    // SAFETY: the holder was marked when the entry was noted, in this cycle, and no cell dies while a cycle marks; so it holds
    // a value of the type of its page, which `info` describes (I5, I6). There is no reference into a cell while the store
    // is marking (I8).
    unsafe { (info.trace_element)(cell(marker.cage, holder), element, tracer) }
}
