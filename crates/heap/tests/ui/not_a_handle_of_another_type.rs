use tumulus_heap::{Gc, Heap};

fn main() {
    let mut heap = Heap::new();
    let text: Gc<&'static str> = heap.alloc("text");
    let number: Gc<u64> = text;
    heap[number] += 1;
}
