//! Typed arrays and data views: bounds that move, conversions, and methods whose arguments run code of the program's.

use half::f16;
use proptest::prelude::*;
use std::cmp::Ordering;
use tumulus_arraybuffer::{
    ArrayBuffer, BackingStore, Cursor, DataView, DetachKey, Element, ElementKind, Endian, Error, ErrorKind, Layout,
    SharedArrayBuffer, TypedArray,
};
use tumulus_heap::Heap;
use tumulus_tests::{calm_heap, cases};

fn resizable(heap: &mut Heap, length: u64, max: u64) -> ArrayBuffer {
    ArrayBuffer::new(heap, Layout::new(length).max(max)).unwrap()
}

fn view(heap: &mut Heap, kind: ElementKind, buffer: ArrayBuffer, offset: u64, length: Option<u64>) -> TypedArray {
    TypedArray::new(heap, kind, buffer, offset, length).unwrap()
}

fn bytes(heap: &mut Heap, bytes: &[u8]) -> TypedArray {
    let buffer = ArrayBuffer::from_store(heap, BackingStore::from_vec(bytes.to_vec())).unwrap();
    view(heap, ElementKind::Uint8, buffer, 0, None)
}

fn number(value: f64) -> Element {
    Element::Number(value)
}

#[test]
fn constructors_check_in_order() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 10).unwrap();
    let mut make = |offset, length| TypedArray::new(&mut heap, ElementKind::Int32, buffer, offset, length).map(|_| ());
    assert!(matches!(make(1, Some(0)), Err(Error::Alignment { value: 1, element_size: 4, .. })));
    assert!(matches!(make(0, None), Err(Error::Alignment { value: 10, .. })));
    assert!(make(0, Some(2)).is_ok() && make(8, Some(0)).is_ok());
    for (offset, length) in
        [(0, Some(3)), (12, Some(0)), (4, Some(u64::MAX)), (u64::MAX - 3, Some(1)), (0, Some(1 << 62))]
    {
        let error = make(offset, length).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RangeError, "{error}");
    }
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    let error = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None).unwrap_err();
    assert_eq!(error, Error::Detached { operation: "Int32Array" });
    for length in [1 << 50, 1 << 53, u64::MAX] {
        assert!(TypedArray::with_length(&mut heap, ElementKind::Float64, length).is_err());
    }
    assert!(DataView::new(&mut heap, buffer, 0, None).is_err());
}

#[test]
fn views_go_out_of_bounds_and_recover() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 16, 32);
    let fixed = view(&mut heap, ElementKind::Int16, buffer, 4, Some(4));
    let tracking = view(&mut heap, ElementKind::Int16, buffer, 4, None);
    let data = DataView::new(&mut heap, buffer, 4, None).unwrap();
    fixed.set(&mut heap, 3, number(7.0)).unwrap();

    buffer.resize(&mut heap, 11).unwrap();
    assert!(fixed.is_out_of_bounds(&heap));
    assert_eq!((fixed.length(&heap), fixed.byte_length(&heap), fixed.byte_offset(&heap)), (0, 0, 0));
    // Also what would still be there.
    assert_eq!((fixed.get(&heap, 0), fixed.get_as::<i16>(&heap, 0)), (None, None));
    assert_eq!(fixed.set(&mut heap, 0, number(1.0)), Ok(false));
    assert!(!fixed.set_as(&mut heap, 0, 1_i16));
    let error = fixed.validate(&heap, "fill").unwrap_err();
    assert_eq!(error, Error::OutOfBounds { operation: "fill", byte_offset: 4, length: Some(8), byte_length: 11 });
    assert_eq!((tracking.length(&heap), tracking.byte_length(&heap)), (3, 6));
    assert_eq!(data.byte_length(&heap), Ok(7));

    buffer.resize(&mut heap, 3).unwrap();
    assert!(tracking.is_out_of_bounds(&heap) && data.byte_length(&heap).is_err());
    buffer.resize(&mut heap, 4).unwrap();
    assert!(!tracking.is_out_of_bounds(&heap) && tracking.length(&heap) == 0);
    buffer.resize(&mut heap, 32).unwrap();
    assert_eq!((fixed.length(&heap), tracking.length(&heap)), (4, 14));
    assert_eq!(fixed.get(&heap, 3), Some(number(0.0)), "what was dropped was zeroed");

    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert!(fixed.is_out_of_bounds(&heap) && tracking.is_out_of_bounds(&heap));
    assert_eq!(tracking.as_slice::<i16>(&heap).unwrap_err().kind(), ErrorKind::TypeError);
    assert_eq!(data.byte_offset(&heap), Err(Error::Detached { operation: "byteOffset" }));
}

