//! The weak half of the heap: what refers to an object without keeping it alive.
//!
//! | | what it is for | where |
//! |---|---|---|
//! | [`Weak`] | a handle that can be asked whether its object is still there | `handle.rs` |
//! | [`WeakRef`] | the same, with the rules of ECMAScript's jobs | `kept.rs` |
//! | [`EphemeronMap`], [`WeakSet`] | values that live as long as their keys do | `ephemeron_map.rs`, `weak_set.rs` |
//! | [`FinalizationRegistry`] | values that are handed out when an object has died | `registry.rs` |
//! | [`Interner`] | one string for each text, for as long as it is used | `interner.rs` |
//! | [`Heap::on_death`](crate::Heap::on_death) | the same for numbers, without an object of its own | `deaths.rs` |
//!
//! All of it is in terms of tables in the heap, `table.rs` (on `row.rs`) and `watched.rs`, which are slices whose elements tell the collector
//! of a key. How that marks them is in `raw/ephemerons.rs`, and how what has died leaves them in `raw/prune.rs`. None of
//! these files contains unsafe code, and none of the program's code runs in a collection on their behalf, but for the
//! `Trace` and the `Drop` of the values in them.

mod deaths;
mod ephemeron_map;
mod handle;
mod interner;
mod kept;
mod key;
mod registry;
mod row;
mod table;
mod watched;
mod weak_set;

pub use ephemeron_map::EphemeronMap;
pub use handle::Weak;
pub use interner::Interner;
pub use kept::WeakRef;
pub use key::WeakKey;
pub use registry::{FinalizationRegistry, RegisterError};
pub use weak_set::WeakSet;

use crate::raw::{AnyGc, Gc};
use crate::trace::{Trace, Tracer};
use kept::HandleSet;

/// What a heap keeps alive for the sake of what is weak.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Targets of [`WeakRef`]s that were made or read in jobs that are not over.
    job: kept::JobObjects,
    /// What was upgraded while a collection was clearing marks: roots of that collection.
    upgraded: HandleSet,
    /// The registry of [`Heap::on_death`](crate::Heap::on_death), once it was called.
    deaths: Option<Gc<FinalizationRegistry<u64>>>,
}

impl Kept {
    pub(crate) fn trace(&self, tracer: &mut Tracer<'_>) {
        self.job.handles().iter().for_each(|&handle| tracer.any_edge(handle));
        self.upgraded.handles().iter().for_each(|&handle| tracer.any_edge(handle));
        self.deaths.trace(tracer);
    }

    /// What is kept to the end of a job, and to that of a collection.
    pub(crate) fn alive(&self) -> impl Iterator<Item = &[AnyGc]> {
        [self.job.handles(), self.upgraded.handles()].into_iter()
    }

    /// The registry of [`Heap::on_death`](crate::Heap::on_death), if it was called.
    pub(crate) fn registry(&self) -> Option<AnyGc> {
        self.deaths.map(Gc::erase)
    }

    /// Lets go of what was kept for one collection: marking is complete, or begins anew.
    pub(crate) fn forget_upgraded(&mut self) {
        self.upgraded.truncate(0);
    }
}
