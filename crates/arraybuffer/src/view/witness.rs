//! The methods of typed arrays that take a range, cut where the language runs code of the program's.
//!
//! An interpreter validates an array, which gives a [`Witness`]; then it converts the arguments, which may run code that
//! detaches or resizes the buffer; and then it calls the witness, which looks at the array again before it touches a byte.

use super::array::{Extent, TRACKING, TypedArray, load, load_bytes, store};
use super::kind::{Element, ElementKind};
use crate::buffer::Buffer;
use crate::convert::relative_index;
use crate::error::Error;
use crate::raw::copy_between;
use std::ops::Range;
use tumulus_heap::Heap;

/// An array that was valid, and had this length. See the [crate](crate#user-code-between-the-steps).
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, Element, ElementKind, Layout, TypedArray};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, Layout::new(8).max(8))?;
/// let array = TypedArray::new(&mut heap, ElementKind::Uint8, buffer, 0, None)?;
///
/// let witness = array.validate_to_write(&heap, "fill")?;
/// buffer.resize(&mut heap, 4)?; // the conversion of an argument did this
/// witness.fill(&mut heap, Element::Number(7.0), 0.0, None)?;
/// assert_eq!(array.as_slice::<u8>(&heap)?, [7; 4]);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug)]
pub struct Witness {
    pub(super) array: TypedArray,
    pub(super) length: usize,
    pub(super) operation: &'static str,
}

impl TypedArray {
    /// Asks that the array is not out of bounds, as the language's methods do first. `operation` is for messages.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::OutOfBounds`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int8, 10)?;
    /// assert_eq!(array.validate(&heap, "at")?.length(), 10);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn validate(self, heap: &Heap, operation: &'static str) -> Result<Witness, Error> {
        let extent = self.valid_extent(heap, operation)?;
        Ok(Witness { array: self, length: extent.length, operation })
    }

    /// The same for a method that writes.
    ///
    /// # Errors
    ///
    /// As [`validate`](TypedArray::validate), and [`Error::Immutable`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, BackingStore, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::from_store(&mut heap, BackingStore::from_static(b"mound"))?;
    /// let array = TypedArray::new(&mut heap, ElementKind::Uint8, buffer, 0, None)?;
    /// assert!(array.validate(&heap, "at").is_ok() && array.validate_to_write(&heap, "fill").is_err());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn validate_to_write(self, heap: &Heap, operation: &'static str) -> Result<Witness, Error> {
        let extent = self.writable_extent(heap, operation)?;
        Ok(Witness { array: self, length: extent.length, operation })
    }

    /// The arguments for a new view of a part: the buffer, the offset, and the length, if the new view has one of its own. An
    /// interpreter with species passes them to the constructor.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int16, 10)?;
    /// let (_, offset, length) = array.subarray_arguments(&heap, 2.0, Some(-1.0));
    /// assert_eq!((offset, length), (4, Some(7)));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn subarray_arguments(self, heap: &Heap, begin: f64, end: Option<f64>) -> (Buffer, u64, Option<u64>) {
        let view = &heap[self.0];
        let length = self.length(heap);
        let first = relative_index(begin, length);
        let offset = (view.start + (first << view.kind.shift())) as u64;
        let new_length = match end {
            None if view.end == TRACKING => None,
            end => Some(end.map_or(length, |end| relative_index(end, length)).saturating_sub(first) as u64),
        };
        (self.buffer(heap), offset, new_length)
    }

    /// A new view of a part, of the same kind.
    ///
    /// # Errors
    ///
    /// As [`new`](TypedArray::new).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int16, 10)?;
    /// let part = array.subarray(&mut heap, -3.0, None)?;
    /// part.set(&mut heap, 0, Element::Number(7.0))?;
    /// assert_eq!(array.get(&heap, 7), Some(Element::Number(7.0)));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn subarray(self, heap: &mut Heap, begin: f64, end: Option<f64>) -> Result<TypedArray, Error> {
        let (buffer, offset, length) = self.subarray_arguments(heap, begin, end);
        let kind = self.kind(heap);
        TypedArray::new(heap, kind, buffer, offset, length)
    }
}

