//! Registries that say what has died, and tokens of the dead: each once, in order, and to nobody else.

use tumulus_heap::{AnyGc, Budget, FinalizationRegistry, Gc, HandleError, Heap, Progress, RegisterError, Trace, Zeal};
use tumulus_tests::{Ledger, Token, calm_heap, expect_error, expect_sound, panic_words, scaled};

type Registry = FinalizationRegistry<u32>;

fn registry(heap: &mut Heap) -> Gc<Registry> {
    heap.alloc(Registry::new())
}

fn target(heap: &mut Heap) -> AnyGc {
    heap.alloc([7_u64; 2]).erase()
}

/// All that a registry hands out.
fn taken<H: Trace + 'static>(heap: &mut Heap, registry: Gc<FinalizationRegistry<H>>) -> Vec<H> {
    std::iter::from_fn(|| registry.take_dead(heap)).collect()
}

#[test]
fn what_is_dead_comes_out_first_in_first_out_over_several_collections() {
    let mut heap = Heap::new();
    let registry = registry(&mut heap);
    let targets: Vec<AnyGc> = (0..30).map(|_| target(&mut heap)).collect();
    for (&target, held) in targets.iter().zip(0..) {
        registry.register(&mut heap, target, held, None).unwrap();
    }
    heap.collect(&(registry, targets[..20].to_vec()));
    heap.collect(&(registry, targets[10..20].to_vec()));
    assert_eq!(taken(&mut heap, registry), (20..30).chain(0..10).collect::<Vec<u32>>());
    assert_eq!(taken(&mut heap, registry), [0_u32; 0]);
    heap.collect_minor(&registry);
    assert_eq!(taken(&mut heap, registry), [0_u32; 0]);
    heap.collect(&registry);
    assert_eq!(taken(&mut heap, registry), (10..20).collect::<Vec<u32>>());
}

#[test]
fn a_minor_collection_hands_out_what_died_young() {
    let mut heap = calm_heap();
    let registry = registry(&mut heap);
    let old = target(&mut heap);
    registry.register(&mut heap, old, 1, None).unwrap();
    heap.collect(&(registry, old));
    let young = target(&mut heap);
    registry.register(&mut heap, young, 2, None).unwrap();
    heap.collect_minor(&registry);
    assert_eq!(taken(&mut heap, registry), [2]);
    heap.collect(&registry);
    assert_eq!(taken(&mut heap, registry), [1]);
}

#[test]
fn one_target_can_be_registered_many_times() {
    let mut heap = Heap::new();
    let registry = registry(&mut heap);
    let target = target(&mut heap);
    for held in 0..1000 {
        registry.register(&mut heap, target, held, None).unwrap();
    }
    heap.collect(&(registry, target));
    assert!(!registry.has_dead(&heap));
    heap.collect(&registry);
    assert_eq!(taken(&mut heap, registry).len(), 1000);
}

#[test]
fn unregistered_before_it_dies_a_target_says_nothing() {
    let mut heap = Heap::new();
    let registry = registry(&mut heap);
    let (a, b, token) = (target(&mut heap), target(&mut heap), target(&mut heap));
    registry.register(&mut heap, a, 1, Some(token)).unwrap();
    registry.register(&mut heap, b, 2, Some(b)).unwrap();
    registry.register(&mut heap, b, 3, Some(token)).unwrap();
    assert!(registry.unregister(&mut heap, token));
    assert!(!registry.unregister(&mut heap, token));
    heap.collect(&registry);
    assert_eq!(taken(&mut heap, registry), [2]);
}

#[test]
fn unregistered_after_it_has_died_a_target_says_nothing() {
    let mut heap = Heap::new();
    let registry = registry(&mut heap);
    let token = target(&mut heap);
    for held in 0..4 {
        let target = target(&mut heap);
        registry.register(&mut heap, target, held, (held % 2 == 0).then_some(token)).unwrap();
    }
    heap.collect(&(registry, token));
    assert!(registry.unregister(&mut heap, token) && !registry.unregister(&mut heap, token));
    assert_eq!(taken(&mut heap, registry), [1, 3]);
    assert!(!registry.has_dead(&heap));
}

#[test]
fn unregistered_while_the_queue_is_drained_the_rest_says_nothing() {
    let mut heap = Heap::new();
    let registry = registry(&mut heap);
    let token = target(&mut heap);
    for held in 0..6 {
        let target = target(&mut heap);
        registry.register(&mut heap, target, held, Some(token)).unwrap();
    }
    heap.collect(&(registry, token));
    assert_eq!(registry.take_dead(&mut heap), Some(0));
    assert_eq!(registry.take_dead(&mut heap), Some(1));
    assert!(registry.unregister(&mut heap, token));
    assert_eq!(registry.take_dead(&mut heap), None);
    assert!(!registry.unregister(&mut heap, token));
    // What was taken is not there to be cancelled.
    let last = target(&mut heap);
    registry.register(&mut heap, last, 9, Some(token)).unwrap();
    heap.collect(&(registry, token));
    assert_eq!(registry.take_dead(&mut heap), Some(9));
    assert!(!registry.unregister(&mut heap, token));
}

