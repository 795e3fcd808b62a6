//! How stores begin, change their size, and end.
//!
//! A store ends when its last reference goes. If that was a holder outside, or a detach, its bytes are released then and
//! there. If it was a buffer that died in a collection, they are released at once where that takes a few nanoseconds, as it
//! does for blocks of the default allocator, and are left to the releaser where it takes longer, or runs code of the
//! program's.
//!
//! The functions here are safe: what they need of their callers is in the types. They keep the invariants of `record.rs`.

use super::classes::{LARGEST, class_of};
use super::mapping;
use super::pool::IsZero;
use super::record::{BUFFER, HOLDER, NOBODY, OUTSIDE, Parts, Record, Release, Traits};
use super::records::{Local, Wrapped, with_local, with_table};
use super::{chunk, large, pool, words};
use crate::release;
use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};
use tumulus_heap::{ExternalBytes, HeapId};

/// Where empty stores point to. Nothing is read or written there.
#[repr(align(64))]
struct Nothing(#[allow(dead_code, reason = "only its address matters")] [u8; 64]);
static NOTHING: Nothing = Nothing([0; 64]);

/// The address of all empty stores.
pub(crate) fn nowhere() -> NonNull<u8> {
    NonNull::from(&NOTHING).cast()
}

/// Whom a new store belongs to.
#[derive(Copy, Clone)]
pub(crate) enum FirstRef {
    /// Somebody outside.
    Holder,
    /// A buffer in this heap, on whose account its bytes have been put.
    Buffer(HeapId, ExternalBytes),
}

impl FirstRef {
    fn parts(self, counts: bool, is_shared: bool) -> (u64, u64, Option<ExternalBytes>) {
        match self {
            FirstRef::Holder => (HOLDER, NOBODY, None),
            FirstRef::Buffer(heap, account) => {
                (BUFFER, if is_shared { NOBODY } else { heap.get().get() }, counts.then_some(account))
            }
        }
    }
}

/// What a store of the default allocator is asked to be.
#[derive(Copy, Clone)]
pub(crate) struct Wanted {
    pub(crate) byte_length: usize,
    pub(crate) max_byte_length: usize,
    pub(crate) traits: Traits,
    pub(crate) zero: IsZero,
}

/// A store of the default allocator; `None` if the system refuses the memory.
#[inline]
pub(crate) fn begin(wanted: Wanted, first: FirstRef, born: &'static Location<'static>) -> Option<&'static Record> {
    let Wanted { byte_length, max_byte_length, traits, zero } = wanted;
    debug_assert!(byte_length <= max_byte_length);
    let (refs, claim, payer) = first.parts(true, traits.has(Traits::SHARED));
    let parts = |id, data, traits| Parts {
        id,
        data,
        byte_length,
        max_byte_length,
        traits,
        release: None,
        born,
        refs,
        claim,
        payer,
    };
    if max_byte_length == 0 || max_byte_length > LARGEST {
        let (data, traits) = memory(wanted)?;
        return Some(with_local(|local| {
            let (record, id) = local.record();
            // SAFETY: a vacant record, off the list; `memory` gave the bytes to this store alone (R2).
            unsafe { record.begin(parts(id, data, traits)) }
            record
        }));
    }
    with_local(|local| {
        let class = class_of(max_byte_length);
        let (data, is_zero) = local.magazines[class].take(class)?;
        if is_zero == IsZero::Unknown {
            // What the length does not include yet is zero when it comes to do so.
            let from = if zero == IsZero::Known { 0 } else { byte_length };
            // SAFETY: the block is that long, and nobody else has it.
            unsafe { data.add(from).write_bytes(0, max_byte_length - from) }
        }
        let (record, id) = local.record();
        // SAFETY: a vacant record, off the list; a block of a pool is initialised and belongs to who took it (R2).
        unsafe { record.begin(parts(id, data, traits.and(Traits::OURS))) }
        Some(record)
    })
}

