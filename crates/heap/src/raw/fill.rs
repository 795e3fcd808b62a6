//! Allocation: values into cells.
//!
//! No user code runs between the moment when a cell is found and the one when it is filled but the closure that makes
//! the value, and that has no access to the store. A cell becomes an object in [`Store::commit`]: whatever fails or unwinds
//! before it leaves a free cell, and nothing behind it can.

use super::bits;
use super::handle::{Gc, Handle};
use super::layout::{GRANULE, HEADER_BYTES, PAGE_BYTES, PAGE_GRANULES, Shape, payload_offset};
use super::mark::cell;
use super::object::{Cell, OUTLINE_LEN, Object, Outline, TypeInfo, shape_of};
use super::parts;
use super::prefetch;
use super::runs::Run;
use super::spaces::Space;
use super::store::Store;
use super::sweep::{is_untouched, poison};
use crate::error::AllocErrorKind;
use crate::trace::Trace;
use std::alloc::{Layout, alloc, dealloc};
use std::any::TypeId;
use std::convert::Infallible;
use std::num::NonZeroU32;
use std::panic::Location;
use std::ptr::{self, NonNull};

/// A block of so many bytes is a lump.
const LUMP_BYTES: u64 = 256 << 10;
/// How many pages are swept, at most, to find a free cell for one allocation. A full heap must not be swept in one go.
const SWEPT_FOR_ONE: u32 = 8;

/// A cell to put a value into: the next of the run in this slot.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Vacancy {
    pub(super) slot: usize,
    pub(super) index: u32,
}