#[test]
fn several_registries_that_are_dirty_at_once_keep_to_themselves() {
    let mut heap = Heap::new();
    let registries: Vec<Gc<Registry>> = (0..5).map(|_| registry(&mut heap)).collect();
    let shared = target(&mut heap);
    for (&registry, n) in registries.iter().zip(0..) {
        for held in 0..3 {
            let target = if held == 1 { shared } else { target(&mut heap) };
            registry.register(&mut heap, target, n * 10 + held, None).unwrap();
        }
    }
    heap.collect(&registries);
    assert!(registries.iter().all(|registry| registry.has_dead(&heap)));
    for (&registry, n) in registries.iter().zip(0..) {
        assert_eq!(taken(&mut heap, registry), [n * 10, n * 10 + 1, n * 10 + 2]);
    }
}

#[derive(Trace)]
struct Held(Token, Option<AnyGc>);

#[test]
fn a_registry_that_dies_with_work_queued_calls_nobody_and_drops_what_it_held() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let registry = heap.alloc(FinalizationRegistry::<Held>::new());
    for _ in 0..10 {
        let target = target(&mut heap);
        let held = Held(ledger.token(), None);
        registry.register(&mut heap, target, held, None).unwrap();
    }
    heap.collect(&registry);
    assert!(registry.has_dead(&heap));
    drop(registry.take_dead(&mut heap));
    heap.collect(&());
    ledger.expect_all_dropped();
    let words = panic_words(|| registry.take_dead(&mut heap));
    assert!(words.contains("FinalizationRegistry"), "{words}");
}

#[test]
fn held_values_are_kept_alive_and_tokens_are_not() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let registry = heap.alloc(FinalizationRegistry::<Held>::new());
    let (watched, behind, token) = (target(&mut heap), target(&mut heap), target(&mut heap));
    let held = Held(ledger.token(), Some(behind));
    registry.register(&mut heap, watched, held, Some(token)).unwrap();
    heap.collect(&(registry, watched));
    assert!(heap.contains(behind) && !heap.contains(token));
    heap.collect(&registry);
    assert!(heap.contains(behind) && !heap.contains(watched));
    let held = registry.take_dead(&mut heap).unwrap();
    assert_eq!(held.1, Some(behind));
    drop(held);
    heap.collect(&registry);
    assert!(!heap.contains(behind));
    ledger.expect_all_dropped();
}

#[test]
fn what_holds_its_target_is_refused_and_given_back() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let registry = heap.alloc(FinalizationRegistry::<Held>::new());
    let target = target(&mut heap);
    let held = Held(ledger.token(), Some(target));
    let error = registry.register(&mut heap, target, held, None).unwrap_err();
    assert!(error.to_string().contains("refers to the target"), "{error}");
    let RegisterError::HoldsTarget { held } = error else { panic!("{error:?}") };
    assert_eq!(held.1, Some(target));
    heap.collect(&registry);
    assert!(!registry.has_dead(&heap));
}

#[test]
fn what_is_dead_can_be_neither_target_nor_token() {
    let mut heap = Heap::new();
    let registry = registry(&mut heap);
    let gone = target(&mut heap);
    let other = Heap::new().alloc(1).erase();
    heap.collect(&registry);
    let target = target(&mut heap);
    for (target, token) in [(gone, None), (target, Some(gone)), (other, None)] {
        let error = expect_error(registry.register(&mut heap, target, 5, token));
        let RegisterError::Stale { held: 5, error } = error else { panic!("{error:?}") };
        assert!(matches!(error, HandleError::Collected { .. } | HandleError::OtherHeap { .. }));
    }
}

#[test]
fn a_callback_that_panics_leaves_the_rest_queued() {
    let mut heap = Heap::new();
    let registry = registry(&mut heap);
    for held in 0..5 {
        let target = target(&mut heap);
        registry.register(&mut heap, target, held, None).unwrap();
    }
    heap.collect(&registry);
    let mut seen = Vec::new();
    let words = panic_words(|| {
        while let Some(held) = registry.take_dead(&mut heap) {
            seen.push(held);
            assert!(held != 2, "the callback");
        }
    });
    assert!(words.starts_with("the callback"));
    assert_eq!(seen, [0, 1, 2]);
    assert_eq!(taken(&mut heap, registry), [3, 4]);
}

