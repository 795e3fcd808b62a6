//! Base64 and hexadecimal text of a `Uint8Array`.
//!
//! The steps are the language's, white space, partial chunks and what is written before an error included; that is why no
//! general decoder is used here.

use super::array::{Extent, TypedArray};
use super::kind::ElementKind;
use crate::error::Error;
use crate::scratch;
use tumulus_heap::Heap;

/// Which characters stand for 62 and 63.
///
/// ```
/// use tumulus_arraybuffer::Alphabet;
///
/// assert_eq!(Alphabet::default(), Alphabet::Base64);
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Alphabet {
    /// `+` and `/`.
    #[default]
    Base64,
    /// `-` and `_`.
    Base64Url,
}

/// Whether text is padded with `=`.
///
/// ```
/// use tumulus_arraybuffer::Padding;
///
/// assert_eq!(Padding::default(), Padding::Written);
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// It is.
    #[default]
    Written,
    /// It is not.
    Omitted,
}

/// What becomes of a last chunk of fewer than four characters.
///
/// ```
/// use tumulus_arraybuffer::LastChunk;
///
/// assert_eq!(LastChunk::default(), LastChunk::Loose);
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum LastChunk {
    /// It is decoded, padded or not.
    #[default]
    Loose,
    /// It is an error, unless it is padded and has no bits too many.
    Strict,
    /// It is left alone, unless it is padded.
    StopBeforePartial,
}

/// How much text was read, and how many bytes were written.
///
/// ```
/// # use tumulus_arraybuffer::{ElementKind, Progress, TypedArray};
/// # let mut heap = tumulus_heap::Heap::new();
/// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 2)?;
/// assert_eq!(array.set_from_hex(&mut heap, "c0ffee")?, Progress { read: 4, written: 2 });
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Characters that were read.
    pub read: usize,
    /// Bytes that were written.
    pub written: usize,
}

