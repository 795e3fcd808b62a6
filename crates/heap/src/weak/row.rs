//! Long rows of values in the heap, as slices of some thousand each.
//!
//! A slice is allocated and freed as a whole, which for a million elements takes the system some milliseconds, and jumps far
//! ahead of what a collection has reckoned with. A row is made of *chunks* that are allocated when they are needed, and kept
//! when the row gets longer; only the list of chunks is made anew. A row that is shorter than a chunk is one slice of its
//! length.

use crate::error::AllocError;
use crate::heap::Heap;
use crate::raw::Gc;
use crate::trace::{Describer, Trace, Tracer};

/// Elements of a chunk. Enough for chunks to have cards, so that a write to one of them is not a write to all.
pub(super) const CHUNK: usize = 4096;

type Chunks<T> = [Option<Gc<[T]>>];

/// A row of so many values, to be kept in an object.
pub(super) struct Row<T: Trace + 'static> {
    chunks: Gc<Chunks<T>>,
    len: usize,
}

impl<T: Trace + 'static> Copy for Row<T> {}

impl<T: Trace + 'static> Clone for Row<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Trace + 'static> Trace for Row<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edge(self.chunks);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        self.chunks.describe(describer);
    }
}

impl<T: Trace + Default + 'static> Row<T> {
    /// A row of which nothing is there yet. The length is less than that of a chunk, or a multiple of it.
    pub(super) fn try_new(heap: &mut Heap, len: usize) -> Result<Row<T>, AllocError> {
        let chunks = heap.try_alloc_slice_with(len.div_ceil(CHUNK), |_| None)?;
        Ok(Row { chunks, len })
    }

    /// A row with the chunks of this one, as far as they reach; both are of whole chunks.
    pub(super) fn try_resized(self, heap: &mut Heap, len: usize) -> Result<Row<T>, AllocError> {
        let row = Row::try_new(heap, len)?;
        for at in 0..(self.len.min(len) / CHUNK) {
            let chunk = heap.get(self.chunks)[at];
            heap.slice_mut(row.chunks, at..=at)[0] = chunk;
        }
        Ok(row)
    }

    /// Makes sure that the first `end` elements are there.
    pub(super) fn try_reach(self, heap: &mut Heap, end: usize) -> Result<(), AllocError> {
        for at in 0..end.div_ceil(CHUNK) {
            self.try_reach_chunk(heap, at)?;
        }
        Ok(())
    }

    /// Makes sure that the element at `at` is there.
    #[inline]
    pub(super) fn try_reach_element(self, heap: &mut Heap, at: usize) -> Result<(), AllocError> {
        self.try_reach_chunk(heap, at / CHUNK)
    }

    fn try_reach_chunk(self, heap: &mut Heap, at: usize) -> Result<(), AllocError> {
        if heap.get(self.chunks)[at].is_none() {
            let chunk = heap.try_alloc_slice_with(self.len.min(CHUNK), |_| T::default())?;
            heap.slice_mut(self.chunks, at..=at)[0] = Some(chunk);
        }
        Ok(())
    }

    /// How many elements there can be.
    #[inline]
    pub(super) fn len(self) -> usize {
        self.len
    }

    /// An element, which is there.
    #[inline]
    pub(super) fn get(self, heap: &Heap, at: usize) -> &T {
        match heap.get(self.chunks)[at / CHUNK] {
            Some(chunk) => &heap.get(chunk)[at % CHUNK],
            None => not_there(at),
        }
    }

    /// An element, which is there, to be changed.
    #[inline]
    pub(super) fn get_mut(self, heap: &mut Heap, at: usize) -> &mut T {
        let place = at % CHUNK;
        match heap.get(self.chunks)[at / CHUNK] {
            Some(chunk) => &mut heap.slice_mut(chunk, place..=place)[0],
            None => not_there(at),
        }
    }

    /// The elements that are there, up to the chunk in which the last of them is.
    pub(super) fn iter(self, heap: &Heap) -> impl Iterator<Item = &T> {
        heap.get(self.chunks).iter().flatten().flat_map(|&chunk| heap.get(chunk))
    }

    /// Makes all elements that are there anew.
    pub(super) fn reset(self, heap: &mut Heap) {
        for at in 0..heap.get(self.chunks).len() {
            if let Some(chunk) = heap.get(self.chunks)[at] {
                heap.slice_mut(chunk, ..).fill_with(T::default);
            }
        }
    }
}

#[cold]
fn not_there(at: usize) -> ! {
    unreachable!("element {at} of a row was not reached")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stay_where_they_are_when_the_row_gets_longer_and_shorter() {
        let mut heap = Heap::new();
        let row = Row::<u32>::try_new(&mut heap, 2 * CHUNK).unwrap();
        row.try_reach(&mut heap, CHUNK + 1).unwrap();
        for at in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK - 1] {
            *row.get_mut(&mut heap, at) = at as u32 + 1;
        }
        let longer = row.try_resized(&mut heap, 4 * CHUNK).unwrap();
        longer.try_reach_element(&mut heap, 3 * CHUNK).unwrap();
        assert_eq!(*longer.get(&heap, 2 * CHUNK - 1), 2 * CHUNK as u32);
        assert_eq!(longer.iter(&heap).count(), 3 * CHUNK);
        let shorter = longer.try_resized(&mut heap, CHUNK).unwrap();
        assert_eq!((*shorter.get(&heap, CHUNK - 1), shorter.len()), (CHUNK as u32, CHUNK));
        heap.collect(&shorter);
        assert_eq!(heap.statistics().live_objects, 2);
        shorter.reset(&mut heap);
        assert!(shorter.iter(&heap).all(|&element| element == 0));
    }
}
