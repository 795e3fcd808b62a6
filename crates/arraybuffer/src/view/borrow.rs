//! Elements as slices of Rust's.

use super::array::{Extent, TRACKING, TypedArray, ViewObject};
use super::kind::{ElementKind, Native};
use crate::error::Error;
use crate::raw::{self, Bytes};
use std::sync::atomic::AtomicU32;
use tumulus_heap::Heap;

impl TypedArray {
    /// Borrows the elements. While they are borrowed, the buffer cannot be detached, resized or written to.
    ///
    /// # Errors
    ///
    /// [`Error::ViewKind`] if elements are not of this type; [`Error::Detached`], [`Error::OutOfBounds`];
    /// [`Error::IsShared`], as others may write to shared bytes; [`Error::Alignment`] if a foreign store lies askew.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Float64, 3)?;
    /// assert_eq!(array.as_slice::<f64>(&heap)?, [0.0; 3]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    ///
    /// ```compile_fail,E0502
    /// # use tumulus_arraybuffer::{ArrayBuffer, ElementKind, Layout, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// # let buffer = ArrayBuffer::new(&mut heap, Layout::new(8).max(16)).unwrap();
    /// # let array = TypedArray::new(&mut heap, ElementKind::Int8, buffer, 0, None).unwrap();
    /// let elements = array.as_slice::<i8>(&heap).unwrap();
    /// buffer.resize(&mut heap, 0).unwrap();
    /// assert_eq!(elements[0], 0);
    /// ```
    pub fn as_slice<T: Native>(self, heap: &Heap) -> Result<&[T], Error> {
        let operation = "as_slice";
        let extent = self.valid_extent(heap, operation)?;
        check::<T>(&extent, operation)?;
        let bytes = heap[extent.buffer].plain().ok_or(Error::IsShared { operation })?;
        let bytes = &bytes[extent.start..extent.start + extent.byte_length()];
        raw::elements(bytes).ok_or_else(|| askew(&extent, bytes, operation))
    }

    /// Borrows the elements to write to them. Nothing else can be done with the heap meanwhile.
    ///
    /// # Errors
    ///
    /// As [`as_slice`](TypedArray::as_slice), and [`Error::Immutable`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int16, 3)?;
    /// array.as_mut_slice::<i16>(&mut heap)?.copy_from_slice(&[3, 1, 2]);
    /// array.as_mut_slice::<i16>(&mut heap)?.sort_unstable();
    /// assert_eq!(array.as_slice::<i16>(&heap)?, [1, 2, 3]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn as_mut_slice<T: Native>(self, heap: &mut Heap) -> Result<&mut [T], Error> {
        let operation = "as_mut_slice";
        let extent = self.writable_extent(heap, operation)?;
        check::<T>(&extent, operation)?;
        let bytes = heap.get_mut(extent.buffer).plain_mut().ok_or(Error::IsShared { operation })?;
        let bytes = &mut bytes[extent.start..extent.start + extent.byte_length()];
        let error = askew(&extent, bytes, operation);
        raw::elements_mut(bytes).ok_or(error)
    }
}

fn check<T: Native>(extent: &Extent, operation: &'static str) -> Result<(), Error> {
    if T::is(extent.kind) {
        return Ok(());
    }
    Err(Error::ViewKind { operation, kind: extent.kind.array_name(), expected: T::NAME })
}

fn askew(extent: &Extent, bytes: &[u8], operation: &'static str) -> Error {
    let (value, kind) = (bytes.as_ptr().addr() as u64, extent.kind.array_name());
    Error::Alignment { operation, value, element_size: extent.kind.size(), kind }
}

impl TypedArray {
    /// The word of an element of four bytes, if there is such an element, and it is shared and can be written to. Looks at
    /// everything that [`valid_extent`](TypedArray::valid_extent) does, once.
    #[inline]
    pub(crate) fn shared_word(self, heap: &Heap, index: usize) -> Option<(ElementKind, &AtomicU32)> {
        let &ViewObject { buffer, start, end, kind } = &heap[self.0];
        let object = &heap[buffer];
        if kind.size() != 4 || !object.is_shared() || object.is_immutable {
            return None;
        }
        let Bytes::Shared(words) = object.bytes() else { return None };
        let end = if end == TRACKING { words.len() } else { end };
        if end > words.len() || index >= end.checked_sub(start)? / 4 {
            return None;
        }
        Some((kind, words.atomic_word(start + index * 4)))
    }
}
