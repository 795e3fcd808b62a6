//! The buffer as the heap holds it, and the way to its bytes.
//!
//! Invariants:
//!
//! - **B1.** A `BufferObject` with a record holds one `BUFFER` reference of it (R2). `data` is the record's. `byte_length` is at
//!   most what the record's has ever been, which stays usable: who makes a store shorter keeps the memory committed.
//! - **B2.** Nobody outside of this crate can name the type. It is made right before it is put into a heap, and is borrowed
//!   from that heap only. So who has a shared reference to one borrows the heap, and who has an exclusive one borrows it
//!   exclusively.
//! - **B3.** If the store is not shared, `claim` names that heap for as long as the object has the record (R5).
//!
//! From B2 and B3 it follows that no two threads touch the same plain bytes, and that nobody writes to them while a
//! reference to them is alive, however many buffers have them.

use super::begin::nowhere;
use super::lifecycle::When;
use super::record::{Record, Traits};
use super::words::Words;
use crate::buffer::DetachKey;
use std::ptr::NonNull;
use tumulus_heap::{Describer, Gc, Heap, Native, Trace, Tracer};

/// What stores are called in a snapshot: as V8 calls them.
pub(crate) const NODE_NAME: &str = "system / JSArrayBufferData";

/// See the file's header.
#[allow(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(crate) struct BufferObject {
    record: Option<&'static Record>,
    data: NonNull<u8>,
    byte_length: usize,
    /// The detach key, in two parts, as one would take eight bytes more.
    key: u64,
    key_kind: KeyKind,
    is_shared: bool,
    is_resizable: bool,
    pub(crate) is_immutable: bool,
    pub(crate) is_detachable: bool,
}

const _: () = assert!(size_of::<BufferObject>() == 40);

/// What kind of detach key it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum KeyKind {
    Undefined,
    Number,
    Object,
}

/// The parts of a key. Different keys have different parts, as different objects have different hashes.
fn parts(key: DetachKey) -> (KeyKind, u64) {
    match key {
        DetachKey::Undefined => (KeyKind::Undefined, 0),
        DetachKey::Number(number) => (KeyKind::Number, number),
        DetachKey::Object(object) => (KeyKind::Object, object.identity_hash()),
    }
}

impl Trace for BufferObject {
    const HAS_EDGES: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.name(if self.is_shared { "SharedArrayBuffer" } else { "ArrayBuffer" });
        if let Some(record) = self.record {
            // A store that several buffers share is one node.
            let (identity, bytes) = (record.id(), record.byte_length() as u64);
            describer.native("backing_store", Native { name: NODE_NAME, identity, bytes });
        }
    }
}

impl Drop for BufferObject {
    #[inline]
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            record.detach(When::Later);
        }
    }
}

