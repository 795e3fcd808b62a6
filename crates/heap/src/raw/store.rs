//! The cell store: where values go in, are borrowed, and die.
//!
//! Everything that memory safety rests on is in here and in the files beside it; its functions are safe to call, in any
//! order, with any handle. This file has the store itself and the access through handles; allocation is in `fill.rs`,
//! collection in `cycle.rs`, and what tools ask in `inspect.rs`. Policy (when to collect, what the roots are, what to
//! tell the user) is elsewhere.

use super::bits::Bits;
use super::cycle::{Extent, Phase};
use super::handle::{AnyGc, Gc, Handle};
use super::layout::{GRANULE, PAGE_BYTES, page_of};
use super::mark::cell;
use super::object::{Object, TypeInfo};
use super::pages::{Page, Pages};
use super::region::{Region, Table};
use super::remember::Remembered;
use super::spaces::Spaces;
use super::stamps::Stamps;
use super::sweep::Freed;
use super::waiting::Waiting;
use super::watch::Watch;
use super::worklist::Worklist;
use crate::error::{HandleError, HandleName, HeapError};
use crate::external::ExternalBytes;
use crate::zeal::Zeal;
use parking_lot::Mutex;
use std::any::{TypeId, type_name};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// The largest cage: what 32 bits of granules can tell apart.
#[cfg(all(not(miri), target_pointer_width = "64"))]
const LARGEST_CAGE: usize = 64 << 30;
#[cfg(all(not(miri), not(target_pointer_width = "64")))]
const LARGEST_CAGE: usize = 256 << 20;
#[cfg(miri)]
const LARGEST_CAGE: usize = 4 << 20;
/// The smallest cage that is tried when the system refuses larger ones.
const SMALLEST_CAGE: usize = 4 << 20;
/// Where address space is scarce, a heap takes this part of what it could get, and leaves the rest to others.
const SHARE: usize = 8;

/// The size of every cage of this process, in bytes; 0 until the first is made. As all are of one size, the index of a
/// handle is inside the cage of any heap, and need not be compared with its end.
static CAGE_BYTES: Mutex<usize> = Mutex::new(0);

/// Cells, the values in them, and the tables beside them.
#[derive(Debug)]
pub(crate) struct Store {
    /// Where the cells are: the start of `region`.
    pub(super) cage: NonNull<u8>,
    pub(super) spaces: Spaces,
    pub(super) stamps: Stamps,
    pub(super) bits: Table<Bits>,
    pub(super) pages: Pages,
    pub(super) work: Worklist,
    pub(super) remembered: Remembered,
    pub(super) waiting: Waiting,
    /// What is remembered at a write is what has another stamp than this: see [`Store::before_write`].
    pub(super) young_stamp: u32,
    /// Bytes of the blocks that were made for outline cells, since the store was made.
    pub(super) made_block_bytes: u64,
    /// Bytes of the large ones among these blocks.
    pub(super) lump_bytes: u64,
    /// Bytes of cells and blocks that were taken for allocation, since the store was made.
    pub(super) taken_bytes: u64,
    /// Granules of cells that were taken for allocation and never filled.
    pub(super) returned_granules: u64,
    pub(super) freed: Freed,
    /// Words of the bitmap that were swept, since the store was made.
    pub(super) swept_words: u64,
    pub(super) phase: Phase,
    /// The extent of the cycle that runs, or of the last one.
    pub(super) extent: Extent,
    /// Marks mean nothing until a sweep begins: if there is no cycle, as one was abandoned, the next has to be a full one.
    pub(super) marks_are_void: bool,
    /// What may be committed.
    pub(crate) limit: usize,
    /// What counts against it beside what is committed.
    pub(super) external: ExternalBytes,
    pub(super) zeal: Zeal,
    /// Somebody observes what is allocated.
    pub(super) watch: Option<Box<Watch>>,
    /// The place in the guest's program, by what the host says.
    pub(crate) guest_place: Option<u64>,
    /// Types that were made for objects of another program.
    pub(super) replica_types: Vec<&'static TypeInfo>,
    pub(super) region: Region,
}

impl Store {
    /// A store with nothing in it.
    pub(crate) fn new(limit: usize, external: ExternalBytes, zeal: Zeal) -> Result<Store, HeapError> {
        let stamps = Stamps::new()?;
        let young_stamp = stamps.current();
        let spaces = Spaces::new().ok_or(HeapError::Memory)?;
        let idle = Pages::no_idle().ok_or(HeapError::Memory)?;
        let Ranges { region, bits, pages, heads } = reserve()?;
        Ok(Store {
            cage: region.start(),
            spaces,
            stamps,
            bits,
            pages: Pages::new(pages, idle),
            work: Worklist::new(),
            remembered: Remembered::new(),
            waiting: Waiting::new(heads),
            young_stamp,
            made_block_bytes: 0,
            lump_bytes: 0,
            taken_bytes: 0,
            returned_granules: 0,
            freed: Freed::default(),
            swept_words: 0,
            phase: Phase::Idle,
            extent: Extent::Full,
            marks_are_void: false,
            limit,
            external,
            zeal,
            watch: None,
            guest_place: None,
            replica_types: Vec::new(),
            region,
        })
    }

