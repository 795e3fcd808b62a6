//! A `Trace` that panics in the second search of the zeal mode `recheck` abandons the collection like any other.

use std::cell::Cell;
use std::rc::Rc;
use tumulus_heap::{Gc, Heap, Trace, Tracer};
use tumulus_tests::{Ledger, Token, catch, expect_sound};

/// Collects everything, or only what is young.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Extent {
    Full,
    Minor,
}

fn collect<R: Trace>(heap: &mut Heap, extent: Extent, roots: &R) {
    match extent {
        Extent::Full => heap.collect(roots),
        Extent::Minor => heap.collect_minor(roots),
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
        let root = tree(&mut heap, &fuse, &ledger, 3);
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
fn in_the_second_search_of_a_full_collection() {
    panics_in_objects(Extent::Full, || Heap::builder().zeal("recheck".parse().unwrap()).build());
}

#[test]
fn in_the_second_search_of_a_minor_collection() {
    panics_in_objects(Extent::Minor, || Heap::builder().zeal("recheck".parse().unwrap()).build());
}