#[test]
fn a_callback_may_register_and_collect() {
    let mut heap = Heap::new();
    let registry = registry(&mut heap);
    for held in 0..5 {
        let target = target(&mut heap);
        registry.register(&mut heap, target, held, None).unwrap();
    }
    heap.collect(&registry);
    let mut seen = Vec::new();
    while let Some(held) = registry.take_dead(&mut heap) {
        seen.push(held);
        if held < 10 {
            let target = target(&mut heap);
            registry.register(&mut heap, target, held + 10, Some(target)).unwrap();
        }
        heap.collect(&registry);
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]);
    expect_sound(&heap);
}

#[test]
fn places_are_used_again() {
    let mut heap = calm_heap();
    let registry = registry(&mut heap);
    let mut used = 0;
    for round in 0..scaled(200, 10) {
        for held in 0..10 {
            let target = target(&mut heap);
            registry.register(&mut heap, target, held, Some(target)).unwrap();
            if held % 3 == 0 {
                assert!(registry.unregister(&mut heap, target));
            }
        }
        heap.collect(&registry);
        assert_eq!(taken(&mut heap, registry).len(), 6);
        heap.collect(&registry);
        if round == 4 {
            used = heap.statistics().used_bytes;
        }
    }
    assert_eq!(heap.statistics().used_bytes, used);
}

#[test]
fn in_slices_nobody_is_told_too_early_and_everybody_in_the_end() {
    let mut heap = Heap::builder().zeal(Zeal { recheck: true, verify: true, ..Zeal::none() }).build();
    let registry = registry(&mut heap);
    let targets: Vec<AnyGc> = (0..200).map(|_| target(&mut heap)).collect();
    for (&target, held) in targets.iter().zip(0..) {
        registry.register(&mut heap, target, held, None).unwrap();
    }
    let kept = targets[100..].to_vec();
    heap.start_major();
    let mut seen = Vec::new();
    while heap.step(&(registry, kept.clone()), Budget::work(5)) == Progress::Pending {
        while let Some(held) = registry.take_dead(&mut heap) {
            assert!(!heap.contains(targets[held as usize]));
            seen.push(held);
        }
    }
    seen.extend(taken(&mut heap, registry));
    assert!(seen.into_iter().eq(0..100));
}

#[test]
fn tokens_of_the_dead_are_handed_out_once_and_those_of_the_living_not_at_all() {
    let mut heap = Heap::new();
    let objects: Vec<AnyGc> = (0..100).map(|_| target(&mut heap)).collect();
    for (&object, token) in objects.iter().zip(0..) {
        heap.on_death(object, token);
        heap.on_death(object, token + 1000);
    }
    heap.collect(&objects[..50].to_vec());
    let mut tokens: Vec<u64> = std::iter::from_fn(|| heap.take_dead()).collect();
    tokens.sort_unstable();
    assert!(tokens.into_iter().eq((50..100).chain(1050..1100)));
    heap.collect(&objects[..50].to_vec());
    assert_eq!(heap.take_dead(), None);
    let words = panic_words(|| heap.on_death(objects[70], 1));
    assert!(words.contains("target"), "{words}");
}

/// The collection knows the places of the dead in the slab that it has seen. When others live in their cells later, nothing
/// tells a record in another slab from one that waits for these.
#[test]
fn a_registry_that_grows_while_the_dead_leave_it_hands_out_all_of_them() {
    for units in [20, 60, 200] {
        let mut heap = Heap::builder().pause_budget(Budget::work(units)).zeal(Zeal::none()).build();
        let registry = heap.alloc(FinalizationRegistry::<u32>::new());
        let targets = 255; // which fill a slab
        for n in 0..targets {
            let target = heap.alloc([n; 3]);
            registry.register(&mut heap, target, n, None).unwrap();
        }
        heap.start_major();
        while !registry.has_dead(&heap) {
            heap.safepoint(&registry);
        }
        let one_more = heap.alloc([0; 3]);
        registry.register(&mut heap, one_more, targets, None).unwrap();
        assert_eq!(heap.statistics().collections, 0, "the collection is under way");
        while heap.statistics().collections == 0 {
            heap.safepoint(&(registry, one_more));
        }

        let in_their_cells: Vec<Gc<[u32; 3]>> = (0..2 * targets).map(|n| heap.alloc([n; 3])).collect();
        heap.collect(&(registry, one_more, in_their_cells));
        let mut handed_out = taken(&mut heap, registry);
        handed_out.sort_unstable();
        assert!(handed_out.into_iter().eq(0..targets), "{units} units");

        heap.collect(&registry);
        assert_eq!(taken(&mut heap, registry), [targets]);
    }
}