impl TypedArray {
    /// The bytes as base64 text.
    ///
    /// # Errors
    ///
    /// [`Error::ViewKind`] if this is no `Uint8Array`; [`Error::Detached`], [`Error::OutOfBounds`], [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Alphabet, ElementKind, Padding, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 2)?;
    /// array.as_mut_slice(&mut heap)?.fill(0xff_u8);
    /// assert_eq!(array.to_base64(&heap, Alphabet::Base64, Padding::Written)?, "//8=");
    /// assert_eq!(array.to_base64(&heap, Alphabet::Base64Url, Padding::Omitted)?, "__8");
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn to_base64(self, heap: &Heap, alphabet: Alphabet, padding: Padding) -> Result<String, Error> {
        let bytes = self.copy_of_bytes(heap, "toBase64")?;
        let mut text = scratch::text("toBase64", bytes.len().div_ceil(3) * 4)?;
        for chunk in bytes.chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
            for digit in 0..=chunk.len() {
                text.push(digit_char((bits >> (18 - 6 * digit)) as u8 & 63, alphabet));
            }
            if padding == Padding::Written {
                text.extend(std::iter::repeat_n('=', 3 - chunk.len()));
            }
        }
        Ok(text)
    }

    /// The bytes as hexadecimal text.
    ///
    /// # Errors
    ///
    /// As [`to_base64`](TypedArray::to_base64).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 2)?;
    /// array.as_mut_slice(&mut heap)?.copy_from_slice(&[0xca_u8, 0x0e]);
    /// assert_eq!(array.to_hex(&heap)?, "ca0e");
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn to_hex(self, heap: &Heap) -> Result<String, Error> {
        let bytes = self.copy_of_bytes(heap, "toHex")?;
        let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
        let mut text = scratch::text("toHex", bytes.len() * 2)?;
        text.extend(bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]));
        Ok(text)
    }

    /// Writes the bytes of base64 text to the beginning of the array, as many as fit.
    ///
    /// # Errors
    ///
    /// [`Error::ViewKind`] if this is no `Uint8Array`; [`Error::Detached`], [`Error::OutOfBounds`], [`Error::Immutable`];
    /// [`Error::OutOfMemory`]; [`Error::Syntax`], when what comes before it is written.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Alphabet, ElementKind, LastChunk, Progress, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 4)?;
    /// let progress = array.set_from_base64(&mut heap, "aGVs bG8=", Alphabet::Base64, LastChunk::Loose)?;
    /// assert_eq!(progress, Progress { read: 4, written: 3 }); // the next chunk would not fit
    /// assert_eq!(array.as_slice::<u8>(&heap)?, b"hel\0");
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn set_from_base64(
        self,
        heap: &mut Heap,
        text: &str,
        alphabet: Alphabet,
        last_chunk: LastChunk,
    ) -> Result<Progress, Error> {
        let extent = self.bytes_to_write(heap, "setFromBase64")?;
        let decoded =
            decode_base64(room(text, extent.length, "setFromBase64")?, text, alphabet, last_chunk, extent.length);
        write(heap, &extent, &decoded, "setFromBase64")
    }

    /// Writes the bytes of hexadecimal text to the beginning of the array, as many as fit.
    ///
    /// # Errors
    ///
    /// As [`set_from_base64`](TypedArray::set_from_base64).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 3)?;
    /// assert!(array.set_from_hex(&mut heap, "beXX").is_err());
    /// assert_eq!(array.as_slice::<u8>(&heap)?, [0xbe, 0, 0]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn set_from_hex(self, heap: &mut Heap, text: &str) -> Result<Progress, Error> {
        let extent = self.bytes_to_write(heap, "setFromHex")?;
        let decoded = decode_hex(room(text, extent.length, "setFromHex")?, text, extent.length);
        write(heap, &extent, &decoded, "setFromHex")
    }

    /// A new `Uint8Array` with the bytes of base64 text.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`], [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Alphabet, LastChunk, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::from_base64(&mut heap, "bW91bmQ=", Alphabet::Base64, LastChunk::Strict)?;
    /// assert_eq!(array.as_slice::<u8>(&heap)?, b"mound");
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn from_base64(
        heap: &mut Heap,
        text: &str,
        alphabet: Alphabet,
        last_chunk: LastChunk,
    ) -> Result<TypedArray, Error> {
        let decoded = decode_base64(room(text, usize::MAX, "fromBase64")?, text, alphabet, last_chunk, usize::MAX);
        TypedArray::from_decoded(heap, &decoded, "fromBase64")
    }

    /// A new `Uint8Array` with the bytes of hexadecimal text.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`], [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::TypedArray;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::from_hex(&mut heap, "C0ffEE")?;
    /// assert_eq!(array.as_slice::<u8>(&heap)?, [0xc0, 0xff, 0xee]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn from_hex(heap: &mut Heap, text: &str) -> Result<TypedArray, Error> {
        let decoded = decode_hex(room(text, usize::MAX, "fromHex")?, text, usize::MAX);
        TypedArray::from_decoded(heap, &decoded, "fromHex")
    }

    #[track_caller]
    fn from_decoded(heap: &mut Heap, decoded: &Decoded, operation: &'static str) -> Result<TypedArray, Error> {
        if let Some((problem, position)) = decoded.problem {
            return Err(Error::Syntax { operation, problem, position });
        }
        let array = TypedArray::with_length(heap, ElementKind::Uint8, decoded.bytes.len() as u64)?;
        array.as_mut_slice::<u8>(heap)?.copy_from_slice(&decoded.bytes);
        Ok(array)
    }

    fn check_kind(self, heap: &Heap, operation: &'static str) -> Result<(), Error> {
        let kind = self.kind(heap);
        if kind == ElementKind::Uint8 {
            return Ok(());
        }
        Err(Error::ViewKind { operation, kind: kind.array_name(), expected: ElementKind::Uint8.array_name() })
    }

    fn bytes_to_write(self, heap: &Heap, operation: &'static str) -> Result<Extent, Error> {
        self.check_kind(heap, operation)?;
        self.writable_extent(heap, operation)
    }

    fn copy_of_bytes(self, heap: &Heap, operation: &'static str) -> Result<Vec<u8>, Error> {
        self.check_kind(heap, operation)?;
        let extent = self.valid_extent(heap, operation)?;
        let mut bytes = scratch::list(operation, extent.length)?;
        bytes.resize(extent.length, 0);
        heap[extent.buffer].bytes().copy_to(extent.start, &mut bytes);
        Ok(bytes)
    }
}

