use std::cell::RefCell;
use tumulus_heap::{Gc, Heap};

fn main() {
    let mut heap = Heap::new();
    let gc: Gc<u32> = heap.alloc(1);
    heap.alloc(RefCell::new(gc));
}
