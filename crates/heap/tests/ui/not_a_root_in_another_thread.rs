use tumulus_heap::Heap;

fn main() {
    let mut heap = Heap::new();
    let gc = heap.alloc(1_u32);
    let root = heap.root(gc);
    std::thread::spawn(move || root.get());
}
