//! Collections in slices: what the program does between two of them is not lost, and what a slice does is bounded.

use proptest::prelude::*;
use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;
use tumulus_heap::{Budget, Event, Gc, Heap, HeapBuilder, Kind, Progress, Reason, Trace, Tracer, Zeal};
use tumulus_tests::{Ledger, Token, cases, catch, events, expect_sound, pinned};

#[derive(Trace)]
struct Node {
    token: Token,
    edges: [Option<Gc<Node>>; 2],
}

fn node(heap: &mut Heap, ledger: &Ledger, edges: [Option<Gc<Node>>; 2]) -> Gc<Node> {
    let token = ledger.token();
    heap.alloc(Node { token, edges })
}

/// A list of so many nodes, and its last one.
fn list(heap: &mut Heap, ledger: &Ledger, len: usize) -> (Gc<Node>, Gc<Node>) {
    let last = node(heap, ledger, [None; 2]);
    let first = (1..len).fold(last, |next, _| node(heap, ledger, [Some(next), None]));
    (first, last)
}

/// A heap that checks each marking against a plain search, and itself after each slice.
fn checked() -> HeapBuilder {
    pinned().zeal(Zeal { recheck: true, verify: true, ..Zeal::none() })
}

/// Runs what is under way to its end, in slices of one unit, and calls `between` after each.
fn in_slices<R: Trace + ?Sized>(heap: &mut Heap, roots: &R, mut between: impl FnMut(&mut Heap, usize)) -> usize {
    let mut slices = 1;
    while heap.step(roots, Budget::work(1)) == Progress::Pending {
        between(heap, slices);
        slices += 1;
    }
    slices
}

#[test]
fn an_edge_that_moves_behind_the_marker_is_found() {
    // The hidden object is reachable from the far end of a list, and moves to the near end, which has been scanned.
    for moved_in_slice in 1..40 {
        let ledger = Ledger::new();
        let mut heap = checked().build();
        let (first, last) = list(&mut heap, &ledger, 10);
        let hidden = node(&mut heap, &ledger, [None; 2]);
        heap.get_mut(last).edges[1] = Some(hidden);
        heap.start_major();
        in_slices(&mut heap, &first, |heap, slice| {
            if slice == moved_in_slice {
                let hidden = heap.get_mut(last).edges[1].take();
                heap.get_mut(first).edges[1] = hidden;
            }
        });
        assert!(heap.contains(hidden), "moved in slice {moved_in_slice}");
        heap.collect(&first);
        ledger.expect_dropped(0);
    }
}

#[test]
fn what_is_allocated_between_slices_lives_if_it_is_reachable_and_not_longer_than_a_collection_otherwise() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let (first, _) = list(&mut heap, &ledger, 20);
    heap.start_major();
    let mut kept = Vec::new();
    in_slices(&mut heap, &first, |heap, _| {
        let garbage = node(heap, &ledger, [None; 2]);
        let young = node(heap, &ledger, [None; 2]);
        let before = heap[first].edges[1];
        let link = node(heap, &ledger, [Some(young), before]);
        heap.get_mut(first).edges[1] = Some(link);
        kept.extend([young, link]);
        assert!(heap.contains(garbage));
    });
    assert!(kept.len() > 10);
    assert!(kept.iter().all(|&gc| heap.contains(gc)));
    heap.collect(&first);
    ledger.expect_dropped(kept.len() / 2);
}

#[test]
fn roots_taken_and_dropped_between_slices_count_as_they_are_in_the_end() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let (first, last) = list(&mut heap, &ledger, 20);
    let late = node(&mut heap, &ledger, [None; 2]);
    let dropped = node(&mut heap, &ledger, [None; 2]);
    let mut early = Some(heap.root(dropped));
    heap.get_mut(last).edges[1] = Some(late);
    heap.start_major();
    let mut root = None;
    in_slices(&mut heap, &first, |heap, slice| {
        if slice == 3 {
            early = None;
            let late = heap.get_mut(last).edges[1].take().unwrap();
            root = Some(heap.root(late));
        }
    });
    assert!(heap.contains(late));
    drop(root);
    heap.collect(&first);
    ledger.expect_dropped(2);
}

