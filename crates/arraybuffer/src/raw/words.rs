//! Shared bytes, which threads read and write at once.
//!
//! Rust, like C++, knows no race between atomic accesses of different sizes: two threads that touch the same bytes at the same
//! time, one of them writing, have to do so with the same width. A program with an `Int8Array` and a `Float64Array` on one
//! `SharedArrayBuffer` does not. So all shared bytes are touched in one way here, whatever the view: as aligned words of
//! four bytes, each with one atomic access. (What is left behind the last whole word is a half word, and a byte, where there
//! are as many.)
//!
//! - An aligned element of four bytes is one word: it is read and written with one plain instruction, and the
//!   read-modify-write operations of `Atomics` are the processor's own.
//! - Smaller elements are a part of a word. Reading is the same, writing replaces the part by compare and exchange. Neither
//!   tears an element of two bytes, which the language does not permit.
//! - Elements of eight bytes are two words. They may tear, which the language permits for all but `Atomics` on `BigInt64Array`
//!   and `BigUint64Array`; these are behind a lock (`lock_for`), so that they are atomic among each other.
//!
//! Invariant **W1**: for the life of the borrow, `data` leads to `max` bytes, aligned to 4, which everybody touches in this
//! way; of these the first `len` can be used.

use crate::sync::{Mutex, MutexGuard};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU16, AtomicU32, Ordering};

/// The bytes of a shared store.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Words<'s> {
    data: NonNull<u8>,
    len: usize,
    /// Where the whole words end, and where the half word behind them does: it depends on the maximum, which does not change.
    tail: usize,
    halves: usize,
    store: PhantomData<&'s AtomicU8>,
}

/// One place that is accessed as a whole.
#[derive(Copy, Clone)]
enum Location<'s> {
    Word(&'s AtomicU32),
    Half(&'s AtomicU16),
    Byte(&'s AtomicU8),
}

impl Location<'_> {
    #[inline]
    fn load(self) -> u32 {
        match self {
            Location::Word(word) => word.load(Ordering::Relaxed),
            Location::Half(half) => half.load(Ordering::Relaxed).into(),
            Location::Byte(byte) => byte.load(Ordering::Relaxed).into(),
        }
    }

    /// Gives what it was.
    #[inline]
    fn update(self, order: Ordering, mut change: impl FnMut(u32) -> Option<u32>) -> u32 {
        match self {
            Location::Word(word) => word.fetch_update(order, order, change).unwrap_or_else(|before| before),
            Location::Half(half) => {
                let before = half.fetch_update(order, order, |old| change(old.into()).map(|new| new as u16));
                before.unwrap_or_else(|before| before).into()
            }
            Location::Byte(byte) => {
                let before = byte.fetch_update(order, order, |old| change(old.into()).map(|new| new as u8));
                before.unwrap_or_else(|before| before).into()
            }
        }
    }
}

/// A part of a location: which one, and which of its bits.
struct Part<'s> {
    location: Location<'s>,
    /// In bits, from the lowest.
    shift: u32,
    mask: u32,
}

impl Part<'_> {
    #[inline]
    fn of<const N: usize>(&self, location: u32) -> [u8; N] {
        let value = (location & self.mask) >> self.shift;
        if N == 1 { array(&(value as u8).to_ne_bytes()) } else { array(&(value as u16).to_ne_bytes()) }
    }

    #[inline]
    fn with<const N: usize>(&self, location: u32, bytes: [u8; N]) -> u32 {
        let value = if N == 1 { u32::from(bytes[0]) } else { u32::from(u16::from_ne_bytes(array(&bytes))) };
        (location & !self.mask) | (value << self.shift)
    }
}

