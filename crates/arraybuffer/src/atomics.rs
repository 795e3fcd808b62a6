//! `Atomics`: operations on elements that other threads may touch at the same time, and waiting for them.
//!
//! The operations begin with [`access`], which validates the array and the index, before the language converts the values;
//! and they look at the array again before they touch a byte. Waiting is in `wait.rs`.

use crate::error::Error;
use crate::raw::Words;
use crate::view::{Element, ElementKind, Extent, TypedArray};
use std::sync::atomic::{AtomicU32, Ordering};
use tumulus_heap::Heap;

mod wait;
mod word;

pub use wait::{Ticket, WaitOutcome, WaitStart, notify, wait, wait_async, waiters};
pub use word::{int32, uint32};

/// Whether operations on elements of so many bytes take no lock: those of 1, 2 and 4 bytes.
///
/// Elements of 8 bytes do, as the same bytes may be in use as smaller elements: see the guide.
///
/// ```
/// use tumulus_arraybuffer::atomics::is_lock_free;
///
/// assert!(is_lock_free(4) && !is_lock_free(8) && !is_lock_free(3));
/// ```
pub fn is_lock_free(size: usize) -> bool {
    matches!(size, 1 | 2 | 4)
}

/// A hint that the program spins.
///
/// ```
/// tumulus_arraybuffer::atomics::pause();
/// ```
pub fn pause() {
    std::hint::spin_loop();
}

/// An element that was validated. See the [module](self).
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{atomics, Element, ElementKind, SharedArrayBuffer, TypedArray};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = SharedArrayBuffer::new(&mut heap, 16)?;
/// let array = TypedArray::new(&mut heap, ElementKind::Int32, buffer, 0, None)?;
/// let cell = atomics::access(&heap, array, 2)?;
/// assert_eq!(cell.add(&mut heap, Element::Number(5.0))?, Element::Number(0.0));
/// assert_eq!(cell.compare_exchange(&mut heap, Element::Number(5.0), Element::Number(7.0))?, Element::Number(5.0));
/// assert_eq!(cell.load(&heap)?, Element::Number(7.0));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug)]
pub struct Access {
    array: TypedArray,
    index: usize,
}

/// Asks that an array is one of integers, is not out of bounds, and has such an element.
///
/// # Errors
///
/// In this order: [`Error::ViewKind`]; [`Error::Detached`], [`Error::OutOfBounds`]; [`Error::Range`].
///
/// ```
/// # use tumulus_arraybuffer::{atomics, ElementKind, TypedArray};
/// # let mut heap = tumulus_heap::Heap::new();
/// let array = TypedArray::with_length(&mut heap, ElementKind::Float32, 1)?;
/// assert!(atomics::access(&heap, array, 0).is_err());
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[inline]
pub fn access(heap: &Heap, array: TypedArray, index: u64) -> Result<Access, Error> {
    let extent = validate(heap, array, "Atomics", ElementKind::is_plain_integer, "an array of integers")?;
    check_index(&extent, index, "Atomics")?;
    Ok(Access { array, index: index as usize })
}

#[inline]
fn validate(
    heap: &Heap,
    array: TypedArray,
    operation: &'static str,
    is_right: impl FnOnce(ElementKind) -> bool,
    expected: &'static str,
) -> Result<Extent, Error> {
    let kind = array.kind(heap);
    if !is_right(kind) {
        return Err(Error::ViewKind { operation, kind: kind.array_name(), expected });
    }
    array.valid_extent(heap, operation)
}

#[inline]
fn check_index(extent: &Extent, index: u64, operation: &'static str) -> Result<(), Error> {
    if index >= extent.length as u64 {
        return Err(Error::Range { operation, offset: index, length: 1, available: extent.length as u64 });
    }
    Ok(())
}

/// What is done to an element.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Operation {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Exchange,
}

