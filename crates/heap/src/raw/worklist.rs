//! The worklist of marking: a stack in front of a prefetch queue.
//!
//! What is popped from the stack is far away in memory as a rule, and a mark that waits for each line in turn runs at
//! the speed of memory's latency. So an index that was popped is prefetched, waits in a short queue, and the one that
//! falls out at the other end, whose line has arrived by now, is scanned. An index close to the one scanned last
//! skips the queue: its line is there already, or the hardware is bringing it, and a graph in allocation order is then
//! marked depth first, as by a plain stack.
//!
//! The stack's segments lie in a bump arena, which is reset and kept between cycles. When the system has no memory for
//! another segment, what should be pushed is forgotten, and [`Worklist::take_overflow`] says so: the collector then
//! looks for marked objects that have unmarked children, by walking the pages.

use bumpalo::Bump;
use std::alloc::Layout;
use std::fmt;
use std::ptr::NonNull;

/// How many lines are in flight at once: more than the misses that a core keeps under way.
const IN_FLIGHT: usize = 32;
/// An index this close to the last one, in granules, is scanned at once.
const NEAR: i32 = 128;
/// How far ahead of such an index, in granules, memory is asked for. A quarter of this was slower on a tree.
const AHEAD: i32 = 128;
/// Indices in a segment, which is a page of 4 KiB.
const SEGMENT_LEN: usize = 1022;

struct Segment {
    below: Option<NonNull<Segment>>,
    items: [u32; SEGMENT_LEN],
}

/// Cells that are marked and still to be scanned.
pub(crate) struct Worklist {
    /// Where the segments are. **Invariant:** every segment reachable from `top` and `spare` is in it.
    arena: Bump,
    top: Option<NonNull<Segment>>,
    /// Items in `top`. **Invariant:** those below `len` are written; all segments below `top` are full.
    len: usize,
    /// `SEGMENT_LEN` when there is a `top`, else 0.
    capacity: usize,
    /// Segments that were emptied in this cycle, linked by `below`.
    spare: Option<NonNull<Segment>>,
    queue: [u32; IN_FLIGHT],
    queue_head: usize,
    queue_len: usize,
    /// What was handed out last.
    last: u32,
    overflowed: bool,
}

impl Worklist {
    pub(super) fn new() -> Worklist {
        Worklist {
            arena: Bump::new(),
            top: None,
            len: 0,
            capacity: 0,
            spare: None,
            queue: [0; IN_FLIGHT],
            queue_head: 0,
            queue_len: 0,
            last: 0,
            overflowed: false,
        }
    }

    /// Forgets everything. The memory is kept for the next cycle.
    pub(super) fn reset(&mut self) {
        self.top = None;
        self.spare = None;
        self.len = 0;
        self.capacity = 0;
        self.queue_len = 0;
        self.overflowed = false;
        self.arena.reset();
    }