/// What was read before the end, or before what is wrong.
#[derive(Debug, Default, PartialEq, Eq)]
struct Decoded {
    bytes: Vec<u8>,
    read: usize,
    /// What is wrong, and at which character.
    problem: Option<(&'static str, usize)>,
}

fn write(heap: &mut Heap, extent: &Extent, decoded: &Decoded, operation: &'static str) -> Result<Progress, Error> {
    heap.get_mut(extent.buffer).bytes_mut().copy_from(extent.start, &decoded.bytes);
    match decoded.problem {
        Some((problem, position)) => Err(Error::Syntax { operation, problem, position }),
        None => Ok(Progress { read: decoded.read, written: decoded.bytes.len() }),
    }
}

fn digit_char(value: u8, alphabet: Alphabet) -> char {
    char::from(match value {
        0..26 => b'A' + value,
        26..52 => b'a' + value - 26,
        52..62 => b'0' + value - 52,
        62 if alphabet == Alphabet::Base64 => b'+',
        62 => b'-',
        _ if alphabet == Alphabet::Base64 => b'/',
        _ => b'_',
    })
}

fn digit_value(char: u8, alphabet: Alphabet) -> Option<u8> {
    Some(match char {
        b'A'..=b'Z' => char - b'A',
        b'a'..=b'z' => char - b'a' + 26,
        b'0'..=b'9' => char - b'0' + 52,
        b'+' if alphabet == Alphabet::Base64 => 62,
        b'/' if alphabet == Alphabet::Base64 => 63,
        b'-' if alphabet == Alphabet::Base64Url => 62,
        b'_' if alphabet == Alphabet::Base64Url => 63,
        _ => return None,
    })
}

/// The first character from `at` on that is no white space.
fn skip_space(text: &[u8], at: usize) -> usize {
    let is_space = |byte: &u8| matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | b' ');
    at + text[at..].iter().take_while(|byte| is_space(byte)).count()
}

/// Room for what a text can give, base64 or hexadecimal.
fn room(text: &str, most: usize, operation: &'static str) -> Result<Vec<u8>, Error> {
    scratch::list(operation, most.min(text.len().div_ceil(4) * 3))
}

/// The language's `FromBase64`, into an empty list with room. Text is ASCII up to what is wrong, so that bytes are characters.
fn decode_base64(bytes: Vec<u8>, text: &str, alphabet: Alphabet, last_chunk: LastChunk, most: usize) -> Decoded {
    let text = text.as_bytes();
    let mut decoded = Decoded { bytes, ..Decoded::default() };
    if most == 0 {
        return decoded;
    }
    let (mut chunk, mut digits) = (0_u32, 0_usize);
    let mut at = 0;
    let problem = 'problem: loop {
        at = skip_space(text, at);
        let Some(&char) = text.get(at) else {
            if digits > 0 {
                match last_chunk {
                    LastChunk::StopBeforePartial => return decoded,
                    LastChunk::Loose if digits == 1 => break 'problem "a chunk of one character",
                    LastChunk::Loose => push_chunk(&mut decoded.bytes, chunk, digits),
                    LastChunk::Strict => break 'problem "padding is missing",
                }
            }
            decoded.read = text.len();
            return decoded;
        };
        at += 1;
        if char == b'=' {
            if digits < 2 {
                break 'problem "padding where there is nothing to pad";
            }
            at = skip_space(text, at);
            if digits == 2 {
                match text.get(at) {
                    None if last_chunk == LastChunk::StopBeforePartial => return decoded,
                    None => break 'problem "half of the padding is missing",
                    Some(b'=') => at = skip_space(text, at + 1),
                    Some(_) => {}
                }
            }
            if at < text.len() {
                break 'problem "something behind the padding";
            }
            let unused = if digits == 2 { chunk & 0b1111 } else { chunk & 0b11 };
            if last_chunk == LastChunk::Strict && unused != 0 {
                break 'problem "bits that do not count";
            }
            push_chunk(&mut decoded.bytes, chunk, digits);
            decoded.read = text.len();
            return decoded;
        }
        let Some(value) = digit_value(char, alphabet) else {
            at -= 1;
            break 'problem "not a digit of this alphabet";
        };
        let room = most - decoded.bytes.len();
        if (room == 1 && digits == 2) || (room == 2 && digits == 3) {
            return decoded;
        }
        chunk = chunk << 6 | u32::from(value);
        digits += 1;
        if digits == 4 {
            push_chunk(&mut decoded.bytes, chunk, digits);
            (chunk, digits) = (0, 0);
            decoded.read = at;
            if decoded.bytes.len() == most {
                return decoded;
            }
        }
    };
    decoded.problem = Some((problem, at));
    decoded
}

