use tumulus_heap::{Gc, Heap};

fn main() {
    let mut heap = Heap::new();
    let stack = heap.alloc(Vec::<Gc<u32>>::new());
    heap.get_mut(stack).push(heap.alloc(1));
}
