//! The worklist of marking: a stack in front of a prefetch queue.
//!
//! What is popped from the stack is far away in memory as a rule, and a mark that waits for each line in turn runs at
//! the speed of memory's latency. So an index that was popped is prefetched, waits in a short queue, and the one that
//! falls out at the other end, whose line has arrived by now, is scanned. An index close to the one scanned last
//! skips the queue: its line is there already, or the hardware is bringing it, and a graph in allocation order is then
//! marked depth first, as by a plain stack.
//!
//! A slice that is too long to be scanned at once waits on a second stack, with the number of its next part.
//!
//! What is handed out is paid for with *credit*, which a slice of marking is given at its start: when there is none left,
//! the list looks empty, and goes on where it stopped when it gets more. The price is what the cell takes to scan, by
//! where it lies: one unit, some nanoseconds, next to the last one; a few if its line was on its way with many others;
//! and as much as memory's latency if it was on its way alone, as in a list that is scattered over the heap. An edge that
//! leads far away costs something by itself, as the bits of its target have to come from memory. So a slice takes about
//! the same time whatever the graph, and the same program is still cut into the same slices.
//!
//! When the system has no memory for a longer stack, what should be pushed is forgotten, and
//! [`Worklist::take_overflow`] says so: the collector then looks for marked objects that have unmarked children, by
//! walking the pages.

use super::parts::Part;
use super::stack::Stack;
use std::fmt;
use std::ptr::NonNull;

/// How many lines are in flight at once: more than the misses that a core keeps under way.
const IN_FLIGHT: usize = 32;
/// An index this close to the last one, in granules, is scanned at once.
const NEAR: i32 = 128;
/// What a cell costs that is not near, when the queue is full.
const FAR_COST: u64 = 3;
/// What a cell costs that nothing else was in flight with; shared when there was.
const ALONE_COST: u64 = 32;
/// What an edge costs that leads far away.
const FAR_EDGE_COST: u64 = 2;
/// An edge leads far away if it is so many words of the bitmap from the last one.
const FAR_EDGE: usize = 16;
/// A graph is local while so many cells, or more, are near between two that are not.
const LOCAL: u64 = 16;
/// How many lines are asked for beside a cell from afar in a local graph. Half as many were slower on trees of 4 KiB that
/// lie scattered, and more were no faster.
const NEIGHBOURS: i32 = 16;
/// Granules of a cache line.
const LINE: i32 = 4;
/// How far ahead of such an index, in granules, memory is asked for. A quarter of this was slower on a tree.
const AHEAD: i32 = 128;

/// Cells that are marked and still to be scanned.
pub(crate) struct Worklist {
    stack: Stack<u32>,
    /// Slices that have been scanned up to a part.
    parts: Stack<Part>,
    queue: [u32; IN_FLIGHT],
    queue_head: usize,
    queue_len: usize,
    /// What was handed out last.
    last: u32,
    /// The word of the bitmap that the last edge led to.
    last_word: usize,
    /// How much may still be spent on cells that are handed out.
    credit: u64,
    /// The credit when the last cell from afar was met.
    credit_when_far: u64,
    /// On which side of the cell before it the last near one was: 1 or -1.
    direction: i32,
    overflowed: bool,
}

impl Worklist {
    pub(super) fn new() -> Worklist {
        Worklist {
            stack: Stack::new(),
            parts: Stack::new(),
            queue: [0; IN_FLIGHT],
            queue_head: 0,
            queue_len: 0,
            last: 0,
            last_word: 0,
            credit: 0,
            credit_when_far: 0,
            direction: -1,
            overflowed: false,
        }
    }

    /// Forgets everything. The memory is kept for the next cycle.
    pub(super) fn reset(&mut self) {
        self.stack.reset();
        self.parts.reset();
        self.queue_len = 0;
        self.overflowed = false;
    }

