//! A record: what is known of one backing store, whoever holds it.
//!
//! Invariants:
//!
//! - **R1, place.** A record is never freed. It serves one store after the other, under a new id each time. So a reference to
//!   one is good for ever, and everything in it but `release` and `payer` is atomic.
//! - **R2, life.** Each holder outside and each buffer counts in `refs`. While that is not zero, `data` leads to
//!   `max_byte_length` bytes that are initialised, belong to this store alone, and do not move. (Bytes of a reserved store
//!   beyond `byte_length` may not be committed.)
//! - **R3, the end.** Who brings `refs` to zero has the record for himself, and so has who takes it for a new store, until
//!   `id` is set. `release` is touched then and only then.
//! - **R4, the payer.** `payer` is touched under `lock`, or by who has the record for himself (R3). Who lets a reference go
//!   under the lock does not touch it afterwards.
//! - **R5, plain bytes.** The bytes of a store that is not shared are touched by whom `claim` names: a heap, through a borrow
//!   of that heap, or one access from outside. `claim` changes under `lock`, or by who has the record for himself. (Of a
//!   shared store it names the heap that pays, which is for statistics.)
//! - **R6, shared bytes.** Those of a shared store are touched as `words.rs` does, and in no other way, as long as `refs` is
//!   not zero.
//!
//! What is *not* here: how records are found and recycled (`records.rs`), and what happens at the end (`lifecycle.rs`).

use crate::allocator::Allocator;
use crate::sync::{AtomicPtr, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, RawMutex};
use parking_lot::lock_api::{GuardNoSend, RawMutex as _};
use std::cell::{Cell, UnsafeCell};
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use tumulus_heap::ExternalBytes;

/// What `refs` counts a holder outside as, and a buffer in a heap.
pub(crate) const HOLDER: u64 = 1;
pub(crate) const BUFFER: u64 = 1 << 32;
/// More of either than this is a program gone wrong.
const MOST_REFS: u32 = 1 << 31;

/// Whose the bytes of a store are that is not shared: nobody's, those of an access from outside, or those of a heap.
pub(crate) const NOBODY: u64 = 0;
pub(crate) const OUTSIDE: u64 = u64::MAX;

/// Who frees the bytes of a foreign store, and how.
pub(crate) enum Release {
    /// The allocator that gave them.
    Allocator(Arc<dyn Allocator>),
    /// A deleter, which gets the pointer and the length.
    Deleter(Box<dyn FnOnce(NonNull<u8>, usize) + Send>),
}

impl Release {
    /// Frees the bytes.
    ///
    /// # Safety
    ///
    /// They are those that came with it, and nobody uses them any more.
    pub(super) unsafe fn run(self, data: NonNull<u8>, bytes: usize) {
        match self {
            // Nothing was asked of it.
            Release::Allocator(_) if bytes == 0 => {}
            // SAFETY: it gave them, with this length; the rest is the caller's promise.
            Release::Allocator(allocator) => unsafe { allocator.free(data, bytes) },
            Release::Deleter(delete) => delete(data, bytes),
        }
    }
}

/// What a store is like.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traits(u16);

impl Traits {
    pub(crate) const NONE: Traits = Traits(0);
    pub(crate) const SHARED: Traits = Traits(1);
    pub(crate) const RESIZABLE: Traits = Traits(2);
    pub(crate) const READ_ONLY: Traits = Traits(4);
    /// The bytes belong to the program: they are freed by nobody and count nowhere.
    pub(crate) const STATIC: Traits = Traits(8);
    /// The bytes are a large block of the default allocator's.
    pub(crate) const LARGE: Traits = Traits(16);
    /// The bytes are a range of addresses of their own.
    pub(crate) const RESERVED: Traits = Traits(32);
    /// `release` frees the bytes.
    pub(crate) const FOREIGN: Traits = Traits(64);
    /// The address is on the list of raw pointers that were wrapped.
    pub(crate) const RAW: Traits = Traits(128);
    /// The store was externalized: where and when is noted.
    const EXTERNALIZED: Traits = Traits(256);
    /// The bytes are a small block of the default allocator's.
    pub(crate) const SMALL: Traits = Traits(512);

    pub(crate) const fn and(self, other: Traits) -> Traits {
        Traits(self.0 | other.0)
    }

    #[inline]
    pub(crate) const fn has(self, other: Traits) -> bool {
        self.0 & other.0 != 0
    }
}

/// See the file's header.
///
/// The first cache line has all that a small store of the default allocator needs, from its beginning to its end.
#[repr(C, align(64))]
pub(crate) struct Record {
    refs: AtomicU64,
    data: AtomicPtr<u8>,
    byte_length: AtomicUsize,
    traits: AtomicU16,
    lock: RawMutex,
    /// Of small stores of the default allocator: the class of their block.
    class: AtomicU8,
    /// Which of all records this is: see `records.rs`.
    pub(super) number: u32,
    /// 0 while no store uses the record. The others are consistent if it is the same before and after.
    id: AtomicU64,
    born: AtomicPtr<Location<'static>>,
    claim: AtomicU64,
    payer: Cell<Option<ExternalBytes>>,
    /// Of resizable stores; for others it is the length.
    max_byte_length: AtomicUsize,
    release: UnsafeCell<Option<Release>>,
    /// Where and when it was externalized the last time, if it was.
    externalized_by: AtomicPtr<Location<'static>>,
    externalized_at: AtomicU64,
    /// The next on the list of what waits to be released.
    pub(super) next: AtomicPtr<Record>,
}

