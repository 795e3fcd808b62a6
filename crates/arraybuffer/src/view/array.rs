//! `TypedArray`: making one, asking it, and its elements one by one. What takes a whole range is in the files beside.

use super::kind::{Element, ElementKind, Native};
use crate::buffer::{ArrayBuffer, Buffer};
use crate::error::{Error, NoMemory};
use crate::layout::{Layout, MAX_BYTE_LENGTH};
use crate::raw::{BufferObject, Bytes, BytesMut};
use tumulus_heap::{AnyGc, Gc, Heap, Trace};

/// The end of a view that follows the length of its buffer.
pub(super) const TRACKING: usize = usize::MAX;

/// A view, as the heap holds it.
#[derive(Trace)]
pub(crate) struct ViewObject {
    pub(super) buffer: Gc<BufferObject>,
    /// Where it begins in the buffer.
    pub(super) start: usize,
    /// Where it ends, or [`TRACKING`].
    pub(super) end: usize,
    #[trace(skip)]
    pub(super) kind: ElementKind,
}

/// Which bytes of a buffer a view has, now.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Extent {
    pub(crate) buffer: Gc<BufferObject>,
    pub(crate) start: usize,
    /// In elements.
    pub(crate) length: usize,
    pub(crate) kind: ElementKind,
}

impl Extent {
    /// Where an element is.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> usize {
        self.start + (index << self.kind.shift())
    }

    pub(crate) fn byte_length(&self) -> usize {
        self.length << self.kind.shift()
    }
}

/// A typed array of one of the twelve kinds.
///
/// It is a handle of 8 bytes, and the object takes 48. One without a length of its own, on a buffer whose length can change,
/// follows that. One that begins or ends beyond its buffer, which has become shorter, or was detached, is *out of bounds*: it
/// has no elements until the buffer is longer again.
///
/// | to | see |
/// |---|---|
/// | read and write elements | [`get`](TypedArray::get), [`set`](TypedArray::set); for a type of Rust's [`get_as`](TypedArray::get_as), [`set_as`](TypedArray::set_as) |
/// | borrow all of them | [`as_slice`](TypedArray::as_slice), [`as_mut_slice`](TypedArray::as_mut_slice) |
/// | do what the language's methods do | [`validate`](TypedArray::validate) and the [`Witness`](crate::Witness) that it gives |
/// | copy from another array | [`set_from_array`](TypedArray::set_from_array) |
/// | look at a part | [`subarray`](TypedArray::subarray) |
/// | base64 and hexadecimal text | [`to_base64`](TypedArray::to_base64), [`set_from_base64`](TypedArray::set_from_base64) |
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, Element, ElementKind, TypedArray};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, 16)?;
/// let floats = TypedArray::new(&mut heap, ElementKind::Float32, buffer, 4, Some(2))?;
/// floats.set(&mut heap, 1, Element::Number(0.5))?;
/// assert_eq!(floats.get(&heap, 1), Some(Element::Number(0.5)));
/// assert_eq!(floats.get(&heap, 2), None);
///
/// let bytes = TypedArray::new(&mut heap, ElementKind::Uint8, buffer, 0, None)?;
/// assert_eq!(bytes.get_as::<u8>(&heap, 11), Some(0x3f));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Trace)]
pub struct TypedArray(pub(super) Gc<ViewObject>);

