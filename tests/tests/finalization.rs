//! Registries that change while a collection is taking the dead out of them.

use tumulus_heap::{Budget, FinalizationRegistry, Gc, Heap, Zeal};

/// What a registry hands out.
fn taken(heap: &mut Heap, registry: Gc<FinalizationRegistry<u32>>) -> Vec<u32> {
    std::iter::from_fn(|| registry.take_dead(heap)).collect()
}

/// The collection knows the places of the dead in the slab that it has seen. When others live in their cells later, nothing
/// tells a record in another slab from one that waits for these.
#[test]
fn a_registry_that_grows_while_the_dead_leave_it_hands_out_all_of_them() {
    for units in [20, 60, 200] {
        let mut heap = Heap::builder().pause_budget(Budget::work(units)).zeal(Zeal::none()).build();
        let registry = heap.alloc(FinalizationRegistry::<u32>::new());
        let targets = 255; // which fill a slab
        for n in 0..targets {
            let target = heap.alloc([n; 3]);
            registry.register(&mut heap, target, n, None).unwrap();
        }
        heap.start_major();
        while !registry.has_dead(&heap) {
            heap.safepoint(&registry);
        }
        let one_more = heap.alloc([0; 3]);
        registry.register(&mut heap, one_more, targets, None).unwrap();
        assert_eq!(heap.statistics().collections, 0, "the collection is under way");
        while heap.statistics().collections == 0 {
            heap.safepoint(&(registry, one_more));
        }

        let in_their_cells: Vec<Gc<[u32; 3]>> = (0..2 * targets).map(|n| heap.alloc([n; 3])).collect();
        heap.collect(&(registry, one_more, in_their_cells));
        let mut handed_out = taken(&mut heap, registry);
        handed_out.sort_unstable();
        assert!(handed_out.into_iter().eq(0..targets), "{units} units");

        heap.collect(&registry);
        assert_eq!(taken(&mut heap, registry), [targets]);
    }
}
