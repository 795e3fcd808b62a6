//! Random numbers and texts that every language computes alike.
//!
//! The generator is Marsaglia's xorshift of 32 bits, in the arithmetic that JavaScript has too.

use std::sync::LazyLock;

/// The shortest and the longest text.
pub const TEXT_LENGTHS: [u32; 2] = [16, 128];

/// At how many places a text can start.
const STARTS: u32 = 4096;

/// What all texts are cut from.
static LETTERS: LazyLock<String> = LazyLock::new(|| {
    let letter = |at: u32| char::from(b'a' + ((at * 7 + (at >> 5)) % 26) as u8);
    (0..STARTS + TEXT_LENGTHS[1]).map(letter).collect()
});

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u32);

impl Random {
    /// The stream that all workloads start with.
    pub const fn new() -> Self {
        Random(0x7475_6d75)
    }

    /// Any number but 0.
    #[inline]
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A number less than `end`.
    #[inline]
    pub fn below(&mut self, end: u32) -> u32 {
        self.next() % end
    }
}

/// Scatters numbers that lie close together.
#[inline]
pub const fn scatter(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b1)
}

/// The text of 16 to 128 letters that belongs to a number.
#[inline]
pub fn text(number: u32) -> &'static str {
    let start = (number % STARTS) as usize;
    let [shortest, longest] = TEXT_LENGTHS;
    let length = shortest + (number >> 12) % (longest - shortest + 1);
    &LETTERS[start..start + length as usize]
}

/// What a text adds to a checksum: something that cannot be known without reading it.
#[inline]
pub fn sum_of(text: &str) -> u64 {
    text.len() as u64 + u64::from(text.as_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_algorithm() {
        let mut random = Random(1);
        assert_eq!([random.next(), random.next(), random.next()], [270_369, 67_634_689, 2_647_435_461]);
    }

    #[test]
    fn every_number_has_a_text_of_a_good_length() {
        let mut random = Random::new();
        for _ in 0..10_000 {
            assert!((16..=128).contains(&text(random.next()).len()));
        }
        assert_eq!(sum_of(text(0)), 16 + u64::from(b'a'));
        assert_eq!(text(u32::MAX).as_bytes()[0], LETTERS.as_bytes()[4095]);
    }
}
