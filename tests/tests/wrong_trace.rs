//! Memory safety does not rest on `Trace`. One that forgets a handle gets an error when the object is used; one that
//! reports a handle twice, or a stale or a foreign one, does no harm; one that panics abandons the collection: nothing
//! is freed, the heap is in order, and the next collection works.
//!
//! Programs that are wrong in this way are what the zeal modes `verify` and `recheck` complain about, so most heaps
//! here have no zeal.

use std::cell::Cell;
use std::rc::Rc;
use tumulus_heap::{AnyGc, Gc, HandleError, Heap, Trace, Tracer, Zeal};
use tumulus_tests::{Ledger, Token, calm_heap, catch, expect_sound, panic_words, scaled};

/// Collects everything, or only what is young.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Extent {
    Full,
    Minor,
}

const EXTENTS: [Extent; 2] = [Extent::Full, Extent::Minor];

fn collect<R: Trace>(heap: &mut Heap, extent: Extent, roots: &R) {
    match extent {
        Extent::Full => heap.collect(roots),
        Extent::Minor => heap.collect_minor(roots),
    }
}

#[test]
fn a_forgotten_field_dies_with_a_clear_error() {
    struct Forgetful {
        seen: Gc<String>,
        forgotten: Gc<String>,
    }
    impl Trace for Forgetful {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            self.seen.trace(tracer);
        }
    }
    for extent in EXTENTS {
        let mut heap = calm_heap();
        let (seen, forgotten) = (heap.alloc("seen".to_string()), heap.alloc("forgotten".to_string()));
        let holder = heap.alloc(Forgetful { seen, forgotten });
        collect(&mut heap, extent, &holder);
        let (seen, forgotten) = (heap[holder].seen, heap[holder].forgotten);
        assert_eq!(heap[seen], "seen");
        assert!(matches!(heap.try_get(forgotten), Err(HandleError::Collected { .. })));
        assert!(panic_words(|| heap[forgotten].len()).contains("String behind this handle was collected"));
        // Its cell is taken again, and the handle in the object still leads nowhere.
        for _ in 0..scaled(2_000, 100) {
            heap.alloc("another".to_string());
        }
        assert!(heap.try_get(forgotten).is_err() && heap.try_get_mut(forgotten).is_err());
        collect(&mut heap, extent, &holder);
        assert_eq!(heap[seen], "seen");
    }
}

#[test]
fn a_type_that_denies_its_handles_loses_what_they_lead_to() {
    struct Denier(Gc<u64>);
    impl Trace for Denier {
        const HAS_EDGES: bool = false;
        fn trace(&self, tracer: &mut Tracer<'_>) {
            self.0.trace(tracer);
        }
    }
    for extent in EXTENTS {
        let mut heap = calm_heap();
        let number = heap.alloc(1_u64);
        let denier = heap.alloc(Denier(number));
        collect(&mut heap, extent, &denier);
        assert!(heap.contains(denier) && !heap.contains(number));
        heap[denier].0 = heap.alloc(2_u64);
        collect(&mut heap, extent, &denier);
        assert!(!heap.contains(heap[denier].0));
    }
}

#[test]
fn a_handle_that_is_reported_twice_is_followed_once() {
    struct Twice(Gc<(Token, Option<Gc<u8>>)>);
    impl Trace for Twice {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            self.0.trace(tracer);
            tracer.edge(self.0);
            tracer.any_edge(self.0.erase());
        }
    }
    for extent in EXTENTS {
        let ledger = Ledger::new();
        let mut heap = Heap::new();
        let byte = heap.alloc(1);
        let inner = heap.alloc((ledger.token(), Some(byte)));
        let outer = heap.alloc(Twice(inner));
        collect(&mut heap, extent, &(outer, outer, &[outer; 3]));
        ledger.expect_dropped(0);
        assert_eq!(heap[byte], 1);
        expect_sound(&heap);
        heap.collect(&());
        ledger.expect_dropped(1);
    }
}