impl<'s> Words<'s> {
    /// # Safety
    ///
    /// W1.
    #[inline]
    pub(super) unsafe fn new(data: NonNull<u8>, len: usize, max: usize) -> Words<'s> {
        debug_assert!(data.addr().get().is_multiple_of(4) && len <= max);
        Words { data, len, tail: max & !3, halves: max & !1, store: PhantomData }
    }

    /// How many bytes can be used.
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    #[inline]
    fn check(self, at: usize, bytes: usize) {
        assert!(at <= self.len && bytes <= self.len - at, "{at} and {bytes} more of {} shared bytes", self.len);
    }

    #[inline]
    fn word(self, at: usize) -> &'s AtomicU32 {
        debug_assert!(at.is_multiple_of(4) && at < self.tail);
        // SAFETY: inside of the whole words, aligned as `data` is to 4 (W1).
        unsafe { self.data.add(at).cast().as_ref() }
    }

    /// The word of an element of four bytes, to operate on atomically.
    #[inline]
    pub(crate) fn atomic_word(self, at: usize) -> &'s AtomicU32 {
        self.check(at, 4);
        assert!(at.is_multiple_of(4), "a word at {at}");
        self.word(at)
    }

    /// The element of one byte, or of two that are aligned: it lies in one location.
    #[inline]
    fn part(self, at: usize, bytes: usize) -> Part<'s> {
        debug_assert!(at.is_multiple_of(bytes) && bytes <= 2 && at + bytes <= self.len);
        let (location, width) = if at < self.tail {
            (Location::Word(self.word(at & !3)), 4)
        } else if at < self.halves {
            // SAFETY: behind the whole words, aligned as `data` is to 4 (W1), and both bytes are there.
            (Location::Half(unsafe { self.data.add(at & !1).cast().as_ref() }), 2)
        } else {
            // SAFETY: the last byte (W1).
            (Location::Byte(unsafe { self.data.add(at).cast().as_ref() }), 1)
        };
        let offset = at % width;
        let lower = if cfg!(target_endian = "little") { offset } else { width - offset - bytes };
        let shift = lower as u32 * 8;
        Part { location, shift, mask: ((1_u32 << (bytes * 8)) - 1) << shift }
    }

    /// Reads bytes, unordered.
    #[inline]
    pub(crate) fn load<const N: usize>(self, at: usize) -> [u8; N] {
        self.check(at, N);
        let mut bytes = [0; N];
        if N.is_multiple_of(4) && at.is_multiple_of(4) {
            for (word, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&self.word(at + word * 4).load(Ordering::Relaxed).to_ne_bytes());
            }
        } else if N <= 2 && at.is_multiple_of(N) {
            let part = self.part(at, N);
            bytes = part.of(part.location.load());
        } else {
            self.copy_to(at, &mut bytes);
        }
        bytes
    }

    /// Writes bytes, unordered.
    #[inline]
    pub(crate) fn store<const N: usize>(self, at: usize, bytes: [u8; N]) {
        self.check(at, N);
        if N.is_multiple_of(4) && at.is_multiple_of(4) {
            for (word, part) in bytes.chunks_exact(4).enumerate() {
                let value = u32::from_ne_bytes([part[0], part[1], part[2], part[3]]);
                self.word(at + word * 4).store(value, Ordering::Relaxed);
            }
        } else if N <= 2 && at.is_multiple_of(N) {
            let part = self.part(at, N);
            part.location.update(Ordering::Relaxed, |old| Some(part.with(old, bytes)));
        } else {
            self.copy_from(at, &bytes);
        }
    }

    /// Changes an element of one, two or four bytes, sequentially consistent, and gives what it was. `change` may be called
    /// more than once; with `None` it leaves the element as it is.
    #[inline]
    pub(crate) fn update<const N: usize>(
        self,
        at: usize,
        mut change: impl FnMut([u8; N]) -> Option<[u8; N]>,
    ) -> [u8; N] {
        self.check(at, N);
        assert!(matches!(N, 1 | 2 | 4) && at.is_multiple_of(N), "an element of {N} bytes at {at}");
        if N == 4 {
            let new = |word: u32| change(array(&word.to_ne_bytes())).map(|new| u32::from_ne_bytes(array(&new)));
            return array(&Location::Word(self.word(at)).update(Ordering::SeqCst, new).to_ne_bytes());
        }
        let part = self.part(at, N);
        part.of(part.location.update(Ordering::SeqCst, |old| change(part.of(old)).map(|new| part.with(old, new))))
    }

    /// Changes an element of eight bytes under its lock, and gives what it was.
    pub(crate) fn update_double(self, at: usize, change: impl FnOnce(u64) -> Option<u64>) -> u64 {
        self.check(at, 8);
        assert!(at.is_multiple_of(8), "a double word at {at}");
        let (first, second) = (self.word(at), self.word(at + 4));
        let _lock = lock_for(self.data.addr().get() + at);
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&first.load(Ordering::SeqCst).to_ne_bytes());
        bytes[4..].copy_from_slice(&second.load(Ordering::SeqCst).to_ne_bytes());
        let before = u64::from_ne_bytes(bytes);
        if let Some(new) = change(before) {
            let new = new.to_ne_bytes();
            first.store(u32::from_ne_bytes(array(&new[..4])), Ordering::SeqCst);
            second.store(u32::from_ne_bytes(array(&new[4..])), Ordering::SeqCst);
        }
        before
    }

    /// Reads a range into `to`.
    pub(crate) fn copy_to(self, at: usize, to: &mut [u8]) {
        self.check(at, to.len());
        let (head, words) = self.split(at, to.len());
        self.copy_to_small(at, &mut to[..head]);
        let mut from = at + head;
        for chunk in to[head..head + words].chunks_exact_mut(4) {
            chunk.copy_from_slice(&self.word(from).load(Ordering::Relaxed).to_ne_bytes());
            from += 4;
        }
        self.copy_to_small(from, &mut to[head + words..]);
    }

    /// Writes a range from `from`.
    pub(crate) fn copy_from(self, at: usize, from: &[u8]) {
        self.check(at, from.len());
        let (head, words) = self.split(at, from.len());
        self.copy_from_small(at, &from[..head]);
        let mut to = at + head;
        for chunk in from[head..head + words].chunks_exact(4) {
            self.word(to).store(u32::from_ne_bytes(array(chunk)), Ordering::Relaxed);
            to += 4;
        }
        self.copy_from_small(to, &from[head + words..]);
    }

    /// How many bytes of a range come before its first whole word, and how many its whole words have.
    fn split(self, at: usize, len: usize) -> (usize, usize) {
        let head = (at.next_multiple_of(4) - at).min(len);
        let whole = self.tail.saturating_sub(at + head).min(len - head) & !3;
        (head, whole)
    }

    /// Reads what is no whole word: aligned pairs of bytes at once, so that elements of two bytes do not tear.
    fn copy_to_small(self, mut at: usize, mut to: &mut [u8]) {
        while !to.is_empty() {
            let step = if at.is_multiple_of(2) { to.len().min(2) } else { 1 };
            let (now, rest) = to.split_at_mut(step);
            match now {
                [first, second] => [*first, *second] = self.load(at),
                _ => now.copy_from_slice(&self.load::<1>(at)),
            }
            (to, at) = (rest, at + step);
        }
    }

    /// Writes what is no whole word, in the same way.
    fn copy_from_small(self, mut at: usize, mut from: &[u8]) {
        while !from.is_empty() {
            let step = if at.is_multiple_of(2) { from.len().min(2) } else { 1 };
            let (now, rest) = from.split_at(step);
            match *now {
                [first, second] => self.store(at, [first, second]),
                _ => self.store(at, [now[0]]),
            }
            (from, at) = (rest, at + step);
        }
    }
}

