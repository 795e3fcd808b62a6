//! Runs a workload on a heap, and says how it went.

use crate::findings;
use crate::mmu::least_utilisation;
use crate::options::HeapOptions;
use crate::outcome::{
    self, Allocation, Allocations, Distribution, End, Machine, Memory, Outcome, Pauses, Time, Totals, Utilisation,
};
use crate::session::{Session, Stop};
use crate::workloads::{Values, Workload};
use cpu_time::ProcessTime;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tumulus_heap::{Heap, HeapError, Kind, LogFormat};
use tumulus_trace::Safepoints;

/// The windows whose utilisation is told, in microseconds.
const WINDOWS_US: [u64; 15] = [
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 16_667, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
];
/// How many bytes there are to a sample of allocations as a rule: as few samples as V8 takes.
pub const USUAL_SAMPLES: NonZeroUsize = NonZeroUsize::new(512 << 10).expect("it is not 0");
/// Environment variables that a heap reads.
const VARIABLES: [&str; 2] = ["TUMULUS_OPTIONS", "TUMULUS_ZEAL"];

/// How far a run is.
#[derive(Copy, Clone, Debug)]
pub struct Progress {
    /// Operations that are done.
    pub done: u64,
    /// Operations that are to be done, if that is known.
    pub planned: Option<u64>,
    /// What the workload says that it is doing.
    pub phase: &'static str,
}

/// Who is told how far a run is.
pub type Watch = Box<dyn FnMut(&Progress)>;

/// How a workload is to be run.
///
/// ```
/// use tumulus_simulator::{HeapOptions, Setup};
///
/// let options = HeapOptions { limit: Some("64m".parse().unwrap()), ..HeapOptions::default() };
/// let setup = Setup { options, seed: 7, ..Setup::default() };
/// # drop(setup);
/// ```
#[derive(Default)]
pub struct Setup {
    /// The name of what is run, for the outcome.
    pub workload: String,
    /// What it is, in a line, for the outcome.
    pub summary: String,
    /// Its parameters, for the outcome.
    pub parameters: Values,
    /// The command that does it again, for the outcome.
    pub command: Vec<String>,
    /// The options of the heap.
    pub options: HeapOptions,
    /// What random numbers begin with.
    pub seed: u64,
    /// Where logs go.
    pub logs: Vec<(LogFormat, Box<dyn Write>)>,
    /// Where snapshots go: one after half of the operations, two after a third and two thirds, and so on.
    pub snapshots: Vec<PathBuf>,
    /// Where a trace of the run goes, to be replayed.
    pub record: Option<Box<dyn Write>>,
    /// Which safepoints it has.
    pub safepoints: Safepoints,
    /// Samples where objects are allocated, one for so many bytes on average. It takes some time: nothing where there are none,
    /// and little with [`USUAL_SAMPLES`].
    pub sample: Option<NonZeroUsize>,
    /// Set it to stop the run.
    pub interrupt: Arc<AtomicBool>,
    /// How long it may take.
    pub time_limit: Option<Duration>,
    /// Who is told how far it is, some times in a second.
    pub watch: Option<Watch>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("options", &self.options).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// Runs a workload.
///
/// # Errors
///
/// If a heap with these options cannot be made. What goes wrong later is part of the outcome.
///
/// ```
/// use tumulus_simulator::outcome::End;
/// use tumulus_simulator::{HeapOptions, Setup, Subject, run};
///
/// let mut trees = Subject::open("binary-trees", [("depth", "10")])?;
/// let options = HeapOptions { limit: Some("16k".parse()?), ..HeapOptions::default() };
/// let outcome = run(trees.workload.as_mut(), Setup { options, ..Setup::default() })?;
/// assert!(matches!(outcome.end, End::OutOfMemory(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn run(workload: &mut (impl Workload + ?Sized), mut setup: Setup) -> Result<Outcome, HeapError> {
    let mut heap = setup.options.builder().try_build()?;
    let sample = setup.sample;
    if let Some(mean) = sample {
        heap.sample_allocations(mean.get());
    }
    let about = About::take(&mut setup);
    let limit = Some(heap.limit()).filter(|&limit| limit != usize::MAX).map(|limit| limit as u64);
    let mut session = Session::new(heap, setup);
    session.recorder.borrow_mut().begin();
    let cpu = ProcessTime::now();
    let result = workload.run(&mut session);
    let cpu = cpu.elapsed();
    let (operations, planned, frames) = (session.operations(), session.planned(), session.frames());
    let wall = session.recorder.borrow().elapsed();
    let (mut heap, recorder, missed, record_error) = session.end();
    let allocations = sample.map(|_| allocations_of(&mut heap));
    let mut recorder = recorder.borrow_mut();
    recorder.sample(&heap, Instant::now());
    recorder.take_census(&heap, Instant::now(), "at the end, garbage included");

