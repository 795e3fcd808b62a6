//! What a new store is asked to be.

use crate::allocator::Allocator;
use crate::error::{Error, NoMemory};
use crate::raw::{self, FirstRef, Foreign, IsZero, Record, Release, Traits, Wanted};
use std::panic::Location;
use std::sync::Arc;

/// The most bytes that any buffer can have: what the language can count, and Rust can address.
pub const MAX_BYTE_LENGTH: u64 = if (1 << 53) - 1 < isize::MAX as u64 { (1 << 53) - 1 } else { isize::MAX as u64 };

pub(crate) type Place = &'static Location<'static>;

/// What a store is made of: its length, and what else is wanted.
///
/// A number stands for a plain store of that length.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tumulus_arraybuffer::{ArrayBuffer, LimitedAllocator, Layout, SystemAllocator};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let limited = Arc::new(LimitedAllocator::new(SystemAllocator, 1 << 20));
/// let layout = Layout::new(1000).allocator(&limited);
/// let buffer = ArrayBuffer::new(&mut heap, layout)?;
/// assert_eq!(limited.used(), 1000);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Layout {
    byte_length: u64,
    max_byte_length: Option<u64>,
    zero: Contents,
    allocator: Option<Arc<dyn Allocator>>,
}

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Contents {
    #[default]
    Zero,
    Anything,
}

impl Layout {
    /// So many zero bytes.
    ///
    /// ```
    /// let layout = tumulus_arraybuffer::Layout::new(100);
    /// ```
    #[must_use]
    #[inline]
    pub fn new(byte_length: u64) -> Layout {
        Layout { byte_length, ..Layout::default() }
    }

    /// The length can change, up to `bytes`. Addresses for as much are reserved, and memory is taken as the length grows.
    ///
    /// The default allocator does this itself, whatever [`allocator`](Layout::allocator) says.
    ///
    /// ```
    /// let layout = tumulus_arraybuffer::Layout::new(100).max(1 << 30);
    /// ```
    #[must_use]
    pub fn max(mut self, bytes: u64) -> Layout {
        self.max_byte_length = Some(bytes);
        self
    }

    /// The bytes may be whatever was there before, for who writes to all of them anyway.
    ///
    /// ```
    /// let layout = tumulus_arraybuffer::Layout::new(100).uninitialized();
    /// ```
    #[must_use]
    pub fn uninitialized(mut self) -> Layout {
        self.zero = Contents::Anything;
        self
    }

    /// The bytes come from this allocator, and keep it alive.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let allocator = Arc::new(tumulus_arraybuffer::SystemAllocator);
    /// let layout = tumulus_arraybuffer::Layout::new(100).allocator(&allocator);
    /// assert_eq!(Arc::strong_count(&allocator), 2);
    /// ```
    #[must_use]
    pub fn allocator<A: Allocator>(mut self, allocator: &Arc<A>) -> Layout {
        self.allocator = Some(Arc::<A>::clone(allocator));
        self
    }

    /// The length and the maximum, if they are possible at all.
    #[inline]
    pub(crate) fn check(&self, operation: &'static str) -> Result<(usize, usize), Error> {
        let max_byte_length = self.max_byte_length.unwrap_or(self.byte_length);
        if self.byte_length > max_byte_length {
            return Err(Error::Length { operation, requested: self.byte_length, max: max_byte_length });
        }
        let most = match &self.allocator {
            Some(allocator) if self.max_byte_length.is_none() => MAX_BYTE_LENGTH.min(allocator.max_bytes() as u64),
            _ => MAX_BYTE_LENGTH,
        };
        if max_byte_length > most {
            return Err(Error::Length { operation, requested: max_byte_length, max: most });
        }
        // Both fit, as `MAX_BYTE_LENGTH` does.
        Ok((self.byte_length as usize, max_byte_length as usize))
    }

    /// The length, if nothing else is asked for and it is a small one.
    #[inline]
    pub(crate) fn small(&self) -> Option<usize> {
        let is_plain = self.max_byte_length.is_none() && self.zero == Contents::Zero && self.allocator.is_none();
        (is_plain && self.byte_length <= raw::LARGEST_SMALL as u64).then_some(self.byte_length as usize)
    }

    /// Makes a store.
    #[inline]
    pub(crate) fn make(
        &self,
        shared: Traits,
        first: FirstRef,
        born: Place,
        operation: &'static str,
    ) -> Result<&'static Record, Error> {
        let (byte_length, max_byte_length) = self.check(operation)?;
        let traits = if self.max_byte_length.is_some() { shared.and(Traits::RESIZABLE) } else { shared };
        let zero = if self.zero == Contents::Zero { IsZero::Known } else { IsZero::Unknown };
        let record = match &self.allocator {
            Some(allocator) if self.max_byte_length.is_none() => {
                from_allocator(allocator, byte_length, traits, zero, born).and_then(|record| match first {
                    FirstRef::Holder => Some(record),
                    FirstRef::Buffer(heap, account) => {
                        // Nobody else has it: nobody can be in the way.
                        let attached = record.attach(heap, account, byte_length);
                        record.let_holder_go();
                        attached.ok().map(|()| record)
                    }
                })
            }
            _ => raw::begin(Wanted { byte_length, max_byte_length, traits, zero }, first, born),
        };
        record.ok_or(Error::OutOfMemory { operation, requested: max_byte_length, reason: NoMemory::Allocator })
    }
}

impl From<u64> for Layout {
    #[inline]
    fn from(byte_length: u64) -> Layout {
        Layout::new(byte_length)
    }
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layout")
            .field("byte_length", &self.byte_length)
            .field("max_byte_length", &self.max_byte_length)
            .field("contents", &self.zero)
            .finish_non_exhaustive()
    }
}

fn from_allocator(
    allocator: &Arc<dyn Allocator>,
    bytes: usize,
    traits: Traits,
    zero: IsZero,
    born: Place,
) -> Option<&'static Record> {
    let data = match zero {
        _ if bytes == 0 => raw::nowhere(),
        IsZero::Known => allocator.allocate(bytes)?,
        IsZero::Unknown => allocator.allocate_uninitialized(bytes)?,
    };
    let release = Some(Release::Allocator(Arc::clone(allocator)));
    // SAFETY: the bytes are initialised, aligned, and ours until they are freed, by the contract of `Allocator`.
    let record = unsafe { raw::begin_foreign(Foreign { data, bytes, traits, release }, born) };
    if record.is_err() && bytes > 0 {
        // SAFETY: it gave them, with this length, and no store has them.
        unsafe { allocator.free(data, bytes) }
    }
    record.ok()
}
