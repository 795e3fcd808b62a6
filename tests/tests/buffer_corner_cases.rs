//! Corner cases of the specification: what conformance tests of engines look at, in the words of this library.

use half::f16;
use tumulus_arraybuffer::atomics;
use tumulus_arraybuffer::{
    Alphabet, ArrayBuffer, BackingStore, Buffer, DataView, DetachKey, Element, ElementKind, Endian, Error, ErrorKind,
    LastChunk, Layout, Padding, Progress, SharedArrayBuffer, TypedArray,
};
use tumulus_heap::Heap;
use tumulus_tests::calm_heap;

fn number(value: f64) -> Element {
    Element::Number(value)
}

fn resizable(heap: &mut Heap, length: u64, max: u64) -> ArrayBuffer {
    ArrayBuffer::new(heap, Layout::new(length).max(max)).unwrap()
}

fn array(heap: &mut Heap, kind: ElementKind, buffer: impl Into<Buffer>) -> TypedArray {
    TypedArray::new(heap, kind, buffer, 0, None).unwrap()
}

fn bytes(heap: &mut Heap, length: u64) -> TypedArray {
    TypedArray::with_length(heap, ElementKind::Uint8, length).unwrap()
}

fn contents(heap: &Heap, array: TypedArray) -> Vec<u8> {
    array.as_slice::<u8>(heap).unwrap().to_vec()
}

#[test]
fn text_is_written_as_far_as_it_is_right_and_fits() {
    let mut heap = calm_heap();
    let target = bytes(&mut heap, 5);
    let set = |heap: &mut Heap, text: &str, last| target.set_from_base64(heap, text, Alphabet::Base64, last);

    // Only whole chunks of three: two more bytes would fit, and are not begun.
    assert_eq!(set(&mut heap, "Zm9vYmFy", LastChunk::Loose), Ok(Progress { read: 4, written: 3 }));
    assert_eq!(contents(&heap, target), b"foo\0\0");
    // What ends in a partial chunk may fill it up.
    assert_eq!(set(&mut heap, "Zm9vYmE=", LastChunk::Loose), Ok(Progress { read: 8, written: 5 }));
    assert_eq!(contents(&heap, target), b"fooba");
    // Stopping before a partial chunk leaves it unread, blanks behind the last whole one included.
    let progress = set(&mut heap, "QUJD IERF", LastChunk::StopBeforePartial).unwrap();
    assert_eq!((progress.written, &contents(&heap, target)[..3]), (3, &b"ABC"[..]));
    // What comes before a mistake has been written when the error is thrown.
    let error = set(&mut heap, "eHl6!A==", LastChunk::Loose).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SyntaxError, "{error}");
    assert_eq!(&contents(&heap, target)[..3], b"xyz");
    // A chunk of one character is a mistake in any but the mode that stops before it.
    for last in [LastChunk::Loose, LastChunk::Strict] {
        assert_eq!(set(&mut heap, "YWJjZ", last).unwrap_err().kind(), ErrorKind::SyntaxError);
    }
    assert_eq!(set(&mut heap, "YWJjZ", LastChunk::StopBeforePartial), Ok(Progress { read: 4, written: 3 }));
    // Bits that would be lost: strictly a mistake.
    assert!(set(&mut heap, "YWJjZX==", LastChunk::Strict).is_err());
    assert_eq!(set(&mut heap, "YWJjZX==", LastChunk::Loose).map(|done| done.written), Ok(4));
    // Nothing is asked of what cannot be written anyway.
    let none = bytes(&mut heap, 0);
    assert_eq!(
        none.set_from_base64(&mut heap, "!", Alphabet::Base64, LastChunk::Loose),
        Ok(Progress { read: 0, written: 0 })
    );
}

