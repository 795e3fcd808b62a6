//! The kinds of elements, and the language's conversions to and from them.

use crate::error::Error;
use crate::raw::Pod;
use half::f16;

/// What the elements of a typed array are.
///
/// ```
/// use tumulus_arraybuffer::ElementKind;
///
/// assert_eq!(ElementKind::Float16.size(), 2);
/// assert_eq!(ElementKind::Uint8Clamped.array_name(), "Uint8ClampedArray");
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the language's")]
pub enum ElementKind {
    Int8,
    Uint8,
    Uint8Clamped,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Float16,
    Float32,
    Float64,
    BigInt64,
    BigUint64,
}

impl ElementKind {
    /// All twelve.
    pub const ALL: [ElementKind; 12] = [
        ElementKind::Int8,
        ElementKind::Uint8,
        ElementKind::Uint8Clamped,
        ElementKind::Int16,
        ElementKind::Uint16,
        ElementKind::Int32,
        ElementKind::Uint32,
        ElementKind::Float16,
        ElementKind::Float32,
        ElementKind::Float64,
        ElementKind::BigInt64,
        ElementKind::BigUint64,
    ];

    /// The logarithm of the size of an element.
    #[inline]
    pub(crate) const fn shift(self) -> u32 {
        match self {
            ElementKind::Int8 | ElementKind::Uint8 | ElementKind::Uint8Clamped => 0,
            ElementKind::Int16 | ElementKind::Uint16 | ElementKind::Float16 => 1,
            ElementKind::Int32 | ElementKind::Uint32 | ElementKind::Float32 => 2,
            ElementKind::Float64 | ElementKind::BigInt64 | ElementKind::BigUint64 => 3,
        }
    }

    /// The size of an element in bytes.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ElementKind;
    /// assert_eq!(ElementKind::BigInt64.size(), 8);
    /// ```
    #[inline]
    pub const fn size(self) -> usize {
        1 << self.shift()
    }

    /// The name of the array's constructor.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ElementKind;
    /// assert_eq!(ElementKind::Int8.array_name(), "Int8Array");
    /// ```
    pub const fn array_name(self) -> &'static str {
        match self {
            ElementKind::Int8 => "Int8Array",
            ElementKind::Uint8 => "Uint8Array",
            ElementKind::Uint8Clamped => "Uint8ClampedArray",
            ElementKind::Int16 => "Int16Array",
            ElementKind::Uint16 => "Uint16Array",
            ElementKind::Int32 => "Int32Array",
            ElementKind::Uint32 => "Uint32Array",
            ElementKind::Float16 => "Float16Array",
            ElementKind::Float32 => "Float32Array",
            ElementKind::Float64 => "Float64Array",
            ElementKind::BigInt64 => "BigInt64Array",
            ElementKind::BigUint64 => "BigUint64Array",
        }
    }

    /// Whether elements are `BigInt`s.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ElementKind;
    /// assert!(ElementKind::BigUint64.is_big_int() && !ElementKind::Float64.is_big_int());
    /// ```
    pub const fn is_big_int(self) -> bool {
        matches!(self, ElementKind::BigInt64 | ElementKind::BigUint64)
    }

    /// Whether elements are integers that wrap around.
    pub(crate) const fn is_plain_integer(self) -> bool {
        !matches!(self, ElementKind::Uint8Clamped | ElementKind::Float16 | ElementKind::Float32 | ElementKind::Float64)
    }

    /// The bytes of an element, in this machine's order, and how many of them count.
    ///
    /// # Errors
    ///
    /// [`Error::ContentType`] where a `BigInt` meets a number.
    #[inline]
    pub(crate) fn encode(self, operation: &'static str, element: Element) -> Result<[u8; 8], Error> {
        let bits = match element {
            Element::Number(number) if !self.is_big_int() => match self {
                // Most are small integers, or are as they should be.
                ElementKind::Float64 => number.to_bits(),
                ElementKind::Float32 => u64::from((number as f32).to_bits()),
                ElementKind::Float16 => u64::from(to_float16(number).to_bits()),
                ElementKind::Uint8Clamped => u64::from(clamp(number)),
                _ => u64::from(to_uint32(number)),
            },
            // Modular: the lowest 64 bits.
            #[allow(clippy::cast_sign_loss, reason = "the bits count")]
            Element::BigInt(integer) if self.is_big_int() => integer as u64,
            _ => return Err(Error::ContentType { operation }),
        };
        Ok(low_bytes_first(bits, self.size()))
    }

    /// The element that these bytes are.
    #[inline]
    pub(crate) fn decode(self, bytes: [u8; 8]) -> Element {
        match self {
            ElementKind::Int8 => Element::Number(i8::from_ne_bytes(first(bytes)).into()),
            ElementKind::Uint8 | ElementKind::Uint8Clamped => Element::Number(bytes[0].into()),
            ElementKind::Int16 => Element::Number(i16::from_ne_bytes(first(bytes)).into()),
            ElementKind::Uint16 => Element::Number(u16::from_ne_bytes(first(bytes)).into()),
            ElementKind::Int32 => Element::Number(i32::from_ne_bytes(first(bytes)).into()),
            ElementKind::Uint32 => Element::Number(u32::from_ne_bytes(first(bytes)).into()),
            ElementKind::Float16 => Element::Number(f16::from_ne_bytes(first(bytes)).into()),
            ElementKind::Float32 => Element::Number(f32::from_ne_bytes(first(bytes)).into()),
            ElementKind::Float64 => Element::Number(f64::from_ne_bytes(bytes)),
            ElementKind::BigInt64 => Element::BigInt(i64::from_ne_bytes(bytes).into()),
            ElementKind::BigUint64 => Element::BigInt(u64::from_ne_bytes(bytes).into()),
        }
    }
}

