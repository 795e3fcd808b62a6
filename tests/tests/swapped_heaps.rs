//! A scope lends its body a `&mut Heap`, which safe code can swap for another heap, or replace. Whatever is done with
//! it, each handle is good for the heap that made it and for no other, nothing dies that a scope in its place keeps, and
//! everything is dropped once.

use std::mem::{replace, swap};
use tumulus_heap::{Gc, Heap, Root};
use tumulus_tests::{Ledger, Token, calm_heap, catch, expect_sound, scaled};

/// Checks that `gc` is alive in the one heap and refused by the other.
#[track_caller]
fn expect_in(home: &Heap, other: &mut Heap, gc: Gc<Token>, id: usize) {
    assert_eq!(home[gc].id(), id);
    assert!(other.try_get(gc).is_err() && other.try_get_mut(gc).is_err() && other.try_root(gc).is_err());
}

#[test]
fn the_heap_of_a_scope_is_swapped_for_another() {
    let ledger = Ledger::new();
    let (mut here, mut there) = (calm_heap(), calm_heap());
    let early = there.alloc(ledger.token());
    let (first, second) = here.scope(|heap| {
        let first = heap.alloc(ledger.token());
        swap(heap, &mut there);
        let second = heap.alloc(ledger.token());
        expect_in(heap, &mut there, second, 2);
        expect_in(&there, heap, first, 1);
        // What the scope had noted went away with its heap, for which the scope never ends.
        there.collect(&());
        assert_eq!((there[first].id(), there.statistics().temporaries), (1, 1));
        (first, second)
    });
    // `here` is the heap that was `there`, and the other way round.
    expect_in(&here, &mut there, early, 0);
    expect_in(&here, &mut there, second, 2);
    expect_in(&there, &mut here, first, 1);
    expect_sound(&here);
    expect_sound(&there);
    here.collect(&());
    assert!(!here.contains(early) && !here.contains(second));
    expect_sound(&here);
    drop((here, there));
    ledger.expect_all_dropped();
}

#[test]
fn heaps_are_swapped_between_scopes_of_both() {
    let ledger = Ledger::new();
    let (mut here, mut there) = (calm_heap(), calm_heap());
    here.scope(|here| {
        there.scope(|there| {
            let a = here.alloc(ledger.token());
            let b = there.alloc(ledger.token());
            here.scope(|inner| {
                let c = inner.alloc(ledger.token());
                swap(inner, there);
                let d = inner.alloc(ledger.token());
                inner.collect(&());
                there.collect(&());
                expect_in(there, inner, a, 0);
                expect_in(there, inner, c, 2);
                expect_in(inner, there, b, 1);
                expect_in(inner, there, d, 3);
            });
            // Back in order, so that each scope ends on the heap that it was opened on.
            swap(here, there);
            here.collect(&());
            expect_in(here, there, a, 0);
            expect_sound(here);
            expect_sound(there);
        });
    });
    drop((here, there));
    ledger.expect_all_dropped();
}

#[test]
fn the_heap_of_a_scope_is_replaced_and_dropped() {
    let ledger = Ledger::new();
    let mut heap = calm_heap();
    let outer = heap.alloc(ledger.token());
    let root = heap.root(outer);
    let inner = heap.scope(|heap| {
        let lost = heap.alloc(ledger.token());
        let old = replace(heap, calm_heap());
        assert!(old.contains(lost) && !heap.contains(lost));
        drop(old);
        ledger.expect_all_dropped();
        let new = heap.alloc(ledger.token());
        assert!(heap.try_get(lost).is_err());
        new
    });
    assert_eq!(heap[inner].id(), 2);
    assert!(heap.try_get(root.get()).is_err() && heap.try_get(outer).is_err());
    heap.collect(&());
    ledger.expect_all_dropped();
    expect_sound(&heap);
}

