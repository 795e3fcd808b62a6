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
mod observe;
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
pub use observe::{AllocationProfile, Place, ProfileRow};
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

/// Hooks for this project's own tests and crates. Not part of the interface.
#[doc(hidden)]
pub mod hooks {
    use crate::observe;
    pub use crate::observe::{
        Edge, Kind, Misfit, Newborn, Operation, Outcome, RootGroup, Roots, Settings, Touching, TypeNumber, Witness,
    };
    use crate::{AnyGc, Heap, Trace};

    /// Leaves the process with at most `remaining` stamps. There is no way back.
    pub fn leave_stamps(remaining: u32) {
        crate::raw::leave_only(remaining);
    }

    /// Lets the worklist of a heap grow to `bytes` only.
    pub fn limit_scratch(heap: &mut Heap, bytes: Option<usize>) {
        heap.store.limit_scratch(bytes);
    }

    /// The options of a heap.
    pub fn settings(heap: &Heap) -> Settings {
        observe::settings(heap)
    }

    /// What a budget is made of: its units, or its nanoseconds, or neither.
    pub fn budget_parts(budget: crate::Budget) -> (Option<u64>, Option<u64>) {
        budget.parts()
    }

    /// Where a heap stands, as a witness is told after an operation.
    pub fn outcome(heap: &Heap) -> Outcome {
        heap.outcome()
    }

    /// How many heaps the process has made.
    pub fn heaps_made() -> u64 {
        crate::external::HeapId::made()
    }

    /// Has a witness told from now on; the one before is the result.
    pub fn set_witness(heap: &mut Heap, witness: Option<Box<dyn Witness>>) -> Option<Box<dyn Witness>> {
        heap.set_witness(witness)
    }

    /// Tells the witness of all objects that there are.
    pub fn tell_all(heap: &mut Heap) {
        heap.tell_all();
    }

    /// Tells the witness what has happened by now.
    pub fn tell<R: Trace + ?Sized>(heap: &mut Heap, roots: &R) {
        heap.observe(Operation::Nothing, roots);
        heap.observe_outcome();
    }

    /// Makes a type of objects like those of a recorded program. `None` if there are too many.
    pub fn new_type(heap: &mut Heap, name: &str, kind: Kind) -> Option<TypeNumber> {
        observe::new_type(heap, name, kind)
    }

    /// Collects the whole heap, as an allocation has failed.
    pub fn collect_as_failed<R: Trace + ?Sized>(heap: &mut Heap, roots: &R) {
        observe::collect_as_failed(heap, roots);
    }

    /// As [`put`], beyond the limit if need be.
    pub fn put_in_any_case(
        heap: &mut Heap,
        of: TypeNumber,
        granules: u8,
        block: Option<usize>,
        long: Option<(u32, u32)>,
    ) -> Result<AnyGc, Misfit> {
        observe::put_in_any_case(heap, of, granules, block, long)
    }

    /// Makes an object like a recorded one, without edges.
    pub fn put(
        heap: &mut Heap,
        of: TypeNumber,
        granules: u8,
        block: Option<usize>,
        long: Option<(u32, u32)>,
    ) -> Result<AnyGc, Misfit> {
        observe::put(heap, of, granules, block, long)
    }

    /// Replaces the edges of such an object; false if it is dead, or has no room for them.
    pub fn set_edges(heap: &mut Heap, object: AnyGc, edges: &[AnyGc]) -> bool {
        observe::set_edges(heap, object, edges)
    }

    /// Replaces the edges of one element; false if there is none, or no room for them.
    pub fn set_element(heap: &mut Heap, object: AnyGc, element: u32, edges: &[AnyGc]) -> bool {
        observe::set_element(heap, object, element, edges)
    }

    /// Does what a recorded touch has done, if the object is alive.
    pub fn touch(heap: &mut Heap, object: AnyGc, what: &Touching) {
        observe::touch(heap, object, what);
    }

    /// Does a recorded operation again. `before` is what the witness was told: the bytes outside, the limit, and whether an
    /// allocation had failed.
    pub fn perform<R: Trace + ?Sized>(
        heap: &mut Heap,
        operation: Operation,
        roots: &R,
        before: (usize, usize, bool),
        external_after: usize,
    ) {
        observe::perform(heap, operation, roots, before, external_after);
    }
}