#[test]
fn a_scope_that_opens_between_slices_keeps_what_is_made_in_it() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let (first, _) = list(&mut heap, &ledger, 20);
    heap.start_major();
    heap.scope(|heap| {
        let mut made = Vec::new();
        in_slices(heap, &first, |heap, _| made.push(node(heap, &ledger, [None; 2])));
        assert!(made.iter().all(|&gc| heap.contains(gc)));
    });
}

#[test]
fn writes_while_sweeping_are_seen_by_the_next_minor_collection() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let (first, _) = list(&mut heap, &ledger, 300);
    for _ in 0..300 {
        node(&mut heap, &ledger, [None; 2]);
    }
    heap.start_major();
    // The first to die says that sweeping has begun.
    while ledger.dropped() == 0 {
        assert_eq!(heap.step(&first, Budget::work(1)), Progress::Pending);
    }
    let young = node(&mut heap, &ledger, [None; 2]);
    heap.get_mut(first).edges[1] = Some(young);
    in_slices(&mut heap, &first, |_, _| ());
    heap.collect_minor(&first);
    assert!(heap.contains(young));
    heap.collect(&first);
    ledger.expect_dropped(300);
}

#[test]
fn a_full_collection_on_top_of_one_in_slices_frees_what_has_died_since() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let log = events(&mut heap);
    let (first, _) = list(&mut heap, &ledger, 50);
    let second = node(&mut heap, &ledger, [None; 2]);
    for budget in [1, 10, 30, 70, 200] {
        let (doomed, _) = list(&mut heap, &ledger, 50);
        heap.start_major();
        let _ = heap.step(&[first, second, doomed], Budget::work(budget));
        let before = ledger.dropped();
        heap.collect(&[first, second]);
        assert_eq!(ledger.dropped() - before, 50, "after {budget} units");
    }
    assert!(log.borrow().iter().any(|event| matches!(event, Event::Abandoned { kind: Kind::Full, .. })));
    assert!(heap.contains(first) && heap.contains(second));
}

#[test]
fn a_minor_collection_completes_what_is_under_way() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let (first, _) = list(&mut heap, &ledger, 50);
    heap.start_major();
    let _ = heap.step(&first, Budget::work(10));
    node(&mut heap, &ledger, [None; 2]);
    heap.collect_minor(&first);
    ledger.expect_dropped(1);
    let statistics = heap.statistics();
    assert_eq!((statistics.collections, statistics.minor_collections), (2, 1));
}

#[test]
fn a_trace_that_panics_in_a_slice_abandons_the_collection() {
    struct Fragile {
        _token: Token,
        fails: Rc<Cell<bool>>,
    }
    impl Trace for Fragile {
        fn trace(&self, _: &mut Tracer<'_>) {
            assert!(!self.fails.get(), "as it was asked to");
        }
    }
    let ledger = Ledger::new();
    let fails = Rc::new(Cell::new(true));
    let mut heap = pinned().build();
    let log = events(&mut heap);
    let (first, last) = list(&mut heap, &ledger, 100);
    let fragile = heap.alloc(Fragile { _token: ledger.token(), fails: Rc::clone(&fails) });
    node(&mut heap, &ledger, [None; 2]);
    let roots = (first, fragile);
    heap.start_major();
    let mut panics = 0;
    for _ in 0..1000 {
        match catch(|| heap.step(&roots, Budget::work(5))) {
            Ok(Progress::Pending) => {}
            Ok(Progress::Done) => break,
            Err(_) => panics += 1,
        }
        // What is made and written between the slices is not lost either.
        let new = node(&mut heap, &ledger, [None; 2]);
        heap.get_mut(last).edges[1] = Some(new);
    }
    assert_eq!(panics, 1);
    ledger.expect_dropped(0);
    fails.set(false);
    expect_sound(&heap);
    heap.safepoint(&roots);
    heap.collect(&roots);
    assert!(log.borrow().iter().any(|event| matches!(event, Event::Abandoned { .. })));
    assert!(heap.contains(first) && heap.contains(fragile));
    assert!(heap.contains(heap[last].edges[1].unwrap()));
    drop(heap);
    ledger.expect_all_dropped();
}

