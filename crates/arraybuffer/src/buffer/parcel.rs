//! Parcels: buffers on their way to another heap.

use super::{ArrayBuffer, Buffer, DetachKey, SharedArrayBuffer};
use crate::error::{Error, NoMemory};
use crate::layout::Layout;
use crate::raw::When;
use crate::scratch;

use crate::store::BackingStore;
use tumulus_heap::{AnyGc, Heap};

/// Buffers that are sent from one heap to another one, on the same thread or on another.
///
/// Within one parcel a buffer keeps its identity: what is put in twice arrives once. The bytes of a buffer that is
/// transferred are not copied, and the buffer is detached when it is put in; one that is copied, or shared, stays.
///
/// A parcel holds its stores from outside, so that they outlive the first heap. One that is dropped lets them go.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, Buffer, Parcel};
/// use tumulus_heap::Heap;
///
/// let mut heap = Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, 4)?;
/// buffer.as_mut_slice(&mut heap)?.fill(7);
///
/// let mut parcel = Parcel::new();
/// let slot = parcel.transfer(&mut heap, buffer)?;
/// assert_eq!(parcel.transfer(&mut heap, buffer)?, slot);
/// assert!(buffer.detached(&heap));
///
/// let worker = std::thread::spawn(move || {
///     let mut heap = Heap::new();
///     let buffers = parcel.unpack(&mut heap)?;
///     let Buffer::Plain(buffer) = buffers[slot.0] else { unreachable!() };
///     assert_eq!(buffer.as_slice(&heap)?, [7; 4]);
///     Ok::<(), tumulus_arraybuffer::Error>(())
/// });
/// worker.join().unwrap()?;
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Parcel {
    sources: Vec<AnyGc>,
    contents: Vec<BackingStore>,
}

/// The place of a buffer in a parcel.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub usize);

impl Parcel {
    /// One with nothing in it.
    ///
    /// ```
    /// let parcel = tumulus_arraybuffer::Parcel::new();
    /// ```
    pub fn new() -> Parcel {
        Parcel::default()
    }

    fn slot(&self, source: AnyGc) -> Option<Slot> {
        self.sources.iter().position(|&other| other == source).map(Slot)
    }

    /// Makes room for one more, so that nothing has happened yet where there is none.
    fn reserve(&mut self, operation: &'static str) -> Result<(), Error> {
        let made = self.sources.try_reserve(1).and_then(|()| self.contents.try_reserve(1));
        let requested = size_of::<AnyGc>() + size_of::<BackingStore>();
        made.map_err(|_| Error::OutOfMemory { operation, requested, reason: NoMemory::Allocator })
    }

    fn add(&mut self, source: AnyGc, store: BackingStore) -> Slot {
        self.sources.push(source);
        self.contents.push(store);
        Slot(self.contents.len() - 1)
    }

    /// Puts a buffer in, and detaches it.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`]; [`Error::NotDetachable`], also if it has a detach key; [`Error::Immutable`]. [`Error::InUse`]
    /// if another buffer of this heap has the same bytes. [`Error::OutOfMemory`]; the buffer is attached then.
    pub fn transfer(&mut self, heap: &mut Heap, buffer: ArrayBuffer) -> Result<Slot, Error> {
        let operation = "Parcel::transfer";
        if let Some(slot) = self.slot(buffer.erase()) {
            return Ok(slot);
        }
        let object = &heap[buffer.0];
        let Some(record) = object.record() else { return Err(Error::Detached { operation }) };
        if object.is_immutable {
            return Err(Error::Immutable { operation });
        }
        if !object.has_key(DetachKey::Undefined) || !object.is_detachable {
            return Err(Error::NotDetachable { operation });
        }
        if record.refs() >> 32 > 1 {
            let by = crate::error::User::Heap(heap.id().get().get());
            return Err(Error::InUse { operation, id: record.id(), by });
        }
        let store = BackingStore::to(record);
        self.reserve(operation)?;
        if let Some(record) = heap.get_mut(buffer.0).take_record() {
            record.detach(When::Now);
        }
        Ok(self.add(buffer.erase(), store))
    }

    /// Puts a copy of a buffer in. A resizable one stays resizable, an immutable one immutable.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::OutOfMemory`].
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, Parcel};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 4)?;
    /// let mut parcel = Parcel::new();
    /// parcel.copy(&heap, buffer)?;
    /// assert_eq!(parcel.unpack(&mut heap)?[0].byte_length(&heap), 4);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn copy(&mut self, heap: &Heap, buffer: ArrayBuffer) -> Result<Slot, Error> {
        if let Some(slot) = self.slot(buffer.erase()) {
            return Ok(slot);
        }
        let object = &heap[buffer.0];
        if object.is_detached() {
            return Err(Error::Detached { operation: "Parcel::copy" });
        }
        self.reserve("Parcel::copy")?;
        let layout = Layout::new(object.byte_length() as u64);
        let layout = if object.is_resizable() { layout.max(buffer.max_byte_length(heap) as u64) } else { layout };
        let store = BackingStore::new(layout)?;
        store.copy_from(0, object.plain().expect("not shared"))?;
        if object.is_immutable {
            store.record.make_read_only();
        }
        Ok(self.add(buffer.erase(), store))
    }

    /// Puts a shared buffer in, which both heaps have then.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{Parcel, SharedArrayBuffer};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = SharedArrayBuffer::new(&mut heap, 4)?;
    /// let mut parcel = Parcel::new();
    /// parcel.share(&heap, buffer);
    /// let mut other = tumulus_heap::Heap::new();
    /// parcel.unpack(&mut other)?;
    /// assert_eq!(buffer.backing_store(&heap).buffers(), 2);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn share(&mut self, heap: &Heap, buffer: SharedArrayBuffer) -> Slot {
        self.slot(buffer.erase()).unwrap_or_else(|| {
            let store = buffer.backing_store(heap);
            self.add(buffer.erase(), store)
        })
    }

    /// The buffers, in this heap, in the order of their slots.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`]; what was in the parcel is let go then.
    pub fn unpack(self, heap: &mut Heap) -> Result<Vec<Buffer>, Error> {
        let mut made = scratch::list("Parcel::unpack", self.contents.len())?;
        for store in self.contents {
            made.push(if store.is_shared() {
                SharedArrayBuffer::from_store(heap, store)?.into()
            } else {
                ArrayBuffer::from_store(heap, store)?.into()
            });
        }
        Ok(made)
    }
}
