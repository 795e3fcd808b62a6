//! `ArrayBuffer`.

use super::{attach, externalize, make, make_or_collect, put, store_of};
use crate::error::{Error, NoMemory};
use crate::layout::Layout;
use crate::raw::{BufferObject, Traits};
use crate::store::BackingStore;
use std::panic::Location;
use tumulus_heap::{AnyGc, Gc, Heap, Trace};

/// An `ArrayBuffer`: bytes that one heap at a time can read and write.
///
/// It is a handle of 8 bytes, like a [`Gc`], and is good exactly as long: the functions here panic for a stale one, with the
/// words of [`HandleError`](tumulus_heap::HandleError). The object takes 48 bytes in the heap, and the bytes are elsewhere, in
/// a [`BackingStore`]. A heap that is told to collect drops the buffers that are dead, and their bytes go with the last of
/// those who have them.
///
/// | to | see |
/// |---|---|
/// | make one | [`new`](ArrayBuffer::new), [`new_or_collect`](ArrayBuffer::new_or_collect), [`from_store`](ArrayBuffer::from_store) |
/// | read and write | [`TypedArray`](crate::TypedArray), [`DataView`](crate::DataView), [`as_slice`](ArrayBuffer::as_slice) |
/// | change its length | [`resize`](ArrayBuffer::resize) |
/// | pass its bytes on | [`transfer`](ArrayBuffer::transfer), [`slice`](ArrayBuffer::slice), [`Parcel`](crate::Parcel) |
/// | take its bytes away | [`detach`](ArrayBuffer::detach) |
/// | hold its bytes from outside | [`backing_store`](ArrayBuffer::backing_store), [`externalize`](ArrayBuffer::externalize) |
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::ArrayBuffer;
/// use tumulus_heap::Heap;
///
/// let mut heap = Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, 16)?;
/// buffer.as_mut_slice(&mut heap)?[3] = 7;
/// let part = buffer.slice(&mut heap, 2.0, Some(5.0))?;
/// assert_eq!(part.as_slice(&heap)?, [0, 7, 0]);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Trace)]
pub struct ArrayBuffer(pub(crate) Gc<BufferObject>);

impl ArrayBuffer {
    /// A buffer of zero bytes. Never collects.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if there cannot be as many bytes; [`Error::OutOfMemory`] if there are not, or the heap's limit does
    /// not allow them.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_arraybuffer::{ArrayBuffer, Layout};
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let fixed = ArrayBuffer::new(&mut heap, 100)?;
    /// let resizable = ArrayBuffer::new(&mut heap, Layout::new(100).max(1 << 30))?;
    /// assert_eq!((fixed.max_byte_length(&heap), resizable.max_byte_length(&heap)), (100, 1 << 30));
    /// assert_eq!(heap.statistics().external_bytes, 200);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    #[inline]
    pub fn new(heap: &mut Heap, layout: impl Into<Layout>) -> Result<ArrayBuffer, Error> {
        make(heap, &layout.into(), Traits::NONE, Location::caller(), "ArrayBuffer").map(ArrayBuffer)
    }

    /// The same, with collections where there is no memory: a minor one first, and then up to two full ones. After each it
    /// waits for what was released, and tries again.
    ///
    /// Lengths that are impossible, for the language or for the allocator, are refused at once.
    ///
    /// # Errors
    ///
    /// As [`new`](ArrayBuffer::new), when there is still no memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_arraybuffer::ArrayBuffer;
    ///
    /// let mut heap = tumulus_heap::Heap::builder().limit(1 << 20).build();
    /// for _ in 0..100 {
    ///     ArrayBuffer::new_or_collect(&mut heap, &(), 600_000)?;
    /// }
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn new_or_collect<R: Trace + ?Sized>(
        heap: &mut Heap,
        roots: &R,
        layout: impl Into<Layout>,
    ) -> Result<ArrayBuffer, Error> {
        let (layout, born) = (layout.into(), Location::caller());
        let again = |heap: &mut Heap| make(heap, &layout, Traits::NONE, born, "ArrayBuffer");
        make_or_collect(heap, roots, again).map(ArrayBuffer)
    }

    /// A buffer with a store's bytes. It is immutable if the store is read-only.
    ///
    /// # Errors
    ///
    /// [`Error::IsShared`]; [`Error::InUse`] if another heap has the store; [`Error::OutOfMemory`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_arraybuffer::{ArrayBuffer, BackingStore};
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let store = BackingStore::from_vec(vec![1, 2, 3]);
    /// let one = ArrayBuffer::from_store(&mut heap, store.clone())?;
    /// let two = ArrayBuffer::from_store(&mut heap, store)?;
    /// one.as_mut_slice(&mut heap)?[0] = 7;
    /// assert_eq!(two.as_slice(&heap)?, [7, 2, 3]);
    /// assert_eq!(heap.statistics().external_bytes, 3); // once
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[allow(clippy::needless_pass_by_value, reason = "the buffer's reference takes the place of the caller's")]
    pub fn from_store(heap: &mut Heap, store: BackingStore) -> Result<ArrayBuffer, Error> {
        let operation = "ArrayBuffer";
        if store.is_shared() {
            return Err(Error::IsShared { operation });
        }
        let record = attach(heap, &store, operation)?;
        put(heap, BufferObject::new(record), operation).map(ArrayBuffer)
    }