#[test]
fn stale_and_foreign_handles_are_followed_nowhere_that_matters() {
    /// Holds a lot of handles, of which its `Trace` has no idea what they are.
    struct Museum {
        pieces: Vec<AnyGc>,
        typed: Vec<Gc<u64>>,
        alive: Gc<String>,
    }
    impl Trace for Museum {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            self.pieces.trace(tracer);
            self.typed.trace(tracer);
            self.alive.trace(tracer);
        }
    }
    const COUNT: usize = scaled(2_000, 30);
    for extent in EXTENTS {
        let ledger = Ledger::new();
        let (mut heap, mut other) = (calm_heap(), calm_heap());
        let mut pieces: Vec<AnyGc> = Vec::new();
        let mut typed = Vec::new();
        for n in 0..COUNT as u64 {
            typed.push(heap.alloc(n));
            pieces.push(heap.alloc([n; 4]).erase());
            pieces.push(heap.alloc_str("stale").erase());
            typed.push(other.alloc(n));
            pieces.push(other.alloc([n; 200]).erase());
            pieces.push(other.alloc((ledger.token(), n)).erase());
            pieces.push(other.alloc_with(|| [n; 300]).erase());
        }
        heap.collect(&());
        // What the stale handles point at now has edges, or owns things.
        let later: Vec<Gc<Option<Gc<Token>>>> = (0..COUNT)
            .map(|_| {
                let token = heap.alloc(ledger.token());
                heap.alloc(Some(token))
            })
            .collect();
        let alive = heap.alloc("alive".to_string());
        let museum = heap.alloc(Museum { pieces, typed, alive });
        for _ in 0..3 {
            collect(&mut heap, extent, &(museum, &later));
            assert_eq!(heap[alive], "alive");
            assert!(later.iter().all(|&gc| heap.contains(heap[gc].unwrap())));
            assert!(heap[museum].pieces.iter().all(|&piece| !heap.contains(piece)));
        }
        ledger.expect_dropped(0);
        other.collect(&());
        ledger.expect_dropped(COUNT);
        drop(heap);
        ledger.expect_all_dropped();
    }
}

/// Panics in `trace` when the fuse has burnt down.
#[derive(Clone, Default)]
struct Fuse(Rc<Cell<Option<u32>>>);

impl Fuse {
    fn burn(&self) {
        match self.0.get() {
            None => {}
            Some(0) => panic!("the fuse has burnt down"),
            Some(left) => self.0.set(Some(left - 1)),
        }
    }
}

impl Trace for Fuse {
    // It says so for its `trace` to be called.
    const HAS_EDGES: bool = true;
    fn trace(&self, _tracer: &mut Tracer<'_>) {
        self.burn();
    }
}

#[derive(Trace)]
struct Node {
    fuse: Fuse,
    token: Token,
    children: Vec<Gc<Node>>,
}

fn tree(heap: &mut Heap, fuse: &Fuse, ledger: &Ledger, depth: u32) -> Gc<Node> {
    let children = if depth == 0 { Vec::new() } else { (0..3).map(|_| tree(heap, fuse, ledger, depth - 1)).collect() };
    heap.alloc(Node { fuse: fuse.clone(), token: ledger.token(), children })
}

fn nodes_of(heap: &Heap, root: Gc<Node>) -> Vec<Gc<Node>> {
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        found.extend_from_slice(&heap[found[at]].children);
        at += 1;
    }
    found
}

/// Lets the `trace` of an object panic at each call that a collection makes, one after the other.
fn panics_in_objects(extent: Extent, mut make_heap: impl FnMut() -> Heap) {
    let mut calls = 0;
    loop {
        let (fuse, ledger) = (Fuse::default(), Ledger::new());
        let mut heap = make_heap();
        let root = tree(&mut heap, &fuse, &ledger, scaled(3, 1) as u32);
        let garbage = tree(&mut heap, &fuse, &ledger, 1);
        heap.collect(&(root, garbage));
        let young_garbage = tree(&mut heap, &fuse, &ledger, 1);
        let young = tree(&mut heap, &fuse, &ledger, 1);
        heap.get_mut(root).children.push(young);
        let all = nodes_of(&heap, root);
        let made = ledger.made();

        fuse.0.set(Some(calls));
        let result = catch(|| collect(&mut heap, extent, &root));
        fuse.0.set(None);
        if result.is_ok() {
            assert!(calls > 3, "the fuse was too long to show anything");
            return;
        }

        // Nothing was freed, and everything can be used.
        ledger.expect_dropped(0);
        expect_sound(&heap);
        assert!(heap.contains(garbage) && heap.contains(young_garbage));
        assert!(all.iter().all(|&gc| !ledger.is_dropped(heap[gc].token.id())));

        // A write between the two collections is not lost, whichever marks the abandoned one left behind.
        let late = tree(&mut heap, &fuse, &ledger, 0);
        heap.get_mut(young).children.push(late);
        let later = tree(&mut heap, &fuse, &ledger, 0);
        heap.get_mut(all[5]).children.push(later);
        collect(&mut heap, Extent::Minor, &root);
        assert!(heap.contains(late) && heap.contains(later), "call {calls}");
        assert!(all.iter().all(|&gc| heap.contains(gc)), "call {calls}");
        expect_sound(&heap);

        heap.collect(&root);
        assert!(!heap.contains(garbage) && !heap.contains(young_garbage));
        assert_eq!(ledger.made() - ledger.dropped(), nodes_of(&heap, root).len());
        assert_eq!(ledger.made(), made + 2);
        expect_sound(&heap);
        drop(heap);
        ledger.expect_all_dropped();
        calls += 1;
    }
}

