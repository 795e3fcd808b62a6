//! A witness of all that decides when collections happen: what is allocated, what is written to, what the roots are, and
//! which safepoints did something. The crate `tumulus-trace` writes it down and does it again.
//!
//! What a safepoint at which nothing is due did need not be told: nothing. So all is told at those at which a slice is done,
//! or that are asked for by name: first the objects that were made since, then those that were touched, in that order, then
//! the edges that these have by now, and the roots. A witness may ask to be told of some of the others as well, the *quiet*
//! ones, for those who want to know where another heap could have collected.

use crate::budget::Budget;
use crate::collect::Collector;
use crate::heap::Heap;
use crate::raw::{AnyGc, Born, Touched};
use crate::schedule::Schedule;
use crate::trace::{Trace, Tracer, Visit};
use crate::zeal::Zeal;
use std::any::TypeId;
use std::collections::HashSet;

/// Somebody who is told what a program does to a heap.
pub trait Witness {
    /// It is told of quiet safepoints as well: of one whenever so many bytes were taken since it was told of anything.
    /// `None` for none.
    fn quiet_every(&self) -> Option<u64> {
        None
    }

    /// An object was made. Its edges follow before the next operation.
    fn born(&mut self, object: &Newborn);

    /// An object was touched.
    fn touched(&mut self, object: AnyGc, what: &Touching);

    /// An object has these edges now.
    fn edges(&mut self, object: AnyGc, edges: &[Edge]);

    /// Elements of a long slice have these edges now: those of the first up to `ends[0]`, and so on.
    fn elements(&mut self, object: AnyGc, first: u32, edges: &[Edge], ends: &[u32]);

    /// The roots are these.
    fn roots(&mut self, group: RootGroup, roots: &[Edge]);

    /// The operation begins, while so much is counted outside of the heap, the limit is this, and an allocation has failed
    /// since the last one.
    fn before(&mut self, operation: Operation, external: usize, limit: usize, failed: bool);

    /// It is over. `is_alive` says whether an object has not been found dead.
    fn after(&mut self, outcome: &Outcome, is_alive: &dyn Fn(AnyGc) -> bool);
}

/// An object that was made.
#[derive(Clone, Debug)]
pub struct Newborn {
    /// Which.
    pub object: AnyGc,
    /// Its type.
    pub type_id: TypeId,
    /// The name of its type.
    pub type_name: &'static str,
    /// What its type is like.
    pub kind: Kind,
    /// The size of its cell, in units of 16 bytes.
    pub granules: u8,
    /// Its value is in a block of its own, of so many bytes.
    pub block: Option<usize>,
    /// Of a slice that is scanned in parts, how many elements it has, and how many handles fit each of them.
    pub long: Option<(u32, u32)>,
    /// It is a slice that is scanned in parts, be that told or not.
    pub is_long_slice: bool,
}

/// What the collector knows of a type.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Values may contain handles.
    pub has_edges: bool,
    /// Values have destructors.
    pub needs_drop: bool,
    /// Values are weak tables.
    pub is_weak: bool,
}

/// A handle that an object or a root has.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Where it leads.
    pub to: AnyGc,
    /// It was reported without a type, so that the collector looks at the object even if it has no edges.
    pub untyped: bool,
}

/// How an object was touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touching {
    /// It was borrowed exclusively.
    Whole,
    /// Some of its elements were.
    Elements(std::ops::Range<u32>),
    /// A collection has marked it, as it was reached through a weak handle.
    Kept,
}

/// Whose roots they are.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum RootGroup {
    /// Those of the heap's table.
    Table,
    /// What open scopes hold.
    Scopes,
    /// What was reached through weak handles lately.
    Kept,
    /// What the program has passed.
    Given,
}

