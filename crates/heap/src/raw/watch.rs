//! Observing what is allocated and written, at no cost for those who do not.
//!
//! Allocation takes the cells of a run, and asks [`Store::next_page`](super::store::Store) when there are none left. While
//! somebody observes, most of each run is *hidden*: allocation is shown as many cells as may go unseen, which is none where
//! each is to be seen, and asks for more. So the observer is on the path that is taken once a page otherwise, and nothing is
//! added to the other one.
//!
//! ```text
//! page    | taken | shown: the run | hidden | other runs, which the hidden part is linked to
//! ```
//!
//! Hidden cells are free ones that allocation has taken, and count as such everywhere, so that no decision of the collector
//! depends on whether somebody observes.
//!
//! Samples are a Poisson process over bytes: a cell of `s` bytes is one with the probability `1 - exp(-s / mean)`,
//! whatever happened before. How many cells are shown until the next one is drawn at once.
//!
//! Writes are observed at the write barrier, which takes its slow path for everything when no stamp is young.

use super::cycle::Phase;
use super::fill::Vacancy;
use super::handle::{AnyGc, Handle};
use super::layout::{GRANULE, page_of};
use super::mark::cell;
use super::object::TypeInfo;
use super::runs::Run;
use super::store::Store;
use crate::error::AllocErrorKind;
use crate::trace::{Tracer, Visit};
use std::collections::HashSet;
use std::num::NonZeroU32;
use std::ops::Range;
use std::panic::Location;

/// Which allocations are observed.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Policy {
    /// All.
    Each,
    /// One for every so many bytes, on average.
    Sampled { mean: f64, random: u64 },
}

impl Policy {
    /// A number above 0, and at most 1.
    fn draw(random: &mut u64) -> f64 {
        // `splitmix64`.
        *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = *random;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ bits >> 31) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON / 2.0
    }

    /// How many cells of so many bytes come before the next sample.
    #[allow(clippy::cast_sign_loss, reason = "a cast from a float saturates, and the logarithm is not positive")]
    fn gap(&mut self, cell_bytes: usize) -> u32 {
        match self {
            Policy::Each => 0,
            Policy::Sampled { mean, random } => (-Policy::draw(random).ln() * *mean / cell_bytes as f64) as u32,
        }
    }

    /// Whether an object of so many bytes, of which nothing was known when it was made, is a sample.
    pub(crate) fn takes(&mut self, bytes: usize) -> bool {
        match self {
            Policy::Each => true,
            Policy::Sampled { mean, random } => -Policy::draw(random).ln() * *mean < bytes as f64,
        }
    }

    /// The probability with which an object of so many bytes is a sample.
    pub(crate) fn probability(&self, bytes: usize) -> f64 {
        match self {
            Policy::Each => 1.0,
            Policy::Sampled { mean, .. } => 1.0 - (-(bytes as f64) / mean).exp(),
        }
    }
}

/// A cell that was about to be filled.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Fresh {
    index: u32,
    stamp: u32,
    /// Its size is not known yet, so that it is still to be drawn whether it is a sample.
    pub(crate) is_open: bool,
    pub(crate) host: Option<&'static Location<'static>>,
    pub(crate) guest: Option<u64>,
}

/// What has become of a fresh cell.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Born {
    pub(crate) object: AnyGc,
    pub(crate) info: &'static TypeInfo,
    /// The size of its cell.
    pub(crate) cell_bytes: usize,
    pub(crate) is_outline: bool,
    pub(crate) block_bytes: usize,
    pub(crate) value_bytes: usize,
    /// How many elements it has, if it is a slice.
    pub(crate) elements: u32,
}

/// What was touched of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Touched {
    /// It was borrowed exclusively.
    Whole,
    /// Some of its elements were.
    Elements(Range<usize>),
    /// A weak handle was upgraded while a collection marked, which has marked it.
    Kept,
}

/// An object that was touched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Touch {
    pub(crate) object: AnyGc,
    pub(crate) what: Touched,
}

/// Where in the host's program memory is asked for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Here {
    #[default]
    Unasked,
    /// An allocation waits for it to be said.
    Asked,
    /// It was said, as far as it is known.
    Said(Option<&'static Location<'static>>),
}

