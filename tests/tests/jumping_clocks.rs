//! A clock that jumps: what is alive stays, collections come to an end, and figures stay within reason.

use std::time::Duration;
use tumulus_heap::{Budget, Gc, Heap, HeapBuilder, Kind, Trace, Zeal};
use tumulus_testing::faults::{Jump, clock, with_jumps};
use tumulus_tests::scaled;

#[derive(Trace)]
struct Node {
    next: Option<Gc<Node>>,
    number: usize,
}

const HOUR: Duration = Duration::from_secs(3600);
const TWO_HOURS: Duration = Duration::from_secs(7200);
const AGES: Duration = Duration::from_secs(1 << 40);

/// Ways of a clock to go wrong.
const WAYS: [&[Jump]; 7] = [
    &[Jump::Ahead(HOUR)],
    &[Jump::Back(HOUR)],
    &[Jump::Stands],
    &[Jump::Ahead(HOUR), Jump::Back(HOUR)],
    &[Jump::Goes, Jump::Goes, Jump::Back(HOUR), Jump::Goes, Jump::Ahead(TWO_HOURS)],
    &[Jump::Ahead(AGES)],
    &[Jump::Ahead(Duration::MAX), Jump::Back(Duration::MAX), Jump::Stands],
];

fn builder() -> HeapBuilder {
    Heap::builder().clock(clock).pause_budget(Budget::time(Duration::from_micros(100))).zeal(Zeal::none())
}

/// A list with garbage between its nodes, built at safepoints that are timed.
fn build(heap: &mut Heap, nodes: usize) -> Option<Gc<Node>> {
    let mut list = None;
    for number in 0..nodes {
        heap.alloc([number; 4]);
        list = Some(heap.alloc(Node { next: list, number }));
        heap.safepoint(&list);
    }
    list
}

fn sum(heap: &Heap, list: Option<Gc<Node>>) -> usize {
    std::iter::successors(list, |&node| heap[node].next).map(|node| heap[node].number).sum()
}

#[test]
fn nothing_is_lost_whatever_the_clock_does() {
    let nodes = scaled(20_000, 200);
    for jumps in WAYS {
        let mut heap = builder().nursery(16 << 10).min_heap(64 << 10).build();
        with_jumps(jumps, || {
            let list = build(&mut heap, nodes);
            assert!(heap.statistics().collections > 0 || cfg!(miri), "{jumps:?}");
            assert_eq!(sum(&heap, list), nodes * (nodes - 1) / 2, "{jumps:?}");
            heap.collect(&list);
            heap.verify().unwrap();
            assert_eq!(heap.statistics().live_objects, nodes as u64, "{jumps:?}");
        });
    }
}

#[test]
fn a_slice_ends_where_the_clock_was_set_back_or_ahead() {
    for jump in [Jump::Back(HOUR), Jump::Ahead(HOUR)] {
        let mut heap = builder().build();
        let nodes = scaled(50_000, 3_000);
        let list: Vec<Gc<usize>> = (0..nodes).map(|n| heap.alloc(n)).collect();
        let list = heap.alloc_slice(&list);
        // In the middle of slices, which read it when they begin.
        with_jumps(&[Jump::Goes, Jump::Goes, jump], || {
            heap.start_major();
            let mut slices = 0;
            while heap.statistics().collections == 0 {
                heap.safepoint(&list);
                slices += 1;
                assert!(slices < nodes, "each slice does something");
            }
            assert!(slices > 3, "{jump:?}: {slices} slices for {nodes} objects");
        });
    }
}

#[test]
fn figures_of_time_stay_within_reason() {
    for jumps in WAYS {
        let mut heap = builder().build();
        with_jumps(jumps, || {
            for _ in 0..20 {
                heap.collect(&());
                heap.collect_minor(&());
            }
            let collections = heap.collection_statistics();
            assert_eq!(collections.pauses(Kind::Full).count(), 20);
            assert!((0.0..=1.0).contains(&collections.mutator_utilisation()), "{jumps:?}");
            assert!(collections.allocation_rate() >= 0.0, "{jumps:?}");
            // In words as well: no form of the log may choke on it.
            assert!(!format!("{collections:?}").is_empty());
        });
    }
}
