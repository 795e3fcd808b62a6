//! Buffers: objects in a heap that have a backing store.
//!
//! | file | what is there |
//! |---|---|
//! | `plain.rs` | `ArrayBuffer`: making one, asking it, resizing, stores |
//! | `detach.rs` | detaching, and its keys |
//! | `slice.rs` | slices |
//! | `transfer.rs` | moving the bytes to another buffer |
//! | `parcel.rs` | moving buffers to another heap |
//! | `shared.rs` | `SharedArrayBuffer` |
//! | `linear.rs` | a linear memory in WebAssembly's manner |

mod detach;
mod linear;
mod parcel;
mod plain;
mod shared;
mod slice;
mod transfer;

pub use detach::DetachKey;
pub use linear::{LinearMemory, PAGE_BYTES};
pub use parcel::{Parcel, Slot};
pub use plain::ArrayBuffer;
pub use shared::SharedArrayBuffer;
pub use slice::SliceWitness;

use crate::error::{Error, NoMemory};
use crate::layout::Layout;
use crate::raw::{self, BufferObject, FirstRef, IsZero, Record, Traits, Wanted, When};
use crate::release;
use crate::store::BackingStore;
use std::panic::Location;
use tumulus_heap::{AllocError, AnyGc, ExternalBytes, Gc, Heap, Trace};

/// A buffer of either kind, as views have them.
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, Buffer, SharedArrayBuffer};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let plain = Buffer::from(ArrayBuffer::new(&mut heap, 8)?);
/// let shared = Buffer::from(SharedArrayBuffer::new(&mut heap, 8)?);
/// assert!(matches!(plain, Buffer::Plain(_)) && matches!(shared, Buffer::Shared(_)));
/// assert_eq!(plain.byte_length(&heap), shared.byte_length(&heap));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Trace)]
pub enum Buffer {
    /// An `ArrayBuffer`.
    Plain(ArrayBuffer),
    /// A `SharedArrayBuffer`.
    Shared(SharedArrayBuffer),
}

impl From<ArrayBuffer> for Buffer {
    fn from(buffer: ArrayBuffer) -> Buffer {
        Buffer::Plain(buffer)
    }
}

impl From<SharedArrayBuffer> for Buffer {
    fn from(buffer: SharedArrayBuffer) -> Buffer {
        Buffer::Shared(buffer)
    }
}

impl Buffer {
    /// The buffer behind an untyped handle, if that is alive and leads to one.
    ///
    /// ```
    /// use tumulus_arraybuffer::{ArrayBuffer, Buffer};
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// assert_eq!(Buffer::from_any(&heap, buffer.erase()), Some(buffer.into()));
    /// let number = heap.alloc(1).erase();
    /// assert_eq!(Buffer::from_any(&heap, number), None);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn from_any(heap: &Heap, any: AnyGc) -> Option<Buffer> {
        any.downcast::<BufferObject>(heap).ok().map(|gc| Buffer::of(heap, gc))
    }

    pub(crate) fn of(heap: &Heap, gc: Gc<BufferObject>) -> Buffer {
        if heap[gc].is_shared() { Buffer::Shared(SharedArrayBuffer(gc)) } else { Buffer::Plain(ArrayBuffer(gc)) }
    }

    pub(crate) fn gc(self) -> Gc<BufferObject> {
        match self {
            Buffer::Plain(buffer) => buffer.0,
            Buffer::Shared(buffer) => buffer.0,
        }
    }

    /// The length in bytes, now; 0 when detached.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, Buffer};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(Buffer::from(ArrayBuffer::new(&mut heap, 8)?).byte_length(&heap), 8);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn byte_length(self, heap: &Heap) -> usize {
        heap[self.gc()].byte_length()
    }
}

