//! Cuts a part out of a trace, so that it is a trace by itself.
//!
//! What came before the part is replaced by the objects that can be reached when it begins, as if they had been made just
//! then. For that the graph is followed: edges and roots are kept, and what cannot be reached at an operation is forgotten.

use crate::caveat::Caveat;
use crate::decode::Reader;
use crate::encode::{GROUPS, Writer};
use crate::error::{Flaw, TraceError};
use crate::event::{Block, EdgeTo, Event};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::ops::Range;

/// Which part of a trace is cut out.
///
/// ```
/// use tumulus_trace::Part;
///
/// assert_ne!(Part::Phase("startup".into()), Part::Events(0..1000));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// From the beginning of the first phase of this name to that of the next phase.
    Phase(String),
    /// These events, in whole operations: it begins and ends behind the next one that is complete.
    Events(Range<u64>),
}

/// Writes a part of a trace as a trace of its own; the writer is the result.
///
/// It begins with the objects that could be reached by then, which have other places in the replay than they had in the
/// program: it has a [`Caveat::BeganLate`].
///
/// # Errors
///
/// [`TraceError`], if the trace is broken, has no such phase, or the part cannot be written. What was written by then is no
/// complete trace.
///
/// # Examples
///
/// ```
/// use tumulus_trace::{Part, Recorder, Replay, cut};
///
/// let mut heap = tumulus_heap::Heap::new();
/// let mut recorder = Recorder::start(&mut heap, Vec::new())?;
/// let kept = heap.alloc("made before");
/// heap.collect(&kept);
/// recorder.phase(&mut heap, "interesting")?;
/// heap.alloc("garbage");
/// heap.collect(&kept);
/// let (file, _) = recorder.finish(&mut heap)?;
///
/// let part = cut(&file[..], Vec::new(), &Part::Phase("interesting".into()))?;
/// let replayed = Replay::new(&part[..])?.run()?;
/// assert_eq!(replayed.heap.statistics().live_objects, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cut<R: Read, W: Write>(reader: R, writer: W, part: &Part) -> Result<W, TraceError> {
    let mut reader = Reader::new(reader)?;
    let mut graph = Graph::default();
    let mut settings = None;
    let mut declarations = Vec::new();
    let mut has_begun = matches!(part, Part::Events(range) if range.start == 0);
    while !has_begun {
        let number = reader.events();
        let Some(event) = reader.next_event()? else {
            return Err(match part {
                Part::Phase(name) => reader.error(Flaw::NoPhase { name: name.clone() }),
                Part::Events(_) => reader.error(Flaw::Event { number, what: "is to be cut from, and is not there" }),
            });
        };
        graph.follow(&event);
        has_begun = match (&event, part) {
            (Event::Phase { name }, Part::Phase(wanted)) => name == wanted,
            (Event::Outcome(_), Part::Events(range)) => number + 1 >= range.start,
            _ => false,
        };
        match event {
            Event::Settings(_) => settings = Some(event),
            Event::Type { .. } | Event::Form { .. } | Event::Caveat(_) => declarations.push(event),
            Event::Phase { .. } if has_begun => declarations.push(event),
            _ => {}
        }
    }
    let mut copy =
        Copy { writer: Writer::new(writer).map_err(failed)?, numbers: BTreeMap::new(), next: reader.objects() };
    if let Some(settings) = settings {
        copy.write(&settings)?;
        for event in &declarations {
            copy.write(event)?;
        }
        graph.prune();
        copy.write_graph(&graph)?;
        if !declarations.contains(&Event::Caveat(Caveat::BeganLate)) {
            copy.write(&Event::Caveat(Caveat::BeganLate))?;
        }
    }
    let mut has_ended = false;
    while !has_ended {
        let number = reader.events();
        let Some(event) = reader.next_event()? else { break };
        has_ended = match (&event, part) {
            (Event::Phase { .. }, Part::Phase(_)) => break,
            (Event::Outcome(_), Part::Events(range)) => number + 1 >= range.end,
            _ => false,
        };
        copy.translate(event)?;
    }
    copy.writer.end().map_err(failed)
}

#[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn failed(error: io::Error) -> TraceError {
    TraceError { offset: 0, flaw: Flaw::Write { message: error.to_string() } }
}

/// What refers to what.
#[derive(Debug, Default)]
struct Graph {
    objects: BTreeMap<u64, Node>,
    roots: [Vec<EdgeTo>; GROUPS.len()],
    made: u64,
    /// Objects from this number on were made since the last operation: the program may hold them still.
    fresh: u64,
    prune_at: usize,
}

#[derive(Debug)]
struct Node {
    form: u32,
    block: Option<Block>,
    edges: Vec<EdgeTo>,
    /// Those of the elements of a long slice, as far as they were told.
    elements: BTreeMap<u32, Vec<EdgeTo>>,
}

