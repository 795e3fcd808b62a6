//! A test's own hold on the bytes of a buffer.
//!
//! It is modelled on a struct of the same name in V8's tests of linear memories: the handle of an `ArrayBuffer`, and a
//! `shared_ptr` to its backing store, beside each other. Earlier that struct had another contract, in which the test freed the
//! bytes itself. Both are here.
//!
//! Nothing here is unsafe: bytes are reached through the borrow of a heap, or through a store that no heap has.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use tumulus_arraybuffer::{ArrayBuffer, BackingStore, Buffer, DetachKey, Error, registry};
use tumulus_heap::{Heap, Root};

/// Where the bytes of each store were taken over that some test is to free itself, by the store's id.
static OWNED: Mutex<BTreeMap<u64, &'static Location<'static>>> = Mutex::new(BTreeMap::new());

/// A buffer and its bytes, held from outside as an embedder holds them: the handle is rooted, and the backing store has one
/// more reference.
///
/// It is what a test needs to ask whether memory that somebody outside holds stays where it is, and stays readable and
/// writable, whatever happens to the buffer: a detach, a linear memory that grows, collections, the death of the heap.
///
/// | to | see |
/// |---|---|
/// | hold bytes | [`new`](Self::new); dropping it drops the reference, and does nothing else |
/// | free them as well | [`owning`](Self::owning); dropping it runs the deleter |
/// | know where they are | [`backing_store`](Self::backing_store) |
/// | touch them while a heap has them | [`with_bytes`](Self::with_bytes), [`with_bytes_mut`](Self::with_bytes_mut) |
/// | touch them when no heap has them | [`store`](Self::store), and [`BackingStore::with_bytes`] |
/// | pass them to another thread, or let them outlive this | [`store`](Self::store), cloned |
///
/// # Examples
///
/// Growing a linear memory detaches its buffer, also when it grows by no pages. The bytes stay:
///
/// ```
/// use tumulus_arraybuffer::LinearMemory;
/// use tumulus_testing::ManuallyExternalizedBuffer;
///
/// let mut heap = tumulus_heap::Heap::new();
/// let mut memory = LinearMemory::new(&mut heap, 1, Some(4))?;
/// let external = ManuallyExternalizedBuffer::new(&mut heap, memory.buffer());
/// let address = external.backing_store();
/// external.with_bytes_mut(&mut heap, |bytes| bytes[0] = 7)?;
///
/// memory.grow(&mut heap, 0)?;
/// heap.collect(&memory);
/// assert_eq!(external.with_bytes(&mut heap, |bytes| bytes[0])?, 7);
///
/// drop(external);
/// assert_eq!(memory.buffer().as_slice(&heap)?[0], 7);
/// assert_eq!(memory.buffer().backing_store(&heap).data(), address);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
///
/// # Two mistakes
///
/// **To believe that dropping it frees the bytes.** It does not, while a buffer has them: the buffer here, which is dead but not
/// collected. [`assert_released`](crate::assert_released) tells who still has them, and where they were made:
///
/// ```
/// use tumulus_arraybuffer::ArrayBuffer;
/// use tumulus_testing::{ManuallyExternalizedBuffer, assert_released, panic_message};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, 100)?;
/// let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
/// let id = external.store().id();
/// drop(external);
///
/// let words = panic_message(|| assert_released(id)).unwrap();
/// assert!(words.contains("100 bytes, 0 holders, 1 buffers, made at "), "{words}");
///
/// heap.collect(&());
/// assert_released(id);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
///
/// **To free the bytes a second time.** Whose they are is said once. Two owners of the same bytes are refused, and the message
/// names both places:
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, DetachKey};
/// use tumulus_testing::{ManuallyExternalizedBuffer, panic_message};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, 100)?;
/// let owner = ManuallyExternalizedBuffer::owning(&mut heap, buffer);
///
/// let words = panic_message(|| ManuallyExternalizedBuffer::owning(&mut heap, buffer)).unwrap();
/// assert!(words.contains("would be freed twice: they were taken over at "), "{words}");
/// assert!(words.contains(", and again at "), "{words}");
///
/// buffer.detach(&mut heap, DetachKey::Undefined)?;
/// drop(owner); // frees them
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
///
/// What frees a block behind the back of its store, with a pointer, is found by the
/// [`AccountingAllocator`](crate::AccountingAllocator).
pub struct ManuallyExternalizedBuffer {
    buffer: Buffer,
    /// Keeps a cell alive that keeps the buffer alive.
    root: Root<Buffer>,
    store: BackingStore,
    contract: Contract,
}

