//! `DataView`.

use super::array::TRACKING;
use super::kind::{Element, ElementKind};
use crate::buffer::Buffer;
use crate::error::{Error, NoMemory};
use crate::raw::BufferObject;
use tumulus_heap::{AnyGc, Gc, Heap, Trace};

/// The order of the bytes of a number.
///
/// ```
/// use tumulus_arraybuffer::Endian;
///
/// assert_eq!(Endian::default(), Endian::Big); // as in the language
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Endian {
    /// The highest first.
    #[default]
    Big,
    /// The lowest first.
    Little,
}

/// A data view, as the heap holds it.
#[derive(Trace)]
pub(crate) struct DataViewObject {
    buffer: Gc<BufferObject>,
    start: usize,
    end: usize,
}

/// A `DataView`: reads and writes numbers at any place, in either order of bytes.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, DataView, Element, ElementKind, Endian};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, 10)?;
/// let view = DataView::new(&mut heap, buffer, 1, None)?;
/// view.set(&mut heap, ElementKind::Uint16, 2, Element::Number(258.0), Endian::Little)?;
/// assert_eq!(buffer.as_slice(&heap)?[3..5], [2, 1]);
/// assert_eq!(view.get(&heap, ElementKind::Uint16, 2, Endian::Big)?, Element::Number(513.0));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Trace)]
pub struct DataView(Gc<DataViewObject>);

