use tumulus_heap::Heap;

fn main() {
    let mut heap = Heap::new();
    let (a, b) = (heap.alloc(1), heap.alloc(2));
    let x = heap.get_mut(a);
    let y = heap.get_mut(b);
    std::mem::swap(x, y);
}
