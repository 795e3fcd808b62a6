//! The tables of an outcome.

use super::{Kind, Reason};
use serde::{Deserialize, Serialize};

/// What the collections of a kind, begun for one reason, have cost together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// What they looked at.
    pub kind: Kind,
    /// Why they began.
    pub reason: Reason,
    /// How many.
    pub collections: u64,
    /// Slices.
    pub slices: u64,
    /// Units of work.
    pub work: u64,
    /// Bytes of objects that they could have freed.
    pub candidate_bytes: u64,
    /// Bytes that they have freed.
    pub freed_bytes: u64,
    /// Objects that they have freed.
    pub freed_objects: u64,
    /// Nanoseconds of all slices.
    pub paused: u64,
    /// The longest slice.
    pub longest: u64,
    /// The part of the candidates' bytes that survived, from 0 to 1.
    pub survival: f64,
}

/// What was in the heap at a moment, by type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// When.
    pub at: u64,
    /// When, in words: "after full collection #12".
    pub when: String,
    /// The types; the one that takes most comes first.
    pub types: Vec<TypeRow>,
}

/// The objects of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeRow {
    /// The type.
    pub name: String,
    /// How many objects.
    pub objects: u64,
    /// Bytes of their cells and blocks.
    pub used_bytes: u64,
    /// Bytes of their pages that are in no object.
    pub waste_bytes: u64,
    /// Pages.
    pub pages: u64,
}

/// Where objects were allocated, estimated from samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocations {
    /// There was a sample for so many bytes, on average.
    pub mean_bytes: u64,
    /// The places, and types of objects; those with the most bytes come first.
    pub rows: Vec<Allocation>,
}

/// Objects of one type that were allocated in one place of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// File, line and column.
    pub place: String,
    /// The type.
    pub name: String,
    /// How many samples there were.
    pub samples: u64,
    /// How many objects there were, by these.
    pub objects: u64,
    /// Bytes of their cells and blocks.
    pub bytes: u64,
    /// How many were alive in the end, as far as is known.
    pub live_objects: u64,
    /// The bytes of these.
    pub live_bytes: u64,
}

/// External memory that was made in one place of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// File, line and column.
    pub place: String,
    /// How many stores, when their bytes were the most.
    pub stores: u64,
    /// Their bytes then.
    pub bytes: u64,
    /// How many of these bytes somebody outside of the heap held.
    pub held_bytes: u64,
}