    /// Bytes of all pages and blocks.
    #[inline]
    pub(crate) fn committed_bytes(&self) -> usize {
        self.pages.committed_bytes() + self.block_bytes()
    }

    /// Bytes that count against the limit.
    pub(crate) fn limited_bytes(&self) -> usize {
        self.committed_bytes().saturating_add(self.external.get())
    }

    /// Bytes of the pages in use, and of blocks.
    pub(crate) fn in_use_bytes(&self) -> usize {
        self.pages.in_use_bytes() + self.block_bytes()
    }

    /// Bytes of the blocks that outline cells own.
    #[inline]
    pub(crate) fn block_bytes(&self) -> usize {
        (self.made_block_bytes - self.freed.block_bytes) as usize
    }

    /// Bytes of the large blocks that were made since the store was.
    pub(crate) fn lump_bytes(&self) -> u64 {
        self.lump_bytes
    }

    /// Bytes that allocation has taken since the store was made. It rises a run of cells, or a block, at a time.
    #[inline(always)]
    pub(crate) fn taken_bytes(&self) -> u64 {
        self.taken_bytes
    }

    /// Bytes of the cells and blocks that were filled since the store was made.
    pub(crate) fn allocated_bytes(&self) -> u64 {
        let unfilled: u64 =
            self.spaces.runs().map(|(space, run)| u64::from(run.granules() + space.hidden.granules())).sum();
        self.taken_bytes - (self.returned_granules + unfilled) * GRANULE as u64
    }

    /// Bytes of the cells and blocks that hold an object, dead ones that were not swept yet among them.
    pub(crate) fn used_bytes(&self) -> usize {
        (self.allocated_bytes() - self.freed.bytes) as usize
    }

    /// Objects that were made since the store was.
    pub(crate) fn made_objects(&self) -> u64 {
        self.spaces.runs().map(|(space, run)| space.made(run)).sum()
    }

    /// Bytes of cells that were swept since the store was made.
    pub(crate) fn swept_bytes(&self) -> u64 {
        self.swept_words * 64 * GRANULE as u64
    }

    /// What has been freed since the store was made.
    pub(crate) fn freed(&self) -> &Freed {
        &self.freed
    }

    /// Old objects that were written to since the last cycle.
    pub(crate) fn remembered_objects(&self) -> usize {
        self.remembered.len()
    }

    /// About as many objects as take as long to look at as what is remembered.
    pub(crate) fn remembered_work(&self) -> u64 {
        self.remembered.work()
    }

    /// Bytes that a cycle's worklist holds from the system.
    pub(crate) fn scratch_bytes(&self) -> usize {
        self.work.arena_bytes() + self.remembered.arena_bytes() + self.waiting.arena_bytes()
    }

    /// Lets each list of a cycle grow to `bytes` only.
    pub(crate) fn limit_scratch(&mut self, bytes: Option<usize>) {
        self.work.limit_arena(bytes);
        self.remembered.limit_arena(bytes);
        self.waiting.limit_arena(bytes);
    }
}

/// The ranges of addresses of a heap: a cage, and the tables that grow with it.
struct Ranges {
    region: Region,
    bits: Table<Bits>,
    pages: Table<Page>,
    heads: Table<u32>,
}

impl Ranges {
    /// Those for a cage of so many bytes, if the system grants them.
    fn reserve(bytes: usize) -> Option<Ranges> {
        Some(Ranges {
            region: Region::reserve(bytes)?,
            bits: Table::reserve(bytes / GRANULE / 64)?,
            pages: Table::reserve(bytes / PAGE_BYTES)?,
            heads: Waiting::reserve_heads(bytes / GRANULE)?,
        })
    }
}

/// Reserves a cage of the size that all have, or of the largest that the system grants if this is the first.
fn reserve() -> Result<Ranges, HeapError> {
    let mut cage_bytes = CAGE_BYTES.lock();
    if *cage_bytes != 0 {
        return Ranges::reserve(*cage_bytes).ok_or(HeapError::AddressSpace { bytes: *cage_bytes });
    }
    let mut bytes = LARGEST_CAGE;
    while bytes >= SMALLEST_CAGE {
        if Ranges::reserve(bytes).is_some() {
            let granted = if bytes == LARGEST_CAGE { bytes } else { (bytes / SHARE).max(SMALLEST_CAGE) };
            let ranges = Ranges::reserve(granted).ok_or(HeapError::AddressSpace { bytes: granted })?;
            *cage_bytes = granted;
            return Ok(ranges);
        }
        bytes /= 2;
    }
    Err(HeapError::AddressSpace { bytes: SMALLEST_CAGE })
}

