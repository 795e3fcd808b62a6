//! A test: a heap tells 65,536 combinations of type and size apart. One more is an error, and what it knows goes on.
//!
//! The combinations are made known to the table of spaces as an allocation does it, but without an allocation: that needs
//! a few hundred types in place of thousands, which the compiler has to go through each time.

use super::layout::{GRANULE, MAX_STRIDE, Shape};
use super::object::{Cell, TypeInfo};
use crate::error::AllocErrorKind;
use crate::{Gc, Heap, Zeal};
use std::alloc::Layout;
use std::marker::PhantomData;

/// A type for each choice of the parameters.
type Element<A, B, C> = (u8, PhantomData<(A, B, C)>);

/// Calls a function once for each of nine types, as its last parameter.
macro_rules! for_each_type {
    ($function:ident($infos:expr) $($given:ident)*) => {
        for_each_type!(@ $function $infos, [$($given)*] u8 u16 u32 u64 i8 i16 i32 i64 bool);
    };
    (@ $function:ident $infos:expr, $given:tt $($type:ident)*) => {
        $(for_each_type!(# $function $infos, $given $type);)*
    };
    (# $function:ident $infos:expr, [$($given:ident)*] $type:ident) => {
        $function::<$($given,)* $type>($infos);
    };
}

fn add<A: 'static, B: 'static, C: 'static>(infos: &mut Vec<&'static TypeInfo>) {
    infos.push(<Element<A, B, C>>::INFO);
}

fn for_each_c<A: 'static, B: 'static>(infos: &mut Vec<&'static TypeInfo>) {
    for_each_type!(add(infos) A B);
}

fn for_each_b<A: 'static>(infos: &mut Vec<&'static TypeInfo>) {
    for_each_type!(for_each_c(infos) A);
}

#[test]
#[cfg_attr(miri, ignore = "a table of 65,536 takes hours")]
fn one_type_too_many_is_an_error_and_those_before_it_go_on() {
    struct New;
    type Unknown = (u16, PhantomData<New>);

    let mut infos = Vec::new();
    for_each_type!(for_each_b(&mut infos));
    let shapes: Vec<Shape> = (1..=MAX_STRIDE)
        .map(|granules| Shape::of(Layout::from_size_align(granules * GRANULE - 8, 8).unwrap()))
        .chain([Shape::OUTLINE])
        .collect();

    let mut heap = Heap::builder().zeal(Zeal::none()).build();
    let before: Gc<[u64]> = heap.alloc_slice(&[1, 2, 3]);
    let mut known = 1;
    let refused = infos.iter().flat_map(|info| shapes.iter().map(move |&shape| (*info, shape))).find_map(|pair| {
        let found = heap.store.spaces.find(pair.0, pair.1);
        known += usize::from(found.is_ok());
        found.err()
    });
    assert_eq!((refused, known), (Some(AllocErrorKind::TooManyTypes), 65_536));

    let error = heap.try_alloc::<Unknown>((7, PhantomData)).unwrap_err();
    assert_eq!((error.kind, error.value.0), (AllocErrorKind::TooManyTypes, 7));
    assert!(error.to_string().contains("too many types of objects; use several heaps"), "{error}");
    assert_eq!(heap.try_alloc_slice_with::<Unknown>(1_000, |_| unreachable!()).unwrap_err().kind, error.kind);
    assert_eq!(heap.try_alloc_str("no string yet").unwrap_err().kind, error.kind);

    // What was known before the end is as good as ever.
    let small: Gc<Element<u8, u8, u8>> = heap.alloc((2, PhantomData));
    let lost = heap.alloc_slice(&[4_u64, 5]);
    heap.collect(&(before, small));
    assert_eq!((&heap[before], heap[small].0), (&[1, 2, 3][..], 2));
    assert!(!heap.contains(lost));
    assert_eq!(heap.verify(), Ok(()));
    let another = Heap::builder().zeal(Zeal::none()).build().try_alloc::<Unknown>((7, PhantomData));
    assert!(another.is_ok());
}