impl Graph {
    fn follow(&mut self, event: &Event) {
        match event {
            Event::Alloc { form, block } => {
                let elements = BTreeMap::new();
                self.objects.insert(self.made, Node { form: *form, block: *block, edges: Vec::new(), elements });
                self.made += 1;
            }
            Event::Edges { object, edges } => {
                if let Some(node) = self.objects.get_mut(object) {
                    node.edges.clone_from(edges);
                }
            }
            Event::Elements { object, first, elements } => {
                if let Some(node) = self.objects.get_mut(object) {
                    node.elements.extend((*first..).zip(elements.iter().cloned()));
                }
            }
            Event::Roots { group, keep, remove, insert } => {
                let at = GROUPS.iter().position(|known| known == group).unwrap_or(0);
                let keep = *keep as usize;
                self.roots[at].splice(keep..keep + *remove as usize, insert.iter().copied());
            }
            Event::Outcome(_) => {
                self.fresh = self.made;
                if self.objects.len() > self.prune_at {
                    self.prune();
                    self.prune_at = (self.objects.len() * 2).max(1 << 12);
                }
            }
            _ => {}
        }
    }

    /// Forgets what cannot be reached.
    fn prune(&mut self) {
        let mut found: BTreeMap<u64, Node> = BTreeMap::new();
        let mut work: Vec<u64> =
            self.roots.iter().flatten().filter_map(|root| root.to).chain(self.fresh..self.made).collect();
        while let Some(number) = work.pop() {
            if let Some(node) = self.objects.remove(&number) {
                let edges = node.edges.iter().chain(node.elements.values().flatten());
                work.extend(edges.filter_map(|edge| edge.to));
                found.insert(number, node);
            }
        }
        self.objects = found;
    }
}

/// The trace that is written, in which objects have other numbers.
struct Copy<W: Write> {
    writer: Writer<W>,
    /// The new numbers of the objects that were made before the part.
    numbers: BTreeMap<u64, u64>,
    /// How many objects were made before it.
    next: u64,
}

impl<W: Write> Copy<W> {
    fn write(&mut self, event: &Event) -> Result<(), TraceError> {
        self.writer.write(event).map_err(failed)
    }

    fn write_graph(&mut self, graph: &Graph) -> Result<(), TraceError> {
        for (&number, node) in &graph.objects {
            self.numbers.insert(number, self.writer.objects());
            self.write(&Event::Alloc { form: node.form, block: node.block })?;
        }
        for (&object, node) in &graph.objects {
            if !node.edges.is_empty() {
                self.translate(Event::Edges { object, edges: node.edges.clone() })?;
            }
            let elements: Vec<(&u32, &Vec<EdgeTo>)> =
                node.elements.iter().filter(|(_, edges)| !edges.is_empty()).collect();
            for neighbours in elements.chunk_by(|(a, _), (b, _)| **a + 1 == **b) {
                let (&first, elements) =
                    (neighbours[0].0, neighbours.iter().map(|(_, edges)| (*edges).clone()).collect());
                self.translate(Event::Elements { object, first, elements })?;
            }
        }
        for (group, roots) in GROUPS.iter().zip(&graph.roots) {
            if !roots.is_empty() {
                self.translate(Event::Roots { group: *group, keep: 0, remove: 0, insert: roots.clone() })?;
            }
        }
        Ok(())
    }

    /// The new number of an object, if it is there.
    fn number(&self, old: u64) -> Option<u64> {
        let first_new = self.numbers.len() as u64;
        match old.checked_sub(self.next) {
            Some(since) => Some(first_new + since),
            None => self.numbers.get(&old).copied(),
        }
    }

    fn edges(&self, mut edges: Vec<EdgeTo>) -> Vec<EdgeTo> {
        for edge in &mut edges {
            edge.to = edge.to.and_then(|to| self.number(to));
        }
        edges
    }

    /// Writes an event with the new numbers; nothing, if its object is not there.
    fn translate(&mut self, event: Event) -> Result<(), TraceError> {
        let translated = match event {
            Event::Touch { object, what } => self.number(object).map(|object| Event::Touch { object, what }),
            Event::Edges { object, edges } => {
                self.number(object).map(|object| Event::Edges { object, edges: self.edges(edges) })
            }
            Event::Elements { object, first, elements } => self.number(object).map(|object| {
                let elements = elements.into_iter().map(|edges| self.edges(edges)).collect();
                Event::Elements { object, first, elements }
            }),
            Event::Roots { group, keep, remove, insert } => {
                Some(Event::Roots { group, keep, remove, insert: self.edges(insert) })
            }
            other => Some(other),
        };
        translated.map_or(Ok(()), |event| self.write(&event))
    }
}