#[test]
fn a_drop_that_panics_in_a_slice_does_not_stop_the_sweep() {
    #[derive(Trace)]
    struct Loud(Token);
    impl Drop for Loud {
        fn drop(&mut self) {
            assert!(!self.0.id().is_multiple_of(10), "number {}", self.0.id());
        }
    }
    let ledger = Ledger::new();
    let mut heap = pinned().build();
    for _ in 0..100 {
        let token = ledger.token();
        heap.alloc(Loud(token));
    }
    heap.start_major();
    let mut panics = 0;
    loop {
        match catch(|| heap.step(&(), Budget::work(1))) {
            Ok(Progress::Pending) => {}
            Ok(Progress::Done) => break,
            Err(_) => panics += 1,
        }
        expect_sound(&heap);
    }
    // One for each slice in which some destructor panicked; a slice of one unit takes 64 cells at most.
    assert!((1..=10).contains(&panics), "{panics}");
    ledger.expect_all_dropped();
}

#[test]
fn a_long_slice_is_scanned_in_parts() {
    const LEN: usize = if cfg!(miri) { 5_000 } else { 1_000_000 };
    let mut heap = pinned().zeal(Zeal::none()).build();
    let log = events(&mut heap);
    let leaf = heap.alloc(Some(1));
    let slice = heap.alloc_slice(&vec![Some(leaf); LEN]);
    heap.start_major();
    let mut slices = 0;
    while heap.step(&slice, Budget::work(1_000)) == Progress::Pending {
        slices += 1;
    }
    assert!(slices >= LEN / 5 / 1_000, "{slices} slices");
    let [Event::Ended { reason: Reason::Asked, work, .. }] = log.borrow()[..] else { panic!("{log:?}") };
    assert!(work >= LEN as u64 / 5, "{work} units");
    assert!(heap.contains(leaf));
}

#[test]
fn a_write_to_one_element_of_a_long_slice_costs_the_next_collection_little() {
    const LEN: usize = if cfg!(miri) { 5_000 } else { 1_000_000 };
    type Slice = Gc<[Option<Gc<u32>>]>;
    let work_of_minor = |write: fn(&mut Heap, Slice, Gc<u32>)| {
        let mut heap = pinned().zeal(Zeal { recheck: true, ..Zeal::none() }).build();
        let slice = heap.alloc_slice(&vec![None; LEN]);
        heap.collect(&slice);
        let log = events(&mut heap);
        let young = heap.alloc(7);
        write(&mut heap, slice, young);
        heap.collect_minor(&slice);
        assert_eq!(heap[young], 7);
        let [Event::Ended { work, .. }] = log.borrow()[..] else { panic!("{log:?}") };
        work
    };
    let whole = work_of_minor(|heap, slice, young| heap.get_mut(slice)[LEN - 3] = Some(young));
    let part = work_of_minor(|heap, slice, young| heap.slice_mut(slice, LEN - 3..LEN - 2)[0] = Some(young));
    assert!(whole >= LEN as u64 / 5, "{whole} units");
    assert!(part < 2_000, "{part} units");
}

#[test]
fn elements_written_between_slices_are_found_in_the_parts_that_were_scanned() {
    const LEN: usize = 5_000;
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let slice = heap.alloc_slice(&vec![None; LEN]);
    heap.collect(&slice);
    heap.start_major();
    let mut at = 0;
    let mut made = 0;
    while heap.step(&slice, Budget::work(50)) == Progress::Pending && made < 200 {
        let young = node(&mut heap, &ledger, [None; 2]);
        heap.slice_mut(slice, at..=at)[0] = Some(young);
        at = (at + 1_237) % LEN;
        made += 1;
    }
    while heap.step(&slice, Budget::work(50)) == Progress::Pending {}
    let alive = heap[slice].iter().flatten().filter(|&&gc| heap.contains(gc)).count();
    assert_eq!(alive, made);
    heap.collect(&slice);
    assert_eq!(ledger.dropped(), 0);
}

