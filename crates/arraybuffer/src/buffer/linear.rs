//! A linear memory in WebAssembly's manner.

use super::{ArrayBuffer, DetachKey, drop_store, no_room};
use crate::error::{Error, NoMemory};
use crate::layout::Layout;
use crate::raw::{BufferObject, Traits};
use std::sync::atomic::{AtomicU64, Ordering};
use tumulus_heap::{Heap, Trace};

/// The size of a page of a linear memory.
pub const PAGE_BYTES: u64 = 64 << 10;

/// A memory that grows by pages, and does not move: addresses for all of it are reserved when it is made.
///
/// At any time it has one buffer, of a fixed length, which nobody else can detach. Growing detaches that buffer and makes
/// another one with the same bytes, also when it grows by no pages.
///
/// It is plain data, to be kept where the collector sees it.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{DetachKey, LinearMemory};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let mut memory = LinearMemory::new(&mut heap, 1, Some(3))?;
/// let old = memory.buffer();
/// old.as_mut_slice(&mut heap)?[5] = 7;
/// assert!(old.detach(&mut heap, DetachKey::Undefined).is_err());
///
/// assert_eq!(memory.grow(&mut heap, 2)?, 1);
/// assert!(old.detached(&heap));
/// assert_eq!(memory.buffer().as_slice(&heap)?[5], 7);
/// assert!(memory.grow(&mut heap, 1).is_err());
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Debug, Trace)]
pub struct LinearMemory {
    buffer: ArrayBuffer,
    max_pages: u64,
}

impl LinearMemory {
    /// A memory of so many zero pages, which can grow to `max_pages`, or to 4 GiB.
    ///
    /// # Errors
    ///
    /// As [`ArrayBuffer::new`].
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let memory = tumulus_arraybuffer::LinearMemory::new(&mut heap, 2, Some(16))?;
    /// assert_eq!(memory.pages(&heap), 2);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn new(heap: &mut Heap, pages: u64, max_pages: Option<u64>) -> Result<LinearMemory, Error> {
        let max_pages = max_pages.unwrap_or(1 << 16).min(1 << 16);
        let layout = Layout::new(pages.saturating_mul(PAGE_BYTES)).max(max_pages * PAGE_BYTES);
        let buffer = super::make(heap, &layout, Traits::NONE, std::panic::Location::caller(), "LinearMemory")?;
        let record = heap.get_mut(buffer).take_record().expect("it was just made");
        let buffer = heap.try_alloc(LinearMemory::object(record)).map_err(|error| {
            let error = error.without_value();
            no_room("LinearMemory", error.requested, error)
        })?;
        Ok(LinearMemory { buffer: ArrayBuffer(buffer), max_pages })
    }

    fn object(record: &'static crate::raw::Record) -> BufferObject {
        // A key that nobody else can have.
        static KEYS: AtomicU64 = AtomicU64::new(u64::MAX);
        let mut object = BufferObject::new_fixed(record);
        object.set_key(DetachKey::Number(KEYS.fetch_sub(1, Ordering::Relaxed)));
        object
    }

    /// The buffer, until the memory grows.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let memory = tumulus_arraybuffer::LinearMemory::new(&mut heap, 1, Some(1))?;
    /// assert!(!memory.buffer().resizable(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn buffer(&self) -> ArrayBuffer {
        self.buffer
    }

    /// How many pages there are.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(tumulus_arraybuffer::LinearMemory::new(&mut heap, 0, Some(1))?.pages(&heap), 0);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn pages(&self, heap: &Heap) -> u64 {
        self.buffer.byte_length(heap) as u64 / PAGE_BYTES
    }

    /// Adds zero pages, and says how many there were. The buffer is detached, and there is a new one.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] above the maximum; [`Error::Detached`] if somebody has taken the buffer's key away and detached it;
    /// [`Error::OutOfMemory`]. The memory and its buffer are as they were.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let mut memory = tumulus_arraybuffer::LinearMemory::new(&mut heap, 1, Some(1))?;
    /// let old = memory.buffer();
    /// memory.grow(&mut heap, 0)?;
    /// assert!(old.detached(&heap) && memory.buffer() != old);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn grow(&mut self, heap: &mut Heap, pages: u64) -> Result<u64, Error> {
        let operation = "LinearMemory::grow";
        let before = self.pages(heap);
        let wanted = before.saturating_add(pages);
        if wanted > self.max_pages {
            let (requested, max) = (wanted.saturating_mul(PAGE_BYTES), self.max_pages * PAGE_BYTES);
            return Err(Error::Length { operation, requested, max });
        }
        let record = heap[self.buffer.0].record().ok_or(Error::Detached { operation })?;
        let more = (pages * PAGE_BYTES) as usize;
        // The new buffer is made with a reference of its own, and then the old one lets go.
        let store = crate::BackingStore::to(record);
        record.attach(heap.id(), heap.external_bytes(), 0).map_err(|claimed| store.in_use(operation, claimed))?;
        let new = heap.try_alloc(LinearMemory::object(record)).map_err(|error| {
            let error = error.without_value();
            no_room(operation, error.requested, error)
        })?;
        heap.try_add_external_bytes(more).map_err(|error| no_room(operation, more, error))?;
        let is_done = heap.get_mut(new).resize_store((wanted * PAGE_BYTES) as usize);
        heap.adjust_external_bytes(-more.cast_signed());
        if !is_done {
            let requested = (wanted * PAGE_BYTES) as usize;
            return Err(Error::OutOfMemory { operation, requested, reason: NoMemory::Allocator });
        }
        drop_store(heap, self.buffer.0);
        self.buffer = ArrayBuffer(new);
        Ok(before)
    }
}