/// The bytes of a chunk of two to four digits.
fn push_chunk(bytes: &mut Vec<u8>, chunk: u32, digits: usize) {
    let bits = chunk << (6 * (4 - digits));
    bytes.extend_from_slice(&bits.to_be_bytes()[1..digits]);
}

/// The language's `FromHex`, into an empty list with room.
fn decode_hex(bytes: Vec<u8>, text: &str, most: usize) -> Decoded {
    let mut decoded = Decoded { bytes, ..Decoded::default() };
    // Characters are counted as the language does, in units of UTF-16, of which only ASCII can be right.
    let units = if text.is_ascii() { text.len() } else { text.encode_utf16().count() };
    if !units.is_multiple_of(2) {
        decoded.problem = Some(("an odd number of digits", units));
        return decoded;
    }
    let text = text.as_bytes();
    let digit = |char: u8| char::from(char).to_digit(16);
    for pair in text.chunks(2).take(most) {
        let &[high, low] = pair else { break };
        let (Some(high), Some(low)) = (digit(high), digit(low)) else {
            decoded.problem = Some(("not a hexadecimal digit", decoded.read));
            return decoded;
        };
        decoded.bytes.push((high << 4 | low) as u8);
        decoded.read += 2;
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loose(text: &str) -> Result<Vec<u8>, &'static str> {
        let decoded = decode_base64(Vec::new(), text, Alphabet::Base64, LastChunk::Loose, usize::MAX);
        decoded.problem.map_or(Ok(decoded.bytes), |(problem, _)| Err(problem))
    }

    #[test]
    fn the_vectors_of_the_standard() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(loose(text).unwrap(), bytes.as_bytes());
            assert_eq!(loose(text.trim_end_matches('=')).unwrap(), bytes.as_bytes());
            assert_eq!(loose(&format!(" {}\n", text.replace('=', " = "))).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn what_is_wrong_is_found() {
        for text in ["Z", "=", "Z=", "Zg=", "Zg==Z", "Zm8==", "Zm-_", "Zg!=", "Zm9v="] {
            assert!(loose(text).is_err(), "{text}");
        }
        let strict = |text| decode_base64(Vec::new(), text, Alphabet::Base64, LastChunk::Strict, usize::MAX);
        assert!(strict("Zg").problem.is_some() && strict("Zh==").problem.is_some() && strict("Zg==").problem.is_none());
    }

    #[test]
    fn partial_chunks_are_left_when_asked() {
        let stop = |text, most| decode_base64(Vec::new(), text, Alphabet::Base64, LastChunk::StopBeforePartial, most);
        assert_eq!(stop("Zm9vYg", 10), Decoded { bytes: b"foo".to_vec(), read: 4, problem: None });
        assert_eq!(stop("Zm9vYg=", 10), Decoded { bytes: b"foo".to_vec(), read: 4, problem: None });
        assert_eq!(stop("Zm9vYmFy", 5), Decoded { bytes: b"foo".to_vec(), read: 4, problem: None });
        assert_eq!(stop("Zm9vYg==", 4), Decoded { bytes: b"foob".to_vec(), read: 8, problem: None });
        assert_eq!(stop("!", 0), Decoded::default());
    }

    #[test]
    fn hexadecimal_text() {
        assert_eq!(decode_hex(Vec::new(), "00fF", 9), Decoded { bytes: vec![0, 255], read: 4, problem: None });
        assert_eq!(decode_hex(Vec::new(), "00fF1", 9).problem, Some(("an odd number of digits", 5)));
        assert_eq!(decode_hex(Vec::new(), "00xy", 9).bytes, [0]);
        assert_eq!(decode_hex(Vec::new(), "00xy", 1).problem, None);
        assert!(decode_hex(Vec::new(), "é0", 9).problem.is_some());
        assert_eq!(decode_hex(Vec::new(), "00é", 1).problem, Some(("an odd number of digits", 3)));
        assert_eq!(decode_hex(Vec::new(), "00é0", 1), Decoded { bytes: vec![0], read: 2, problem: None });
    }
}
