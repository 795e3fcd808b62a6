//! From bytes to events, with strict checks.
//!
//! Whatever the file says, reading it takes memory in proportion to what was read, and ends. Each event is checked against
//! those before it: what it names has to be there.

use crate::block::{QUIET_SAFEPOINTS, Unpacker};
use crate::caveat::Caveat;
use crate::encode::{
    ALLOC, BUFFER, CAVEAT, EDGES, ELEMENTS, FORM, GROUPS, OPERATION, OUTCOME, PHASE, ROOTS, SETTINGS, SHORT_ALLOC,
    TOUCH, TYPE,
};
use crate::error::{Flaw, TraceError};
use crate::event::{Block, BufferChange, EdgeTo, Event};
use std::collections::HashMap;
use std::io::Read;
use std::num::NonZeroU32;
use std::time::Duration;
use tumulus_heap::hooks::{Kind, Operation, Outcome, Settings, Touching};
use tumulus_heap::{Budget, Collector, Zeal};

/// The longest name of a type or a phase.
const LONGEST_NAME: u64 = 64 << 10;
/// The largest block: more than any machine has.
const LARGEST_BLOCK: u64 = 1 << 46;
/// How much room is made at once for what a file says that there is.
const AT_ONCE: u64 = 1 << 10;

/// A form, as far as other events depend on it.
#[derive(Copy, Clone, Debug)]
struct FormOf {
    has_edges: bool,
    has_block: bool,
}

/// Reads a trace, and checks it.
///
/// ```
/// use tumulus_trace::Reader;
///
/// # let mut heap = tumulus_heap::Heap::new();
/// # let recorder = tumulus_trace::Recorder::start(&mut heap, Vec::new())?;
/// # let (file, _) = recorder.finish(&mut heap)?;
/// let mut reader = Reader::new(&file[..])?;
/// while let Some(event) = reader.next_event()? {
///     println!("{}: {event:?}", reader.events());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    bytes: Unpacker<R>,
    events: u64,
    types: Vec<Kind>,
    forms: Vec<FormOf>,
    objects: u64,
    /// The elements of long slices.
    long: HashMap<u64, u32>,
    /// How many roots each group has.
    roots: [u64; GROUPS.len()],
    /// An operation has begun, and its outcome has not been told.
    is_open: bool,
    is_over: bool,
}

impl<R: Read> Reader<R> {
    /// Begins to read a trace.
    ///
    /// # Errors
    ///
    /// [`TraceError`], if it is none, or one of another format.
    pub fn new(reader: R) -> Result<Reader<R>, TraceError> {
        Ok(Reader {
            bytes: Unpacker::new(reader)?,
            events: 0,
            types: Vec::new(),
            forms: Vec::new(),
            objects: 0,
            long: HashMap::new(),
            roots: [0; GROUPS.len()],
            is_open: false,
            is_over: false,
        })
    }

    /// How many events were read.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many bytes of the file were read.
    pub fn file_bytes(&self) -> u64 {
        self.bytes.file_bytes()
    }

    /// How many bytes of events were in them.
    pub fn event_bytes(&self) -> u64 {
        self.bytes.event_bytes
    }

    /// How many objects the events so far have made.
    pub(crate) fn objects(&self) -> u64 {
        self.objects
    }

    /// Ends the trace here, as what was read of it makes no sense.
    pub(crate) fn end_here(&mut self) {
        self.is_over = true;
    }

    /// An error at this place.
    pub(crate) fn error(&self, flaw: Flaw) -> TraceError {
        self.bytes.error(flaw)
    }

    /// The next event; none, when the trace has come to its end.
    ///
    /// # Errors
    ///
    /// [`TraceError`] says what is wrong, and where. There are no more events then.
    pub fn next_event(&mut self) -> Result<Option<Event>, TraceError> {
        if self.is_over {
            return Ok(None);
        }
        let event = self.read_event();
        self.is_over = !matches!(event, Ok(Some(_)));
        self.events += u64::from(!self.is_over);
        event
    }