#[test]
fn a_trace_that_panics_in_an_object_abandons_a_full_collection() {
    panics_in_objects(Extent::Full, calm_heap);
}

#[test]
fn a_trace_that_panics_in_an_object_abandons_a_minor_collection() {
    panics_in_objects(Extent::Minor, calm_heap);
}

#[test]
fn a_trace_that_panics_in_the_second_search_of_recheck_abandons_the_collection() {
    for extent in EXTENTS.into_iter().take(scaled(2, 1)) {
        panics_in_objects(extent, || Heap::builder().zeal(Zeal { recheck: true, ..Zeal::none() }).build());
    }
}

#[test]
fn a_trace_that_panics_in_the_roots_abandons_the_collection() {
    for extent in EXTENTS {
        let (fuse, ledger) = (Fuse::default(), Ledger::new());
        let mut heap = Heap::new();
        let kept = tree(&mut heap, &fuse, &ledger, 2);
        let also_kept = tree(&mut heap, &fuse, &ledger, 2);
        let root = heap.root(also_kept);
        heap.alloc(ledger.token());
        let bomb = Fuse(Rc::new(Cell::new(Some(0))));
        for _ in 0..3 {
            let before = heap.statistics().collections;
            let words = panic_words(|| collect(&mut heap, extent, &(kept, &bomb, kept)));
            assert_eq!(words, "the fuse has burnt down");
            assert_eq!(heap.statistics().collections, before, "an abandoned collection was counted");
            ledger.expect_dropped(0);
            expect_sound(&heap);
        }
        collect(&mut heap, extent, &kept);
        ledger.expect_dropped(1);
        drop(root);
        heap.collect(&kept);
        ledger.expect_dropped(1 + 13);
        drop(heap);
        ledger.expect_all_dropped();
    }
}

#[test]
fn a_safepoint_that_was_abandoned_is_made_up_for_by_the_next() {
    let ledger = Ledger::new();
    let mut heap = Heap::builder().nursery(scaled(64 << 10, 32 << 10)).build();
    let bomb = Fuse(Rc::new(Cell::new(Some(0))));
    let mut made = 0;
    let abandoned = loop {
        heap.alloc(ledger.token());
        made += 1;
        if catch(|| heap.safepoint(&bomb)).is_err() {
            break made;
        }
        assert!(made < 1_000_000, "no collection was due");
    };
    ledger.expect_dropped(0);
    heap.collect(&());
    ledger.expect_dropped(abandoned);
    expect_sound(&heap);
}

#[test]
fn a_trace_that_calls_another_heap_gets_on_with_it() {
    /// Collects a heap of its own while it is traced.
    struct Nested {
        heap: std::cell::RefCell<Heap>,
        inner: Gc<u64>,
        outer: Gc<u64>,
    }
    impl Trace for Nested {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            let mut heap = self.heap.borrow_mut();
            heap.collect(&self.inner);
            heap.alloc(7_u64);
            self.outer.trace(tracer);
        }
    }
    let mut heap = calm_heap();
    let mut own = calm_heap();
    let (inner, outer) = (own.alloc(1), heap.alloc(2));
    let nested = heap.alloc(Nested { heap: own.into(), inner, outer });
    for _ in 0..3 {
        heap.collect(&nested);
        assert_eq!(heap[outer], 2);
        assert_eq!(heap[nested].heap.borrow()[inner], 1);
    }
    expect_sound(&heap[nested].heap.borrow());
}