#[test]
fn a_body_that_panics_after_a_swap_ends_its_scope_all_the_same() {
    let ledger = Ledger::new();
    let (mut here, mut there) = (calm_heap(), calm_heap());
    let mut handles: Vec<Gc<Token>> = Vec::new();
    let caught = catch(|| {
        here.scope(|heap| {
            handles.push(heap.alloc(ledger.token()));
            heap.scope(|heap| {
                handles.push(heap.alloc(ledger.token()));
                swap(heap, &mut there);
                handles.push(heap.alloc(ledger.token()));
                assert!(handles.is_empty(), "in the midst of it");
            });
        });
    });
    assert!(caught.is_err());
    assert_eq!(here.statistics().temporaries, 0);
    expect_in(&here, &mut there, handles[2], 2);
    expect_in(&there, &mut here, handles[0], 0);
    for heap in [&mut here, &mut there] {
        expect_sound(heap);
        let more = heap.alloc(ledger.token());
        heap.collect(&more);
        assert!(heap.contains(more));
        expect_sound(heap);
    }
    assert!(!here.contains(handles[2]));
    drop((here, there));
    ledger.expect_all_dropped();
}

#[test]
fn a_swapped_heap_takes_its_roots_along() {
    let ledger = Ledger::new();
    let (mut here, mut there) = (calm_heap(), calm_heap());
    let gc = here.alloc(ledger.token());
    let root = here.root(gc);
    swap(&mut here, &mut there);
    here.collect(&());
    there.collect(&());
    assert_eq!((here.statistics().roots, there.statistics().roots), (0, 1));
    assert_eq!(there[&root].id(), 0);
    assert!(here.try_root(root.get()).is_err());
    let clone = root.clone();
    drop(root);
    there.collect(&());
    assert_eq!(there[&clone].id(), 0);
    drop(clone);
    there.collect(&());
    ledger.expect_all_dropped();
}

#[test]
fn roots_of_each_heap_inside_the_other_are_dropped_in_either_order() {
    /// Keeps an object of another heap alive, which is not a matter for this one.
    #[derive(tumulus_heap::Trace)]
    struct Abroad {
        token: Token,
        #[trace(skip)]
        held: Vec<Root<Abroad>>,
    }
    const COUNT: usize = scaled(100, 20);
    for here_goes_first in [false, true] {
        let ledger = Ledger::new();
        let mut heaps = [calm_heap(), calm_heap()];
        let mut last: [Option<Root<Abroad>>; 2] = [None, None];
        for n in 0..COUNT {
            let held = last.iter().flatten().cloned().collect();
            let gc = heaps[n % 2].alloc(Abroad { token: ledger.token(), held });
            last[n % 2] = Some(heaps[n % 2].root(gc));
        }
        for heap in &mut heaps {
            heap.collect(&());
        }
        ledger.expect_dropped(0);
        assert_eq!(heaps.iter().map(|heap| heap.statistics().roots).sum::<usize>(), COUNT - 1 + COUNT - 2 + 2);
        for (heap, last) in heaps.iter().zip(&last) {
            assert_eq!(heap[last.as_ref().unwrap()].held.len(), 2);
        }
        let [mut here, mut there] = heaps;
        if here_goes_first {
            drop(here);
            // What held on to the objects here is gone but for what is there.
            ledger.expect_dropped(COUNT / 2);
            let clone = last[0].clone().unwrap();
            assert!(there.try_get(clone.get()).is_err());
            last = [None, None];
            there.collect(&());
            ledger.expect_dropped(COUNT / 2 + 1);
            expect_sound(&there);
            drop(there);
            ledger.expect_all_dropped();
            drop(clone);
        } else {
            // Each collection frees what the other heap held on to until then.
            last = [None, None];
            let mut rounds = 0;
            while ledger.dropped() < COUNT {
                here.collect(&());
                there.collect(&());
                rounds += 1;
                assert!(rounds <= COUNT, "{} of {COUNT} were dropped", ledger.dropped());
            }
            assert_eq!((here.statistics().roots, there.statistics().roots), (0, 0));
            expect_sound(&here);
            expect_sound(&there);
        }
        drop(last);
        ledger.expect_all_dropped();
    }
}