impl Operation {
    /// The result, of which as many low bits count as the element has.
    #[inline]
    fn apply(self, old: u64, operand: u64) -> u64 {
        match self {
            Operation::Add => old.wrapping_add(operand),
            Operation::Sub => old.wrapping_sub(operand),
            Operation::And => old & operand,
            Operation::Or => old | operand,
            Operation::Xor => old ^ operand,
            Operation::Exchange => operand,
        }
    }
}

impl Access {
    /// Reads the element.
    ///
    /// # Errors
    ///
    /// [`Error::Detached`], [`Error::OutOfBounds`], [`Error::Range`], if that has become so.
    ///
    /// ```
    /// # use tumulus_arraybuffer::{atomics, Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 1)?;
    /// assert_eq!(atomics::access(&heap, array, 0)?.load(&heap)?, Element::Number(0.0));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn load(self, heap: &Heap) -> Result<Element, Error> {
        let extent = self.again(heap, "Atomics.load")?;
        let at = extent.at(self.index);
        let bytes = match heap[extent.buffer].bytes() {
            crate::raw::Bytes::Plain(bytes) => wide(&bytes[at..at + extent.kind.size()]),
            crate::raw::Bytes::Shared(words) => update_shared(words, &extent, at, |_| None),
        };
        Ok(extent.kind.decode(bytes))
    }

    /// Writes the element, and gives the value that was asked for.
    ///
    /// # Errors
    ///
    /// [`Error::ContentType`], [`Error::Immutable`], and as [`load`](Access::load).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{atomics, Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 1)?;
    /// let cell = atomics::access(&heap, array, 0)?;
    /// assert_eq!(cell.store(&mut heap, Element::Number(257.0))?, Element::Number(257.0));
    /// assert_eq!(cell.load(&heap)?, Element::Number(1.0));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn store(self, heap: &mut Heap, value: Element) -> Result<Element, Error> {
        self.modify(heap, "Atomics.store", Operation::Exchange, value)?;
        Ok(match value {
            Element::Number(number) => Element::Number(crate::convert::to_integer_or_infinity(number) + 0.0),
            Element::BigInt(_) => value,
        })
    }

    /// Adds to the element, and gives what it was.
    ///
    /// # Errors
    ///
    /// As [`store`](Access::store).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{atomics, Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int8, 1)?;
    /// let cell = atomics::access(&heap, array, 0)?;
    /// cell.add(&mut heap, Element::Number(127.0))?;
    /// cell.add(&mut heap, Element::Number(1.0))?;
    /// assert_eq!(cell.load(&heap)?, Element::Number(-128.0));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    #[inline]
    pub fn add(self, heap: &mut Heap, value: Element) -> Result<Element, Error> {
        self.modify(heap, "Atomics.add", Operation::Add, value)
    }

    /// Subtracts from the element, and gives what it was.
    ///
    /// # Errors
    ///
    /// As [`store`](Access::store).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{atomics, Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint16, 1)?;
    /// let cell = atomics::access(&heap, array, 0)?;
    /// cell.sub(&mut heap, Element::Number(1.0))?;
    /// assert_eq!(cell.load(&heap)?, Element::Number(65_535.0));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn sub(self, heap: &mut Heap, value: Element) -> Result<Element, Error> {
        self.modify(heap, "Atomics.sub", Operation::Sub, value)
    }

    /// Clears bits of the element, and gives what it was.
    ///
    /// # Errors
    ///
    /// As [`store`](Access::store).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{atomics, Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::BigInt64, 1)?;
    /// let cell = atomics::access(&heap, array, 0)?;
    /// cell.store(&mut heap, Element::BigInt(0b110))?;
    /// assert_eq!(cell.and(&mut heap, Element::BigInt(0b011))?, Element::BigInt(0b110));
    /// assert_eq!(cell.load(&heap)?, Element::BigInt(0b010));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn and(self, heap: &mut Heap, value: Element) -> Result<Element, Error> {
        self.modify(heap, "Atomics.and", Operation::And, value)
    }

    /// Sets bits of the element, and gives what it was.
    ///
    /// # Errors
    ///
    /// As [`store`](Access::store).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{atomics, Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int32, 1)?;
    /// let cell = atomics::access(&heap, array, 0)?;
    /// cell.or(&mut heap, Element::Number(5.0))?;
    /// assert_eq!(cell.or(&mut heap, Element::Number(2.0))?, Element::Number(5.0));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn or(self, heap: &mut Heap, value: Element) -> Result<Element, Error> {
        self.modify(heap, "Atomics.or", Operation::Or, value)
    }

    /// Inverts bits of the element, and gives what it was.
    ///
    /// # Errors
    ///
    /// As [`store`](Access::store).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{atomics, Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int32, 1)?;
    /// let cell = atomics::access(&heap, array, 0)?;
    /// cell.xor(&mut heap, Element::Number(5.0))?;
    /// assert_eq!(cell.xor(&mut heap, Element::Number(5.0))?, Element::Number(5.0));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn xor(self, heap: &mut Heap, value: Element) -> Result<Element, Error> {
        self.modify(heap, "Atomics.xor", Operation::Xor, value)
    }

    /// Replaces the element, and gives what it was.
    ///
    /// # Errors
    ///
    /// As [`store`](Access::store).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{atomics, Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Int32, 1)?;
    /// let cell = atomics::access(&heap, array, 0)?;
    /// assert_eq!(cell.exchange(&mut heap, Element::Number(5.0))?, Element::Number(0.0));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn exchange(self, heap: &mut Heap, value: Element) -> Result<Element, Error> {
        self.modify(heap, "Atomics.exchange", Operation::Exchange, value)
    }

    /// Replaces the element if it is as expected, and gives what it was.
    ///
    /// # Errors
    ///
    /// As [`store`](Access::store).
    ///
    /// ```
    /// # use tumulus_arraybuffer::{atomics, Element, ElementKind, TypedArray};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let array = TypedArray::with_length(&mut heap, ElementKind::Uint8, 1)?;
    /// let cell = atomics::access(&heap, array, 0)?;
    /// let (zero, one) = (Element::Number(256.0), Element::Number(1.0)); // modulo 2^8
    /// assert_eq!(cell.compare_exchange(&mut heap, zero, one)?, Element::Number(0.0));
    /// assert_eq!(cell.compare_exchange(&mut heap, zero, one)?, Element::Number(1.0));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn compare_exchange(self, heap: &mut Heap, expected: Element, new: Element) -> Result<Element, Error> {
        let operation = "Atomics.compareExchange";
        let kind = self.array.kind(heap);
        let (expected, new) = (kind.encode(operation, expected)?, kind.encode(operation, new)?);
        let extent = self.again_to_write(heap, operation)?;
        let size = kind.size();
        let change = |old: [u8; 8]| (old[..size] == expected[..size]).then_some(new);
        Ok(kind.decode(update(heap, &extent, self.index, change)))
    }

    #[inline]
    fn modify(
        self,
        heap: &mut Heap,
        operation: &'static str,
        what: Operation,
        value: Element,
    ) -> Result<Element, Error> {
        if let Some((kind, word)) = self.array.shared_word(heap, self.index)
            && let (ElementKind::Int32 | ElementKind::Uint32, Element::Number(number)) = (kind, value)
        {
            let before = modify_word(word, what, crate::view::to_uint32(number));
            let before = if kind == ElementKind::Int32 { f64::from(before.cast_signed()) } else { f64::from(before) };
            return Ok(Element::Number(before));
        }
        self.modify_slow(heap, operation, what, value)
    }

    #[inline(never)]
    fn modify_slow(
        self,
        heap: &mut Heap,
        operation: &'static str,
        what: Operation,
        value: Element,
    ) -> Result<Element, Error> {
        let extent = self.again_to_write(heap, operation)?;
        let operand = extent.kind.encode(operation, value)?;
        let size = extent.kind.size();
        let change = |old: [u8; 8]| Some(narrow(what.apply(number(old, size), number(operand, size)), size));
        Ok(extent.kind.decode(update(heap, &extent, self.index, change)))
    }

    #[inline]
    fn again(self, heap: &Heap, operation: &'static str) -> Result<Extent, Error> {
        let extent = validate(heap, self.array, operation, |_| true, "")?;
        check_index(&extent, self.index as u64, operation)?;
        Ok(extent)
    }

    #[inline]
    fn again_to_write(self, heap: &Heap, operation: &'static str) -> Result<Extent, Error> {
        let extent = self.again(heap, operation)?;
        if heap[extent.buffer].is_immutable {
            return Err(Error::Immutable { operation });
        }
        Ok(extent)
    }
}

