//! Hash tables. Their entries are a slice in the heap, so that they count against its limit.

use super::value::{Outcome, Value};
use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;
use tumulus_heap::{AnyGc, Gc, Heap, Trace};

/// A hash table with open addressing: an entry lies at the place that its hash says, or in the next one that was free.
#[derive(Copy, Clone, Debug, Trace)]
pub struct Table {
    /// As many as a power of two, one of them free at least.
    entries: Gc<[Option<(Value, Value)>]>,
    /// How many keys there are.
    pub used: usize,
}

/// A hash, good in its upper half. Of a float the bits that differ are the upper ones: they are folded down first, as a
/// product spreads them upward only.
pub fn hash(bits: u64) -> usize {
    ((bits ^ bits >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize
}

impl Table {
    /// An empty table.
    ///
    /// # Errors
    ///
    /// If there is no room.
    pub fn new(heap: &mut Heap) -> Outcome<Gc<Table>> {
        let entries = heap.try_alloc_slice(&[None; 8])?;
        Ok(heap.try_alloc(Table { entries, used: 0 })?)
    }

    /// The value of a key.
    pub fn get(&self, heap: &Heap, key: Value) -> Option<Value> {
        heap[self.entries][find(heap, self.entries, key)].map(|(_, value)| value)
    }

    /// Gives a key a value.
    ///
    /// # Errors
    ///
    /// If there is no room for that. The table is as it was.
    pub fn set(heap: &mut Heap, table: Gc<Table>, key: Value, value: Value) -> Outcome {
        let Table { mut entries, used } = heap[table];
        if used * 4 >= heap[entries].len() * 3 {
            let old = heap[entries].to_vec();
            entries = heap.try_alloc_slice_with(2 * old.len(), |_| None)?;
            for entry in old.into_iter().flatten() {
                let to = find(heap, entries, entry.0);
                heap.set(entries, to, Some(entry));
            }
            heap[table].entries = entries;
        }
        let at = find(heap, entries, key);
        if heap[entries][at].is_none() {
            heap[table].used += 1;
        }
        heap.set(entries, at, Some((key, value)));
        Ok(Value::Nil)
    }
}

/// Where a key is, or the free place where it belongs.
fn find(heap: &Heap, entries: Gc<[Option<(Value, Value)>]>, key: Value) -> usize {
    let hash = hash(match key {
        Value::Number(number) => (number + 0.0).to_bits(), // of the two zeros, one
        Value::Symbol(symbol) => u64::from(symbol.0),
        Value::Text(text) => FxBuildHasher.hash_one(&heap[text]),
        other => other.object().map_or(0, AnyGc::identity_hash),
    });
    let entries = &heap[entries];
    let mask = entries.len() - 1;
    let mut at = hash & mask;
    while let Some((other, _)) = entries[at] {
        match (other, key) {
            (Value::Text(a), Value::Text(b)) if a == b || heap[a] == heap[b] => break,
            (a, b) if a == b => break,
            _ => at = (at + 1) & mask,
        }
    }
    at
}
