//! Sweeping: from unmarked cells to free ones.
//!
//! A cell dies in this order: its live bit goes, its stamp becomes zero, and only when that is done for all the dead of
//! its page does the first destructor run. A destructor that panics has therefore been run, like all the others: the
//! panic is kept, the sweep goes on, and whoever asked for the collection gets the first of them at its end.

use super::bits::{Bits, ones};
use super::layout::{GRANULE, PAGE_GRANULES, PAGE_WORDS};
use super::mark::cell;
use super::object::TypeInfo;
use super::pages::{DROPS, Page};
use std::alloc::{Layout, dealloc};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// What poison looks like: no stamp that was ever handed out, no address, no small number.
const POISON: u8 = 0xdb;

/// What a sweep found and did.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Objects that died.
    pub(crate) freed_objects: usize,
    /// Bytes of their cells and blocks.
    pub(crate) freed_bytes: usize,
    /// Bytes of their blocks alone.
    pub(super) freed_block_bytes: usize,
    /// The first panic that came out of a destructor.
    pub(crate) panic: Option<Box<dyn Any + Send>>,
}

/// What happens to the memory of a dead cell.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Remains {
    Left,
    Poisoned,
}

/// Frees the cells of a page that are live and not marked, and says how many are left.
///
/// # Safety
///
/// `number` is a page of the cage at `cage`, in use as `page` says; `bits` are its bits, with all runs published; and
/// nobody holds a reference into one of its cells.
pub(super) unsafe fn sweep_page(
    cage: NonNull<u8>,
    number: u32,
    page: &Page,
    bits: &mut [Bits],
    remains: Remains,
    swept: &mut Swept,
) -> u32 {
    let Some(info) = page.info else { return 0 };
    let first = number * PAGE_GRANULES;
    let stride_bytes = usize::from(page.stride) * GRANULE;
    let mut dead = [0; PAGE_WORDS];
    let (mut freed, mut live) = (0, 0);
    for (word, (bits, dead)) in bits.iter_mut().zip(&mut dead).enumerate() {
        *dead = bits.live & !bits.mark;
        bits.live &= bits.mark;
        live += bits.live.count_ones();
        freed += dead.count_ones();
        for bit in ones(*dead) {
            // SAFETY: the index is that of a cell of this page, to which nobody refers.
            unsafe { cell(cage, first + word as u32 * 64 + bit).cast::<u32>().write(0) };
        }
    }
    swept.freed_objects += freed as usize;
    swept.freed_bytes += freed as usize * stride_bytes;

    if freed > 0 && page.traits & DROPS != 0 {
        // SAFETY: the cells in `dead` held values of the page's type until now (I5, I6), and with their stamps and live
        // bits gone nothing leads to these any more.
        unsafe { drop_cells(cage, first, info, dead, swept) };
    }
    if freed > 0 && remains == Remains::Poisoned {
        for index in indices(first, dead) {
            // SAFETY: the cell is dead, and its value has been dropped.
            unsafe { poison(cell(cage, index), stride_bytes) };
        }
    }
    live
}

/// Runs the destructors of the dead cells of a page and frees their blocks.
///
/// # Safety
///
/// Each cell of `dead`, seen from the granule `first`, held a value of type `info` that nothing leads to any more.
#[inline(never)]
unsafe fn drop_cells(
    cage: NonNull<u8>,
    first: u32,
    info: &'static TypeInfo,
    dead: [u64; PAGE_WORDS],
    swept: &mut Swept,
) {
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

    let mut cells = indices(first, dead);
    let mut freed_block_bytes = 0;
    // One guard for all cells, set up again only behind a panic.
    while let Err(panic) = catch_unwind(AssertUnwindSafe(|| {
        for index in cells.by_ref() {
            // SAFETY: a cell of this page that held a value of type `info`; each comes up once.
            unsafe {
                let cell = cell(cage, index);
                let block = Block((info.block)(cell));
                freed_block_bytes += block.0.map_or(0, |(_, layout)| layout.size());
                if info.needs_drop {
                    (info.drop_value)(cell);
                }
            }
        }
    })) {
        match &swept.panic {
            None => swept.panic = Some(panic),
            Some(_) => forget_panic(panic),
        }
    }
    swept.freed_block_bytes += freed_block_bytes;
    swept.freed_bytes += freed_block_bytes;
}

/// Drops what a panic carried, which may panic as well, and as often as it likes.
pub(super) fn forget_panic(panic: Box<dyn Any + Send>) {
    if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(next);
    }
}

/// The cells of a page that a bitmap names.
fn indices(first: u32, words: [u64; PAGE_WORDS]) -> impl Iterator<Item = u32> {
    words.into_iter().zip((first..).step_by(64)).flat_map(|(word, base)| ones(word).map(move |bit| base + bit))
}

/// Fills a dead cell, but for its stamp.
///
/// # Safety
///
/// The cell is dead and `bytes` long.
pub(super) unsafe fn poison(cell: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { cell.add(size_of::<u32>()).write_bytes(POISON, bytes - size_of::<u32>()) }
}

/// Whether a free cell is as it was left: its stamp is zero, and behind it there is only poison, or nothing yet.
///
/// # Safety
///
/// The cell is free and `bytes` long, and was poisoned if it ever held a value.
pub(super) unsafe fn is_untouched(cell: NonNull<u8>, bytes: usize) -> bool {
    // SAFETY: a free cell is zero from the start or filled by `poison`; its stamp is written in either case.
    let (stamp, rest) = unsafe {
        let rest = cell.add(size_of::<u32>());
        (cell.cast::<u32>().read(), std::slice::from_raw_parts(rest.as_ptr(), bytes - size_of::<u32>()))
    };
    stamp == 0 && (rest.iter().all(|&byte| byte == POISON) || rest.iter().all(|&byte| byte == 0))
}
