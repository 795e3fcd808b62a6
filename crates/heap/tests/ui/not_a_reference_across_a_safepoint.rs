use tumulus_heap::Heap;

fn main() {
    let mut heap = Heap::new();
    let gc = heap.alloc("text".to_string());
    let text: &str = &heap[gc];
    heap.safepoint(&());
    println!("{text}");
}
