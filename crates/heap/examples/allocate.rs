//! Allocates so many objects, for `scripts/observer-cost`, which counts the instructions.
//!
//!     allocate [values|holes|texts|slices [COUNT [stopped]]]
//!
//! Without arguments it allocates a thousand values.
//!
//! With `stopped`, allocations were observed before, and are not any more.

use std::hint::black_box;
use tumulus_heap::{Collector, Gc, Heap, Zeal};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let what = arguments.get(1).map_or("values", String::as_str);
    let count: u64 = arguments.get(2).map_or(1000, |count| count.parse().expect("a number"));
    let mut heap =
        Heap::builder().collector(Collector::MarkSweep).nursery(0).min_heap(1 << 40).zeal(Zeal::none()).build();
    // The same types are in the heap's table in each mode.
    black_box(heap.alloc([0_u64; 3]));
    if arguments.get(3).is_some_and(|word| word == "stopped") {
        stop_observing(&mut heap);
    }
    match what {
        "values" => (0..count).for_each(|n| _ = black_box(heap.alloc([n; 3]))),
        "texts" => (0..count).for_each(|_| _ = black_box(heap.alloc_str(black_box("a text of some length")))),
        "slices" => (0..count).for_each(|_| _ = black_box(heap.alloc_slice(black_box(&[7_u64; 4])))),
        "holes" => {
            // Each free cell is alone, so that each allocation goes on to another run.
            let mut kept: Vec<Gc<[u64; 3]>> = Vec::new();
            for n in 0..2 * count {
                let made = heap.alloc([n; 3]);
                if n.is_multiple_of(2) {
                    kept.push(made);
                }
            }
            heap.collect(&kept);
            (0..count).for_each(|n| _ = black_box(heap.alloc([n; 3])));
        }
        other => panic!("{other} is not known"),
    }
}

fn stop_observing(heap: &mut Heap) {
    heap.track_allocations(); // observed
    black_box(heap.alloc([0_u64; 3]));
    heap.stop_observing_allocations(); // observed
    heap.sample_allocations(100); // observed
    heap.stop_observing_allocations(); // observed
}
