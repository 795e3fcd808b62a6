//! The registry: every store of the process, as roots outside of all heaps.
//!
//! It is complete at every moment, and making or releasing a store costs it nothing: see `raw/records.rs`.

use crate::raw::{self, Reading, Traits};
use crate::store::BackingStore;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tumulus_heap::{ExternalRoot, HeapId};

/// When this process first externalized something, or asked.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The moment, as the registry notes it.
pub(crate) fn now() -> u64 {
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What kind of bytes a store has.
///
/// ```
/// use tumulus_arraybuffer::{BackingStore, registry::{self, Kind}};
///
/// let store = BackingStore::from_static(b"mound");
/// assert_eq!(registry::get(&store).kind, Kind::Static);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Plain bytes, which one heap at a time uses.
    Plain,
    /// Shared bytes.
    Shared,
    /// Bytes that live as long as the process: they count nowhere as external memory.
    Static,
}

/// A store, as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its [id](BackingStore::id).
    pub id: u64,
    /// Where its bytes are.
    pub address: usize,
    /// How many there are.
    pub byte_length: usize,
    /// How many there can be.
    pub max_byte_length: usize,
    /// What they are.
    pub kind: Kind,
    /// Whether the length can change.
    pub is_resizable: bool,
    /// How many [`BackingStore`]s there are: holders outside of all heaps.
    pub holders: usize,
    /// How many buffers have it. With neither these nor holders it is dead, and waits to be released.
    pub buffers: usize,
    /// Where it was made.
    pub born: &'static Location<'static>,
    /// Where it was externalized the last time, and how long that is ago.
    pub externalized: Option<(&'static Location<'static>, Duration)>,
}

impl From<Reading> for Entry {
    fn from(reading: Reading) -> Entry {
        let kind = if reading.traits.has(Traits::STATIC) {
            Kind::Static
        } else if reading.traits.has(Traits::SHARED) {
            Kind::Shared
        } else {
            Kind::Plain
        };
        let ago = |at: u64| Duration::from_nanos(now().saturating_sub(at));
        Entry {
            id: reading.id,
            address: reading.address,
            byte_length: reading.byte_length,
            max_byte_length: reading.max_byte_length,
            kind,
            is_resizable: reading.traits.has(Traits::RESIZABLE),
            holders: reading.holders as usize,
            buffers: reading.buffers as usize,
            born: reading.born,
            externalized: reading.externalized.map(|(by, at)| (by, ago(at))),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { id, byte_length, holders, buffers, born, .. } = self;
        write!(f, "store {id}: {byte_length} bytes, {holders} holders, {buffers} buffers, made at {born}")?;
        if let Some((by, ago)) = self.externalized {
            write!(f, ", externalized at {by} {ago:.1?} ago")?;
        }
        Ok(())
    }
}

/// What the registry knows of a store.
///
/// ```
/// use tumulus_arraybuffer::{BackingStore, registry};
///
/// let store = BackingStore::new(100)?;
/// let entry = registry::get(&store);
/// assert_eq!((entry.byte_length, entry.holders, entry.born.file()), (100, 1, file!()));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn get(store: &BackingStore) -> Entry {
    store.record.read().expect("it lives as long as it is held").into()
}

/// All stores, by id. Takes time proportional to the most that there have been at once.
///
/// Other threads go on meanwhile: each entry is right at one moment, but not all at the same.
///
/// ```
/// use tumulus_arraybuffer::{BackingStore, registry};
///
/// let store = BackingStore::new(100)?;
/// assert!(registry::entries().iter().any(|entry| entry.id == store.id()));
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn entries() -> Vec<Entry> {
    let mut entries: Vec<Entry> =
        raw::with_table(|table| table.records().filter_map(|record| record.read().map(Entry::from)).collect());
    entries.sort_by_key(|entry| entry.id);
    entries
}

/// How many stores there are, and how many bytes they have. Each store counts once, whoever shares it.
///
/// ```
/// use tumulus_arraybuffer::{BackingStore, registry};
///
/// let store = BackingStore::shared(1000)?;
/// assert!(registry::totals().shared_bytes >= 1000);
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Stores of all kinds, dead ones not among them.
    pub stores: usize,
    /// Plain bytes.
    pub plain_bytes: usize,
    /// Shared ones.
    pub shared_bytes: usize,
    /// Those that live as long as the process.
    pub static_bytes: usize,
    /// Of all these, the bytes of stores that somebody outside holds.
    pub held_bytes: usize,
    /// Bytes of dead stores, which wait to be released.
    pub unreleased_bytes: usize,
}

