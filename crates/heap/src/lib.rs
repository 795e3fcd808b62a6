#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod alloc;
mod budget;
mod builder;
mod collect;
mod error;
mod events;
mod external;
mod external_roots;
mod gc_vec;
mod heap;
mod limit;
mod log;
mod native;
mod options;
mod raw;
mod roots;
mod schedule;
mod scope;
mod slices;
mod snapshot;
mod stats;
mod trace;
mod verify;
mod weak;
mod zeal;

pub use budget::{Budget, Progress};
pub use builder::HeapBuilder;
pub use collect::Collector;
pub use error::{AllocError, AllocErrorKind, BuildError, HandleError, HandleName, HeapError, NoValue, RootError};
pub use events::{Event, Kind, Pause, Reason};
pub use external::{ExternalBytes, HeapId};
pub use external_roots::{ExternalRoot, ask_for_external_roots};
pub use gc_vec::GcVec;
pub use heap::Heap;
pub use limit::NearLimit;
pub use log::LogFormat;
pub use native::NativeFn;
pub use options::ParseOptionsError;
pub use raw::{AnyGc, Gc, Object};
pub use roots::Root;
pub use snapshot::SnapshotSummary;
pub use stats::{
    CollectionStatistics, CollectionTotals, Pauses, SpaceStatistics, Statistics, Timing, TypeStatistics, V8Statistics,
};
pub use trace::{Describer, Native, NodeKind, Trace, Tracer};
#[cfg(feature = "derive")]
pub use tumulus_heap_derive::Trace;
pub use verify::{Flaw, VerifyError};
pub use weak::{EphemeronMap, FinalizationRegistry, Interner, RegisterError, Weak, WeakKey, WeakRef, WeakSet};
pub use zeal::{ParseZealError, Zeal};

/// Hooks for this project's own tests of what cannot be reached in reasonable time. Not part of the interface.
#[doc(hidden)]
pub mod hooks {
    use crate::Heap;

    /// Leaves the process with at most `remaining` stamps. There is no way back.
    pub fn leave_stamps(remaining: u32) {
        crate::raw::leave_only(remaining);
    }

    /// Lets the worklist of a heap grow to `bytes` only.
    pub fn limit_scratch(heap: &mut Heap, bytes: Option<usize>) {
        heap.store.limit_scratch(bytes);
    }
}