#[test]
fn hexadecimal_text_too() {
    let mut heap = calm_heap();
    let target = bytes(&mut heap, 3);
    assert_eq!(target.set_from_hex(&mut heap, "0aFF10ee").unwrap(), Progress { read: 6, written: 3 });
    assert_eq!(contents(&heap, target), [0x0a, 0xff, 0x10]);
    assert_eq!(target.set_from_hex(&mut heap, "0102zz").unwrap_err().kind(), ErrorKind::SyntaxError);
    assert_eq!(contents(&heap, target), [1, 2, 0x10], "what was right has been written");
    assert_eq!(target.set_from_hex(&mut heap, "fff").unwrap_err().kind(), ErrorKind::SyntaxError);
    assert_eq!(contents(&heap, target), [1, 2, 0x10], "an odd length is seen before anything is written");
    assert_eq!(TypedArray::from_hex(&mut heap, "").unwrap().length(&heap), 0);
    let signed = TypedArray::with_length(&mut heap, ElementKind::Int8, 3).unwrap();
    assert_eq!(signed.set_from_hex(&mut heap, "00").unwrap_err().kind(), ErrorKind::TypeError);
    let clamped = TypedArray::with_length(&mut heap, ElementKind::Uint8Clamped, 3).unwrap();
    assert!(clamped.to_base64(&heap, Alphabet::Base64, Padding::Written).is_err());
}

#[test]
fn text_of_a_view_that_was_detached_or_is_immutable() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 4).unwrap();
    let view = array(&mut heap, ElementKind::Uint8, buffer);
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert_eq!(view.to_hex(&heap).unwrap_err().kind(), ErrorKind::TypeError);
    assert_eq!(view.set_from_hex(&mut heap, "00").unwrap_err().kind(), ErrorKind::TypeError);
    let frozen = ArrayBuffer::from_store(&mut heap, BackingStore::from_static(b"frozen")).unwrap();
    let view = array(&mut heap, ElementKind::Uint8, frozen);
    assert_eq!(view.to_hex(&heap).unwrap(), "66726f7a656e");
    assert_eq!(view.set_from_hex(&mut heap, "00").unwrap_err().kind(), ErrorKind::TypeError);
}

#[test]
fn keys_are_compared_by_identity() {
    let mut heap = calm_heap();
    let (one, other) = (heap.alloc("key").erase(), heap.alloc("key").erase());
    let buffer = ArrayBuffer::new(&mut heap, 4).unwrap();
    buffer.set_detach_key(&mut heap, DetachKey::Object(one));
    for wrong in [DetachKey::Undefined, DetachKey::Object(other), DetachKey::Number(one.identity_hash())] {
        assert_eq!(buffer.detach(&mut heap, wrong), Err(Error::DetachKey));
    }
    buffer.detach(&mut heap, DetachKey::Object(one)).unwrap();
    // The key is asked for on a detached buffer as well, and can be taken away from it.
    assert_eq!(buffer.detach(&mut heap, DetachKey::Undefined), Err(Error::DetachKey));
    buffer.set_detach_key(&mut heap, DetachKey::Undefined);
    assert_eq!(buffer.detach(&mut heap, DetachKey::Undefined), Ok(()));
    buffer.forbid_detaching(&mut heap);
    assert_eq!(buffer.detach(&mut heap, DetachKey::Undefined), Ok(()), "it is detached already");
}

