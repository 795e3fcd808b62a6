//! What a destructor panics with may have a destructor that panics itself. The collection is completed all the same, no
//! page is lost or listed twice, and no two objects share a cell.

use std::panic::panic_any;
use std::rc::Rc;
use tumulus_heap::{Gc, Heap, Trace, Tracer, Zeal};
use tumulus_tests::{catch, expect_sound};

struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "the payload of a panic");
    }
}

/// As large as an `Innocent`.
struct Bomb {
    armed: bool,
    id: u64,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.armed {
            panic_any(Payload);
        }
    }
}

impl Trace for Bomb {
    const HAS_EDGES: bool = false;
    fn trace(&self, _tracer: &mut Tracer<'_>) {}
}

#[derive(Trace)]
struct Innocent {
    shared: Rc<u64>,
    id: u64,
}

#[test]
#[cfg_attr(miri, ignore = "the last of the panics is leaked on purpose")]
fn a_payload_that_panics_when_it_is_dropped() {
    let mut heap = Heap::builder().zeal(Zeal::none()).build();
    // Two pages that survive a collection, with one armed bomb in each, and a run that is taken from the first of them.
    let bombs: Vec<Gc<Bomb>> = (0..1_000).map(|id| heap.alloc(Bomb { armed: false, id })).collect();
    let kept: Vec<Gc<Bomb>> = bombs.iter().copied().step_by(2).collect();
    heap.collect(&kept);
    heap.get_mut(kept[0]).armed = true;
    heap.get_mut(kept[499]).armed = true;
    heap.alloc(Bomb { armed: false, id: 0 });
    // All of them die, and two of them panic with a payload that panics.
    let result = catch(|| heap.collect(&()));
    std::mem::forget(result.unwrap_err());

    // No two objects share a cell.
    let disarmed: Vec<Gc<Bomb>> = (0..400).map(|id| heap.alloc(Bomb { armed: false, id })).collect();
    let shared = Rc::new(7);
    let innocent: Vec<Gc<Innocent>> =
        (0..400).map(|id| heap.alloc(Innocent { shared: Rc::clone(&shared), id: 1_000 + id })).collect();
    assert!(
        disarmed.iter().all(|gc| innocent.iter().all(|other| gc.erase() != other.erase())),
        "two objects in one cell"
    );
    assert!(disarmed.iter().zip(0..).all(|(&gc, id)| heap[gc].id == id));
    assert!(innocent.iter().zip(1_000..).all(|(&gc, id)| heap[gc].id == id && *heap[gc].shared == 7));
    expect_sound(&heap);
}