/// Counts all stores. Takes as long as [`entries`].
///
/// ```
/// println!("{:?}", tumulus_arraybuffer::registry::totals());
/// ```
pub fn totals() -> Totals {
    let mut totals = Totals::default();
    for entry in entries() {
        if entry.holders + entry.buffers == 0 {
            totals.unreleased_bytes += entry.byte_length;
            continue;
        }
        totals.stores += 1;
        *match entry.kind {
            Kind::Plain => &mut totals.plain_bytes,
            Kind::Shared => &mut totals.shared_bytes,
            Kind::Static => &mut totals.static_bytes,
        } += entry.byte_length;
        if entry.holders > 0 {
            totals.held_bytes += entry.byte_length;
        }
    }
    totals
}

/// How many handles to stores there are.
static HANDLES: AtomicUsize = AtomicUsize::new(0);

/// Counts one more handle, or one less.
pub(crate) fn count_handle() {
    HANDLES.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn uncount_handle() {
    HANDLES.fetch_sub(1, Ordering::Relaxed);
}

/// The stores that a heap has, and somebody outside holds.
pub(crate) fn external_roots(heap: HeapId) -> Vec<ExternalRoot> {
    if HANDLES.load(Ordering::Relaxed) == 0 {
        return Vec::new();
    }
    let root = |record: &'static raw::Record| {
        let is_root = |reading: &Reading| reading.holders > 0 && reading.claim == heap.get().get();
        let reading = record.read().filter(is_root)?;
        let place = reading.externalized.map_or(reading.born, |(by, _)| by);
        let (identity, bytes) = (reading.id, reading.byte_length as u64);
        Some(ExternalRoot { name: raw::NODE_NAME, identity, bytes, place })
    };
    raw::with_table(|table| table.records().filter_map(root).collect())
}

/// What is held from outside, by the place where it was externalized, or else made; made by [`leak_report`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LeakReport {
    /// The places in the order of files and lines, and what is held since each.
    pub places: Vec<(&'static Location<'static>, Vec<Entry>)>,
}

impl LeakReport {
    /// How many bytes are held.
    ///
    /// ```
    /// println!("{} bytes are held", tumulus_arraybuffer::registry::leak_report().bytes());
    /// ```
    pub fn bytes(&self) -> usize {
        self.places.iter().flat_map(|(_, entries)| entries).map(|entry| entry.byte_length).sum()
    }
}

impl fmt::Display for LeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, entries) in &self.places {
            let bytes: usize = entries.iter().map(|entry| entry.byte_length).sum();
            writeln!(f, "{place}: {} stores with {bytes} bytes", entries.len())?;
            for entry in entries {
                writeln!(f, "    {entry}")?;
            }
        }
        Ok(())
    }
}

/// Lists what is held from outside now. At the end of a program that should be nothing.
///
/// # Examples
///
/// ```
/// use tumulus_arraybuffer::{ArrayBuffer, registry};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let buffer = ArrayBuffer::new(&mut heap, 100)?;
/// let held = buffer.externalize(&mut heap); // here
/// drop(heap);
///
/// let report = registry::leak_report();
/// let (place, entries) = report.places.iter().find(|(place, _)| place.file() == file!()).expect("it is held");
/// assert_eq!(entries[0].id, held.id());
/// println!("{report}");
/// # Ok::<(), tumulus_arraybuffer::Error>(())
/// ```
pub fn leak_report() -> LeakReport {
    let mut places = BTreeMap::<_, (_, Vec<Entry>)>::new();
    for entry in entries().into_iter().filter(|entry| entry.holders > 0) {
        let place = entry.externalized.map_or(entry.born, |(by, _)| by);
        let key = (place.file(), place.line(), place.column());
        places.entry(key).or_insert_with(|| (place, Vec::new())).1.push(entry);
    }
    LeakReport { places: places.into_values().collect() }
}
