//! Where a trace is played: the objects, roots and types of the program, as a replay has them by now.

use crate::caveat::Caveat;
use crate::encode::{GROUPS, has_roots};
use crate::event::{Block, EdgeTo, Event};
use crate::replay::Divergence;
use std::collections::HashMap;
use tumulus_heap::hooks::{self, Edge, Misfit, Operation, Outcome, Roots, Touching, TypeNumber};
use tumulus_heap::{AnyGc, Heap};

/// Why a replay cannot go on.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Stuck {
    At(&'static str),
    /// The limit is another one, and is reached.
    Limit,
}

/// An operation that waits for its outcome, which says how many bytes are outside of the heap then.
#[derive(Copy, Clone, Debug)]
struct Pending {
    operation: Operation,
    external: usize,
    limit: usize,
    failed: bool,
}

/// Where a trace is played.
pub(crate) struct Stage {
    is_as_recorded: bool,
    /// Collections have been where they were in the program. If not, the collector may not know yet of a write that it knew
    /// of there.
    is_exact: bool,
    types: Vec<TypeNumber>,
    /// Of each form: its type and the size of its cell.
    forms: Vec<(TypeNumber, u8)>,
    /// The objects that may be alive.
    objects: HashMap<u64, AnyGc>,
    pub(crate) next: u64,
    tidy_at: usize,
    roots: [Vec<EdgeTo>; GROUPS.len()],
    /// Objects from this number on were made since the roots were told,
    fresh: u64,
    /// and edges were changed since, so that the program may hold what those roots do not lead to any more.
    is_changed: bool,
    pending: Option<Pending>,
    pub(crate) divergence: Option<Divergence>,
    pub(crate) caveats: Vec<Caveat>,
    pub(crate) misplaced_edges: u64,
}

impl Stage {
    /// A stage on which nothing was played. Without other options all is done as it was recorded.
    pub(crate) fn new(is_as_recorded: bool) -> Stage {
        Stage {
            is_as_recorded,
            is_exact: is_as_recorded,
            types: Vec::new(),
            forms: Vec::new(),
            objects: HashMap::new(),
            next: 0,
            tidy_at: 1 << 12,
            roots: Default::default(),
            fresh: 0,
            is_changed: false,
            pending: None,
            divergence: None,
            caveats: Vec::new(),
            misplaced_edges: 0,
        }
    }

    /// Plays an event, the `number`th.
    pub(crate) fn play(&mut self, heap: &mut Heap, event: &Event, number: u64) -> Result<(), Stuck> {
        match event {
            Event::Type { name, kind } => {
                self.types.push(hooks::new_type(heap, name, *kind).ok_or(Stuck::At("it has too many types"))?);
            }
            Event::Form { of, granules, .. } => self.forms.push((self.types[*of as usize], *granules)),
            Event::Alloc { form, block } => self.alloc(heap, *form, *block)?,
            Event::Touch { object, what } => {
                if let Some(&object) = self.objects.get(object) {
                    Stage::touch(heap, object, what);
                }
            }
            Event::Edges { object, edges } => {
                self.is_changed = true;
                if let Some(&object) = self.objects.get(object) {
                    let edges = self.found(edges);
                    if !self.is_exact {
                        Stage::touch(heap, object, &Touching::Whole);
                    }
                    let fits = hooks::set_edges(heap, object, &edges);
                    self.misplaced_edges += u64::from(!fits && heap.contains(object));
                }
            }
            Event::Elements { object, first, elements } => {
                self.is_changed = true;
                if let Some(&object) = self.objects.get(object) {
                    if !self.is_exact {
                        Stage::touch(heap, object, &Touching::Elements(*first..*first + elements.len() as u32));
                    }
                    for (element, edges) in (*first..).zip(elements) {
                        let edges = self.found(edges);
                        let fits = hooks::set_element(heap, object, element, &edges);
                        self.misplaced_edges += u64::from(!fits && !edges.is_empty() && heap.contains(object));
                    }
                }
            }
            Event::Roots { group, keep, remove, insert } => {
                let at = GROUPS.iter().position(|known| known == group).unwrap_or(0);
                let keep = *keep as usize;
                self.roots[at].splice(keep..keep + *remove as usize, insert.iter().copied());
            }
            Event::Operation { operation, external, limit, failed } => {
                let (operation, external, limit, failed) = (*operation, *external, *limit, *failed);
                self.pending = Some(Pending { operation, external, limit, failed });
            }
            Event::Outcome(outcome) => self.outcome(heap, outcome, number)?,
            Event::Caveat(caveat) => {
                self.is_exact &= *caveat == Caveat::OtherHeaps;
                self.caveats.push(*caveat);
            }
            Event::Settings(_) | Event::Phase { .. } | Event::Buffer { .. } => {}
        }
        Ok(())
    }

