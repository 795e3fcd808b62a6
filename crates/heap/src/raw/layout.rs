//! The geometry of the cage, in numbers.
//!
//! ```text
//! cage    | page 0 | page 1 | page 2 | ...                   up to 64 GiB; page 0 is never used
//! page    | cell | cell | cell | ...           | rest |      16 KiB; one type, one stride
//! cell    | stamp: u32 | meta: u32 | payload ...      |      a multiple of 16 bytes, the stride
//! ```
//!
//! An index counts granules of 16 bytes from the start of the cage. A cell whose value does not fit the largest
//! stride, or is aligned beyond reason, is an *outline* cell: its payload is the address of a block of its own.

use std::alloc::Layout;

/// Bytes in a granule, the unit of an index.
pub(crate) const GRANULE: usize = 16;
/// Bytes in a page of cells.
pub(crate) const PAGE_BYTES: usize = 16 << 10;
/// Granules in a page of cells.
pub(crate) const PAGE_GRANULES: u32 = (PAGE_BYTES / GRANULE) as u32;
/// The largest stride of a cell, in granules: 2 KiB, eight to a page.
pub(crate) const MAX_STRIDE: usize = 128;
/// Bytes from the start of a cell to its payload, for values of the usual alignments.
pub(crate) const HEADER_BYTES: usize = 8;
/// Words of a bitmap that cover one page.
pub(crate) const PAGE_WORDS: usize = PAGE_GRANULES as usize / 64;
/// The page on which a granule lies.
#[inline(always)]
pub(crate) const fn page_of(index: u32) -> u32 {
    index / PAGE_GRANULES
}

/// How the objects of one page lie in its cells.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The size of a cell in granules, 1 to [`MAX_STRIDE`].
    stride: u8,
    /// The payload is not in the cell, but in a block that the cell points at.
    outline: bool,
}

impl Shape {
    /// Cells that hold a header, an address and a length.
    pub(crate) const OUTLINE: Shape = Shape { stride: 2, outline: true };

    /// The shape of cells for one value of `layout`.
    pub(crate) const fn of(layout: Layout) -> Shape {
        Shape::rounded(layout, false)
    }

    /// The shape of cells for a slice of `layout`: a few sizes only, so that slices of similar lengths share a page.
    pub(crate) const fn of_slice(layout: Layout) -> Shape {
        Shape::rounded(layout, true)
    }

    /// Cells of so many granules, if there are such.
    pub(crate) const fn of_granules(granules: u8) -> Option<Shape> {
        if granules == 0 || granules as usize > MAX_STRIDE {
            None
        } else {
            Some(Shape { stride: granules, outline: false })
        }
    }

    const fn rounded(layout: Layout, coarse: bool) -> Shape {
        let align = if layout.align() > GRANULE { layout.align() } else { GRANULE };
        // A size near `isize::MAX` does not overflow a `usize` here, as the offset is a power of two below it; one that
        // large is outline in any case.
        let Some(bytes) = layout.size().checked_add(payload_offset(layout.align())) else { return Shape::OUTLINE };
        if bytes > MAX_STRIDE * GRANULE {
            return Shape::OUTLINE;
        }
        let mut granules = bytes.div_ceil(GRANULE);
        if coarse {
            granules = coarse_granules(granules);
        }
        let granules = granules.next_multiple_of(align / GRANULE);
        if granules > MAX_STRIDE { Shape::OUTLINE } else { Shape { stride: granules as u8, outline: false } }
    }

    /// The size of a cell in granules.
    #[inline(always)]
    pub(crate) const fn stride(self) -> u32 {
        self.stride as u32
    }

    /// The size of a cell in bytes.
    pub(crate) const fn cell_bytes(self) -> usize {
        self.stride as usize * GRANULE
    }

    /// Whether the payload is in a block of its own.
    #[inline(always)]
    pub(crate) const fn is_outline(self) -> bool {
        self.outline
    }

    /// A number that differs between any two shapes.
    #[inline(always)]
    pub(crate) const fn key(self) -> u8 {
        if self.outline { 0 } else { self.stride }
    }
}

/// What the heap has to commit, at most, for a value of `layout`: a page, or a block.
pub(crate) fn requested_bytes(layout: Layout) -> usize {
    if Shape::of(layout).is_outline() { layout.size() } else { PAGE_BYTES }
}

