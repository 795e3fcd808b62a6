//! Backing stores: bytes outside of all heaps, with shared ownership. Where the bytes come from is in `sources.rs`.

use crate::error::{Error, User};
use crate::raw::{Claimed, GrowError, HOLDER, OUTSIDE, Record, Traits};
use std::fmt;
use std::ptr::NonNull;
use tumulus_heap::{ExternalBytes, HeapId};

/// The bytes of a buffer, or of several: shared ownership, on any thread, with or without a heap.
///
/// While a `BackingStore` exists, its bytes stay where they are: whatever is collected, detached or dropped. They are
/// released when the last one is dropped and the last buffer that has them is gone. See [`release`](crate::release) for when
/// and where.
///
/// Plain bytes, which are not [shared](BackingStore::is_shared), belong to one heap at a time, so that its borrow checks
/// speak for them: buffers in that heap can have them, as many as you like, and [`with_bytes`](BackingStore::with_bytes) is
/// refused meanwhile. Shared ones can be touched from everywhere at any time, by atomic accesses.
///
/// A handle takes 8 bytes, and a store 128 beside its bytes.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, BackingStore};
/// use tumulus_heap::Heap;
///
/// let store = BackingStore::from_vec(vec![1, 2, 3]);
/// let mut heap = Heap::new();
/// let buffer = ArrayBuffer::from_store(&mut heap, store.clone())?;
/// assert_eq!((store.holders(), store.buffers()), (1, 1));
/// assert_eq!(buffer.as_slice(&heap)?, [1, 2, 3]);
///
/// drop(heap);
/// assert_eq!(store.with_bytes(|bytes| bytes.to_vec())?, [1, 2, 3]);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub struct BackingStore {
    pub(crate) record: &'static Record,
}

impl BackingStore {
    /// A handle for a reference that was counted.
    pub(crate) fn counted(record: &'static Record) -> BackingStore {
        crate::registry::count_handle();
        BackingStore { record }
    }

    /// Another handle for the store of a buffer, say.
    pub(crate) fn to(record: &'static Record) -> BackingStore {
        record.hold(HOLDER);
        BackingStore::counted(record)
    }

    /// Where the bytes are; never null. An empty store has an address that is aligned and fixed, and leads to nothing.
    ///
    /// The address is good as long as the store is. To read and write there is up to `unsafe` code, which has to keep to
    /// what is said above: plain bytes of a buffer belong to its heap.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let store = BackingStore::from_vec(vec![7; 100]);
    /// assert_eq!(store.data(), store.clone().data());
    /// ```
    #[inline]
    pub fn data(&self) -> NonNull<u8> {
        self.record.data()
    }