    let pauses = pauses_of(&heap);
    let collector = pauses.all.total.min(wall);
    let statistics = heap.statistics();
    let peaks = recorder.peaks;
    let mut outcome = Outcome {
        format: outcome::FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        command: about.command,
        workload: about.workload,
        summary: about.summary,
        parameters: about.parameters,
        seed: about.seed,
        options: about.options,
        environment: about.environment,
        machine: about.machine,
        began_at: about.began_at,
        checksum: result.as_ref().ok().map(|checksum| format!("{checksum:016x}")),
        end: match result {
            Ok(_) if record_error.is_some() => {
                End::Failed(format!("the trace could not be written: {}", record_error.unwrap_or_default()))
            }
            Ok(_) => missed.first().map_or(End::Completed, |path| {
                End::Failed(format!("{}: the run ended before a snapshot was due", path.display()))
            }),
            Err(Stop::Interrupted) => End::Interrupted,
            Err(Stop::TimedOut) => End::TimedOut,
            Err(Stop::OutOfMemory(words)) => End::OutOfMemory(words),
            Err(Stop::Failed(words)) => End::Failed(words),
        },
        operations,
        planned,
        time: Time {
            wall,
            collector,
            mutator: wall - collector,
            cpu: cpu.as_nanos() as u64,
            collector_cpu: recorder.cpu.map(|cpu| cpu.as_nanos() as u64),
            operations_per_second: operations as f64 / Duration::from_nanos(wall.max(1)).as_secs_f64(),
        },
        memory: Memory {
            peak_used: peaks.used.max(statistics.peak_used_bytes as u64),
            peak_committed: peaks.committed.max(statistics.peak_committed_bytes as u64),
            peak_external: peaks.external,
            peak_total: peaks.total,
            live: recorder.live,
            peak_live: peaks.live,
            allocated: statistics.allocated_bytes,
            freed: statistics.freed_bytes,
            freed_objects: statistics.freed_objects,
            peak_scratch: statistics.peak_scratch_bytes as u64,
            limit,
        },
        utilisation: utilisation(&recorder.pauses, wall),
        pauses: Pauses { over_time: recorder.over_time(wall), ..pauses },
        frames,
        curve: std::mem::take(&mut recorder.samples),
        phases: std::mem::take(&mut recorder.phases),
        collections: std::mem::take(&mut recorder.collections),
        collections_left_out: recorder.left_out,
        totals: totals_of(&heap),
        hurried: recorder.hurried,
        abandoned: recorder.abandoned,
        census: std::mem::take(&mut recorder.census),
        allocations,
        places: std::mem::take(&mut recorder.places),
        findings: Vec::new(),
    };
    outcome.findings = findings::of(&outcome);
    Ok(outcome)
}

/// What is known before a run.
struct About {
    workload: String,
    summary: String,
    parameters: Values,
    command: Vec<String>,
    options: HeapOptions,
    seed: u64,
    environment: BTreeMap<String, String>,
    machine: Machine,
    began_at: u64,
}

impl About {
    fn take(setup: &mut Setup) -> About {
        let variable = |name: &str| Some((name.to_string(), std::env::var(name).ok()?));
        About {
            workload: std::mem::take(&mut setup.workload),
            summary: std::mem::take(&mut setup.summary),
            parameters: std::mem::take(&mut setup.parameters),
            command: std::mem::take(&mut setup.command),
            options: setup.options.clone(),
            seed: setup.seed,
            environment: VARIABLES.into_iter().filter_map(variable).collect(),
            machine: machine(),
            began_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        }
    }
}

/// This machine.
pub(crate) fn machine() -> Machine {
    Machine {
        os: std::env::consts::OS.into(),
        arch: std::env::consts::ARCH.into(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn allocations_of(heap: &mut Heap) -> Allocations {
    let profile = heap.stop_observing_allocations();
    let row = |row: &tumulus_heap::ProfileRow| Allocation {
        place: row.place.to_string(),
        name: row.type_name.into(),
        samples: row.seen,
        objects: row.objects,
        bytes: row.bytes,
        live_objects: row.live_objects,
        live_bytes: row.live_bytes,
    };
    Allocations { mean_bytes: profile.mean_bytes() as u64, rows: profile.rows().iter().map(row).collect() }
}

fn pauses_of(heap: &Heap) -> Pauses {
    let statistics = heap.collection_statistics();
    let counts = |kind| -> Vec<(u64, u64)> {
        statistics.pauses(kind).counts().map(|(time, count)| (time.as_nanos() as u64, count)).collect()
    };
    let (minor, full) = (counts(Kind::Minor), counts(Kind::Full));
    Pauses {
        all: Distribution::of(minor.iter().chain(&full).copied()),
        minor: Distribution::of(minor),
        full: Distribution::of(full),
        over_time: Vec::new(),
    }
}

fn totals_of(heap: &Heap) -> Vec<Totals> {
    let statistics = heap.collection_statistics();
    let row = |(kind, reason, totals): (Kind, tumulus_heap::Reason, tumulus_heap::CollectionTotals)| Totals {
        kind: kind.into(),
        reason: reason.into(),
        collections: totals.collections,
        slices: totals.slices,
        work: totals.work,
        candidate_bytes: totals.candidate_bytes,
        freed_bytes: totals.freed_bytes,
        freed_objects: totals.freed_objects,
        paused: totals.paused.as_nanos() as u64,
        longest: totals.longest.as_nanos() as u64,
        survival: totals.survival(),
    };
    statistics.by_reason().map(row).collect()
}

fn utilisation(pauses: &[crate::mmu::Interval], end: u64) -> Vec<Utilisation> {
    let windows = WINDOWS_US.into_iter().map(|us| us * 1000).filter(|&window| window <= end);
    windows.map(|window| Utilisation { window, least: least_utilisation(pauses, end, window) }).collect()
}
