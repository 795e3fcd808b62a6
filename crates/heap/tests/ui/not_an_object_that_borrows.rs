use tumulus_heap::{Gc, Heap};

fn store<'t>(heap: &mut Heap, text: &'t str) -> Gc<&'t str> {
    heap.alloc(text)
}

fn main() {
    let mut heap = Heap::new();
    let text = String::from("text");
    store(&mut heap, &text);
}
