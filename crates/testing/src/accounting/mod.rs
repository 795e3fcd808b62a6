//! An allocator for backing stores that knows each block's life, and notices who breaks its rules.
//!
//! A freed block is filled with a pattern and kept in quarantine, until newer ones push it out; then it is checked and given
//! back to the inner allocator. One that was freed while a store has it stays to the end, since that store goes on to use it.
//!
//! | file | what is there |
//! |---|---|
//! | `block.rs` | a block and its guards, and the invariants |
//! | `place.rs` | places in the program |
//! | `fault.rs` | what can be wrong |
//! | `pages.rs` | blocks between pages that are not mapped |

mod block;
mod fault;
#[cfg(all(unix, not(miri)))]
mod pages;
mod place;

use block::{Block, Guarded};
pub use fault::{Fault, Life};
#[cfg(all(unix, not(miri)))]
pub use pages::GuardPages;
pub use place::Place;

use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write};
use std::ptr::NonNull;
use tumulus_arraybuffer::{Allocator, SystemAllocator, registry, release};

/// An allocator for backing stores that accounts for every block, and reports each mistake with the places of the block's life.
///
/// | mistake | noticed |
/// |---|---|
/// | a block is freed while a store still has it | when it is freed |
/// | a block is freed twice; something else is freed; the length is wrong | when it is freed |
/// | somebody writes before or behind a block | when it is freed, and by [`check`](Self::check) |
/// | somebody writes to a freed block | when it leaves the quarantine, and by [`check`](Self::check) |
/// | a block is not freed | by [`assert_no_leaks`](Self::assert_no_leaks) |
///
/// What is wrong is not passed on to the inner allocator: the program goes on, with its memory in order.
/// [`take_faults`](Self::take_faults) gives the mistakes; an allocator that is dropped with any that nobody took panics.
///
/// Each block costs 128 to 143 bytes more, two stacks, and freeing one a look at all stores of the process.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use tumulus_arraybuffer::{ArrayBuffer, Layout};
/// use tumulus_testing::{AccountingAllocator, panic_message};
///
/// let allocator = Arc::new(AccountingAllocator::new());
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, Layout::new(117).allocator(&allocator))?;
/// let held = buffer.externalize(&mut heap);
/// heap.collect(&());
///
/// let words = panic_message(|| allocator.assert_no_leaks()).unwrap();
/// assert!(words.contains("block 1 of 117 bytes") && words.contains("1 holders, 0 buffers"), "{words}");
///
/// drop(held);
/// allocator.assert_no_leaks();
/// assert_eq!((allocator.allocations(), allocator.live_bytes()), (1, 0));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
///
/// The classic mistake of code that holds bytes from outside: it frees them, and so does the store later.
///
/// ```
/// use std::sync::Arc;
/// use tumulus_arraybuffer::{Allocator, ArrayBuffer, Layout};
/// use tumulus_testing::{AccountingAllocator, Fault, ManuallyExternalizedBuffer};
///
/// let allocator = Arc::new(AccountingAllocator::new());
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, Layout::new(117).allocator(&allocator))?;
/// let external = ManuallyExternalizedBuffer::new(&mut heap, buffer);
/// unsafe { allocator.free(external.backing_store(), 117) }; // early, as the buffer is alive
///
/// drop(external);
/// heap.collect(&());
/// tumulus_arraybuffer::release::flush();                    // and again
/// let faults = allocator.take_faults();
/// assert!(matches!(faults[..], [Fault::EarlyFree { .. }, Fault::DoubleFree { .. }]), "{faults:?}");
/// println!("{}", faults[1]);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub struct AccountingAllocator<A: Allocator = SystemAllocator> {
    inner: A,
    guarded: Guarded,
    quarantine_bytes: usize,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    live: BTreeMap<usize, Block>,
    quarantine: VecDeque<Block>,
    /// Of the last blocks that were given back as soon as they were freed.
    gone: VecDeque<Life>,
    quarantined_bytes: usize,
    /// Freed while a store had them, and still has.
    early: Vec<Block>,
    allocations: u64,
    live_bytes: usize,
    peak_bytes: usize,
    faults: Vec<Fault>,
}