#[test]
fn a_view_that_tracks_has_whole_elements_only() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 7, 40);
    let doubles = array(&mut heap, ElementKind::Float64, buffer);
    assert_eq!((doubles.length(&heap), doubles.byte_length(&heap)), (0, 0));
    assert!(!doubles.is_out_of_bounds(&heap));
    buffer.resize(&mut heap, 23).unwrap();
    assert_eq!((doubles.length(&heap), doubles.byte_length(&heap)), (2, 16));
    assert!(doubles.set(&mut heap, 1, number(1.5)).unwrap());
    assert_eq!(doubles.set(&mut heap, 2, number(1.5)), Ok(false));
    // One with an offset is out of bounds when that is behind the end, and not when it is at the end.
    let tail = TypedArray::new(&mut heap, ElementKind::Int8, buffer, 16, None).unwrap();
    buffer.resize(&mut heap, 16).unwrap();
    assert_eq!((tail.is_out_of_bounds(&heap), tail.length(&heap), tail.byte_offset(&heap)), (false, 0, 16));
    buffer.resize(&mut heap, 15).unwrap();
    assert_eq!((tail.is_out_of_bounds(&heap), tail.length(&heap), tail.byte_offset(&heap)), (true, 0, 0));
    buffer.resize(&mut heap, 40).unwrap();
    assert_eq!((tail.length(&heap), tail.byte_offset(&heap)), (24, 16));
    // 1.5 without its last byte, which was dropped and is zero now.
    let expected = f64::from_ne_bytes(std::array::from_fn(|at| if at < 7 { 1.5_f64.to_ne_bytes()[at] } else { 0 }));
    assert_eq!(doubles.get(&heap, 1), Some(number(expected)));
}

#[test]
fn a_part_of_a_view_that_tracks_tracks_if_it_has_no_end() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 8, 16);
    let whole = array(&mut heap, ElementKind::Int16, buffer);
    let open = whole.subarray(&mut heap, 1.0, None).unwrap();
    let closed = whole.subarray(&mut heap, 1.0, Some(3.0)).unwrap();
    buffer.resize(&mut heap, 16).unwrap();
    assert_eq!((open.length(&heap), closed.length(&heap)), (7, 2));
    buffer.resize(&mut heap, 4).unwrap();
    assert_eq!((open.length(&heap), closed.is_out_of_bounds(&heap)), (1, true));
    // Of one that is out of bounds, it is an empty part at its own beginning, which can be made.
    let part = closed.subarray(&mut heap, 1.0, None).unwrap();
    assert_eq!(part.length(&heap), 0);
}

#[test]
fn growth_is_seen_by_views_of_shared_bytes() {
    let mut heap = calm_heap();
    let buffer = SharedArrayBuffer::new(&mut heap, Layout::new(4).max(12)).unwrap();
    let (words, data) =
        (array(&mut heap, ElementKind::Int32, buffer), DataView::new(&mut heap, buffer, 2, None).unwrap());
    let cell = atomics::access(&heap, words, 0).unwrap();
    assert_eq!(atomics::access(&heap, words, 1).unwrap_err().kind(), ErrorKind::RangeError);
    buffer.grow(&mut heap, 11).unwrap();
    assert_eq!((words.length(&heap), data.byte_length(&heap)), (2, Ok(9)));
    let next = atomics::access(&heap, words, 1).unwrap();
    assert_eq!(next.add(&mut heap, number(3.0)), Ok(number(0.0)));
    assert_eq!(cell.sub(&mut heap, number(1.0)), Ok(number(0.0)));
    assert_eq!((cell.load(&heap), next.load(&heap)), (Ok(number(-1.0)), Ok(number(3.0))));
    assert_eq!(buffer.grow(&mut heap, 10).unwrap_err().kind(), ErrorKind::RangeError);
    assert_eq!(buffer.grow(&mut heap, 13).unwrap_err().kind(), ErrorKind::RangeError);
    assert_eq!(buffer.grow(&mut heap, 11), Ok(()), "its own length is no change");
}