    fn read_event(&mut self) -> Result<Option<Event>, TraceError> {
        if !self.bytes.has_more()? {
            if self.bytes.expected_events() != Some(self.events) {
                return Err(self.error(Flaw::Damaged { what: "the number of events is wrong" }));
            }
            self.check(self.events > 0, "is missing: there are no settings")?;
            self.check(!self.is_open, "is missing: an operation has no outcome")?;
            return Ok(None);
        }
        let code = self.bytes.byte()?;
        self.check((code == SETTINGS) == (self.events == 0), "is not where settings belong, which is first")?;
        self.check(!self.is_open || matches!(code, OUTCOME | CAVEAT), "comes between an operation and its outcome")?;
        let event = match code {
            SETTINGS => Event::Settings(self.settings()?),
            TYPE => {
                let (name, flags) = (self.text()?, self.byte_below(8, "has a type of an unknown kind")?);
                let kind = Kind { has_edges: flags & 1 != 0, needs_drop: flags & 2 != 0, is_weak: flags & 4 != 0 };
                self.types.push(kind);
                Event::Type { name, kind }
            }
            FORM => self.form()?,
            ALLOC => {
                let form = self.small()?;
                let form_of = self.form_at(form)?;
                let block = if form_of.has_block { Some(self.block(form_of)?) } else { None };
                self.alloc(form, block)
            }
            SHORT_ALLOC.. => {
                let form = u32::from(code - SHORT_ALLOC);
                let form_of = self.form_at(form)?;
                self.check(!form_of.has_block, "has no block, and should")?;
                self.alloc(form, None)
            }
            TOUCH => self.touch()?,
            EDGES => Event::Edges { object: self.name()?, edges: self.edges()? },
            ELEMENTS => self.elements()?,
            ROOTS => self.roots()?,
            OPERATION => self.operation()?,
            OUTCOME => {
                self.check(self.is_open, "is an outcome of nothing")?;
                self.is_open = false;
                Event::Outcome(self.outcome()?)
            }
            PHASE => Event::Phase { name: self.text()? },
            BUFFER => {
                let change = self.byte_below(BufferChange::ALL.len() as u8, "has an unknown change of a buffer")?;
                Event::Buffer { change: BufferChange::ALL[usize::from(change)], bytes: self.number()? }
            }
            CAVEAT => {
                let caveat = self.byte_below(Caveat::ALL.len() as u8, "is an unknown caveat")?;
                Event::Caveat(Caveat::ALL[usize::from(caveat)])
            }
            _ => return Err(self.event_error("is of an unknown kind")),
        };
        Ok(Some(event))
    }

    fn event_error(&self, what: &'static str) -> TraceError {
        self.error(Flaw::Event { number: self.events, what })
    }

    fn check(&self, holds: bool, what: &'static str) -> Result<(), TraceError> {
        if holds { Ok(()) } else { Err(self.event_error(what)) }
    }

    fn byte_below(&mut self, bound: u8, what: &'static str) -> Result<u8, TraceError> {
        let byte = self.bytes.byte()?;
        self.check(byte < bound, what)?;
        Ok(byte)
    }

    fn flag(&mut self) -> Result<bool, TraceError> {
        Ok(self.byte_below(2, "has a flag that is neither 0 nor 1")? == 1)
    }

