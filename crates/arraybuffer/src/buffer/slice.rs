//! Slices: copies of a part of a buffer.

use super::{ArrayBuffer, Buffer, SharedArrayBuffer};
use crate::convert::relative_index;
use crate::error::Error;
use crate::layout::Layout;
use crate::raw::copy_between;
use tumulus_heap::Heap;

/// A slice that was begun: the buffer was valid, and had this length.
///
/// The language runs code of the program's between the steps of `slice`: when it converts the arguments, and when it makes
/// the new buffer by the species constructor. An interpreter begins, runs that code, asks for the
/// [`range`](SliceWitness::range), and lets [`copy`](SliceWitness::copy) do the rest, which looks at both buffers again.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, Buffer};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, 10)?;
/// let witness = buffer.begin_slice(&heap)?;
/// // The arguments are converted here,
/// let range = witness.range(2.0, Some(-2.0));
/// // and the constructor is called here.
/// let target = ArrayBuffer::new(&mut heap, range.len() as u64)?;
/// witness.copy(&mut heap, range, target.into())?;
/// assert_eq!(target.byte_length(&heap), 6);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug)]
pub struct SliceWitness {
    source: Buffer,
    byte_length: usize,
}

impl SliceWitness {
    /// Which bytes the arguments mean, negative ones being counted from the end. They are integers or infinite.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let witness = ArrayBuffer::new(&mut heap, 10)?.begin_slice(&heap)?;
    /// assert_eq!(witness.range(-3.0, None), 7..10);
    /// assert_eq!(witness.range(8.0, Some(2.0)), 8..8);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn range(&self, start: f64, end: Option<f64>) -> std::ops::Range<usize> {
        let start = relative_index(start, self.byte_length);
        let end = end.map_or(self.byte_length, |end| relative_index(end, self.byte_length));
        start..end.max(start)
    }

    /// Copies the range into the new buffer, as far as it is still there.
    ///
    /// # Errors
    ///
    /// [`Error::IsShared`] or [`Error::NotShared`] if the new buffer is of the other kind; [`Error::Detached`] if one of the
    /// two is; [`Error::SameBuffer`], [`Error::Immutable`], [`Error::TooShort`].
    pub fn copy(self, heap: &mut Heap, range: std::ops::Range<usize>, target: Buffer) -> Result<(), Error> {
        let operation = "slice";
        match (self.source, target) {
            (Buffer::Plain(_), Buffer::Shared(_)) => return Err(Error::IsShared { operation }),
            (Buffer::Shared(_), Buffer::Plain(_)) => return Err(Error::NotShared { operation }),
            _ => {}
        }
        let new = &heap[target.gc()];
        if new.is_detached() {
            return Err(Error::Detached { operation });
        }
        let is_same = match (new.record(), heap[self.source.gc()].record()) {
            _ if target == self.source => true,
            (Some(new), Some(old)) => new.traits().has(crate::raw::Traits::SHARED) && std::ptr::eq(new, old),
            _ => false,
        };
        if is_same {
            return Err(Error::SameBuffer { operation });
        }
        if new.is_immutable {
            return Err(Error::Immutable { operation });
        }
        let available = new.byte_length();
        if available < range.len() {
            return Err(Error::TooShort { operation, needed: range.len(), byte_length: available });
        }
        let source = &heap[self.source.gc()];
        if source.is_detached() {
            return Err(Error::Detached { operation });
        }
        let length = source.byte_length();
        if range.start < length {
            let bytes = range.len().min(length - range.start);
            copy_between(heap, (self.source.gc(), range.start), (target.gc(), 0), bytes);
        }
        Ok(())
    }
}

impl ArrayBuffer {
    /// Begins a slice; see [`SliceWitness`].
    ///
    /// # Errors
    ///
    /// [`Error::Detached`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert!(ArrayBuffer::new(&mut heap, 10)?.begin_slice(&heap).is_ok());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn begin_slice(self, heap: &Heap) -> Result<SliceWitness, Error> {
        let object = &heap[self.0];
        if object.is_detached() {
            return Err(Error::Detached { operation: "slice" });
        }
        Ok(SliceWitness { source: self.into(), byte_length: object.byte_length() })
    }

    /// A new buffer with a copy of a part, for programs without species.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::OutOfMemory`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, BackingStore};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::from_store(&mut heap, BackingStore::from_vec(vec![1, 2, 3, 4]))?;
    /// let slice = buffer.slice(&mut heap, -3.0, Some(3.0))?;
    /// assert_eq!(slice.as_slice(&heap)?, [2, 3]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn slice(self, heap: &mut Heap, start: f64, end: Option<f64>) -> Result<ArrayBuffer, Error> {
        let witness = self.begin_slice(heap)?;
        let range = witness.range(start, end);
        let new = ArrayBuffer::new(heap, Layout::new(range.len() as u64).uninitialized())?;
        witness.copy(heap, range, new.into())?;
        Ok(new)
    }

    /// The same, and the new buffer is immutable.
    ///
    /// # Errors
    ///
    /// As [`slice`](ArrayBuffer::slice).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// let frozen = buffer.slice_to_immutable(&mut heap, 0.0, None)?;
    /// assert!(frozen.as_mut_slice(&mut heap).is_err());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn slice_to_immutable(self, heap: &mut Heap, start: f64, end: Option<f64>) -> Result<ArrayBuffer, Error> {
        let range = self.begin_slice(heap)?.range(start, end);
        self.copy_to_immutable(heap, range)
    }

    /// What `slice_to_immutable` does when the arguments are converted, which may have changed the buffer.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::Range`] if the range is not there any more, [`Error::OutOfMemory`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, Layout};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, Layout::new(8).max(8))?;
    /// let range = buffer.begin_slice(&heap)?.range(2.0, None);
    /// buffer.resize(&mut heap, 4)?;
    /// assert!(buffer.copy_to_immutable(&mut heap, range).is_err());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn copy_to_immutable(self, heap: &mut Heap, range: std::ops::Range<usize>) -> Result<ArrayBuffer, Error> {
        let operation = "sliceToImmutable";
        let object = &heap[self.0];
        if object.is_detached() {
            return Err(Error::Detached { operation });
        }
        let available = object.byte_length();
        if range.end > available || range.start > range.end {
            let (offset, length) = (range.start as u64, range.len() as u64);
            return Err(Error::Range { operation, offset, length, available: available as u64 });
        }
        let new = ArrayBuffer::new(heap, Layout::new(range.len() as u64).uninitialized())?;
        copy_between(heap, (self.0, range.start), (new.0, 0), range.len());
        heap.get_mut(new.0).freeze();
        Ok(new)
    }
}

impl SharedArrayBuffer {
    /// Begins a slice; see [`SliceWitness`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::SharedArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let witness = SharedArrayBuffer::new(&mut heap, 10)?.begin_slice(&heap);
    /// assert_eq!(witness.range(3.0, None), 3..10);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn begin_slice(self, heap: &Heap) -> SliceWitness {
        SliceWitness { source: self.into(), byte_length: self.byte_length(heap) }
    }

    /// A new shared buffer with a copy of a part.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::SharedArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = SharedArrayBuffer::new(&mut heap, 10)?;
    /// assert_eq!(buffer.slice(&mut heap, 7.0, None)?.byte_length(&heap), 3);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn slice(self, heap: &mut Heap, start: f64, end: Option<f64>) -> Result<SharedArrayBuffer, Error> {
        let witness = self.begin_slice(heap);
        let range = witness.range(start, end);
        let new = SharedArrayBuffer::new(heap, range.len() as u64)?;
        witness.copy(heap, range, new.into())?;
        Ok(new)
    }
}