impl Witness {
    /// How many elements there were.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int8, 10)?;
    /// assert_eq!(array.validate(&heap, "keys")?.length(), 10);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn length(&self) -> usize {
        self.length
    }

    /// Which elements the arguments mean, among those that there were.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int8, 10)?;
    /// assert_eq!(array.validate(&heap, "slice")?.range(-4.0, Some(8.0)), 6..8);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn range(&self, start: f64, end: Option<f64>) -> Range<usize> {
        let start = relative_index(start, self.length);
        start..end.map_or(self.length, |end| relative_index(end, self.length)).max(start)
    }

    pub(super) fn again(&self, heap: &Heap) -> Result<Extent, Error> {
        self.array.valid_extent(heap, self.operation)
    }

    pub(super) fn again_to_write(&self, heap: &Heap) -> Result<Extent, Error> {
        self.array.writable_extent(heap, self.operation)
    }

    /// Sets all elements of a range to one value.
    ///
    /// # Errors
    ///
    /// [`Error::ContentType`] where a `BigInt` meets a number, which the language asks first; [`Error::Detached`],
    /// [`Error::OutOfBounds`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int16, 4)?;
    /// array.validate_to_write(&heap, "fill")?.fill(&mut heap, Element::Number(7.0), 1.0, Some(-1.0))?;
    /// assert_eq!(array.as_slice::<i16>(&heap)?, [0, 7, 7, 0]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn fill(self, heap: &mut Heap, value: Element, start: f64, end: Option<f64>) -> Result<(), Error> {
        let bytes = self.array.kind(heap).encode(self.operation, value)?;
        let range = self.range(start, end);
        let extent = self.again_to_write(heap)?;
        let (start, end) = (range.start, range.end.min(extent.length));
        if start >= end {
            return Ok(());
        }
        let (at, length) = (extent.at(start), (end - start) << extent.kind.shift());
        let mut target = heap.get_mut(extent.buffer).bytes_mut();
        match extent.kind.shift() {
            0 => target.fill(at, length, [bytes[0]]),
            1 => target.fill(at, length, [bytes[0], bytes[1]]),
            2 => target.fill(at, length, [bytes[0], bytes[1], bytes[2], bytes[3]]),
            _ => target.fill(at, length, bytes),
        }
        Ok(())
    }

    /// Copies a range to another place of the same array; the two may overlap.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::OutOfBounds`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 5)?;
    /// array.as_mut_slice(&mut heap)?.copy_from_slice(&[1_u8, 2, 3, 4, 5]);
    /// array.validate_to_write(&heap, "copyWithin")?.copy_within(&mut heap, 1.0, 0.0, Some(3.0))?;
    /// assert_eq!(array.as_slice::<u8>(&heap)?, [1, 1, 2, 3, 5]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn copy_within(self, heap: &mut Heap, target: f64, start: f64, end: Option<f64>) -> Result<(), Error> {
        let to = relative_index(target, self.length);
        let from = self.range(start, end);
        let count = from.len().min(self.length - to);
        if count == 0 {
            return Ok(());
        }
        let extent = self.again_to_write(heap)?;
        let left = |from: usize| extent.length.saturating_sub(from);
        let count = count.min(left(from.start)).min(left(to));
        if count > 0 {
            let (from, to) = ((extent.buffer, extent.at(from.start)), (extent.buffer, extent.at(to)));
            copy_between(heap, from, to, count << extent.kind.shift());
        }
        Ok(())
    }

    /// Copies a range to the beginning of a new array, which the species constructor has made, as far as it is still there.
    ///
    /// # Errors
    ///
    /// [`Error::ContentType`]; [`Error::Detached`], [`Error::OutOfBounds`], [`Error::Immutable`] of either;
    /// [`Error::TooShort`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 5)?;
    /// array.as_mut_slice(&mut heap)?.copy_from_slice(&[1_u8, 2, 3, 4, 5]);
    /// let witness = array.validate(&heap, "slice")?;
    /// let floats = TypedArray::with_length(&mut heap, ElementKind::Float32, 2)?;
    /// witness.slice_into(&mut heap, 1..3, floats)?;
    /// assert_eq!(floats.as_slice::<f32>(&heap)?, [2.0, 3.0]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn slice_into(self, heap: &mut Heap, range: Range<usize>, target: TypedArray) -> Result<(), Error> {
        let operation = self.operation;
        let new = target.writable_extent(heap, operation)?;
        if new.kind.is_big_int() != self.array.kind(heap).is_big_int() {
            return Err(Error::ContentType { operation });
        }
        if new.length < range.len() {
            let needed = range.len() << new.kind.shift();
            return Err(Error::TooShort { operation, needed, byte_length: new.byte_length() });
        }
        if range.is_empty() {
            return Ok(());
        }
        let old = self.again(heap)?;
        let end = range.end.min(old.length);
        if range.start < end {
            copy_elements(heap, &old, range.start, &new, 0, end - range.start);
        }
        Ok(())
    }

    /// A new array of the same kind with a copy of a range, for programs without species.
    ///
    /// # Errors
    ///
    /// As [`slice_into`](Witness::slice_into), and [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 5)?;
    /// let slice = array.validate(&heap, "slice")?.slice(&mut heap, -2.0, None)?;
    /// assert_eq!(slice.length(&heap), 2);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn slice(self, heap: &mut Heap, start: f64, end: Option<f64>) -> Result<TypedArray, Error> {
        let range = self.range(start, end);
        let kind = self.array.kind(heap);
        let new = TypedArray::with_length(heap, kind, range.len() as u64)?;
        self.slice_into(heap, range, new)?;
        Ok(new)
    }

    /// Turns the order of the elements round.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::OutOfBounds`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int16, 3)?;
    /// array.as_mut_slice(&mut heap)?.copy_from_slice(&[1_i16, 2, 3]);
    /// array.validate_to_write(&heap, "reverse")?.reverse(&mut heap)?;
    /// assert_eq!(array.as_slice::<i16>(&heap)?, [3, 2, 1]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn reverse(self, heap: &mut Heap) -> Result<(), Error> {
        let extent = self.again_to_write(heap)?;
        for lower in 0..extent.length / 2 {
            let upper = extent.length - 1 - lower;
            let (first, second) = (load_bytes(heap, &extent, lower), load_bytes(heap, &extent, upper));
            store(heap, &extent, lower, second);
            store(heap, &extent, upper, first);
        }
        Ok(())
    }

    /// The element at a relative index: negative ones are counted from the end of what there was.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int16, 3)?;
    /// let witness = array.validate(&heap, "at")?;
    /// assert_eq!(witness.at(&heap, -3.0), Some(Element::Number(0.0)));
    /// assert_eq!(witness.at(&heap, -4.0), None);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn at(self, heap: &Heap, index: f64) -> Option<Element> {
        let integer = crate::convert::to_integer_or_infinity(index);
        let place = if integer < 0.0 { self.length as f64 + integer } else { integer };
        if place < 0.0 || place >= self.length as f64 {
            return None;
        }
        #[allow(clippy::cast_sign_loss, reason = "it is not negative")]
        self.array.get(heap, place as usize)
    }
}