#[test]
fn a_slice_is_as_long_for_a_large_heap_as_for_a_small_one() {
    const BUDGET: u64 = 500;
    let longest = |live: usize| {
        let ledger = Ledger::new();
        let mut heap = pinned().pause_budget(Budget::work(BUDGET)).min_heap(0).zeal(Zeal::none()).build();
        let log = events(&mut heap);
        let (first, _) = list(&mut heap, &ledger, live);
        let mut slices = 0_u64;
        heap.start_major();
        while heap.step(&first, Budget::work(BUDGET)) == Progress::Pending {
            slices += 1;
        }
        let work: u64 =
            log.borrow().iter().map(|event| if let Event::Ended { work, .. } = event { *work } else { 0 }).sum();
        work / slices.max(1)
    };
    for live in if cfg!(miri) { [2_000, 3_000] } else { [2_000, 200_000] } {
        let mean = longest(live);
        assert!((BUDGET - 10..BUDGET * 2).contains(&mean), "{mean} units a slice for {live} objects");
    }
}

#[test]
fn a_budget_of_time_ends_by_the_clock_and_always_gets_on() {
    let ledger = Ledger::new();
    let mut heap = checked().build();
    let (first, _) = list(&mut heap, &ledger, 5_000);
    heap.start_major();
    let mut steps = 0;
    while heap.step(&first, Budget::time(Duration::ZERO)) == Progress::Pending {
        steps += 1;
        assert!(steps < 5_000);
    }
    assert!(steps > 3);
    assert_eq!(heap.step(&first, Budget::time(Duration::MAX)), Progress::Done);
}

#[test]
fn a_handle_to_what_was_found_dead_is_stale_before_it_is_freed() {
    let ledger = Ledger::new();
    let mut heap = pinned().build();
    let (first, _) = list(&mut heap, &ledger, 300);
    let dead: Vec<Gc<Node>> = (0..300).map(|_| node(&mut heap, &ledger, [None; 2])).collect();
    heap.start_major();
    while ledger.dropped() == 0 {
        assert_eq!(heap.step(&first, Budget::work(1)), Progress::Pending);
    }
    assert!(ledger.dropped() < dead.len(), "some are left to be freed");
    for &gc in &dead {
        assert!(!heap.contains(gc) && !gc.erase().is::<Node>(&heap));
        assert!(heap.try_get(gc).is_err() && heap.try_get_mut(gc).is_err() && heap.try_root(gc).is_err());
    }
    let young = node(&mut heap, &ledger, [None; 2]);
    assert!(heap.contains(young) && heap.contains(first) && heap.try_root(young).is_ok());
}

#[test]
fn many_roots_do_not_use_up_small_budgets() {
    let mut heap = pinned().pause_budget(Budget::work(100)).zeal(Zeal::none()).build();
    let roots: Vec<Gc<u64>> = (0..if cfg!(miri) { 500 } else { 50_000 }).map(|n| heap.alloc(n)).collect();
    heap.start_major();
    let mut slices = 0;
    while heap.step(&roots, Budget::work(100)) == Progress::Pending {
        slices += 1;
    }
    // Leaves need no scan: what is left is to clear and to sweep some hundred pages.
    assert!(slices < 300, "{slices} slices");
}

#[test]
fn a_request_is_carried_out_although_another_collection_is_under_way() {
    let ledger = Ledger::new();
    let mut heap = pinned().pause_budget(Budget::work(50)).min_heap(64 << 10).zeal(Zeal::none()).build();
    let (mut first, _) = list(&mut heap, &ledger, 1_000);
    while heap.step(&first, Budget::work(1)) == Progress::Done {
        first = node(&mut heap, &ledger, [Some(first), None]);
    }
    heap.start_major();
    for _ in 0..100_000 {
        heap.safepoint(&first);
    }
    let statistics = heap.statistics();
    assert!(statistics.collections > statistics.minor_collections, "{statistics:?}");
}

#[test]
fn a_collection_that_was_asked_for_goes_on_without_allocations() {
    let ledger = Ledger::new();
    let mut heap = pinned().pause_budget(Budget::work(10)).zeal(Zeal::none()).build();
    let (first, _) = list(&mut heap, &ledger, 1_000);
    heap.start_major();
    for _ in 0..10_000 {
        heap.safepoint(&first);
    }
    assert_eq!(heap.statistics().collections, 1);
}

/// One step of a program made at random. Numbers pick among what there is, by the remainder.
#[derive(Clone, Debug)]
enum Step {
    Alloc { edges: [usize; 2] },
    Link { from: usize, at: usize, to: usize },
    Unlink { from: usize, at: usize },
    Root { of: usize },
    Unroot { which: usize },
    Put { at: usize, what: usize },
    PutByWhole { at: usize, what: usize },
    Slice { units: u64 },
    StartMajor,
    Collect,
    CollectMinor,
}