/// Memory for a store that has none, or much.
fn memory(wanted: Wanted) -> Option<(NonNull<u8>, Traits)> {
    let Wanted { byte_length, max_byte_length, traits, zero } = wanted;
    if max_byte_length == 0 {
        return Some((nowhere(), traits));
    }
    if !traits.has(Traits::RESIZABLE) {
        return Some((large::take(max_byte_length, zero)?, traits.and(Traits::OURS)));
    }
    let reserved = mapping::round(max_byte_length)?;
    let start = mapping::reserve(reserved)?;
    // SAFETY: the beginning of a reservation of ours; on failure nobody knows of it yet.
    unsafe {
        if !mapping::commit(start, mapping::round(byte_length)?) {
            mapping::unmap(start, reserved);
            return None;
        }
    }
    Some((start, traits.and(Traits::RESERVED)))
}

/// Bytes that somebody else made.
pub(crate) struct Foreign {
    pub(crate) data: NonNull<u8>,
    pub(crate) bytes: usize,
    pub(crate) traits: Traits,
    pub(crate) release: Option<Release>,
}

/// A store of somebody else's bytes, for a holder outside. The error is who has wrapped the same pointer before.
///
/// # Safety
///
/// `data` leads to so many initialised bytes that stay where they are, and that nobody else touches, until `release` is
/// called; for ever, if there is none. They may be written to unless the traits say that they are read-only, and where they
/// are shared they are aligned to 8. What is read-only is not written to by anybody else either.
pub(crate) unsafe fn begin_foreign(
    foreign: Foreign,
    born: &'static Location<'static>,
) -> Result<&'static Record, (Foreign, Wrapped)> {
    let Foreign { data, bytes, .. } = foreign;
    let (record, id) = with_local(Local::record);
    if foreign.traits.has(Traits::RAW) && bytes > 0 {
        let first = with_table(|table| {
            let start = data.addr().get();
            let before = table.wrapped.range(..start + bytes).next_back();
            let overlapping = before.filter(|&(&other, wrapped)| other + wrapped.bytes > start);
            if let Some((_, &wrapped)) = overlapping {
                return Some(wrapped);
            }
            table.wrapped.insert(start, Wrapped { bytes, id, born });
            None
        });
        if let Some(first) = first {
            with_local(|local| local.recycle(record));
            return Err((foreign, first));
        }
    }
    let traits = if foreign.release.is_some() { foreign.traits.and(Traits::FOREIGN) } else { foreign.traits };
    let parts = Parts {
        id,
        data: if bytes == 0 { nowhere() } else { data },
        byte_length: bytes,
        max_byte_length: bytes,
        traits,
        release: foreign.release,
        born,
        refs: HOLDER,
        claim: NOBODY,
        payer: None,
    };
    // SAFETY: a vacant record, off the list; R2 is the caller's promise.
    unsafe { record.begin(parts) }
    Ok(record)
}

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
        let is_charged = self.locked(|_, payer| payer.get().is_some());
        if is_charged || !self.counts() { 0 } else { self.byte_length() }
    }

    /// Counts a buffer of this heap, for who has another reference. `charged` bytes were put on the heap's account for it.
    pub(crate) fn attach(&self, heap: HeapId, account: ExternalBytes, charged: usize) -> Result<(), Claimed> {
        let heap = heap.get().get();
        self.locked(|claim, payer| {
            if !self.traits().has(Traits::SHARED) {
                let by = claim.load(Ordering::Relaxed);
                if by != NOBODY && by != heap {
                    return Err(Claimed { by });
                }
                claim.store(heap, Ordering::Relaxed);
            }
            self.hold(BUFFER);
            if payer.get().is_some() {
                // Another heap was quicker.
                account.sub(charged);
            } else if self.counts() {
                account.add(self.byte_length());
                account.sub(charged);
                payer.set(Some(account));
            }
            Ok(())
        })
    }

    /// Lets a buffer's reference go. What waits for the releaser is told to it.
    #[inline]
    pub(crate) fn detach(&'static self, when: When) {
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
        let (traits, max) = (self.traits(), self.max_byte_length());
        if traits.has(Traits::OURS) && max <= LARGEST {
            // SAFETY: the same, and such a store has a block of a pool.
            return unsafe { recycle(self, max) };
        }
        self.end_of_life_slow(when);
    }

    #[cold]
    #[inline(never)]
    fn end_of_life_slow(&'static self, when: When) {
        let takes_long = self.traits().has(Traits::FOREIGN.and(Traits::RESERVED));
        if takes_long && when == When::Later && release::takes_work() {
            enqueue(self);
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

    /// Changes the length of a resizable store that is not shared: false if the system refuses the memory.
    ///
    /// # Safety
    ///
    /// `bytes` is at most the maximum; and the caller may touch the bytes (R5) and no reference to them exists.
    pub(crate) unsafe fn resize(&self, bytes: usize) -> bool {
        debug_assert!(self.traits().has(Traits::RESIZABLE) && !self.traits().has(Traits::SHARED));
        assert!(bytes <= self.max_byte_length(), "the length was checked");
        let before = self.byte_length();
        // SAFETY: the caller's promise; both are at most the maximum.
        unsafe {
            if bytes > before && !self.commit(before, bytes) {
                return false;
            }
            if bytes < before {
                self.clear(bytes, before);
            }
        }
        self.set_byte_length(bytes);
        self.locked(|_, payer| {
            if let Some(payer) = payer.get() {
                // The same as one change by the difference.
                payer.add(bytes);
                payer.sub(before);
            }
        });
        true
    }

    /// Lets a growable shared store grow. The result is the length before; it is `bytes` if nothing was to be done.
    pub(crate) fn grow(&self, bytes: usize) -> Result<usize, GrowError> {
        debug_assert!(self.traits().has(Traits::RESIZABLE.and(Traits::SHARED)));
        if bytes > self.max_byte_length() {
            return Err(GrowError::Length { current: self.byte_length() });
        }
        self.locked(|_, payer| {
            // The lock keeps growth and payer together; readers take no lock, and see one length or the other.
            let before = self.byte_length();
            if bytes < before {
                return Err(GrowError::Length { current: before });
            }
            // SAFETY: at most the maximum, as was checked.
            if !unsafe { self.commit(before, bytes) } {
                return Err(GrowError::Memory);
            }
            self.set_byte_length(bytes);
            if let Some(payer) = payer.get() {
                payer.add(bytes - before);
            }
            Ok(before)
        })
    }

    /// Makes bytes usable that the length did not include. They are zero.
    ///
    /// # Safety
    ///
    /// Both are at most the maximum.
    unsafe fn commit(&self, from: usize, to: usize) -> bool {
        if !self.traits().has(Traits::RESERVED) {
            return true;
        }
        let (Some(start), Some(end)) = (mapping::round(from), mapping::round(to)) else { return false };
        // SAFETY: whole grains of the reservation, whose size is the maximum rounded up.
        unsafe { mapping::commit(self.data().add(start), end - start) }
    }

    /// Makes the bytes `from..to`, which the length is not to include any more, zero, and gives their memory back.
    ///
    /// # Safety
    ///
    /// As for [`resize`](Record::resize).
    unsafe fn clear(&self, from: usize, to: usize) {
        let data = self.data();
        // SAFETY: all is inside of the bytes in use; whole grains of a reservation can be given back.
        unsafe {
            let mut end = to;
            if self.traits().has(Traits::RESERVED)
                && let (Some(start), Some(rounded)) = (mapping::round(from), mapping::round(to))
                && start < rounded
            {
                mapping::discard(data.add(start), rounded - start);
                end = start.min(to);
            }
            data.add(from).write_bytes(0, end - from);
        }
    }

    /// The shared bytes of a shared store.
    pub(crate) fn words(&self) -> words::Words<'_> {
        assert!(self.traits().has(Traits::SHARED), "only shared bytes are touched by words");
        // SAFETY: the store is shared, so that all touch its bytes this way (R6); its bytes are there while the reference
        // that the caller came by is (R2).
        unsafe { words::Words::new(self.data(), self.byte_length(), self.max_byte_length()) }
    }
}