    fn alloc(&mut self, heap: &mut Heap, form: u32, block: Option<Block>) -> Result<(), Stuck> {
        let (of, granules) = self.forms[form as usize];
        let (bytes, long) = (block.map(|block| block.bytes), block.and_then(|block| block.long));
        let put = if self.is_as_recorded { hooks::put_in_any_case } else { hooks::put };
        let mut made = put(heap, of, granules, bytes, long);
        if made == Err(Misfit::Limit) && !self.is_changed {
            self.collect_between(heap);
            made = put(heap, of, granules, bytes, long);
        }
        let made = made.map_err(|misfit| match misfit {
            Misfit::Form => Stuck::At("an object does not fit its size"),
            Misfit::Limit => Stuck::Limit,
            Misfit::Refused => Stuck::At("there is no memory for an object"),
        });
        self.objects.insert(self.next, made?);
        self.next += 1;
        Ok(())
    }

    /// Collects between two operations, as programs do where an allocation does not fit. What the program held at the last
    /// operation it may still hold, and what was made since.
    fn collect_between(&self, heap: &mut Heap) {
        let mut roots = self.roots();
        let fresh = (self.fresh..self.next).filter_map(|number| self.objects.get(&number));
        roots.extend(fresh.map(|&to| Edge { to, untyped: true }));
        hooks::collect_as_failed(heap, &Roots(&roots));
    }

    /// Those of the objects that edges lead to that are still known.
    fn found(&self, edges: &[EdgeTo]) -> Vec<AnyGc> {
        edges.iter().filter_map(|edge| self.objects.get(&edge.to?).copied()).collect()
    }

    fn touch(heap: &mut Heap, object: AnyGc, what: &Touching) {
        hooks::touch(heap, object, what);
    }

    /// The roots that are known.
    pub(crate) fn roots(&self) -> Vec<Edge> {
        let known = |root: &EdgeTo| {
            let to = *self.objects.get(&root.to?)?;
            Some(Edge { to, untyped: root.untyped })
        };
        self.roots.iter().flatten().filter_map(known).collect()
    }

    fn outcome(&mut self, heap: &mut Heap, recorded: &Outcome, event: u64) -> Result<(), Stuck> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let roots = self.roots();
        if has_roots(pending.operation) {
            (self.fresh, self.is_changed) = (self.next, false);
        }
        if self.is_as_recorded {
            let before = (pending.external, pending.limit, pending.failed);
            hooks::perform(heap, pending.operation, &Roots(&roots), before, recorded.external);
            self.compare(heap, recorded, event);
        } else {
            perform_if_due(heap, pending, &Roots(&roots), recorded.external)?;
        }
        if self.objects.len() >= self.tidy_at {
            self.objects.retain(|_, object| heap.contains(*object));
            self.tidy_at = (self.objects.len() * 2).max(1 << 12);
        }
        Ok(())
    }

    fn compare(&mut self, heap: &Heap, recorded: &Outcome, event: u64) {
        let replayed = hooks::outcome(heap);
        // An operation that unwound has left no figures.
        if self.divergence.is_none() && replayed != *recorded && *recorded != Outcome::default() {
            self.is_exact = false;
            self.divergence = Some(Divergence { event, recorded: *recorded, replayed });
        }
    }
}

/// Does what was asked for, on a heap with options of its own.
fn perform_if_due(heap: &mut Heap, pending: Pending, roots: &Roots<'_>, external_after: usize) -> Result<(), Stuck> {
    if set_external(heap, pending.external).is_err() && has_roots(pending.operation) {
        hooks::collect_as_failed(heap, roots);
    }
    set_external(heap, pending.external)?;
    match pending.operation {
        Operation::Safepoint | Operation::QuietSafepoint => heap.safepoint(roots),
        Operation::Step(budget) => {
            let _ = heap.step(roots, budget);
        }
        Operation::StartMajor => heap.start_major(),
        Operation::Collect => heap.collect(roots),
        Operation::CollectMinor => heap.collect_minor(roots),
        // The limit is among the options.
        Operation::SetLimit(_) | Operation::Nothing => {}
    }
    set_external(heap, external_after)
}

fn set_external(heap: &mut Heap, bytes: usize) -> Result<(), Stuck> {
    let now = heap.external_bytes().get();
    heap.external_bytes().sub(now.saturating_sub(bytes));
    heap.try_add_external_bytes(bytes.saturating_sub(now)).map_err(|_| Stuck::Limit)
}