/// Makes a buffer with a new store.
#[inline]
fn make(
    heap: &mut Heap,
    layout: &Layout,
    shared: Traits,
    born: &'static Location<'static>,
    operation: &'static str,
) -> Result<Gc<BufferObject>, Error> {
    let Some(bytes) = layout.small() else { return make_slow(heap, layout, shared, born, operation) };
    heap.try_add_external_bytes(bytes).map_err(|error| no_room(operation, bytes, error))?;
    let account = heap.external_bytes();
    let wanted = Wanted { byte_length: bytes, max_byte_length: bytes, traits: shared, zero: IsZero::Known };
    let Some(record) = raw::begin(wanted, FirstRef::Buffer(heap.id(), account), born) else {
        account.sub(bytes);
        return Err(Error::OutOfMemory { operation, requested: bytes, reason: NoMemory::Allocator });
    };
    put(heap, BufferObject::new(record), operation)
}

/// The same for a store that is large, or out of the ordinary.
#[inline(never)]
fn make_slow(
    heap: &mut Heap,
    layout: &Layout,
    shared: Traits,
    born: &'static Location<'static>,
    operation: &'static str,
) -> Result<Gc<BufferObject>, Error> {
    let (byte_length, _) = layout.check(operation)?;
    heap.try_add_external_bytes(byte_length).map_err(|error| no_room(operation, byte_length, error))?;
    let account = heap.external_bytes();
    let charge = Charge { account, bytes: byte_length };
    let record = layout.make(shared, FirstRef::Buffer(heap.id(), account), born, operation)?;
    // The store's from here on.
    std::mem::forget(charge);
    put(heap, BufferObject::new(record), operation)
}

/// Bytes that were put on an account for a store that is being made. Dropped, it takes them off: the store is not made, or
/// an allocator of the program's has panicked.
struct Charge {
    account: ExternalBytes,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.sub(self.bytes);
    }
}

/// The same, with collections where there is no memory.
fn make_or_collect<R: Trace + ?Sized>(
    heap: &mut Heap,
    roots: &R,
    mut make: impl FnMut(&mut Heap) -> Result<Gc<BufferObject>, Error>,
) -> Result<Gc<BufferObject>, Error> {
    let mut result = make(heap);
    for attempt in 0..3 {
        if !result.as_ref().is_err_and(Error::is_out_of_memory) {
            break;
        }
        if attempt == 0 {
            heap.collect_minor(roots);
        } else {
            heap.collect(roots);
        }
        release::flush();
        result = make(heap);
    }
    result
}

/// Puts a buffer into the heap. If there is no room, its reference to the store is let go.
#[inline]
fn put(heap: &mut Heap, object: BufferObject, operation: &'static str) -> Result<Gc<BufferObject>, Error> {
    heap.try_alloc(object).map_err(|error| {
        let error = error.without_value();
        no_room(operation, error.requested, error)
    })
}

#[cold]
fn no_room(operation: &'static str, requested: usize, error: AllocError) -> Error {
    Error::OutOfMemory { operation, requested, reason: NoMemory::Heap(error) }
}

/// Counts a buffer of a store for this heap.
fn attach(heap: &mut Heap, store: &BackingStore, operation: &'static str) -> Result<&'static Record, Error> {
    let record = store.record;
    let charged = record.uncharged_bytes();
    heap.try_add_external_bytes(charged).map_err(|error| no_room(operation, charged, error))?;
    if let Err(claimed) = record.attach(heap.id(), heap.external_bytes(), charged) {
        heap.adjust_external_bytes(-charged.cast_signed());
        return Err(store.in_use(operation, claimed));
    }
    Ok(record)
}

/// The store of a buffer, for somebody outside: an empty one where there are no bytes.
#[track_caller]
fn store_of(heap: &Heap, gc: Gc<BufferObject>) -> BackingStore {
    let object = &heap[gc];
    match object.record() {
        Some(record) if record.max_byte_length() > 0 => BackingStore::to(record),
        _ => BackingStore::empty(),
    }
}

#[track_caller]
fn externalize(heap: &Heap, gc: Gc<BufferObject>) -> BackingStore {
    let store = store_of(heap, gc);
    store.record.note_externalized(Location::caller(), crate::registry::now());
    store
}

/// Takes the store off a buffer and lets it go.
fn drop_store(heap: &mut Heap, gc: Gc<BufferObject>) {
    if let Some(record) = heap.get_mut(gc).take_record() {
        record.detach(When::Now);
    }
}