const _: () = assert!(std::mem::offset_of!(Record, max_byte_length) == 64);
const _: () = assert!(size_of::<Record>() == 128);

// SAFETY: all is atomic but `payer` and `release`, which one thread at a time touches (R3, R4), and both are `Send`.
unsafe impl Sync for Record {}

/// What a new store is made of.
pub(crate) struct Parts {
    pub(crate) id: u64,
    pub(crate) data: NonNull<u8>,
    pub(crate) byte_length: usize,
    pub(crate) max_byte_length: usize,
    pub(crate) traits: Traits,
    /// The class of its block, if that is a small one of the default allocator.
    pub(crate) class: u8,
    pub(crate) release: Option<Release>,
    pub(crate) born: &'static Location<'static>,
    /// [`HOLDER`] or [`BUFFER`].
    pub(crate) refs: u64,
    pub(crate) claim: u64,
    pub(crate) payer: Option<ExternalBytes>,
}

/// What a record said at one moment.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) id: u64,
    pub(crate) address: usize,
    pub(crate) byte_length: usize,
    pub(crate) max_byte_length: usize,
    pub(crate) traits: Traits,
    /// The heap that has it, or pays for it if it is shared.
    pub(crate) claim: u64,
    pub(crate) holders: u32,
    pub(crate) buffers: u32,
    pub(crate) born: &'static Location<'static>,
    pub(crate) externalized: Option<(&'static Location<'static>, u64)>,
}

fn as_pointer(place: &'static Location<'static>) -> *mut Location<'static> {
    ptr::from_ref(place).cast_mut()
}

impl Record {
    /// A record that no store uses.
    pub(super) const fn vacant(number: u32) -> Record {
        Record {
            refs: AtomicU64::new(0),
            data: AtomicPtr::new(ptr::null_mut()),
            byte_length: AtomicUsize::new(0),
            traits: AtomicU16::new(0),
            lock: RawMutex::INIT,
            class: AtomicU8::new(0),
            number,
            id: AtomicU64::new(0),
            born: AtomicPtr::new(ptr::null_mut()),
            claim: AtomicU64::new(0),
            payer: Cell::new(None),
            max_byte_length: AtomicUsize::new(0),
            release: UnsafeCell::new(None),
            externalized_by: AtomicPtr::new(ptr::null_mut()),
            externalized_at: AtomicU64::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Begins the life of a store.
    ///
    /// # Safety
    ///
    /// The record is vacant and nobody else takes it. The parts are as R2 says, and stay so until the store's end.
    #[inline]
    pub(super) unsafe fn begin(&self, parts: Parts) {
        // What reads the old contents and the new sees the zero in between.
        fence(Ordering::Release);
        self.data.store(parts.data.as_ptr(), Ordering::Relaxed);
        self.byte_length.store(parts.byte_length, Ordering::Relaxed);
        if parts.traits.has(Traits::RESIZABLE) {
            self.max_byte_length.store(parts.max_byte_length, Ordering::Relaxed);
        }
        self.traits.store(parts.traits.0, Ordering::Relaxed);
        self.class.store(parts.class, Ordering::Relaxed);
        self.born.store(as_pointer(parts.born), Ordering::Relaxed);
        self.claim.store(parts.claim, Ordering::Relaxed);
        // It is the caller's alone (R4).
        self.payer.set(parts.payer);
        // SAFETY: the same (R3).
        unsafe {
            if parts.release.is_some() {
                *self.release.get() = parts.release;
            }
        }
        self.refs.store(parts.refs, Ordering::Relaxed);
        self.id.store(parts.id, Ordering::Release);
    }

    /// Ends the life of a store, and says who frees its bytes, if these are foreign.
    ///
    /// # Safety
    ///
    /// `refs` is zero, and the caller is the one who brought it there (R3).
    #[inline]
    pub(super) unsafe fn end(&self) -> Option<Release> {
        // SAFETY: R3.
        let release = if self.traits().has(Traits::FOREIGN) { unsafe { (*self.release.get()).take() } } else { None };
        self.id.store(0, Ordering::Release);
        release
    }

    /// Takes the payer away at the store's end.
    ///
    /// # Safety
    ///
    /// `refs` is zero, and the caller is the one who brought it there (R3).
    #[inline]
    pub(super) unsafe fn take_last_payer(&self) -> Option<ExternalBytes> {
        self.payer.take()
    }

    pub(crate) fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn data(&self) -> NonNull<u8> {
        NonNull::new(self.data.load(Ordering::Relaxed)).expect("a store has an address")
    }

    #[inline]
    pub(crate) fn traits(&self) -> Traits {
        Traits(self.traits.load(Ordering::Relaxed))
    }

    /// The class of a small block.
    #[inline]
    pub(super) fn class(&self) -> usize {
        self.class.load(Ordering::Relaxed).into()
    }

    /// Lets nobody write to the bytes who comes by the store from now on.
    pub(crate) fn make_read_only(&self) {
        self.traits.fetch_or(Traits::READ_ONLY.0, Ordering::Relaxed);
    }

    /// The length; in order with the changes of shared stores.
    #[inline]
    pub(crate) fn byte_length(&self) -> usize {
        self.byte_length.load(Ordering::SeqCst)
    }

    #[inline]
    pub(crate) fn max_byte_length(&self) -> usize {
        if self.traits().has(Traits::RESIZABLE) {
            self.max_byte_length.load(Ordering::Relaxed)
        } else {
            self.byte_length.load(Ordering::Relaxed)
        }
    }

    pub(super) fn set_byte_length(&self, bytes: usize) {
        self.byte_length.store(bytes, Ordering::SeqCst);
    }

    #[inline]
    pub(crate) fn refs(&self) -> u64 {
        self.refs.load(Ordering::Relaxed)
    }

    /// Counts one more reference, for who has one.
    pub(crate) fn hold(&self, what: u64) {
        let before = self.refs.fetch_add(what, Ordering::Relaxed);
        let (holders, buffers) = (before as u32, (before >> 32) as u32);
        if holders >= MOST_REFS || buffers >= MOST_REFS {
            // A count that came round would free what is in use.
            std::process::abort();
        }
    }

    /// Counts one less. True if that was the last, so that the record is the caller's (R3).
    #[inline]
    #[must_use]
    pub(super) fn let_go(&self, what: u64) -> bool {
        // Alone with the record, nobody can make another reference meanwhile.
        if self.refs.load(Ordering::Acquire) == what {
            self.refs.store(0, Ordering::Relaxed);
            return true;
        }
        let was_last = self.refs.fetch_sub(what, Ordering::Release) == what;
        if was_last {
            fence(Ordering::Acquire);
        }
        was_last
    }

    /// Whether one reference of this kind is all there is.
    #[inline]
    pub(super) fn is_last(&self, what: u64) -> bool {
        self.refs.load(Ordering::Acquire) == what
    }

    /// Runs `change` with the claim and the payer.
    ///
    /// No exclusive reference to the payer is made: `change` may let a reference go, after which another thread may have
    /// the record for itself before `change` returns.
    pub(super) fn locked<R>(&self, change: impl FnOnce(&AtomicU64, &Cell<Option<ExternalBytes>>) -> R) -> R {
        struct Unlock<'r>(&'r RawMutex, Option<GuardNoSend>);
        impl Drop for Unlock<'_> {
            fn drop(&mut self) {
                if let Some(guard) = self.1.take() {
                    // SAFETY: locked below, on this thread, with this guard.
                    unsafe { self.0.unlock(guard) }
                }
            }
        }
        let _unlock = Unlock(&self.lock, Some(self.lock.lock()));
        change(&self.claim, &self.payer)
    }