impl Store {
    /// Puts what `make` returns into a cell.
    ///
    /// When there is none at hand, `find` is asked for one, which it gets from [`Store::find_vacancy`], or for an error, and
    /// `make` is not called then. It is a closure so that a caller can put all that is rare into a function of its own:
    /// the value never leaves this one, so that the compiler builds it in registers or in its place.
    #[inline(always)]
    pub(crate) fn put<T: Trace + 'static, E>(
        &mut self,
        make: impl FnOnce() -> T,
        find: impl FnOnce(&mut Store) -> Result<Vacancy, E>,
    ) -> Result<Gc<T>, E> {
        let vacancy = match self.spaces.expected(TypeId::of::<T>(), const { shape_of::<T>() }) {
            Some((slot, run)) if run.next != run.end => Vacancy { slot, index: run.next },
            Some((slot, run)) if run.link != 0 => self.next_run(slot, run.link),
            _ => self.checked::<T, E>(find)?,
        };
        // Nothing has changed yet, should this unwind.
        let value = make();
        // SAFETY: the vacancy is for this type and shape, and as it was found: `make` has no access to the store (I8).
        Ok(unsafe { self.fill(vacancy, value) })
    }

    /// Asks `find`, and makes sure that what it found is what was asked for.
    #[inline(always)]
    fn checked<T: Trace + 'static, E>(
        &mut self,
        find: impl FnOnce(&mut Store) -> Result<Vacancy, E>,
    ) -> Result<Vacancy, E> {
        let vacancy = find(self)?;
        assert!(self.spaces.is_next(vacancy.slot, vacancy.index, TypeId::of::<T>(), const { shape_of::<T>() }));
        Ok(vacancy)
    }

    /// Finds a cell for a value of a sized type.
    pub(crate) fn find_vacancy<T: Trace + 'static>(
        &mut self,
        host: &'static Location<'static>,
    ) -> Result<Vacancy, AllocErrorKind> {
        if !self.is_observed() {
            return self.vacancy(T::INFO, const { shape_of::<T>() });
        }
        self.say_here(Some(host));
        let vacancy = self.vacancy(T::INFO, const { shape_of::<T>() });
        self.forget_here();
        vacancy
    }

    /// The cell that the next object of this type and shape goes into.
    #[inline]
    pub(super) fn vacancy(&mut self, info: &'static TypeInfo, shape: Shape) -> Result<Vacancy, AllocErrorKind> {
        if let Some((slot, run)) = self.spaces.expected(info.id(), shape) {
            if run.next != run.end {
                return Ok(Vacancy { slot, index: run.next });
            }
            if run.link != 0 {
                return Ok(self.next_run(slot, run.link));
            }
        }
        self.vacancy_elsewhere(info, shape)
    }

    #[inline(never)]
    fn vacancy_elsewhere(&mut self, info: &'static TypeInfo, shape: Shape) -> Result<Vacancy, AllocErrorKind> {
        let slot = self.spaces.find(info, shape)?;
        let run = self.spaces.slot(slot).run;
        if run.next != run.end {
            Ok(Vacancy { slot, index: run.next })
        } else if run.link != 0 {
            Ok(self.next_run(slot, run.link))
        } else {
            self.next_page(slot)
        }
    }

    /// Goes on with the next run of the page, whose first cell is `index`.
    #[inline(never)]
    fn next_run(&mut self, slot: usize, index: u32) -> Vacancy {
        // SAFETY: the page was linked when it was swept, and its runs are taken in the order of the links (I10).
        let run = unsafe { Run::at(self.cage, index) };
        prefetch::read(self.cage, run.link);
        self.taken_bytes += u64::from(run.granules()) * GRANULE as u64;
        self.spaces.slot_mut(slot).run = run;
        if self.zeal.poison {
            self.check_poison(slot, run);
        }
        Vacancy { slot, index }
    }

    /// Goes on with another page.
    #[inline(never)]
    fn next_page(&mut self, at: usize) -> Result<Vacancy, AllocErrorKind> {
        if self.stamps.current() == 0 {
            return Err(AllocErrorKind::Stamps);
        }
        if self.watch.is_some()
            && let Some(vacancy) = self.next_hidden(at)?
        {
            return Ok(vacancy);
        }
        let slot = self.spaces.slot_mut(at);
        let (used_up, owner) = (std::mem::take(&mut slot.run), slot.space);
        let space = &mut self.spaces.list[owner as usize];
        space.leave_page(used_up);
        let (info, shape) = (space.info, space.shape);
        let (page, run) = if let Some(page) = self.page_with_room(owner) {
            let first_free = bits::next_free_run(bits::of_page(&mut self.bits, page), shape.stride(), 0);
            let (begin, _) = first_free.expect("a page is on the list of those with room only if it has some");
            // SAFETY: the page was linked when it was put on that list, and nothing was allocated in it since (I10).
            (page, unsafe { Run::at(self.cage, page * PAGE_GRANULES + begin) })
        } else {
            let page = self.take_page(info, shape, owner)?;
            self.spaces.list[owner as usize].tally.pages += 1;
            (page, Run::of_empty_page(page, shape.stride()))
        };
        let space = &mut self.spaces.list[owner as usize];
        self.pages.push(&mut space.young, page);
        space.page = page;
        space.claim(bits::of_page(&mut self.bits, page));
        self.taken_bytes += u64::from(run.granules()) * GRANULE as u64;
        self.spaces.slot_mut(at).run = run;
        if self.zeal.poison {
            self.check_poison(at, run);
        }
        if self.watch.is_some() {
            self.hide(at);
            return Ok(self.next_hidden(at)?.expect("the page has room"));
        }
        Ok(Vacancy { slot: at, index: run.next })
    }

    /// A page of a space that has free cells, and is on none of its lists any more.
    fn page_with_room(&mut self, space: u16) -> Option<u32> {
        // What is swept right before it is filled is in the cache.
        let swept = self.sweep_for_allocation(space, SWEPT_FOR_ONE);
        swept.or_else(|| self.pages.pop(&mut self.spaces.list[space as usize].roomy))
    }

    /// Takes a page for a space, which is on no list yet.
    fn take_page(&mut self, info: &'static TypeInfo, shape: Shape, space: u16) -> Result<u32, AllocErrorKind> {
        if self.pages.would_commit(shape.stride()) {
            self.check_limit(PAGE_BYTES)?;
        }
        self.pages.take(&mut self.region, info, shape, space)
    }

    /// Whether `more` bytes can be committed. Empty pages are given back first, if that makes the room.
    pub(crate) fn check_limit(&mut self, more: usize) -> Result<(), AllocErrorKind> {
        let fits = |used: usize| used.checked_add(more).is_some_and(|sum| sum <= self.limit);
        if fits(self.limited_bytes()) {
            return Ok(());
        }
        let needed = self.in_use_bytes().saturating_add(self.external.get());
        if !fits(needed) {
            return Err(AllocErrorKind::Limit);
        }
        let keep = self.limit - needed - more;
        while self.pages.release_one(&mut self.region, keep) {}
        Ok(())
    }

    /// Writes a value and its header, and counts the cell as handed out.
    ///
    /// # Safety
    ///
    /// The vacancy was found for this type and shape, and nothing has happened to the store since.
    #[inline(always)]
    unsafe fn fill<T: Trace + 'static>(&mut self, vacancy: Vacancy, value: T) -> Gc<T> {
        let cage = self.cage;
        // SAFETY: the cell is free, of this shape, and in a page of this type, so that the payload fits at its offset. It is
        // written right behind `commit`, with nothing between the two that could unwind.
        unsafe {
            let handle = self.commit(vacancy, const { shape_of::<T>() }, 0);
            cell(cage, vacancy.index).add(const { payload_offset(align_of::<T>()) }).cast::<T>().write(value);
            Gc::new(handle)
        }
    }

    /// Makes an object of a cell: takes it out of its run, and writes the header.
    ///
    /// # Safety
    ///
    /// As for `fill`; the payload of the cell is a value of the type by the time anything else happens to the store, and
    /// `meta` is what goes with it.
    #[inline(always)]
    pub(super) unsafe fn commit(&mut self, vacancy: Vacancy, shape: Shape, meta: u32) -> Handle {
        let (stamp, cage) = (self.stamps.current(), self.cage);
        debug_assert_ne!(stamp, 0, "a run outlived the stamp it was found under");
        self.spaces.advance(vacancy.slot, vacancy.index + shape.stride());
        let mut header = [0; 8];
        header[..4].copy_from_slice(&stamp.to_ne_bytes());
        header[4..].copy_from_slice(&meta.to_ne_bytes());
        // SAFETY: the header of the cell is its first eight bytes, aligned to sixteen. Page 0 is never used, so that no cell
        // has index 0.
        unsafe {
            cell(cage, vacancy.index).cast::<u64>().write(u64::from_ne_bytes(header));
            Handle::new(NonZeroU32::new_unchecked(vacancy.index), stamp)
        }
    }

    /// Whether values of `T` are too large, or too aligned, for a cell.
    #[inline(always)]
    pub(crate) const fn is_outline<T>() -> bool {
        shape_of::<T>().is_outline()
    }

    /// Puts what `make` returns into a block of its own. It is not called when there is no room.
    pub(crate) fn put_outline<T: Trace + 'static>(
        &mut self,
        make: impl FnOnce() -> T,
    ) -> Result<Result<Gc<T>, Infallible>, AllocErrorKind> {
        assert!(Store::is_outline::<T>());
        let write = |payload: NonNull<u8>| {
            let value = make();
            // SAFETY: `place` gives memory for one `T`.
            unsafe { payload.cast::<T>().write(value) };
            Ok::<(), Infallible>(())
        };
        // SAFETY: the closure writes one `T`.
        unsafe { self.place::<T, _>(Shape::OUTLINE, Layout::new::<T>(), 1, write) }
    }

    /// Puts a slice into the heap, each element of which is made by `make`, in order. When that fails or unwinds, the
    /// elements made so far are dropped, and the heap is as it was.
    pub(crate) fn put_slice<T: Trace + 'static, E>(
        &mut self,
        len: usize,
        mut make: impl FnMut(usize) -> Result<T, E>,
    ) -> Result<Result<Gc<[T]>, E>, AllocErrorKind> {
        /// Drops the elements made so far.
        struct Made<T> {
            first: NonNull<T>,
            len: usize,
        }
        impl<T> Drop for Made<T> {
            fn drop(&mut self) {
                // SAFETY: this many elements have been written, and nobody else knows of them.
                unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(self.first.as_ptr(), self.len)) }
            }
        }

        let layout = Layout::array::<T>(len).map_err(|_| AllocErrorKind::TooLarge)?;
        let block = parts::block_layout::<T>(len).ok_or(AllocErrorKind::TooLarge)?;
        let write = |payload: NonNull<u8>| {
            let mut done = Made { first: payload.cast::<T>(), len: 0 };
            while done.len < len {
                let element = make(done.len)?;
                // SAFETY: `place` gives memory for `len` elements.
                unsafe { done.first.add(done.len).write(element) };
                done.len += 1;
            }
            std::mem::forget(done);
            if parts::has_cards::<T>(len) {
                // SAFETY: the payload is a block of this layout: so long a slice is never inline.
                unsafe { parts::clear_cards::<T>(payload, len) };
            }
            Ok(())
        };
        // SAFETY: the closure writes `len` elements of `T`, or fails.
        unsafe { self.place::<[T], E>(slice_shape(layout, len), block, len, write) }
    }

    /// Puts a string into the heap.
    pub(crate) fn put_str(&mut self, text: &str) -> Result<Result<Gc<str>, Infallible>, AllocErrorKind> {
        let layout = Layout::for_value(text);
        let write = |payload: NonNull<u8>| {
            // SAFETY: `place` gives memory for as many bytes, which is new and does not overlap the text.
            unsafe { payload.copy_from_nonoverlapping(NonNull::from(text).cast(), text.len()) };
            Ok::<(), Infallible>(())
        };
        // SAFETY: the closure writes the bytes of a `str`.
        unsafe { self.place::<str, _>(slice_shape(layout, text.len()), layout, text.len(), write) }
    }

    /// Makes room for a payload of `layout`, in a cell of `shape` or in a block, lets `write` fill it, and makes it an
    /// object. When `write` fails or unwinds, nothing has happened.
    ///
    /// # Safety
    ///
    /// `write` returns `Ok` only if it has written a `T` of `len` elements to the address that it is given, for which
    /// `layout` is that of the block, and what belongs to it in the block. `shape` is the shape for that.
    #[inline]
    unsafe fn place<T: Object + ?Sized, E>(
        &mut self,
        shape: Shape,
        layout: Layout,
        len: usize,
        write: impl FnOnce(NonNull<u8>) -> Result<(), E>,
    ) -> Result<Result<Gc<T>, E>, AllocErrorKind> {
        /// Frees what was not used in the end.
        struct Block(NonNull<u8>, Layout);
        impl Drop for Block {
            fn drop(&mut self) {
                if self.1.size() > 0 {
                    // SAFETY: allocated below, with this layout.
                    unsafe { dealloc(self.0.as_ptr(), self.1) }
                }
            }
        }
        /// Makes a cell that was half written look free again.
        struct Half(NonNull<u8>, Option<usize>);
        impl Drop for Half {
            fn drop(&mut self) {
                if let Some(bytes) = self.1 {
                    // SAFETY: the cell is free, and what had been written to it has been dropped.
                    unsafe { poison(self.0, bytes) }
                }
            }
        }

        let vacancy = self.vacancy(T::INFO, shape)?;
        // SAFETY: a vacancy is inside the cage.
        let cell = unsafe { cell(self.cage, vacancy.index) };
        let meta = if shape.is_outline() {
            let block = Block(self.block(layout)?, layout);
            if let Err(error) = write(block.0) {
                return Ok(Err(error));
            }
            // SAFETY: an outline cell has room for an `Outline` behind its header.
            unsafe { cell.add(HEADER_BYTES).cast().write(Outline { block: block.0, len }) };
            std::mem::forget(block);
            self.note_block(vacancy, layout.size() as u64);
            OUTLINE_LEN
        } else {
            let half = Half(cell, self.zeal.poison.then(|| shape.cell_bytes()));
            // SAFETY: the payload of an inline cell is at this offset, inside the cell, which is free.
            if let Err(error) = write(unsafe { cell.add(payload_offset(layout.align())) }) {
                return Ok(Err(error));
            }
            std::mem::forget(half);
            len as u32
        };
        // SAFETY: `write` has written the payload, and has no access to the store, so the vacancy is as it was (I8).
        Ok(Ok(Gc::new(unsafe { self.commit(vacancy, shape, meta) })))
    }

    /// Counts the block of an outline cell.
    pub(super) fn note_block(&mut self, vacancy: Vacancy, bytes: u64) {
        self.made_block_bytes += bytes;
        if bytes >= LUMP_BYTES {
            self.lump_bytes += bytes;
        }
        let space = usize::from(self.spaces.slot(vacancy.slot).space);
        self.spaces.list[space].tally.made_block_bytes += bytes;
        self.taken_bytes += bytes;
    }

    /// Memory for a block.
    pub(super) fn block(&mut self, layout: Layout) -> Result<NonNull<u8>, AllocErrorKind> {
        if layout.size() == 0 {
            return Ok(layout.dangling_ptr());
        }
        self.check_limit(layout.size())?;
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { alloc(layout) }).ok_or(AllocErrorKind::System)
    }

    #[cold]
    pub(super) fn check_poison(&self, slot: usize, run: Run) {
        let Space { info, shape, .. } = &self.spaces.list[self.spaces.slot(slot).space as usize];
        for index in (run.next..run.end).step_by(shape.stride() as usize) {
            // SAFETY: a cell of a run is free, and with this zeal every cell that dies is poisoned.
            let untouched = unsafe { is_untouched(cell(self.cage, index), shape.cell_bytes()) };
            assert!(
                untouched,
                "zeal: free cell {index:#x}, about to hold a {}, was written after its death",
                info.name()
            );
        }
    }
}

/// The shape for a slice of `len` elements. The length of an inline slice fits its header.
fn slice_shape(layout: Layout, len: usize) -> Shape {
    if len >= OUTLINE_LEN as usize { Shape::OUTLINE } else { Shape::of_slice(layout) }
}
