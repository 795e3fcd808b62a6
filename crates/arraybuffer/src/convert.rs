//! Conversions of the language's numbers to integers.

use crate::error::Error;

/// The largest integer that the language counts with: 2^53 - 1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// `ToIndex` of a number: NaN is 0, fractions are cut off.
///
/// # Errors
///
/// [`Error::Index`] for what is negative then, or above 2^53 - 1.
///
/// ```
/// use tumulus_arraybuffer::convert::to_index;
///
/// assert_eq!(to_index("offset", 7.9), Ok(7));
/// assert_eq!(to_index("offset", f64::NAN), Ok(0));
/// assert_eq!(to_index("offset", -0.5), Ok(0));
/// assert!(to_index("offset", -1.0).is_err() && to_index("offset", f64::INFINITY).is_err());
/// assert!(to_index("offset", 9_007_199_254_740_992.0).is_err());
/// ```
pub fn to_index(operation: &'static str, value: f64) -> Result<u64, Error> {
    let integer = to_integer_or_infinity(value);
    if (0.0..=MAX_SAFE_INTEGER as f64).contains(&integer) {
        #[allow(clippy::cast_sign_loss, reason = "it is not negative")]
        return Ok(integer as u64);
    }
    Err(Error::Index { operation, value })
}

/// `ToIntegerOrInfinity` of a number.
///
/// ```
/// use tumulus_arraybuffer::convert::to_integer_or_infinity;
///
/// assert_eq!(to_integer_or_infinity(f64::NAN), 0.0);
/// assert_eq!(to_integer_or_infinity(-2.7), -2.0);
/// assert_eq!(to_integer_or_infinity(f64::NEG_INFINITY), f64::NEG_INFINITY);
/// ```
pub fn to_integer_or_infinity(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.trunc() }
}

/// The index that a relative one means, among `length` elements: negative ones are counted from the end.
///
/// ```
/// use tumulus_arraybuffer::convert::relative_index;
///
/// assert_eq!(relative_index(-2.0, 10), 8);
/// assert_eq!(relative_index(f64::INFINITY, 10), 10);
/// assert_eq!(relative_index(-11.0, 10), 0);
/// ```
#[allow(clippy::cast_sign_loss, reason = "a cast from a float saturates, and negative ones are dealt with")]
pub fn relative_index(value: f64, length: usize) -> usize {
    let integer = to_integer_or_infinity(value);
    if integer < 0.0 {
        let back = -integer;
        if back >= length as f64 { 0 } else { length - back as usize }
    } else if integer >= length as f64 {
        length
    } else {
        integer as usize
    }
}
