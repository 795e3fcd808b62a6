//! From events to bytes.
//!
//! An event is a byte that says which, and numbers of variable length, seven bits to a byte, the lowest first. An object is
//! named by how many were made since, plus one; so most names are short, and 0 is none. Of edges, the lowest bit says that it
//! has no type.

use crate::block::Packer;
use crate::caveat::Caveat;
use crate::event::{BufferChange, EdgeTo, Event, RootGroup};
use std::io::{self, Write};
use tumulus_heap::hooks::{self, Kind, Operation, Outcome, Settings, Touching};
use tumulus_heap::{Budget, Collector, Zeal};

pub(crate) const SETTINGS: u8 = 0;
pub(crate) const TYPE: u8 = 1;
pub(crate) const FORM: u8 = 2;
pub(crate) const ALLOC: u8 = 3;
pub(crate) const TOUCH: u8 = 4;
pub(crate) const EDGES: u8 = 5;
pub(crate) const ELEMENTS: u8 = 6;
pub(crate) const ROOTS: u8 = 7;
pub(crate) const OPERATION: u8 = 8;
pub(crate) const OUTCOME: u8 = 9;
pub(crate) const PHASE: u8 = 10;
pub(crate) const BUFFER: u8 = 11;
pub(crate) const CAVEAT: u8 = 12;
/// From here on: an object without a block, of the form of this number.
pub(crate) const SHORT_ALLOC: u8 = 32;

pub(crate) const GROUPS: [RootGroup; 4] = [RootGroup::Table, RootGroup::Scopes, RootGroup::Kept, RootGroup::Given];

/// Whether the roots are told with an operation. Where there is no tracing, none are passed.
pub(crate) fn has_roots(operation: Operation) -> bool {
    use Operation::{Collect, CollectMinor, QuietSafepoint, Safepoint, Step};
    matches!(operation, Safepoint | QuietSafepoint | Step(_) | Collect | CollectMinor)
}

