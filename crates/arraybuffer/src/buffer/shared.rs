//! `SharedArrayBuffer`.

use super::{attach, externalize, make, make_or_collect, put, store_of};
use crate::error::Error;
use crate::layout::Layout;
use crate::raw::{BufferObject, Traits};
use crate::store::BackingStore;
use std::panic::Location;
use tumulus_heap::{AnyGc, Gc, Heap, Trace};

/// A `SharedArrayBuffer`: bytes that several heaps, on several threads, read and write at once.
///
/// It is a handle, as [`ArrayBuffer`](crate::ArrayBuffer) is. Its bytes are touched by atomic accesses only, so that there is no
/// data race, whichever views the threads use. A shared store is counted once, on the account of the heap that had a buffer
/// of it first.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{Element, ElementKind, SharedArrayBuffer, TypedArray};
/// use tumulus_heap::Heap;
///
/// let mut heap = Heap::new();
/// let buffer = SharedArrayBuffer::new(&mut heap, 8)?;
/// let store = buffer.backing_store(&heap);
/// let other = std::thread::spawn(move || {
///     let mut heap = Heap::new();
///     let buffer = SharedArrayBuffer::from_store(&mut heap, store).unwrap();
///     let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None).unwrap();
///     array.set(&mut heap, 1, Element::Number(7.0)).unwrap();
/// });
/// other.join().unwrap();
/// let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None)?;
/// assert_eq!(array.get(&heap, 1), Some(Element::Number(7.0)));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Trace)]
pub struct SharedArrayBuffer(pub(crate) Gc<BufferObject>);

impl SharedArrayBuffer {
    /// A shared buffer of zero bytes; it can grow if the layout has a maximum. Never collects.
    ///
    /// # Errors
    ///
    /// As [`ArrayBuffer::new`](crate::ArrayBuffer::new).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Layout, SharedArrayBuffer};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = SharedArrayBuffer::new(&mut heap, Layout::new(10).max(100))?;
    /// assert!(buffer.growable(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn new(heap: &mut Heap, layout: impl Into<Layout>) -> Result<SharedArrayBuffer, Error> {
        let born = Location::caller();
        make(heap, &layout.into(), Traits::SHARED, born, "SharedArrayBuffer").map(SharedArrayBuffer)
    }

    /// The same, with collections where there is no memory: see
    /// [`ArrayBuffer::new_or_collect`](crate::ArrayBuffer::new_or_collect).
    ///
    /// # Errors
    ///
    /// As [`new`](SharedArrayBuffer::new), when there is still no memory.
    ///
    /// ```
    /// # use tumulus_arraybuffer::SharedArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// SharedArrayBuffer::new_or_collect(&mut heap, &(), 100)?;
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn new_or_collect<R: Trace + ?Sized>(
        heap: &mut Heap,
        roots: &R,
        layout: impl Into<Layout>,
    ) -> Result<SharedArrayBuffer, Error> {
        let (layout, born) = (layout.into(), Location::caller());
        let again = |heap: &mut Heap| make(heap, &layout, Traits::SHARED, born, "SharedArrayBuffer");
        make_or_collect(heap, roots, again).map(SharedArrayBuffer)
    }

    /// A buffer with a shared store's bytes.
    ///
    /// # Errors
    ///
    /// [`Error::NotShared`], [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{BackingStore, Error, SharedArrayBuffer};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// SharedArrayBuffer::from_store(&mut heap, BackingStore::shared(8)?)?;
    /// let error = SharedArrayBuffer::from_store(&mut heap, BackingStore::new(8)?).unwrap_err();
    /// assert!(matches!(error, Error::NotShared { .. }));
    /// # Ok::<(), Error>(())
    /// ```
    #[allow(clippy::needless_pass_by_value, reason = "the buffer's reference takes the place of the caller's")]
    pub fn from_store(heap: &mut Heap, store: BackingStore) -> Result<SharedArrayBuffer, Error> {
        let operation = "SharedArrayBuffer";
        if !store.is_shared() {
            return Err(Error::NotShared { operation });
        }
        let record = attach(heap, &store, operation)?;
        put(heap, BufferObject::new(record), operation).map(SharedArrayBuffer)
    }

    /// The handle without its type.
    ///
    /// ```
    /// # use tumulus_arraybuffer::SharedArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = SharedArrayBuffer::new(&mut heap, 8)?;
    /// assert!(heap.contains(buffer.erase()));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn erase(self) -> AnyGc {
        self.0.erase()
    }

    /// The length in bytes, now.
    ///
    /// ```
    /// # use tumulus_arraybuffer::SharedArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(SharedArrayBuffer::new(&mut heap, 8)?.byte_length(&heap), 8);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn byte_length(self, heap: &Heap) -> usize {
        heap[self.0].byte_length()
    }

    /// The length that it can have.
    ///
    /// ```
    /// # use tumulus_arraybuffer::SharedArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(SharedArrayBuffer::new(&mut heap, 8)?.max_byte_length(&heap), 8);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn max_byte_length(self, heap: &Heap) -> usize {
        heap[self.0].record().expect("a shared buffer is never detached").max_byte_length()
    }

    /// Whether it can grow.
    ///
    /// ```
    /// # use tumulus_arraybuffer::SharedArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert!(!SharedArrayBuffer::new(&mut heap, 8)?.growable(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn growable(self, heap: &Heap) -> bool {
        heap[self.0].is_resizable()
    }

    /// Makes it longer, for all who have it. Other threads may do so at the same time.
    ///
    /// # Errors
    ///
    /// [`Error::NotResizable`]; [`Error::Length`] above the maximum, [`Error::Shrink`] below the current length;
    /// [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Layout, SharedArrayBuffer};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = SharedArrayBuffer::new(&mut heap, Layout::new(10).max(100))?;
    /// buffer.grow(&mut heap, 20)?;
    /// assert_eq!(buffer.byte_length(&heap), 20);
    /// assert!(buffer.grow(&mut heap, 10).is_err());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn grow(self, heap: &mut Heap, byte_length: u64) -> Result<(), Error> {
        let operation = "grow";
        let store = BackingStore::to(heap[self.0].record().expect("a shared buffer is never detached"));
        let max = store.max_byte_length() as u64;
        if byte_length > max && self.growable(heap) {
            return Err(Error::Length { operation, requested: byte_length, max });
        }
        let bytes = usize::try_from(byte_length).unwrap_or(usize::MAX);
        let more = bytes.saturating_sub(store.byte_length());
        // Asked of this heap, then put on the account that pays for the store by the store itself.
        heap.try_add_external_bytes(more).map_err(|error| super::no_room(operation, more, error))?;
        let grown = store.grow_for(bytes, Some((heap.id(), heap.external_bytes())));
        heap.adjust_external_bytes(-more.cast_signed());
        grown.map(|_| ())
    }

    /// The buffer's store, for somebody outside.
    ///
    /// ```
    /// # use tumulus_arraybuffer::SharedArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert!(SharedArrayBuffer::new(&mut heap, 8)?.backing_store(&heap).is_shared());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn backing_store(self, heap: &Heap) -> BackingStore {
        match heap[self.0].record() {
            Some(record) => BackingStore::to(record),
            None => store_of(heap, self.0),
        }
    }

    /// The buffer's store, marked as held from outside since now and here: see
    /// [`leak_report`](crate::registry::leak_report).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{registry, SharedArrayBuffer};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let held = SharedArrayBuffer::new(&mut heap, 8)?.externalize(&mut heap);
    /// assert!(registry::get(&held).externalized.is_some());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn externalize(self, heap: &mut Heap) -> BackingStore {
        externalize(heap, self.0)
    }
}
