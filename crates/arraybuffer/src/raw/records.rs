//! The table of all records, and what each thread keeps at hand: vacant records, ids and small blocks.
//!
//! The table is a slot map of slabs of records, behind a lock. A thread takes the vacant records of a slab from it at once, so
//! that a store that is made and released costs no lock; and as records stay in the table whoever uses them, the table always
//! knows every store. Which records of a slab are vacant is a bit for each, so that they are handed out in the order of their
//! addresses. Where a slab is, threads read without the lock, by its number (`directory.rs`).
//!
//! Where there is no memory, making a store gives an error: all that the table needs is asked for before a slab is added.
//! Returning a record allocates nothing.

use super::classes::COUNT;
use super::directory::{self, SLAB, Slab};
use super::pool::Magazine;
use super::prefetch::prefetch;
use super::record::Record;
use super::shelf::Shelf;
use super::wrapped::Ranges;
use crate::sync::{AtomicU64, Mutex, thread_local};
use slotmap::SlotMap;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Bytes of which a new slot map takes a few.
const FIRST_SLOTS: usize = 2 << 10;

slotmap::new_key_type! {
    struct SlabKey;
}

/// Records side by side, as the table has them.
struct Listed {
    records: &'static Slab,
    /// A bit for each record that no thread has at hand, and no store uses.
    vacant: u64,
}

/// See the file's header.
pub(crate) struct Table {
    /// Made when the first slab is added, and none is removed.
    slabs: Option<SlotMap<SlabKey, Listed>>,
    /// Those of the slabs, by number.
    keys: Vec<SlabKey>,
    /// The numbers of slabs with vacant records. There is room for those of all.
    roomy: Vec<u32>,
    /// Raw pointers that were wrapped.
    pub(crate) wrapped: Ranges,
}

static TABLE: Mutex<Table> =
    Mutex::new(Table { slabs: None, keys: Vec::new(), roomy: Vec::new(), wrapped: Ranges::new() });

/// Runs `look` with the table, which nothing changes meanwhile. Records in it may change.
pub(crate) fn with_table<R>(look: impl FnOnce(&mut Table) -> R) -> R {
    look(&mut TABLE.lock())
}

impl Table {
    /// All records, vacant ones among them.
    pub(crate) fn records(&self) -> impl Iterator<Item = &'static Record> {
        self.slabs.iter().flat_map(SlotMap::values).flat_map(|slab| slab.records)
    }

    /// Takes all vacant records of a slab: its number, and a bit for each. `None` if there is no memory.
    fn take(&mut self) -> Option<(u32, u64)> {
        let slab = match self.roomy.pop() {
            Some(slab) => slab,
            None => self.add_slab()?,
        };
        Some((slab, std::mem::take(self.vacant(slab))))
    }

    /// Which records of a slab are vacant.
    fn vacant(&mut self, slab: u32) -> &mut u64 {
        let slabs = self.slabs.as_mut().expect("a slab was added");
        &mut slabs[self.keys[slab as usize]].vacant
    }

    fn add_slab(&mut self) -> Option<u32> {
        let slabs = match &mut self.slabs {
            Some(slabs) => slabs,
            none => none.insert(new_slot_map()?),
        };
        slabs.try_reserve(1).ok()?;
        self.keys.try_reserve(1).ok()?;
        self.roomy.try_reserve(self.keys.capacity() - self.roomy.len()).ok()?;
        let number = u32::try_from(self.keys.len()).ok()?;
        // There are fewer numbers than a slot map has keys.
        let records = directory::add(number)?;
        tumulus_heap::ask_for_external_roots(crate::registry::external_roots);
        self.keys.push(slabs.insert(Listed { records, vacant: u64::MAX }));
        Some(number)
    }

    /// Takes records of a slab back that are vacant.
    fn put(&mut self, slab: u32, bits: u64) {
        let vacant = self.vacant(slab);
        debug_assert_eq!(*vacant & bits, 0, "a record was returned twice");
        let had_none = *vacant == 0;
        *vacant |= bits;
        if had_none {
            debug_assert!(self.roomy.len() < self.roomy.capacity());
            self.roomy.push(slab);
        }
    }
}

