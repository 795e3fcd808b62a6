//! Minor collections look at what is young, and at what is old and was written to. They never free what can be reached,
//! however the young object came to be held by the old one; old garbage waits for a full collection.
//!
//! Each of these programs runs without zeal and with a second search of the heap after each marking.

use tumulus_heap::{AnyGc, Budget, Gc, Heap, Trace, Zeal};
use tumulus_tests::{Ledger, Token, expect_sound, scaled};

#[derive(Trace)]
struct Node {
    token: Token,
    left: Option<Gc<Node>>,
    right: Option<Gc<Node>>,
}

fn node(heap: &mut Heap, ledger: &Ledger) -> Gc<Node> {
    heap.alloc(Node { token: ledger.token(), left: None, right: None })
}

/// Runs a program in a heap of each kind.
fn in_each_heap(program: impl Fn(&mut Heap, &Ledger)) {
    // Miri takes seconds to verify a heap.
    for zeal in ["none", "recheck", "recheck,no-reuse", "recheck,verify,poison"].into_iter().take(scaled(4, 2)) {
        let ledger = Ledger::new();
        let mut heap = Heap::builder().zeal(zeal.parse::<Zeal>().unwrap()).build();
        program(&mut heap, &ledger);
        expect_sound(&heap);
        drop(heap);
        ledger.expect_all_dropped();
    }
}

#[test]
fn a_young_object_that_an_old_one_was_given() {
    in_each_heap(|heap, ledger| {
        let old: Vec<Gc<Node>> = (0..5).map(|_| node(heap, ledger)).collect();
        heap.collect_minor(&old);
        let young: Vec<Gc<Node>> = (0..6).map(|_| node(heap, ledger)).collect();
        // Each way to write to an object.
        heap.get_mut(old[0]).left = Some(young[0]);
        heap[old[1]].right = Some(young[1]);
        heap.try_get_mut(old[2]).unwrap().left = Some(young[2]);
        let [a, b] = heap.get_disjoint_mut([old[3], old[4]]);
        (a.left, b.right) = (Some(young[3]), Some(young[4]));
        assert_eq!(heap.statistics().remembered_objects, 5);
        heap.collect_minor(&old);
        assert!(young[..5].iter().all(|&gc| heap.contains(gc)) && !heap.contains(young[5]));
        ledger.expect_dropped(1);
        assert_eq!(heap.statistics().remembered_objects, 0);
        // And they are old now.
        heap.collect_minor(&());
        ledger.expect_dropped(1);
    });
}

#[test]
fn a_young_object_in_an_old_root_slice_and_large_object() {
    in_each_heap(|heap, ledger| {
        const LONG: usize = scaled(5_000, 300);
        let root = node(heap, ledger);
        let root = heap.root(root);
        let slice = heap.alloc_slice::<Option<Gc<Node>>>(&[None; 5]);
        let long_slice = heap.alloc_slice::<Option<Gc<Node>>>(&vec![None; LONG]);
        let large = heap.alloc_with(|| [None::<Gc<Node>>; 1_000]);
        let table: Gc<Vec<AnyGc>> = heap.alloc(Vec::new());
        let all = (slice, long_slice, large, table);
        heap.collect(&all);
        for round in 0..3 {
            let young: Vec<Gc<Node>> = (0..6).map(|_| node(heap, ledger)).collect();
            heap[&root].left = Some(young[0]);
            heap[slice][round] = Some(young[1]);
            heap.get_mut(long_slice)[LONG - 1 - round] = Some(young[2]);
            heap[large][round * 100] = Some(young[3]);
            heap.get_mut(table).push(young[4].erase());
            heap.collect_minor(&all);
            assert!(young[..5].iter().all(|&gc| heap.contains(gc)), "round {round}");
            ledger.expect_dropped(round + 1);
        }
        heap.collect(&());
        ledger.expect_dropped(6 * 3 - 1);
    });
}

#[test]
fn a_whole_young_graph_behind_one_old_object() {
    in_each_heap(|heap, ledger| {
        const LEN: usize = scaled(500, 40);
        let old = node(heap, ledger);
        heap.collect_minor(&old);
        let mut last = old;
        for n in 0..LEN {
            let next = node(heap, ledger);
            let side = node(heap, ledger);
            if n % 2 == 0 {
                heap.get_mut(next).right = Some(side);
            }
            heap.get_mut(last).left = Some(next);
            last = next;
        }
        heap.get_mut(last).right = Some(old);
        heap.collect_minor(&old);
        ledger.expect_dropped(LEN / 2);
        heap.get_mut(old).left = None;
        heap.collect_minor(&old);
        ledger.expect_dropped(LEN / 2);
        heap.collect(&old);
        ledger.expect_dropped(2 * LEN);
    });
}

#[test]
fn old_garbage_waits_for_a_full_collection() {
    in_each_heap(|heap, ledger| {
        let garbage: Vec<Gc<Node>> = (0..100).map(|_| node(heap, ledger)).collect();
        heap.collect_minor(&garbage);
        for _ in 0..5 {
            node(heap, ledger);
            heap.collect_minor(&());
        }
        ledger.expect_dropped(5);
        assert!(garbage.iter().all(|&gc| heap.contains(gc)));
        heap.collect(&garbage[0]);
        ledger.expect_dropped(5 + 99);
        let statistics = heap.statistics();
        assert_eq!((statistics.collections, statistics.minor_collections, statistics.live_objects), (7, 6, 1));
    });
}

