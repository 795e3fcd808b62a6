//! What all the others are one step away from.

use std::cell::Cell;
use std::rc::Rc;
use tumulus_heap::{Gc, Heap, Trace};

struct NotTrace;

#[derive(Trace)]
struct Node {
    next: Option<Gc<Node>>,
    shared: Rc<Cell<u32>>,
    #[trace(skip)]
    host: NotTrace,
}

fn main() {
    let mut heap = Heap::new();
    let node = heap.alloc(Node { next: None, shared: Rc::default(), host: NotTrace });
    heap.collect(&node);
    assert_eq!(heap[node].shared.get(), 0);
    assert!(heap[node].next.is_none());
    let _ = &heap[node].host;
}