impl ElementKind {
    /// An element of these, if there are enough bytes.
    #[inline]
    pub(crate) fn read(self, bytes: &[u8], index: usize) -> Option<Element> {
        match self {
            ElementKind::Int8 => i8::read(bytes, index).map(Element::from),
            ElementKind::Uint8 | ElementKind::Uint8Clamped => u8::read(bytes, index).map(Element::from),
            ElementKind::Int16 => i16::read(bytes, index).map(Element::from),
            ElementKind::Uint16 => u16::read(bytes, index).map(Element::from),
            ElementKind::Int32 => i32::read(bytes, index).map(Element::from),
            ElementKind::Uint32 => u32::read(bytes, index).map(Element::from),
            ElementKind::Float16 => f16::read(bytes, index).map(Element::from),
            ElementKind::Float32 => f32::read(bytes, index).map(Element::from),
            ElementKind::Float64 => f64::read(bytes, index).map(Element::from),
            ElementKind::BigInt64 => i64::read(bytes, index).map(Element::from),
            ElementKind::BigUint64 => u64::read(bytes, index).map(Element::from),
        }
    }

    /// Whether elements of this kind can be made of this one.
    #[inline]
    pub(crate) fn takes(self, element: Element) -> bool {
        matches!(element, Element::BigInt(_)) == self.is_big_int()
    }

    /// Writes an element that this kind takes to a place among these, if there are enough bytes.
    #[inline]
    pub(crate) fn write(self, element: Element, bytes: &mut [u8], index: usize) -> Option<()> {
        match element {
            Element::Number(number) => match self {
                ElementKind::Int8 | ElementKind::Uint8 => (to_uint32(number) as u8).write(bytes, index),
                ElementKind::Int16 | ElementKind::Uint16 => (to_uint32(number) as u16).write(bytes, index),
                ElementKind::Int32 | ElementKind::Uint32 => to_uint32(number).write(bytes, index),
                ElementKind::Uint8Clamped => clamp(number).write(bytes, index),
                ElementKind::Float16 => to_float16(number).write(bytes, index),
                ElementKind::Float32 => (number as f32).write(bytes, index),
                ElementKind::Float64 => number.write(bytes, index),
                ElementKind::BigInt64 | ElementKind::BigUint64 => None,
            },
            #[allow(clippy::cast_sign_loss, reason = "modular")]
            Element::BigInt(integer) => (integer as u64).write(bytes, index),
        }
    }
}

/// The lowest `size` bytes of a number, in this machine's order, at the front.
#[inline]
fn low_bytes_first(bits: u64, size: usize) -> [u8; 8] {
    if cfg!(target_endian = "little") {
        return bits.to_le_bytes();
    }
    let mut bytes = [0; 8];
    bytes[..size].copy_from_slice(&bits.to_be_bytes()[8 - size..]);
    bytes
}

#[inline]
fn first<const N: usize>(bytes: [u8; 8]) -> [u8; N] {
    *bytes.first_chunk().expect("at most eight")
}