impl AccountingAllocator {
    /// One over the [`SystemAllocator`], with a quarantine of 16 MiB.
    ///
    /// ```
    /// let allocator = tumulus_testing::AccountingAllocator::new();
    /// assert_eq!(allocator.allocations(), 0);
    /// ```
    pub fn new() -> AccountingAllocator {
        AccountingAllocator::over(SystemAllocator, 16 << 20)
    }
}

#[cfg(all(unix, not(miri)))]
impl AccountingAllocator<GuardPages> {
    /// One whose blocks end at a page that is not mapped, and are not mapped any more when they are freed: who touches what is
    /// behind a block, or was freed, is ended by the system at once, where a debugger shows it. All else is noticed as usual.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tumulus_arraybuffer::BackingStore;
    /// use tumulus_testing::AccountingAllocator;
    ///
    /// let allocator = Arc::new(AccountingAllocator::with_guard_pages());
    /// let store = BackingStore::with_allocator(&allocator, 100)?;
    /// store.with_bytes_mut(|bytes| bytes.fill(7))?;
    /// drop(store);
    /// allocator.assert_no_leaks();
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn with_guard_pages() -> AccountingAllocator<GuardPages> {
        let inner = GuardPages::new();
        AccountingAllocator { inner, guarded: Guarded::ByPages, quarantine_bytes: 0, books: Mutex::default() }
    }
}

/// How many blocks that were given back are remembered.
const GONE: usize = 10_000;

impl Default for AccountingAllocator {
    fn default() -> AccountingAllocator {
        AccountingAllocator::new()
    }
}

impl<A: Allocator> AccountingAllocator<A> {
    /// One over another allocator, which keeps up to so many freed bytes in quarantine.
    ///
    /// ```
    /// use tumulus_arraybuffer::{LimitedAllocator, SystemAllocator};
    /// use tumulus_testing::AccountingAllocator;
    ///
    /// let limited = LimitedAllocator::new(SystemAllocator, 1 << 20);
    /// let allocator = AccountingAllocator::over(limited, 0);
    /// assert_eq!(allocator.inner().used(), 0);
    /// ```
    pub fn over(inner: A, quarantine_bytes: usize) -> AccountingAllocator<A> {
        AccountingAllocator { inner, guarded: Guarded::ByBytes, quarantine_bytes, books: Mutex::default() }
    }

    /// The allocator beneath.
    ///
    /// ```
    /// # use tumulus_arraybuffer::SystemAllocator;
    /// assert_eq!(tumulus_testing::AccountingAllocator::new().inner(), &SystemAllocator);
    /// ```
    pub fn inner(&self) -> &A {
        &self.inner
    }

    /// How many blocks were allocated so far.
    ///
    /// ```
    /// assert_eq!(tumulus_testing::AccountingAllocator::new().allocations(), 0);
    /// ```
    pub fn allocations(&self) -> u64 {
        self.books.lock().allocations
    }

    /// How many bytes are allocated now.
    ///
    /// ```
    /// assert_eq!(tumulus_testing::AccountingAllocator::new().live_bytes(), 0);
    /// ```
    pub fn live_bytes(&self) -> usize {
        self.books.lock().live_bytes
    }

    /// The most bytes that were allocated at once.
    ///
    /// ```
    /// assert_eq!(tumulus_testing::AccountingAllocator::new().peak_bytes(), 0);
    /// ```
    pub fn peak_bytes(&self) -> usize {
        self.books.lock().peak_bytes
    }

    /// The blocks that are allocated now, oldest first.
    ///
    /// ```
    /// assert!(tumulus_testing::AccountingAllocator::new().blocks().is_empty());
    /// ```
    pub fn blocks(&self) -> Vec<Life> {
        let mut lives: Vec<Life> = self.books.lock().live.values().map(|block| block.life.clone()).collect();
        lives.sort_by_key(|life| life.number);
        lives
    }

