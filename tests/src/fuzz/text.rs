//! Base64 and hexadecimal text, decoded a second time by the plainest means.

use arbitrary::Arbitrary;
use tumulus_arraybuffer::{Alphabet, ElementKind, Error, LastChunk, Padding, TypedArray};
use tumulus_heap::Heap;

#[derive(Debug, Arbitrary)]
struct Case {
    url: bool,
    padded: bool,
    last_chunk: u8,
    room: u8,
    bytes: Vec<u8>,
    text: Text,
}

/// Text that is nearly right more often than noise is.
#[derive(Debug, Arbitrary)]
enum Text {
    Any(String),
    /// Each is a digit, a space or a padding.
    Nearly(Vec<u8>),
}

impl Text {
    fn into_string(self, from: &[u8]) -> String {
        match self {
            Text::Any(text) => text,
            Text::Nearly(places) => places.iter().map(|&at| char::from(from[usize::from(at) % from.len()])).collect(),
        }
    }
}

const NEARLY_BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_ \n\t==AZgw09";
const NEARLY_HEX: &[u8] = b"0123456789abcdefABCDEF00g ";

pub(super) fn run(bytes: &[u8]) {
    let Some(case) = super::read::<Case>(bytes) else { return };
    let mut heap = Heap::builder().build();
    let alphabet = if case.url { Alphabet::Base64Url } else { Alphabet::Base64 };
    let padding = if case.padded { Padding::Written } else { Padding::Omitted };
    let last_chunk =
        [LastChunk::Loose, LastChunk::Strict, LastChunk::StopBeforePartial][usize::from(case.last_chunk) % 3];
    there_and_back(&mut heap, &case.bytes, alphabet, padding);
    let hex = match &case.text {
        Text::Nearly(places) => Text::Nearly(places.clone()).into_string(NEARLY_HEX),
        Text::Any(text) => text.clone(),
    };
    let text = case.text.into_string(NEARLY_BASE64);
    base64(&mut heap, &text, alphabet, last_chunk, case.room.into());
    hexadecimal(&mut heap, &hex, case.room.into());
    heap.verify().expect("in order");
}

fn array_of(heap: &mut Heap, bytes: &[u8]) -> TypedArray {
    let array = TypedArray::with_length(heap, ElementKind::Uint8, bytes.len() as u64).expect("there is room");
    array.as_mut_slice::<u8>(heap).expect("it is attached").copy_from_slice(bytes);
    array
}

fn bytes_of(heap: &Heap, array: TypedArray) -> Vec<u8> {
    array.as_slice::<u8>(heap).expect("it is attached").to_vec()
}

fn there_and_back(heap: &mut Heap, bytes: &[u8], alphabet: Alphabet, padding: Padding) {
    let array = array_of(heap, bytes);
    let text = array.to_base64(heap, alphabet, padding).expect("it is attached");
    assert!(text.len().is_multiple_of(4) || padding == Padding::Omitted);
    let again = TypedArray::from_base64(heap, &text, alphabet, LastChunk::Loose).expect("written by us");
    assert_eq!(bytes_of(heap, again), bytes);
    if padding == Padding::Written {
        let again = TypedArray::from_base64(heap, &text, alphabet, LastChunk::Strict).expect("written by us");
        assert_eq!(bytes_of(heap, again), bytes);
    }
    let text = array.to_hex(heap).expect("it is attached");
    let again = TypedArray::from_hex(heap, &text.to_uppercase()).expect("written by us");
    assert_eq!(bytes_of(heap, again), bytes);
}