    /// Notes that the store is externalized, `at` so many nanoseconds.
    pub(crate) fn note_externalized(&self, by: &'static Location<'static>, at: u64) {
        self.externalized_at.store(at, Ordering::Relaxed);
        self.externalized_by.store(as_pointer(by), Ordering::Relaxed);
        self.traits.fetch_or(Traits::EXTERNALIZED.0, Ordering::Release);
    }

    /// What the record says, if a store uses it.
    pub(crate) fn read(&self) -> Option<Reading> {
        loop {
            let id = self.id.load(Ordering::Acquire);
            if id == 0 {
                return None;
            }
            let refs = self.refs.load(Ordering::Relaxed);
            let born = self.born.load(Ordering::Relaxed);
            // In order before the place, which may be of another life of the record.
            let traits = Traits(self.traits.load(Ordering::Acquire));
            let by = self.externalized_by.load(Ordering::Relaxed);
            let claim = self.claim.load(Ordering::Relaxed);
            let at = self.externalized_at.load(Ordering::Relaxed);
            let reading = (
                self.data.load(Ordering::Relaxed),
                self.byte_length.load(Ordering::Relaxed),
                self.max_byte_length.load(Ordering::Relaxed),
            );
            fence(Ordering::Acquire);
            if self.id.load(Ordering::Relaxed) != id {
                continue;
            }
            // SAFETY: nothing but references to locations, which are for ever, is stored there, or null.
            let (born, by) = unsafe { (born.as_ref(), by.as_ref()) };
            let (data, byte_length, max_byte_length) = reading;
            let max_byte_length = if traits.has(Traits::RESIZABLE) { max_byte_length } else { byte_length };
            let by = by.filter(|_| traits.has(Traits::EXTERNALIZED));
            return Some(Reading {
                id,
                address: data.addr(),
                byte_length,
                max_byte_length,
                traits,
                claim,
                holders: refs as u32,
                buffers: (refs >> 32) as u32,
                born: born?,
                externalized: by.map(|by| (by, at)),
            });
        }
    }
}