/// Why a shared store did not grow.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum GrowError {
    /// The length is above the maximum, or below what it was.
    Length { current: usize },
    /// The system refused the memory.
    Memory,
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
fn forget_panic(panic: Panic) {
    if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(next);
    }
}

/// Gives the bytes of a store to the next, and its record.
///
/// # Safety
///
/// As for [`finish`]; and the bytes are a block of a pool, for stores of `max` bytes.
#[inline]
unsafe fn recycle(record: &'static Record, max: usize) {
    let data = record.data();
    // SAFETY: R3. Nobody has to be asked to free the bytes.
    let release = unsafe { record.end() };
    debug_assert!(release.is_none());
    with_local(|local| {
        let class = class_of(max);
        local.magazines[class].put(class, data);
        local.recycle(record);
    });
}

/// Releases the bytes of a store, and lets its record serve another one.
///
/// # Safety
///
/// Its references are at zero, and the caller is the one who brought them there (R3).
unsafe fn finish(record: &'static Record) -> Result<(), Panic> {
    let (data, bytes, max, traits) = (record.data(), record.byte_length(), record.max_byte_length(), record.traits());
    let mut result = Ok(());
    if traits.has(Traits::RAW) && bytes > 0 {
        with_table(|table| table.wrapped.remove(&data.addr().get()));
    }
    // SAFETY: R3.
    let release = unsafe { record.end() };
    debug_assert!(!traits.has(Traits::OURS) || max > LARGEST, "small blocks are recycled");
    if traits.has(Traits::OURS) {
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
        result = catch_unwind(AssertUnwindSafe(|| release(data, bytes)));
    }
    with_local(|local| local.recycle(record));
    result
}