/// The bytes of a text, or `None` if it is wrong: by cutting it up as a whole.
fn plainly(text: &str, alphabet: Alphabet, last_chunk: LastChunk) -> Option<Vec<u8>> {
    let [plus, slash] = if alphabet == Alphabet::Base64 { ['+', '/'] } else { ['-', '_'] };
    let dense: String = text.chars().filter(|char| !"\t\n\u{c}\r ".contains(*char)).collect();
    let digits = dense.trim_end_matches('=');
    let paddings = dense.len() - digits.len();
    let value = |char| match char {
        'A'..='Z' => Some(char as u32 - 'A' as u32),
        'a'..='z' => Some(char as u32 - 'a' as u32 + 26),
        '0'..='9' => Some(char as u32 - '0' as u32 + 52),
        _ if char == plus => Some(62),
        _ if char == slash => Some(63),
        _ => None,
    };
    let mut values: Vec<u32> = digits.chars().map(value).collect::<Option<_>>()?;
    let partial = values.len() % 4;
    match (partial, paddings) {
        (_, 0) | (2, 2) | (3, 1) => {}
        // The text ends before the padding does.
        (2, 1) if last_chunk == LastChunk::StopBeforePartial => {}
        _ => return None,
    }
    let is_whole = partial == 0 || partial + paddings == 4;
    if !is_whole {
        match last_chunk {
            LastChunk::Strict => return None,
            LastChunk::Loose if partial == 1 => return None,
            LastChunk::Loose => {}
            LastChunk::StopBeforePartial => values.truncate(values.len() - partial),
        }
    }
    let unused = [0, 0, 0b1111, 0b11][values.len() % 4];
    if last_chunk == LastChunk::Strict && values.last().is_some_and(|last| last & unused != 0) {
        return None;
    }
    let bits: Vec<bool> = values.iter().flat_map(|value| (0..6).rev().map(move |bit| value >> bit & 1 == 1)).collect();
    Some(bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect())
}

fn base64(heap: &mut Heap, text: &str, alphabet: Alphabet, last_chunk: LastChunk, room: usize) {
    let decoded = TypedArray::from_base64(heap, text, alphabet, last_chunk).map(|array| bytes_of(heap, array));
    let plain = plainly(text, alphabet, last_chunk);
    assert_eq!(decoded.as_ref().ok(), plain.as_ref(), "{text:?} {alphabet:?} {last_chunk:?}");
    if let Err(error) = decoded {
        assert!(matches!(error, Error::Syntax { position, .. } if position <= text.len()), "{error}");
    }
    // Into an array that may be too small: a beginning of it is written, and nothing behind that.
    let target = array_of(heap, &vec![0xaa; room]);
    let progress = target.set_from_base64(heap, text, alphabet, last_chunk);
    let now = bytes_of(heap, target);
    match (progress, plain) {
        (Ok(progress), plain) => {
            assert!(progress.written <= room && progress.read <= text.len());
            assert!(now[progress.written..].iter().all(|&byte| byte == 0xaa));
            // What was read is whole by itself.
            let read = plainly(&text[..progress.read], alphabet, LastChunk::Loose);
            assert_eq!(read.as_deref(), Some(&now[..progress.written]), "{text:?} {room}");
            if let Some(plain) = plain {
                assert!(plain.starts_with(&now[..progress.written]));
                assert!(progress.written + 3 > plain.len().min(room));
            }
        }
        (Err(Error::Syntax { .. }), None) => {}
        (Err(error), plain) => panic!("{text:?}: {error}, and it is {plain:?}"),
    }
}

fn hexadecimal(heap: &mut Heap, text: &str, room: usize) {
    let chars: Vec<char> = text.chars().collect();
    let units: usize = chars.iter().map(|char| char.len_utf16()).sum();
    let pair = |pair: &[char]| Some((pair.first()?.to_digit(16)? << 4 | pair.get(1)?.to_digit(16)?) as u8);
    let plain: Option<Vec<u8>> = chars.chunks(2).map(pair).collect();
    let decoded = TypedArray::from_hex(heap, text).map(|array| bytes_of(heap, array));
    assert_eq!(decoded.ok(), plain, "{text:?}");

    let target = array_of(heap, &vec![0xaa; room]);
    let progress = target.set_from_hex(heap, text);
    let now = bytes_of(heap, target);
    if let Ok(progress) = progress {
        assert!(units.is_multiple_of(2) && progress.read == 2 * progress.written && progress.written <= room);
        let read: Option<Vec<u8>> = chars[..progress.read].chunks(2).map(pair).collect();
        assert_eq!(read.as_deref(), Some(&now[..progress.written]));
        assert!(now[progress.written..].iter().all(|&byte| byte == 0xaa));
    } else {
        assert_eq!(plain, None);
    }
}