/// What a program can ask of a collector.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A safepoint at which something was due.
    Safepoint,
    /// One at which nothing was.
    QuietSafepoint,
    /// [`Heap::step`].
    Step(Budget),
    /// [`Heap::start_major`].
    StartMajor,
    /// [`Heap::collect`].
    Collect,
    /// [`Heap::collect_minor`].
    CollectMinor,
    /// [`Heap::set_limit`].
    SetLimit(usize),
    /// Nothing is done. Whatever else is told has happened by now.
    Nothing,
}

/// What an operation has left.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Bytes of objects.
    pub used: usize,
    /// Bytes of pages and blocks.
    pub committed: usize,
    /// Bytes outside of the heap.
    pub external: usize,
    /// Collections that are complete.
    pub collections: u64,
    /// Objects that were freed.
    pub freed_objects: u64,
    /// What was not noted for want of memory.
    pub lost: u64,
}

/// The options in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// As [`HeapBuilder::limit`](crate::HeapBuilder::limit).
    pub limit: usize,
    /// As [`HeapBuilder::growth`](crate::HeapBuilder::growth).
    pub growth: f64,
    /// As [`HeapBuilder::min_heap`](crate::HeapBuilder::min_heap).
    pub min_heap: usize,
    /// As [`HeapBuilder::nursery`](crate::HeapBuilder::nursery).
    pub nursery: usize,
    /// As [`HeapBuilder::page_retention`](crate::HeapBuilder::page_retention).
    pub page_retention: Option<usize>,
    /// As [`HeapBuilder::pause_budget`](crate::HeapBuilder::pause_budget).
    pub pause: Budget,
    /// As [`HeapBuilder::collector`](crate::HeapBuilder::collector).
    pub collector: Collector,
    /// As [`HeapBuilder::zeal`](crate::HeapBuilder::zeal).
    pub zeal: Zeal,
    /// Something was allocated before.
    pub is_used: bool,
    /// As [`Witness::quiet_every`].
    pub quiet_every: Option<u64>,
}

/// The options of a heap.
pub(crate) fn settings(heap: &Heap) -> Settings {
    let Schedule { growth, min_bytes, nursery_bytes, page_retention, pause, collector, .. } = heap.schedule;
    Settings {
        limit: heap.store.limit,
        growth,
        min_heap: min_bytes,
        nursery: nursery_bytes,
        page_retention,
        pause,
        collector,
        zeal: heap.zeal,
        is_used: heap.store.taken_bytes() > 0,
        quiet_every: heap.observers.witness.as_ref().and_then(|witness| witness.quiet_every()),
    }
}

/// Does what a program did at such an operation, be it due or not. Meanwhile the bytes outside of the heap become so many.
pub(crate) fn perform<R: Trace + ?Sized>(
    heap: &mut Heap,
    operation: Operation,
    roots: &R,
    before: (usize, usize, bool),
    external_after: usize,
) {
    let (external, limit, failed) = before;
    heap.set_external(external);
    heap.store.limit = limit;
    heap.pressure.failed = failed;
    heap.observers.external_after = Some(external_after);
    match operation {
        Operation::Safepoint => heap.safepoint_when_due(roots),
        Operation::Step(budget) => {
            let _ = heap.step(roots, budget);
        }
        Operation::StartMajor => heap.start_major(),
        Operation::Collect => heap.collect(roots),
        Operation::CollectMinor => heap.collect_minor(roots),
        Operation::SetLimit(limit) => heap.set_limit(limit),
        Operation::QuietSafepoint | Operation::Nothing => {}
    }
    heap.settle_external();
}

pub(crate) fn newborn(born: &Born) -> Newborn {
    let info = born.info;
    let is_long = has_parts(born);
    Newborn {
        object: born.object,
        type_id: info.id(),
        type_name: info.name(),
        kind: info.kind(),
        granules: (born.cell_bytes / 16) as u8,
        block: born.is_outline.then_some(born.block_bytes),
        is_long_slice: info.is_scanned_in_parts(born),
        long: is_long.then(|| (born.elements, (born.value_bytes / born.elements.max(1) as usize / 8) as u32)),
    }
}