/// Access through handles.
impl Store {
    /// The cell of a handle, if it still holds the object that the handle was made for.
    #[inline(always)]
    fn cell_of(&self, handle: Handle) -> Option<NonNull<u8>> {
        // SAFETY: the index is that of a cell in the cage of some heap; all cages have one size, and it is a cell border of
        // this page number in each of them (I1, I2), so that its first four bytes are a stamp or zero (I3, I9).
        let (cell, stamp) = unsafe {
            let cell = cell(self.cage, handle.index());
            (cell, cell.cast::<u32>().read())
        };
        // A stamp that fits was written for this very object (I4), so the cell holds a value of its type (I5).
        (stamp == handle.stamp()).then_some(cell)
    }

    /// Whether the object of a handle is there, be it one that a collection has found dead and has not freed yet.
    #[inline(always)]
    pub(crate) fn holds(&self, handle: Handle) -> bool {
        self.cell_of(handle).is_some()
    }

    /// Whether the object of a handle is alive in this heap.
    #[inline]
    pub(crate) fn contains(&self, handle: Handle) -> bool {
        self.holds(handle) && !self.is_doomed(handle)
    }

    /// Whether the object of a valid handle has been found dead and waits to be freed: while a cycle sweeps, that is what is
    /// not marked and was there when the sweep began.
    #[inline]
    pub(crate) fn is_doomed(&self, handle: Handle) -> bool {
        matches!(self.phase, Phase::Sweeping(_))
            && handle.stamp() != self.stamps.current()
            && !self.is_marked(handle.index())
    }

    #[inline(always)]
    pub(crate) fn get<T: Object + ?Sized>(&self, gc: Gc<T>) -> Option<&T> {
        let cell = self.cell_of(gc.handle())?;
        // SAFETY: the cell holds the `T` that the handle was made for. The reference borrows the store, and cells are
        // only written through an exclusive borrow of it (I8).
        Some(unsafe { T::payload(cell).as_ref() })
    }

    #[inline(always)]
    pub(crate) fn get_mut<T: Object + ?Sized>(&mut self, gc: Gc<T>) -> Option<&mut T> {
        let cell = self.cell_of(gc.handle())?;
        // SAFETY: as in `get`, and the borrow is exclusive.
        Some(unsafe { T::payload(cell).as_mut() })
    }

    /// Several objects at once. The error is that one is stale, or the positions of two that are the same.
    pub(crate) fn get_disjoint_mut<T: Object + ?Sized, const N: usize>(
        &mut self,
        gcs: [Gc<T>; N],
    ) -> Result<[&mut T; N], NotDisjoint> {
        let mut payloads = [const { MaybeUninit::uninit() }; N];
        for (at, (gc, payload)) in gcs.iter().zip(&mut payloads).enumerate() {
            if let Some(first) = gcs[..at].iter().position(|earlier| earlier == gc) {
                return Err(NotDisjoint::Overlap { first, second: at });
            }
            let cell = self.cell_of(gc.handle()).ok_or(NotDisjoint::Stale)?;
            // SAFETY: the cell holds the `T` that the handle was made for.
            payload.write(unsafe { T::payload(cell) });
        }
        // SAFETY: all were written. Equal handles were refused, and two different handles that are both valid name two
        // different cells (a cell has one stamp), whose values do not overlap.
        Ok(payloads.map(|payload| unsafe { payload.assume_init().as_mut() }))
    }

    /// The type of the object that an untyped handle leads to.
    pub(crate) fn type_of(&self, handle: Handle) -> Option<&'static TypeInfo> {
        if !self.contains(handle) {
            return None;
        }
        self.pages.page(page_of(handle.index())).info
    }

    /// Gives an untyped handle its type back.
    pub(crate) fn downcast<T: Object + ?Sized>(&self, any: AnyGc) -> Result<Gc<T>, HandleError> {
        let Some(info) = self.type_of(any.handle()) else {
            return Err(self.stale(any.handle(), type_name::<T>()));
        };
        if info.id() == TypeId::of::<T>() {
            // The object is alive, and a `T`.
            Ok(Gc::new(any.handle()))
        } else {
            Err(HandleError::WrongType { expected: type_name::<T>(), actual: info.name() })
        }
    }

    /// What to say of a handle whose object is not there.
    #[cold]
    pub(crate) fn stale(&self, handle: Handle, type_name: &'static str) -> HandleError {
        let name = HandleName(handle);
        if self.stamps.owns(handle.stamp()) {
            HandleError::Collected { type_name, handle: name }
        } else {
            HandleError::OtherHeap { type_name, handle: name }
        }
    }
}

/// Why an array of handles cannot be borrowed.
#[derive(Copy, Clone, Debug)]
pub(crate) enum NotDisjoint {
    Stale,
    Overlap { first: usize, second: usize },
}
