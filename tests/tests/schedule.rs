//! When collections come, how they keep up with the program, and what becomes of memory that is not needed.

use tumulus_heap::{Budget, Event, Gc, Progress};
use tumulus_tests::{events, pinned};

#[test]
fn a_program_that_allocates_much_makes_the_collection_hurry() {
    let builder = pinned().min_heap(1 << 20).growth(1.2).nursery(0);
    let mut heap = builder.pause_budget(Budget::work(12_000)).build();
    let log = events(&mut heap);
    let live: Vec<Gc<[Option<Gc<u8>>; 10]>> = (0..20_000).map(|_| heap.alloc([None; 10])).collect();
    let list = heap.alloc_slice(&live);
    for _ in 0..200 {
        for _ in 0..2_000 {
            heap.alloc([None::<Gc<u8>>; 10]);
        }
        heap.safepoint(&list);
    }
    let hurried = log.borrow().iter().filter(|event| matches!(event, Event::Hurried { .. })).count();
    assert!(hurried > 0, "{:?}", log.borrow());
    let statistics = heap.statistics();
    assert!(statistics.collections > 2 && statistics.used_bytes < 40 << 20, "{statistics:?}");
}

#[test]
fn a_collection_ends_before_the_limit_is_reached() {
    const LIMIT: usize = 32 << 20;
    let mut heap = pinned().limit(LIMIT).pause_budget(Budget::work(10)).growth(100.0).nursery(0).build();
    let log = events(&mut heap);
    let mut live = Vec::new();
    for n in 0..if cfg!(miri) { 2_000 } else { 1_000_000_usize } {
        let gc = heap.try_alloc([n; 6]).unwrap();
        if n % 20 == 0 {
            live.push(gc);
        }
        if live.len() > 10_000 {
            live.swap_remove(n % 10_000);
        }
        // So few that slices of this size would not do.
        if n % 512 == 0 {
            heap.safepoint(&live);
        }
    }
    let log = log.borrow();
    assert!(cfg!(miri) || log.iter().any(|event| matches!(event, Event::Hurried { .. })), "{log:?}");
    assert!(live.iter().all(|&gc| heap.contains(gc)));
}

#[test]
fn idle_time_is_used_for_what_will_be_due() {
    let mut heap = pinned().nursery(1 << 20).build();
    heap.alloc([0_u64; 100]);
    assert_eq!(heap.step(&(), Budget::unlimited()), Progress::Done);
    assert_eq!(heap.statistics().collections, 0, "for a kilobyte it is not worth it");
    for _ in 0..500 {
        heap.alloc([0_u64; 100]);
    }
    assert_eq!(heap.step(&(), Budget::unlimited()), Progress::Done);
    assert_eq!(heap.statistics().collections, 1);
}

#[test]
fn memory_that_stays_empty_is_given_back_after_some_collections() {
    let mut heap = pinned().build();
    let big: Vec<Gc<[u64; 100]>> = (0..if cfg!(miri) { 100 } else { 10_000 }).map(|_| heap.alloc([0; 100])).collect();
    heap.collect(&big);
    let full = heap.statistics().committed_bytes;
    drop(big);
    heap.collect(&());
    heap.collect(&());
    assert_eq!(heap.statistics().committed_bytes, full, "it may be needed again soon");
    for _ in 0..3 {
        heap.collect(&());
    }
    assert!(heap.statistics().committed_bytes < full / 10);
}

#[test]
fn what_is_kept_alive_outside_brings_collections_on() {
    let collections = |external: isize| {
        let mut heap = pinned().nursery(0).build();
        for _ in 0..100 {
            heap.alloc([0_u8; 64]);
            heap.adjust_external_bytes(external);
            heap.safepoint(&());
        }
        assert_eq!(heap.statistics().external_bytes, 100 * external.cast_unsigned());
        heap.adjust_external_bytes(-100 * external);
        assert_eq!(heap.statistics().external_bytes, 0);
        heap.statistics().collections
    };
    assert_eq!(collections(0), 0);
    assert!(collections(1 << 20) > 0);
}

