//! Weak references with the rules of jobs: a target that was seen in a job is there to its end.

use tumulus_heap::{Gc, Heap, Trace, WeakRef};
use tumulus_tests::{Ledger, Token, panic_words};

#[derive(Trace)]
struct Target(Token);

fn target(heap: &mut Heap, ledger: &Ledger) -> Gc<Target> {
    let token = ledger.token();
    heap.alloc(Target(token))
}

fn weak_ref(heap: &mut Heap, ledger: &Ledger) -> WeakRef<Target> {
    let target = target(heap, ledger);
    WeakRef::new(heap, target)
}

fn collect(heap: &mut Heap) {
    heap.collect_minor(&());
    heap.collect(&());
}

#[test]
fn making_or_reading_one_keeps_the_target_to_the_end_of_the_job() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let weak = weak_ref(&mut heap, &ledger);
    for _ in 0..3 {
        collect(&mut heap);
        assert!(weak.deref(&mut heap).is_some());
        // The next job begins without it, and reads it before a collection comes.
        heap.end_of_job();
        assert!(weak.deref(&mut heap).is_some());
    }
    heap.end_of_job();
    ledger.expect_dropped(0);
    collect(&mut heap);
    assert!(weak.deref(&mut heap).is_none());
    ledger.expect_all_dropped();
}

#[test]
fn what_is_read_many_times_is_kept_once() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let refs: Vec<WeakRef<Target>> = (0..100).map(|_| weak_ref(&mut heap, &ledger)).collect();
    for _ in 0..100 {
        for weak in &refs {
            weak.deref(&mut heap);
        }
    }
    heap.end_of_job();
    collect(&mut heap);
    ledger.expect_all_dropped();
}

#[test]
fn an_inner_job_ends_without_the_outer_one() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let outer = weak_ref(&mut heap, &ledger);
    let (first, second, third) = heap.job(|heap| {
        let first = weak_ref(heap, &ledger);
        // Read in the inner job, it is still the outer one that keeps it.
        outer.deref(heap);
        heap.end_of_job();
        let second = weak_ref(heap, &ledger);
        let third = heap.job(|heap| {
            let third = weak_ref(heap, &ledger);
            collect(heap);
            assert!(third.deref(heap).is_some() && first.deref(heap).is_none());
            third
        });
        collect(heap);
        assert!(second.deref(heap).is_some() && third.deref(heap).is_none());
        (first, second, third)
    });
    collect(&mut heap);
    let alive = [outer, first, second, third].map(|weak| weak.deref(&mut heap).is_some());
    assert_eq!(alive, [true, false, false, false]);
    heap.end_of_job();
    collect(&mut heap);
    ledger.expect_all_dropped();
}

#[test]
fn a_job_that_panics_ends() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let outer = weak_ref(&mut heap, &ledger);
    let mut inner = None;
    let words = panic_words(|| {
        heap.job::<()>(|heap| {
            inner = Some(weak_ref(heap, &ledger));
            panic!("in the job");
        });
    });
    assert_eq!(words, "in the job");
    collect(&mut heap);
    assert!(outer.deref(&mut heap).is_some() && inner.unwrap().deref(&mut heap).is_none());
}

#[test]
fn a_job_that_swaps_the_heap_leaves_both_in_order() {
    let ledger = Ledger::new();
    let (mut a, mut b) = (Heap::new(), Heap::new());
    let outer = weak_ref(&mut a, &ledger);
    a.job(|heap| {
        std::mem::swap(heap, &mut b);
        weak_ref(heap, &ledger);
    });
    // `b` has what was `a`.
    collect(&mut b);
    assert!(outer.deref(&mut b).is_some());
    for heap in [&mut a, &mut b] {
        heap.end_of_job();
        weak_ref(heap, &ledger);
        heap.end_of_job();
        collect(heap);
    }
    drop((a, b));
    ledger.expect_all_dropped();
}

#[test]
fn a_stale_handle_makes_no_reference() {
    let mut heap = Heap::new();
    let gone = heap.alloc(1);
    heap.collect(&());
    let words = panic_words(|| WeakRef::new(&mut heap, gone));
    assert!(words.contains("i32"), "{words}");
}
