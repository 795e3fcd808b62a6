//! What the accounting allocator can find, each with the places of the block's life.

use super::Place;
use std::fmt;
use tumulus_arraybuffer::registry;

/// The life of a block: where it was allocated, and where it was freed.
///
/// ```
/// use std::sync::Arc;
/// use tumulus_arraybuffer::BackingStore;
/// use tumulus_testing::AccountingAllocator;
///
/// let allocator = Arc::new(AccountingAllocator::new());
/// let store = BackingStore::with_allocator(&allocator, 100)?;
/// let life = &allocator.blocks()[0];
/// assert_eq!((life.address, life.bytes), (store.data().addr().get(), 100));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Life {
    /// Which allocation it was, from 1.
    pub number: u64,
    /// Where the block is.
    pub address: usize,
    /// How long it is.
    pub bytes: usize,
    /// Where it was allocated.
    pub born: Place,
    /// Where it was freed.
    pub freed: Option<Place>,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {} of {} bytes at {:#x}, allocated by {}", self.number, self.bytes, self.address, self.born)?;
        if let Some(freed) = &self.freed {
            write!(f, ", freed by {freed}")?;
        }
        Ok(())
    }
}

/// A mistake that an [`AccountingAllocator`](super::AccountingAllocator) has found. Its `Display` names all places.
///
/// ```
/// use std::sync::Arc;
/// use tumulus_arraybuffer::{Allocator, BackingStore};
/// use tumulus_testing::{AccountingAllocator, Fault};
///
/// let allocator = Arc::new(AccountingAllocator::new());
/// let store = BackingStore::with_allocator(&allocator, 100)?;
/// let data = store.data();
/// drop(store);
/// unsafe { allocator.free(data, 100) }; // a mistake
/// assert!(matches!(allocator.take_faults()[..], [Fault::DoubleFree { .. }]));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// A block was freed although a store still has it, for a holder outside or a buffer.
    #[non_exhaustive]
    EarlyFree {
        /// The block.
        life: Life,
        /// Who has it.
        store: Box<registry::Entry>,
    },
    /// A block was freed again.
    #[non_exhaustive]
    DoubleFree {
        /// The block.
        life: Life,
        /// Where the second time was.
        again: Place,
    },
    /// What was freed is no block of this allocator; it may be in the middle of one.
    #[non_exhaustive]
    ForeignFree {
        /// The pointer.
        address: usize,
        /// The length that was passed with it.
        bytes: usize,
        /// The block that it leads into.
        inside: Option<Life>,
        /// Where that was.
        here: Place,
    },
    /// A block was freed with another length than it has.
    #[non_exhaustive]
    WrongLength {
        /// The block, which counts as freed.
        life: Life,
        /// The length that was passed.
        bytes: usize,
    },
    /// Somebody wrote before the block or beyond its end.
    #[non_exhaustive]
    OutOfBounds {
        /// The block.
        life: Life,
        /// How far from its start the first such byte is.
        offset: isize,
        /// Where that was noticed.
        noticed: Place,
    },
    /// Somebody wrote to the block after it was freed.
    #[non_exhaustive]
    WriteAfterFree {
        /// The block.
        life: Life,
        /// The first byte that has changed.
        offset: usize,
        /// Where that was noticed.
        noticed: Place,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::EarlyFree { life, store } => write!(f, "early free: {life}, while somebody has it: {store}"),
            Fault::DoubleFree { life, again } => write!(f, "double free: {life}, and again by {again}"),
            Fault::ForeignFree { address, bytes, inside: None, here } => {
                write!(f, "foreign free: {bytes} bytes at {address:#x} are no block of this allocator; freed by {here}")
            }
            Fault::ForeignFree { address, bytes, inside: Some(life), here } => write!(
                f,
                "foreign free: {bytes} bytes at {address:#x} are not the start, but byte {} of a block, freed by {here}: {life}",
                address - life.address
            ),
            Fault::WrongLength { life, bytes } => write!(f, "wrong length: freed as {bytes} bytes: {life}"),
            Fault::OutOfBounds { life, offset, noticed } => {
                write!(f, "out of bounds: byte {offset} was written to: {life}; noticed by {noticed}")
            }
            Fault::WriteAfterFree { life, offset, noticed } => {
                write!(f, "write after free: byte {offset} was written to: {life}; noticed by {noticed}")
            }
        }
    }
}