#[test]
fn sweeping_keeps_up_with_a_program_that_makes_much_to_drop() {
    const KEPT: usize = 10_000;
    let builder = pinned().min_heap(4 << 20).growth(2.0).nursery(1 << 20);
    let mut heap = builder.pause_budget(Budget::work(12_000)).build();
    let log = events(&mut heap);
    let mut kept = vec![None; KEPT];
    for n in 0..if cfg!(miri) { 1_000 } else { 2_000_000_usize } {
        let gc = heap.alloc(Box::new(n));
        if n.is_multiple_of(4) {
            kept[n.wrapping_mul(0x9e37_79b9) / 4 % KEPT] = Some(gc);
        }
        heap.safepoint(&kept);
        assert!(heap.statistics().used_bytes < 6 << 20, "after {n}: {:?}", log.borrow());
    }
    assert!(!log.borrow().iter().any(|event| matches!(event, Event::Hurried { times: None, .. })));
}

/// Each minor collection would leave a larger nursery to the next one, for ever.
#[test]
fn garbage_does_not_pile_up_where_safepoints_are_rare_or_budgets_small() {
    for (between_safepoints, units) in [(4 << 20, 12_000), (1 << 20, 12_000), (64 << 10, 50)] {
        let mut heap = pinned().pause_budget(Budget::work(units)).build();
        let mut allocated = 0;
        while allocated < 64 << 20 {
            for _ in 0..between_safepoints / 16 {
                heap.alloc(Box::new(7_u64));
            }
            allocated += between_safepoints;
            heap.safepoint(&());
        }
        let peak = heap.statistics().peak_committed_bytes;
        assert!(peak < 20 << 20, "{} MiB with {between_safepoints} bytes between safepoints", peak >> 20);
    }
}

#[test]
fn pages_that_were_emptied_find_other_uses() {
    let builder = pinned().min_heap(1 << 20).growth(2.0).nursery(256 << 10);
    let mut heap = builder.pause_budget(Budget::work(12_000)).build();
    for size in 1..=if cfg!(miri) { 2 } else { 100_usize } {
        for _ in 0..2_000 {
            heap.alloc_slice_with(size * 16, |_| 0_u8);
            heap.safepoint(&());
        }
    }
    let statistics = heap.statistics();
    assert!(statistics.committed_bytes < 8 << 20, "{statistics:?}");
}

#[test]
fn an_object_larger_than_anything_does_not_make_the_heap_collect() {
    let mut heap = pinned().build();
    let garbage = heap.alloc(1);
    assert!(heap.try_alloc_slice_with(usize::MAX, |_| 0_u64).is_err());
    heap.safepoint(&());
    assert!(heap.contains(garbage));
}

#[test]
fn a_limit_that_changes_neither_cancels_a_collection_nor_breaks_the_plan() {
    let mut heap = pinned().limit(64 << 10).build();
    while heap.try_alloc([0_u64; 30]).is_ok() {}
    heap.set_limit(128 << 10);
    heap.safepoint(&());
    assert_eq!(heap.statistics().collections, 1, "an allocation had failed");

    let mut heap = pinned().limit(64 << 10).build();
    heap.on_near_limit(|_| 1 << 30);
    for n in 0..10_000_u64 {
        heap.alloc([n; 3]);
    }
    heap.safepoint(&());
    assert!(heap.statistics().collections > 0);
}

#[test]
fn a_large_object_does_not_end_the_slices_of_a_collection() {
    let mut heap = pinned().nursery(0).min_heap(1 << 20).build();
    let log = events(&mut heap);
    let live: Vec<Gc<[Option<Gc<u8>>; 2]>> =
        (0..if cfg!(miri) { 1_000 } else { 500_000 }).map(|_| heap.alloc([None; 2])).collect();
    let table = heap.alloc_slice(&live);
    drop(live);
    heap.collect(&table);
    heap.start_major();
    heap.safepoint(&table);
    // As much as there is.
    let large = heap.alloc_slice(&vec![0_u8; heap.statistics().used_bytes - (1 << 20)]);
    let mut slices = 0;
    while heap.statistics().collections == 1 {
        heap.safepoint(&(table, large));
        slices += 1;
    }
    let log = log.borrow();
    assert!(cfg!(miri) || slices > 50, "{slices} slices, {log:?}");
    assert!(!log.iter().any(|event| matches!(event, Event::Hurried { .. })), "{log:?}");
}
