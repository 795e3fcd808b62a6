//! What keeps an object alive: roots, in whatever order they come and go, open scopes, and what a safepoint is given.

use std::collections::HashSet;
use std::ops::ControlFlow;
use tumulus_heap::{Gc, Heap, Root, RootError, Trace};
use tumulus_tests::{Ledger, Token, expect_sound, panic_words, scaled};

#[test]
fn a_root_keeps_its_object_until_the_last_clone_is_gone() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let gc = heap.alloc(ledger.token());
    let first = heap.root(gc);
    let second = first.clone();
    let third = heap.root(gc);
    assert_eq!(heap.statistics().roots, 3);
    for root in [second, first, third] {
        heap.collect(&());
        ledger.expect_dropped(0);
        assert_eq!((root.get(), heap[&root].id()), (gc, 0));
        drop(root);
    }
    assert_eq!(heap.statistics().roots, 0);
    heap.collect(&());
    ledger.expect_all_dropped();
}

#[test]
fn roots_come_and_go_in_any_order() {
    const STEPS: usize = scaled(20_000, 400);
    let mut heap = Heap::new();
    let mut roots: Vec<(usize, Root<usize>)> = Vec::new();
    let mut state = 1_u64;
    for n in 0..STEPS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let pick = (state >> 33) as usize;
        match pick % 5 {
            0 | 1 => {
                let gc = heap.alloc(n);
                roots.push((n, heap.root(gc)));
            }
            2 if !roots.is_empty() => {
                let (n, root) = &roots[pick % roots.len()];
                roots.push((*n, root.clone()));
            }
            3 | 4 if !roots.is_empty() => drop(roots.swap_remove(pick % roots.len())),
            _ => {}
        }
        if n % (STEPS / 10) == 0 {
            heap.collect(&());
            assert_eq!(heap.statistics().roots, roots.len());
            let distinct: HashSet<usize> = roots.iter().map(|(n, _)| *n).collect();
            assert_eq!(heap.statistics().live_objects, distinct.len() as u64);
            assert!(roots.iter().all(|(n, root)| heap[root] == *n));
        }
    }
    expect_sound(&heap);
}

#[test]
fn a_root_that_is_dropped_without_the_heap_at_hand_lets_go() {
    struct Host {
        callbacks: Vec<Root<String>>,
    }
    let mut heap = Heap::new();
    let mut host = Host { callbacks: Vec::new() };
    for n in 0..10 {
        let gc = heap.alloc(n.to_string());
        host.callbacks.push(heap.root(gc));
    }
    heap.collect(&());
    assert_eq!(heap.statistics().live_objects, 10);
    drop(host);
    heap.collect(&());
    assert_eq!(heap.statistics().live_objects, 0);
}

#[test]
fn roots_of_slices_strings_and_large_objects() {
    let mut heap = Heap::new();
    let slice = heap.alloc_slice(&[1, 2, 3]);
    let text = heap.alloc_str("text");
    let large = heap.alloc_with(|| [9_u8; 5_000]);
    let (slice, text, large) = (heap.root(slice), heap.root(text), heap.root(large));
    heap.collect(&());
    heap[&slice][1] = 20;
    assert_eq!(heap[&slice], [1, 20, 3]);
    assert_eq!((&heap[&text], heap[&large][4_999]), ("text", 9));
    assert_eq!(format!("{text:?}"), format!("Root({:?})", text.get()));
}

#[test]
fn a_root_of_another_heap_is_refused() {
    let (mut here, mut there) = (Heap::new(), Heap::new());
    let gc = there.alloc(1_u8);
    let root = there.root(gc);
    assert!(matches!(here.try_root(gc), Err(RootError::Handle(_))));
    assert!(panic_words(|| here[&root]).contains("belongs to another heap"));
    here.collect(&());
    there.collect(&());
    assert_eq!(there[&root], 1);
}

#[test]
fn what_a_safepoint_is_given_is_alive_and_the_rest_is_not() {
    let mut heap = Heap::new();
    let (stack, globals) = (vec![heap.alloc(1), heap.alloc(2)], Some(heap.alloc(3)));
    let text = heap.alloc_str("text");
    let lost = heap.alloc(4);
    heap.collect(&(&(&stack, &globals), &[text][..]));
    assert!(stack.iter().chain(&globals).all(|&gc| heap.contains(gc)) && heap.contains(text));
    assert!(!heap.contains(lost));
}