    fn number(&mut self) -> Result<u64, TraceError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.bytes.byte()?;
            let bits = u64::from(byte & 0x7f);
            self.check(shift < 63 || bits < 2, "has a number of more than 64 bits")?;
            number |= bits << shift;
            if byte < 0x80 {
                self.check(byte > 0 || shift == 0, "has a number with zeros in front")?;
                return Ok(number);
            }
        }
        Err(self.event_error("has a number of more than 64 bits"))
    }

    fn small(&mut self) -> Result<u32, TraceError> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.event_error("has a number of more than 32 bits"))
    }

    fn size(&mut self) -> Result<usize, TraceError> {
        let number = self.number()?;
        usize::try_from(number).map_err(|_| self.event_error("has a size that this machine cannot count"))
    }

    fn bound(&mut self) -> Result<usize, TraceError> {
        Ok(self.size()?.wrapping_sub(1))
    }

    fn text(&mut self) -> Result<String, TraceError> {
        let len = self.number()?;
        self.check(len <= LONGEST_NAME, "has a name that is too long")?;
        let mut bytes = Vec::new();
        for _ in 0..len {
            bytes.push(self.bytes.byte()?);
        }
        String::from_utf8(bytes).map_err(|_| self.event_error("has a name that is not Unicode"))
    }

    fn name(&mut self) -> Result<u64, TraceError> {
        let distance = self.number()?;
        self.check(distance > 0 && distance <= self.objects, "names an object that does not exist")?;
        Ok(self.objects - distance)
    }

    fn edges(&mut self) -> Result<Vec<EdgeTo>, TraceError> {
        let count = self.number()?;
        let mut edges = Vec::with_capacity(count.min(AT_ONCE) as usize);
        for _ in 0..count {
            let number = self.number()?;
            let (distance, untyped) = (number >> 1, number & 1 == 1);
            self.check(distance <= self.objects, "has an edge to an object that does not exist")?;
            let to = (distance > 0).then(|| self.objects - distance);
            edges.push(EdgeTo { to, untyped });
        }
        Ok(edges)
    }

    fn budget(&mut self) -> Result<Budget, TraceError> {
        Ok(match self.byte_below(3, "has an unknown budget")? {
            0 => Budget::work(self.number()?),
            1 => Budget::time(Duration::from_nanos(self.number()?)),
            _ => Budget::unlimited(),
        })
    }

    fn settings(&mut self) -> Result<Settings, TraceError> {
        let limit = self.bound()?;
        let mut growth = [0; 8];
        for byte in &mut growth {
            *byte = self.bytes.byte()?;
        }
        let growth = f64::from_le_bytes(growth);
        self.check(growth > 1.0 && growth.is_finite(), "has a growth that is no finite number above 1")?;
        let (min_heap, nursery) = (self.size()?, self.size()?);
        let page_retention = self.size()?.checked_sub(1);
        let pause = self.budget()?;
        let collector = if self.flag()? { Collector::None } else { Collector::MarkSweep };
        let flags = self.byte_below(32, "has an unknown zeal")?;
        let zeal = Zeal {
            collect_every: NonZeroU32::new(self.small()?),
            slice: NonZeroU32::new(self.small()?),
            minor: flags & 1 != 0,
            poison: flags & 2 != 0,
            verify: flags & 4 != 0,
            no_reuse: flags & 8 != 0,
            recheck: flags & 16 != 0,
        };
        let quiet_every = if self.bytes.format() >= QUIET_SAFEPOINTS { self.number()?.checked_sub(1) } else { None };
        Ok(Settings {
            limit,
            growth,
            min_heap,
            nursery,
            page_retention,
            pause,
            collector,
            zeal,
            is_used: false,
            quiet_every,
        })
    }

    fn form(&mut self) -> Result<Event, TraceError> {
        let of = self.small()?;
        let Some(&kind) = self.types.get(of as usize) else { return Err(self.event_error("has an unknown type")) };
        let granules = self.bytes.byte()?;
        self.check((1..=128).contains(&granules), "has a cell that is too large")?;
        let has_block = self.flag()?;
        self.check(!has_block || granules == 2, "has a block, and another cell than goes with it")?;
        self.forms.push(FormOf { has_edges: kind.has_edges, has_block });
        Ok(Event::Form { of, granules, has_block })
    }

    fn form_at(&self, form: u32) -> Result<FormOf, TraceError> {
        self.forms.get(form as usize).copied().ok_or_else(|| self.event_error("has an unknown form"))
    }

    fn block(&mut self, form: FormOf) -> Result<Block, TraceError> {
        let bytes = self.size()?;
        self.check(bytes as u64 <= LARGEST_BLOCK, "has a block that is too large")?;
        let elements = self.small()?;
        if elements == 0 {
            return Ok(Block { bytes, long: None });
        }
        let words = self.small()?;
        let cards = u64::from(elements).div_ceil(16).div_ceil(64);
        let needed = (u64::from(elements) * u64::from(words)).checked_add(cards).and_then(|words| words.checked_mul(8));
        let fits = needed.is_some_and(|needed| needed <= bytes as u64);
        self.check(form.has_edges && fits, "has a long slice that does not fit its block")?;
        self.long.insert(self.objects, elements);
        Ok(Block { bytes, long: Some((elements, words)) })
    }

    fn alloc(&mut self, form: u32, block: Option<Block>) -> Event {
        self.objects += 1;
        Event::Alloc { form, block }
    }

    fn touch(&mut self) -> Result<Event, TraceError> {
        let object = self.name()?;
        let what = match self.byte_below(3, "has an unknown touch")? {
            0 => Touching::Whole,
            1 => {
                let (start, len) = (self.small()?, self.small()?);
                self.check_elements(object, start, u64::from(len))?;
                Touching::Elements(start..start + len)
            }
            _ => Touching::Kept,
        };
        Ok(Event::Touch { object, what })
    }

    fn check_elements(&self, object: u64, first: u32, count: u64) -> Result<(), TraceError> {
        let elements = self.long.get(&object).copied().unwrap_or(0);
        self.check(u64::from(first) + count <= u64::from(elements), "has elements that its object does not have")
    }

    fn elements(&mut self) -> Result<Event, TraceError> {
        let (object, first, count) = (self.name()?, self.small()?, self.number()?);
        self.check_elements(object, first, count)?;
        let mut elements = Vec::with_capacity(count.min(AT_ONCE) as usize);
        for _ in 0..count {
            elements.push(self.edges()?);
        }
        Ok(Event::Elements { object, first, elements })
    }

    fn roots(&mut self) -> Result<Event, TraceError> {
        let group = usize::from(self.byte_below(GROUPS.len() as u8, "has an unknown group of roots")?);
        let (keep, remove) = (self.number()?, self.number()?);
        let insert = self.edges()?;
        let there = self.roots[group];
        let fits = keep.checked_add(remove).is_some_and(|sum| sum <= there);
        self.check(fits, "has more roots than there are")?;
        self.roots[group] = there - remove + insert.len() as u64;
        Ok(Event::Roots { group: GROUPS[group], keep, remove, insert })
    }

    fn operation(&mut self) -> Result<Event, TraceError> {
        let known = if self.bytes.format() >= QUIET_SAFEPOINTS { 8 } else { 7 };
        let operation = match self.byte_below(known, "asks for something unknown")? {
            0 => Operation::Safepoint,
            1 => Operation::Step(self.budget()?),
            2 => Operation::StartMajor,
            3 => Operation::Collect,
            4 => Operation::CollectMinor,
            5 => Operation::SetLimit(self.bound()?),
            6 => Operation::Nothing,
            _ => Operation::QuietSafepoint,
        };
        self.is_open = true;
        Ok(Event::Operation { operation, external: self.size()?, limit: self.bound()?, failed: self.flag()? })
    }

    fn outcome(&mut self) -> Result<Outcome, TraceError> {
        Ok(Outcome {
            used: self.size()?,
            committed: self.size()?,
            external: self.size()?,
            collections: self.number()?,
            freed_objects: self.number()?,
            lost: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    //! Events that are wrong behind a right checksum, as no damage makes them.

    use super::*;
    use crate::block::{Packer, Unpacker};
    use crate::{Part, Recorder, Replay, Safepoints, cut};
    use tumulus_heap::{Gc, Heap};

    /// The bytes of the events of a small trace of many kinds.
    fn sample() -> (Vec<u8>, u64) {
        let mut heap = Heap::builder().zeal(Zeal::none()).limit(8 << 20).build();
        let mut recorder = Recorder::start_with(&mut heap, Vec::new(), Safepoints::All).unwrap();
        let table = heap.alloc_slice(&vec![None::<Gc<str>>; 2100]);
        let text = heap.alloc_str("text");
        heap.collect(&table);
        recorder.phase(&mut heap, "p").unwrap();
        let text = if heap.contains(text) { text } else { heap.alloc_str("again") };
        heap.slice_mut(table, 17..19)[1] = Some(text);
        let holder = heap.alloc(vec![text]);
        heap.set_limit(9 << 20);
        heap.safepoint(&(table, holder));
        let _ = heap.step(&(table, holder), Budget::work(100));
        heap.collect_minor(&table);
        let (file, _) = recorder.finish(&mut heap).unwrap();
        let mut unpacker = Unpacker::new(&file[..]).unwrap();
        let mut events = Vec::new();
        while unpacker.has_more().unwrap() {
            events.push(unpacker.byte().unwrap());
        }
        let count = unpacker.expected_events().unwrap();
        (events, count)
    }

    fn pack(events: &[u8], count: u64) -> Vec<u8> {
        let mut packer = Packer::new(Vec::new()).unwrap();
        packer.push(events).unwrap();
        packer.end(count).unwrap().0
    }

    #[test]
    fn wrong_events_are_errors_or_other_programs_and_never_more() {
        let (events, count) = sample();
        let mut wrong = 0;
        let changes: &[u8] = if cfg!(miri) { &[0x80] } else { &[0x01, 0x02, 0x04, 0x40, 0x80, 0xff] };
        for at in 0..events.len() {
            for change in changes {
                let mut changed = events.clone();
                changed[at] ^= change;
                let file = pack(&changed, count);
                let read: Result<Vec<Event>, TraceError> = read_all(&file);
                let Ok(read) = read else {
                    wrong += 1;
                    continue;
                };
                let _ = crate::check(&file[..]);
                let _ = cut(&file[..], Vec::new(), &Part::Events(5..9));
                let _ = cut(&file[..], Vec::new(), &Part::Phase("p".into()));
                let is_small = read.iter().all(|event| match event {
                    Event::Alloc { block: Some(block), .. } => block.bytes < 1 << 20,
                    _ => true,
                });
                if is_small && let Ok(replayed) = Replay::new(&file[..]).and_then(Replay::run) {
                    // A wrong program may use what is dead; the heap is in order all the same.
                    let flaws = replayed.heap.verify().err().map_or(Vec::new(), |error| error.flaws);
                    assert!(flaws.iter().all(|flaw| matches!(flaw, tumulus_heap::Flaw::StaleEdge { .. })), "{flaws:?}");
                }
            }
        }
        assert!(cfg!(miri) || wrong > events.len(), "{wrong} of {} bytes", events.len());
    }

    fn read_all(file: &[u8]) -> Result<Vec<Event>, TraceError> {
        let mut reader = Reader::new(file)?;
        std::iter::from_fn(|| reader.next_event().transpose()).collect()
    }

    #[test]
    fn what_contradicts_is_named() {
        let (events, count) = sample();
        let told = |file: &[u8]| read_all(file).unwrap_err().flaw.to_string();
        assert_eq!(told(&pack(&events, count + 1)), "a block is damaged: the number of events is wrong");
        assert_eq!(told(&pack(&[], 0)), "event 0 is missing: there are no settings");
        assert_eq!(told(&pack(&events[1..], count)), "event 0 is not where settings belong, which is first");
        assert_eq!(
            told(&pack(&[&events[..], &[EDGES, 100, 0]].concat(), count)),
            format!("event {count} names an object that does not exist")
        );
        assert_eq!(
            told(&pack(&[&events[..], &[SHORT_ALLOC + 90]].concat(), count)),
            format!("event {count} has an unknown form")
        );
        assert_eq!(told(&pack(&[&events[..], &[30]].concat(), count)), format!("event {count} is of an unknown kind"));
        assert_eq!(
            told(&pack(&[&events[..], &[OUTCOME]].concat(), count)),
            format!("event {count} is an outcome of nothing")
        );
        assert_eq!(
            told(&pack(&[&events[..], &[PHASE, 3, b'a']].concat(), count)),
            "a block is damaged: it ends within an event"
        );
        let long = [&events[..], &[PHASE, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]].concat();
        assert_eq!(told(&pack(&long, count)), format!("event {count} has a name that is too long"));
        let roots = [&events[..], &[ROOTS, 3, 90, 1, 0]].concat();
        assert_eq!(told(&pack(&roots, count)), format!("event {count} has more roots than there are"));
    }
}