impl TypedArray {
    /// A view of a buffer, from a byte on, with so many elements; or with all there are, and those that come.
    ///
    /// # Errors
    ///
    /// In this order: [`Error::Alignment`] of the offset; [`Error::Detached`]; [`Error::Alignment`] of the buffer's length, if
    /// that decides; [`Error::Range`]; [`Error::OutOfMemory`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_arraybuffer::{ArrayBuffer, ElementKind, Layout, TypedArray};
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, Layout::new(8).max(100))?;
    /// let array = TypedArray::new(&mut heap, ElementKind::Int16, buffer, 2, None)?;
    /// assert_eq!(array.length(&heap), 3);
    /// buffer.resize(&mut heap, 13)?;
    /// assert_eq!(array.length(&heap), 5);
    /// buffer.resize(&mut heap, 1)?;
    /// assert!(array.is_out_of_bounds(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn new(
        heap: &mut Heap,
        kind: ElementKind,
        buffer: impl Into<Buffer>,
        byte_offset: u64,
        length: Option<u64>,
    ) -> Result<TypedArray, Error> {
        let (operation, size) = (kind.array_name(), kind.size() as u64);
        let misaligned = |value| Error::Alignment { operation, value, element_size: kind.size(), kind: operation };
        if !byte_offset.is_multiple_of(size) {
            return Err(misaligned(byte_offset));
        }
        let buffer = buffer.into().gc();
        let object = &heap[buffer];
        if object.is_detached() {
            return Err(Error::Detached { operation });
        }
        let available = object.byte_length() as u64;
        let end = match length {
            None if object.is_resizable() => None,
            None if !available.is_multiple_of(size) => return Err(misaligned(available)),
            None => Some(available),
            Some(length) => Some(length.saturating_mul(size).saturating_add(byte_offset)),
        };
        if byte_offset > available || end.is_some_and(|end| end > available) {
            let length = end.unwrap_or(byte_offset).saturating_sub(byte_offset);
            return Err(Error::Range { operation, offset: byte_offset, length, available });
        }
        let end = end.map_or(TRACKING, |end| end as usize);
        put(heap, ViewObject { buffer, start: byte_offset as usize, end, kind })
    }

    /// An array with a buffer of its own, all zero.
    ///
    /// # Errors
    ///
    /// [`Error::Length`], [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Float64, 10)?;
    /// assert_eq!(array.byte_length(&heap), 80);
    /// assert!(TypedArray::with_length(&mut heap, ElementKind::Float64, 1 << 53).is_err());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn with_length(heap: &mut Heap, kind: ElementKind, length: u64) -> Result<TypedArray, Error> {
        let operation = kind.array_name();
        let bytes = length.checked_mul(kind.size() as u64).filter(|&bytes| bytes <= MAX_BYTE_LENGTH);
        let requested = length.saturating_mul(kind.size() as u64);
        let bytes = bytes.ok_or(Error::Length { operation, requested, max: MAX_BYTE_LENGTH })?;
        let buffer = ArrayBuffer::new(heap, Layout::new(bytes))?;
        TypedArray::new(heap, kind, buffer, 0, Some(length))
    }

    /// The array behind an untyped handle, if that is alive and leads to one.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int8, 10)?;
    /// assert_eq!(TypedArray::from_any(&heap, array.erase()), Some(array));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn from_any(heap: &Heap, any: AnyGc) -> Option<TypedArray> {
        any.downcast::<ViewObject>(heap).ok().map(TypedArray)
    }

    /// The handle without its type.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int8, 10)?;
    /// assert!(heap.contains(array.erase()));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn erase(self) -> AnyGc {
        self.0.erase()
    }

    /// What the elements are.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int8, 10)?;
    /// assert_eq!(array.kind(&heap), ElementKind::Int8);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[inline]
    pub fn kind(self, heap: &Heap) -> ElementKind {
        heap[self.0].kind
    }

    /// The buffer.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int16, 10)?;
    /// assert_eq!(array.buffer(&heap).byte_length(&heap), 20);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn buffer(self, heap: &Heap) -> Buffer {
        Buffer::of(heap, heap[self.0].buffer)
    }

    /// How many elements there are, now; 0 when out of bounds.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(TypedArray::with_length(&mut heap, ElementKind::Int16, 10)?.length(&heap), 10);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn length(self, heap: &Heap) -> usize {
        self.extent(heap).map_or(0, |extent| extent.length)
    }

    /// How many bytes the elements have; 0 when out of bounds.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(TypedArray::with_length(&mut heap, ElementKind::Int16, 10)?.byte_length(&heap), 20);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn byte_length(self, heap: &Heap) -> usize {
        self.extent(heap).map_or(0, |extent| extent.byte_length())
    }

    /// Where in the buffer it begins; 0 when out of bounds.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(TypedArray::with_length(&mut heap, ElementKind::Int16, 10)?.byte_offset(&heap), 0);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn byte_offset(self, heap: &Heap) -> usize {
        self.extent(heap).map_or(0, |extent| extent.start)
    }

    /// Whether its length follows that of the buffer.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert!(!TypedArray::with_length(&mut heap, ElementKind::Int16, 10)?.is_length_tracking(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn is_length_tracking(self, heap: &Heap) -> bool {
        heap[self.0].end == TRACKING
    }

    /// Whether the buffer is too short for it, or detached.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert!(!TypedArray::with_length(&mut heap, ElementKind::Int16, 10)?.is_out_of_bounds(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn is_out_of_bounds(self, heap: &Heap) -> bool {
        self.extent(heap).is_none()
    }

    /// Which bytes it has now, unless it is out of bounds.
    #[inline]
    pub(crate) fn extent(self, heap: &Heap) -> Option<Extent> {
        let &ViewObject { buffer, start, end, kind } = &heap[self.0];
        let object = &heap[buffer];
        let available = object.byte_length();
        let end = if end == TRACKING { available } else { end };
        if end > available || start > end || object.is_detached() {
            return None;
        }
        Some(Extent { buffer, start, length: (end - start) >> kind.shift(), kind })
    }

    /// The same, or the error for what is out of bounds.
    #[inline]
    pub(crate) fn valid_extent(self, heap: &Heap, operation: &'static str) -> Result<Extent, Error> {
        self.extent(heap).ok_or_else(|| self.out_of_bounds(heap, operation))
    }

    #[cold]
    #[inline(never)]
    fn out_of_bounds(self, heap: &Heap, operation: &'static str) -> Error {
        let view = &heap[self.0];
        let buffer = &heap[view.buffer];
        if buffer.is_detached() {
            return Error::Detached { operation };
        }
        let length = (view.end != TRACKING).then(|| view.end - view.start);
        Error::OutOfBounds { operation, byte_offset: view.start, length, byte_length: buffer.byte_length() }
    }

    /// The same for what is to be written to.
    pub(crate) fn writable_extent(self, heap: &Heap, operation: &'static str) -> Result<Extent, Error> {
        let extent = self.valid_extent(heap, operation)?;
        if heap[extent.buffer].is_immutable {
            return Err(Error::Immutable { operation });
        }
        Ok(extent)
    }

    /// An element; `None`, which the language calls undefined, if there is none.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::BigInt64, 1)?;
    /// assert_eq!(array.get(&heap, 0), Some(Element::BigInt(0)));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[inline]
    pub fn get(self, heap: &Heap, index: usize) -> Option<Element> {
        let &ViewObject { buffer, start, end, kind } = &heap[self.0];
        let Some(bytes) = heap[buffer].plain() else { return self.get_shared(heap, index) };
        let end = if end == TRACKING { bytes.len() } else { end };
        // A view that ends beyond the buffer has no elements, those in front of its end included.
        kind.read(bytes.get(start..end)?, index)
    }

    #[cold]
    fn get_shared(self, heap: &Heap, index: usize) -> Option<Element> {
        let extent = self.extent(heap)?;
        (index < extent.length).then(|| load(heap, &extent, index))
    }

    /// Writes an element, converted as the language does it. False if there is no such element, which is no error.
    ///
    /// # Errors
    ///
    /// [`Error::ContentType`] where a `BigInt` meets a number; [`Error::Immutable`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 1)?;
    /// assert!(array.set(&mut heap, 0, Element::Number(-1.0))?);
    /// assert_eq!(array.get(&heap, 0), Some(Element::Number(255.0)));
    /// assert!(!array.set(&mut heap, 1, Element::Number(7.0))?);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[inline]
    pub fn set(self, heap: &mut Heap, index: usize, element: Element) -> Result<bool, Error> {
        let operation = "set";
        let &ViewObject { buffer, start, end, kind } = &heap[self.0];
        if !kind.takes(element) {
            return Err(Error::ContentType { operation });
        }
        let Some(bytes) = heap.get_mut(buffer).plain_mut() else { return self.set_slow(heap, index, element) };
        let end = if end == TRACKING { bytes.len() } else { end };
        Ok(bytes.get_mut(start..end).and_then(|elements| kind.write(element, elements, index)).is_some())
    }

    /// The same for shared and immutable bytes.
    #[cold]
    fn set_slow(self, heap: &mut Heap, index: usize, element: Element) -> Result<bool, Error> {
        let operation = "set";
        let Some(extent) = self.extent(heap) else { return Ok(false) };
        if heap[extent.buffer].is_immutable {
            return Err(Error::Immutable { operation });
        }
        if index >= extent.length {
            return Ok(false);
        }
        let bytes = extent.kind.encode(operation, element)?;
        store(heap, &extent, index, bytes);
        Ok(true)
    }

    /// An element as a type of Rust's: `None` if there is none, or elements are not of that type. This is the quick way.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int32, 1)?;
    /// assert_eq!(array.get_as::<i32>(&heap, 0), Some(0));
    /// assert_eq!(array.get_as::<u32>(&heap, 0), None);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[inline]
    pub fn get_as<T: Native>(self, heap: &Heap, index: usize) -> Option<T> {
        let &ViewObject { buffer, start, end, kind } = &heap[self.0];
        let object = &heap[buffer];
        let Some(bytes) = object.plain() else { return self.get_shared_as(heap, index) };
        let end = if end == TRACKING { bytes.len() } else { end };
        if !T::is(kind) {
            return None;
        }
        // A view that ends beyond the buffer has no elements, those in front of its end included.
        T::read(bytes.get(start..end)?, index)
    }

    #[cold]
    fn get_shared_as<T: Native>(self, heap: &Heap, index: usize) -> Option<T> {
        let extent = self.extent(heap)?;
        if !T::is(extent.kind) || index >= extent.length {
            return None;
        }
        T::read(&load_bytes(heap, &extent, index), 0)
    }

    /// Writes an element of a type of Rust's: false if there is no such element, elements are not of that type, or the buffer
    /// is immutable.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int32, 1)?;
    /// assert!(array.set_as(&mut heap, 0, 7_i32) && !array.set_as(&mut heap, 0, 7_u32));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[inline]
    pub fn set_as<T: Native>(self, heap: &mut Heap, index: usize, value: T) -> bool {
        let &ViewObject { buffer, start, end, kind } = &heap[self.0];
        let object = heap.get_mut(buffer);
        let Some(bytes) = object.plain_mut() else { return self.set_shared_as(heap, index, value) };
        let end = if end == TRACKING { bytes.len() } else { end };
        if !T::is(kind) {
            return false;
        }
        bytes.get_mut(start..end).and_then(|elements| value.write(elements, index)).is_some()
    }

    #[cold]
    fn set_shared_as<T: Native>(self, heap: &mut Heap, index: usize, value: T) -> bool {
        let Some(extent) = self.extent(heap) else { return false };
        if !T::is(extent.kind) || index >= extent.length || heap[extent.buffer].is_immutable {
            return false;
        }
        let mut bytes = [0; 8];
        let written = value.write(&mut bytes, 0);
        store(heap, &extent, index, bytes);
        written.is_some()
    }
}

