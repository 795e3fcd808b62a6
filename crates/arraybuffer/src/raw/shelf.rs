//! What a thread has at hand of things that lie side by side: a stack of words, with a bit for each thing of one.
//!
//! What is returned in the order in which it lies, as a sweep does, costs no more than setting a bit, and is taken again in
//! that order. Nothing here allocates.

/// Words of bits, the last to be used on top. `W` says which word it is.
#[derive(Debug)]
pub(super) struct Shelf<W, const N: usize> {
    top: (W, u64),
    /// None of these is empty.
    below: [(W, u64); N],
    len: usize,
}

impl<W: Copy, const N: usize> Shelf<W, N> {
    /// Nothing. `none` is never looked at.
    pub(super) const fn new(none: W) -> Shelf<W, N> {
        Shelf { top: (none, 0), below: [(none, 0); N], len: 0 }
    }

    /// The top word, and its bits, of which there may be none.
    #[inline]
    pub(super) fn top(&self) -> (W, u64) {
        self.top
    }

    /// Takes the lowest bit of the top word, which has one.
    #[inline]
    pub(super) fn take(&mut self) -> u32 {
        let bit = self.top.1.trailing_zeros();
        self.top.1 &= self.top.1 - 1;
        bit
    }

    /// Adds a bit to the top word.
    #[inline]
    pub(super) fn add(&mut self, bit: u32) {
        debug_assert_eq!(self.top.1 >> bit & 1, 0, "something was returned twice");
        self.top.1 |= 1 << bit;
    }

    /// Whether [`push`](Shelf::push) would find no place.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len == N
    }

    /// Puts a word on top. There is a place.
    pub(super) fn push(&mut self, word: W, bits: u64) {
        if self.top.1 != 0 {
            self.below[self.len] = self.top;
            self.len += 1;
        }
        self.top = (word, bits);
    }

    /// Takes the top word off, whose bits were all taken. False if there is no other.
    pub(super) fn uncover(&mut self) -> bool {
        debug_assert_eq!(self.top.1, 0);
        if self.len == 0 {
            return false;
        }
        self.len -= 1;
        self.top = self.below[self.len];
        true
    }

    /// Takes everything, the oldest first.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (W, u64)> {
        let (len, top) = (std::mem::take(&mut self.len), self.top);
        self.top.1 = 0;
        self.below[..len].iter().copied().chain((top.1 != 0).then_some(top))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_last_goes_first_and_nothing_is_lost() {
        let mut shelf = Shelf::<u32, 2>::new(0);
        shelf.push(7, 0b110);
        shelf.push(8, 1);
        shelf.add(5);
        shelf.push(9, 1 << 63);
        assert!(shelf.is_full());
        assert_eq!((shelf.top().0, shelf.take()), (9, 63));
        assert!(shelf.uncover());
        assert_eq!((shelf.top().0, shelf.take(), shelf.take()), (8, 0, 5));
        // What was used up is not kept below another.
        shelf.push(3, 1);
        assert_eq!(shelf.drain().collect::<Vec<_>>(), [(7, 0b110), (3, 1)]);
        assert!(shelf.top().1 == 0 && !shelf.uncover());
    }
}