#[test]
fn an_object_that_was_written_to_and_dies() {
    const NEXT: usize = scaled(600, 40);
    in_each_heap(|heap, ledger| {
        let dies = node(heap, ledger);
        heap.collect(&dies);
        let held = node(heap, ledger);
        heap.get_mut(dies).left = Some(held);
        // Old garbage that was written to keeps what it holds, until a full collection finds both.
        heap.collect_minor(&());
        ledger.expect_dropped(0);
        heap.get_mut(dies).right = Some(held);
        heap.collect(&());
        ledger.expect_dropped(2);
        // Its cell goes to another object, which is young.
        let next: Vec<Gc<Node>> = (0..NEXT).map(|_| node(heap, ledger)).collect();
        let kept = node(heap, ledger);
        heap.get_mut(next[0]).left = Some(kept);
        heap.collect_minor(&next[0]);
        ledger.expect_dropped(2 + NEXT - 1);
        assert!(heap.contains(kept));
    });
}

#[test]
fn an_object_that_is_written_to_many_times() {
    in_each_heap(|heap, ledger| {
        const ROUNDS: usize = scaled(50, 3);
        let old = node(heap, ledger);
        heap.collect(&old);
        for round in 0..ROUNDS {
            for _ in 0..20 {
                let young = node(heap, ledger);
                heap.get_mut(old).left = Some(young);
                assert_eq!(heap.statistics().remembered_objects, 1);
            }
            heap.collect_minor(&old);
            assert!(heap.contains(heap[old].left.unwrap()));
            // 19 young ones died; the one that the last round left is old garbage.
            ledger.expect_dropped(19 * (round + 1));
        }
        heap.collect(&old);
        ledger.expect_dropped(20 * ROUNDS - 1);
    });
}

#[test]
fn what_is_read_is_not_remembered() {
    in_each_heap(|heap, ledger| {
        let old: Vec<Gc<Node>> = (0..10).map(|_| node(heap, ledger)).collect();
        let leaf = heap.alloc(7_u64);
        heap.collect(&(&old, leaf));
        assert!(old.iter().all(|&gc| heap[gc].left.is_none() && heap.get(gc).right.is_none()));
        // An object without handles can hold none, and is written to for nothing.
        heap[leaf] += 1;
        assert_eq!(heap.statistics().remembered_objects, 0);
    });
}

#[test]
fn handles_that_change_places_between_generations() {
    in_each_heap(|heap, ledger| {
        const ROUNDS: usize = scaled(40, 7);
        let (a, b) = (node(heap, ledger), node(heap, ledger));
        heap.collect(&(a, b));
        for round in 0..ROUNDS {
            let young = node(heap, ledger);
            heap.get_mut(a).left = Some(young);
            if round % 3 == 0 {
                heap.collect_minor(&(a, b));
            }
            // From one old object to the other, past the collector's back.
            let moved = heap.get_mut(a).left.take();
            heap.get_mut(b).right = moved;
            heap.collect_minor(&(a, b));
            assert!(heap.contains(young), "round {round}");
        }
        heap.collect(&(a, b));
        ledger.expect_dropped(ROUNDS - 1);
    });
}

#[test]
fn temporaries_of_a_scope_are_roots_of_minor_collections() {
    in_each_heap(|heap, ledger| {
        heap.scope(|heap| {
            let old = node(heap, ledger);
            heap.collect_minor(&());
            let young = node(heap, ledger);
            heap.get_mut(old).left = Some(young);
            heap.collect_minor(&());
            heap.get_mut(old).left = None;
            heap.collect_minor(&());
            ledger.expect_dropped(0);
        });
        heap.collect_minor(&());
        ledger.expect_dropped(0);
        heap.collect(&());
        ledger.expect_dropped(2);
    });
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn safepoints_collect_what_is_young_and_now_and_then_everything() {
    let ledger = Ledger::new();
    let mut heap = Heap::builder()
        .nursery(64 << 10)
        .min_heap(256 << 10)
        .growth(2.0)
        .pause_budget(Budget::work(12_000))
        .zeal(Zeal::none())
        .build();
    let mut live = Vec::new();
    for n in 0..40_000 {
        let gc = node(&mut heap, &ledger);
        if n % 4 == 0 {
            live.push(gc);
        }
        if live.len() > 2_000 {
            live.drain(..1_000);
        }
        heap.safepoint(&live);
    }
    let statistics = heap.statistics();
    let full = statistics.collections - statistics.minor_collections;
    assert!(statistics.minor_collections > 10 && full >= 1 && full < statistics.minor_collections, "{statistics:?}");
    assert!(statistics.committed_bytes < 4 << 20, "{statistics:?}");
    assert!(live.iter().all(|&gc| !ledger.is_dropped(heap[gc].token.id())));
    heap.collect(&live);
    assert_eq!(ledger.made() - ledger.dropped(), live.len());
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn a_nursery_of_nothing_makes_every_collection_a_full_one() {
    let mut heap =
        Heap::builder().nursery(0).min_heap(64 << 10).pause_budget(Budget::work(12_000)).zeal(Zeal::none()).build();
    for n in 0..100_000_u64 {
        heap.alloc([n; 3]);
        heap.safepoint(&());
    }
    let statistics = heap.statistics();
    assert!(statistics.collections > 5 && statistics.minor_collections == 0, "{statistics:?}");
}
