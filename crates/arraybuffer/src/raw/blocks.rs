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

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    /// A block with a number at both ends.
    struct Marked(NonNull<u8>, usize, u64);
    // SAFETY: whoever has it has the block.
    unsafe impl Send for Marked {}

    impl Marked {
        fn new(bytes: usize, number: u64) -> Marked {
            let data = allocate(bytes, IsZero::Known).unwrap();
            // SAFETY: the block is that long, and ours.
            unsafe {
                assert!(std::slice::from_raw_parts(data.as_ptr(), bytes).iter().all(|&byte| byte == 0), "{bytes}");
                data.cast::<u64>().write_unaligned(number);
                data.add(bytes - 8).cast::<u64>().write_unaligned(number);
            }
            Marked(data, bytes, number)
        }
    }

    impl Drop for Marked {
        fn drop(&mut self) {
            let Marked(data, bytes, number) = *self;
            // SAFETY: as above; it goes back as it came.
            unsafe {
                assert_eq!(data.cast::<u64>().read_unaligned(), number, "somebody else has it too");
                assert_eq!(data.add(bytes - 8).cast::<u64>().read_unaligned(), number, "somebody else has it too");
                free(data, bytes);
            }
        }
    }

    #[test]
    fn a_block_is_one_owners_whichever_threads_take_and_return_it() {
        let exchange: Mutex<Vec<Marked>> = Mutex::new(Vec::new());
        let sizes = [8, 16, 100, 1024, 1000, 5000, 32 << 10, 40_000];
        std::thread::scope(|scope| {
            for thread in 0..3_u64 {
                let exchange = &exchange;
                scope.spawn(move || {
                    let (mut own, mut state) = (Vec::new(), thread + 1);
                    let mut random = |below: u64| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (state >> 33) % below
                    };
                    for turn in 0..if cfg!(miri) { 10 } else { 20_000 } {
                        let bytes = sizes[random(sizes.len() as u64) as usize];
                        own.push(Marked::new(bytes, turn * 4 + thread));
                        match random(8) {
                            // In any order, in order, or on another thread.
                            0 => own.truncate(own.len() / 2),
                            1 | 2 => drop(own.swap_remove(random(own.len() as u64) as usize)),
                            3 => exchange.lock().push(own.swap_remove(random(own.len() as u64) as usize)),
                            4 => exchange.lock().truncate(20),
                            _ => {}
                        }
                    }
                });
            }
        });
    }
}
