//! A handle whose object has died is an error that says so, whatever has become of its cell: another object of the
//! same type, one of another type of the same size, a page that was emptied and taken for something else, or memory
//! that was given back. It never leads to another object.
//!
//! The heaps have no zeal, as these tests are about cells that are reused.

use std::any::type_name;
use std::fmt::Debug;
use tumulus_heap::{Gc, HandleError, Heap, Object, RootError, Trace, Zeal};
use tumulus_tests::{calm_heap, expect_error, expect_sound, panic_words, place, scaled};

/// Enough of them to fill pages; under Miri, to be in one.
const MANY: usize = scaled(5_000, 40);

#[derive(Debug, PartialEq, Trace)]
struct Point {
    x: u64,
    y: u64,
}

/// As large as a `Point`, and full of what would be a bad address.
#[derive(Debug, PartialEq, Trace)]
struct Decoy(u64, Box<u64>);

fn decoy() -> Decoy {
    Decoy(u64::MAX, Box::new(7))
}

#[track_caller]
fn is_collected<T: Object + ?Sized>(error: &HandleError) {
    assert!(
        matches!(error, HandleError::Collected { type_name, .. } if *type_name == std::any::type_name::<T>()),
        "{error:?}"
    );
}

/// Tries everything that takes a handle.
#[track_caller]
fn expect_collected<T: Object + ?Sized + Debug>(heap: &mut Heap, gc: Gc<T>) {
    is_collected::<T>(&expect_error(heap.try_get(gc)));
    is_collected::<T>(&expect_error(heap.try_get_mut(gc)));
    is_collected::<T>(&expect_error(heap.try_get_disjoint_mut([gc])));
    is_collected::<T>(&expect_error(gc.erase().downcast::<T>(heap)));
    assert!(!heap.contains(gc) && !heap.contains(gc.erase()) && !gc.erase().is::<T>(heap));
    assert_eq!(gc.erase().type_name(heap), None);
    let RootError::Handle(error) = expect_error(heap.try_root(gc)) else { panic!("another error") };
    is_collected::<T>(&error);

    let words = heap.try_get(gc).unwrap_err().to_string();
    let name = type_name::<T>();
    assert!(words.starts_with(&format!("the {name} behind this handle was collected")), "{words}");
    let (index, stamp) = place(gc.erase());
    assert!(words.contains(&format!("#{index:x}@{stamp}")), "{words}");
    assert_eq!(panic_words(|| drop(format!("{:?}", &heap[gc]))), words);
    assert_eq!(panic_words(|| drop(format!("{:?}", &mut heap[gc]))), words);
    assert_eq!(panic_words(|| drop(format!("{:?}", heap.get(gc)))), words);
    assert_eq!(panic_words(|| drop(format!("{:?}", heap.get_mut(gc)))), words);
    assert_eq!(panic_words(|| drop(format!("{:?}", heap.get_disjoint_mut([gc])))), words);
    assert_eq!(panic_words(|| heap.root(gc)), words);
    assert_eq!(panic_words(|| heap.scope(|heap| heap.keep(gc).erase())), words);
}

/// Allocates until the cell of `lost` is taken again, and says how the new object was made.
#[track_caller]
fn take_the_cell_of<T, U: Trace + 'static>(heap: &mut Heap, lost: Gc<T>, make: impl Fn(usize) -> U) -> (usize, Gc<U>)
where
    T: Object + ?Sized,
{
    for n in 0..100_000 {
        let gc = heap.alloc(make(n));
        if place(gc).0 == place(lost.erase()).0 {
            return (n, gc);
        }
    }
    panic!("the cell was never handed out again, so that this test shows nothing");
}

#[test]
fn its_cell_holds_an_object_of_the_same_type() {
    let mut heap = calm_heap();
    let neighbour = heap.alloc(Point { x: 1, y: 2 });
    let lost = heap.alloc(Point { x: 3, y: 4 });
    heap.collect(&neighbour);
    let (n, taker) = take_the_cell_of(&mut heap, lost, |n| Point { x: n as u64, y: 5 });
    expect_collected(&mut heap, lost);
    assert_ne!(taker, lost);
    assert_eq!(heap[taker], Point { x: n as u64, y: 5 });
    assert_eq!(heap[neighbour], Point { x: 1, y: 2 });
    expect_sound(&heap);
}

#[test]
fn its_cell_holds_an_object_of_another_type_of_the_same_size() {
    let mut heap = calm_heap();
    let lost = heap.alloc(Point { x: 3, y: 4 });
    heap.collect(&());
    let (_, taker) = take_the_cell_of(&mut heap, lost, |_| decoy());
    expect_collected(&mut heap, lost);
    assert!(matches!(lost.erase().downcast::<Decoy>(&heap), Err(HandleError::Collected { .. })));
    assert_eq!(heap[taker], decoy());
}

