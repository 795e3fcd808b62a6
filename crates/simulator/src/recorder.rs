//! Listens to a heap while a workload runs: when collections and their slices were, and how large the heap was.
//!
//! What the heap counts itself is not counted here again: sums and percentiles are asked of it at the end.

use crate::mmu::Interval;
use crate::outcome::{Census, Collection, Kind, Phase, Place, Sample, Stretch, TypeRow};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tumulus_arraybuffer::registry;
use tumulus_heap::{Event, ExternalBytes, Heap, Pause};

/// The most samples that are kept. When there are as many, every second one is dropped, and samples become rarer.
const MOST_SAMPLES: usize = 2048;
/// The first distance of samples.
const BETWEEN_SAMPLES: Duration = Duration::from_millis(1);
/// The most collections that are kept. When there are as many, every second minor one is dropped.
const MOST_COLLECTIONS: usize = 8192;
/// How many stretches of time pauses are counted in.
const STRETCHES: u64 = 1000;

/// What was heard and seen.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// When the workload began. It is moved on by time that does not count.
    began: Instant,
    external: ExternalBytes,
    pub(crate) pauses: Vec<Interval>,
    kinds: Vec<Kind>,
    /// All pauses on a processor.
    pub(crate) cpu: Option<Duration>,
    pub(crate) collections: Vec<Collection>,
    pub(crate) left_out: u64,
    /// Bytes that all collections have freed.
    freed: u64,
    under_way: Option<Begun>,
    pub(crate) hurried: u64,
    pub(crate) abandoned: u64,
    pub(crate) samples: Vec<Sample>,
    next_sample: Instant,
    between_samples: Duration,
    pub(crate) phases: Vec<Phase>,
    pub(crate) peaks: Peaks,
    /// Bytes of objects after the last full collection.
    pub(crate) live: u64,
    /// A full collection has ended since the last look: its number.
    full_ended: Option<u64>,
    pub(crate) census: Census,
    census_bytes: u64,
    pub(crate) places: Vec<Place>,
    places_bytes: usize,
}

/// The most that was seen.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Peaks {
    pub(crate) used: u64,
    pub(crate) committed: u64,
    pub(crate) external: u64,
    pub(crate) total: u64,
    pub(crate) live: u64,
}

/// A collection that has begun.
#[derive(Copy, Clone, Debug)]
struct Begun {
    at: u64,
    external: u64,
    hurried: bool,
}

impl Recorder {
    /// A recorder that listens to `heap` from now on.
    pub(crate) fn listen(heap: &mut Heap) -> Rc<RefCell<Recorder>> {
        let now = Instant::now();
        let recorder = Rc::new(RefCell::new(Recorder {
            began: now,
            external: heap.external_bytes(),
            pauses: Vec::new(),
            kinds: Vec::new(),
            cpu: Some(Duration::ZERO),
            collections: Vec::new(),
            left_out: 0,
            freed: 0,
            under_way: None,
            hurried: 0,
            abandoned: 0,
            samples: Vec::new(),
            next_sample: now,
            between_samples: BETWEEN_SAMPLES,
            phases: Vec::new(),
            peaks: Peaks::default(),
            live: 0,
            full_ended: None,
            census: Census::default(),
            census_bytes: 0,
            places: Vec::new(),
            places_bytes: 0,
        }));
        let ears = Rc::clone(&recorder);
        heap.on_event(move |event| ears.borrow_mut().event(event));
        let ears = Rc::clone(&recorder);
        heap.on_pause(move |pause| ears.borrow_mut().pause(pause));
        recorder
    }

    /// Nanoseconds from the workload's begin to `moment`.
    fn offset(&self, moment: Instant) -> u64 {
        moment.saturating_duration_since(self.began).as_nanos() as u64
    }

    /// The workload begins now.
    pub(crate) fn begin(&mut self) {
        self.began = Instant::now();
        self.next_sample = self.began;
    }

    /// How long the workload has been running.
    pub(crate) fn elapsed(&self) -> u64 {
        self.offset(Instant::now())
    }

    /// Time has passed that does not count.
    pub(crate) fn skip(&mut self, time: Duration) {
        self.began += time;
        self.next_sample += time;
    }

    pub(crate) fn phase(&mut self, name: &str, operations: u64) {
        let at = self.elapsed();
        self.phases.push(Phase { at, name: name.into(), operations });
    }

    fn pause(&mut self, pause: &Pause) {
        let begin = self.offset(pause.began);
        self.pauses.push(Interval { begin, end: begin + pause.took.as_nanos() as u64 });
        self.kinds.push(pause.kind.into());
        self.cpu = self.cpu.zip(pause.cpu).map(|(sum, cpu)| sum + cpu);
    }

    fn event(&mut self, event: &Event) {
        match *event {
            Event::Began { used, committed, .. } => {
                let external = self.external.get() as u64;
                self.note_size(used as u64, committed as u64, external);
                self.under_way = Some(Begun { at: self.elapsed(), external, hurried: false });
            }
            Event::Ended { .. } => self.note_collection(event),
            Event::Hurried { .. } => {
                self.hurried += 1;
                if let Some(begun) = &mut self.under_way {
                    begun.hurried = true;
                }
            }
            Event::Abandoned { .. } => {
                self.abandoned += 1;
                self.under_way = None;
            }
            _ => {}
        }
    }

    fn note_size(&mut self, used: u64, committed: u64, external: u64) {
        let peaks = &mut self.peaks;
        peaks.used = peaks.used.max(used);
        peaks.committed = peaks.committed.max(committed);
        peaks.external = peaks.external.max(external);
        peaks.total = peaks.total.max(committed + external);
    }