#[test]
fn indices_beyond_everything_are_nothing() {
    let mut heap = calm_heap();
    let array = TypedArray::with_length(&mut heap, ElementKind::Float64, 2).unwrap();
    for index in [2, usize::MAX, usize::MAX / 8 + 1, 1 << 61] {
        assert_eq!((array.get(&heap, index), array.get_as::<f64>(&heap, index)), (None, None));
        assert!(!array.set_as(&mut heap, index, 1.0) && array.set(&mut heap, index, number(1.0)) == Ok(false));
    }
    assert_eq!(array.as_slice::<f64>(&heap).unwrap(), [0.0; 2]);
}

#[test]
fn big_ints_and_numbers_do_not_mix() {
    let mut heap = calm_heap();
    let big = TypedArray::with_length(&mut heap, ElementKind::BigInt64, 2).unwrap();
    let small = TypedArray::with_length(&mut heap, ElementKind::Int32, 2).unwrap();
    let is_type_error =
        |error: Error| matches!(error, Error::ContentType { .. }) && error.kind() == ErrorKind::TypeError;
    assert!(is_type_error(big.set(&mut heap, 9, number(1.0)).unwrap_err()));
    assert!(is_type_error(small.set(&mut heap, 0, Element::BigInt(1)).unwrap_err()));
    assert!(is_type_error(big.set_from_array(&mut heap, small, 0.0).unwrap_err()));
    let witness = small.validate(&heap, "slice").unwrap();
    assert!(is_type_error(witness.slice_into(&mut heap, 0..1, big).unwrap_err()));
}

#[test]
fn a_resize_in_the_midst_of_fill_and_copy_within_is_seen() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 8, 8);
    let array = view(&mut heap, ElementKind::Uint8, buffer, 0, None);
    array.as_mut_slice::<u8>(&mut heap).unwrap().copy_from_slice(&[0, 1, 2, 3, 4, 5, 6, 7]);

    let witness = array.validate_to_write(&heap, "copyWithin").unwrap();
    buffer.resize(&mut heap, 5).unwrap();
    witness.copy_within(&mut heap, 0.0, 3.0, None).unwrap();
    assert_eq!(array.as_slice::<u8>(&heap).unwrap(), [3, 4, 2, 3, 4]);

    let witness = array.validate_to_write(&heap, "fill").unwrap();
    buffer.resize(&mut heap, 2).unwrap();
    witness.fill(&mut heap, number(9.0), 1.0, None).unwrap();
    buffer.resize(&mut heap, 4).unwrap();
    assert_eq!(array.as_slice::<u8>(&heap).unwrap(), [3, 9, 0, 0]);

    let witness = array.validate_to_write(&heap, "fill").unwrap();
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert_eq!(witness.fill(&mut heap, number(1.0), 0.0, None), Err(Error::Detached { operation: "fill" }));
    assert_eq!(witness.reverse(&mut heap), Err(Error::Detached { operation: "fill" }));
}

#[test]
fn a_comparator_may_do_what_it_likes() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 6, 6);
    let array = view(&mut heap, ElementKind::Uint8, buffer, 0, None);
    let reset = |heap: &mut Heap| {
        buffer.resize(heap, 6).unwrap();
        array.as_mut_slice::<u8>(heap).unwrap().copy_from_slice(&[5, 3, 4, 0, 2, 1]);
        array.validate_to_write(heap, "sort").unwrap()
    };
    let witness = reset(&mut heap);
    let shrink = |heap: &mut Heap, a: Element, b: Element| {
        buffer.resize(heap, 3)?;
        heap.collect(&(array, buffer));
        Ok::<_, Error>(a.order(&b))
    };
    witness.sort_by(&mut heap, shrink).unwrap();
    assert_eq!(array.as_slice::<u8>(&heap).unwrap(), [0, 1, 2]);

    let witness = reset(&mut heap);
    let fails = witness.sort_by(&mut heap, |_, _, _| Err(Error::DetachKey));
    assert_eq!(fails, Err(Error::DetachKey));
    assert_eq!(array.as_slice::<u8>(&heap).unwrap(), [5, 3, 4, 0, 2, 1]);

    let witness = reset(&mut heap);
    witness.sort_by(&mut heap, |_, _, _| Ok::<_, Error>(Ordering::Greater)).unwrap();
    let mut sorted = array.as_slice::<u8>(&heap).unwrap().to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2, 3, 4, 5], "nonsense loses nothing");

    let witness = array.validate_to_write(&heap, "sort").unwrap();
    let detach = |heap: &mut Heap, a: Element, b: Element| {
        buffer.detach(heap, DetachKey::Undefined)?;
        Ok::<_, Error>(a.order(&b))
    };
    assert_eq!(witness.sort_by(&mut heap, detach), Ok(()));
}

