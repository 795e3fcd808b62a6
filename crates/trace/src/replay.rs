//! Does a recorded program again, on a heap of its own. What an event does is in `stage.rs`.

use crate::caveat::Caveat;
use crate::decode::Reader;
use crate::error::{Flaw, TraceError};
use crate::event::Event;
use crate::stage::{Stage, Stuck};
use std::fmt;
use std::io::Read;
use tumulus_heap::hooks::{Outcome, Settings};
use tumulus_heap::{AnyGc, Heap, HeapBuilder, Trace, Zeal};

/// A trace that is about to be replayed.
///
/// The objects of the replay have the sizes, kinds and edges of those that were recorded, and no other contents. With the
/// options that were recorded, the collections are the same and come in the same places; a trace with a [`Caveat`] may
/// differ. With [other options](Replay::with_options) it says what a heap like that would have done with this program, if its
/// safepoints are known: see [`Safepoints`](crate::Safepoints).
///
/// # Examples
///
/// A replay whose collections are logged:
///
/// ```
/// use tumulus_heap::{Heap, LogFormat};
/// use tumulus_trace::{Recorder, Replay};
///
/// # let mut heap = Heap::new();
/// # let recorder = Recorder::start(&mut heap, Vec::new())?;
/// # heap.alloc(1);
/// # heap.collect(&());
/// # let (file, _) = recorder.finish(&mut heap)?;
/// let replay = Replay::new(&file[..])?;
/// let replayed = replay.run_with(|heap| heap.log_to(LogFormat::Plain, std::io::stderr()), |_, _| ())?;
/// assert_eq!(replayed.divergence, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Replay<R: Read> {
    reader: Reader<R>,
    settings: Settings,
    options: Option<HeapBuilder>,
}

/// What a replay has left.
///
/// ```
/// # let mut heap = tumulus_heap::Heap::new();
/// # let recorder = tumulus_trace::Recorder::start(&mut heap, Vec::new())?;
/// # let (file, _) = recorder.finish(&mut heap)?;
/// let replayed = tumulus_trace::Replay::new(&file[..])?.run()?;
/// assert_eq!((replayed.objects, replayed.misplaced_edges), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Replayed {
    /// The heap, for its statistics.
    pub heap: Heap,
    /// Events that were done.
    pub events: u64,
    /// Objects that were made.
    pub objects: u64,
    /// What could not be recorded as it was.
    pub caveats: Vec<Caveat>,
    /// Where the replay began to differ from the program, if it did. None with other options.
    pub divergence: Option<Divergence>,
    /// Edges for which their object had no room. None, but in a trace that something else has written.
    pub misplaced_edges: u64,
}

/// The first place at which a replay differs from the program that was recorded.
///
/// ```
/// # use tumulus_trace::Divergence;
/// fn tell(found: Option<Divergence>) -> String {
///     found.map_or("as recorded".into(), |divergence| divergence.to_string())
/// }
/// assert_eq!(tell(None), "as recorded");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The event that tells the outcome.
    pub event: u64,
    /// What was recorded.
    pub recorded: Outcome,
    /// What it was this time.
    pub replayed: Outcome,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Divergence { event, recorded: a, replayed: b } = self;
        write!(
            f,
            "differs from event {event} on: {} bytes used, {} committed, {} collections, {} freed; recorded were {}, {}, {}, {}",
            b.used, b.committed, b.collections, b.freed_objects, a.used, a.committed, a.collections, a.freed_objects
        )
    }
}

impl<R: Read> Replay<R> {
    /// Begins to read a trace, up to its options.
    ///
    /// # Errors
    ///
    /// [`TraceError`], if it is none.
    pub fn new(reader: R) -> Result<Replay<R>, TraceError> {
        let mut reader = Reader::new(reader)?;
        match reader.next_event()? {
            Some(Event::Settings(settings)) => Ok(Replay { reader, settings, options: None }),
            _ => Err(reader.error(Flaw::Event { number: 0, what: "is not the settings" })),
        }
    }