/// A shared element of four bytes, by one instruction of the processor's.
#[inline]
fn modify_word(word: &AtomicU32, what: Operation, operand: u32) -> u32 {
    match what {
        Operation::Add => word.fetch_add(operand, Ordering::SeqCst),
        Operation::Sub => word.fetch_sub(operand, Ordering::SeqCst),
        Operation::And => word.fetch_and(operand, Ordering::SeqCst),
        Operation::Or => word.fetch_or(operand, Ordering::SeqCst),
        Operation::Xor => word.fetch_xor(operand, Ordering::SeqCst),
        Operation::Exchange => word.swap(operand, Ordering::SeqCst),
    }
}

/// Changes an element that is there, and gives what it was.
fn update(
    heap: &mut Heap,
    extent: &Extent,
    index: usize,
    mut change: impl FnMut([u8; 8]) -> Option<[u8; 8]>,
) -> [u8; 8] {
    let (at, size) = (extent.at(index), extent.kind.size());
    match heap.get_mut(extent.buffer).bytes_mut() {
        crate::raw::BytesMut::Plain(bytes) => {
            let element = &mut bytes[at..at + size];
            let before = wide(element);
            if let Some(new) = change(before) {
                element.copy_from_slice(&new[..size]);
            }
            before
        }
        crate::raw::BytesMut::Shared(words) => update_shared(words, extent, at, change),
    }
}