/// Records whose stores wait to be released, linked by `next`.
static QUEUE: AtomicPtr<Record> = AtomicPtr::new(ptr::null_mut());

/// Puts a record on the queue that has no references and is the caller's.
fn enqueue(record: &'static Record) {
    let mut first = QUEUE.load(Ordering::Relaxed);
    loop {
        record.next.store(first, Ordering::Relaxed);
        let new = ptr::from_ref(record).cast_mut();
        match QUEUE.compare_exchange_weak(first, new, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => first = now,
        }
    }
}

/// Whether nothing waits.
pub(crate) fn queue_is_empty() -> bool {
    QUEUE.load(Ordering::SeqCst).is_null()
}

/// Releases all that waits, in the order in which it came. The result is how many deleters panicked.
pub(crate) fn release_queue() -> u64 {
    let mut next = QUEUE.swap(ptr::null_mut(), Ordering::SeqCst);
    let mut records: Vec<&'static Record> = Vec::new();
    // SAFETY: what is on the queue are records, which are for ever, and with the swap these are ours.
    while let Some(record) = unsafe { next.as_ref() } {
        records.push(record);
        next = record.next.load(Ordering::Relaxed);
    }
    let mut panicked = 0;
    for record in records.into_iter().rev() {
        // SAFETY: who put it on the queue had it for himself, and so has who takes it off.
        if let Err(panic) = unsafe { finish(record) } {
            panicked += 1;
            forget_panic(panic);
        }
    }
    panicked
}

/// Gives memory back beyond what is kept for the next.
pub(crate) fn trim() {
    large::trim();
    pool::trim_to(chunk::KEPT_BYTES);
}

/// Gives all memory back that nobody uses, but for what threads have at hand.
pub(crate) fn trim_all() {
    large::trim_to(0);
    pool::trim_to(0);
}

/// Memory of the default allocator, for who wants it without a store.
pub(crate) fn allocate(bytes: usize, zero: IsZero) -> Option<NonNull<u8>> {
    if bytes == 0 {
        return Some(nowhere());
    }
    if bytes > LARGEST {
        return large::take(bytes, zero);
    }
    let class = class_of(bytes);
    let (data, is_zero) = with_local(|local| local.magazines[class].take(class))?;
    if zero == IsZero::Known && is_zero == IsZero::Unknown {
        // SAFETY: the block is that long, and ours.
        unsafe { data.write_bytes(0, bytes) }
    }
    Some(data)
}

/// Takes memory of the default allocator back.
///
/// # Safety
///
/// [`allocate`] gave it, with this size, and nobody uses it any more.
pub(crate) unsafe fn free(data: NonNull<u8>, bytes: usize) {
    if bytes > LARGEST {
        // SAFETY: the caller's promise.
        if unsafe { large::put(data, bytes) } {
            release::want_trim();
        }
    } else if bytes > 0 {
        let class = class_of(bytes);
        with_local(|local| local.magazines[class].put(class, data));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
