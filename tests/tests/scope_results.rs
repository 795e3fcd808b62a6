//! What a scope returns may hold handles that are stale or belong to another heap. They are handed outward as what they
//! are: no root, and no flaw of the heap.

use tumulus_heap::{Heap, Zeal};
use tumulus_tests::{calm_heap, expect_sound};

#[test]
fn a_handle_of_another_heap_passes_through_a_scope() {
    let mut there = calm_heap();
    let theirs = there.alloc(1_u8);
    let mut here = Heap::builder().zeal(Zeal { verify: true, ..Zeal::none() }).build();
    here.scope(|here| {
        let same = here.scope(|_| theirs);
        here.collect(&());
        expect_sound(here);
        assert_eq!((there[same], here.statistics().live_objects), (1, 0));
    });
}

#[test]
fn a_stale_handle_passes_through_a_scope() {
    let mut heap = calm_heap();
    let stale = heap.alloc(1_u8);
    heap.collect(&());
    heap.scope(|heap| {
        let same = heap.scope(|_| Some(stale));
        assert!(heap.try_get(same.unwrap()).is_err());
        expect_sound(heap);
    });
}