/// Whether an object is told of by its elements. One whose elements have destructors is told of as a whole.
fn has_parts(object: &Born) -> bool {
    object.info.is_scanned_in_parts(object) && !object.info.kind().needs_drop
}

/// Notes each edge.
struct Edges<'e> {
    edges: &'e mut Vec<Edge>,
    is_alive: &'e dyn Fn(AnyGc) -> bool,
}

impl Visit for Edges<'_> {
    fn edge(&mut self, to: AnyGc) {
        self.edges.push(Edge { to, untyped: false });
    }

    fn any_edge(&mut self, to: AnyGc) {
        self.edges.push(Edge { to, untyped: true });
    }

    fn is_alive(&mut self, key: AnyGc) -> bool {
        (self.is_alive)(key)
    }
}

impl Heap {
    /// Has a witness told from now on.
    pub(crate) fn set_witness(&mut self, witness: Option<Box<dyn Witness>>) -> Option<Box<dyn Witness>> {
        self.tell_born();
        let every = witness.as_ref().and_then(|witness| witness.quiet_every());
        let before = std::mem::replace(&mut self.observers.witness, witness);
        self.set_watch();
        self.pressure.due.tell_every(every, self.store.taken_bytes());
        before
    }

    /// Tells the witness of all objects that there are, as if they had been made just now.
    pub(crate) fn tell_all(&mut self) {
        let cells: Vec<AnyGc> = self.store.cells().map(|cell| cell.handle).collect();
        if let Some(witness) = &mut self.observers.witness {
            for &object in &cells {
                if let Some(born) = self.store.portrait(object) {
                    witness.born(&newborn(&born));
                }
            }
        }
        for object in cells {
            self.tell_edges(object, None);
        }
    }

    /// Tells the witness of the edges of an object, or of some of its elements.
    pub(super) fn tell_edges(&mut self, object: AnyGc, only: Option<std::ops::Range<u32>>) {
        let Heap { store, observers, .. } = self;
        let Some(witness) = &mut observers.witness else { return };
        let Some(born) = store.portrait(object).filter(|born| born.info.kind().has_edges) else { return };
        let (mut edges, is_alive) = (Vec::new(), |key: AnyGc| store.contains(key.handle()));
        if !has_parts(&born) {
            store.visit_edges(object, &mut Edges { edges: &mut edges, is_alive: &is_alive });
            witness.edges(object, &edges);
            return;
        }
        let range = only.unwrap_or(0..born.elements);
        let mut ends = Vec::with_capacity(range.len());
        for element in range.clone() {
            store.visit_element(object, element, &mut Edges { edges: &mut edges, is_alive: &is_alive });
            ends.push(edges.len() as u32);
        }
        witness.elements(object, range.start, &edges, &ends);
    }

    fn has_parts(&self, object: AnyGc) -> bool {
        self.store.portrait(object).is_some_and(|born| has_parts(&born))
    }