/// `ToUint32`, whose lowest bits are those of the narrower conversions as well.
#[inline]
pub(crate) fn to_uint32(number: f64) -> u32 {
    // Exact for what a 64-bit integer holds.
    let near = number as i64;
    if near != i64::MAX && near != i64::MIN {
        #[allow(clippy::cast_sign_loss, reason = "modular")]
        return near as u32;
    }
    if !number.is_finite() {
        return 0;
    }
    // An integer, as all numbers of this size are.
    let modulus = number % 4_294_967_296.0;
    #[allow(clippy::cast_sign_loss, reason = "modular")]
    return modulus as i64 as u32;
}

/// The nearest half of a float, rounded once.
///
/// `half` goes by way of a 32-bit float, and would round twice. So that one is made odd where it is not exact: then it lies
/// on the same side of every tie as the number.
#[inline]
#[allow(clippy::float_cmp, reason = "whether it is exact is the question")]
fn to_float16(number: f64) -> f16 {
    let single = number as f32;
    if f64::from(single) == number || number.is_nan() {
        return f16::from_f32(single);
    }
    let towards_zero = single.to_bits() - u32::from(f64::from(single).abs() > number.abs());
    f16::from_f32(f32::from_bits(towards_zero | 1))
}

/// `ToUint8Clamp`: halves go to the even neighbour.
#[inline]
fn clamp(number: f64) -> u8 {
    #[allow(clippy::cast_sign_loss, reason = "a cast from a float saturates, and NaN is 0")]
    return number.clamp(0.0, 255.0).round_ties_even() as u8;
}

/// A value of a typed array, as the language sees it.
///
/// ```
/// use tumulus_arraybuffer::Element;
///
/// let elements = [Element::Number(0.5), Element::BigInt(7)];
/// assert_eq!(Element::from(1_u8), Element::Number(1.0));
/// ```
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Element {
    /// A number.
    Number(f64),
    /// A `BigInt`. One with more than 127 bits is reduced modulo 2^64 before.
    BigInt(i128),
}

impl Element {
    /// `SameValueZero`: NaN equals itself, and zeros have no sign.
    #[allow(clippy::float_cmp, reason = "the language compares exactly")]
    pub(crate) fn is_same(self, other: Element) -> bool {
        match (self, other) {
            (Element::Number(a), Element::Number(b)) => a == b || (a.is_nan() && b.is_nan()),
            (a, b) => a == b,
        }
    }

    /// The order in which the language sorts: -0 before 0, NaN last.
    ///
    /// ```
    /// use std::cmp::Ordering;
    /// use tumulus_arraybuffer::Element;
    ///
    /// let order = |a, b| Element::Number(a).order(&Element::Number(b));
    /// assert_eq!(order(-0.0, 0.0), Ordering::Less);
    /// assert_eq!(order(f64::NAN, f64::INFINITY), Ordering::Greater);
    /// ```
    pub fn order(&self, other: &Element) -> std::cmp::Ordering {
        match (*self, *other) {
            (Element::Number(a), Element::Number(b)) if a.is_nan() || b.is_nan() => a.is_nan().cmp(&b.is_nan()),
            (Element::Number(a), Element::Number(b)) => a.total_cmp(&b),
            (Element::BigInt(a), Element::BigInt(b)) => a.cmp(&b),
            // They are never in one array.
            (Element::Number(_), Element::BigInt(_)) => std::cmp::Ordering::Less,
            (Element::BigInt(_), Element::Number(_)) => std::cmp::Ordering::Greater,
        }
    }
}

macro_rules! natives {
    ($($type:ty: $($kind:ident)|*, $variant:ident;)*) => {$(
        impl From<$type> for Element {
            #[inline]
            fn from(value: $type) -> Element {
                Element::$variant(value.into())
            }
        }

        impl Native for $type {
            const NAME: &'static str = stringify!($type);

            #[inline(always)]
            fn is(kind: ElementKind) -> bool {
                matches!(kind, $(ElementKind::$kind)|*)
            }

            #[inline(always)]
            fn read(bytes: &[u8], index: usize) -> Option<$type> {
                bytes.as_chunks().0.get(index).map(|bytes| <$type>::from_ne_bytes(*bytes))
            }

            #[inline(always)]
            fn write(self, bytes: &mut [u8], index: usize) -> Option<()> {
                *bytes.as_chunks_mut().0.get_mut(index)? = self.to_ne_bytes();
                Some(())
            }
        }
    )*};
}

