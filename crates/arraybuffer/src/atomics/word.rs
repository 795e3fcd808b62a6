//! Elements that are words: shared, of four bytes, and so the processor's own atomics.
//!
//! A shared buffer is not detached and does not become shorter. So an element that was there once is there as long as the
//! buffer is, which a borrow of the heap makes sure of.

use super::{check_index, validate};
use crate::error::Error;
use crate::raw::Bytes;
use crate::view::{ElementKind, TypedArray};
use std::sync::atomic::{AtomicI32, AtomicU32};
use tumulus_heap::Heap;

/// An element of a shared `Int32Array`, for code in Rust that operates on it more than once: it is validated here, and every
/// operation is then one instruction.
///
/// # Errors
///
/// In this order: [`Error::ViewKind`]; [`Error::OutOfBounds`]; [`Error::NotShared`]; [`Error::Range`].
///
/// # Examples
///
/// ```
/// use std::sync::atomic::Ordering;
/// use tumulus_arraybuffer::{atomics, Element, ElementKind, SharedArrayBuffer, TypedArray};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = SharedArrayBuffer::new(&mut heap, 16)?;
/// let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None)?;
/// let counter = atomics::int32(&heap, array, 3)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| counter.fetch_add(1, Ordering::Relaxed));
///     scope.spawn(|| counter.fetch_add(1, Ordering::Relaxed));
/// });
/// assert_eq!(array.get(&heap, 3), Some(Element::Number(2.0)));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn int32(heap: &Heap, array: TypedArray, index: u64) -> Result<&AtomicI32, Error> {
    element(heap, array, index, ElementKind::Int32, "a shared Int32Array").map(crate::raw::signed)
}

/// The same for a `Uint32Array`.
///
/// # Errors
///
/// As [`int32`].
///
/// ```
/// # use tumulus_arraybuffer::{atomics, ElementKind, SharedArrayBuffer, TypedArray};
/// # let mut heap = tumulus_heap::Heap::new();
/// let buffer = SharedArrayBuffer::new(&mut heap, 16)?;
/// let array = TypedArray::new(&mut heap, ElementKind::Uint32, buffer, 4, None)?;
/// atomics::uint32(&heap, array, 2)?.store(7, std::sync::atomic::Ordering::SeqCst);
/// assert_eq!(array.get_as::<u32>(&heap, 2), Some(7));
/// assert!(atomics::uint32(&heap, array, 3).is_err() && atomics::int32(&heap, array, 0).is_err());
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn uint32(heap: &Heap, array: TypedArray, index: u64) -> Result<&AtomicU32, Error> {
    element(heap, array, index, ElementKind::Uint32, "a shared Uint32Array")
}

fn element<'h>(
    heap: &'h Heap,
    array: TypedArray,
    index: u64,
    kind: ElementKind,
    expected: &'static str,
) -> Result<&'h AtomicU32, Error> {
    let operation = "Atomics";
    let extent = validate(heap, array, operation, |found| found == kind, expected)?;
    let Bytes::Shared(words) = heap[extent.buffer].bytes() else { return Err(Error::NotShared { operation }) };
    check_index(&extent, index, operation)?;
    Ok(words.atomic_word(extent.at(index as usize)))
}
