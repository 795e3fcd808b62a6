//! What is in a trace, in figures; and whether it is one.

use crate::caveat::Caveat;
use crate::decode::Reader;
use crate::error::{Flaw, TraceError};
use crate::event::{BufferChange, Event, Operation, Settings};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

/// What is in a trace; made by [`info`]. It displays as a page.
///
/// # Examples
///
/// ```
/// # let mut heap = tumulus_heap::Heap::new();
/// # let recorder = tumulus_trace::Recorder::start(&mut heap, Vec::new())?;
/// # heap.alloc([1_u64; 3]);
/// # let (file, _) = recorder.finish(&mut heap)?;
/// let info = tumulus_trace::info(&file[..])?;
/// assert_eq!((info.objects, info.bytes), (1, 32));
/// assert!(info.to_string().contains("[u64; 3]"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Info {
    /// Bytes of the file, and of the events in it.
    pub file_bytes: u64,
    /// Bytes of the events, unpacked.
    pub event_bytes: u64,
    /// Events.
    pub events: u64,
    /// The options of the heap that was recorded.
    pub settings: Option<Settings>,
    /// Objects that were made.
    pub objects: u64,
    /// Bytes of their cells and blocks.
    pub bytes: u64,
    /// Types, in the order in which they came.
    pub types: Vec<TypeInfo>,
    /// Phases, in order. What came before the first has no name.
    pub phases: Vec<PhaseInfo>,
    /// Operations: safepoints at which something was due, and what was asked for.
    pub operations: u64,
    /// Safepoints at which nothing was due, as far as they were recorded.
    pub quiet: u64,
    /// Operations that were asked for by name: collections, steps and the like.
    pub asked: u64,
    /// Collections that were completed.
    pub collections: u64,
    /// Objects that were freed.
    pub freed_objects: u64,
    /// Exclusive borrows of objects, as far as they were told.
    pub touches: u64,
    /// The most bytes of objects after an operation.
    pub peak_used: usize,
    /// The most bytes outside of the heap at an operation.
    pub peak_external: usize,
    /// What happened to buffers.
    pub buffers: BTreeMap<BufferChange, u64>,
    /// What could not be recorded as it was.
    pub caveats: Vec<Caveat>,
}

/// What was made of a type.
///
/// ```
/// # use tumulus_trace::TypeInfo;
/// let none = TypeInfo::default();
/// assert_eq!((none.objects, none.bytes), (0, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeInfo {
    /// Its name, as the compiler writes it.
    pub name: String,
    /// Objects that were made.
    pub objects: u64,
    /// Bytes of their cells and blocks.
    pub bytes: u64,
}

/// What happened in a phase.
///
/// ```
/// # use tumulus_trace::PhaseInfo;
/// assert_eq!(PhaseInfo::default().objects, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhaseInfo {
    /// Its name.
    pub name: String,
    /// The event that begins it.
    pub event: u64,
    /// Objects that were made.
    pub objects: u64,
    /// Bytes of their cells and blocks.
    pub bytes: u64,
    /// Operations.
    pub operations: u64,
}

/// Reads a trace, and says what is in it.
///
/// # Errors
///
/// [`TraceError`], if it is broken.
///
/// # Examples
///
/// ```
/// let error = tumulus_trace::info(&b"TUMTRACE"[..]).unwrap_err();
/// assert_eq!(error.to_string(), "at byte 0: this is not a trace of a tumulus heap");
/// ```
pub fn info<R: Read>(reader: R) -> Result<Info, TraceError> {
    let mut reader = Reader::new(reader)?;
    let mut info = Info {
        file_bytes: 0,
        event_bytes: 0,
        events: 0,
        settings: None,
        objects: 0,
        bytes: 0,
        types: Vec::new(),
        phases: vec![PhaseInfo::default()],
        operations: 0,
        quiet: 0,
        asked: 0,
        collections: 0,
        freed_objects: 0,
        touches: 0,
        peak_used: 0,
        peak_external: 0,
        buffers: BTreeMap::new(),
        caveats: Vec::new(),
    };
    let mut forms = Vec::new();
    while let Some(event) = reader.next_event()? {
        info.count(event, reader.events() - 1, &mut forms);
    }
    info.events = reader.events();
    info.file_bytes = reader.file_bytes();
    info.event_bytes = reader.event_bytes();
    info.caveats.sort_unstable();
    Ok(info)
}