    /// Whether nothing is left to scan.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
            && self.queue_len == 0
            && self.top.is_none_or(|top| {
                // SAFETY: segments reachable from `top` are alive in the arena.
                unsafe { top.as_ref() }.below.is_none()
            })
    }

    /// Bytes that the arena holds from the system.
    pub(crate) fn arena_bytes(&self) -> usize {
        self.arena.allocated_bytes()
    }

    /// Lets the arena grow to `bytes` only; `None` lifts the limit.
    pub(crate) fn limit_arena(&mut self, bytes: Option<usize>) {
        self.arena.set_allocation_limit(bytes);
    }

    /// Whether a push has been forgotten since this was asked last.
    pub(super) fn take_overflow(&mut self) -> bool {
        std::mem::take(&mut self.overflowed)
    }

    #[inline(always)]
    pub(super) fn push(&mut self, index: u32) {
        if self.len == self.capacity && !self.grow() {
            self.overflowed = true;
            return;
        }
        let Some(mut top) = self.top else { return };
        // SAFETY: `top` is alive in the arena and ours alone; `len < capacity == SEGMENT_LEN`.
        unsafe { *top.as_mut().items.get_unchecked_mut(self.len) = index };
        self.len += 1;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> bool {
        let segment = match self.spare {
            // SAFETY: a spare segment is alive in the arena, and its header is written.
            Some(spare) => unsafe {
                self.spare = spare.as_ref().below;
                spare
            },
            None => match self.arena.try_alloc_layout(Layout::new::<Segment>()) {
                Ok(memory) => memory.cast::<Segment>(),
                Err(_) => return false,
            },
        };
        // SAFETY: `segment` is memory for a segment that nobody else refers to. All zeros are valid items.
        unsafe { segment.write(Segment { below: self.top, items: [0; SEGMENT_LEN] }) };
        self.top = Some(segment);
        self.len = 0;
        self.capacity = SEGMENT_LEN;
        true
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<u32> {
        if self.len == 0 && !self.drop_segment() {
            return None;
        }
        self.len -= 1;
        let top = self.top?;
        // SAFETY: `top` is alive in the arena, and its items below the old `len` are written.
        Some(unsafe { *top.as_ref().items.get_unchecked(self.len) })
    }

    /// Leaves an empty top segment for the full one below it.
    #[cold]
    #[inline(never)]
    fn drop_segment(&mut self) -> bool {
        let Some(mut top) = self.top else { return false };
        // SAFETY: `top` is alive in the arena and ours alone.
        let segment = unsafe { top.as_mut() };
        let Some(below) = segment.below else { return false };
        segment.below = self.spare;
        self.spare = Some(top);
        self.top = Some(below);
        self.len = SEGMENT_LEN;
        true
    }

    /// The next cell to scan, whose memory is close or on its way. `cage` is where the cells are.
    #[inline(always)]
    pub(super) fn next(&mut self, cage: NonNull<u8>) -> Option<u32> {
        loop {
            let Some(index) = self.pop() else {
                return self.next_in_flight();
            };
            let step = index.wrapping_sub(self.last).cast_signed();
            if step.wrapping_add(NEAR).cast_unsigned() <= (2 * NEAR).cast_unsigned() {
                self.last = index;
                // Where steps are small, the mark goes through memory in one direction.
                let direction = (step >> 31) | 1;
                super::prefetch::read(cage, index.wrapping_add_signed(direction * AHEAD));
                return Some(index);
            }
            super::prefetch::read(cage, index);
            if self.queue_len < IN_FLIGHT {
                self.queue[(self.queue_head + self.queue_len) % IN_FLIGHT] = index;
                self.queue_len += 1;
            } else {
                let slot = &mut self.queue[self.queue_head % IN_FLIGHT];
                let arrived = std::mem::replace(slot, index);
                self.queue_head = (self.queue_head + 1) % IN_FLIGHT;
                self.last = arrived;
                return Some(arrived);
            }
        }
    }

    #[inline]
    fn next_in_flight(&mut self) -> Option<u32> {
        if self.queue_len == 0 {
            return None;
        }
        let index = self.queue[self.queue_head % IN_FLIGHT];
        self.queue_head = (self.queue_head + 1) % IN_FLIGHT;
        self.queue_len -= 1;
        self.last = index;
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
        let order: Vec<u32> = (1..100).collect();
        order.iter().rev().for_each(|&index| work.push(index));
        let mut seen = Vec::new();
        while let Some(index) = work.next(cage()) {
            seen.push(index);
        }
        assert_eq!(seen, order);
    }

    #[test]
    fn a_second_cycle_of_the_same_size_asks_for_no_memory() {
        let mut work = Worklist::new();
        let mut held = Vec::new();
        for _ in 0..6 {
            (0..if cfg!(miri) { 5000 } else { 100_000 }).for_each(|index| work.push(index));
            work.reset();
            assert!(work.is_empty());
            held.push(work.arena_bytes());
        }
        assert_eq!(held[4], held[5]);
    }

    #[test]
    fn says_that_it_forgot_when_memory_runs_out() {
        let mut work = Worklist::new();
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
}