/// A slice of the right length as an array.
#[inline]
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

/// A word as one of signed numbers.
#[inline]
pub(crate) fn signed(word: &AtomicU32) -> &AtomicI32 {
    // SAFETY: they have the same size and alignment, and all bits mean something to either. Accesses of the one are atomic
    // accesses of the same width as those of the other.
    unsafe { AtomicI32::from_ptr(word.as_ptr().cast()) }
}

/// The lock for elements that are more than one word.
fn lock_for(address: usize) -> MutexGuard<'static, ()> {
    static LOCKS: [Mutex<()>; 64] = [const { Mutex::new(()) }; 64];
    LOCKS[address / 8 % LOCKS.len()].lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(8))]
    struct Aligned([u8; 23]);

    fn with_words(test: impl FnOnce(Words<'_>)) -> [u8; 23] {
        let mut bytes = Aligned([0; 23]);
        let data = NonNull::from(&mut bytes.0).cast();
        // SAFETY: the bytes are aligned, and nobody touches them otherwise meanwhile.
        test(unsafe { Words::new(data, 23, 23) });
        bytes.0
    }

    #[test]
    fn what_is_written_in_one_way_is_read_in_every_other() {
        with_words(|words| {
            for at in 0..=15 {
                words.store(at, 0x0102_0304_0506_0708_u64.to_le_bytes());
                assert_eq!(words.load::<8>(at), [8, 7, 6, 5, 4, 3, 2, 1], "{at}");
                assert_eq!(words.load::<1>(at + 3), [5]);
                assert_eq!(words.load::<2>(at + 6), [2, 1]);
            }
        });
    }

    #[test]
    fn neighbours_are_left_alone() {
        for at in 0..23 {
            for len in 0..=23 - at {
                let bytes = with_words(|words| words.copy_from(at, &[9; 23][..len]));
                assert!((0..23).all(|n| (bytes[n] == 9) == (at..at + len).contains(&n)), "{at} {len} {bytes:?}");
            }
        }
    }

    #[test]
    fn updates_reach_the_tail() {
        with_words(|words| {
            assert_eq!(words.update::<2>(20, |_| Some(7_u16.to_ne_bytes())), [0, 0]);
            assert_eq!(
                words.update::<2>(20, |old| {
                    assert_eq!(u16::from_ne_bytes(old), 7);
                    None
                }),
                7_u16.to_ne_bytes()
            );
            assert_eq!(words.update::<1>(22, |old| Some([old[0] + 1])), [0]);
            assert_eq!(words.load::<1>(22), [1]);
            assert_eq!(words.update_double(8, |old| Some(old | 5)), 0);
            assert_eq!(words.load::<8>(8), 5_u64.to_ne_bytes());
        });
    }

    #[test]
    fn threads_with_different_widths_do_not_race() {
        let bytes = with_words(|words| {
            struct Shared<'s>(Words<'s>);
            // SAFETY: words are made for that.
            unsafe impl Sync for Shared<'_> {}
            let shared = Shared(words);
            let shared = &shared;
            std::thread::scope(|scope| {
                scope.spawn(|| (0..100).for_each(|_| shared.0.store(0, [1])));
                scope.spawn(|| (0..100).for_each(|_| shared.0.store(1, 0x0303_u16.to_ne_bytes())));
                scope.spawn(|| (0..100).for_each(|_| _ = shared.0.load::<8>(0)));
                for _ in 0..100 {
                    shared.0.update::<1>(3, |old| Some([old[0] + 1]));
                }
            });
        });
        assert_eq!(bytes[..4], [1, 3, 3, 100]);
    }

    #[test]
    #[should_panic(expected = "20 and 4 more of 23 shared bytes")]
    fn nothing_is_touched_beyond_the_end() {
        with_words(|words| words.store(20, [0; 4]));
    }
}