#[test]
fn its_page_was_emptied_and_reused() {
    let mut heap = calm_heap();
    let lost: Vec<Gc<Point>> = (0..MANY as u64).map(|n| heap.alloc(Point { x: n, y: n })).collect();
    heap.collect(&());
    let decoys: Vec<Gc<Decoy>> = (0..MANY).map(|_| heap.alloc(decoy())).collect();
    let taken: std::collections::HashSet<u32> = decoys.iter().map(|&gc| place(gc).0).collect();
    let retaken = lost.iter().filter(|&&gc| taken.contains(&place(gc).0)).count();
    assert!(retaken > MANY / 5 * 4, "the pages were not reused: {retaken} of {MANY} cells");
    assert!(lost.iter().all(|&gc| heap.try_get(gc).is_err() && heap.try_get_mut(gc).is_err()));
    expect_collected(&mut heap, lost[0]);
    expect_collected(&mut heap, lost[MANY - 1]);
    assert!(decoys.iter().all(|&gc| heap[gc] == decoy()));
    expect_sound(&heap);
}

#[test]
fn the_heap_shrank() {
    let mut heap = Heap::builder().zeal(Zeal::none()).page_retention(0).build();
    let lost: Vec<Gc<Point>> = (0..MANY as u64).map(|n| heap.alloc(Point { x: n, y: n })).collect();
    heap.collect(&());
    assert_eq!(heap.statistics().committed_bytes, 0);
    for &gc in [&lost[0], &lost[MANY / 2], &lost[MANY - 1]] {
        expect_collected(&mut heap, gc);
    }
    // What was given back can be taken again.
    let (_, taker) = take_the_cell_of(&mut heap, lost[0], |_| decoy());
    expect_collected(&mut heap, lost[0]);
    assert_eq!(heap[taker], decoy());
    expect_sound(&heap);
}

#[test]
fn a_slice_a_string_and_a_large_object_say_the_same() {
    const LONG: usize = scaled(100_000, 3_000);
    let mut heap = calm_heap();
    let slice = heap.alloc_slice(&[1_u32, 2, 3]);
    let long_slice = heap.alloc_slice(&[7_u8; LONG]);
    let text = heap.alloc_str("gone");
    let large = heap.alloc_with(|| [9_u64; 1_000]);
    let nothing = heap.alloc(());
    heap.collect(&());
    for _ in 0..2 {
        expect_collected(&mut heap, slice);
        expect_collected(&mut heap, long_slice);
        expect_collected(&mut heap, text);
        expect_collected(&mut heap, large);
        expect_collected(&mut heap, nothing);
        heap.alloc_slice(&[4_u32, 5, 6]);
        heap.alloc_slice(&[8_u8; LONG]);
        heap.alloc_str("here");
        heap.alloc_with(|| [1_u64; 1_000]);
        heap.alloc(());
    }
}

#[test]
fn a_cell_that_changes_hands_a_thousand_times_answers_to_its_last_handle_only() {
    let mut heap = calm_heap();
    let first = heap.alloc(0_u64);
    let mut stale = vec![first];
    for n in 1..scaled(1_000, 20) as u64 {
        heap.collect(&());
        let gc = heap.alloc(n);
        assert_eq!(place(gc).0, place(first).0, "the cell was not reused");
        assert!(stale.iter().all(|&gc| matches!(heap.try_get(gc), Err(HandleError::Collected { .. }))));
        assert_eq!(heap[gc], n);
        stale.push(gc);
    }
}

#[test]
fn a_minor_collection_makes_the_same_of_them() {
    let mut heap = calm_heap();
    let neighbour = heap.alloc(Point { x: 1, y: 2 });
    let lost = heap.alloc(Point { x: 3, y: 4 });
    heap.collect_minor(&neighbour);
    expect_collected(&mut heap, lost);
    let (n, taker) = take_the_cell_of(&mut heap, lost, |n| Point { x: n as u64, y: 5 });
    expect_collected(&mut heap, lost);
    assert_eq!(heap[taker], Point { x: n as u64, y: 5 });
    assert_eq!(heap[neighbour], Point { x: 1, y: 2 });
}

#[test]
fn one_stale_handle_among_several_borrows_none() {
    let mut heap = calm_heap();
    let lost = heap.alloc(1_u32);
    heap.collect(&());
    let (a, b) = (heap.alloc(2_u32), heap.alloc(3_u32));
    for gcs in [[lost, a, b], [a, lost, b], [a, b, lost]] {
        is_collected::<u32>(&expect_error(heap.try_get_disjoint_mut(gcs)));
    }
    let error = expect_error(heap.try_get_disjoint_mut([a, b, a]));
    assert!(matches!(error, HandleError::Overlap { first: 0, second: 2, type_name: "u32", .. }), "{error:?}");
    assert_eq!(panic_words(|| drop(format!("{:?}", heap.get_disjoint_mut([a, b, a])))), error.to_string());
    assert_eq!((heap[a], heap[b]), (2, 3));
}

#[test]
fn the_wrong_type_is_named_beside_the_right_one() {
    let mut heap = Heap::new();
    let any = heap.alloc(Point { x: 1, y: 2 }).erase();
    let error = expect_error(any.downcast::<Decoy>(&heap));
    let (expected_name, actual_name) = (type_name::<Decoy>(), type_name::<Point>());
    assert!(
        matches!(error, HandleError::WrongType { expected, actual, .. } if (expected, actual) == (expected_name, actual_name)),
        "{error:?}"
    );
    let words = error.to_string();
    assert!(words.contains(expected_name) && words.contains(actual_name), "{words}");
    assert!(!any.is::<[Point]>(&heap) && !any.is::<str>(&heap) && any.is::<Point>(&heap));
}