#[test]
fn a_source_may_shrink_the_target() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 4, 4);
    let array = view(&mut heap, ElementKind::Uint8, buffer, 0, None);
    let element = |heap: &mut Heap, index: usize| {
        if index == 2 {
            buffer.resize(heap, 2)?;
        }
        Ok::<_, Error>(number(index as f64 + 1.0))
    };
    array.set_with(&mut heap, 0.0, 4, element).unwrap();
    assert_eq!(array.as_slice::<u8>(&heap).unwrap(), [1, 2]);
    let unused = |_: &mut Heap, _| Err(Error::DetachKey);
    for offset in [3.0, f64::INFINITY, 1e300] {
        let error = array.set_with(&mut heap, offset, 1, unused).unwrap_err();
        assert!(matches!(error, Error::Range { available: 2, .. }), "{error}");
    }
    assert_eq!(array.set_with(&mut heap, -1.0, 0, unused).unwrap_err().kind(), ErrorKind::RangeError);
}

#[test]
fn arrays_on_the_same_bytes_are_copied_as_if_apart() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 8).unwrap();
    let array = view(&mut heap, ElementKind::Uint8, buffer, 0, None);
    array.as_mut_slice::<u8>(&mut heap).unwrap()[..4].copy_from_slice(&[1, 2, 3, 4]);
    let shorts = view(&mut heap, ElementKind::Uint16, buffer, 0, Some(4));
    let first = array.subarray(&mut heap, 0.0, Some(4.0)).unwrap();
    shorts.set_from_array(&mut heap, first, 0.0).unwrap();
    assert_eq!(shorts.as_slice::<u16>(&heap).unwrap(), [1, 2, 3, 4]);
    let part = array.subarray(&mut heap, 0.0, Some(6.0)).unwrap();
    array.set_from_array(&mut heap, part, 2.0).unwrap();
    assert_eq!(array.as_slice::<u8>(&heap).unwrap(), [1, 0, 1, 0, 2, 0, 3, 0]);
}

#[test]
fn a_cursor_sees_what_is_there() {
    let mut heap = calm_heap();
    let buffer = resizable(&mut heap, 2, 8);
    let array = view(&mut heap, ElementKind::Uint8, buffer, 0, None);
    let mut cursor = Cursor::new(array);
    assert!(cursor.next(&heap).unwrap().is_some());
    buffer.resize(&mut heap, 3).unwrap();
    assert!(cursor.next(&heap).unwrap().is_some() && cursor.next(&heap).unwrap().is_some());
    assert_eq!(cursor.next(&heap), Ok(None));
    buffer.resize(&mut heap, 8).unwrap();
    assert_eq!(cursor.next(&heap), Ok(None), "the end is for ever");
    let mut cursor = Cursor::new(array);
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert!(cursor.next(&heap).is_err());
}

#[test]
fn foreign_bytes_that_lie_askew_can_be_read_but_not_borrowed() {
    let mut heap = calm_heap();
    let data = Box::leak(Box::new([0_u64; 4]));
    let bytes = std::ptr::from_mut(data).cast::<u8>();
    #[allow(clippy::cast_ptr_alignment, reason = "it was that of a box")]
    let free = |data: *mut u8, _: usize, (): ()| {
        // SAFETY: the box above.
        drop(unsafe { Box::from_raw(data.wrapping_sub(1).cast::<[u64; 4]>()) });
    };
    // SAFETY: the bytes are leaked, and freed by the deleter.
    let store = unsafe { BackingStore::from_raw(bytes.wrapping_add(1), 16, free, ()) }.unwrap();
    let buffer = ArrayBuffer::from_store(&mut heap, store).unwrap();
    let array = view(&mut heap, ElementKind::Float64, buffer, 8, None);
    assert!(array.set_as(&mut heap, 0, 0.5) && array.get(&heap, 0) == Some(number(0.5)));
    let error = array.as_slice::<f64>(&heap).unwrap_err();
    assert!(matches!(error, Error::Alignment { element_size: 8, .. }), "{error}");
    array.validate_to_write(&heap, "sort").unwrap().sort(&mut heap).unwrap();
    // SAFETY: it is refused, as threads could not share it.
    let shared = unsafe { BackingStore::from_raw_shared(bytes.wrapping_add(1), 8, |_, _, ()| (), ()) };
    assert!(matches!(shared, Err(Error::Alignment { .. })));
}

