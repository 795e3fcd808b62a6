//! Weak handles: exact from the moment at which a collection knows, and no longer than that.

use tumulus_heap::{Budget, Collector, Gc, Heap, HeapBuilder, Progress, Trace, Weak, Zeal};
use tumulus_tests::{Ledger, Token, expect_sound};

#[derive(Trace)]
struct Node {
    token: Token,
    next: Option<Gc<Node>>,
}

#[derive(Trace)]
struct Holder(Weak<Node>);

fn node(heap: &mut Heap, ledger: &Ledger, next: Option<Gc<Node>>) -> Gc<Node> {
    let token = ledger.token();
    heap.alloc(Node { token, next })
}

/// A list of so many nodes.
fn list(heap: &mut Heap, ledger: &Ledger, len: usize) -> Gc<Node> {
    let last = node(heap, ledger, None);
    (1..len).fold(last, |next, _| node(heap, ledger, Some(next)))
}

/// A heap with these options whatever the environment says, that checks itself.
fn checked() -> HeapBuilder {
    Heap::builder().nursery(1 << 20).pause_budget(Budget::work(12_000)).zeal(Zeal {
        recheck: true,
        verify: true,
        ..Zeal::none()
    })
}

/// Runs what is under way to its end, in slices of one unit, and calls `between` after each.
fn in_slices<R: Trace + ?Sized>(heap: &mut Heap, roots: &R, mut between: impl FnMut(&mut Heap, usize)) {
    let mut slices = 0;
    while heap.step(roots, Budget::work(1)) == Progress::Pending {
        slices += 1;
        between(heap, slices);
    }
}

#[test]
fn to_a_young_object_it_is_cleared_by_a_minor_collection_and_to_an_old_one_by_a_full_one() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let old = node(&mut heap, &ledger, None);
    heap.collect(&old);
    let young = node(&mut heap, &ledger, None);
    let (to_old, to_young) = (old.downgrade(), young.downgrade());
    heap.collect_minor(&());
    assert_eq!((to_old.upgrade(&mut heap), to_young.upgrade(&mut heap)), (Some(old), None));
    heap.collect(&());
    assert_eq!(to_old.upgrade(&mut heap), None);
    ledger.expect_all_dropped();
}

#[test]
fn a_holder_that_dies_changes_nothing_for_the_target() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let target = node(&mut heap, &ledger, None);
    let holder = heap.alloc(Holder(target.downgrade()));
    heap.collect(&target);
    assert!(!heap.contains(holder) && heap.contains(target));
    ledger.expect_dropped(0);
}

#[test]
fn a_holder_that_is_promoted_does_not_keep_its_target() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let target = node(&mut heap, &ledger, None);
    let holder = heap.alloc(Holder(target.downgrade()));
    heap.collect_minor(&(holder, target));
    // Both are old. A young target takes the place of the old one.
    let young = node(&mut heap, &ledger, None);
    heap.get_mut(holder).0 = young.downgrade();
    heap.collect_minor(&holder);
    assert_eq!(heap[holder].0.upgrade(&mut heap), None);
    heap.collect(&holder);
    assert!(!target.downgrade().is_alive(&heap));
    ledger.expect_all_dropped();
}

#[test]
fn two_to_one_target_agree() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let target = node(&mut heap, &ledger, None);
    let holders = [(); 2].map(|()| heap.alloc(Holder(target.downgrade())));
    assert_eq!(heap[holders[0]].0, heap[holders[1]].0);
    for alive in [true, false] {
        heap.collect(&(holders[0], holders[1], alive.then_some(target)));
        for holder in holders {
            assert_eq!(heap[holder].0.upgrade(&mut heap).is_some(), alive);
        }
    }
}