    /// Whether nothing is left to scan.
    pub(crate) fn is_empty(&self) -> bool {
        self.stack.is_empty() && self.parts.is_empty() && self.queue_len == 0
    }

    /// Bytes held from the system.
    pub(crate) fn arena_bytes(&self) -> usize {
        self.stack.arena_bytes() + self.parts.arena_bytes()
    }

    /// Lets each of the stacks grow to `bytes` only; `None` lifts the limit.
    pub(crate) fn limit_arena(&mut self, bytes: Option<usize>) {
        self.stack.limit_arena(bytes);
        self.parts.limit_arena(bytes);
    }

    /// Whether a push has been forgotten since this was asked last.
    pub(super) fn take_overflow(&mut self) -> bool {
        std::mem::take(&mut self.overflowed)
    }

    /// Notes that something that was marked may never be scanned.
    #[cold]
    pub(super) fn overflow(&mut self) {
        self.overflowed = true;
    }

    /// Sets how much may be spent from here on.
    pub(super) fn set_credit(&mut self, credit: u64) {
        self.credit = credit;
    }

    /// How much may still be spent.
    pub(super) fn credit(&self) -> u64 {
        self.credit
    }

    /// Takes credit for work that was done beside the list.
    pub(super) fn spend(&mut self, credit: u64) {
        self.credit = self.credit.saturating_sub(credit);
    }

    /// Takes credit for an edge to a cell whose bits are in this word.
    #[inline(always)]
    pub(super) fn pay_edge(&mut self, word: usize) {
        let is_far = word.abs_diff(self.last_word) > FAR_EDGE;
        self.last_word = word;
        self.credit = self.credit.saturating_sub(u64::from(is_far) * FAR_EDGE_COST);
    }

    #[inline(always)]
    pub(super) fn push(&mut self, index: u32) {
        if !self.stack.push(index) {
            self.overflow();
        }
    }

    /// Puts a slice aside whose parts from this one on are still to be scanned; false when there is no memory for it.
    pub(super) fn push_part(&mut self, part: Part) -> bool {
        self.parts.push(part)
    }

    /// The slice to go on with, and its next part.
    pub(super) fn pop_part(&mut self) -> Option<Part> {
        self.parts.pop()
    }

    /// The next cell to scan, whose memory is close or on its way, if there is credit for it. `cage` is where the cells
    /// are.
    ///
    /// It is also `None` when a slice that was put aside should be gone on with first, so that there is more in flight.
    #[inline(always)]
    pub(super) fn next(&mut self, cage: NonNull<u8>) -> Option<u32> {
        let credit = self.credit.checked_sub(1)?;
        loop {
            let Some(index) = self.stack.pop() else {
                return if self.parts.is_empty() { self.next_in_flight() } else { None };
            };
            let step = index.wrapping_sub(self.last).cast_signed();
            if step.wrapping_add(NEAR).cast_unsigned() <= (2 * NEAR).cast_unsigned() {
                self.last = index;
                self.credit = credit;
                // Where steps are small, the mark goes through memory in one direction.
                self.direction = (step >> 31) | 1;
                super::prefetch::read(cage, index.wrapping_add_signed(self.direction * AHEAD));
                return Some(index);
            }
            super::prefetch::read(cage, index);
            // A cell may lie on two lines.
            super::prefetch::read(cage, index.wrapping_add(2));
            if self.credit_when_far.saturating_sub(credit) >= LOCAL {
                // It will lead to cells near it, on the side where the last ones were.
                for line in 1..=NEIGHBOURS {
                    super::prefetch::read(cage, index.wrapping_add_signed(self.direction * LINE * line));
                }
            }
            self.credit_when_far = credit;
            if self.queue_len < IN_FLIGHT {
                self.queue[(self.queue_head + self.queue_len) % IN_FLIGHT] = index;
                self.queue_len += 1;
            } else {
                let slot = &mut self.queue[self.queue_head % IN_FLIGHT];
                let arrived = std::mem::replace(slot, index);
                self.queue_head = (self.queue_head + 1) % IN_FLIGHT;
                self.last = arrived;
                self.credit = credit.saturating_sub(FAR_COST - 1);
                return Some(arrived);
            }
        }
    }

