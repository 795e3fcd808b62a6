//! What waits to be released: a list of records that goes through the records themselves, so that nothing is allocated.

use super::lifecycle::{finish, forget_panic};
use super::record::Record;
use crate::sync::AtomicPtr;
use std::ptr;
use std::sync::atomic::Ordering;

/// The last that came, linked by `next`.
static QUEUE: AtomicPtr<Record> = AtomicPtr::new(ptr::null_mut());

/// Puts a record on the queue that has no references and is the caller's.
pub(super) fn add(record: &'static Record) {
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
pub(crate) fn is_empty() -> bool {
    QUEUE.load(Ordering::SeqCst).is_null()
}

/// Releases all that waits, in the order in which it came. The result is how many deleters panicked.
pub(crate) fn release_all() -> u64 {
    let mut newest = QUEUE.swap(ptr::null_mut(), Ordering::SeqCst);
    // The other way round.
    let mut oldest = ptr::null_mut();
    // SAFETY: what is on the queue are records, which are for ever, and with the swap these are ours.
    while let Some(record) = unsafe { newest.as_ref() } {
        let before = record.next.swap(oldest, Ordering::Relaxed);
        oldest = std::mem::replace(&mut newest, before);
    }
    let mut panicked = 0;
    // SAFETY: the same.
    while let Some(record) = unsafe { oldest.as_ref() } {
        // Once it is released, it serves another store.
        oldest = record.next.load(Ordering::Relaxed);
        // SAFETY: who put it on the queue had it for himself, and so has who takes it off.
        if let Err(panic) = unsafe { finish(record) } {
            panicked += 1;
            forget_panic(panic);
        }
    }
    panicked
}