/// The bytes of a buffer, to be read.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Bytes<'h> {
    Plain(&'h [u8]),
    Shared(Words<'h>),
}

/// The bytes of a buffer, to be written to.
#[derive(Debug)]
pub(crate) enum BytesMut<'h> {
    Plain(&'h mut [u8]),
    Shared(Words<'h>),
}

impl BufferObject {
    /// An object for a store of which the caller has counted one `BUFFER` for the heap that it puts the object into.
    #[inline]
    pub(crate) fn new(record: &'static Record) -> BufferObject {
        let traits = record.traits();
        BufferObject {
            record: Some(record),
            data: record.data(),
            byte_length: record.byte_length(),
            key: 0,
            key_kind: KeyKind::Undefined,
            is_shared: traits.has(Traits::SHARED),
            is_resizable: traits.has(Traits::RESIZABLE),
            is_immutable: traits.has(Traits::READ_ONLY),
            is_detachable: !traits.has(Traits::SHARED),
        }
    }

    /// The same for a buffer whose length does not follow that of its resizable store.
    pub(crate) fn new_fixed(record: &'static Record) -> BufferObject {
        let mut object = BufferObject::new(record);
        (object.is_resizable, object.is_detachable) = (false, false);
        object
    }

    #[inline]
    pub(crate) fn record(&self) -> Option<&'static Record> {
        self.record
    }

    #[inline]
    pub(crate) fn is_detached(&self) -> bool {
        self.record.is_none()
    }

    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    #[inline]
    pub(crate) fn is_resizable(&self) -> bool {
        self.is_resizable
    }

    /// Whether this is the detach key.
    pub(crate) fn has_key(&self, key: DetachKey) -> bool {
        parts(key) == (self.key_kind, self.key)
    }

    pub(crate) fn set_key(&mut self, key: DetachKey) {
        (self.key_kind, self.key) = parts(key);
    }

    /// Lets nobody write to the bytes any more: not through this object, nor through another one that is made of the store.
    pub(crate) fn freeze(&mut self) {
        self.is_immutable = true;
        if let Some(record) = self.record {
            record.make_read_only();
        }
    }

    /// The length; 0 when detached.
    #[inline]
    pub(crate) fn byte_length(&self) -> usize {
        if !self.is_resizable {
            return self.byte_length;
        }
        self.record.map_or(0, Record::byte_length)
    }

    /// Takes the store away, whose reference is the caller's then.
    pub(crate) fn take_record(&mut self) -> Option<&'static Record> {
        (self.data, self.byte_length) = (nowhere(), 0);
        self.record.take()
    }

    /// Gives a store back that was taken away from this object.
    pub(crate) fn put_record(&mut self, record: &'static Record) {
        assert!(self.record.is_none(), "a buffer has one store");
        (self.data, self.byte_length) = (record.data(), record.byte_length());
        self.record = Some(record);
    }

    /// Changes the length of a resizable buffer that is not shared; false if the system refuses the memory.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        assert!(self.is_resizable && !self.is_shared, "only these are resized");
        // SAFETY: nobody else touches the bytes, or refers to them (B2, B3).
        self.record.is_some_and(|record| unsafe { record.resize(bytes) })
    }

    /// Changes the length of the resizable store of a buffer that does not follow it by itself.
    pub(crate) fn resize_store(&mut self, bytes: usize) -> bool {
        let Some(record) = self.record else { return false };
        assert!(!self.is_shared && record.traits().has(Traits::RESIZABLE), "only these are resized");
        // SAFETY: nobody else touches the bytes, or refers to them (B2, B3).
        let is_done = unsafe { record.resize(bytes) };
        if is_done {
            self.byte_length = bytes;
        }
        is_done
    }

    /// The bytes, if they are not shared; none when detached.
    #[inline]
    pub(crate) fn plain(&self) -> Option<&[u8]> {
        if self.is_shared {
            return None;
        }
        // SAFETY: as many bytes are there and initialised (R2; `nowhere` has none), and nobody writes to them while this
        // reference borrows the heap (B2, B3).
        Some(unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.byte_length()) })
    }

    /// The same, to be written to; `None` also for what may not be written to.
    #[inline]
    pub(crate) fn plain_mut(&mut self) -> Option<&mut [u8]> {
        if self.is_shared || self.is_immutable {
            return None;
        }
        // SAFETY: as in `plain`; the heap is borrowed exclusively (B2). What is read-only is immutable.
        Some(unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.byte_length()) })
    }

    #[inline]
    pub(crate) fn bytes(&self) -> Bytes<'_> {
        match self.plain() {
            Some(bytes) => Bytes::Plain(bytes),
            None => Bytes::Shared(self.words()),
        }
    }

    /// The bytes, to be written to. The caller has asked whether the buffer is immutable.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> BytesMut<'_> {
        assert!(!self.is_immutable, "an immutable buffer is not written to");
        if self.is_shared {
            return BytesMut::Shared(self.words());
        }
        BytesMut::Plain(self.plain_mut().unwrap_or_default())
    }

    #[inline]
    fn words(&self) -> Words<'_> {
        debug_assert!(self.is_shared && self.record.is_some(), "a shared buffer is never detached");
        if self.is_resizable {
            return self.record.expect("a shared buffer is never detached").words();
        }
        // SAFETY: the store is shared, so that all touch its bytes this way (R6). Its length is its maximum, and it is there
        // while this reference borrows the buffer (B1).
        unsafe { Words::new(self.data, self.byte_length, self.byte_length) }
    }
}