/// A slot map, or `None` where the system has no memory for it.
fn new_slot_map<T>() -> Option<SlotMap<SlabKey, T>> {
    // It takes its first slot without asking, and the process would abort if the system refused it. So there is asked for
    // much more before.
    Vec::<u8>::new().try_reserve_exact(FIRST_SLOTS).ok()?;
    Some(SlotMap::with_key())
}

/// What a thread has at hand.
pub(super) struct Local {
    /// Vacant records, by slab.
    vacant: Shelf<u32, 16>,
    /// The slab on top.
    slab: &'static [Record],
    ids: Range<u64>,
    pub(super) magazines: [Magazine; COUNT],
}

impl Local {
    const fn new() -> Local {
        Local { vacant: Shelf::new(u32::MAX), slab: &[], ids: 0..0, magazines: [const { Magazine::new() }; COUNT] }
    }

    /// A vacant record and a new id; `None` if there is no memory for more records.
    #[inline]
    pub(super) fn record(&mut self) -> Option<(&'static Record, u64)> {
        if self.vacant.top().1 == 0 || self.ids.is_empty() {
            self.fetch()?;
        }
        let record = &self.slab[self.vacant.take() as usize];
        if let Some(next) = self.slab.get(self.vacant.top().1.trailing_zeros() as usize) {
            prefetch(next);
        }
        let id = self.ids.start;
        self.ids.start += 1;
        Some((record, id))
    }

    #[cold]
    #[inline(never)]
    fn fetch(&mut self) -> Option<()> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        if self.vacant.top().1 == 0 {
            if !self.vacant.uncover() {
                let (slab, bits) = TABLE.lock().take()?;
                self.vacant.push(slab, bits);
            }
            self.slab = directory::slab(self.vacant.top().0);
        }
        if self.ids.is_empty() {
            let first = NEXT_ID.fetch_add(SLAB as u64, Ordering::Relaxed);
            self.ids = first..first + SLAB as u64;
        }
        Some(())
    }

    /// Takes back a record whose store has ended.
    #[inline]
    pub(super) fn recycle(&mut self, record: &'static Record) {
        let (slab, bit) = (record.number / SLAB as u32, record.number % SLAB as u32);
        if self.vacant.top().0 == slab {
            self.vacant.add(bit);
        } else {
            self.recycle_elsewhere(slab, bit);
        }
    }

    #[inline(never)]
    fn recycle_elsewhere(&mut self, slab: u32, bit: u32) {
        if self.vacant.is_full() {
            self.return_records();
        }
        self.vacant.push(slab, 1 << bit);
        self.slab = directory::slab(slab);
    }

    #[cold]
    #[inline(never)]
    fn return_records(&mut self) {
        let mut table = TABLE.lock();
        for (slab, bits) in self.vacant.drain() {
            table.put(slab, bits);
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.return_records();
        for (class, magazine) in self.magazines.iter_mut().enumerate() {
            magazine.empty(class);
        }
    }
}

/// Runs `action` with what this thread has at hand. It must not come here again.
#[inline]
pub(super) fn with_local<R>(action: impl FnOnce(&mut Local) -> R) -> R {
    thread_local!(static LOCAL: RefCell<Local> = const { RefCell::new(Local::new()) });
    let mut action = Some(action);
    let done = LOCAL.try_with(|local| action.take().map(|action| action(&mut local.borrow_mut())));
    match (done, action) {
        (Ok(Some(result)), _) => result,
        (_, Some(action)) => without_local(action),
        (_, None) => unreachable!("it ran, and has a result"),
    }
}

/// The same while the thread ends: takes something from the table, and gives it back at once.
#[cold]
#[inline(never)]
fn without_local<R>(action: impl FnOnce(&mut Local) -> R) -> R {
    action(&mut Local::new())
}
