//! Where the slabs of records are, by number, to be read without a lock.
//!
//! The slabs are on pages of pointers, of which each is twice as long as the one before. Pages are added, by who has the
//! table's lock, and never freed.
//!
//! Invariant **D1**: what is not null on a page is a slab of [`SLAB`] records, and every page that is not null has its full
//! length; both are for ever.

use super::record::Record;
use crate::sync::AtomicPtr;
use std::ptr;
use std::sync::atomic::Ordering;

/// Records that are made at once: as many as a word has bits.
pub(super) const SLAB: usize = 64;
/// Records side by side.
pub(super) type Slab = [Record; SLAB];

/// As many as the numbers of slabs have bits.
const PAGES: usize = 26;
static PAGES_OF_SLABS: [AtomicPtr<AtomicPtr<Slab>>; PAGES] = [const { AtomicPtr::new(ptr::null_mut()) }; PAGES];

/// The page of a slab, how long that is, and which of its pointers is the slab's.
fn place(number: u32) -> (usize, usize, usize) {
    let page = (number + 1).ilog2();
    (page as usize, 1 << page, (number + 1 - (1 << page)) as usize)
}

/// A slab that was added.
#[inline]
pub(super) fn slab(number: u32) -> &'static Slab {
    let (page, _, at) = place(number);
    // SAFETY: the slab was added, so that its page is there, and has more than `at` pointers (D1).
    unsafe {
        let page = PAGES_OF_SLABS[page].load(Ordering::Acquire);
        page.add(at).as_ref().and_then(|slab| slab.load(Ordering::Acquire).as_ref())
    }
    .expect("the slab was added")
}

/// Adds a slab of vacant records, under the lock of the table; `None` if there is no memory.
pub(super) fn add(number: u32) -> Option<&'static Slab> {
    let (page, len, at) = place(number);
    let page = PAGES_OF_SLABS.get(page)?;
    if page.load(Ordering::Relaxed).is_null() {
        let pointers = leak(len, |_| AtomicPtr::new(ptr::null_mut()))?;
        page.store(pointers.as_mut_ptr(), Ordering::Release);
    }
    let records = leak(SLAB, |at| Record::vacant(number * SLAB as u32 + at as u32))?;
    let slab: *mut Slab = records.as_mut_ptr().cast();
    // SAFETY: the page is there, has more than `at` pointers, and is for ever, and so is the slab (D1).
    unsafe {
        page.load(Ordering::Relaxed).add(at).as_ref()?.store(slab, Ordering::Release);
        slab.as_ref()
    }
}

fn leak<T>(len: usize, make: impl FnMut(usize) -> T) -> Option<&'static mut [T]> {
    let mut all = Vec::new();
    all.try_reserve_exact(len).ok()?;
    all.extend((0..len).map(make));
    Some(all.leak())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_place_of_its_own() {
        let mut expected = (0, 0);
        for number in 0..1000 {
            let (page, len, at) = place(number);
            assert!((page, at) == expected && at < len);
            expected = if at + 1 == len { (page + 1, 0) } else { (page, at + 1) };
        }
        assert!(place(u32::MAX / SLAB as u32 - 1).0 < PAGES);
    }
}
