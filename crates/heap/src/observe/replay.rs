//! What a recorded program did, done again with objects that look the same to the collector (`raw/replica.rs`).

use super::{Edge, Kind, Touching};
use crate::error::AllocErrorKind;
use crate::heap::Heap;
use crate::raw::{AnyGc, Form, Unfit};
use crate::trace::{Trace, Tracer};

/// The number of a type that was made for objects of a recorded program.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct TypeNumber(usize);

/// Why an object like a recorded one could not be made.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// There is no such object: its parts do not fit its size.
    Form,
    /// There was no memory for it.
    Refused,
}

/// Roots as they were recorded.
#[derive(Copy, Clone, Debug)]
pub struct Roots<'r>(pub &'r [Edge]);

impl Trace for Roots<'_> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        for edge in self.0 {
            if edge.untyped {
                tracer.any_edge(edge.to);
            } else {
                tracer.edge_as_leaf(edge.to);
            }
        }
    }
}

pub(crate) fn new_type(heap: &mut Heap, name: &str, kind: Kind) -> Option<TypeNumber> {
    heap.store.new_replica_type(name, Kind { is_weak: false, ..kind }).map(TypeNumber)
}

pub(crate) fn put(
    heap: &mut Heap,
    of: TypeNumber,
    granules: u8,
    block: Option<usize>,
    long: Option<(u32, u32)>,
) -> Result<AnyGc, Misfit> {
    let form = Form { granules, block, long };
    let mut made = heap.store.put_replica(of.0, form);
    if let Err(Unfit::Refused(AllocErrorKind::Limit)) = made {
        // A callback had raised the limit; the new one is told with the next operation.
        let limit = std::mem::replace(&mut heap.store.limit, usize::MAX);
        made = heap.store.put_replica(of.0, form);
        heap.store.limit = limit;
    }
    made.map_err(|unfit| match unfit {
        Unfit::Form => Misfit::Form,
        Unfit::Refused(_) => Misfit::Refused,
    })
}

pub(crate) fn set_edges(heap: &mut Heap, object: AnyGc, edges: &[AnyGc]) -> bool {
    heap.store.set_replica_edges(object, edges)
}

pub(crate) fn set_element(heap: &mut Heap, object: AnyGc, element: u32, edges: &[AnyGc]) -> bool {
    heap.store.set_replica_element(object, element, edges)
}

pub(crate) fn touch(heap: &mut Heap, object: AnyGc, what: &Touching) {
    match what {
        Touching::Whole => heap.store.touch_replica(object, None),
        Touching::Elements(range) => {
            heap.store.touch_replica(object, Some(range.start as usize..range.end as usize));
        }
        Touching::Kept if heap.store.contains(object.handle()) => {
            let _ = heap.store.keep_for_cycle(object.handle());
        }
        Touching::Kept => {}
    }
}
