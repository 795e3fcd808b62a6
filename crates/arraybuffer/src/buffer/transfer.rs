//! Transfers: a new buffer with the bytes of an old one, which is detached.

use super::{ArrayBuffer, DetachKey, drop_store, no_room};
use crate::error::Error;
use crate::layout::Layout;
use crate::raw::{BufferObject, copy_between};
use tumulus_heap::Heap;

/// What becomes of a buffer's other properties.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Into {
    Same,
    Fixed,
    Immutable,
}

impl ArrayBuffer {
    /// A new buffer with these bytes, of the same or another length, and resizable if this one is. This one is detached.
    ///
    /// Where the length stays, or the buffer is resizable, the bytes stay where they are, and nothing is copied.
    ///
    /// # Errors
    ///
    /// In this order: [`Error::Detached`]; [`Error::Immutable`]; [`Error::NotDetachable`], also if the buffer has a detach
    /// key; [`Error::Length`], [`Error::OutOfMemory`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 100)?;
    /// let address = buffer.backing_store(&heap).data();
    /// let moved = buffer.transfer(&mut heap, None)?;
    /// assert_eq!(moved.backing_store(&heap).data(), address);
    /// let longer = moved.transfer(&mut heap, Some(200))?;
    /// assert!(longer.byte_length(&heap) == 200 && moved.detached(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn transfer(self, heap: &mut Heap, byte_length: Option<u64>) -> Result<ArrayBuffer, Error> {
        self.copy_and_detach(heap, byte_length, Into::Same, "transfer")
    }

    /// The same, and the new buffer has a fixed length.
    ///
    /// # Errors
    ///
    /// As [`transfer`](ArrayBuffer::transfer).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, Layout};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, Layout::new(4).max(100))?;
    /// assert!(!buffer.transfer_to_fixed_length(&mut heap, None)?.resizable(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn transfer_to_fixed_length(self, heap: &mut Heap, byte_length: Option<u64>) -> Result<ArrayBuffer, Error> {
        self.copy_and_detach(heap, byte_length, Into::Fixed, "transferToFixedLength")
    }

    /// The same, and the new buffer is immutable.
    ///
    /// # Errors
    ///
    /// As [`transfer`](ArrayBuffer::transfer).
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 4)?;
    /// buffer.as_mut_slice(&mut heap)?[0] = 7;
    /// let frozen = buffer.transfer_to_immutable(&mut heap, None)?;
    /// assert_eq!(frozen.as_slice(&heap)?, [7, 0, 0, 0]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn transfer_to_immutable(self, heap: &mut Heap, byte_length: Option<u64>) -> Result<ArrayBuffer, Error> {
        self.copy_and_detach(heap, byte_length, Into::Immutable, "transferToImmutable")
    }

    #[track_caller]
    fn copy_and_detach(
        self,
        heap: &mut Heap,
        byte_length: Option<u64>,
        into: Into,
        operation: &'static str,
    ) -> Result<ArrayBuffer, Error> {
        let object = &heap[self.0];
        let before = object.byte_length();
        let wanted = byte_length.unwrap_or(before as u64);
        let Some(record) = object.record() else { return Err(Error::Detached { operation }) };
        if object.is_immutable {
            return Err(Error::Immutable { operation });
        }
        if !object.has_key(DetachKey::Undefined) || !object.is_detachable {
            return Err(Error::NotDetachable { operation });
        }
        let stays_resizable = object.is_resizable() && into == Into::Same;
        let max = self.max_byte_length(heap);
        if stays_resizable && wanted > max as u64 {
            return Err(Error::Length { operation, requested: wanted, max: max as u64 });
        }
        let is_fixed = !heap[self.0].is_resizable() && wanted == before as u64;
        // What others have as well they could write to.
        let is_private = record.refs() == crate::raw::BUFFER;
        if stays_resizable || (is_fixed && (into != Into::Immutable || is_private)) {
            if stays_resizable {
                self.resize(heap, wanted)?;
            }
            let new = self.move_store(heap, operation)?;
            if into == Into::Immutable {
                heap.get_mut(new.0).freeze();
            }
            return Ok(new);
        }
        let new = ArrayBuffer::new(heap, Layout::new(wanted))?;
        let bytes = before.min(wanted as usize);
        copy_between(heap, (self.0, 0), (new.0, 0), bytes);
        drop_store(heap, self.0);
        if into == Into::Immutable {
            heap.get_mut(new.0).freeze();
        }
        Ok(new)
    }

    /// A new buffer with this one's store, and with this one's reference to it. This one is detached.
    fn move_store(self, heap: &mut Heap, operation: &'static str) -> Result<ArrayBuffer, Error> {
        let record = heap.get_mut(self.0).take_record().expect("it was not detached");
        heap.try_alloc(BufferObject::new(record)).map(ArrayBuffer).map_err(|mut error| {
            // No room for the object: this one keeps its bytes.
            if let Some(record) = error.value.take_record() {
                heap.get_mut(self.0).put_record(record);
            }
            let error = error.without_value();
            no_room(operation, error.requested, error)
        })
    }
}