#[test]
fn atomics_convert_as_elements_do() {
    let mut heap = calm_heap();
    for (kind, value, stored) in [
        (ElementKind::Int32, 4_294_967_295.0, -1.0),
        (ElementKind::Uint32, -1.0, 4_294_967_295.0),
        (ElementKind::Int32, 1e300, 0.0),
        (ElementKind::Uint32, f64::NAN, 0.0),
        (ElementKind::Int32, 2_147_483_648.5, -2_147_483_648.0),
        (ElementKind::Uint16, 65_537.9, 1.0),
        (ElementKind::Int8, -129.0, 127.0),
    ] {
        for is_shared in [false, true] {
            let buffer: Buffer = if is_shared {
                SharedArrayBuffer::new(&mut heap, 8).unwrap().into()
            } else {
                ArrayBuffer::new(&mut heap, 8).unwrap().into()
            };
            let cell = array(&mut heap, kind, buffer);
            let cell = atomics::access(&heap, cell, 1).unwrap();
            assert_eq!(cell.add(&mut heap, number(value)), Ok(number(0.0)), "{kind:?} {value}");
            assert_eq!(cell.load(&heap), Ok(number(stored)), "{kind:?} {value}");
            assert_eq!(cell.exchange(&mut heap, number(7.0)), Ok(number(stored)));
            assert_eq!(cell.compare_exchange(&mut heap, number(7.0), number(value)), Ok(number(7.0)));
            assert_eq!(cell.load(&heap), Ok(number(stored)));
            // What was asked for, as an integer, and never minus zero.
            let given = cell.store(&mut heap, number(-0.9)).unwrap();
            assert!(matches!(given, Element::Number(zero) if zero == 0.0 && zero.is_sign_positive()));
            assert_eq!(cell.or(&mut heap, Element::BigInt(1)).unwrap_err().kind(), ErrorKind::TypeError);
        }
    }
}

#[test]
fn atomics_leave_immutable_bytes_alone() {
    let mut heap = calm_heap();
    let store = BackingStore::from_arc(vec![7, 0, 0, 0].into());
    let buffer = ArrayBuffer::from_store(&mut heap, store).unwrap();
    let view = array(&mut heap, ElementKind::Uint8, buffer);
    let cell = atomics::access(&heap, view, 0).unwrap();
    assert_eq!(cell.load(&heap), Ok(number(7.0)));
    assert_eq!(cell.add(&mut heap, number(1.0)), Err(Error::Immutable { operation: "Atomics.add" }));
    assert_eq!(cell.store(&mut heap, number(1.0)).unwrap_err().kind(), ErrorKind::TypeError);
    assert_eq!(cell.compare_exchange(&mut heap, number(7.0), number(1.0)).unwrap_err().kind(), ErrorKind::TypeError);
    assert_eq!(contents(&heap, view), [7, 0, 0, 0]);
}

#[test]
fn an_access_is_looked_at_again_when_values_were_converted() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 8, 8);
    let words = array(&mut heap, ElementKind::Int32, buffer);
    let cell = atomics::access(&heap, words, 1).unwrap();
    buffer.resize(&mut heap, 4).unwrap();
    assert_eq!(cell.add(&mut heap, number(1.0)).unwrap_err().kind(), ErrorKind::RangeError);
    buffer.resize(&mut heap, 8).unwrap();
    assert_eq!(cell.add(&mut heap, number(1.0)), Ok(number(0.0)));
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert_eq!(cell.load(&heap).unwrap_err().kind(), ErrorKind::TypeError);
}

#[test]
fn halves_are_rounded_to_even_once() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 2).unwrap();
    let halves = array(&mut heap, ElementKind::Float16, buffer);
    let data = DataView::new(&mut heap, buffer, 0, None).unwrap();
    for (value, bits) in [
        (1.0 / 3.0, 0x3555),
        (65_504.0, 0x7bff),
        (65_519.999, 0x7bff),
        (65_520.0, 0x7c00),
        (5.960_464_477_539_063e-8, 0x0001),
        (2.980_232_238_769_531_3e-8, 0x0000),
        (2.980_232_238_769_532e-8, 0x0001),
        (-0.0, 0x8000),
        // Between two halves, and a bit above that only a double can tell: by way of a float it would be even.
        (1.000_488_281_25 + 1e-12, 0x3c01),
        (1.000_488_281_25, 0x3c00),
        (f64::NEG_INFINITY, 0xfc00),
    ] {
        halves.set(&mut heap, 0, number(value)).unwrap();
        assert_eq!(halves.get_as::<f16>(&heap, 0).unwrap().to_bits(), bits, "{value:e}");
        for order in [Endian::Little, Endian::Big] {
            data.set(&mut heap, ElementKind::Float16, 0, number(value), order).unwrap();
            let back = data.get(&heap, ElementKind::Float16, 0, order).unwrap();
            assert_eq!(back, number(f16::from_bits(bits).to_f64()), "{value:e}");
        }
    }
}

