//! Sweeping: from unmarked cells to free ones.
//!
//! A cell dies in this order: its live bit goes, its stamp becomes zero, and only when that is done for all the dead of
//! its part of the page does the first destructor run. A destructor that panics has therefore been run, like all the
//! others: the panic is kept, the sweep goes on, and whoever asked for the collection gets the first of them.
//!
//! A page without destructors is swept at once. One with destructors is swept a word of its bitmap after the other, so that
//! a slice can end between any two of them.

use super::bits::{PageBits, ones};
use super::layout::{GRANULE, HEADER_BYTES, PAGE_GRANULES, PAGE_WORDS};
use super::mark::cell;
use super::object::TypeInfo;
use super::pages::Page;
use std::alloc::{Layout, dealloc};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// What poison looks like: no stamp that was ever handed out, no address, no small number.
const POISON: u8 = 0xdb;

/// What has been freed since the store was made.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    /// Objects.
    pub(crate) objects: u64,
    /// Bytes of their cells and blocks.
    pub(crate) bytes: u64,
    /// Bytes of their blocks alone.
    pub(super) block_bytes: u64,
    /// The first panic that came out of a destructor since this was looked at.
    pub(super) panic: Option<Box<dyn Any + Send>>,
}

/// What happens to the memory of a dead cell.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Remains {
    Left,
    Poisoned,
}

/// Frees the cells of one word of a page's bitmap that are live and not marked, and says how many that were.
///
/// # Safety
///
/// `number` is a page of the cage at `cage`, in use as `page` says; `bits` are its bits, with everything published that was
/// handed out; `word` is one of them; and nobody holds a reference into one of its cells.
#[inline]
pub(super) unsafe fn sweep_word(
    cage: NonNull<u8>,
    number: u32,
    page: &Page,
    bits: &mut PageBits,
    word: usize,
    remains: Remains,
    freed: &mut Freed,
) -> u32 {
    let bits = &mut bits[word];
    let dead = bits.live & !bits.mark;
    if dead == 0 {
        return 0;
    }
    bits.live &= bits.mark;
    let first = number * PAGE_GRANULES + word as u32 * 64;
    for bit in ones(dead) {
        // SAFETY: the index is that of a cell of this page, to which nobody refers.
        unsafe { cell(cage, first + bit).cast::<u32>().write(0) };
    }
    let count = dead.count_ones();
    freed.objects += u64::from(count);
    freed.bytes += u64::from(count) * (u64::from(page.stride) * GRANULE as u64);

    if let Some(info) = page.info
        && page.must_drop()
    {
        // SAFETY: the cells in `dead` held values of the page's type until now (I5, I6), and with their stamps and live
        // bits gone nothing leads to these any more.
        unsafe { drop_cells(cage, first, info, dead, freed) };
    }
    if remains == Remains::Poisoned {
        for bit in ones(dead) {
            // SAFETY: the cell is dead, and its value has been dropped.
            unsafe { poison(cell(cage, first + bit), usize::from(page.stride) * GRANULE) };
        }
    }
    count
}

/// Frees the dead of a whole page, as [`sweep_word`].
///
/// # Safety
///
/// As for [`sweep_word`].
#[inline]
pub(super) unsafe fn sweep_page(
    cage: NonNull<u8>,
    number: u32,
    page: &Page,
    bits: &mut PageBits,
    remains: Remains,
    freed: &mut Freed,
) -> u32 {
    let mut count = 0;
    for word in 0..PAGE_WORDS {
        // SAFETY: the caller's promise.
        count += unsafe { sweep_word(cage, number, page, bits, word, remains, freed) };
    }
    count
}

/// Runs the destructors of dead cells and frees their blocks.
///
/// # Safety
///
/// Each cell of `dead`, seen from the granule `first`, held a value of type `info` that nothing leads to any more.
#[inline(never)]
unsafe fn drop_cells(cage: NonNull<u8>, first: u32, info: &'static TypeInfo, dead: u64, freed: &mut Freed) {
    /// Frees the block also when the destructor of the value in it unwinds.
    struct Block(Option<(NonNull<u8>, Layout)>);
    impl Drop for Block {
        fn drop(&mut self) {
            if let Some((block, layout)) = self.0 {
                // SAFETY: the block was allocated with this layout, belongs to the cell, and the cell is dead (I7).
                unsafe { dealloc(block.as_ptr(), layout) }
            }
        }
    }

    let mut cells = ones(dead);
    let mut block_bytes = 0;
    // One guard for all cells, set up again only behind a panic.
    while let Err(panic) = catch_unwind(AssertUnwindSafe(|| {
        for bit in cells.by_ref() {
            // SAFETY: a cell that held a value of type `info`; each comes up once.
            unsafe {
                let cell = cell(cage, first + bit);
                let block = Block((info.block)(cell));
                block_bytes += block.0.map_or(0, |(_, layout)| layout.size()) as u64;
                if info.needs_drop {
                    (info.drop_value)(cell);
                }
            }
        }
    })) {
        match &freed.panic {
            None => freed.panic = Some(panic),
            Some(_) => forget_panic(panic),
        }
    }
    freed.block_bytes += block_bytes;
    freed.bytes += block_bytes;
}

/// Drops what a panic carried, which may panic as well, and as often as it likes.
pub(super) fn forget_panic(panic: Box<dyn Any + Send>) {
    if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(next);
    }
}

/// Fills a dead cell, but for its header.
///
/// # Safety
///
/// The cell is dead and `bytes` long.
pub(super) unsafe fn poison(cell: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { cell.add(HEADER_BYTES).write_bytes(POISON, bytes - HEADER_BYTES) }
}

/// Whether a free cell is as it was left: its stamp is zero, and behind its header there is only poison, or nothing yet.
///
/// # Safety
///
/// The cell is free and `bytes` long, and was poisoned if it ever held a value.
pub(super) unsafe fn is_untouched(cell: NonNull<u8>, bytes: usize) -> bool {
    // SAFETY: a free cell is zero from the start or filled by `poison`; its stamp is written in either case.
    let (stamp, rest) = unsafe {
        let rest = cell.add(HEADER_BYTES);
        (cell.cast::<u32>().read(), std::slice::from_raw_parts(rest.as_ptr(), bytes - HEADER_BYTES))
    };
    stamp == 0 && (rest.iter().all(|&byte| byte == POISON) || rest.iter().all(|&byte| byte == 0))
}