/// Rounds up to one of four sizes per doubling, which wastes at most a fifth.
const fn coarse_granules(granules: usize) -> usize {
    if granules <= 8 {
        return granules;
    }
    let step = (granules - 1).ilog2() - 2;
    granules.next_multiple_of(1 << step)
}

/// Bytes from the start of an inline cell to a payload of this alignment.
#[inline(always)]
pub(crate) const fn payload_offset(align: usize) -> usize {
    if align > HEADER_BYTES { align } else { HEADER_BYTES }
}

/// Cells that fit a page, for a stride in granules.
pub(crate) const fn cells_per_page(stride: u32) -> u32 {
    PAGE_GRANULES / stride
}

/// For each stride, the granules of a page at which a cell starts, as a bitmap.
pub(crate) static CELL_STARTS: [[u64; PAGE_WORDS]; MAX_STRIDE + 1] = {
    let mut table = [[0; PAGE_WORDS]; MAX_STRIDE + 1];
    let mut stride = 1;
    while stride <= MAX_STRIDE {
        let mut cell = 0;
        while cell < cells_per_page(stride as u32) as usize {
            let granule = cell * stride;
            table[stride][granule / 64] |= 1 << (granule % 64);
            cell += 1;
        }
        stride += 1;
    }
    table
};

const _: () = {
    assert!(PAGE_GRANULES.is_multiple_of(64));
    assert!(MAX_STRIDE <= u8::MAX as usize);
    assert!(Shape::OUTLINE.cell_bytes() >= HEADER_BYTES + 2 * size_of::<usize>());
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_fits_its_shape_and_is_aligned() {
        for align_log in 0..=12 {
            let align = 1usize << align_log;
            for size in (0..4096).step_by(if cfg!(miri) { 151 } else { 1 }).map(|n| (n * align).min(8192)) {
                let layout = Layout::from_size_align(size, align).unwrap();
                for shape in [Shape::of(layout), Shape::of_slice(layout)] {
                    if shape.is_outline() {
                        assert_eq!(shape, Shape::OUTLINE);
                        continue;
                    }
                    assert!(payload_offset(align) + size <= shape.cell_bytes());
                    assert_eq!(payload_offset(align) % align, 0);
                    assert_eq!(shape.cell_bytes() % align.max(GRANULE), 0);
                    assert!(shape.key() > 0);
                }
            }
        }
    }

    #[test]
    fn common_sizes_have_the_expected_cells() {
        let bytes = |size, align| Shape::of(Layout::from_size_align(size, align).unwrap()).cell_bytes();
        assert_eq!(bytes(0, 1), 16);
        assert_eq!(bytes(8, 8), 16);
        assert_eq!(bytes(24, 8), 32);
        assert_eq!(bytes(40, 8), 48);
        assert_eq!(bytes(16, 16), 32);
        assert!(Shape::of(Layout::new::<[u8; 2041]>()).is_outline());
        assert!(!Shape::of(Layout::new::<[u8; 2040]>()).is_outline());
    }

    #[test]
    fn slices_share_few_strides_and_waste_little() {
        let mut strides = std::collections::BTreeSet::new();
        for size in (1..=2040).step_by(if cfg!(miri) { 37 } else { 1 }) {
            let shape = Shape::of_slice(Layout::from_size_align(size, 1).unwrap());
            let exact = (size + HEADER_BYTES).div_ceil(GRANULE) * GRANULE;
            assert!(shape.cell_bytes() * 4 <= exact * 5, "{size} bytes in a cell of {}", shape.cell_bytes());
            strides.insert(shape.stride());
        }
        assert!(strides.len() <= 26, "{strides:?}");
    }

    #[test]
    fn cell_starts_are_the_multiples_of_the_stride() {
        for (stride, words) in CELL_STARTS.iter().enumerate().skip(1).step_by(if cfg!(miri) { 25 } else { 1 }) {
            let starts: Vec<usize> =
                (0..PAGE_GRANULES as usize).filter(|g| words[g / 64] >> (g % 64) & 1 == 1).collect();
            let expected: Vec<usize> = (0..cells_per_page(stride as u32) as usize).map(|c| c * stride).collect();
            assert_eq!(starts, expected);
        }
    }
}
