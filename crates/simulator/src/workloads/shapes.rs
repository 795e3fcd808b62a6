//! The shapes of JavaScript's objects, as V8 lays them out where pointers are not compressed, which is how node is built.
//!
//! ```text
//! object       | map | properties | elements | field | field | ...     a word of 8 bytes each
//! array        | map | properties | elements | length |
//! its elements | map | length | element | element | ...
//! number       | map | its 8 bytes |                                   where it is no small integer
//! string       | map | hash, length | bytes, rounded up to a word |
//! ```
//!
//! A cell's header takes the place of the map, and its size is a multiple of 16. So an object with an even number of fields
//! takes 8 bytes more here; elements and strings, whose length is in the header, take none to 8 bytes less.

use crate::session::Stop;
use tumulus_arraybuffer::Error;
use tumulus_heap::{Gc, Heap, Trace};

/// The two words that an object has behind its map, for properties and elements that do not fit into it.
#[derive(Copy, Clone, Debug, Default, Trace)]
#[allow(dead_code, reason = "room that V8 takes; it is written as V8 writes it, and never read")]
pub(super) struct Words([u64; 2]);

/// A number that is no small integer: an object of its own.
pub(super) type Number = Gc<f64>;

/// An array. Only the collector follows the object; its elements are what a workload has at hand.
#[derive(Debug, Trace)]
pub(super) struct Array<T: Trace + 'static> {
    properties: u64,
    pub(super) elements: Gc<[T]>,
    pub(super) length: u64,
}

impl<T: Trace + 'static> Array<T> {
    /// An array of all these elements.
    pub(super) fn of(elements: Gc<[T]>, length: usize) -> Array<T> {
        Array { properties: 0, elements, length: length as u64 }
    }
}

/// Puts a value into the heap; where there is no room, after a collection. The value's own handles count as roots then. The place of
/// the allocation is the caller's, in this and the others.
#[inline]
#[track_caller]
pub(super) fn put<T: Trace + 'static>(heap: &mut Heap, roots: &(impl Trace + ?Sized), value: T) -> Result<Gc<T>, Stop> {
    Ok(heap.alloc_or_collect(roots, value)?)
}

/// The same for a string.
#[inline]
#[track_caller]
pub(super) fn put_text(heap: &mut Heap, roots: &(impl Trace + ?Sized), text: &str) -> Result<Gc<str>, Stop> {
    if let Ok(gc) = heap.try_alloc_str(text) {
        return Ok(gc);
    }
    heap.collect(roots);
    Ok(heap.try_alloc_str(text)?)
}

/// The same for a slice; `make` may be called again for elements that it was called for.
#[inline]
#[track_caller]
pub(super) fn put_slice<T: Trace + 'static>(
    heap: &mut Heap,
    roots: &(impl Trace + ?Sized),
    length: usize,
    make: impl Fn(usize) -> T,
) -> Result<Gc<[T]>, Stop> {
    if let Ok(gc) = heap.try_alloc_slice_with(length, &make) {
        return Ok(gc);
    }
    heap.collect(roots);
    Ok(heap.try_alloc_slice_with(length, make)?)
}

/// The same for what makes a buffer or a view, or lets one grow. What `attempt` needs the second time has to be kept by the
/// roots.
pub(super) fn or_collect<T>(
    heap: &mut Heap,
    roots: &(impl Trace + ?Sized),
    mut attempt: impl FnMut(&mut Heap) -> Result<T, Error>,
) -> Result<T, Error> {
    match attempt(heap) {
        Err(Error::OutOfMemory { .. }) => {
            heap.collect(roots);
            attempt(heap)
        }
        result => result,
    }
}

/// Handles on their way into an object: an interpreter's stack, as far as a workload needs one.
pub(super) type Stack<T> = Vec<Gc<T>>;

const _: () = assert!(size_of::<Array<Option<Gc<str>>>>() + 8 == 32);