    /// Tells the witness what was touched, what the roots are, and what is about to happen.
    pub(super) fn tell_witness<R: Trace + ?Sized>(&mut self, operation: Operation, roots: &R) {
        let (touched, written) = (self.store.take_touched(), self.store.take_written());
        let mut known = HashSet::new();
        for touch in &touched {
            let what = match &touch.what {
                Touched::Elements(range) if self.has_parts(touch.object) => {
                    Touching::Elements(range.start as u32..range.end as u32)
                }
                Touched::Whole | Touched::Elements(_) => Touching::Whole,
                Touched::Kept => Touching::Kept,
            };
            if known.insert(touch)
                && let Some(witness) = &mut self.observers.witness
            {
                witness.touched(touch.object, &what);
            }
        }
        for object in written {
            self.tell_edges(object, None);
        }
        for touch in &touched {
            if let Touched::Elements(range) = &touch.what
                && known.remove(touch)
            {
                self.tell_edges(touch.object, Some(range.start as u32..range.end as u32));
            }
        }
        let Heap { store, observers, temporaries, kept, roots: table, .. } = self;
        let Some(witness) = &mut observers.witness else { return };
        let is_alive = |key: AnyGc| store.contains(key.handle());
        let mut tell = |group: RootGroup, trace: &dyn Fn(&mut Tracer<'_>)| {
            let mut edges = Vec::new();
            trace(&mut Tracer::visiting(&mut Edges { edges: &mut edges, is_alive: &is_alive }));
            witness.roots(group, &edges);
        };
        tell(RootGroup::Table, &|tracer| table.trace(tracer));
        tell(RootGroup::Scopes, &|tracer| temporaries.trace(tracer));
        tell(RootGroup::Kept, &|tracer| kept.trace(tracer));
        tell(RootGroup::Given, &|tracer| roots.trace(tracer));
        witness.before(operation, self.external.0.get(), self.store.limit, self.pressure.failed);
    }

    pub(crate) fn outcome(&self) -> Outcome {
        Outcome {
            used: self.store.used_bytes(),
            committed: self.store.committed_bytes(),
            external: self.external.0.get(),
            collections: self.accounts.collections,
            freed_objects: self.store.freed().objects,
            lost: self.store.lost_notes(),
        }
    }

    /// Has the bytes outside of the heap be so many.
    fn set_external(&mut self, bytes: usize) {
        let now = self.external.0.get();
        self.external.0.add(bytes.saturating_sub(now));
        self.external.0.sub(now.saturating_sub(bytes));
    }

    /// Has the bytes outside of the heap be what they were when a recorded operation was over: what its destructors have
    /// taken off counts by then.
    pub(crate) fn settle_external(&mut self) {
        if let Some(bytes) = self.observers.external_after.take() {
            self.set_external(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gc;
    use std::{cell::RefCell, collections::HashMap, rc::Rc};

    /// Knows the edges that were told last.
    #[derive(Clone, Default)]
    struct Known(Rc<RefCell<HashMap<AnyGc, Vec<AnyGc>>>>);

    impl Witness for Known {
        fn born(&mut self, object: &Newborn) {
            self.0.borrow_mut().insert(object.object, Vec::new());
        }
        fn touched(&mut self, _: AnyGc, _: &Touching) {}
        fn edges(&mut self, object: AnyGc, edges: &[Edge]) {
            self.0.borrow_mut().insert(object, edges.iter().map(|edge| edge.to).collect());
        }
        fn elements(&mut self, _: AnyGc, _: u32, _: &[Edge], _: &[u32]) {}
        fn roots(&mut self, _: RootGroup, _: &[Edge]) {}
        fn before(&mut self, _: Operation, _: usize, _: usize, _: bool) {}
        fn after(&mut self, _: &Outcome, _: &dyn Fn(AnyGc) -> bool) {}
    }

    #[test]
    fn edges_are_told_of_what_was_written_to_before_as_well() {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        let holder = heap.alloc(None::<Gc<u8>>);
        heap.collect(&holder);
        *heap.get_mut(holder) = None; // it is on the collector's list from here on
        let known = Known::default();
        heap.set_witness(Some(Box::new(known.clone())));
        heap.tell_all();
        for _ in 0..3 {
            let young = heap.alloc(1_u8);
            *heap.get_mut(holder) = Some(young);
            heap.collect_minor(&holder);
            assert_eq!(known.0.borrow()[&holder.erase()], [young.erase()]);
        }
    }
    #[test]
    fn a_profile_that_begins_beside_a_witness_counts_what_comes_then() {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        heap.set_witness(Some(Box::new(Known::default())));
        heap.alloc(1_u8);
        heap.track_allocations();
        heap.alloc(2_u8);
        assert_eq!(heap.allocation_profile().rows().iter().map(|row| row.seen).sum::<u64>(), 1);
    }
}