    /// Looks at the guards of all blocks and at everything in quarantine, and notes what is wrong. Each block is reported once.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tumulus_arraybuffer::BackingStore;
    /// use tumulus_testing::{AccountingAllocator, Fault};
    ///
    /// let allocator = Arc::new(AccountingAllocator::new());
    /// let store = BackingStore::with_allocator(&allocator, 100)?;
    /// unsafe { store.data().add(100).write(1) }; // a mistake
    /// allocator.check();
    /// assert!(matches!(allocator.take_faults()[..], [Fault::OutOfBounds { offset: 100, .. }]));
    /// # Ok::<(), tumulus_arraybuffer::Error>(())
    /// ```
    pub fn check(&self) {
        let here = Place::here();
        let books = &mut *self.books.lock();
        for block in books.live.values_mut().chain(&mut books.quarantine).chain(&mut books.early) {
            let (life, noticed) = (&block.life, &here);
            if let Some(offset) = block.first_out_of_bounds() {
                books.faults.push(Fault::OutOfBounds { life: life.clone(), offset, noticed: noticed.clone() });
                block.fill_guards();
            }
        }
        for block in books.quarantine.iter_mut().chain(&mut books.early) {
            if let Some(offset) = block.first_written_after_free() {
                let (life, noticed) = (block.life.clone(), here.clone());
                books.faults.push(Fault::WriteAfterFree { life, offset, noticed });
                block.fill_freed();
            }
        }
    }

    /// The mistakes that were found and not taken yet, in their order.
    ///
    /// ```
    /// assert!(tumulus_testing::AccountingAllocator::new().take_faults().is_empty());
    /// ```
    pub fn take_faults(&self) -> Vec<Fault> {
        std::mem::take(&mut self.books.lock().faults)
    }

    /// [Checks](Self::check), and panics with all mistakes.
    ///
    /// ```
    /// tumulus_testing::AccountingAllocator::new().assert_no_faults();
    /// ```
    #[track_caller]
    pub fn assert_no_faults(&self) {
        self.check();
        let faults = self.take_faults();
        assert!(faults.is_empty(), "{}", report(&faults));
    }

    /// Waits for the releaser, and panics if there are mistakes, or blocks that were not freed, with who has them.
    ///
    /// ```
    /// tumulus_testing::AccountingAllocator::new().assert_no_leaks();
    /// ```
    #[track_caller]
    pub fn assert_no_leaks(&self) {
        release::flush();
        self.assert_no_faults();
        let blocks = self.blocks();
        if blocks.is_empty() {
            return;
        }
        let entries = registry::entries();
        let mut words = format!("{} blocks with {} bytes were not freed:", blocks.len(), self.live_bytes());
        for life in blocks {
            let _ = write!(words, "\n    leak: {life}");
            let _ = match entries.iter().find(|entry| entry.address == life.address) {
                Some(entry) => write!(words, "; {entry}"),
                None => write!(words, "; no store has it"),
            };
        }
        panic!("{words}");
    }

    fn take(&self, bytes: usize, allocate: impl FnOnce(usize) -> Option<NonNull<u8>>) -> Option<NonNull<u8>> {
        let born = Place::here();
        let base = allocate(self.guarded.whole(bytes)?)?;
        let books = &mut *self.books.lock();
        books.allocations += 1;
        books.live_bytes += bytes;
        books.peak_bytes = books.peak_bytes.max(books.live_bytes);
        // SAFETY: the inner allocator gave it with this size.
        let block = unsafe { Block::new(base, self.guarded, books.allocations, bytes, born) };
        let data = block.data();
        books.live.insert(data.addr().get(), block);
        Some(data)
    }
}

fn report(faults: &[Fault]) -> String {
    let lines = |words, fault| format!("{words}\n    {fault}");
    faults.iter().fold(format!("{} mistakes with the blocks of an allocator:", faults.len()), lines)
}

// SAFETY: blocks are as aligned as the inner allocator's, since a guard is a multiple of that; they are as initialised, and
// belong to who asked until they are freed (A2).
unsafe impl<A: Allocator> Allocator for AccountingAllocator<A> {
    fn allocate(&self, bytes: usize) -> Option<NonNull<u8>> {
        self.take(bytes, |whole| self.inner.allocate(whole))
    }