    /// The next of the queue. There is some credit.
    #[inline]
    fn next_in_flight(&mut self) -> Option<u32> {
        if self.queue_len == 0 {
            return None;
        }
        let index = self.queue[self.queue_head % IN_FLIGHT];
        self.queue_head = (self.queue_head + 1) % IN_FLIGHT;
        self.queue_len -= 1;
        self.last = index;
        self.spend(ALONE_COST / (self.queue_len as u64 + 1));
        Some(index)
    }
}

impl fmt::Debug for Worklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worklist").field("arena_bytes", &self.arena_bytes()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A place to prefetch from.
    fn cage() -> NonNull<u8> {
        NonNull::dangling()
    }

    #[test]
    fn gives_back_everything_once_in_any_order() {
        let mut work = Worklist::new();
        work.set_credit(u64::MAX);
        for round in 1..4 {
            let pushed: BTreeSet<u32> = (1..if cfg!(miri) { 1100 } else { 5000 } * round).map(|n| n * 7).collect();
            let mut seen = BTreeSet::new();
            for (n, &index) in pushed.iter().enumerate() {
                work.push(index);
                if n % 3 == 0 {
                    assert!(seen.insert(work.next(cage()).unwrap()));
                }
            }
            while let Some(index) = work.next(cage()) {
                assert!(seen.insert(index));
            }
            assert!(work.is_empty());
            assert!(!work.take_overflow());
            assert_eq!(seen, pushed);
        }
    }

    #[test]
    fn neighbours_come_back_last_in_first_out() {
        let mut work = Worklist::new();
        work.set_credit(u64::MAX);
        let order: Vec<u32> = (1..100).collect();
        order.iter().rev().for_each(|&index| work.push(index));
        let mut seen = Vec::new();
        while let Some(index) = work.next(cage()) {
            seen.push(index);
        }
        assert_eq!(seen, order);
    }

    #[test]
    fn says_that_it_forgot_when_memory_runs_out() {
        let mut work = Worklist::new();
        work.set_credit(u64::MAX);
        work.limit_arena(Some(16 << 10));
        (0..10_000).for_each(|index| work.push(index));
        assert!(work.take_overflow());
        assert!(!work.take_overflow());
        let mut count = 0;
        while work.next(cage()).is_some() {
            count += 1;
        }
        assert!(count > 1000 && count < 10_000);
    }

    #[test]
    fn hands_out_what_is_paid_for_and_goes_on_later() {
        let mut work = Worklist::new();
        (0..100).for_each(|n| work.push(n));
        let mut seen = BTreeSet::new();
        for _ in 0..10 {
            assert_eq!(work.next(cage()), None);
            work.set_credit(10);
            while let Some(index) = work.next(cage()) {
                assert!(seen.insert(index));
            }
            assert_eq!((seen.len() % 10, work.credit()), (0, 0));
        }
        assert!(work.is_empty() && seen.len() == 100);
    }

    #[test]
    fn the_price_is_that_of_the_way_through_memory() {
        let price = |indices: &[u32]| {
            let mut work = Worklist::new();
            work.set_credit(u64::MAX);
            for &index in indices {
                work.push(index);
            }
            while work.next(cage()).is_some() {}
            u64::MAX - work.credit()
        };
        let near: Vec<u32> = (1..=1000).rev().collect();
        let far: Vec<u32> = (1..=1000).map(|n| n * 1000).collect();
        assert_eq!(price(&near), 1000);
        assert!((900 * FAR_COST..1100 * FAR_COST).contains(&price(&far)), "{}", price(&far));
        assert_eq!(price(&far[..1]), ALONE_COST);
    }
}