/// What happens to the bytes when it is dropped.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Contract {
    /// They are freed by whoever has the last reference.
    Sharing,
    /// They are freed here and now, since this is the last reference.
    Owning { since: &'static Location<'static> },
}

impl ManuallyExternalizedBuffer {
    /// Holds a buffer and its bytes.
    ///
    /// The store is [externalized](ArrayBuffer::externalize) at the caller's place, which leak reports name. A detached or empty
    /// buffer has an empty store.
    ///
    /// # Panics
    ///
    /// If the handle is stale, or the heap has no room for 16 bytes.
    ///
    /// ```
    /// use tumulus_arraybuffer::ArrayBuffer;
    /// use tumulus_testing::ManuallyExternalizedBuffer;
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    /// heap.collect(&());
    /// assert_eq!(buffer.byte_length(&heap), 8); // it is rooted
    /// assert_eq!(external.store().use_count(), 2);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn new(heap: &mut Heap, buffer: impl Into<Buffer>) -> ManuallyExternalizedBuffer {
        ManuallyExternalizedBuffer::hold(heap, buffer.into(), Contract::Sharing)
    }

    /// Takes the bytes over: dropping it frees them, there and then, on that thread, by whatever deleter they came with.
    ///
    /// So nobody else may have them by then. The collector never runs the deleter as long as this exists, and dropping this
    /// before the buffer has been detached, or while somebody else holds the store, is a mistake: it panics, with the place of
    /// this call and with what the registry knows. The bytes are not freed then but stay with who has them.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new), and if somebody owns the bytes already.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_arraybuffer::{ArrayBuffer, DetachKey};
    /// use tumulus_testing::{DeleterProbe, ManuallyExternalizedBuffer, panic_message};
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let probe = DeleterProbe::expect_once();
    /// let buffer = ArrayBuffer::from_store(&mut heap, probe.store(vec![1, 2, 3]))?;
    /// let owner = ManuallyExternalizedBuffer::owning(&mut heap, buffer);
    ///
    /// buffer.detach(&mut heap, DetachKey::Undefined)?;
    /// heap.collect(&());
    /// assert_eq!(probe.count(), 0);
    /// drop(owner);
    /// assert_eq!(probe.calls()[0].thread, std::thread::current().id());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[track_caller]
    pub fn owning(heap: &mut Heap, buffer: impl Into<Buffer>) -> ManuallyExternalizedBuffer {
        let since = Location::caller();
        let mut owner = ManuallyExternalizedBuffer::hold(heap, buffer.into(), Contract::Sharing);
        match OWNED.lock().entry(owner.store.id()) {
            Entry::Vacant(entry) => entry.insert(since),
            Entry::Occupied(first) => {
                let (first, store) = (first.get(), registry::get(&owner.store));
                panic!(
                    "the bytes would be freed twice: they were taken over at {first}, and again at {since}; {store}"
                );
            }
        };
        owner.contract = Contract::Owning { since };
        owner
    }

    #[track_caller]
    fn hold(heap: &mut Heap, buffer: Buffer, contract: Contract) -> ManuallyExternalizedBuffer {
        let store = match buffer {
            Buffer::Plain(buffer) => buffer.externalize(heap),
            Buffer::Shared(buffer) => buffer.externalize(heap),
        };
        let cell = heap.alloc(buffer);
        ManuallyExternalizedBuffer { buffer, root: heap.root(cell), store, contract }
    }

    /// The handle, which is good as long as the heap is.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, Buffer};
    /// # use tumulus_testing::ManuallyExternalizedBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    /// assert_eq!(external.buffer(), Buffer::Plain(buffer));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn buffer(&self) -> Buffer {
        self.buffer
    }

    /// Where the bytes are, and stay.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # use tumulus_testing::ManuallyExternalizedBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    /// assert_eq!(external.backing_store().as_ptr().cast_const(), buffer.as_slice(&heap)?.as_ptr());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn backing_store(&self) -> NonNull<u8> {
        self.store.data()
    }

    /// The reference that this holds. A clone of it can go to other threads, and outlive the heap.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # use tumulus_testing::ManuallyExternalizedBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// # let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    /// drop(heap);
    /// let store = external.store().clone();
    /// std::thread::spawn(move || store.with_bytes_mut(|bytes| bytes.fill(7))).join().unwrap()?;
    /// assert_eq!(external.store().with_bytes(|bytes| bytes[7])?, 7);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn store(&self) -> &BackingStore {
        &self.store
    }

    /// Reads the bytes as the heap sees them, whether the buffer has been detached or not.
    ///
    /// Plain bytes are a heap's as long as it has a buffer of them. So while this reads, there is one buffer more, which is
    /// detached after it: nothing is left of it but a dead object.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] if another heap has the bytes; [`Error::IsShared`], see [`BackingStore::copy_to`];
    /// [`Error::OutOfMemory`] if the heap has no room for a buffer.
    ///
    /// ```
    /// use tumulus_arraybuffer::{ArrayBuffer, DetachKey};
    /// use tumulus_testing::ManuallyExternalizedBuffer;
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    /// buffer.as_mut_slice(&mut heap)?[3] = 7;
    /// buffer.detach(&mut heap, DetachKey::Undefined)?;
    /// assert_eq!(external.with_bytes(&mut heap, |bytes| bytes[3])?, 7);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn with_bytes<R>(&self, heap: &mut Heap, read: impl FnOnce(&[u8]) -> R) -> Result<R, Error> {
        let window = ArrayBuffer::from_store(heap, self.store.clone())?;
        let result = window.as_slice(heap).map(read);
        ManuallyExternalizedBuffer::close(heap, window);
        result
    }

    /// Reads and writes the bytes.
    ///
    /// # Errors
    ///
    /// As [`with_bytes`](Self::with_bytes), and [`Error::Immutable`] if they are read-only.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # use tumulus_testing::ManuallyExternalizedBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
    /// external.with_bytes_mut(&mut heap, |bytes| bytes.fill(7))?;
    /// assert_eq!(buffer.as_slice(&heap)?, [7; 8]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn with_bytes_mut<R>(&self, heap: &mut Heap, write: impl FnOnce(&mut [u8]) -> R) -> Result<R, Error> {
        let window = ArrayBuffer::from_store(heap, self.store.clone())?;
        let result = window.as_mut_slice(heap).map(write);
        ManuallyExternalizedBuffer::close(heap, window);
        result
    }

    fn close(heap: &mut Heap, window: ArrayBuffer) {
        // One of read-only bytes cannot be detached, and goes with the next collection.
        let _ = window.detach(heap, DetachKey::Undefined);
    }
}

impl Drop for ManuallyExternalizedBuffer {
    fn drop(&mut self) {
        // The reference to the bytes goes by itself. If it is to be the last, it has to be so now: as nobody else has one, nobody
        // can get one in between.
        let Contract::Owning { since } = self.contract else { return };
        OWNED.lock().remove(&self.store.id());
        if self.store.use_count() > 1 && !std::thread::panicking() {
            let entry = registry::get(&self.store);
            panic!(
                "bytes that were taken over at {since} are to be freed, but not all others have let go: detach the buffers, \
                 drop the holders; {entry}"
            );
        }
    }
}

impl fmt::Debug for ManuallyExternalizedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManuallyExternalizedBuffer")
            .field("buffer", &self.buffer)
            .field("root", &self.root)
            .field("store", &self.store)
            .field("contract", &self.contract)
            .finish()
    }
}