#[test]
fn it_is_cleared_when_the_collection_knows_and_not_when_the_memory_is_freed() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let root = list(&mut heap, &ledger, 50);
    let garbage: Vec<Weak<Node>> = (0..200).map(|_| node(&mut heap, &ledger, None).downgrade()).collect();
    heap.start_major();
    let (mut known, mut halfway) = (false, false);
    in_slices(&mut heap, &root, |heap, _| {
        // All at once.
        let alive = garbage.iter().filter(|weak| weak.is_alive(heap)).count();
        assert!(alive == 0 || alive == garbage.len());
        assert!(!known || alive == 0);
        known |= alive == 0;
        halfway |= known && ledger.dropped() < garbage.len();
        assert!(known || ledger.dropped() == 0);
    });
    assert!(known && halfway);
    assert!(garbage.iter().all(|weak| weak.upgrade(&mut heap).is_none()));
    ledger.expect_dropped(garbage.len());
}

#[test]
fn an_upgrade_in_the_midst_of_a_collection_keeps_the_object_for_that_one_and_what_it_refers_to() {
    // In each slice in turn, those in which marks are cleared among them.
    let mut lived = 0;
    for slice in 0.. {
        let ledger = Ledger::new();
        let mut heap = checked().build();
        let root = list(&mut heap, &ledger, 20);
        heap.collect(&root);
        let below = node(&mut heap, &ledger, None);
        let weak = node(&mut heap, &ledger, Some(below)).downgrade();
        heap.start_major();
        let (mut upgraded, mut slices) = (None, 0);
        in_slices(&mut heap, &root, |heap, at| {
            slices = at;
            if at == slice {
                upgraded = Some(weak.upgrade(heap).is_some());
            }
        });
        if slice > slices {
            break;
        }
        // Nothing else refers to it, not even a root.
        assert_eq!(weak.is_alive(&heap), upgraded == Some(true), "upgraded in slice {slice}");
        assert_eq!(heap.contains(below), upgraded == Some(true));
        lived += usize::from(upgraded == Some(true));
        expect_sound(&heap);
        heap.collect(&root);
        assert!(!weak.is_alive(&heap) && !heap.contains(below));
    }
    assert!(lived > 10);
}

#[test]
fn eternal_ones_survive_2047_times() {
    let ledger = Ledger::new();
    let mut heap = checked().zeal(Zeal::none()).build();
    let kept = heap.alloc_slice_with(2047, |_| None);
    for at in 0..2047 {
        let target = node(&mut heap, &ledger, None);
        heap.slice_mut(kept, at..=at)[0] = Some(target);
    }
    let weak: Vec<Weak<Node>> = heap[kept].iter().flatten().map(|target| target.downgrade()).collect();
    let weak = heap.alloc_slice(&weak);
    for round in 0..if cfg!(miri) { 3 } else { 100 } {
        for _ in 0..20 {
            node(&mut heap, &ledger, None);
        }
        if round % 3 == 0 {
            heap.collect(&(kept, weak));
        } else {
            heap.collect_minor(&(kept, weak));
        }
    }
    for at in 0..2047 {
        let target = heap[weak][at].upgrade(&mut heap);
        assert_eq!(target, heap[kept][at]);
    }
    heap.collect(&weak);
    assert!((0..2047).all(|at| !heap[weak][at].is_alive(&heap)));
}

#[test]
fn in_the_place_of_a_dead_object_it_does_not_find_the_next() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let weak: Vec<Weak<Node>> = (0..100).map(|_| node(&mut heap, &ledger, None).downgrade()).collect();
    heap.collect(&());
    let new: Vec<Gc<Node>> = (0..100).map(|_| node(&mut heap, &ledger, None)).collect();
    assert!(weak.iter().all(|weak| weak.upgrade(&mut heap).is_none()));
    assert!(new.iter().all(|gc| gc.downgrade().upgrade(&mut heap) == Some(*gc)));
    let mut other = Heap::new();
    assert!(new.iter().all(|gc| gc.downgrade().upgrade(&mut other).is_none()));
}

#[test]
fn without_a_collector_everything_stays() {
    let mut heap = Heap::builder().collector(Collector::None).build();
    let weak = heap.alloc(1).downgrade();
    heap.collect(&());
    assert!(weak.upgrade(&mut heap).is_some());
}