fn update_shared(
    words: Words<'_>,
    extent: &Extent,
    at: usize,
    mut change: impl FnMut([u8; 8]) -> Option<[u8; 8]>,
) -> [u8; 8] {
    fn small<const N: usize>(
        words: Words<'_>,
        at: usize,
        mut change: impl FnMut([u8; 8]) -> Option<[u8; 8]>,
    ) -> [u8; 8] {
        wide(&words.update::<N>(at, |old| change(wide(&old)).map(|new| *new.first_chunk().expect("N of eight"))))
    }
    match extent.kind.size() {
        1 => small::<1>(words, at, change),
        2 => small::<2>(words, at, change),
        4 => small::<4>(words, at, change),
        _ => words.update_double(at, |old| change(old.to_ne_bytes()).map(u64::from_ne_bytes)).to_ne_bytes(),
    }
}

/// The bytes of an element, and zeros behind them.
#[inline]
fn wide(bytes: &[u8]) -> [u8; 8] {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    wide
}

/// The bytes of an element as a number.
#[inline]
fn number(bytes: [u8; 8], size: usize) -> u64 {
    if cfg!(target_endian = "little") {
        u64::from_ne_bytes(bytes)
    } else {
        u64::from_ne_bytes(bytes) >> (64 - 8 * size)
    }
}

/// The lowest bytes of a number as an element.
#[inline]
fn narrow(number: u64, size: usize) -> [u8; 8] {
    let bits = if cfg!(target_endian = "little") { number } else { number << (64 - 8 * size) };
    bits.to_ne_bytes()
}
