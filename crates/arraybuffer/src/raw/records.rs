//! The table of all records, and what each thread keeps at hand: vacant records, ids and small blocks.
//!
//! The table is a slot map of slabs of records. A thread takes the vacant records of a slab from it at once, so that a store
//! that is made and released costs no lock; and as records stay in the table whoever uses them, the table always knows every
//! store. Which records of a slab are vacant is a bit for each, so that they are handed out in the order of their addresses.

use super::classes::COUNT;
use super::pool::Magazine;
use super::record::Record;
use parking_lot::Mutex;
use slotmap::SlotMap;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Records that are made at once: as many as a word has bits.
const SLAB: usize = 64;

slotmap::new_key_type! {
    struct SlabKey;
}

/// Records side by side.
struct Slab {
    records: &'static [Record; SLAB],
    /// A bit for each that no thread has at hand, and no store uses.
    vacant: u64,
}

/// See the file's header.
#[derive(Default)]
pub(crate) struct Table {
    slabs: SlotMap<SlabKey, Slab>,
    /// By the numbers of their records, divided by [`SLAB`].
    keys: Vec<SlabKey>,
    /// Those with vacant records.
    roomy: Vec<SlabKey>,
    /// Raw pointers that were wrapped: where each range begins, how long it is, and whose it is.
    pub(crate) wrapped: BTreeMap<usize, Wrapped>,
}

/// A raw pointer that was wrapped.
#[derive(Copy, Clone)]
pub(crate) struct Wrapped {
    pub(crate) bytes: usize,
    pub(crate) id: u64,
    pub(crate) born: &'static std::panic::Location<'static>,
}

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

/// Runs `look` with the table, which nothing changes meanwhile. Records in it may change.
pub(crate) fn with_table<R>(look: impl FnOnce(&mut Table) -> R) -> R {
    look(&mut TABLE.lock())
}

impl Table {
    /// All records, vacant ones among them.
    pub(crate) fn records(&self) -> impl Iterator<Item = &'static Record> {
        self.slabs.values().flat_map(|slab| slab.records.iter())
    }

    /// Takes all vacant records of a slab, the one with the lowest address last.
    fn take(&mut self, into: &mut Vec<&'static Record>) {
        let key = self.roomy.pop().unwrap_or_else(|| self.add_slab());
        let slab = &mut self.slabs[key];
        let vacant = std::mem::take(&mut slab.vacant);
        into.extend(
            slab.records.iter().enumerate().rev().filter(|(at, _)| vacant >> at & 1 == 1).map(|(_, record)| record),
        );
    }

    fn add_slab(&mut self) -> SlabKey {
        let first = u32::try_from(self.keys.len() * SLAB).expect("2^32 stores at once are more than memory holds");
        let records = Box::leak(Box::new(std::array::from_fn(|at| Record::vacant(first + at as u32))));
        let key = self.slabs.insert(Slab { records, vacant: u64::MAX });
        self.keys.push(key);
        key
    }

    /// Takes records back that are vacant.
    fn put(&mut self, records: impl Iterator<Item = &'static Record>) {
        for record in records {
            let number = record.number as usize;
            let key = self.keys[number / SLAB];
            let vacant = &mut self.slabs[key].vacant;
            if *vacant == 0 {
                self.roomy.push(key);
            }
            *vacant |= 1 << (number % SLAB);
        }
    }
}

/// What a thread has at hand.
pub(super) struct Local {
    vacant: Vec<&'static Record>,
    ids: Range<u64>,
    pub(super) magazines: [Magazine; COUNT],
}

impl Local {
    const fn new() -> Local {
        Local { vacant: Vec::new(), ids: 0..0, magazines: [const { Magazine::new() }; COUNT] }
    }

    /// A vacant record and a new id.
    #[inline]
    pub(super) fn record(&mut self) -> (&'static Record, u64) {
        if self.vacant.is_empty() || self.ids.is_empty() {
            self.fetch();
        }
        let record = self.vacant.pop().expect("fetched if there were none");
        let id = self.ids.start;
        self.ids.start += 1;
        (record, id)
    }

    #[cold]
    #[inline(never)]
    fn fetch(&mut self) {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        if self.vacant.is_empty() {
            TABLE.lock().take(&mut self.vacant);
        }
        if self.ids.is_empty() {
            let first = NEXT_ID.fetch_add(SLAB as u64, Ordering::Relaxed);
            self.ids = first..first + SLAB as u64;
        }
    }

    /// Takes back a record whose store has ended.
    #[inline]
    pub(super) fn recycle(&mut self, record: &'static Record) {
        if self.vacant.len() >= 4 * SLAB {
            self.send_records();
        }
        self.vacant.push(record);
    }

    #[cold]
    #[inline(never)]
    fn send_records(&mut self) {
        // The oldest go; what was used last is in the cache.
        TABLE.lock().put(self.vacant.drain(..3 * SLAB));
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if !self.vacant.is_empty() {
            TABLE.lock().put(self.vacant.drain(..));
        }
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
