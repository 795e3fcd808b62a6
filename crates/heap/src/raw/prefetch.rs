//! Asking for a cache line before it is needed.

use super::layout::GRANULE;
use std::ptr::NonNull;

/// Starts to bring the cell at `index` into the cache. A hint: any index is fine, and nothing is read.
#[inline(always)]
pub(super) fn read(cage: NonNull<u8>, index: u32) {
    let cell = cage.as_ptr().wrapping_add(index as usize * GRANULE);
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program can see, and of an address that is not mapped it does
        // nothing; the instruction is part of the base instruction set.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(cell.cast::<i8>()) }
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        // SAFETY: as above; the instruction is part of the base instruction set and changes no register.
        unsafe { std::arch::asm!("prfm pldl1keep, [{}]", in(reg) cell, options(nostack, readonly, preserves_flags)) }
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = cell;
}
