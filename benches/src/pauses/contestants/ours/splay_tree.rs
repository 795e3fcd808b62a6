//! The workload `splay`.

use tumulus_heap::{Gc, Heap, Trace};

use super::Options;
use crate::pauses::splay::{self, NUMBERS, Nodes, PAYLOAD_DEPTH, Step};
use crate::pauses::watch::Watch;

#[derive(Trace)]
pub struct SplayNode {
    key: f64,
    left: Option<Gc<SplayNode>>,
    right: Option<Gc<SplayNode>>,
    payload: Option<Payload>,
}

#[derive(Clone, Copy, Trace)]
pub enum Payload {
    Branch(Gc<[Payload; 2]>),
    Leaf(Gc<Leaf>),
}

#[derive(Trace)]
pub struct Leaf {
    numbers: Gc<[f64; NUMBERS]>,
    text: Gc<str>,
}

/// A heap with a splay tree.
pub struct SplayTree {
    heap: Heap,
    root: Option<Gc<SplayNode>>,
}

impl SplayTree {
    pub fn new<O: Options>() -> Self {
        SplayTree { heap: O::heap(), root: None }
    }
}

impl Nodes for Heap {
    type Link = Gc<SplayNode>;
    type Payload = Payload;

    fn payload(&mut self, number: u32) -> Payload {
        fn grow(heap: &mut Heap, depth: u32, number: u32, text: &str) -> Payload {
            if depth == 0 {
                let numbers = heap.alloc(splay::numbers(number));
                let text = heap.alloc_str(text);
                return Payload::Leaf(heap.alloc(Leaf { numbers, text }));
            }
            let left = grow(heap, depth - 1, number, text);
            let right = grow(heap, depth - 1, number, text);
            Payload::Branch(heap.alloc([left, right]))
        }
        grow(self, PAYLOAD_DEPTH, number, &splay::text(number))
    }

    #[inline]
    fn node(&mut self, key: f64, payload: Option<Payload>) -> Gc<SplayNode> {
        self.alloc(SplayNode { key, left: None, right: None, payload })
    }

    #[inline]
    fn key(&self, node: &Gc<SplayNode>) -> f64 {
        self[*node].key
    }

    #[inline]
    fn left(&self, node: &Gc<SplayNode>) -> Option<Gc<SplayNode>> {
        self[*node].left
    }

    #[inline]
    fn right(&self, node: &Gc<SplayNode>) -> Option<Gc<SplayNode>> {
        self[*node].right
    }

    #[inline]
    fn set_left(&mut self, node: &Gc<SplayNode>, to: Option<Gc<SplayNode>>) {
        self.get_mut(*node).left = to;
    }

    #[inline]
    fn set_right(&mut self, node: &Gc<SplayNode>, to: Option<Gc<SplayNode>>) {
        self.get_mut(*node).right = to;
    }

    fn sum(&self, node: &Gc<SplayNode>) -> u64 {
        fn sum(heap: &Heap, payload: Payload) -> u64 {
            match payload {
                Payload::Branch(children) => heap[children].iter().map(|&child| sum(heap, child)).sum(),
                Payload::Leaf(leaf) => splay::sum_of_leaf(&heap[heap[leaf].numbers], &heap[heap[leaf].text]),
            }
        }
        self[*node].payload.map_or(0, |payload| sum(self, payload))
    }
}

impl splay::Tree for SplayTree {
    fn step(&mut self, number: u32, step: Step, watch: &mut Watch) -> bool {
        let added = splay::step(&mut self.heap, &mut self.root, number, step);
        watch.pause(|| self.heap.safepoint(&self.root));
        added
    }

    fn checksum(&mut self) -> u64 {
        splay::checksum(&self.heap, self.root)
    }
}
