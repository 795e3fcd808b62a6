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
    /// The limit leaves no room for it.
    Limit,
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
    heap.store.put_replica(of.0, Form { granules, block, long }).map_err(|unfit| match unfit {
        Unfit::Form => Misfit::Form,
        Unfit::Refused(AllocErrorKind::Limit) => Misfit::Limit,
        Unfit::Refused(_) => Misfit::Refused,
    })
}

/// Collects the whole heap, as an allocation has failed.
pub(crate) fn collect_as_failed<R: Trace + ?Sized>(heap: &mut Heap, roots: &R) {
    heap.pressure.failed = true;
    heap.safepoint_when_due(roots);
}

/// As `put`, beyond the limit if need be: a callback had raised it, and the new one is told with the next operation.
pub(crate) fn put_in_any_case(
    heap: &mut Heap,
    of: TypeNumber,
    granules: u8,
    block: Option<usize>,
    long: Option<(u32, u32)>,
) -> Result<AnyGc, Misfit> {
    let mut made = put(heap, of, granules, block, long);
    if made == Err(Misfit::Limit) {
        let limit = std::mem::replace(&mut heap.store.limit, usize::MAX);
        made = put(heap, of, granules, block, long);
        heap.store.limit = limit;
    }
    made
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Zeal;

    fn heap() -> Heap {
        Heap::builder().zeal("verify,poison,recheck".parse::<Zeal>().unwrap()).build()
    }

    #[test]
    fn replicas_keep_alive_what_they_have_edges_to() {
        let mut heap = heap();
        let kinds = [(false, false), (false, true), (true, false), (true, true)];
        let types = kinds.map(|(has_edges, needs_drop)| {
            new_type(&mut heap, "replica", Kind { has_edges, needs_drop, is_weak: false }).unwrap()
        });
        for round in 0..3 {
            for (of, (has_edges, _)) in types.into_iter().zip(kinds) {
                for block in [None, Some(3000)] {
                    let granules = if block.is_some() { 2 } else { 5 };
                    let leaf = put(&mut heap, types[0], 1, None, None).unwrap();
                    let object = put(&mut heap, of, granules, block, None).unwrap();
                    assert_eq!(set_edges(&mut heap, object, &[leaf]), has_edges);
                    let edge = Edge { to: object, untyped: round == 1 };
                    heap.collect(&Roots(&[edge]));
                    assert_eq!((heap.contains(object), heap.contains(leaf)), (true, has_edges));
                    if has_edges {
                        // Written to when it is old, as minor collections have to know.
                        let young = put(&mut heap, types[1], 1, None, None).unwrap();
                        touch(&mut heap, object, &Touching::Whole);
                        assert!(set_edges(&mut heap, object, &[leaf, young]));
                        heap.collect_minor(&Roots(&[edge]));
                        assert!(heap.contains(young));
                    }
                }
            }
        }
        heap.collect(&());
        assert_eq!(heap.statistics().live_objects, 0);
    }

    #[test]
    fn a_long_replica_is_written_to_by_its_elements() {
        let mut heap = heap();
        let words = new_type(&mut heap, "words", Kind { has_edges: true, ..Kind::default() }).unwrap();
        let (elements, each) = (2100_u32, 2);
        let bytes = (elements * each) as usize * 8 + elements.div_ceil(16).div_ceil(64) as usize * 8;
        let object = put(&mut heap, words, 2, Some(bytes), Some((elements, each))).unwrap();
        let root = [Edge { to: object, untyped: false }];
        heap.collect(&Roots(&root));
        let mut made = Vec::new();
        for element in [0, 17, 513, 2099] {
            let target = put(&mut heap, words, 1, None, None).unwrap();
            touch(&mut heap, object, &Touching::Elements(element..element + 1));
            assert!(set_element(&mut heap, object, element, &[target]));
            made.push(target);
        }
        heap.collect_minor(&Roots(&root));
        heap.collect(&Roots(&root));
        assert!(made.iter().all(|&target| heap.contains(target)));
        assert!(!set_element(&mut heap, object, elements, &[]));
        assert!(!set_element(&mut heap, object, 0, &[object; 3]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut heap = heap();
        let kind = |has_edges, needs_drop| Kind { has_edges, needs_drop, is_weak: false };
        let words = new_type(&mut heap, "words", kind(true, false)).unwrap();
        let boxed = new_type(&mut heap, "boxed", kind(true, true)).unwrap();
        let misfits = [
            put(&mut heap, words, 0, None, None),
            put(&mut heap, words, 129, None, None),
            put(&mut heap, words, 2, None, Some((3000, 1))),
            put(&mut heap, words, 2, Some(24_000), Some((3000, 1))),
            put(&mut heap, words, 2, Some(1 << 40), Some((100, 1))),
            put(&mut heap, words, 2, Some(usize::MAX), None),
            put(&mut heap, boxed, 2, Some(4), None),
            put(&mut heap, boxed, 2, Some(1 << 20), Some((3000, 1))),
        ];
        assert!(misfits.iter().all(|misfit| *misfit == Err(Misfit::Form)), "{misfits:?}");
        let one = put(&mut heap, words, 1, None, None).unwrap();
        assert!(set_edges(&mut heap, one, &[one]) && !set_edges(&mut heap, one, &[one, one]));
        let plain = heap.alloc(1_u64).erase();
        assert!(!set_edges(&mut heap, plain, &[]) && !set_element(&mut heap, plain, 0, &[]));
        touch(&mut heap, plain, &Touching::Whole);
        assert!(!one.is::<u64>(&heap));
        heap.verify().unwrap();
    }
}