#[test]
fn a_source_that_goes_out_of_bounds_or_grows_is_seen_by_set() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 4, 8);
    let source = TypedArray::new(&mut heap, ElementKind::Uint8, buffer, 2, Some(2)).unwrap();
    let target = bytes(&mut heap, 4);
    target.set_from_array(&mut heap, source, 2.0).unwrap();
    assert_eq!(target.set_from_array(&mut heap, source, 3.0).unwrap_err().kind(), ErrorKind::RangeError);
    assert_eq!(target.set_from_array(&mut heap, source, f64::INFINITY).unwrap_err().kind(), ErrorKind::RangeError);
    assert_eq!(target.set_from_array(&mut heap, source, -1.0).unwrap_err().kind(), ErrorKind::RangeError);
    buffer.resize(&mut heap, 3).unwrap();
    assert_eq!(target.set_from_array(&mut heap, source, 0.0).unwrap_err().kind(), ErrorKind::TypeError);
    buffer.resize(&mut heap, 8).unwrap();
    assert_eq!(target.set_from_array(&mut heap, source, 0.0), Ok(()));
}

#[test]
fn what_was_there_and_is_no_more_is_undefined_to_a_search() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 4, 4);
    let view = array(&mut heap, ElementKind::Uint8, buffer);
    let witness = view.validate(&heap, "includes").unwrap();
    assert!(!witness.includes(&heap, None, 0.0));
    buffer.resize(&mut heap, 2).unwrap();
    assert!(witness.includes(&heap, None, 0.0) && !witness.includes(&heap, None, 4.0));
    assert_eq!(witness.index_of(&heap, number(0.0), 2.0), None, "these are passed over");
    assert_eq!(witness.last_index_of(&heap, number(0.0), None), Some(1));
    let floats = TypedArray::with_length(&mut heap, ElementKind::Float32, 1).unwrap();
    floats.set(&mut heap, 0, number(f64::NAN)).unwrap();
    let witness = floats.validate(&heap, "includes").unwrap();
    assert!(witness.includes(&heap, Some(number(f64::NAN)), 0.0));
    assert_eq!(witness.index_of(&heap, number(f64::NAN), 0.0), None);
    floats.set(&mut heap, 0, number(-0.0)).unwrap();
    assert_eq!(witness.index_of(&heap, number(0.0), -0.0), Some(0));
}

#[test]
fn numbers_are_sorted_with_minus_zero_first_and_nan_last() {
    let mut heap = calm_heap();
    let view = TypedArray::with_length(&mut heap, ElementKind::Float64, 6).unwrap();
    let values = [f64::NAN, 0.0, f64::INFINITY, -0.0, -1.0, f64::NEG_INFINITY];
    view.as_mut_slice::<f64>(&mut heap).unwrap().copy_from_slice(&values);
    view.validate_to_write(&heap, "sort").unwrap().sort(&mut heap).unwrap();
    let sorted = view.as_slice::<f64>(&heap).unwrap();
    assert_eq!(sorted[..2], [f64::NEG_INFINITY, -1.0]);
    assert!(sorted[2].is_sign_negative() && sorted[3].is_sign_positive() && sorted[2..4] == [0.0, 0.0]);
    assert!(sorted[4] == f64::INFINITY && sorted[5].is_nan());
}

