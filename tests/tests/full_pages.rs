//! A page that is full to its last granule, beside a page of another type: what happens at its end stays in it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use tumulus_heap::{Gc, Heap, HeapBuilder, Trace, Tracer, Zeal};

type Numbers = Vec<Gc<u64>>;
type Neighbours = Vec<Gc<[u64; 3]>>;

/// A heap in which a page of `u64` is full, and the page behind it holds other objects.
fn heap_with_a_full_page(options: HeapBuilder) -> (Heap, Numbers, Neighbours) {
    let mut heap = options.zeal(Zeal::none()).build();
    let mut numbers = vec![heap.alloc(0)];
    let neighbours: Vec<_> = (0..3).map(|n| heap.alloc([n; 3])).collect();
    heap.collect(&(&numbers, &neighbours));
    numbers.extend((1..1024).map(|n| heap.alloc(n)));
    (heap, numbers, neighbours)
}

fn assert_intact(heap: &Heap, numbers: &[Gc<u64>], neighbours: &[Gc<[u64; 3]>]) {
    for (n, &gc) in (0..).zip(numbers) {
        assert_eq!(heap[gc], n);
    }
    for (n, &gc) in (0..).zip(neighbours) {
        assert_eq!(heap[gc], [n; 3]);
    }
    assert_eq!(heap.verify(), Ok(()));
}

#[test]
fn allocations_that_are_refused_touch_nothing() {
    let (mut heap, numbers, neighbours) = heap_with_a_full_page(Heap::builder().limit(32 << 10));
    for _ in 0..3 {
        assert!(heap.try_alloc(u64::MAX).is_err());
        assert_intact(&heap, &numbers, &neighbours);
    }
}

#[test]
fn allocation_goes_on_after_a_collection_that_was_abandoned() {
    struct Panics;
    impl Trace for Panics {
        fn trace(&self, _: &mut Tracer<'_>) {
            panic!("on purpose");
        }
    }

    let (mut heap, mut numbers, neighbours) = heap_with_a_full_page(Heap::builder());
    assert!(catch_unwind(AssertUnwindSafe(|| heap.collect(&Panics))).is_err());
    numbers.extend((1024..3000).map(|n| heap.alloc(n)));
    assert_intact(&heap, &numbers, &neighbours);
    heap.collect(&(&numbers, &neighbours));
    assert_intact(&heap, &numbers, &neighbours);
}