fn put(heap: &mut Heap, view: ViewObject) -> Result<TypedArray, Error> {
    let operation = view.kind.array_name();
    heap.try_alloc(view).map(TypedArray).map_err(|error| {
        let error = error.without_value();
        Error::OutOfMemory { operation, requested: error.requested, reason: NoMemory::Heap(error) }
    })
}

/// Reads an element that is there.
#[inline]
pub(super) fn load(heap: &Heap, extent: &Extent, index: usize) -> Element {
    extent.kind.decode(load_bytes(heap, extent, index))
}

/// Its bytes, and zeros behind them.
#[inline]
pub(super) fn load_bytes(heap: &Heap, extent: &Extent, index: usize) -> [u8; 8] {
    fn widen<const N: usize>(bytes: Bytes<'_>, at: usize) -> [u8; 8] {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&bytes.load::<N>(at));
        wide
    }
    let (bytes, at) = (heap[extent.buffer].bytes(), extent.at(index));
    match extent.kind.shift() {
        0 => widen::<1>(bytes, at),
        1 => widen::<2>(bytes, at),
        2 => widen::<4>(bytes, at),
        _ => widen::<8>(bytes, at),
    }
}

/// Writes an element that is there, in a buffer that is not immutable.
#[inline]
pub(super) fn store(heap: &mut Heap, extent: &Extent, index: usize, bytes: [u8; 8]) {
    fn narrow<const N: usize>(mut to: BytesMut<'_>, at: usize, bytes: [u8; 8]) {
        to.store::<N>(at, *bytes.first_chunk().expect("at most eight"));
    }
    let (to, at) = (heap.get_mut(extent.buffer).bytes_mut(), extent.at(index));
    match extent.kind.shift() {
        0 => narrow::<1>(to, at, bytes),
        1 => narrow::<2>(to, at, bytes),
        2 => narrow::<4>(to, at, bytes),
        _ => narrow::<8>(to, at, bytes),
    }
}
