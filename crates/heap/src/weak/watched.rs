//! Records of targets that are watched: a slab in the heap, and in it a queue of those whose targets are dead.
//!
//! The first record is not one: it has the ends of the queue. A record is *free*, or *waits* for the death of its target, or
//! is *due*, when a collection has found the target dead and has put the record at the end of the queue, or is *cancelled*
//! while it was due, and is left out when its turn comes. Records do not move, and the queue runs through them, so that a
//! collection puts them there without memory or anything else.
//!
//! ```text
//!        0: ends        1: waits      2: due <--+    3: free     4: due
//!      +------------+ +------------+ +---------|--+ +---------+ +---------+
//!      | first: 4   | | target     | |         |  | |         | | next: 2 |
//!      | last: 2    | |            | |         |  | |         | |      |  |
//!      +------------+ +------------+ +---------|--+ +---------+ +------|--+
//!                                              +-----------------------+
//! ```

use crate::raw::AnyGc;
use crate::trace::{Describer, Trace, Tracer};

/// What has become of a record.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Free,
    Waits,
    Due,
    Cancelled,
}

/// A record; or, in the first place, the ends of the queue.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Watched {
    target: Option<AnyGc>,
    state: State,
    /// The next record of the queue or of the free ones; of the ends, the first of the queue. 0 is none.
    next: u32,
    /// Of the ends, the last of the queue. Of a record, the next one with the same token,
    pub(super) newer: u32,
    /// and the one before it.
    pub(super) older: u32,
}

/// The place of the ends.
pub(super) const ENDS: usize = 0;

impl Trace for Watched {
    const HAS_EDGES: bool = true;
    const IS_WEAK: bool = true;

    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        // There is no value here that would live as long as the target.
        tracer.entry(self.target);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.entry(self.target, &());
    }

    fn prune(records: &mut [Self], at: usize, is_dead: &dyn Fn(AnyGc) -> bool) {
        if records[at].target.is_some_and(is_dead) {
            records[at].target = None;
            records[at].state = State::Due;
            enqueue(records, at);
        }
    }
}

/// Puts a record at the end of the queue.
fn enqueue(records: &mut [Watched], at: usize) {
    let number = at as u32;
    records[at].next = 0;
    match std::mem::replace(&mut records[ENDS].newer, number) {
        0 => records[ENDS].next = number,
        last => records[last as usize].next = number,
    }
}

/// Whether records are due, or were.
pub(super) fn has_due(records: &[Watched]) -> bool {
    records[ENDS].next != 0
}

/// Takes the record in front of the queue off it, and says which it is and what it was.
pub(super) fn dequeue(records: &mut [Watched]) -> Option<(usize, State)> {
    let at = records[ENDS].next as usize;
    if at == ENDS {
        return None;
    }
    records[ENDS].next = records[at].next;
    if records[at].next == 0 {
        records[ENDS].newer = 0;
    }
    Some((at, std::mem::take(&mut records[at].state)))
}

/// Links the places from `from` on as free ones, in front of those that are free.
pub(super) fn free_from(records: &mut [Watched], from: usize, free: u32) -> u32 {
    (from..records.len()).rev().fold(free, |free, at| {
        records[at].release(free);
        at as u32
    })
}

impl Watched {
    /// Uses a free place for a target, with the newest record of the same token. The next free place is the result.
    pub(super) fn watch(&mut self, target: AnyGc, older: u32) -> u32 {
        let free = self.next;
        *self = Watched { target: Some(target), state: State::Waits, next: 0, newer: 0, older };
        free
    }

    /// Makes a record that is on no list free, in front of those that are.
    pub(super) fn release(&mut self, free: u32) {
        *self = Watched { next: free, ..Watched::default() };
    }

    /// Whose death it waits for.
    pub(super) fn target(&self) -> Option<AnyGc> {
        self.target
    }

    /// What has become of it.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Cancels a record that is due.
    pub(super) fn cancel(&mut self) {
        self.state = State::Cancelled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Heap;

    #[test]
    fn what_is_due_comes_out_first_in_first_out() {
        let mut heap = Heap::new();
        let target = heap.alloc(1).erase();
        let mut records = [Watched::default(); 6];
        let mut free = free_from(&mut records, 1, 0);
        for _ in 1..6 {
            free = records[free as usize].watch(target, 0);
        }
        assert_eq!(free, 0);
        for at in [3, 1, 5] {
            Watched::prune(&mut records, at, &|_| true);
            // A second time changes nothing.
            Watched::prune(&mut records, at, &|_| true);
        }
        Watched::prune(&mut records, 2, &|_| false);
        records[1].cancel();
        assert_eq!(dequeue(&mut records), Some((3, State::Due)));
        Watched::prune(&mut records, 4, &|_| true);
        assert_eq!(dequeue(&mut records), Some((1, State::Cancelled)));
        assert_eq!(dequeue(&mut records), Some((5, State::Due)));
        assert_eq!(dequeue(&mut records), Some((4, State::Due)));
        assert_eq!((dequeue(&mut records), has_due(&records)), (None, false));
        Watched::prune(&mut records, 2, &|_| true);
        assert_eq!(dequeue(&mut records), Some((2, State::Due)));
    }
}