#[test]
fn data_views_check_the_range_last() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 8).unwrap();
    let view = DataView::new(&mut heap, buffer, 0, None).unwrap();
    for index in [1, 8, 1 << 53, u64::MAX] {
        let error = view.get(&heap, ElementKind::Float64, index, Endian::Big).unwrap_err();
        assert!(matches!(error, Error::Range { length: 8, available: 8, .. }), "{error}");
    }
    let error = view.set(&mut heap, ElementKind::BigInt64, 99, number(1.0), Endian::Big).unwrap_err();
    assert!(matches!(error, Error::ContentType { .. }), "{error}");
    buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    let error = view.get(&heap, ElementKind::Int8, u64::MAX, Endian::Big).unwrap_err();
    assert_eq!(error, Error::Detached { operation: "get" });
}

/// What the language's conversion should give, by way of Rust's own.
fn converted(kind: ElementKind, value: f64) -> f64 {
    let modular = |bits: i32, signed: bool| {
        if !value.is_finite() {
            return 0.0;
        }
        let modulus = (1_u64 << bits) as f64;
        let rest = value.trunc().rem_euclid(modulus);
        if signed && rest >= modulus / 2.0 { rest - modulus } else { rest }
    };
    match kind {
        ElementKind::Int8 => modular(8, true),
        ElementKind::Uint8 => modular(8, false),
        ElementKind::Int16 => modular(16, true),
        ElementKind::Uint16 => modular(16, false),
        ElementKind::Int32 => modular(32, true),
        ElementKind::Uint32 => modular(32, false),
        ElementKind::Uint8Clamped if value.is_nan() => 0.0,
        ElementKind::Uint8Clamped => value.clamp(0.0, 255.0).round_ties_even(),
        ElementKind::Float32 => f64::from(value as f32),
        _ => value,
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    #[allow(clippy::float_cmp, reason = "exact")]
    fn conversions_are_the_languages(value in prop_oneof![any::<f64>(), -1e6..1e6_f64, (-1e22..1e22_f64).prop_map(f64::trunc)]) {
        let mut heap = calm_heap();
        for kind in ElementKind::ALL.into_iter().filter(|kind| !kind.is_big_int() && *kind != ElementKind::Float16) {
            let array = TypedArray::with_length(&mut heap, kind, 1).unwrap();
            array.set(&mut heap, 0, number(value)).unwrap();
            let Some(Element::Number(stored)) = array.get(&heap, 0) else { panic!("a number") };
            let expected = converted(kind, value);
            prop_assert!(stored == expected || (stored.is_nan() && expected.is_nan()), "{kind:?} {value} {stored} {expected}");
        }
    }

    #[test]
    fn float16_gives_the_nearest(value in -70_000.0..70_000.0_f64) {
        let mut heap = calm_heap();
        let array = TypedArray::with_length(&mut heap, ElementKind::Float16, 1).unwrap();
        array.set(&mut heap, 0, number(value)).unwrap();
        let stored = array.get_as::<f16>(&heap, 0).unwrap();
        if stored.is_finite() {
            let distance = (f64::from(stored) - value).abs();
            for bits in [stored.to_bits().wrapping_sub(1), stored.to_bits() + 1] {
                let other = f64::from(f16::from_bits(bits));
                let is_farther = other.is_nan() || (other - value).abs() >= distance;
                prop_assert!(is_farther, "{value}: {stored} is farther than {other}");
            }
        } else {
            prop_assert!(value.abs() >= 65_520.0);
        }
    }

    #[test]
    fn data_views_agree_with_arrays_whatever_the_bytes_are(start in prop::collection::vec(any::<u8>(), 24), at in 0..16_usize) {
        let mut heap = calm_heap();
        let plain = bytes(&mut heap, &start).buffer(&heap);
        let shared = SharedArrayBuffer::new(&mut heap, 24).unwrap();
        shared.backing_store(&heap).copy_from(0, &start).unwrap();
        for kind in ElementKind::ALL {
            let size = kind.size();
            for (order, other) in [(Endian::Little, Endian::Big), (Endian::Big, Endian::Little)] {
                let view = DataView::new(&mut heap, plain, 0, None).unwrap();
                let on_shared = DataView::new(&mut heap, shared, 0, None).unwrap();
                let element = view.get(&heap, kind, at as u64, order).unwrap();
                let same = on_shared.get(&heap, kind, at as u64, order).unwrap();
                prop_assert_eq!(format!("{element:?}"), format!("{same:?}"));
                view.set(&mut heap, kind, at as u64, element, other).unwrap();
                let reversed: Vec<u8> = start[at..at + size].iter().rev().copied().collect();
                let is_nan = matches!(element, Element::Number(number) if number.is_nan());
                let bytes = TypedArray::new(&mut heap, ElementKind::Uint8, plain, at as u64, Some(size as u64)).unwrap();
                prop_assert!(is_nan || bytes.as_slice::<u8>(&heap).unwrap() == reversed);
                bytes.as_mut_slice::<u8>(&mut heap).unwrap().copy_from_slice(&start[at..at + size]);
            }
        }
    }
}
