//! How stores begin.
//!
//! The functions here give an error where there is no memory, be it for the bytes or for the record. They keep the invariants
//! of `record.rs`.

use super::classes::{LARGEST, class_of};
use super::pool::IsZero;
use super::record::{BUFFER, HOLDER, NOBODY, Parts, Record, Release, Traits};
use super::records::{Local, with_local, with_table};
use super::wrapped::{NotAdded, Wrapped};
use super::{large, mapping};
use std::panic::Location;
use std::ptr::NonNull;
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
    /// The first reference, the claim, and the payer.
    #[inline]
    fn parts(self) -> (u64, u64, Option<ExternalBytes>) {
        match self {
            FirstRef::Holder => (HOLDER, NOBODY, None),
            FirstRef::Buffer(heap, account) => (BUFFER, heap.get().get(), Some(account)),
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
    let Wanted { byte_length, max_byte_length, .. } = wanted;
    debug_assert!(byte_length <= max_byte_length);
    if max_byte_length == 0 || max_byte_length > LARGEST {
        begin_slow(wanted, first, born)
    } else {
        begin_small(wanted, first, born)
    }
}

#[inline]
fn begin_small(wanted: Wanted, first: FirstRef, born: &'static Location<'static>) -> Option<&'static Record> {
    let Wanted { byte_length, max_byte_length, traits, zero } = wanted;
    with_local(|local| {
        let (record, id) = local.record()?;
        let class = class_of(max_byte_length);
        let Some((data, is_zero)) = local.magazines[class].take(class) else {
            local.recycle(record);
            return None;
        };
        if is_zero == IsZero::Unknown {
            // What the length does not include yet is zero when it comes to do so.
            let from = if zero == IsZero::Known { 0 } else { byte_length };
            // SAFETY: the block is that long, and nobody else has it.
            unsafe { data.add(from).write_bytes(0, max_byte_length - from) }
        }
        let (refs, claim, payer) = first.parts();
        let traits = traits.and(Traits::SMALL);
        let class = class as u8;
        let parts =
            Parts { id, data, byte_length, max_byte_length, traits, class, release: None, born, refs, claim, payer };
        // SAFETY: a vacant record, off the list; a block of a pool is initialised and belongs to who took it (R2).
        unsafe { record.begin(parts) }
        Some(record)
    })
}

/// The same for a store that has no bytes, or many.
#[inline(never)]
fn begin_slow(wanted: Wanted, first: FirstRef, born: &'static Location<'static>) -> Option<&'static Record> {
    let Wanted { byte_length, max_byte_length, .. } = wanted;
    let (refs, claim, payer) = first.parts();
    let (record, id) = with_local(Local::record)?;
    let Some((data, traits)) = memory(wanted) else {
        with_local(|local| local.recycle(record));
        return None;
    };
    let parts =
        Parts { id, data, byte_length, max_byte_length, traits, class: 0, release: None, born, refs, claim, payer };
    // SAFETY: a vacant record, off the list; `memory` gave the bytes to this store alone (R2).
    unsafe { record.begin(parts) }
    Some(record)
}

/// Memory for a store that has none, or much.
fn memory(wanted: Wanted) -> Option<(NonNull<u8>, Traits)> {
    let Wanted { byte_length, max_byte_length, traits, zero } = wanted;
    if max_byte_length == 0 {
        return Some((nowhere(), traits));
    }
    if !traits.has(Traits::RESIZABLE) {
        return Some((large::take(max_byte_length, zero)?, traits.and(Traits::LARGE)));
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

/// Why there is no store of somebody else's bytes. What would have released them was dropped, and not called.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The same bytes, or some of them, are in this store.
    Wrapped(Wrapped),
    /// There is no memory for the record.
    NoMemory,
}

impl From<NotAdded> for Refused {
    fn from(why: NotAdded) -> Refused {
        match why {
            NotAdded::Overlaps(first) => Refused::Wrapped(first),
            NotAdded::NoMemory => Refused::NoMemory,
        }
    }
}

/// A store of somebody else's bytes, for a holder outside.
///
/// # Safety
///
/// `data` leads to so many initialised bytes that stay where they are, and that nobody else touches, until `release` is
/// called; for ever, if there is none. They may be written to unless the traits say that they are read-only, and where they
/// are shared they are aligned to 8. What is read-only is not written to by anybody else either. If `release` is an allocator,
/// it gave these bytes, with this length.
pub(crate) unsafe fn begin_foreign(
    foreign: Foreign,
    born: &'static Location<'static>,
) -> Result<&'static Record, Refused> {
    let Foreign { data, bytes, traits, release } = foreign;
    let (record, id) = with_local(Local::record).ok_or(Refused::NoMemory)?;
    if traits.has(Traits::RAW) && bytes > 0 {
        let added = with_table(|table| table.wrapped.add(data.addr().get(), bytes, id, born));
        if let Err(why) = added {
            with_local(|local| local.recycle(record));
            return Err(why.into());
        }
    }
    let parts = Parts {
        id,
        data: if bytes == 0 { nowhere() } else { data },
        byte_length: bytes,
        max_byte_length: bytes,
        traits: if release.is_some() { traits.and(Traits::FOREIGN) } else { traits },
        class: 0,
        release,
        born,
        refs: HOLDER,
        claim: NOBODY,
        payer: None,
    };
    // SAFETY: a vacant record, off the list; R2 is the caller's promise.
    unsafe { record.begin(parts) }
    Ok(record)
}
