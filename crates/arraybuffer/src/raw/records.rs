//! The table of all records, and what each thread keeps at hand: vacant records, ids and small blocks.
//!
//! The table is a slot map of slabs of records. A thread takes vacant records from it many at a time, so that a store that is
//! made and released costs no lock; and as records stay in the table whoever uses them, the table always knows every store.

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

/// Records that are made at once, and that a thread takes at once.
const SLAB: usize = 64;

slotmap::new_key_type! {
    struct SlabKey;
}

/// See the file's header.
#[derive(Default)]
pub(crate) struct Table {
    slabs: SlotMap<SlabKey, &'static [Record; SLAB]>,
    /// Vacant ones that no thread has at hand.
    vacant: Vec<&'static Record>,
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
        self.slabs.values().flat_map(|slab| slab.iter())
    }

    fn take(&mut self, into: &mut Vec<&'static Record>) {
        if self.vacant.is_empty() {
            let slab: &'static [Record; SLAB] = Box::leak(Box::new([const { Record::vacant() }; SLAB]));
            self.slabs.insert(slab);
            into.extend(slab);
        } else {
            let kept = self.vacant.len().saturating_sub(SLAB);
            // In the order in which they were released, which is that of their addresses after a collection.
            into.extend(self.vacant.drain(kept..).rev());
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
        TABLE.lock().vacant.extend(self.vacant.drain(SLAB..));
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if !self.vacant.is_empty() {
            TABLE.lock().vacant.append(&mut self.vacant);
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
        // The thread ends: take something from the table, and give it back at once.
        (_, Some(action)) => action(&mut Local::new()),
        (_, None) => unreachable!("it ran, and has a result"),
    }
}