/// A type of Rust's that is the element of a typed array. [`u8`] is that of two.
///
/// ```
/// use tumulus_arraybuffer::{ElementKind, Native};
///
/// assert!(u8::is(ElementKind::Uint8) && u8::is(ElementKind::Uint8Clamped));
/// assert!(!i32::is(ElementKind::Uint32));
/// ```
pub trait Native: Pod + Copy + PartialEq + Into<Element> + 'static {
    /// The name of the type.
    const NAME: &'static str;

    /// Whether elements of this kind are of this type.
    fn is(kind: ElementKind) -> bool;

    #[doc(hidden)]
    fn read(bytes: &[u8], index: usize) -> Option<Self>;

    #[doc(hidden)]
    fn write(self, bytes: &mut [u8], index: usize) -> Option<()>;
}

natives! {
    i8: Int8, Number;
    u8: Uint8 | Uint8Clamped, Number;
    i16: Int16, Number;
    u16: Uint16, Number;
    i32: Int32, Number;
    u32: Uint32, Number;
    f16: Float16, Number;
    f32: Float32, Number;
    f64: Float64, Number;
    i64: BigInt64, BigInt;
    u64: BigUint64, BigInt;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(kind: ElementKind, number: f64) -> f64 {
        match kind.decode(kind.encode("test", Element::Number(number)).unwrap()) {
            Element::Number(number) => number,
            Element::BigInt(_) => panic!("a number"),
        }
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "exact")]
    fn integers_are_modular() {
        use ElementKind::{Int8, Int16, Int32, Uint8, Uint16, Uint32};
        let cases = [
            (Int8, 128.0, -128.0),
            (Int8, -129.0, 127.0),
            (Uint8, 256.5, 0.0),
            (Uint8, -1.9, 255.0),
            (Int16, 32_768.0, -32_768.0),
            (Uint16, -1.0, 65_535.0),
            (Int32, 2_147_483_648.0, -2_147_483_648.0),
            (Int32, 1e20, 1_661_992_960.0),
            (Int32, -1e20, -1_661_992_960.0),
            (Uint32, -1.0, 4_294_967_295.0),
            (Uint32, 4_294_967_296.0, 0.0),
            (Int32, 9_223_372_036_854_775_807.0, 0.0),
            (Int32, f64::NAN, 0.0),
            (Int32, f64::INFINITY, 0.0),
            (Int32, f64::NEG_INFINITY, 0.0),
            (Int32, -0.0, 0.0),
            (Uint32, f64::MAX, 0.0),
        ];
        for (kind, number, expected) in cases {
            assert_eq!(through(kind, number), expected, "{kind:?} {number}");
        }
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "exact")]
    fn clamped_ones_round_to_even() {
        let cases = [
            (0.5, 0.0),
            (1.5, 2.0),
            (2.5, 2.0),
            (254.5, 254.0),
            (255.5, 255.0),
            (-1.0, 0.0),
            (1e9, 255.0),
            (f64::NAN, 0.0),
        ];
        for (number, expected) in cases {
            assert_eq!(through(ElementKind::Uint8Clamped, number), expected, "{number}");
        }
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "exact")]
    fn float16_rounds_once_and_to_even() {
        const SMALLEST: f64 = 1.0 / 16_777_216.0;
        const HALF_STEP: f64 = 1.0 / 2048.0;
        let cases = [
            (65_504.0, 65_504.0),
            (65_519.999, 65_504.0),
            (65_520.0, f64::INFINITY),
            (SMALLEST, SMALLEST),
            (SMALLEST / 2.0, 0.0),
            // Rounded to a float first, this would be a tie.
            (1.0 + HALF_STEP + HALF_STEP / 1e9, 1.0 + 2.0 * HALF_STEP),
            (1.0 + HALF_STEP, 1.0),
        ];
        for (number, expected) in cases {
            assert_eq!(through(ElementKind::Float16, number), expected, "{number}");
        }
    }

    #[test]
    fn big_ints_wrap_and_do_not_mix_with_numbers() {
        let kind = ElementKind::BigInt64;
        let bytes = kind.encode("test", Element::BigInt(1 << 63)).unwrap();
        assert_eq!(kind.decode(bytes), Element::BigInt(i64::MIN.into()));
        assert_eq!(ElementKind::BigUint64.decode(bytes), Element::BigInt(1 << 63));
        assert!(kind.encode("test", Element::Number(1.0)).is_err());
        assert!(ElementKind::Int8.encode("test", Element::BigInt(1)).is_err());
    }
}