impl Bytes<'_> {
    /// Reads a range.
    pub(crate) fn copy_to(self, at: usize, to: &mut [u8]) {
        match self {
            Bytes::Plain(bytes) => to.copy_from_slice(&bytes[at..at + to.len()]),
            Bytes::Shared(words) => words.copy_to(at, to),
        }
    }

    /// Reads a few bytes.
    #[inline]
    pub(crate) fn load<const N: usize>(self, at: usize) -> [u8; N] {
        match self {
            Bytes::Plain(bytes) => *bytes[at..].first_chunk().expect("the range was checked"),
            Bytes::Shared(words) => words.load(at),
        }
    }
}

impl BytesMut<'_> {
    /// Writes a range.
    pub(crate) fn copy_from(&mut self, at: usize, from: &[u8]) {
        match self {
            BytesMut::Plain(bytes) => bytes[at..at + from.len()].copy_from_slice(from),
            BytesMut::Shared(words) => words.copy_from(at, from),
        }
    }

    /// Writes a few bytes.
    #[inline]
    pub(crate) fn store<const N: usize>(&mut self, at: usize, from: [u8; N]) {
        match self {
            BytesMut::Plain(bytes) => *bytes[at..].first_chunk_mut().expect("the range was checked") = from,
            BytesMut::Shared(words) => words.store(at, from),
        }
    }

    /// Repeats a pattern of `N` bytes over a range of whole patterns.
    pub(crate) fn fill<const N: usize>(&mut self, at: usize, bytes: usize, pattern: [u8; N]) {
        match self {
            BytesMut::Plain(plain) => {
                let range = &mut plain[at..at + bytes];
                if pattern.iter().all(|&byte| byte == pattern[0]) {
                    range.fill(pattern[0]);
                } else {
                    range.as_chunks_mut::<N>().0.fill(pattern);
                }
            }
            BytesMut::Shared(words) => {
                let mut chunk = [0; 64];
                chunk.as_chunks_mut::<N>().0.fill(pattern);
                for from in (0..bytes).step_by(chunk.len()) {
                    words.copy_from(at + from, &chunk[..chunk.len().min(bytes - from)]);
                }
            }
        }
    }
}

/// Copies a range from one buffer to another one, or within one, as if there were a copy in between. The caller has asked
/// whether the ranges are inside, and whether the second is immutable.
pub(crate) fn copy_between(
    heap: &mut Heap,
    (from, from_at): (Gc<BufferObject>, usize),
    (to, to_at): (Gc<BufferObject>, usize),
    bytes: usize,
) {
    let source = &heap[from];
    let (data, length, is_shared) = (source.data, source.byte_length(), source.is_shared);
    assert!(from_at <= length && bytes <= length - from_at, "the source range was checked");
    if is_shared || heap[to].is_shared {
        return copy_words(heap, (from, from_at), (to, to_at), bytes);
    }
    let target = heap.get_mut(to).plain_mut().expect("not immutable, as was checked");
    let target = &mut target[to_at..to_at + bytes];
    let target = target.as_mut_ptr();
    // SAFETY: both ranges are inside of their buffers; the heap is borrowed exclusively, so that nobody else touches either
    // (B2, B3). They may be the same bytes, which `copy` allows; the reference to the target has ended.
    unsafe { std::ptr::copy(data.as_ptr().add(from_at), target, bytes) }
}

/// The same where bytes are shared: word for word, and piece by piece, as a copy of all could find no memory.
fn copy_words(
    heap: &mut Heap,
    (from, from_at): (Gc<BufferObject>, usize),
    (to, to_at): (Gc<BufferObject>, usize),
    bytes: usize,
) {
    // A multiple of all elements, so that none is torn.
    let mut piece = [0; 4096];
    let pieces = bytes.div_ceil(piece.len());
    // The two may be the same bytes: what was not read yet is not written to.
    let from_the_end = heap[from].data.addr().get() + from_at < heap[to].data.addr().get() + to_at;
    for n in 0..pieces {
        let at = piece.len() * if from_the_end { pieces - 1 - n } else { n };
        let len = piece.len().min(bytes - at);
        heap[from].bytes().copy_to(from_at + at, &mut piece[..len]);
        heap.get_mut(to).bytes_mut().copy_from(to_at + at, &piece[..len]);
    }
}