    fn note_collection(&mut self, event: &Event) {
        let Event::Ended {
            number,
            kind,
            reason,
            slices,
            work,
            used_before,
            used_after,
            committed_before,
            committed,
            freed_objects,
            freed_bytes,
            timing,
            ..
        } = *event
        else {
            return;
        };
        let external_after = self.external.get() as u64;
        self.note_size(used_after as u64, committed as u64, external_after);
        if kind == tumulus_heap::Kind::Full {
            self.live = used_after as u64;
            self.peaks.live = self.peaks.live.max(self.live);
            self.full_ended = Some(number);
        }
        self.freed += freed_bytes;
        let lasted = timing.lasted.as_nanos() as u64;
        let now = self.elapsed();
        let begun = self.under_way.take();
        let begun = begun.unwrap_or(Begun { at: now.saturating_sub(lasted), external: external_after, hurried: false });
        if self.collections.len() == MOST_COLLECTIONS {
            self.thin_collections();
        }
        self.collections.push(Collection {
            number,
            kind: kind.into(),
            reason: reason.into(),
            at: begun.at.min(now.saturating_sub(lasted)),
            lasted,
            paused: timing.paused.as_nanos() as u64,
            longest: timing.longest.as_nanos() as u64,
            slices,
            work,
            used_before: used_before as u64,
            used_after: used_after as u64,
            committed_before: committed_before as u64,
            committed_after: committed as u64,
            external_before: begun.external,
            external_after,
            freed_objects,
            freed_bytes,
            allocated: used_after as u64 + self.freed,
            hurried: begun.hurried,
        });
    }

    fn thin_collections(&mut self) {
        let before = self.collections.len();
        let mut minor = 0;
        self.collections.retain(|collection| {
            minor += u64::from(collection.kind == Kind::Minor);
            collection.kind == Kind::Full || minor % 2 == 0
        });
        self.left_out += (before - self.collections.len()) as u64;
    }

    /// Looks at the heap.
    pub(crate) fn look(&mut self, heap: &Heap, now: Instant) {
        let full_ended = self.full_ended.take();
        if let Some(number) = full_ended {
            self.take_census(heap, now, &format!("after full collection #{number}"));
        }
        if now >= self.next_sample {
            self.sample(heap, now);
        }
    }

    /// A sample of the heap's size.
    pub(crate) fn sample(&mut self, heap: &Heap, now: Instant) {
        let statistics = heap.statistics();
        let sample = Sample {
            at: self.offset(now),
            used: statistics.used_bytes as u64,
            committed: statistics.committed_bytes as u64,
            external: statistics.external_bytes as u64,
            live: self.live,
        };
        self.note_size(sample.used, sample.committed, sample.external);
        if self.samples.len() == MOST_SAMPLES {
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.between_samples *= 2;
        }
        self.samples.push(sample);
        self.next_sample = now + self.between_samples;
        if statistics.external_bytes > self.places_bytes + self.places_bytes / 8 {
            self.places_bytes = statistics.external_bytes;
            self.places = places();
        }
    }

    /// Counts what is in the heap, if it is more than at the last count.
    pub(crate) fn take_census(&mut self, heap: &Heap, now: Instant, when: &str) {
        let used = heap.statistics().used_bytes as u64;
        if used <= self.census_bytes && !self.census.when.is_empty() {
            return;
        }
        self.census_bytes = used;
        let row = |entry: tumulus_heap::TypeStatistics| TypeRow {
            name: entry.type_name.into(),
            objects: entry.objects,
            used_bytes: entry.used_bytes,
            waste_bytes: entry.waste_bytes,
            pages: entry.pages as u64,
        };
        self.census = Census {
            at: self.offset(now),
            when: when.into(),
            types: heap.type_statistics().into_iter().filter(|entry| entry.pages > 0).map(row).collect(),
        };
    }

    /// The pauses, counted in stretches of a run that took `end`.
    pub(crate) fn over_time(&self, end: u64) -> Vec<Stretch> {
        let width = (end / STRETCHES).max(1);
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut last = None;
        for (pause, &kind) in self.pauses.iter().zip(&self.kinds) {
            let took = pause.end - pause.begin;
            let number = pause.begin / width;
            match stretches.last_mut() {
                Some(stretch) if last == Some(number) => {
                    if took > stretch.longest {
                        (stretch.at, stretch.longest, stretch.kind) = (pause.begin, took, kind);
                    }
                    stretch.count += 1;
                    stretch.total += took;
                }
                _ => stretches.push(Stretch { at: pause.begin, longest: took, kind, count: 1, total: took }),
            }
            last = Some(number);
        }
        stretches
    }
}

/// The stores of the process by the place where they were made; what has most bytes comes first.
fn places() -> Vec<Place> {
    let mut rows: HashMap<String, Place> = HashMap::new();
    for entry in registry::entries().into_iter().filter(|entry| entry.kind != registry::Kind::Static) {
        let place = entry.born.to_string();
        let row = rows.entry(place.clone()).or_insert(Place { place, stores: 0, bytes: 0, held_bytes: 0 });
        row.stores += 1;
        row.bytes += entry.byte_length as u64;
        row.held_bytes += if entry.holders > 0 { entry.byte_length as u64 } else { 0 };
    }
    let mut rows: Vec<Place> = rows.into_values().collect();
    rows.sort_by(|one, other| (other.bytes, &one.place).cmp(&(one.bytes, &other.place)));
    rows
}