/// Who observes, and what was seen since it was looked at.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) policy: Policy,
    /// Where in the host's program memory is asked for right now, once that has been said.
    here: Here,
    fresh: Vec<Fresh>,
    /// Writes are observed as well.
    writes: bool,
    touched: Vec<Touch>,
    /// Objects that were written to as a whole.
    written: Vec<AnyGc>,
    /// Those of earlier times that are on the collector's list, so that further writes to them are not seen.
    listed: Vec<AnyGc>,
    /// Repeats are taken out of the notes of what was touched and written to when there are so many.
    tidy_at: usize,
    /// What there was no memory to note, and what was not told.
    lost: u64,
}

/// The fewest notes that are looked through for repeats.
const FEW_NOTES: usize = 1 << 12;

impl Watch {
    /// Takes repeats out of the notes of writes: a program can write to a few objects without end, and never get to a
    /// place at which the notes are taken.
    #[cold]
    fn tidy(&mut self) {
        self.written.sort_unstable();
        self.written.dedup();
        let mut known = HashSet::new();
        if known.try_reserve(self.touched.len()).is_ok() {
            self.touched.retain(|touch| known.insert(touch.clone()));
        }
        self.tidy_at = (2 * (self.touched.len() + self.written.len())).max(FEW_NOTES);
    }
}

impl Store {
    /// Begins to observe allocation, and perhaps writes.
    pub(crate) fn observe(&mut self, policy: Policy, writes: bool) {
        self.stop_observing();
        // Writes to what is on the list of the collector already are not seen.
        let is_listed = |object: &AnyGc| self.is_remembered(object.handle());
        let listed = if writes { self.cells().map(|cell| cell.handle).filter(is_listed).collect() } else { Vec::new() };
        self.watch = Some(Box::new(Watch {
            policy,
            here: Here::Unasked,
            fresh: Vec::new(),
            writes,
            touched: Vec::new(),
            written: Vec::new(),
            listed,
            tidy_at: FEW_NOTES,
            lost: 0,
        }));
        for at in self.spaces.used_slots() {
            self.hide(at);
        }
        self.update_young_stamp();
    }

    /// Ends that. What was noted and not taken is lost.
    pub(crate) fn stop_observing(&mut self) {
        if self.watch.take().is_none() {
            return;
        }
        for at in self.spaces.used_slots() {
            let slot = *self.spaces.slot(at);
            let hidden = std::mem::take(&mut self.spaces.list[usize::from(slot.space)].hidden);
            if hidden != Run::default() {
                // What is hidden follows what is shown.
                self.spaces.slot_mut(at).run = Run { next: slot.run.next, ..hidden };
            }
        }
        self.update_young_stamp();
    }

    /// Says where in the host's program memory is asked for, before that is done.
    pub(crate) fn say_here(&mut self, host: Option<&'static Location<'static>>) {
        if let Some(watch) = &mut self.watch {
            watch.here = Here::Said(host);
        }
    }

