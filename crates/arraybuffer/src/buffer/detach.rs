//! Detaching: taking the bytes of a buffer away.

use super::{ArrayBuffer, drop_store};
use crate::error::Error;
use tumulus_heap::{AnyGc, Heap};

/// Who may detach a buffer: who knows its key.
///
/// ```
/// use tumulus_arraybuffer::DetachKey;
///
/// let mut heap = tumulus_heap::Heap::new();
/// assert_ne!(DetachKey::Number(1), DetachKey::Object(heap.alloc(1).erase()));
/// assert_eq!(DetachKey::default(), DetachKey::Undefined);
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum DetachKey {
    /// No key: everybody may.
    #[default]
    Undefined,
    /// A number of the program's.
    Number(u64),
    /// The identity of an object. The key does not keep it alive.
    Object(AnyGc),
}

impl ArrayBuffer {
    /// Takes the bytes away. The buffer has none from then on, and its views are out of bounds. Its reference to the store is
    /// let go at once.
    ///
    /// A buffer that is detached already stays so.
    ///
    /// # Errors
    ///
    /// In this order: [`Error::DetachKey`] if the key is another one than the buffer's, also on a detached buffer;
    /// [`Error::NotDetachable`]; [`Error::Immutable`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_arraybuffer::{ArrayBuffer, BackingStore, DetachKey};
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let store = BackingStore::from_vec(vec![1, 2, 3]);
    /// let buffer = ArrayBuffer::from_store(&mut heap, store.clone())?;
    /// buffer.detach(&mut heap, DetachKey::Undefined)?;
    /// assert_eq!((buffer.byte_length(&heap), store.use_count()), (0, 1));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn detach(self, heap: &mut Heap, key: DetachKey) -> Result<(), Error> {
        let object = &heap[self.0];
        if !object.has_key(key) {
            return Err(Error::DetachKey);
        }
        if object.is_detached() {
            return Ok(());
        }
        if !object.is_detachable {
            return Err(Error::NotDetachable { operation: "detach" });
        }
        if object.is_immutable {
            return Err(Error::Immutable { operation: "detach" });
        }
        drop_store(heap, self.0);
        Ok(())
    }

    /// Sets the key that [`detach`](ArrayBuffer::detach) wants from now on.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, DetachKey, Error};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// buffer.set_detach_key(&mut heap, DetachKey::Number(7));
    /// assert_eq!(buffer.detach(&mut heap, DetachKey::Undefined), Err(Error::DetachKey));
    /// assert_eq!(buffer.detach(&mut heap, DetachKey::Number(7)), Ok(()));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_detach_key(self, heap: &mut Heap, key: DetachKey) {
        heap.get_mut(self.0).set_key(key);
    }

    /// Whether the buffer may be detached, by who has the key.
    ///
    /// ```
    /// # use tumulus_arraybuffer::ArrayBuffer;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert!(ArrayBuffer::new(&mut heap, 8)?.is_detachable(&heap));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn is_detachable(self, heap: &Heap) -> bool {
        heap[self.0].is_detachable
    }

    /// Lets nobody detach the buffer.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, DetachKey};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// buffer.forbid_detaching(&mut heap);
    /// assert!(buffer.detach(&mut heap, DetachKey::Undefined).is_err());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn forbid_detaching(self, heap: &mut Heap) {
        heap.get_mut(self.0).is_detachable = false;
    }

    /// Lets the buffer be detached again.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{ArrayBuffer, DetachKey};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let buffer = ArrayBuffer::new(&mut heap, 8)?;
    /// buffer.forbid_detaching(&mut heap);
    /// buffer.allow_detaching(&mut heap);
    /// assert!(buffer.detach(&mut heap, DetachKey::Undefined).is_ok());
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn allow_detaching(self, heap: &mut Heap) {
        heap.get_mut(self.0).is_detachable = true;
    }
}