/// Writes events.
///
/// ```
/// use tumulus_heap::Heap;
/// use tumulus_trace::{Event, Reader, Recorder, Writer};
///
/// # let mut heap = Heap::new();
/// # let recorder = Recorder::start(&mut heap, Vec::new())?;
/// # heap.collect(&());
/// # let (file, _) = recorder.finish(&mut heap)?;
/// // A copy without the phases.
/// let (mut reader, mut writer) = (Reader::new(&file[..])?, Writer::new(Vec::new())?);
/// while let Some(event) = reader.next_event()? {
///     if !matches!(event, Event::Phase { .. }) {
///         writer.write(&event)?;
///     }
/// }
/// assert_eq!(writer.end()?, file);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer<W: Write> {
    packer: Packer<W>,
    event: Vec<u8>,
    events: u64,
    objects: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a trace. Its first event has to be the [`Settings`](Event::Settings).
    ///
    /// # Errors
    ///
    /// Those of the writer below.
    pub fn new(writer: W) -> io::Result<Writer<W>> {
        Ok(Writer { packer: Packer::new(writer)?, event: Vec::new(), events: 0, objects: 0 })
    }

    /// How many events were written.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many objects there are.
    pub(crate) fn objects(&self) -> u64 {
        self.objects
    }

    /// Ends the trace. One that is not ended counts as broken off. The writer below is the result.
    ///
    /// # Errors
    ///
    /// Those of the writer below.
    pub fn end(self) -> io::Result<W> {
        Ok(self.end_counted()?.0)
    }

    /// As `end`, with the bytes of the file.
    pub(crate) fn end_counted(self) -> io::Result<(W, u64)> {
        self.packer.end(self.events)
    }

    /// Writes an event.
    ///
    /// # Errors
    ///
    /// Those of the writer below.
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Settings(settings) => self.settings(settings),
            Event::Type { name, kind } => self.new_type(name, *kind),
            Event::Form { of, granules, has_block } => {
                self.byte(FORM);
                self.number(u64::from(*of));
                self.byte(*granules);
                self.byte(u8::from(*has_block));
            }
            Event::Alloc { form, block: None } => {
                let short = u8::try_from(*form).ok().and_then(|form| form.checked_add(SHORT_ALLOC));
                self.byte(short.unwrap_or(ALLOC));
                if short.is_none() {
                    self.number(u64::from(*form));
                }
            }
            Event::Alloc { form, block: Some(block) } => {
                self.byte(ALLOC);
                self.number(u64::from(*form));
                self.number(block.bytes as u64);
                let (elements, words) = block.long.unwrap_or((0, 0));
                self.number(u64::from(elements));
                if elements > 0 {
                    self.number(u64::from(words));
                }
            }
            Event::Touch { object, what } => self.touch(*object, what),
            Event::Edges { object, edges } => {
                self.byte(EDGES);
                self.name(*object);
                self.edges(edges);
            }
            Event::Elements { object, first, elements } => {
                self.byte(ELEMENTS);
                self.name(*object);
                self.number(u64::from(*first));
                self.number(elements.len() as u64);
                for edges in elements {
                    self.edges(edges);
                }
            }
            Event::Roots { group, keep, remove, insert } => {
                self.byte(ROOTS);
                self.byte(GROUPS.iter().position(|known| known == group).unwrap_or(0) as u8);
                self.number(*keep);
                self.number(*remove);
                self.edges(insert);
            }
            Event::Operation { operation, external, limit, failed } => {
                self.operation(*operation);
                self.number(*external as u64);
                self.bound(*limit);
                self.byte(u8::from(*failed));
            }
            Event::Outcome(outcome) => self.outcome(outcome),
            Event::Phase { name } => {
                self.byte(PHASE);
                self.text(name);
            }
            Event::Buffer { change, bytes } => {
                self.byte(BUFFER);
                self.byte(BufferChange::ALL.iter().position(|known| known == change).unwrap_or(0) as u8);
                self.number(*bytes);
            }
            Event::Caveat(caveat) => {
                self.byte(CAVEAT);
                self.byte(Caveat::ALL.iter().position(|known| known == caveat).unwrap_or(0) as u8);
            }
        }
        self.objects += u64::from(matches!(event, Event::Alloc { .. }));
        self.events += 1;
        let result = self.packer.push(&self.event);
        self.event.clear();
        result
    }

    fn byte(&mut self, byte: u8) {
        self.event.push(byte);
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.event.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.event.push(number as u8);
    }

    /// A number of bytes that may be without bound.
    fn bound(&mut self, bytes: usize) {
        self.number(if bytes == usize::MAX { 0 } else { bytes as u64 + 1 });
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.event.extend_from_slice(text.as_bytes());
    }

    fn name(&mut self, object: u64) {
        self.number(self.objects - object);
    }

    fn edges(&mut self, edges: &[EdgeTo]) {
        self.number(edges.len() as u64);
        for edge in edges {
            let distance = edge.to.map_or(0, |to| self.objects - to);
            self.number(distance << 1 | u64::from(edge.untyped));
        }
    }

    fn budget(&mut self, budget: Budget) {
        match hooks::budget_parts(budget) {
            (Some(units), _) => {
                self.byte(0);
                self.number(units);
            }
            (None, Some(nanoseconds)) => {
                self.byte(1);
                self.number(nanoseconds);
            }
            (None, None) => self.byte(2),
        }
    }

    fn settings(&mut self, settings: &Settings) {
        self.byte(SETTINGS);
        self.bound(settings.limit);
        self.event.extend_from_slice(&settings.growth.to_le_bytes());
        self.number(settings.min_heap as u64);
        self.number(settings.nursery as u64);
        self.number(settings.page_retention.map_or(0, |bytes| (bytes as u64).saturating_add(1)));
        self.budget(settings.pause);
        self.byte(u8::from(settings.collector == Collector::None));
        let Zeal { collect_every, minor, slice, poison, verify, no_reuse, recheck } = settings.zeal;
        let flags = [minor, poison, verify, no_reuse, recheck];
        self.byte(flags.iter().enumerate().map(|(bit, &flag)| u8::from(flag) << bit).sum());
        self.number(collect_every.map_or(0, |every| u64::from(every.get())));
        self.number(slice.map_or(0, |units| u64::from(units.get())));
        self.number(settings.quiet_every.map_or(0, |bytes| bytes.saturating_add(1)));
    }

    fn new_type(&mut self, name: &str, kind: Kind) {
        self.byte(TYPE);
        self.text(name);
        self.byte(u8::from(kind.has_edges) | u8::from(kind.needs_drop) << 1 | u8::from(kind.is_weak) << 2);
    }

    fn touch(&mut self, object: u64, what: &Touching) {
        self.byte(TOUCH);
        self.name(object);
        match what {
            Touching::Whole => self.byte(0),
            Touching::Elements(range) => {
                self.byte(1);
                self.number(u64::from(range.start));
                self.number(u64::from(range.end - range.start));
            }
            Touching::Kept => self.byte(2),
        }
    }

    fn operation(&mut self, operation: Operation) {
        self.byte(OPERATION);
        match operation {
            Operation::Safepoint => self.byte(0),
            Operation::Step(budget) => {
                self.byte(1);
                self.budget(budget);
            }
            Operation::StartMajor => self.byte(2),
            Operation::Collect => self.byte(3),
            Operation::CollectMinor => self.byte(4),
            Operation::SetLimit(limit) => {
                self.byte(5);
                self.bound(limit);
            }
            Operation::Nothing => self.byte(6),
            Operation::QuietSafepoint => self.byte(7),
        }
    }

    fn outcome(&mut self, outcome: &Outcome) {
        self.byte(OUTCOME);
        let Outcome { used, committed, external, collections, freed_objects, .. } = *outcome;
        for number in [used as u64, committed as u64, external as u64, collections, freed_objects] {
            self.number(number);
        }
    }
}
