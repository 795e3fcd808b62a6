//! The workloads of trees.

use std::time::Duration;

use tumulus_heap::{Gc, Heap, Trace};

use super::{Options, idle, set};
use crate::pauses::forest::Forest;
use crate::pauses::watch::Watch;
use crate::trees;

#[derive(Trace)]
struct Tree {
    left: Option<Gc<Tree>>,
    right: Option<Gc<Tree>>,
    value: u64,
}

/// A heap with a table of trees.
pub struct Trees {
    heap: Heap,
    table: Gc<[Option<Gc<Tree>>]>,
}

impl Trees {
    pub fn new<O: Options>(places: usize) -> Self {
        let mut heap = O::heap();
        let table = heap.alloc_slice_with(places, |_| None);
        Trees { heap, table }
    }
}

impl Forest for Trees {
    fn replace(&mut self, place: usize, nodes: u64, value: u32, watch: &mut Watch) {
        let Trees { heap, table } = self;
        let value = u64::from(value);
        let tree = trees::balanced(nodes, &mut |left, right, _| heap.alloc(Tree { left, right, value }));
        set(heap, *table, place, tree);
        watch.pause(|| heap.safepoint(table));
    }

    fn idle(&mut self, budget: Duration, watch: &mut Watch) {
        watch.idle(budget, || idle(&mut self.heap, &self.table, budget));
    }

    fn sum(&mut self) -> u64 {
        fn sum(heap: &Heap, tree: Gc<Tree>) -> u64 {
            let Tree { left, right, value } = heap[tree];
            value + left.map_or(0, |left| sum(heap, left)) + right.map_or(0, |right| sum(heap, right))
        }
        self.heap[self.table].iter().flatten().map(|&tree| sum(&self.heap, tree)).sum()
    }
}