#[test]
fn temporaries_live_to_the_end_of_their_scope() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    heap.alloc(ledger.token());
    heap.scope(|heap| {
        for n in 0..100 {
            heap.alloc(ledger.token());
            heap.alloc_slice_with(3, |_| ledger.token());
            if n % 10 == 0 {
                heap.safepoint(&());
            }
        }
        let large = heap.alloc_with(|| (ledger.token(), [7_u64; 1_000]));
        heap.collect(&());
        // What was allocated before the scope was not kept by it.
        ledger.expect_dropped(1);
        heap.collect_minor(&());
        ledger.expect_dropped(1);
        assert_eq!(heap[large].1[999], 7);
        assert_eq!(heap.statistics().temporaries, 201);
    });
    assert_eq!(heap.statistics().temporaries, 0);
    heap.collect(&());
    ledger.expect_all_dropped();
}

#[test]
fn the_result_of_a_scope_is_handed_outward_level_by_level() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let innermost = heap.scope(|heap| {
        let middle = heap.scope(|heap| {
            let inner = heap.scope(|heap| {
                heap.alloc(ledger.token());
                heap.alloc(ledger.token())
            });
            heap.collect(&());
            ledger.expect_dropped(1);
            assert_eq!(heap.statistics().temporaries, 1);
            inner
        });
        heap.collect(&());
        ledger.expect_dropped(1);
        assert_eq!(heap[middle].id(), 1);
        middle
    });
    // No scope is left: it is good until the next safepoint.
    assert_eq!(heap[innermost].id(), 1);
    heap.collect(&());
    ledger.expect_all_dropped();
}

#[test]
fn results_of_many_forms_are_handed_outward() {
    type Pair = (Gc<u32>, Gc<str>);
    let mut heap = Heap::new();
    heap.scope(|heap| {
        let made = |heap: &mut Heap, n: u32| (heap.alloc(n), heap.alloc_str(&n.to_string()));
        let option: Option<Pair> = heap.scope(|heap| Some(made(heap, 1)));
        let none: Option<Pair> = heap.scope(|heap| Some(made(heap, 2)).filter(|_| false));
        let ok: Result<Pair, String> = heap.scope(|heap| Ok(made(heap, 3)));
        let error: Result<u8, Pair> = heap.scope(|heap| Err(made(heap, 4)));
        let many: Vec<Pair> = heap.scope(|heap| (5..20).map(|n| made(heap, n)).collect());
        let boxed: Box<[Pair; 2]> = heap.scope(|heap| Box::new([made(heap, 20), made(heap, 21)]));
        let erased = heap.scope(|heap| heap.alloc(22_u32).erase());
        let number: usize = heap.scope(|heap| {
            let (_, text) = made(heap, 23);
            heap[text].len()
        });
        let () = heap.scope(|heap| drop(vec![made(heap, 24)]));
        heap.collect(&());
        assert_eq!((none, number), (None, 2));
        let (Ok(ok), Err(error)) = (ok, error) else { panic!("the results were mixed up") };
        let mut expected: HashSet<u32> = (5..20).collect();
        for (number, text) in many.into_iter().chain(*boxed).chain([option.unwrap(), ok, error]) {
            assert_eq!(heap[number].to_string(), heap[text]);
            expected.remove(&heap[number]);
        }
        assert!(expected.is_empty());
        assert_eq!(heap[erased.downcast::<u32>(heap).unwrap()], 22);
        assert_eq!(heap.statistics().live_objects, 2 * 20 + 1);
        expect_sound(heap);
    });
    heap.collect(&());
    assert_eq!(heap.statistics().live_objects, 0);
}

#[test]
fn keep_holds_what_was_loaded() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let stack: Gc<Vec<Gc<Token>>> = heap.alloc(Vec::new());
    for _ in 0..3 {
        let token = heap.alloc(ledger.token());
        heap.get_mut(stack).push(token);
    }
    heap.collect(&stack);
    heap.scope(|heap| {
        let (kept, lost) = (heap.get_mut(stack).pop().unwrap(), heap.get_mut(stack).pop().unwrap());
        assert_eq!(heap.keep(kept), kept);
        // Inside an inner scope it is kept to the end of that one only.
        heap.scope(|heap| {
            heap.keep(lost);
            heap.collect(&stack);
            ledger.expect_dropped(0);
        });
        heap.collect(&stack);
        ledger.expect_dropped(1);
        assert!(heap.contains(kept) && !heap.contains(lost));
    });
    heap.collect(&stack);
    ledger.expect_dropped(2);
}

