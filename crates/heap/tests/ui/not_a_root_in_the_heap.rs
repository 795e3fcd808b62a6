use tumulus_heap::{Heap, Root, Trace};

#[derive(Trace)]
struct Holder {
    held: Root<u32>,
}

fn main() {
    let mut heap = Heap::new();
    let gc = heap.alloc(1_u32);
    let root = heap.root(gc);
    heap.alloc(root);
}
