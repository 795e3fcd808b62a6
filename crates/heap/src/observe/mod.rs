//! Observers of a heap: what is told of allocations, and of all that decides when collections happen.
//!
//! A profile counts allocations by place (`profile.rs`); a witness writes down what a program does (`witness.rs`). Both are
//! fed from the notes of the store (`raw/watch.rs`), at safepoints and when they are asked. A heap that nobody observes
//! pays nothing.

mod profile;
mod replay;
mod witness;

pub(crate) use profile::Profiler;
pub use profile::{AllocationProfile, Place, ProfileRow};
pub use replay::{Misfit, Roots, TypeNumber};
pub(crate) use replay::{collect_as_failed, new_type, put, put_in_any_case, set_edges, set_element, touch};
pub use witness::{Edge, Kind, Newborn, Operation, Outcome, RootGroup, Settings, Touching, Witness};
pub(crate) use witness::{perform, settings};

use crate::heap::Heap;
use crate::raw::{AnyGc, Policy};
use crate::trace::Trace;
use std::fmt;

/// Who observes a heap.
#[derive(Default)]
pub(crate) struct Observers {
    profiler: Option<Profiler>,
    witness: Option<Box<dyn Witness>>,
    /// While a recorded operation is done again: the bytes outside of the heap when it was over.
    external_after: Option<usize>,
}

impl Heap {
    /// Begins or ends to observe, by what the observers need.
    fn set_watch(&mut self) {
        let Observers { profiler, witness, .. } = &self.observers;
        match (profiler, witness) {
            (None, None) => self.store.stop_observing(),
            (Some(profiler), None) => self.store.observe(profiler.policy(), false),
            (_, Some(_)) => self.store.observe(Policy::Each, true),
        }
    }

    /// Tells the observers what is new.
    fn tell_born(&mut self) {
        self.telling(Heap::tell_born_now);
    }

    fn tell_born_now(&mut self) {
        let born = self.store.take_born();
        let Observers { profiler, witness, .. } = &mut self.observers;
        for (fresh, object) in &born {
            if let Some(witness) = witness {
                witness.born(&witness::newborn(object));
            }
            let Some(profiler) = profiler else { continue };
            let bytes = object.cell_bytes + object.block_bytes;
            // Where all are seen for the sake of the witness, or their size was not known, it is drawn now.
            let is_open = fresh.is_open || witness.is_some();
            if !is_open || profiler.takes(bytes) {
                profiler.note(fresh, object);
            }
        }
        if let Some(profiler) = profiler {
            profiler.tidy(&self.store);
        }
        if self.observers.witness.is_some() {
            for (_, object) in &born {
                self.tell_edges(object.object, None);
            }
        }
    }

    /// Tells something to the observers. Should a `Trace` unwind that is asked for edges then, the rest is lost.
    fn telling(&mut self, tell: impl FnOnce(&mut Heap)) {
        self.store.lose_notes(1);
        tell(self);
        self.store.lose_notes(-1);
    }

    /// Does `work`, of which the observers are told before and after.
    #[inline]
    pub(crate) fn observed<R: Trace + ?Sized, T>(
        &mut self,
        operation: Operation,
        roots: &R,
        work: impl FnOnce(&mut Heap) -> T,
    ) -> T {
        if !self.store.is_observed() {
            return work(self);
        }
        self.observe(operation, roots);
        let result = work(self);
        self.observe_outcome();
        result
    }

    /// Tells the observers that something is about to happen on which collections depend.
    #[cold]
    #[inline(never)]
    pub(crate) fn observe<R: Trace + ?Sized>(&mut self, operation: Operation, roots: &R) {
        self.tell_born();
        if self.observers.witness.is_some() {
            self.telling(|heap| heap.tell_witness(operation, roots));
        }
    }

    /// Tells the witness how that went.
    pub(crate) fn observe_outcome(&mut self) {
        if self.observers.witness.is_some() {
            let outcome = self.outcome();
            let Heap { store, observers, .. } = self;
            let is_alive = |object: AnyGc| store.contains(object.handle());
            observers.witness.iter_mut().for_each(|witness| witness.after(&outcome, &is_alive));
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observers")
            .field("profiler", &self.profiler.is_some())
            .field("witness", &self.witness.is_some())
            .finish_non_exhaustive()
    }
}
