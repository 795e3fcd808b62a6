//! The workload `buffers`.

use tumulus_arraybuffer::ArrayBuffer;
use tumulus_heap::{Gc, Heap};

use super::{Options, set};
use crate::pauses::buffers::{BYTES, Table};
use crate::pauses::watch::Watch;

/// A heap with a table of buffers.
pub struct BufferTable {
    heap: Heap,
    table: Gc<[Option<ArrayBuffer>]>,
}

impl BufferTable {
    pub fn new<O: Options>(places: usize) -> Self {
        let mut heap = O::heap();
        let table = heap.alloc_slice_with(places, |_| None);
        BufferTable { heap, table }
    }
}

impl Table for BufferTable {
    fn empty(&mut self, at: usize, watch: &mut Watch) {
        set(&mut self.heap, self.table, at, None);
        watch.pause(|| self.heap.safepoint(&self.table));
    }

    fn fill(&mut self, at: usize, first: u8, watch: &mut Watch) {
        let buffer = ArrayBuffer::new(&mut self.heap, BYTES as u64).expect("memory");
        buffer.as_mut_slice(&mut self.heap).expect("not detached")[0] = first;
        set(&mut self.heap, self.table, at, Some(buffer));
        watch.pause(|| self.heap.safepoint(&self.table));
    }

    fn sum(&self, at: usize) -> u64 {
        let buffer = self.heap[self.table][at].expect("it is there");
        buffer.as_slice(&self.heap).expect("not detached").iter().map(|&byte| u64::from(byte)).sum()
    }
}
