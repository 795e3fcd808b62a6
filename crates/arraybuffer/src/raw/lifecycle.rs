//! How references to stores come and go, and how stores end.
//!
//! A store ends when its last reference goes. If that was a holder outside, or a detach, its bytes are released then and
//! there. If it was a buffer that died in a collection, they are released at once where that takes a few nanoseconds, as it
//! does for blocks of the default allocator, and are left to the releaser where it takes longer, or runs code of the
//! program's.
//!
//! The functions here are safe: what they need of their callers is in the types. They keep the invariants of `record.rs`.

use super::prefetch::prefetch;
use super::record::{BUFFER, HOLDER, NOBODY, OUTSIDE, Record, Traits};
use super::records::{with_local, with_table};
use super::{large, mapping, queue};
use crate::release;
use crate::sync::AtomicU64;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::Ordering;
use tumulus_heap::{ExternalBytes, HeapId};

/// Why a buffer cannot have a store: another heap has it, or somebody outside is at its bytes.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) by: u64,
}

impl Record {
    fn counts(&self) -> bool {
        !self.traits().has(Traits::STATIC)
    }

    /// How many bytes a heap that makes a buffer for this store has to put on its account.
    pub(crate) fn uncharged_bytes(&self) -> usize {
        let is_charged = self.locked(|claim, payer| self.payer(claim, payer).is_some());
        if is_charged || !self.counts() { 0 } else { self.byte_length() }
    }

    /// The account that pays for the store, under the lock. Where that was of a heap that is gone, nobody pays from now on: if
    /// nothing is on it, it may serve another heap, which has nothing to do with the store.
    pub(super) fn payer(&self, claim: &AtomicU64, payer: &Cell<Option<ExternalBytes>>) -> Option<ExternalBytes> {
        let account = payer.get()?;
        if account.heap().is_some_and(|heap| heap.get().get() == claim.load(Ordering::Relaxed)) {
            return Some(account);
        }
        account.sub(self.byte_length());
        payer.set(None);
        claim.store(NOBODY, Ordering::Relaxed);
        None
    }

    /// Has a heap pay for the store, under the lock, which nobody pays for.
    pub(super) fn pay(
        &self,
        claim: &AtomicU64,
        payer: &Cell<Option<ExternalBytes>>,
        (heap, account): (HeapId, ExternalBytes),
    ) {
        account.add(self.byte_length());
        payer.set(Some(account));
        claim.store(heap.get().get(), Ordering::Relaxed);
    }

    /// Counts a buffer of this heap, for who has another reference. `charged` bytes were put on the heap's account for it.
    pub(crate) fn attach(&self, heap: HeapId, account: ExternalBytes, charged: usize) -> Result<(), Claimed> {
        self.locked(|claim, payer| {
            if !self.traits().has(Traits::SHARED) {
                let by = claim.load(Ordering::Relaxed);
                if by != NOBODY && by != heap.get().get() {
                    return Err(Claimed { by });
                }
                claim.store(heap.get().get(), Ordering::Relaxed);
            }
            self.hold(BUFFER);
            // Another heap may have been quicker.
            if self.payer(claim, payer).is_none() && self.counts() {
                self.pay(claim, payer, (heap, account));
            }
            account.sub(charged);
            Ok(())
        })
    }

    /// Lets a buffer's reference go. What waits for the releaser is told to it.
    #[inline]
    pub(crate) fn detach(&'static self, when: When) {
        // What was made one after the other often dies so.
        prefetch(ptr::from_ref(self).wrapping_add(4));
        if self.is_last(BUFFER) {
            let was_last = self.let_go(BUFFER);
            debug_assert!(was_last);
            self.end_of_life(when);
        } else {
            self.detach_one_of_many(when);
        }
    }

    #[cold]
    fn detach_one_of_many(&'static self, when: When) {
        let was_last = self.locked(|claim, payer| {
            // Buffers come and go under the lock, if there is more than one reference.
            if self.refs() >> 32 == 1 {
                claim.store(NOBODY, Ordering::Relaxed);
                if let Some(payer) = payer.take() {
                    payer.sub(self.byte_length());
                }
            }
            self.let_go(BUFFER)
        });
        if was_last {
            self.end_of_life(when);
        }
    }

    /// Lets a holder's reference go.
    pub(crate) fn let_holder_go(&'static self) {
        if self.let_go(HOLDER) {
            self.end_of_life(When::Now);
        }
    }

    /// What happens when the last reference is gone, which was the caller's.
    #[inline]
    fn end_of_life(&'static self, when: When) {
        // SAFETY: the caller brought the references to zero (R3).
        if let Some(payer) = unsafe { self.take_last_payer() } {
            payer.sub(self.byte_length());
        }
        if self.traits().has(Traits::SMALL) {
            // SAFETY: the same.
            unsafe { recycle(self) };
        } else {
            self.end_of_life_slow(when);
        }
    }

