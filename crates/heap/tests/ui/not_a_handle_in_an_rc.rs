use std::rc::Rc;
use tumulus_heap::{Gc, Heap, Trace};

#[derive(Trace)]
struct Shared {
    handles: Rc<Vec<Gc<u32>>>,
}

fn main() {
    let mut heap = Heap::new();
    heap.alloc(Shared { handles: Rc::default() });
}