    /// The handle without its type.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// assert!(heap.contains(buffer.erase()));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn erase(self) -> AnyGc {
        self.0.erase()
    }

    /// The length in bytes, now; 0 when detached.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(ArrayBuffer::new(&mut heap, 8)?.byte_length(&heap), 8);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[inline]
    pub fn byte_length(self, heap: &Heap) -> usize {
        heap[self.0].byte_length()
    }

    /// The length that it can have; 0 when detached.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, Layout};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(ArrayBuffer::new(&mut heap, Layout::new(8).max(20))?.max_byte_length(&heap), 20);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn max_byte_length(self, heap: &Heap) -> usize {
        let object = &heap[self.0];
        match object.record() {
            Some(record) if object.is_resizable() => record.max_byte_length(),
            _ => object.byte_length(),
        }
    }

    /// Whether its length can change.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert!(!ArrayBuffer::new(&mut heap, 8)?.resizable(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn resizable(self, heap: &Heap) -> bool {
        heap[self.0].is_resizable()
    }

    /// Whether its bytes have been taken away.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// buffer.transfer(&mut heap, None)?;
    /// assert!(buffer.detached(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[inline]
    pub fn detached(self, heap: &Heap) -> bool {
        heap[self.0].is_detached()
    }

    /// Whether its bytes cannot be written to.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// assert!(buffer.transfer_to_immutable(&mut heap, None)?.immutable(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn immutable(self, heap: &Heap) -> bool {
        heap[self.0].is_immutable
    }

    /// Changes the length. What is added is zero; what is dropped goes back to the system. The bytes do not move.
    ///
    /// # Errors
    ///
    /// In this order: [`Error::NotResizable`], [`Error::Detached`], [`Error::Length`] above the maximum,
    /// [`Error::OutOfMemory`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_arraybuffer::{ArrayBuffer, Layout};
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, Layout::new(4).max(1 << 20))?;
    /// buffer.as_mut_slice(&mut heap)?.fill(7);
    /// buffer.resize(&mut heap, 2)?;
    /// buffer.resize(&mut heap, 4)?;
    /// assert_eq!(buffer.as_slice(&heap)?, [7, 7, 0, 0]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn resize(self, heap: &mut Heap, byte_length: u64) -> Result<(), Error> {
        let operation = "resize";
        let object = &heap[self.0];
        let before = object.byte_length();
        if !object.is_resizable() {
            return Err(Error::NotResizable { operation, byte_length: before });
        }
        if object.is_detached() {
            return Err(Error::Detached { operation });
        }
        let max = self.max_byte_length(heap);
        if byte_length > max as u64 {
            return Err(Error::Length { operation, requested: byte_length, max: max as u64 });
        }
        let bytes = byte_length as usize;
        let more = bytes.saturating_sub(before);
        // Asked of the heap, then put on the store's account by the store itself.
        heap.try_add_external_bytes(more).map_err(|error| super::no_room(operation, more, error))?;
        let is_done = heap.get_mut(self.0).resize(bytes);
        heap.adjust_external_bytes(-more.cast_signed());
        if is_done {
            Ok(())
        } else {
            Err(Error::OutOfMemory { operation, requested: bytes, reason: NoMemory::Allocator })
        }
    }

    /// The buffer's store, for somebody outside; never none: a detached or empty buffer gives a new empty store.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// let store = buffer.backing_store(&heap);
    /// assert_eq!(store.use_count(), 2);
    /// buffer.transfer(&mut heap, None)?;
    /// assert_eq!(buffer.backing_store(&heap).byte_length(), 0);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn backing_store(self, heap: &Heap) -> BackingStore {
        store_of(heap, self.0)
    }

    /// The buffer's store, marked as held from outside since now and here: see
    /// [`leak_report`](crate::registry::leak_report).
    ///
    /// While it is held, no collection, no detach and no death of buffer or heap frees or moves it.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{registry, ArrayBuffer};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// let held = buffer.externalize(&mut heap);
    /// heap.collect(&());
    /// assert_eq!((held.byte_length(), held.use_count()), (8, 1));
    /// assert!(registry::get(&held).externalized.is_some());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn externalize(self, heap: &mut Heap) -> BackingStore {
        externalize(heap, self.0)
    }

    /// Borrows the bytes. While they are borrowed, the buffer cannot be detached, resized or written to.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(ArrayBuffer::new(&mut heap, 3)?.as_slice(&heap)?, [0, 0, 0]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    ///
    /// ```compile_fail,E0502
    /// # use tumulus_arraybuffer::{ArrayBuffer, DetachKey};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// # let buffer = ArrayBuffer::new(&mut heap, 3).unwrap();
    /// let bytes = buffer.as_slice(&heap).unwrap();
    /// buffer.detach(&mut heap, DetachKey::Undefined).unwrap();
    /// assert_eq!(bytes[0], 0);
    /// ```
    pub fn as_slice(self, heap: &Heap) -> Result<&[u8], Error> {
        let object = &heap[self.0];
        if object.is_detached() {
            return Err(Error::Detached { operation: "as_slice" });
        }
        Ok(object.plain().expect("not shared"))
    }

    /// Borrows the bytes to write to them. Nothing else can be done with the heap meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::Immutable`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 3)?;
    /// buffer.as_mut_slice(&mut heap)?.copy_from_slice(&[1, 2, 3]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn as_mut_slice(self, heap: &mut Heap) -> Result<&mut [u8], Error> {
        let operation = "as_mut_slice";
        let object = heap.get_mut(self.0);
        if object.is_detached() {
            return Err(Error::Detached { operation });
        }
        object.plain_mut().ok_or(Error::Immutable { operation })
    }
}