fn step() -> impl Strategy<Value = Step> {
    let n = || any::<usize>();
    prop_oneof![
        6 => [n(), n()].prop_map(|edges| Step::Alloc { edges }),
        6 => (n(), n(), n()).prop_map(|(from, at, to)| Step::Link { from, at, to }),
        3 => (n(), n()).prop_map(|(from, at)| Step::Unlink { from, at }),
        2 => n().prop_map(|of| Step::Root { of }),
        2 => n().prop_map(|which| Step::Unroot { which }),
        3 => (n(), n()).prop_map(|(at, what)| Step::Put { at, what }),
        1 => (n(), n()).prop_map(|(at, what)| Step::PutByWhole { at, what }),
        12 => (1..40_u64).prop_map(|units| Step::Slice { units }),
        2 => Just(Step::StartMajor),
        1 => Just(Step::Collect),
        1 => Just(Step::CollectMinor),
    ]
}

/// How long the slice of a program is: of several parts.
const LONG: usize = 2_600;

/// A program whose handles are those that it can still reach.
struct Program {
    heap: Heap,
    ledger: Ledger,
    long: Gc<[Option<Gc<Node>>]>,
    roots: Vec<Gc<Node>>,
}

impl Program {
    fn reachable(&self) -> Vec<Gc<Node>> {
        let mut seen = HashSet::new();
        let mut order = Vec::new();
        let mut todo: Vec<Gc<Node>> =
            self.roots.iter().copied().chain(self.heap[self.long].iter().flatten().copied()).collect();
        while let Some(gc) = todo.pop() {
            // Each access is a check that it is still there.
            let edges = self.heap[gc].edges;
            if seen.insert(gc) {
                order.push(gc);
                todo.extend(edges.into_iter().flatten());
            }
        }
        order
    }

    fn run(&mut self, step: &Step) {
        let reachable = self.reachable();
        let pick = |n: usize| (!reachable.is_empty()).then(|| reachable[n % reachable.len()]);
        let roots = (self.long, self.roots.clone());
        match *step {
            Step::Alloc { edges } => {
                let gc = node(&mut self.heap, &self.ledger, edges.map(pick));
                self.roots.push(gc);
            }
            Step::Link { from, at, to } => {
                if let Some(from) = pick(from) {
                    self.heap.get_mut(from).edges[at % 2] = pick(to);
                }
            }
            Step::Unlink { from, at } => {
                if let Some(from) = pick(from) {
                    self.heap.get_mut(from).edges[at % 2] = None;
                }
            }
            Step::Root { of } => self.roots.extend(pick(of)),
            Step::Unroot { which } => {
                if !self.roots.is_empty() {
                    self.roots.swap_remove(which % self.roots.len());
                }
            }
            Step::Put { at, what } => self.heap.slice_mut(self.long, at % LONG..=at % LONG)[0] = pick(what),
            Step::PutByWhole { at, what } => self.heap.get_mut(self.long)[at % LONG] = pick(what),
            Step::Slice { units } => {
                let _ = self.heap.step(&roots, Budget::work(units));
            }
            Step::StartMajor => self.heap.start_major(),
            Step::Collect => {
                self.heap.collect(&roots);
                assert_eq!(self.ledger.made() - self.ledger.dropped(), self.reachable().len());
            }
            Step::CollectMinor => self.heap.collect_minor(&roots),
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn random_programs_lose_nothing_and_leak_nothing(steps in prop::collection::vec(step(), 1..if cfg!(miri) { 60 } else { 400 })) {
        let ledger = Ledger::new();
        let mut heap = pinned().nursery(4 << 10).min_heap(16 << 10).zeal(Zeal { recheck: true, ..Zeal::none() }).build();
        let long = heap.alloc_slice(&vec![None; LONG]);
        let mut program = Program { heap, ledger, long, roots: Vec::new() };
        for step in &steps {
            program.run(step);
        }
        expect_sound(&program.heap);
        program.run(&Step::Collect);
        program.ledger.expect_dropped(program.ledger.made() - program.reachable().len());
        let Program { heap, ledger, .. } = program;
        drop(heap);
        ledger.expect_all_dropped();
    }
}
