//! What a heap says of itself adds up, at any moment.

use proptest::prelude::*;
use tumulus_heap::{AnyGc, Budget, Gc, Heap, Kind, Reason, Trace, Zeal};
use tumulus_tests::{calm_heap, cases, scaled};

#[derive(Trace)]
struct Pair {
    _left: Option<Gc<Pair>>,
    _right: Option<Gc<str>>,
}

/// The figures of spaces and of types sum up to those of the heap.
#[track_caller]
fn expect_sums(heap: &Heap) {
    let (all, spaces, types) = (heap.statistics(), heap.space_statistics(), heap.type_statistics());
    let objects: u64 = spaces.iter().map(|space| space.objects).sum();
    let used: u64 = spaces.iter().map(|space| space.used_bytes).sum();
    let blocks: u64 = spaces.iter().map(|space| space.block_bytes).sum();
    assert_eq!((used, blocks), (all.used_bytes as u64, all.block_bytes as u64));
    assert_eq!(used, all.allocated_bytes - all.freed_bytes);
    for space in &spaces {
        assert!(space.objects <= space.cells, "{space:?}");
        assert_eq!(space.used_bytes, space.objects * space.cell_bytes as u64 + space.block_bytes);
        assert_eq!(space.waste_bytes + space.objects * space.cell_bytes as u64, space.pages as u64 * (16 << 10));
        assert!(space.is_large || space.block_bytes == 0);
    }
    assert_eq!(types.iter().map(|entry| entry.objects).sum::<u64>(), objects);
    assert_eq!(types.iter().map(|entry| entry.used_bytes).sum::<u64>(), used);
    assert_eq!(types.iter().map(|entry| entry.spaces).sum::<usize>(), spaces.len());
    assert!(types.is_sorted_by(|a, b| a.used_bytes >= b.used_bytes));
    assert!(all.peak_used_bytes >= all.used_bytes && all.peak_committed_bytes >= all.committed_bytes);
    assert!(all.used_bytes <= all.committed_bytes);
}

/// A step of a program.
#[derive(Clone, Debug)]
enum Step {
    Pair,
    Text(usize),
    Slice(usize),
    Large,
    Forget,
    Safepoint,
    Minor,
    Full,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Pair),
        4 => (0_usize..300).prop_map(Step::Text),
        4 => (0_usize..5000).prop_map(Step::Slice),
        2 => Just(Step::Large),
        4 => Just(Step::Forget),
        6 => Just(Step::Safepoint),
        1 => Just(Step::Minor),
        1 => Just(Step::Full),
    ]
}

proptest! {
    #![proptest_config(cases(scaled(64, 2) as u32))]

    #[test]
    fn spaces_and_types_sum_up_to_the_heap(steps in proptest::collection::vec(step(), 1..200), units in 1_u64..2000) {
        let mut heap = Heap::builder().zeal(Zeal::none()).nursery(16 << 10).pause_budget(Budget::work(units)).build();
        let mut roots: Vec<AnyGc> = Vec::new();
        for step in steps {
            match step {
                Step::Pair => roots.push(heap.alloc(Pair { _left: None, _right: None }).erase()),
                Step::Text(len) => roots.push(heap.alloc_str(&"x".repeat(len)).erase()),
                Step::Slice(len) => roots.push(heap.alloc_slice(&vec![7_u64; len]).erase()),
                Step::Large => roots.push(heap.alloc([0_u8; 3000]).erase()),
                Step::Forget => roots.truncate(roots.len() / 2),
                Step::Safepoint => heap.safepoint(&roots),
                Step::Minor => heap.collect_minor(&roots),
                Step::Full => heap.collect(&roots),
            }
            expect_sums(&heap);
        }
        heap.collect(&());
        expect_sums(&heap);
        prop_assert!(heap.type_statistics().is_empty());
    }
}

#[test]
fn a_failed_construction_of_a_large_slice_counts_for_nothing() {
    let mut heap = calm_heap();
    let made = heap.alloc_slice_with(10_000, |_| 0_u64);
    assert_eq!(heap[made].len(), 10_000);
    let failed = heap.try_build_slice(10_000, |n| if n == 9_000 { Err("no more") } else { Ok(n) });
    assert!(failed.is_err());
    expect_sums(&heap);
    heap.collect(&());
    expect_sums(&heap);
}

#[test]
fn collections_are_counted_by_kind_and_reason() {
    let mut heap = calm_heap();
    let kept = heap.alloc([1_u64; 3]);
    heap.alloc([2_u64; 3]);
    heap.alloc([3_u64; 3]);
    heap.collect_minor(&kept);
    heap.alloc([4_u64; 3]);
    heap.collect(&kept);
    heap.collect(&kept);

    let statistics = heap.collection_statistics();
    let minor = statistics.of_kind(Kind::Minor);
    assert_eq!((minor.collections, minor.freed_objects, minor.freed_bytes), (1, 2, 64));
    assert!((minor.survival() - 1.0 / 3.0).abs() < 1e-9, "{minor:?}");
    let full = statistics.of_kind(Kind::Full);
    assert_eq!((full.collections, full.freed_objects, full.candidate_bytes), (2, 1, 64 + 32));
    assert!(minor.longest <= minor.paused && !minor.paused.is_zero());
    assert_eq!(statistics.pauses(Kind::Full).count(), full.slices);
    let by_reason: Vec<_> = statistics.by_reason().map(|(kind, reason, _)| (kind, reason)).collect();
    assert_eq!(by_reason, [(Kind::Minor, Reason::Asked), (Kind::Full, Reason::Asked)]);
    assert!((0.0..=1.0).contains(&statistics.mutator_utilisation()));
}

#[test]
fn pauses_of_slices_are_counted_one_by_one() {
    let mut heap = Heap::builder().zeal(Zeal::none()).pause_budget(Budget::work(100)).build();
    let list: Vec<Gc<Option<u64>>> = (0..scaled(10_000, 500) as u64).map(|n| heap.alloc(Some(n))).collect();
    heap.start_major();
    while heap.statistics().collections == 0 {
        heap.safepoint(&list);
    }
    let statistics = heap.collection_statistics();
    let totals = statistics.of_kind(Kind::Full);
    assert!(totals.slices > 1, "{totals:?}");
    // The slice in which a collection ends may go on with what comes after it.
    assert!(statistics.pauses(Kind::Full).count().abs_diff(totals.slices) <= 1);
    let by_reason = statistics.by_reason().map(|(kind, reason, _)| statistics.pauses_by_reason(kind, reason).count());
    assert_eq!(by_reason.sum::<u64>(), statistics.pauses(Kind::Full).count());
    assert_eq!(statistics.pauses_by_reason(Kind::Full, Reason::Limit).count(), 0);
    let longest = statistics.pauses(Kind::Full).longest();
    assert!(longest.as_secs_f64() > totals.longest.as_secs_f64() * 0.98, "{longest:?}, {totals:?}");
}

#[test]
fn v8_has_other_names_for_the_same() {
    let mut heap = Heap::builder().zeal(Zeal::none()).limit(1 << 20).build();
    let gc = heap.alloc(1_u8);
    let roots = [heap.root(gc), heap.root(gc)];
    heap.adjust_external_bytes(5000);
    let figures = heap.statistics().as_v8();
    assert_eq!(figures.used_global_handles_size, 32);
    assert_eq!((figures.number_of_handles, figures.external_memory, figures.heap_size_limit), (2, 5000, 1 << 20));
    assert_eq!(figures.total_available_size, (1 << 20) - (16 << 10));
    drop(roots);
}
