//! After a warm-up, a collection calls the system allocator not once: its worklist, its lists and its tables are kept.
//!
//! The allocator of this process counts the calls of each thread.

use fastrand::Rng;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tumulus_heap::{Budget, EphemeronMap, FinalizationRegistry, Gc, Heap, Trace, Zeal};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and nobody asks for it.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: each call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the system allocator is called in `action`.
fn calls(action: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    action();
    CALLS.get() - before
}

#[derive(Trace)]
struct Node {
    edges: [Option<Gc<Node>>; 3],
    payload: u64,
}

fn graph(heap: &mut Heap, random: &mut Rng, count: usize) -> Vec<Gc<Node>> {
    let nodes: Vec<Gc<Node>> = (0..count).map(|n| heap.alloc(Node { edges: [None; 3], payload: n as u64 })).collect();
    for &node in &nodes {
        for edge in 0..3 {
            heap.get_mut(node).edges[edge] = Some(nodes[random.usize(..count)]);
        }
    }
    nodes
}

fn heap() -> Heap {
    Heap::builder().zeal(Zeal::none()).build()
}

#[test]
fn the_counter_counts() {
    // Or the optimiser would leave both out.
    assert_eq!(calls(|| drop(std::hint::black_box(Box::new(1)))), 2);
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn collections_of_a_random_graph() {
    const COUNT: usize = 100_000;
    let mut random = Rng::with_seed(1);
    let mut heap = heap();
    let nodes = graph(&mut heap, &mut random, COUNT);
    let root = heap.root(nodes[0]);
    let more_roots: Vec<_> = nodes.iter().step_by(100).map(|&node| heap.root(node)).collect();
    heap.scope(|heap| {
        let old = heap.alloc([0_u64; 10]);
        let mut round = |heap: &mut Heap, minor: bool| {
            // Garbage, and old objects that are written to.
            for n in 0..500 {
                let holder = nodes[random.usize(..COUNT)];
                if heap.contains(holder) {
                    let edges = heap[holder].edges;
                    let young = heap.alloc(Node { edges, payload: n });
                    if n % 2 == 0 {
                        heap.get_mut(holder).edges[random.usize(..3)] = Some(young);
                    }
                }
            }
            calls(|| if minor { heap.collect_minor(&nodes[0]) } else { heap.collect(&nodes[0]) })
        };
        for n in 0..10 {
            round(heap, n % 2 == 1);
        }
        for n in 0..5 {
            assert_eq!(round(heap, true), 0, "minor collection {n}");
            assert_eq!(round(heap, false), 0, "full collection {n}");
        }
        assert_eq!(heap[old], [0; 10]);
    });
    assert!(heap[&root].edges.iter().all(|edge| heap[edge.unwrap()].payload < COUNT as u64));
    drop(more_roots);
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn collections_of_a_weak_map() {
    const COUNT: u64 = 20_000;
    let mut heap = heap();
    let map = heap.alloc(EphemeronMap::<Gc<u64>, Gc<u64>>::new());
    let registry = heap.alloc(FinalizationRegistry::<u64>::new());
    let keys: Vec<Gc<u64>> = (0..COUNT).map(|n| heap.alloc(n)).collect();
    // Each key is the value of the next, so that in this order all but one wait.
    for pair in keys.windows(2) {
        map.insert(&mut heap, pair[1], pair[0]);
    }
    let roots = (map, registry, keys[keys.len() - 1]);
    let round = |heap: &mut Heap| {
        for n in 0..500 {
            let key = heap.alloc(n);
            map.insert(heap, key, key);
            registry.register(heap, key, n, None).unwrap();
        }
        let calls = calls(|| heap.collect(&roots));
        assert_eq!(std::iter::from_fn(|| registry.take_dead(heap)).count(), 500);
        assert_eq!(map.iter(heap).count() as u64, COUNT - 1);
        calls
    };
    // While the map makes room in place.
    for _ in 0..60 {
        round(&mut heap);
    }
    for n in 0..5 {
        assert_eq!(round(&mut heap), 0, "collection {n}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn a_thousand_cycles_driven_by_safepoints() {
    const LIVE: usize = 500;
    let mut random = Rng::with_seed(7);
    let builder = Heap::builder().nursery(32 << 10).min_heap(96 << 10).growth(2.0);
    let mut heap = builder.pause_budget(Budget::work(12_000)).zeal(Zeal::none()).build();
    let mut live = graph(&mut heap, &mut random, LIVE);
    let mut step = |heap: &mut Heap, live: &mut Vec<Gc<Node>>| {
        let node = heap.alloc(Node { edges: [None; 3], payload: 7 });
        let at = random.usize(..LIVE);
        if at.is_multiple_of(2) {
            live[at] = node;
        }
        heap.alloc([0_u64; 6]);
        heap.safepoint(&live[..]);
    };
    while heap.statistics().collections < WARM_UP {
        step(&mut heap, &mut live);
    }
    let before = heap.statistics();
    let calls = calls(|| {
        while heap.statistics().collections < before.collections + 1_000 {
            step(&mut heap, &mut live);
        }
    });
    let after = heap.statistics();
    let full = (after.collections - after.minor_collections) - (before.collections - before.minor_collections);
    assert!(full > 5, "{full} full collections");
    assert_eq!(calls, 0);
}

const WARM_UP: u64 = 20;
