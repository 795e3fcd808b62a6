use tumulus_heap::Heap;

fn main() {
    let mut heap = Heap::new();
    let gc = heap.alloc(1_u32);
    std::thread::spawn(move || heap[gc]);
}
