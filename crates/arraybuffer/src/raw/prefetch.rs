//! A hint that memory will be used soon.

/// Fetches the cache line at an address, which need not lead to anything.
#[inline]
pub(super) fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        // SAFETY: it is a hint, and does nothing where there is no such memory.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(address.cast()) }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// Fetches so many bytes.
#[inline]
pub(super) fn prefetch_all(start: *const u8, bytes: usize) {
    // Eight lines at a time, or as many instructions would go into counting them.
    for lines in 0..bytes / 512 {
        (0..8).for_each(|line| prefetch(start.wrapping_add(lines * 512 + line * 64)));
    }
}
