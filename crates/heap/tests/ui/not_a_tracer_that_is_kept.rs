use std::cell::RefCell;
use tumulus_heap::{Gc, Heap, Trace, Tracer};

/// Keeps the tracer for later, when its collection is over.
struct Keeper<'t>(RefCell<Option<&'t mut Tracer<'t>>>);

impl<'t> Trace for Keeper<'t> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        *self.0.borrow_mut() = Some(tracer);
    }
}

fn main() {
    let mut heap = Heap::new();
    let gc: Gc<u8> = heap.alloc(1);
    let keeper = Keeper(RefCell::new(None));
    heap.collect(&keeper);
    if let Some(tracer) = keeper.0.take() {
        tracer.edge(gc);
    }
}
