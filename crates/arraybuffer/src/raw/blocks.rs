//! The default allocator: small blocks from pools, large ones from the system.

use super::begin::nowhere;
use super::classes::{LARGEST, class_of};
use super::pool::IsZero;
use super::records::with_local;
use super::{chunk, large, pool};
use crate::release;
use std::ptr::NonNull;

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