    /// Whether an allocation was refused only because it is to be observed, and nobody has said where it is. It should be
    /// tried again when that is said.
    pub(crate) fn asks_where(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.here == Here::Asked)
    }

    /// Forgets what was said.
    pub(crate) fn forget_here(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.here = Here::Unasked;
        }
    }

    /// Hides what is left of a run.
    pub(super) fn hide(&mut self, at: usize) {
        let slot = self.spaces.slot_mut(at);
        let run = slot.run;
        if run == Run::default() {
            return;
        }
        slot.run = Run { next: run.next, end: run.next, link: 0 };
        let owner = usize::from(slot.space);
        let space = &mut self.spaces.list[owner];
        space.hidden = run;
        space.sample_next = false;
    }

    /// Shows some of the hidden cells of a space, and gives the first. `None` if there is none on this page. An error, as if
    /// there were no memory, if it has to be said first where that is: see [`Store::asks_where`].
    #[cold]
    #[inline(never)]
    pub(super) fn next_hidden(&mut self, at: usize) -> Result<Option<Vacancy>, AllocErrorKind> {
        let owner = usize::from(self.spaces.slot(at).space);
        let mut hidden = self.spaces.list[owner].hidden;
        if hidden.is_used_up() {
            self.spaces.list[owner].hidden = Run::default();
            return Ok(None);
        }
        if hidden.next == hidden.end {
            // SAFETY: the page was linked when it was swept, and its runs are taken in the order of the links (I10).
            hidden = unsafe { Run::at(self.cage, hidden.link) };
            self.taken_bytes += u64::from(hidden.granules()) * GRANULE as u64;
            if self.zeal.poison {
                self.check_poison(at, hidden);
            }
        }
        let Some(watch) = self.watch.as_mut() else { return Ok(None) };
        let space = &mut self.spaces.list[owner];
        let shape = space.shape;
        let cells = hidden.granules() / shape.stride();
        let gap = if space.sample_next || shape.is_outline() { 0 } else { watch.policy.gap(shape.cell_bytes()) };
        if gap == 0 && !matches!(watch.here, Here::Said(_)) {
            watch.here = Here::Asked;
            space.hidden = hidden;
            space.sample_next = true;
            return Err(AllocErrorKind::System);
        }
        let host = match std::mem::take(&mut watch.here) {
            Here::Said(host) => host,
            _ => None,
        };
        // Where the run ends before the gap does, or with it, it is drawn anew: the process has no memory.
        space.sample_next = gap > 0 && gap < cells;
        let shown = gap.clamp(1, cells);
        let run = Run { next: hidden.next, end: hidden.next + shown * shape.stride(), link: 0 };
        space.hidden = Run { next: run.end, ..hidden };
        if gap == 0 {
            if watch.fresh.try_reserve(1).is_ok() {
                watch.fresh.push(Fresh {
                    index: run.next,
                    stamp: self.stamps.current(),
                    is_open: shape.is_outline(),
                    host,
                    guest: self.guest_place,
                });
            } else {
                watch.lost += 1;
            }
        }
        self.spaces.slot_mut(at).run = run;
        Ok(Some(Vacancy { slot: at, index: run.next }))
    }

    /// As [`set_young_stamp`](Store::set_young_stamp), when it has changed who observes. While a cycle marks, no stamp is young
    /// in any case: what is written to then has to be looked at again.
    fn update_young_stamp(&mut self) {
        if !matches!(self.phase, Phase::Marking(_)) {
            self.set_young_stamp();
        }
    }

    /// Has the write barrier take its slow path for what it has to see.
    pub(super) fn set_young_stamp(&mut self) {
        let sees_all = self.watch.as_ref().is_some_and(|watch| watch.writes);
        self.young_stamp = if sees_all { 0 } else { self.stamps.current() };
    }

    /// Notes that an object is about to be written to, or is kept, if somebody wants to know.
    pub(super) fn watch_write(&mut self, handle: Handle, what: Touched) {
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.writes) else { return };
        if watch.touched.try_reserve(1).is_err() || watch.written.try_reserve(1).is_err() {
            watch.lost += 1;
            return;
        }
        let object = AnyGc::new(handle);
        if what == Touched::Whole {
            watch.written.push(object);
        }
        let touch = Touch { object, what };
        if watch.touched.last() != Some(&touch) {
            watch.touched.push(touch);
        }
        if watch.touched.len() + watch.written.len() >= watch.tidy_at {
            watch.tidy();
        }
    }

    /// Whether somebody observes.
    pub(crate) fn is_observed(&self) -> bool {
        self.watch.is_some()
    }

    /// Counts so many notes as lost, or as found again.
    pub(crate) fn lose_notes(&mut self, count: i64) {
        if let Some(watch) = &mut self.watch {
            watch.lost = watch.lost.wrapping_add_signed(count);
        }
    }

    /// How much was not noted for want of memory, or was not told as that unwound.
    pub(crate) fn lost_notes(&self) -> u64 {
        self.watch.as_ref().map_or(0, |watch| watch.lost)
    }

    /// Takes what was born since this was asked last. Cells that have not been filled yet are asked for again.
    pub(crate) fn take_born(&mut self) -> Vec<(Fresh, Born)> {
        let Some(watch) = &mut self.watch else { return Vec::new() };
        let noted = std::mem::take(&mut watch.fresh);
        let current = self.stamps.current();
        let mut unfilled = Vec::new();
        let mut born = Vec::with_capacity(noted.len());
        for fresh in noted {
            match self.born(fresh) {
                Some(object) => born.push((fresh, object)),
                None if fresh.stamp == current => unfilled.push(fresh),
                None => {}
            }
        }
        if let Some(watch) = &mut self.watch {
            watch.fresh = unfilled;
        }
        born
    }

    fn born(&self, fresh: Fresh) -> Option<Born> {
        let handle = Handle::new(NonZeroU32::new(fresh.index)?, fresh.stamp);
        self.holds(handle).then_some(())?;
        self.portrait(AnyGc::new(handle))
    }

    /// What can be said of the form of an object, if it is alive.
    pub(crate) fn portrait(&self, object: AnyGc) -> Option<Born> {
        let handle = object.handle();
        self.holds(handle).then_some(())?;
        let page = self.pages.page(page_of(handle.index()));
        let info = page.info?;
        // SAFETY: the cell has the handle's stamp, so that it holds a value of the page's type (I5); there is no exclusive
        // reference to it, as the store is borrowed (I8).
        let (block, value_bytes, elements) = unsafe {
            let cell = cell(self.cage, handle.index());
            ((info.block)(cell), (info.value_bytes)(cell), (info.elements)(cell))
        };
        Some(Born {
            object,
            info,
            cell_bytes: usize::from(page.stride) * GRANULE,
            is_outline: self.spaces.list[usize::from(page.space)].shape.is_outline(),
            block_bytes: block.map_or(0, |(_, layout)| layout.size()),
            value_bytes,
            elements,
        })
    }

    /// Takes what was touched since this was asked last, in the order in which it happened.
    pub(crate) fn take_touched(&mut self) -> Vec<Touch> {
        self.watch.as_mut().map(|watch| std::mem::take(&mut watch.touched)).unwrap_or_default()
    }

    /// Objects that were, or may have been, written to as a whole since this was asked last.
    pub(crate) fn take_written(&mut self) -> Vec<AnyGc> {
        let Some(watch) = &mut self.watch else { return Vec::new() };
        let (mut written, mut listed) = (std::mem::take(&mut watch.written), std::mem::take(&mut watch.listed));
        // One that has left the list since is seen when it is written to again.
        listed.retain(|object| self.holds(object.handle()) && self.is_remembered(object.handle()));
        written.append(&mut listed);
        written.sort_unstable();
        written.dedup();
        written.retain(|object| self.holds(object.handle()));
        listed.extend(written.iter().filter(|object| self.is_remembered(object.handle())));
        if let Some(watch) = &mut self.watch {
            watch.listed = listed;
        }
        written
    }

    /// Calls `visit` with each edge of one element of a slice.
    pub(crate) fn visit_element(&self, object: AnyGc, element: u32, visit: &mut dyn Visit) {
        if let Some(born) = self.portrait(object) {
            // SAFETY: as in `portrait`.
            unsafe {
                let cell = cell(self.cage, object.handle().index());
                (born.info.trace_element)(cell, element, &mut Tracer::visiting(visit));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Heap;
    use crate::zeal::Zeal;

    #[test]
    #[cfg_attr(miri, ignore = "many writes")]
    fn writing_without_end_takes_memory_for_what_is_written_to() {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        heap.store.observe(Policy::Each, true);
        let young = [0; 5].map(|_| heap.alloc(None::<crate::Gc<u8>>));
        for turn in 0..200_000 {
            heap.get_mut(young[turn % 5]);
        }
        let watch = heap.store.watch.as_ref().unwrap();
        assert!(watch.touched.len().max(watch.written.len()) <= 5_000);
        let touched: Vec<AnyGc> = heap.store.take_touched().into_iter().map(|touch| touch.object).collect();
        assert_eq!(touched[..5], young.map(crate::Gc::erase));
        assert_eq!(heap.store.take_written().len(), 5);
    }
}