impl DataView {
    /// A view of a buffer, from a byte on, with so many bytes; or with all there are, and those that come.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::Range`], [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, DataView};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 10)?;
    /// assert_eq!(DataView::new(&mut heap, buffer, 3, None)?.byte_length(&heap)?, 7);
    /// assert!(DataView::new(&mut heap, buffer, 11, None).is_err());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn new(
        heap: &mut Heap,
        buffer: impl Into<Buffer>,
        byte_offset: u64,
        byte_length: Option<u64>,
    ) -> Result<DataView, Error> {
        let operation = "DataView";
        let buffer = buffer.into().gc();
        let object = &heap[buffer];
        if object.is_detached() {
            return Err(Error::Detached { operation });
        }
        let available = object.byte_length() as u64;
        let end = match byte_length {
            None if object.is_resizable() => None,
            None => Some(available),
            Some(length) => Some(byte_offset.saturating_add(length)),
        };
        if byte_offset > available || end.is_some_and(|end| end > available) {
            let length = byte_length.unwrap_or(0);
            return Err(Error::Range { operation, offset: byte_offset, length, available });
        }
        let end = end.map_or(TRACKING, |end| end as usize);
        let view = DataViewObject { buffer, start: byte_offset as usize, end };
        heap.try_alloc(view).map(DataView).map_err(|error| {
            let error = error.without_value();
            Error::OutOfMemory { operation, requested: error.requested, reason: NoMemory::Heap(error) }
        })
    }

    /// The view behind an untyped handle, if that is alive and leads to one.
    ///
    /// ```
    /// # use tumulus_arraybuffer::DataView;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let any = heap.alloc(1).erase();
    /// assert_eq!(DataView::from_any(&heap, any), None);
    /// ```
    pub fn from_any(heap: &Heap, any: AnyGc) -> Option<DataView> {
        any.downcast::<DataViewObject>(heap).ok().map(DataView)
    }

    /// The handle without its type.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, DataView};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 10)?;
    /// let view = DataView::new(&mut heap, buffer, 3, None)?;
    /// assert_eq!(DataView::from_any(&heap, view.erase()), Some(view));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn erase(self) -> AnyGc {
        self.0.erase()
    }

    /// The buffer.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, DataView};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 10)?;
    /// assert_eq!(DataView::new(&mut heap, buffer, 3, None)?.buffer(&heap), buffer.into());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn buffer(self, heap: &Heap) -> Buffer {
        Buffer::of(heap, heap[self.0].buffer)
    }

    /// The buffer, and which of its bytes the view has.
    #[inline]
    fn bounds(self, heap: &Heap, operation: &'static str) -> Result<(Gc<BufferObject>, usize, usize), Error> {
        let &DataViewObject { buffer, start, end } = &heap[self.0];
        let object = &heap[buffer];
        if object.is_detached() {
            return Err(Error::Detached { operation });
        }
        let byte_length = object.byte_length();
        let length = (end != TRACKING).then(|| end - start);
        let end = if end == TRACKING { byte_length } else { end };
        if end > byte_length || start > end {
            return Err(Error::OutOfBounds { operation, byte_offset: start, length, byte_length });
        }
        Ok((buffer, start, end - start))
    }

    /// How many bytes it has, now.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::OutOfBounds`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, DataView, Layout};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, Layout::new(4).max(10))?;
    /// let view = DataView::new(&mut heap, buffer, 3, None)?;
    /// buffer.resize(&mut heap, 10)?;
    /// assert_eq!(view.byte_length(&heap)?, 7);
    /// buffer.resize(&mut heap, 2)?;
    /// assert!(view.byte_length(&heap).is_err());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn byte_length(self, heap: &Heap) -> Result<usize, Error> {
        self.bounds(heap, "byteLength").map(|(_, _, length)| length)
    }

    /// Where in the buffer it begins.
    ///
    /// # Errors
    ///
    /// As [`byte_length`](DataView::byte_length).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, DataView};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 4)?;
    /// assert_eq!(DataView::new(&mut heap, buffer, 3, None)?.byte_offset(&heap)?, 3);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn byte_offset(self, heap: &Heap) -> Result<usize, Error> {
        self.bounds(heap, "byteOffset").map(|(_, start, _)| start)
    }

    /// Reads a number.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::OutOfBounds`]; [`Error::Range`] if it is not inside of the view.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, DataView, Element, ElementKind, Endian};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// let view = DataView::new(&mut heap, buffer, 0, None)?;
    /// assert_eq!(view.get(&heap, ElementKind::BigInt64, 0, Endian::Big)?, Element::BigInt(0));
    /// assert!(view.get(&heap, ElementKind::BigInt64, u64::MAX, Endian::Big).is_err());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[inline]
    pub fn get(self, heap: &Heap, kind: ElementKind, index: u64, order: Endian) -> Result<Element, Error> {
        let (buffer, at) = self.place(heap, kind, index, "get")?;
        let mut bytes = [0; 8];
        let part = &mut bytes[..kind.size()];
        heap[buffer].bytes().copy_to(at, part);
        to_native(part, order);
        Ok(kind.decode(bytes))
    }

    /// Writes a number, converted as the language does it.
    ///
    /// # Errors
    ///
    /// [`Error::Immutable`]; [`Error::ContentType`]; and as [`get`](DataView::get).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, DataView, Element, ElementKind, Endian};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 4)?;
    /// let view = DataView::new(&mut heap, buffer, 0, None)?;
    /// view.set(&mut heap, ElementKind::Float16, 1, Element::Number(1.0), Endian::Big)?;
    /// assert_eq!(buffer.as_slice(&heap)?, [0, 0x3c, 0, 0]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[inline]
    pub fn set(
        self,
        heap: &mut Heap,
        kind: ElementKind,
        index: u64,
        element: Element,
        order: Endian,
    ) -> Result<(), Error> {
        let operation = "set";
        if heap[heap[self.0].buffer].is_immutable {
            return Err(Error::Immutable { operation });
        }
        let mut bytes = kind.encode(operation, element)?;
        let (buffer, at) = self.place(heap, kind, index, operation)?;
        let part = &mut bytes[..kind.size()];
        to_native(part, order);
        heap.get_mut(buffer).bytes_mut().copy_from(at, part);
        Ok(())
    }

    #[inline]
    fn place(
        self,
        heap: &Heap,
        kind: ElementKind,
        index: u64,
        operation: &'static str,
    ) -> Result<(Gc<BufferObject>, usize), Error> {
        let (buffer, start, length) = self.bounds(heap, operation)?;
        let size = kind.size();
        if length < size || index > (length - size) as u64 {
            let (length, available) = (size as u64, length as u64);
            return Err(Error::Range { operation, offset: index, length, available });
        }
        Ok((buffer, start + index as usize))
    }
}

/// Turns bytes in this order into bytes in the machine's, or back.
#[inline]
fn to_native(bytes: &mut [u8], order: Endian) {
    if (order == Endian::Little) != cfg!(target_endian = "little") {
        bytes.reverse();
    }
}
