//! Numbers, texts and checksums that JavaScript computes alike, in the arithmetic of 32 bits.

use std::sync::LazyLock;
use tumulus_heap::Trace;

/// The shortest and the longest text.
const TEXT_LENGTHS: [u32; 2] = [16, 128];
/// At how many places of the letters a text can start.
const STARTS: u32 = 4096;

/// What all texts are cut from.
static LETTERS: LazyLock<String> = LazyLock::new(|| {
    let letter = |at: u32| char::from(b'a' + ((at * 7 + (at >> 5)) % 26) as u8);
    (0..STARTS + TEXT_LENGTHS[1]).map(letter).collect()
});

/// A stream of random numbers: Marsaglia's xorshift of 32 bits.
#[derive(Clone, Debug)]
pub(super) struct Numbers(u32);

impl Numbers {
    /// The stream that belongs to a seed.
    pub(super) fn new(seed: u64) -> Numbers {
        // Both halves count, and the generator never leaves zero.
        let folded = scatter((seed >> 32) as u32) ^ seed as u32;
        Numbers(if folded == 0 { 0x7475_6d75 } else { folded })
    }

    /// Any number but 0.
    #[inline]
    pub(super) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A number less than `end`, which is not 0.
    #[inline]
    pub(super) fn below(&mut self, end: u32) -> u32 {
        self.next() % end
    }

    /// A number less than `end`; half of them are less than half of it, a quarter less than a quarter.
    #[inline]
    pub(super) fn skewed(&mut self, end: u32) -> u32 {
        let part = end >> (self.next() & 3);
        self.below(part.max(1))
    }
}

/// Scatters numbers that lie close together.
#[inline]
pub(super) const fn scatter(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b1)
}

/// The text of 16 to 128 letters that belongs to a number.
#[inline]
pub(super) fn text(number: u32) -> &'static str {
    let start = (number % STARTS) as usize;
    let [shortest, longest] = TEXT_LENGTHS;
    let length = shortest + (number >> 12) % (longest - shortest + 1);
    &LETTERS[start..start + length as usize]
}

/// What a text adds to a checksum: something that cannot be known without reading it.
#[inline]
pub(super) fn sum_of(text: &str) -> u32 {
    text.len() as u32 + u32::from(text.as_bytes()[0])
}

/// A sum over what a workload has computed, which depends on the order.
#[derive(Copy, Clone, Debug, Default, Trace)]
pub(super) struct Checksum(u32);

impl Checksum {
    /// Adds a number.
    #[inline]
    pub(super) fn add(&mut self, number: u32) {
        self.0 = self.0.wrapping_mul(31).wrapping_add(number);
    }

    /// The sum, in 32 bits.
    pub(super) fn get(self) -> u64 {
        u64::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_algorithm() {
        let mut numbers = Numbers(1);
        assert_eq!([numbers.next(), numbers.next(), numbers.next()], [270_369, 67_634_689, 2_647_435_461]);
    }

    #[test]
    fn every_seed_has_a_stream_of_its_own() {
        let first = |seed| Numbers::new(seed).next();
        assert_ne!(first(0), 0);
        assert_ne!(first(1), first(2));
        assert_ne!(first(1), first(1 << 32));
    }

    #[test]
    fn every_number_has_a_text_of_a_good_length() {
        let mut numbers = Numbers::new(1);
        for _ in 0..10_000 {
            assert!((16..=128).contains(&text(numbers.next()).len()));
        }
        assert_eq!(sum_of(text(0)), 16 + u32::from(b'a'));
    }

    #[test]
    fn skewed_numbers_stay_below_their_end() {
        let mut numbers = Numbers::new(1);
        for end in [1, 2, 3, 1000] {
            assert!((0..1000).all(|_| numbers.skewed(end) < end));
        }
    }

    #[test]
    fn a_checksum_depends_on_the_order() {
        let of = |numbers: [u32; 2]| {
            let mut sum = Checksum::default();
            for number in numbers {
                sum.add(number);
            }
            sum.get()
        };
        assert_ne!(of([1, 2]), of([2, 1]));
    }
}
