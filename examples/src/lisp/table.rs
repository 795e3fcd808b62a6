//! Hash tables. Their entries are a slice in the heap, so that they count against its limit.

use super::value::{Outcome, Value};
use tumulus_heap::{AllocError, AnyGc, Gc, Heap, Trace};

/// A hash table with open addressing: an entry lies at the place that its hash says, or in the next one that was free.
#[derive(Copy, Clone, Debug, Trace)]
pub struct Table {
    /// As many as a power of two.
    entries: Gc<[Option<Entry>]>,
    used: usize,
}

#[derive(Copy, Clone, Debug, Trace)]
struct Entry {
    key: Value,
    value: Value,
}

const SMALLEST: usize = 8;

/// A hash of a number's bits, good in its upper half. Of a float the bits that differ are the upper ones: they are folded
/// down first, as a product spreads them upward only.
pub fn hash_bits(bits: u64) -> u64 {
    (bits ^ bits >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A hash of a text.
pub fn hash_text(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn hash(heap: &Heap, key: Value) -> u64 {
    hash_bits(match key {
        Value::Number(number) => (number + 0.0).to_bits(), // of the two zeros, one
        Value::Bool(bool) => u64::from(bool),
        Value::Symbol(symbol) => u64::from(symbol.0),
        Value::Native(native) => native as u64,
        Value::Text(text) => hash_text(&heap[text]),
        other => other.object().map_or(0, AnyGc::identity_hash),
    })
}

fn is_same(heap: &Heap, a: Value, b: Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b || heap[a] == heap[b],
        _ => a == b,
    }
}

impl Table {
    /// An empty table.
    ///
    /// # Errors
    ///
    /// If there is no room.
    pub fn new(heap: &mut Heap) -> Outcome<Gc<Table>> {
        let entries = heap.try_alloc_slice(&[None; SMALLEST])?;
        Ok(heap.try_alloc(Table { entries, used: 0 }).map_err(AllocError::without_value)?)
    }

    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether it has no keys.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The value of a key.
    pub fn get(&self, heap: &Heap, key: Value) -> Option<Value> {
        heap[self.entries][find(heap, self.entries, key)].map(|entry| entry.value)
    }

    /// Gives a key a value.
    ///
    /// # Errors
    ///
    /// If the table would have to grow, and there is no room. It is as it was.
    pub fn set(heap: &mut Heap, table: Gc<Table>, key: Value, value: Value) -> Outcome<()> {
        let Table { mut entries, used } = heap[table];
        let mut at = find(heap, entries, key);
        if heap[entries][at].is_none() {
            if used * 4 >= heap[entries].len() * 3 {
                entries = grown(heap, entries)?;
                at = find(heap, entries, key);
            }
            heap[table] = Table { entries, used: used + 1 };
        }
        heap.slice_mut(entries, at..=at)[0] = Some(Entry { key, value });
        Ok(())
    }
}

/// Where a key is, or the free place where it belongs. There is always a free place.
fn find(heap: &Heap, entries: Gc<[Option<Entry>]>, key: Value) -> usize {
    let hash = hash(heap, key);
    let entries = &heap[entries];
    let mask = entries.len() - 1;
    let mut at = (hash >> 32) as usize & mask;
    while let Some(entry) = &entries[at]
        && !is_same(heap, entry.key, key)
    {
        at = (at + 1) & mask;
    }
    at
}

fn grown(heap: &mut Heap, old: Gc<[Option<Entry>]>) -> Outcome<Gc<[Option<Entry>]>> {
    let len = heap[old].len();
    let new = heap.try_alloc_slice_with(2 * len, |_| None).map_err(AllocError::without_value)?;
    for at in 0..len {
        if let Some(entry) = heap[old][at] {
            let at = find(heap, new, entry.key);
            heap.slice_mut(new, at..=at)[0] = Some(entry);
        }
    }
    Ok(new)
}
