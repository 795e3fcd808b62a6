//! Copying from other arrays.

use super::array::{TypedArray, load_bytes, store};
use super::kind::Element;
use super::witness::copy_elements;
use crate::convert::to_integer_or_infinity;
use crate::error::Error;
use crate::scratch;
use tumulus_heap::Heap;

/// Where the elements begin, if the offset is no negative one.
fn target_offset(offset: f64) -> Result<f64, Error> {
    let integer = to_integer_or_infinity(offset);
    if integer < 0.0 {
        return Err(Error::Index { operation: "set", value: offset });
    }
    Ok(integer)
}

fn check_range(offset: f64, length: usize, available: usize) -> Result<usize, Error> {
    #[allow(clippy::cast_sign_loss, reason = "it is not negative, and saturates")]
    let start = offset as usize;
    if offset.is_infinite() || start > available || length > available - start {
        let (offset, length, available) = (start as u64, length as u64, available as u64);
        return Err(Error::Range { operation: "set", offset, length, available });
    }
    Ok(start)
}

impl TypedArray {
    /// Copies all elements of another array to a place of this one, converted if they are of another kind. The two may have
    /// the same bytes: it is as if there were a copy in between.
    ///
    /// # Errors
    ///
    /// In this order: [`Error::Index`] for a negative offset; [`Error::Detached`], [`Error::OutOfBounds`],
    /// [`Error::Immutable`] of this array, and of the other; [`Error::ContentType`]; [`Error::Range`] if they do not fit.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let floats = TypedArray::with_length(&mut heap, ElementKind::Float32, 2)?;
    /// floats.as_mut_slice(&mut heap)?.copy_from_slice(&[1.9_f32, 300.0]);
    /// let bytes = TypedArray::with_length(&mut heap, ElementKind::Uint8Clamped, 4)?;
    /// bytes.set_from_array(&mut heap, floats, 1.0)?;
    /// assert_eq!(bytes.as_slice::<u8>(&heap)?, [0, 2, 255, 0]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn set_from_array(self, heap: &mut Heap, source: TypedArray, offset: f64) -> Result<(), Error> {
        let operation = "set";
        let offset = target_offset(offset)?;
        let target = self.writable_extent(heap, operation)?;
        let from = source.valid_extent(heap, operation)?;
        if target.kind.is_big_int() != from.kind.is_big_int() {
            return Err(Error::ContentType { operation });
        }
        let start = check_range(offset, from.length, target.length)?;
        let same_bytes = match (heap[target.buffer].record(), heap[from.buffer].record()) {
            (Some(target), Some(from)) => std::ptr::eq(target, from),
            _ => false,
        };
        if same_bytes && target.kind != from.kind {
            // Converting in place would read what was just written.
            let mut elements: Vec<[u8; 8]> = scratch::list(operation, from.length)?;
            elements.extend((0..from.length).map(|index| load_bytes(heap, &from, index)));
            for (index, bytes) in elements.into_iter().enumerate() {
                let bytes = target.kind.encode(operation, from.kind.decode(bytes))?;
                store(heap, &target, start + index, bytes);
            }
        } else {
            copy_elements(heap, &from, 0, &target, start, from.length);
        }
        Ok(())
    }

    /// Writes so many elements to a place of this array, which `element` gives one after the other. It may do what it likes
    /// with the heap meanwhile; what the array has become too short for is passed over.
    ///
    /// # Errors
    ///
    /// As [`set_from_array`](TypedArray::set_from_array), and the first error of `element`, when those before it are written.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Element, ElementKind, Error, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int8, 4)?;
    /// array.set_with(&mut heap, 1.0, 2, |_, index| Ok::<_, Error>(Element::from(index as u32 + 7)))?;
    /// assert_eq!(array.as_slice::<i8>(&heap)?, [0, 7, 8, 0]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_with<E: From<Error>>(
        self,
        heap: &mut Heap,
        offset: f64,
        length: usize,
        mut element: impl FnMut(&mut Heap, usize) -> Result<Element, E>,
    ) -> Result<(), E> {
        let offset = target_offset(offset)?;
        let target = self.writable_extent(heap, "set")?;
        let start = check_range(offset, length, target.length)?;
        for index in 0..length {
            let element = element(heap, index)?;
            self.set(heap, start + index, element)?;
        }
        Ok(())
    }
}
