use std::cell::RefCell;
use tumulus_heap::{Heap, Trace, Tracer};

/// Collects a heap of its own inside a collection, and gives that one's tracer for its own.
struct Outer(RefCell<Heap>);

impl Trace for Outer {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.0.borrow_mut().collect(&Inner(RefCell::new(tracer)));
    }
}

struct Inner<'t, 's>(RefCell<&'t mut Tracer<'s>>);

impl Trace for Inner<'_, '_> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        std::mem::swap(tracer, *self.0.borrow_mut());
    }
}

fn main() {
    let outer = Outer(RefCell::new(Heap::new()));
    Heap::new().collect(&outer);
}