    /// A builder with the options that were recorded, but for the zeal modes `verify` and `recheck`: these change nothing, and
    /// panic at a program that is wrong, as the one that a file tells of may be.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::builder().limit(5 << 20).build();
    /// # let recorder = tumulus_trace::Recorder::start(&mut heap, Vec::new())?;
    /// # let (file, _) = recorder.finish(&mut heap)?;
    /// let replay = tumulus_trace::Replay::new(&file[..])?;
    /// assert_eq!(replay.options().build().limit(), 5 << 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn options(&self) -> HeapBuilder {
        let Settings { limit, growth, min_heap, nursery, page_retention, pause, collector, zeal, .. } = self.settings;
        let builder = Heap::builder().limit(limit).growth(growth).min_heap(min_heap).nursery(nursery);
        let zeal = Zeal { verify: false, recheck: false, ..zeal };
        let builder = builder.pause_budget(pause).collector(collector).zeal(zeal);
        page_retention.map_or(builder.clone(), |bytes| builder.page_retention(bytes))
    }

    /// The options that were recorded, and whether quiet safepoints were.
    ///
    /// ```
    /// # use tumulus_trace::{Recorder, Replay, Safepoints};
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let recorder = Recorder::start_with(&mut heap, Vec::new(), Safepoints::All)?;
    /// let (file, _) = recorder.finish(&mut heap)?;
    /// assert_eq!(Replay::new(&file[..])?.settings().quiet_every, Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Replays on a heap with other options: collections come when they are due in that one, at the safepoints that were
    /// recorded. A trace without [quiet ones](crate::Safepoints) has no others than those at which the recorded heap did some
    /// of its collecting, which is not enough for figures.
    ///
    /// The limit counts: where an object does not fit, the heap is collected, as by
    /// [`alloc_or_collect`](Heap::alloc_or_collect), and if that is in vain, it is a [`Flaw::Limit`]. Bytes outside of the heap are as many as they were.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// # let recorder = tumulus_trace::Recorder::start(&mut heap, Vec::new())?;
    /// # let (file, _) = recorder.finish(&mut heap)?;
    /// let replay = tumulus_trace::Replay::new(&file[..])?;
    /// let options = replay.options().growth(1.3);
    /// let replayed = replay.with_options(options).run()?;
    /// # drop(replayed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_options(mut self, options: HeapBuilder) -> Replay<R> {
        self.options = Some(options);
        self
    }

    /// Replays all of it.
    ///
    /// # Errors
    ///
    /// [`TraceError`], if the trace is broken, or an object of it cannot be made.
    pub fn run(self) -> Result<Replayed, TraceError> {
        self.run_with(|_| (), |_, _| ())
    }

    /// Replays all of it. `prepare` is called with the heap before, to have it logged; `after` with each event and the heap
    /// after it.
    ///
    /// # Errors
    ///
    /// As for [`run`](Replay::run).
    pub fn run_with(
        self,
        prepare: impl FnOnce(&mut Heap),
        mut after: impl FnMut(&Event, &mut Heap),
    ) -> Result<Replayed, TraceError> {
        let built = self.options.clone().unwrap_or_else(|| self.options()).try_build();
        let mut heap =
            built.map_err(|_| self.reader.error(Flaw::Replay { number: 0, what: "there is no such heap" }))?;
        prepare(&mut heap);
        let mut player = self.player();
        while let Some(event) = player.step(&mut heap)? {
            after(&event, &mut heap);
        }
        let Player { reader, stage } = player;
        let Stage { next: objects, divergence, mut caveats, misplaced_edges, .. } = stage;
        caveats.sort_unstable();
        Ok(Replayed { heap, events: reader.events(), objects, caveats, divergence, misplaced_edges })
    }

    /// Replays event by event, on a heap of the caller's, which nothing else has used. Unless there are
    /// [other options](Replay::with_options), it has those that were [recorded](Replay::options).
    pub fn player(self) -> Player<R> {
        let stage = Stage::new(self.options.is_none());
        Player { reader: self.reader, stage }
    }
}

/// A replay, event by event; made by [`Replay::player`].
///
/// ```
/// # let mut heap = tumulus_heap::Heap::new();
/// # let recorder = tumulus_trace::Recorder::start(&mut heap, Vec::new())?;
/// # heap.alloc(1);
/// # heap.collect(&());
/// # let (file, _) = recorder.finish(&mut heap)?;
/// let replay = tumulus_trace::Replay::new(&file[..])?;
/// let mut heap = replay.options().build();
/// let mut player = replay.player();
/// while let Some(event) = player.step(&mut heap)? {
///     println!("{event:?}: {} bytes", heap.statistics().used_bytes);
/// }
/// assert_eq!((player.divergence(), player.objects()), (None, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Player<R: Read> {
    reader: Reader<R>,
    stage: Stage,
}

impl<R: Read> Player<R> {
    /// Plays the next event on a heap, which is the same each time. None, when the trace has come to its end, and behind an
    /// error.
    ///
    /// # Errors
    ///
    /// As for [`Replay::run`].
    pub fn step(&mut self, heap: &mut Heap) -> Result<Option<Event>, TraceError> {
        let number = self.reader.events();
        let Some(event) = self.reader.next_event()? else { return Ok(None) };
        if let Err(stuck) = self.stage.play(heap, &event, number) {
            // What follows may name what could not be made.
            self.reader.end_here();
            return Err(self.reader.error(match stuck {
                Stuck::At(what) => Flaw::Replay { number, what },
                Stuck::Limit => Flaw::Limit { number, limit: heap.limit() },
            }));
        }
        Ok(Some(event))
    }

    /// The roots of the program as it is now, for a snapshot.
    pub fn roots(&self) -> impl Trace {
        self.stage.roots().into_iter().map(|edge| edge.to).collect::<Vec<AnyGc>>()
    }

    /// The first place at which the replay differs from the program.
    pub fn divergence(&self) -> Option<&Divergence> {
        self.stage.divergence.as_ref()
    }

    /// What could not be recorded as it was, as far as was told by now.
    pub fn caveats(&self) -> &[Caveat] {
        &self.stage.caveats
    }

    /// How many objects were made.
    pub fn objects(&self) -> u64 {
        self.stage.next
    }
}

impl<R: Read> fmt::Debug for Player<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("events", &self.reader.events()).finish_non_exhaustive()
    }
}

impl<R: Read> fmt::Debug for Replay<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("settings", &self.settings).finish_non_exhaustive()
    }
}