#[test]
fn keep_outside_of_any_scope_is_a_mistake_that_is_named() {
    let mut heap = Heap::new();
    let gc = heap.alloc(1);
    assert!(panic_words(|| heap.keep(gc)).contains("outside of any scope"));
    heap.scope(|heap| heap.keep(gc).erase());
    assert!(panic_words(|| heap.keep(gc)).contains("outside of any scope"));
}

#[test]
fn recursion_roots_its_temporaries_by_scopes() {
    #[derive(Trace)]
    struct Sum(u64, Option<(Gc<Sum>, Gc<Sum>)>);
    fn build(heap: &mut Heap, depth: u32) -> Gc<Sum> {
        heap.scope(|heap| {
            if depth == 0 {
                return heap.alloc(Sum(1, None));
            }
            let left = build(heap, depth - 1);
            let right = build(heap, depth - 1);
            if depth == 4 {
                heap.collect(&());
            }
            let sum = heap[left].0 + heap[right].0;
            heap.alloc(Sum(sum, Some((left, right))))
        })
    }
    let mut heap = Heap::new();
    let depth = scaled(8, 6) as u32;
    let sum = build(&mut heap, depth);
    assert_eq!(heap[sum].0, 1 << depth);
    heap.collect(&sum);
    assert_eq!(heap.statistics().live_objects, (2 << depth) - 1);
}

#[test]
fn a_failed_allocation_leaves_no_temporary() {
    let mut heap = Heap::builder().limit(0).build();
    heap.scope(|heap| {
        assert!(heap.try_alloc(1).is_err() && heap.try_alloc_str("x").is_err());
        assert!(heap.try_alloc_slice(&[0_u8; 10_000]).is_err());
        assert_eq!(heap.statistics().temporaries, 0);
    });
}

#[test]
fn a_loop_of_scopes_keeps_the_state_of_one_turn_only() {
    const TURNS: usize = scaled(10_000, 50);
    let mut heap = Heap::new();
    let (first, other) = heap.scope(|heap| {
        let other = heap.alloc(u32::MAX);
        let zero = heap.alloc(0);
        let last = heap.scope_loop(zero, |heap, number: Gc<usize>| {
            let lost = heap.alloc(7);
            heap.collect(&()); // `number` is kept by the turn, though nobody else refers to it
            assert!(heap.contains(lost));
            // `other`, `zero`, the number of the turn before, the one of this turn, and `lost`.
            assert!(heap.statistics().live_objects <= 4, "{}", heap.statistics().live_objects);
            let next = heap[number] + 1;
            let next = heap.alloc(next);
            if heap[next] < TURNS { ControlFlow::Continue(next) } else { ControlFlow::Break(next) }
        });
        heap.collect(&());
        assert_eq!(heap[last], TURNS); // handed outward
        (last, other)
    });
    assert_eq!((heap[first], heap[other]), (TURNS, u32::MAX));
    heap.collect(&());
    assert_eq!(heap.statistics().live_objects, 0);
    expect_sound(&heap);
}

#[test]
fn a_loop_of_scopes_that_panics_ends_its_scope() {
    let mut heap = Heap::new();
    let words = panic_words(|| {
        heap.scope_loop(0, |heap, turn| {
            heap.alloc(turn);
            assert!(turn < 3, "enough");
            ControlFlow::<(), u32>::Continue(turn + 1)
        });
    });
    assert!(words.contains("enough"));
    heap.collect(&());
    assert_eq!(heap.statistics().live_objects, 0);
    let number = heap.alloc(1_u8);
    let words = panic_words(|| heap.keep_all(Some(number)));
    assert!(words.contains("outside of any scope"), "{words}");
}

#[test]
fn keep_all_keeps_what_a_value_refers_to() {
    let mut heap = Heap::new();
    let holder: Gc<Vec<Gc<u8>>> = heap.alloc(Vec::new());
    heap.collect(&holder);
    let numbers = [heap.alloc(1), heap.alloc(2)];
    heap.get_mut(holder).extend(numbers);
    heap.scope(|heap| {
        let taken = std::mem::take(heap.get_mut(holder));
        let taken = heap.keep_all(taken);
        heap.collect(&holder);
        assert_eq!((heap[taken[0]], heap[taken[1]]), (1, 2));
    });
    heap.collect(&holder);
    assert!(!heap.contains(numbers[0]));
    let words = panic_words(|| heap.scope(|heap| heap.keep_all(Some(numbers[1]))));
    assert!(words.contains("Option"), "{words}");
    expect_sound(&heap);
}