/// Copies elements between arrays, converted if the kinds differ. The ranges are there.
pub(super) fn copy_elements(heap: &mut Heap, from: &Extent, first: usize, to: &Extent, at: usize, count: usize) {
    let same_bits = |a: ElementKind, b: ElementKind| {
        a == b || (a.is_plain_integer() && b.is_plain_integer() && a.size() == b.size())
    };
    if same_bits(from.kind, to.kind) || (from.kind == ElementKind::Uint8Clamped && to.kind == ElementKind::Uint8) {
        let bytes = count << from.kind.shift();
        return copy_between(heap, (from.buffer, from.at(first)), (to.buffer, to.at(at)), bytes);
    }
    for n in 0..count {
        let element = load(heap, from, first + n);
        let bytes = to.kind.encode("copy", element).expect("the content types were compared");
        store(heap, to, at + n, bytes);
    }
}

/// Goes through the elements of an array, of which there may come to be more or fewer meanwhile.
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, Cursor, ElementKind, Layout, TypedArray};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, Layout::new(4).max(8))?;
/// let array = TypedArray::new(&mut heap, ElementKind::Uint8, buffer, 0, None)?;
/// let mut cursor = Cursor::new(array);
/// let mut count = 0;
/// while let Some((_, element)) = cursor.next(&heap)? {
///     buffer.resize(&mut heap, 2)?; // the body of the loop did this
///     count += 1;
/// }
/// assert_eq!(count, 2);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Clone, Debug, tumulus_heap::Trace)]
pub struct Cursor {
    /// `None` when it has come to the end, for ever.
    array: Option<TypedArray>,
    index: usize,
}

impl Cursor {
    /// One that stands before the first element.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Cursor, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 0)?;
    /// assert_eq!(Cursor::new(array).next(&heap)?, None);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn new(array: TypedArray) -> Cursor {
        Cursor { array: Some(array), index: 0 }
    }

    /// The next element with its index; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::OutOfBounds`].
    pub fn next(&mut self, heap: &Heap) -> Result<Option<(usize, Element)>, Error> {
        let Some(array) = self.array else { return Ok(None) };
        let extent = array.valid_extent(heap, "next")?;
        if self.index >= extent.length {
            self.array = None;
            return Ok(None);
        }
        let index = self.index;
        self.index += 1;
        Ok(Some((index, load(heap, &extent, index))))
    }
}