#[test]
fn transfers_of_a_resizable_buffer_keep_its_maximum_or_give_it_up() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 4, 16);
    buffer.as_mut_slice(&mut heap).unwrap().copy_from_slice(&[1, 2, 3, 4]);
    assert_eq!(buffer.transfer(&mut heap, Some(17)).unwrap_err().kind(), ErrorKind::RangeError);
    assert_eq!(buffer.as_slice(&heap).unwrap(), [1, 2, 3, 4], "nothing is lost");
    let longer = buffer.transfer(&mut heap, Some(6)).unwrap();
    assert_eq!((longer.max_byte_length(&heap), longer.as_slice(&heap).unwrap()), (16, &[1, 2, 3, 4, 0, 0][..]));
    let none = longer.transfer(&mut heap, Some(0)).unwrap();
    assert_eq!((none.byte_length(&heap), none.max_byte_length(&heap), none.resizable(&heap)), (0, 16, true));
    none.resize(&mut heap, 4).unwrap();
    assert_eq!(none.as_slice(&heap).unwrap(), [0; 4]);
    let fixed = none.transfer_to_fixed_length(&mut heap, Some(20)).unwrap();
    assert_eq!((fixed.byte_length(&heap), fixed.resizable(&heap), none.detached(&heap)), (20, false, true));
    let frozen = fixed.transfer_to_immutable(&mut heap, None).unwrap();
    assert!(frozen.immutable(&heap));
    for error in [
        frozen.transfer(&mut heap, None).map(drop),
        frozen.detach(&mut heap, DetachKey::Undefined),
        frozen.resize(&mut heap, 20),
        fixed.transfer(&mut heap, None).map(drop),
    ] {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::TypeError);
    }
}

#[test]
fn a_view_of_data_asks_for_the_index_before_the_bounds() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 8, 16);
    let data = DataView::new(&mut heap, buffer, 4, Some(4)).unwrap();
    data.set(&mut heap, ElementKind::Uint32, 0, number(16_909_060.0), Endian::Big).unwrap();
    assert_eq!(buffer.as_slice(&heap).unwrap()[4..], [1, 2, 3, 4]);
    assert_eq!(data.get(&heap, ElementKind::Uint16, 1, Endian::Little), Ok(number(770.0)));
    for index in [1, 4, u64::MAX, 1 << 53] {
        let error = data.get(&heap, ElementKind::Int32, index, Endian::Little).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RangeError, "{index}");
    }
    buffer.resize(&mut heap, 7).unwrap();
    assert_eq!(data.get(&heap, ElementKind::Int8, 0, Endian::Little).unwrap_err().kind(), ErrorKind::TypeError);
    assert_eq!(data.byte_length(&heap).unwrap_err().kind(), ErrorKind::TypeError);
    buffer.resize(&mut heap, 8).unwrap();
    assert_eq!(data.get(&heap, ElementKind::Int8, 3, Endian::Little), Ok(number(0.0)));
    let wrong = data.set(&mut heap, ElementKind::BigInt64, 0, number(1.0), Endian::Little);
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::TypeError);
}

#[test]
fn shared_bytes_are_copied_within_as_if_there_were_a_copy() {
    let mut heap = calm_heap();
    let length = 20_000;
    let buffer = SharedArrayBuffer::new(&mut heap, length).unwrap();
    let view = array(&mut heap, ElementKind::Uint8, buffer);
    let store = buffer.backing_store(&heap);
    for (from, to) in [(0, 3), (3, 0), (0, 4096), (4096, 0), (1, 5000), (5000, 1)] {
        let mut expected: Vec<u8> = (0..length).map(|n| (n * 7 % 251) as u8).collect();
        store.copy_from(0, &expected).unwrap();
        let count = expected.len() - from.max(to);
        view.validate_to_write(&heap, "copyWithin")
            .unwrap()
            .copy_within(&mut heap, to as f64, from as f64, Some((from + count) as f64))
            .unwrap();
        expected.copy_within(from..from + count, to);
        let mut now = vec![0; expected.len()];
        store.copy_to(0, &mut now).unwrap();
        assert!(now == expected, "{from} {to}");
    }
}