    /// How many bytes there are, now: resizable stores change.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert_eq!(BackingStore::new(100)?.byte_length(), 100);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn byte_length(&self) -> usize {
        self.record.byte_length()
    }

    /// How many there can be.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert_eq!(BackingStore::resizable(10, 100)?.max_byte_length(), 100);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn max_byte_length(&self) -> usize {
        self.record.max_byte_length()
    }

    /// Whether it is for a [`SharedArrayBuffer`](crate::SharedArrayBuffer).
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert!(BackingStore::shared(8)?.is_shared());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn is_shared(&self) -> bool {
        self.record.traits().has(Traits::SHARED)
    }

    /// Whether its length can change.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert!(!BackingStore::new(8)?.is_resizable());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn is_resizable(&self) -> bool {
        self.record.traits().has(Traits::RESIZABLE)
    }

    /// Whether its bytes cannot be written to, so that its buffers are immutable.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert!(BackingStore::from_static(b"mound").is_read_only());
    /// ```
    pub fn is_read_only(&self) -> bool {
        self.record.traits().has(Traits::READ_ONLY)
    }

    /// A number that no other store of the process has or will have.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert_ne!(BackingStore::empty().id(), BackingStore::empty().id());
    /// ```
    pub fn id(&self) -> u64 {
        self.record.id()
    }

    /// How many references there are: handles like this one, and buffers.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let store = BackingStore::empty();
    /// let other = store.clone();
    /// assert_eq!(store.use_count(), 2);
    /// ```
    pub fn use_count(&self) -> usize {
        self.holders() + self.buffers()
    }

    /// How many handles like this one there are.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert_eq!(BackingStore::empty().holders(), 1);
    /// ```
    pub fn holders(&self) -> usize {
        self.record.refs() as u32 as usize
    }

    /// How many buffers, in whichever heaps, have the store. Dead ones count until they are collected.
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// assert_eq!(BackingStore::empty().buffers(), 0);
    /// ```
    pub fn buffers(&self) -> usize {
        (self.record.refs() >> 32) as usize
    }

    /// Reads the bytes, which nobody changes meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] while a heap has the store, or other code outside is at it; [`Error::IsShared`], as shared bytes can
    /// change at any time: [`copy_to`](BackingStore::copy_to) reads these.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let store = BackingStore::from_vec(vec![1, 2, 3]);
    /// assert_eq!(store.with_bytes(|bytes| bytes.iter().sum::<u8>())?, 6);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> Result<R, Error> {
        self.claimed("with_bytes", |store| {
            // SAFETY: as many bytes are there as long as the reference, and are this access's own.
            read(unsafe { std::slice::from_raw_parts(store.data().as_ptr(), store.byte_length()) })
        })
    }

    /// Reads and writes the bytes, which nobody else touches meanwhile.
    ///
    /// # Errors
    ///
    /// As [`with_bytes`](BackingStore::with_bytes), and [`Error::Immutable`] if they are read-only.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let store = BackingStore::new(3)?;
    /// store.with_bytes_mut(|bytes| bytes.fill(7))?;
    /// assert_eq!(store.with_bytes(|bytes| bytes[2])?, 7);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn with_bytes_mut<R>(&self, write: impl FnOnce(&mut [u8]) -> R) -> Result<R, Error> {
        if self.is_read_only() {
            return Err(Error::Immutable { operation: "with_bytes_mut" });
        }
        self.claimed("with_bytes_mut", |store| {
            // SAFETY: as many bytes are there as long as the reference, are this access's own, and can be written to.
            write(unsafe { std::slice::from_raw_parts_mut(store.data().as_ptr(), store.byte_length()) })
        })
    }

    fn claimed<R>(&self, operation: &'static str, access: impl FnOnce(&BackingStore) -> R) -> Result<R, Error> {
        if self.is_shared() {
            return Err(Error::IsShared { operation });
        }
        self.record.claimed(|| access(self)).map_err(|claimed| self.in_use(operation, claimed))
    }

    pub(crate) fn in_use(&self, operation: &'static str, claimed: Claimed) -> Error {
        let by = if claimed.by == OUTSIDE { User::Outside } else { User::Heap(claimed.by) };
        Error::InUse { operation, id: self.id(), by }
    }

    /// Copies bytes from `at` on, plain or shared ones.
    ///
    /// # Errors
    ///
    /// [`Error::Range`], and for plain ones as [`with_bytes`](BackingStore::with_bytes).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let store = BackingStore::shared(8)?;
    /// store.copy_from(2, &[1, 2, 3])?;
    /// let mut bytes = [0; 4];
    /// store.copy_to(1, &mut bytes)?;
    /// assert_eq!(bytes, [0, 1, 2, 3]);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn copy_to(&self, at: usize, to: &mut [u8]) -> Result<(), Error> {
        self.check_range("copy_to", at, to.len())?;
        if self.is_shared() {
            self.record.words().copy_to(at, to);
            return Ok(());
        }
        self.with_bytes(|bytes| to.copy_from_slice(&bytes[at..at + to.len()]))
    }

    /// Writes bytes from `at` on, plain or shared ones.
    ///
    /// # Errors
    ///
    /// [`Error::Range`], and for plain ones as [`with_bytes_mut`](BackingStore::with_bytes_mut).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::{BackingStore, Error};
    /// let store = BackingStore::new(8)?;
    /// store.copy_from(6, &[1, 2])?;
    /// assert!(matches!(store.copy_from(7, &[1, 2]), Err(Error::Range { offset: 7, length: 2, available: 8, .. })));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn copy_from(&self, at: usize, from: &[u8]) -> Result<(), Error> {
        self.check_range("copy_from", at, from.len())?;
        if self.is_shared() {
            self.record.words().copy_from(at, from);
            return Ok(());
        }
        self.with_bytes_mut(|bytes| bytes[at..at + from.len()].copy_from_slice(from))
    }

    fn check_range(&self, operation: &'static str, at: usize, len: usize) -> Result<(), Error> {
        let available = self.byte_length();
        if at <= available && len <= available - at {
            return Ok(());
        }
        Err(Error::Range { operation, offset: at as u64, length: len as u64, available: available as u64 })
    }

    /// Lets a growable shared store grow. True if this call has done it, false if it had that length.
    ///
    /// However many threads try at once, each length is reached by one of them. The new bytes are zero.
    ///
    /// # Errors
    ///
    /// [`Error::NotResizable`], [`Error::NotShared`]; [`Error::Length`] above the maximum, [`Error::Shrink`] below the current
    /// length; [`Error::OutOfMemory`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use tumulus_arraybuffer::BackingStore;
    /// let store = BackingStore::growable(10, 100)?;
    /// assert!(store.grow(50)? && !store.grow(50)?);
    /// assert!(store.grow(101).is_err() && store.grow(49).is_err());
    /// assert_eq!(store.byte_length(), 50);
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn grow(&self, bytes: usize) -> Result<bool, Error> {
        self.grow_for(bytes, None)
    }

    /// The same for a heap, which pays for the store if nobody does.
    pub(crate) fn grow_for(&self, bytes: usize, heap: Option<(HeapId, ExternalBytes)>) -> Result<bool, Error> {
        let operation = "grow";
        if !self.is_shared() {
            return Err(Error::NotShared { operation });
        }
        if !self.is_resizable() {
            return Err(Error::NotResizable { operation, byte_length: self.byte_length() });
        }
        match self.record.grow(bytes, heap) {
            Ok(before) => Ok(before != bytes),
            Err(GrowError::Memory) => {
                let reason = crate::error::NoMemory::Allocator;
                Err(Error::OutOfMemory { operation, requested: bytes, reason })
            }
            Err(GrowError::Length { current }) if bytes < current => {
                Err(Error::Shrink { requested: bytes as u64, current })
            }
            Err(GrowError::Length { .. }) => {
                Err(Error::Length { operation, requested: bytes as u64, max: self.max_byte_length() as u64 })
            }
        }
    }
}

impl Clone for BackingStore {
    fn clone(&self) -> BackingStore {
        BackingStore::to(self.record)
    }
}

impl Drop for BackingStore {
    fn drop(&mut self) {
        crate::registry::uncount_handle();
        self.record.let_holder_go();
    }
}

/// Two handles are equal if they lead to the same store.
impl PartialEq for BackingStore {
    fn eq(&self, other: &BackingStore) -> bool {
        std::ptr::eq(self.record, other.record)
    }
}

impl Eq for BackingStore {}

impl fmt::Debug for BackingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackingStore")
            .field("id", &self.id())
            .field("byte_length", &self.byte_length())
            .field("holders", &self.holders())
            .field("buffers", &self.buffers())
            .finish_non_exhaustive()
    }
}