/// Reads a trace, and checks all that can be checked without a heap: sizes, counts, checksums, order, that each event names
/// only what is there, and that objects have edges only if their type may. The number of events is the result.
///
/// # Errors
///
/// [`TraceError`] says what is wrong, and where.
///
/// # Examples
///
/// ```
/// # let mut heap = tumulus_heap::Heap::new();
/// # let recorder = tumulus_trace::Recorder::start(&mut heap, Vec::new())?;
/// # let (mut file, _) = recorder.finish(&mut heap)?;
/// assert!(tumulus_trace::check(&file[..]).is_ok());
/// let middle = file.len() / 2;
/// file[middle] ^= 1;
/// assert!(tumulus_trace::check(&file[..]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check<R: Read>(reader: R) -> Result<u64, TraceError> {
    let mut reader = Reader::new(reader)?;
    let (mut kinds, mut forms, mut objects) = (Vec::new(), Vec::new(), Vec::<u32>::new());
    while let Some(event) = reader.next_event()? {
        match event {
            Event::Type { kind, .. } => kinds.push(kind),
            Event::Form { of, .. } => forms.push(of),
            Event::Alloc { form, .. } => objects.push(form),
            Event::Edges { object, .. } | Event::Elements { object, .. } => {
                let form = objects[object as usize];
                if !kinds[forms[form as usize] as usize].has_edges {
                    let number = reader.events() - 1;
                    return Err(reader.error(Flaw::Event { number, what: "has edges of an object that can have none" }));
                }
            }
            _ => {}
        }
    }
    Ok(reader.events())
}

impl Info {
    fn count(&mut self, event: Event, number: u64, forms: &mut Vec<(u32, u64)>) {
        let phase = self.phases.last_mut().expect("there is one from the start");
        match event {
            Event::Settings(settings) => self.settings = Some(settings),
            Event::Type { name, .. } => self.types.push(TypeInfo { name, ..TypeInfo::default() }),
            Event::Form { of, granules, .. } => forms.push((of, u64::from(granules) * 16)),
            Event::Alloc { form, block } => {
                let (of, cell) = forms[form as usize];
                let bytes = cell + block.map_or(0, |block| block.bytes as u64);
                let by_type = &mut self.types[of as usize];
                for (objects, sum) in [
                    (&mut self.objects, &mut self.bytes),
                    (&mut by_type.objects, &mut by_type.bytes),
                    (&mut phase.objects, &mut phase.bytes),
                ] {
                    *objects += 1;
                    *sum = sum.saturating_add(bytes);
                }
            }
            Event::Touch { .. } => self.touches += 1,
            Event::Operation { operation: Operation::QuietSafepoint, external, .. } => {
                self.quiet += 1;
                self.peak_external = self.peak_external.max(external);
            }
            Event::Operation { operation, external, .. } => {
                self.operations += 1;
                phase.operations += 1;
                self.asked += u64::from(operation != Operation::Safepoint);
                self.peak_external = self.peak_external.max(external);
            }
            Event::Outcome(outcome) => {
                self.collections = self.collections.max(outcome.collections);
                self.freed_objects = self.freed_objects.max(outcome.freed_objects);
                self.peak_used = self.peak_used.max(outcome.used);
            }
            Event::Phase { name } => self.phases.push(PhaseInfo { name, event: number, ..PhaseInfo::default() }),
            Event::Buffer { change, .. } => *self.buffers.entry(change).or_default() += 1,
            Event::Caveat(caveat) => self.caveats.push(caveat),
            Event::Edges { .. } | Event::Elements { .. } | Event::Roots { .. } => {}
        }
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} events in {} bytes ({} unpacked)", self.events, self.file_bytes, self.event_bytes)?;
        writeln!(f, "{} objects, {} bytes", self.objects, self.bytes)?;
        writeln!(
            f,
            "{} collections, {} objects freed, {} slices and requests ({} asked for)",
            self.collections, self.freed_objects, self.operations, self.asked
        )?;
        writeln!(f, "{} safepoints at which nothing was due", self.quiet)?;
        writeln!(f, "at most {} bytes used, {} outside of the heap", self.peak_used, self.peak_external)?;
        if let Some(settings) = &self.settings {
            let Settings { limit, growth, min_heap, nursery, pause, .. } = settings;
            let limit = if *limit == usize::MAX { "none".into() } else { limit.to_string() };
            writeln!(f, "limit {limit}, growth {growth}, min-heap {min_heap}, nursery {nursery}, {pause:?}")?;
        }
        writeln!(f, "\n{:>14} {:>12}  type", "bytes", "objects")?;
        let mut types: Vec<&TypeInfo> = self.types.iter().collect();
        types.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        for row in types {
            writeln!(f, "{:>14} {:>12}  {}", row.bytes, row.objects, row.name)?;
        }
        if self.phases.len() > 1 {
            writeln!(f, "\n{:>14} {:>12} {:>12}  phase", "bytes", "objects", "from event")?;
            for phase in &self.phases {
                writeln!(f, "{:>14} {:>12} {:>12}  {}", phase.bytes, phase.objects, phase.event, phase.name)?;
            }
        }
        for (change, count) in &self.buffers {
            writeln!(f, "{count} times a buffer was changed: {change:?}")?;
        }
        for caveat in &self.caveats {
            writeln!(f, "not as it was: {caveat}")?;
        }
        Ok(())
    }
}
