use tumulus_heap::{Gc, Heap};

fn main() {
    let mut heap = Heap::new();
    let stack: Gc<Vec<u32>> = heap.alloc(vec![1]);
    let first = heap.get(stack).first();
    heap.alloc(2_u32);
    println!("{first:?}");
}