    #[cold]
    #[inline(never)]
    fn end_of_life_slow(&'static self, when: When) {
        let takes_long = self.traits().has(Traits::FOREIGN.and(Traits::RESERVED));
        if takes_long && when == When::Later && release::takes_work() {
            queue::add(self);
            return release::notify();
        }
        // SAFETY: who called brought the references to zero (R3).
        if let Err(panic) = unsafe { finish(self) } {
            pass_on(panic);
        }
    }

    /// Runs `access` while nobody else may touch the bytes of a store that is not shared. The error is who may.
    pub(crate) fn claimed<R>(&self, access: impl FnOnce() -> R) -> Result<R, Claimed> {
        struct Claim<'r>(&'r Record);
        impl Drop for Claim<'_> {
            fn drop(&mut self) {
                self.0.locked(|claim, _| claim.store(NOBODY, Ordering::Release));
            }
        }
        self.locked(|claim, _| match claim.load(Ordering::Acquire) {
            NOBODY => {
                claim.store(OUTSIDE, Ordering::Relaxed);
                Ok(())
            }
            by => Err(Claimed { by }),
        })?;
        let _claim = Claim(self);
        Ok(access())
    }
}

/// When bytes are released whose release takes long.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// At once, on this thread.
    Now,
    /// By the releaser.
    Later,
}

/// What a deleter panicked with.
pub(crate) type Panic = Box<dyn Any + Send>;

fn pass_on(panic: Panic) {
    if std::thread::panicking() {
        // One panic at a time.
        forget_panic(panic);
    } else {
        std::panic::resume_unwind(panic);
    }
}

/// Drops what a panic carried, which may panic as well.
pub(crate) fn forget_panic(panic: Panic) {
    if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(next);
    }
}

/// Gives the block of a small store to the next, and its record.
///
/// # Safety
///
/// As for [`finish`]; and the traits say that it is small.
#[inline]
unsafe fn recycle(record: &'static Record) {
    let (data, class) = (record.data(), record.class());
    // SAFETY: R3. Nobody has to be asked to free the bytes.
    let release = unsafe { record.end() };
    debug_assert!(release.is_none());
    with_local(|local| {
        local.magazines[class].put(class, data);
        local.recycle(record);
    });
}

/// Releases the bytes of a store, and lets its record serve another one.
///
/// # Safety
///
/// Its references are at zero, and the caller is the one who brought them there (R3).
pub(super) unsafe fn finish(record: &'static Record) -> Result<(), Panic> {
    let (data, bytes, max, traits) = (record.data(), record.byte_length(), record.max_byte_length(), record.traits());
    let mut result = Ok(());
    if traits.has(Traits::RAW) && bytes > 0 {
        with_table(|table| table.wrapped.remove(data.addr().get()));
    }
    // SAFETY: R3.
    let release = unsafe { record.end() };
    debug_assert!(!traits.has(Traits::SMALL), "small blocks are recycled");
    if traits.has(Traits::LARGE) {
        // SAFETY: `large::take` gave it, with this size.
        if unsafe { large::put(data, max) } {
            release::want_trim();
        }
    } else if traits.has(Traits::RESERVED) {
        if let Some(reserved) = mapping::round(max) {
            // SAFETY: `memory` reserved it, with this size.
            unsafe { mapping::unmap(data, reserved) }
        }
    } else if let Some(release) = release {
        // SAFETY: the bytes that came with it, which nobody has any more (R3).
        result = catch_unwind(AssertUnwindSafe(|| unsafe { release.run(data, bytes) }));
    }
    with_local(|local| local.recycle(record));
    result
}

#[cfg(test)]
mod tests {
    use super::super::begin::{FirstRef, Wanted, begin};
    use super::super::pool::IsZero;
    use super::*;
    use std::panic::Location;
    use tumulus_heap::Heap;

    #[test]
    fn references_go_on_several_threads_at_once() {
        let heap = Heap::new();
        let (id, account) = (heap.id(), heap.external_bytes());
        for round in 0..if cfg!(miri) { 20 } else { 500 } {
            let wanted = Wanted { byte_length: 8, max_byte_length: 8, traits: Traits::SHARED, zero: IsZero::Known };
            let record = begin(wanted, FirstRef::Holder, Location::caller()).unwrap();
            let buffers = 1 + round % 2;
            (0..buffers).for_each(|_| record.attach(id, account, 0).unwrap());
            assert_eq!(account.get(), 8);
            std::thread::scope(|scope| {
                (0..buffers).for_each(|_| _ = scope.spawn(|| record.detach(When::Now)));
                (0..round % 8).for_each(|_| std::thread::yield_now());
                record.let_holder_go();
            });
            assert_eq!(account.get(), 0);
        }
    }
}
