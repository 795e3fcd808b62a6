//! The sizes of small blocks: multiples of 16 up to 128, and then four sizes for each doubling, up to 32 KiB.
//!
//! So a block is at most a fifth larger than what was asked for, or 15 bytes.

/// The largest small block.
pub(crate) const LARGEST: usize = 32 << 10;
/// How many sizes there are.
pub(super) const COUNT: usize = 8 + 4 * 8;

/// The class for `bytes`, which is more than none and at most [`LARGEST`].
#[inline]
pub(super) const fn class_of(bytes: usize) -> usize {
    debug_assert!(bytes != 0 && bytes <= LARGEST);
    let last = bytes - 1;
    if last < 128 {
        return last / 16;
    }
    // 128..160 is class 8: the power of two, and the two bits below it.
    let power = last.ilog2() as usize;
    8 + (power - 7) * 4 + ((last >> (power - 2)) & 3)
}

/// The size of the blocks of a class.
#[inline]
pub(super) const fn size_of_class(class: usize) -> usize {
    SIZES[class] as usize
}

const SIZES: [u32; COUNT] = {
    let mut all = [0; COUNT];
    let mut class = 0;
    while class < COUNT {
        all[class] = size(class) as u32;
        class += 1;
    }
    all
};

const fn size(class: usize) -> usize {
    if class < 8 {
        return (class + 1) * 16;
    }
    let (power, quarter) = ((class - 8) / 4 + 7, (class - 8) % 4);
    (5 + quarter) << (power - 2)
}

const _: () = assert!(size_of_class(COUNT - 1) == LARGEST && class_of(LARGEST) == COUNT - 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_gets_the_smallest_class_that_holds_it() {
        for bytes in 1..=LARGEST {
            let class = class_of(bytes);
            assert!(size_of_class(class) >= bytes, "{bytes}");
            assert!(class == 0 || size_of_class(class - 1) < bytes, "{bytes}");
            assert!(size_of_class(class) <= bytes + 15 || size_of_class(class) * 4 <= bytes * 5 + 4, "{bytes}");
        }
    }

    #[test]
    fn all_are_aligned() {
        assert!((0..COUNT).all(|class| size_of_class(class).is_multiple_of(16)));
    }
}
