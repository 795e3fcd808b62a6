//! A stack of numbers in segments of a page each: growing never copies, so that a push takes the same time whether the
//! stack is small or huge.
//!
//! The segments lie in a bump arena, which is reset and kept: a stack that has been as high before asks the system for
//! nothing. When the system has no memory for another segment, [`Stack::push`] says so, and the stack is as it was.

use bumpalo::Bump;
use std::alloc::Layout;
use std::fmt;
use std::ptr::NonNull;

/// Bytes of a segment.
const SEGMENT_BYTES: usize = 4 << 10;

/// The head of a segment; the items follow it.
struct Segment<T> {
    below: Option<NonNull<Segment<T>>>,
    items: [T; 0],
}

/// A stack of `T`.
pub(super) struct Stack<T: Copy> {
    /// Where the segments are. **Invariant:** every segment reachable from `top` and `spare` is in it.
    arena: Bump,
    top: Option<NonNull<Segment<T>>>,
    /// Items in `top`. **Invariant:** those below `len` are written; all segments below `top` are full.
    len: usize,
    /// `CAPACITY` when there is a `top`, else 0.
    capacity: usize,
    /// Full segments below `top`.
    below: usize,
    /// Segments that were emptied since the last reset, linked by `below`.
    spare: Option<NonNull<Segment<T>>>,
}

impl<T: Copy> Stack<T> {
    /// Items in a segment.
    const CAPACITY: usize = (SEGMENT_BYTES - size_of::<Segment<T>>()) / size_of::<T>();
    const LAYOUT: Layout = match Layout::from_size_align(SEGMENT_BYTES, align_of::<Segment<T>>()) {
        Ok(layout) => layout,
        Err(_) => panic!("a segment has a layout"),
    };

    pub(super) fn new() -> Stack<T> {
        Stack { arena: Bump::new(), top: None, len: 0, capacity: 0, below: 0, spare: None }
    }

    /// Forgets everything. The memory is kept.
    pub(super) fn reset(&mut self) {
        self.top = None;
        self.spare = None;
        self.len = 0;
        self.capacity = 0;
        self.below = 0;
        self.arena.reset();
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.below * Self::CAPACITY + self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the arena holds from the system.
    pub(super) fn arena_bytes(&self) -> usize {
        self.arena.allocated_bytes()
    }

    /// Lets the arena grow to `bytes` only; `None` lifts the limit.
    pub(super) fn limit_arena(&mut self, bytes: Option<usize>) {
        self.arena.set_allocation_limit(bytes);
    }

    /// Puts an item on top; false, and nothing is done, when there is no memory for it.
    #[inline(always)]
    #[must_use]
    pub(super) fn push(&mut self, item: T) -> bool {
        if self.len == self.capacity && !self.grow() {
            return false;
        }
        let Some(top) = self.top else { return false };
        // SAFETY: `top` is alive in the arena and ours alone; `len < capacity == CAPACITY`, the items that it has room for.
        unsafe { items(top).add(self.len).write(item) };
        self.len += 1;
        true
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> bool {
        let segment = match self.spare {
            // SAFETY: a spare segment is alive in the arena, and its head is written.
            Some(spare) => unsafe {
                self.spare = spare.as_ref().below;
                spare
            },
            None => match self.arena.try_alloc_layout(Self::LAYOUT) {
                Ok(memory) => memory.cast::<Segment<T>>(),
                Err(_) => return false,
            },
        };
        // SAFETY: `segment` is memory for a segment that nobody else refers to.
        unsafe { segment.write(Segment { below: self.top, items: [] }) };
        self.below += usize::from(self.top.is_some());
        self.top = Some(segment);
        self.len = 0;
        self.capacity = Self::CAPACITY;
        true
    }

    /// Takes the item on top.
    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<T> {
        if self.len == 0 && !self.drop_segment() {
            return None;
        }
        self.len -= 1;
        let top = self.top?;
        // SAFETY: `top` is alive in the arena, and its items below the old `len` are written.
        Some(unsafe { items(top).add(self.len).read() })
    }

    /// Leaves an empty top segment for the full one below it.
    #[cold]
    #[inline(never)]
    fn drop_segment(&mut self) -> bool {
        let Some(mut top) = self.top else { return false };
        // SAFETY: segments reachable from `top` are alive in the arena and ours alone.
        let segment = unsafe { top.as_mut() };
        let Some(below) = segment.below else { return false };
        segment.below = self.spare;
        self.spare = Some(top);
        self.top = Some(below);
        self.below -= 1;
        self.len = Self::CAPACITY;
        true
    }
}

/// Where the items of a segment are.
///
/// # Safety
///
/// `segment` is a segment in an arena.
#[inline(always)]
unsafe fn items<T>(segment: NonNull<Segment<T>>) -> NonNull<T> {
    // SAFETY: the items follow the head, aligned to `T`, in the same allocation.
    unsafe { segment.byte_add(std::mem::offset_of!(Segment<T>, items)).cast() }
}

impl<T: Copy> fmt::Debug for Stack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("len", &self.len())
            .field("arena_bytes", &self.arena_bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_put_in_last_in_first_out() {
        let mut stack = Stack::new();
        let mut model = Vec::new();
        let mut seed = 1_u32;
        for _ in 0..if cfg!(miri) { 3000 } else { 100_000 } {
            seed = seed.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            // More pushes than pops, until the last third.
            if seed >> 24 < 150 {
                assert!(stack.push((seed, model.len())));
                model.push((seed, model.len()));
            } else {
                assert_eq!(stack.pop(), model.pop());
            }
            assert_eq!(stack.len(), model.len());
        }
        while let Some(item) = model.pop() {
            assert_eq!(stack.pop(), Some(item));
        }
        assert!(stack.is_empty());
        assert_eq!(stack.pop(), None);
    }

    #[test]
    fn refuses_what_it_has_no_memory_for_and_goes_on() {
        let mut stack = Stack::new();
        stack.limit_arena(Some(16 << 10));
        let pushed = (0..10_000_u32).filter(|&n| stack.push(n)).count();
        assert!(pushed > 1000 && pushed < 10_000);
        assert_eq!(stack.len(), pushed);
        assert_eq!(std::iter::from_fn(|| stack.pop()).count(), pushed);
        assert!(stack.push(1));
    }

    #[test]
    fn a_stack_that_was_as_high_before_asks_for_no_memory() {
        let mut stack = Stack::new();
        let mut held = Vec::new();
        for _ in 0..6 {
            (0..if cfg!(miri) { 5000 } else { 100_000_u32 }).for_each(|n| assert!(stack.push(n)));
            stack.reset();
            assert!(stack.is_empty());
            held.push(stack.arena_bytes());
        }
        assert_eq!(held[4], held[5]);
    }
}