    fn allocate_uninitialized(&self, bytes: usize) -> Option<NonNull<u8>> {
        self.take(bytes, |whole| self.inner.allocate_uninitialized(whole))
    }

    unsafe fn free(&self, data: NonNull<u8>, bytes: usize) {
        let (here, address) = (Place::here(), data.addr().get());
        // Who frees a block as it should has no store any more that the registry knows.
        let still_has = |entry: &registry::Entry| entry.address == address && entry.holders + entry.buffers > 0;
        let store = registry::entries().into_iter().find(still_has);

        let mut expelled = Vec::new();
        let books = &mut *self.books.lock();
        let Some(mut block) = books.live.remove(&address) else {
            let known = books
                .early
                .iter()
                .chain(books.quarantine.iter().rev())
                .map(|block| &block.life)
                .chain(books.gone.iter().rev())
                .find(|life| life.address == address);
            let inside = books.live.range(..address).next_back().map(|(_, block)| &block.life);
            let inside = inside.filter(|life| address < life.address + life.bytes).cloned();
            books.faults.push(match known {
                Some(life) => Fault::DoubleFree { life: life.clone(), again: here },
                None => Fault::ForeignFree { address, bytes, inside, here },
            });
            return;
        };
        block.life.freed = Some(here.clone());
        let life = &block.life;
        books.live_bytes -= life.bytes;
        let is_early = store.is_some();
        if let Some(store) = store {
            books.faults.push(Fault::EarlyFree { life: life.clone(), store: Box::new(store) });
        }
        if bytes != life.bytes {
            books.faults.push(Fault::WrongLength { life: life.clone(), bytes });
        }
        if let Some(offset) = block.first_out_of_bounds() {
            books.faults.push(Fault::OutOfBounds { life: life.clone(), offset, noticed: here.clone() });
            block.fill_guards();
        }
        if self.guarded == Guarded::ByPages && !is_early {
            books.gone.push_back(block.life.clone());
            if books.gone.len() > GONE {
                books.gone.pop_front();
            }
            // SAFETY: it was its own.
            unsafe { block.give_back(&self.inner) }
            return;
        }
        block.fill_freed();
        if is_early {
            books.early.push(block);
            return;
        }
        books.quarantined_bytes += block.life.bytes;
        books.quarantine.push_back(block);
        while books.quarantined_bytes > self.quarantine_bytes
            && let Some(block) = books.quarantine.pop_front()
        {
            books.quarantined_bytes -= block.life.bytes;
            if let Some(offset) = block.first_written_after_free() {
                let life = block.life.clone();
                books.faults.push(Fault::WriteAfterFree { life, offset, noticed: here.clone() });
            }
            expelled.push(block);
        }
        for block in expelled {
            // SAFETY: it was its own.
            unsafe { block.give_back(&self.inner) }
        }
    }

    fn max_bytes(&self) -> usize {
        self.guarded.most(self.inner.max_bytes())
    }
}

impl<A: Allocator> Drop for AccountingAllocator<A> {
    fn drop(&mut self) {
        self.check();
        let books = self.books.get_mut();
        let freed = std::mem::take(&mut books.quarantine).into_iter().chain(std::mem::take(&mut books.early));
        let faults = std::mem::take(&mut books.faults);
        let lines = |lines, block: &Block| format!("{lines}\n    leak: {}", block.life);
        let left = books.live.values().fold(String::new(), lines);
        for block in freed {
            // SAFETY: it was its own.
            unsafe { block.give_back(&self.inner) }
        }
        if !std::thread::panicking() {
            // Stores keep their allocator alive: what is left belongs to none.
            assert!(faults.is_empty() && left.is_empty(), "{}{left}", report(&faults));
        }
    }
}

impl<A: Allocator> fmt::Debug for AccountingAllocator<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let books = self.books.lock();
        f.debug_struct("AccountingAllocator")
            .field("allocations", &books.allocations)
            .field("live_bytes", &books.live_bytes)
            .field("peak_bytes", &books.peak_bytes)
            .field("quarantined_bytes", &books.quarantined_bytes)
            .field("faults", &books.faults)
            .finish_non_exhaustive()
    }
}
