//! Bytes as numbers of other types.

use half::f16;

/// A type that bytes can be seen as.
///
/// # Safety
///
/// All bit patterns are values of the type, and it has no padding.
pub unsafe trait Pod: Copy {}

macro_rules! pods {
    ($($type:ty)*) => {$(
        // SAFETY: a number, or a float, which may be any NaN. (`f16` is a transparent `u16`.)
        unsafe impl Pod for $type {}
    )*};
}

pods!(i8 u8 i16 u16 i32 u32 i64 u64 f16 f32 f64);

/// The bytes as elements; `None` if they are not aligned, or not whole elements.
pub(crate) fn elements<T: Pod>(bytes: &[u8]) -> Option<&[T]> {
    // SAFETY: all bit patterns are a `T` (Pod).
    let (before, elements, behind) = unsafe { bytes.align_to::<T>() };
    (before.is_empty() && behind.is_empty()).then_some(elements)
}

/// The same to be written to.
pub(crate) fn elements_mut<T: Pod>(bytes: &mut [u8]) -> Option<&mut [T]> {
    // SAFETY: all bit patterns are a `T` and a `T` is bytes without padding (Pod).
    let (before, elements, behind) = unsafe { bytes.align_to_mut::<T>() };
    (before.is_empty() && behind.is_empty()).then_some(elements)
}
