//! When the system has no memory for the worklist of a collection, the collection is slower and as right as ever.

use tumulus_heap::{Gc, Heap, Trace, hooks};
use tumulus_tests::{Ledger, Token, calm_heap, expect_sound, scaled};

#[derive(Trace)]
struct Node {
    token: Token,
    children: Vec<Gc<Node>>,
    slot: Option<Gc<Node>>,
}

fn node(heap: &mut Heap, ledger: &Ledger, children: Vec<Gc<Node>>) -> Gc<Node> {
    heap.alloc(Node { token: ledger.token(), children, slot: None })
}

/// Two levels of a wide graph: more work at once than the worklist has room for.
fn wide(heap: &mut Heap, ledger: &Ledger, width: usize) -> Gc<Node> {
    let children = (0..width)
        .map(|_| {
            let grandchild = node(heap, ledger, Vec::new());
            node(heap, ledger, vec![grandchild])
        })
        .collect();
    node(heap, ledger, children)
}

#[test]
fn a_wide_graph_is_marked_with_next_to_no_memory() {
    const WIDTH: usize = scaled(20_000, 60);
    for bytes in [0, 4 << 10, 16 << 10] {
        let ledger = Ledger::new();
        let mut heap = calm_heap();
        hooks::limit_scratch(&mut heap, Some(bytes));
        let kept = wide(&mut heap, &ledger, WIDTH);
        let in_kept = ledger.made();
        let lost = wide(&mut heap, &ledger, scaled(500, 10));
        heap.collect(&kept);
        ledger.expect_dropped(ledger.made() - in_kept);
        assert!(!heap.contains(lost));
        assert!(heap.statistics().scratch_bytes <= bytes.max(1 << 10), "{:?}", heap.statistics());
        let count = heap[kept].children.iter().filter(|&&child| heap.contains(heap[child].children[0])).count();
        assert_eq!(count, WIDTH);
        expect_sound(&heap);
        drop(heap);
        ledger.expect_all_dropped();
    }
}

#[test]
fn a_minor_collection_remembers_what_it_has_no_memory_to_queue() {
    let ledger = Ledger::new();
    let mut heap = calm_heap();
    hooks::limit_scratch(&mut heap, Some(0));
    let old = wide(&mut heap, &ledger, scaled(5_000, 20));
    heap.collect(&old);
    let children = heap[old].children.clone();
    for &child in &children {
        let slot = wide(&mut heap, &ledger, 1);
        heap.get_mut(child).slot = Some(slot);
    }
    let alive = ledger.made();
    wide(&mut heap, &ledger, scaled(500, 10));
    heap.collect_minor(&old);
    ledger.expect_dropped(ledger.made() - alive);
    assert!(children.iter().all(|&child| {
        let slot = heap[child].slot.unwrap();
        let young = heap[slot].children[0];
        heap.contains(heap[young].children[0])
    }));
    expect_sound(&heap);
}

#[test]
fn a_long_list_in_either_direction() {
    const NODES: usize = scaled(2_000, 20);
    let ledger = Ledger::new();
    let mut heap = calm_heap();
    hooks::limit_scratch(&mut heap, Some(0));
    let nodes: Vec<Gc<Node>> = (0..NODES).map(|_| node(&mut heap, &ledger, Vec::new())).collect();
    for n in 1..NODES {
        heap.get_mut(nodes[n]).slot = Some(nodes[n - 1]);
    }
    heap.collect(&nodes[NODES - 1]);
    assert!(nodes.iter().all(|&gc| heap.contains(gc)));
    for n in 0..NODES {
        heap.get_mut(nodes[n]).slot = nodes.get(n + 1).copied();
    }
    heap.collect(&nodes[0]);
    ledger.expect_dropped(0);
    heap.collect(&nodes[NODES / 2]);
    ledger.expect_dropped(NODES / 2);
    expect_sound(&heap);
}

#[test]
fn when_memory_is_back_so_is_the_worklist() {
    let ledger = Ledger::new();
    let mut heap = calm_heap();
    let kept = wide(&mut heap, &ledger, scaled(10_000, 1_200));
    hooks::limit_scratch(&mut heap, Some(0));
    heap.collect(&kept);
    assert_eq!(heap.statistics().scratch_bytes, 0);
    hooks::limit_scratch(&mut heap, None);
    heap.collect(&kept);
    assert!(heap.statistics().scratch_bytes >= 4_096);
    ledger.expect_dropped(0);
}

#[test]
fn the_second_opinion_agrees() {
    let ledger = Ledger::new();
    let mut heap = Heap::builder().zeal("recheck,verify,poison".parse().unwrap()).build();
    hooks::limit_scratch(&mut heap, Some(0));
    let kept = wide(&mut heap, &ledger, scaled(1_000, 5));
    let in_kept = ledger.made();
    wide(&mut heap, &ledger, scaled(100, 5));
    heap.collect_minor(&kept);
    wide(&mut heap, &ledger, scaled(100, 5));
    heap.collect(&kept);
    ledger.expect_dropped(ledger.made() - in_kept);
}
