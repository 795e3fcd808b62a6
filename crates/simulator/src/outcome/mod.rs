//! All about a run: what it was, how it went, and what that means.
//!
//! An [`Outcome`] is plain data, written as JSON and read again. Times are nanoseconds since the workload began, sizes are
//! bytes. How it is made is in `recorder.rs` and `run.rs`, how it is shown in `show/` and `report/`.

mod distribution;
mod tables;

pub use distribution::{Distribution, Percentile, Utilisation};
pub use tables::{Allocation, Allocations, Census, Place, Totals, TypeRow};

use crate::options::HeapOptions;
use crate::workloads::Values;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the format. A program reads its own and refuses others.
pub const FORMAT: u32 = 1;

/// Everything about one run.
///
/// ```
/// use tumulus_simulator::{Outcome, Setup, Subject, run};
///
/// let mut subject = Subject::open("binary-trees", [("depth", "8")])?;
/// let outcome = run(subject.workload.as_mut(), Setup::default())?;
/// let text = serde_json::to_string(&outcome)?;
/// let again: Outcome = serde_json::from_str(&text)?;
/// assert_eq!(again.operations, outcome.operations);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outcome {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of the program.
    pub version: String,
    /// The command that does it again; empty if there is none.
    pub command: Vec<String>,
    /// What was run.
    pub workload: String,
    /// What that is, in a line.
    pub summary: String,
    /// Its parameters.
    pub parameters: Values,
    /// What random numbers began with.
    pub seed: u64,
    /// The options of the heap that were set.
    pub options: HeapOptions,
    /// Environment variables that the heap has read, if they were set.
    pub environment: BTreeMap<String, String>,
    /// Where it was run.
    pub machine: Machine,
    /// When, in seconds since 1970.
    pub began_at: u64,
    /// How it ended.
    pub end: End,
    /// What the workload computed, if it came to its end; a number of 16 hexadecimal digits.
    pub checksum: Option<String>,
    /// Operations that were done.
    pub operations: u64,
    /// Operations that were to be done, if that was known.
    pub planned: Option<u64>,
    /// Where the time went.
    pub time: Time,
    /// How large the heap was.
    pub memory: Memory,
    /// The pauses: slices of collections.
    pub pauses: Pauses,
    /// The least share of any window of time that the program had for itself, by the length of the window, ascending.
    pub utilisation: Vec<Utilisation>,
    /// Whether frames were done in time, if the workload has frames.
    #[serde(default)]
    pub frames: Option<Frames>,
    /// The size of the heap over time.
    pub curve: Vec<Sample>,
    /// What the program was doing, from when on.
    pub phases: Vec<Phase>,
    /// Each collection, in their order; of very many, some minor ones are left out.
    pub collections: Vec<Collection>,
    /// How many minor collections are not listed.
    pub collections_left_out: u64,
    /// What collections have cost, by kind and reason. Nothing is left out here.
    pub totals: Vec<Totals>,
    /// How many times slices had to be larger than the budget, as the program allocated too fast.
    pub hurried: u64,
    /// How many collections were abandoned.
    pub abandoned: u64,
    /// What was in the heap.
    pub census: Census,
    /// Where objects were allocated, if that was asked for.
    #[serde(default)]
    pub allocations: Option<Allocations>,
    /// External memory by the place where it was made.
    pub places: Vec<Place>,
    /// What a reader should know, in words; what matters most first.
    pub findings: Vec<Finding>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how", content = "why")]
pub enum End {
    /// All work was done.
    Completed,
    /// Somebody stopped it.
    Interrupted,
    /// It took longer than it was given.
    TimedOut,
    /// The heap had no room; in words.
    OutOfMemory(String),
    /// Something else went wrong; in words.
    Failed(String),
}

/// Where it was run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The operating system.
    pub os: String,
    /// The architecture.
    pub arch: String,
    /// How many threads run at once.
    pub cores: usize,
}

/// Where the time went, in nanoseconds.
#[derive(Copy, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Time {
    /// From the workload's begin to its end, on the wall.
    pub wall: u64,
    /// The part of that in slices of collections.
    pub collector: u64,
    /// The rest. The program pays for more than the slices: it sweeps pages when it allocates, for example.
    pub mutator: u64,
    /// The time of the process's threads on processors together.
    pub cpu: u64,
    /// The time of the slices on a processor, if the system tells it: what `collector` has more, the machine did for others.
    pub collector_cpu: Option<u64>,
    /// Operations in a second.
    pub operations_per_second: f64,
}

/// Sizes, in bytes.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The most that objects took.
    pub peak_used: u64,
    /// The most that the heap had committed.
    pub peak_committed: u64,
    /// The most that objects kept alive outside of the heap.
    pub peak_external: u64,
    /// The most that was committed and kept alive outside at one time: what the limit bounds.
    pub peak_total: u64,
    /// What was alive after the last full collection, garbage of the time since its marking included.
    pub live: u64,
    /// The most that was alive after a full collection.
    pub peak_live: u64,
    /// All that was allocated.
    pub allocated: u64,
    /// All that was freed before the end.
    pub freed: u64,
    /// Objects that were freed before the end.
    pub freed_objects: u64,
    /// The most that the collector's own lists took.
    pub peak_scratch: u64,
    /// The limit, if there was one.
    pub limit: Option<u64>,
}

/// The pauses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pauses {
    /// All of them.
    pub all: Distribution,
    /// Those of minor collections.
    pub minor: Distribution,
    /// Those of full ones.
    pub full: Distribution,
    /// Over time: what was in each of a thousand stretches of equal length; those without a pause are left out.
    pub over_time: Vec<Stretch>,
}

/// The pauses in a stretch of time.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Where the longest of them began.
    pub at: u64,
    /// The longest.
    pub longest: u64,
    /// Whose it was.
    pub kind: Kind,
    /// How many.
    pub count: u64,
    /// How long they took together.
    pub total: u64,
}

/// Frames of a workload that draws, or of something else that has a deadline each time.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// How many.
    pub count: u64,
    /// How many of them took longer than they should,
    pub late: u64,
    /// which is this.
    pub within: u64,
    /// How long the longest took.
    pub longest: u64,
}

/// The size of the heap at a moment.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: u64,
    /// Bytes of objects, garbage included.
    pub used: u64,
    /// Bytes that the heap had committed.
    pub committed: u64,
    /// Bytes outside that objects kept alive.
    pub external: u64,
    /// What was alive after the last full collection; 0 before the first.
    pub live: u64,
}

/// What the program was doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// From when on.
    pub at: u64,
    /// What.
    pub name: String,
    /// Operations that had been done.
    pub operations: u64,
}

/// What a collection looked at.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What was young.
    Minor,
    /// Everything.
    Full,
}

/// Why a collection happened.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The program asked for it.
    Asked,
    /// The nursery was full.
    Nursery,
    /// The heap had grown.
    Growth,
    /// The limit was near.
    Limit,
    /// An allocation had failed.
    Failure,
    /// A zeal mode.
    Zeal,
    /// One that this version does not know.
    Other,
}

impl From<tumulus_heap::Kind> for Kind {
    fn from(kind: tumulus_heap::Kind) -> Kind {
        if kind == tumulus_heap::Kind::Minor { Kind::Minor } else { Kind::Full }
    }
}

impl From<tumulus_heap::Reason> for Reason {
    fn from(reason: tumulus_heap::Reason) -> Reason {
        match reason {
            tumulus_heap::Reason::Asked => Reason::Asked,
            tumulus_heap::Reason::Nursery => Reason::Nursery,
            tumulus_heap::Reason::Growth => Reason::Growth,
            tumulus_heap::Reason::Limit => Reason::Limit,
            tumulus_heap::Reason::Failure => Reason::Failure,
            tumulus_heap::Reason::Zeal => Reason::Zeal,
            _ => Reason::Other,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Kind::Minor => "minor",
            Kind::Full => "full",
        })
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Reason::Asked => "asked for",
            Reason::Nursery => "nursery full",
            Reason::Growth => "heap has grown",
            Reason::Limit => "near the limit",
            Reason::Failure => "an allocation failed",
            Reason::Zeal => "zeal",
            Reason::Other => "for another reason",
        })
    }
}

/// A collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Its number, from 1.
    pub number: u64,
    /// What it looked at.
    pub kind: Kind,
    /// Why it began.
    pub reason: Reason,
    /// When it began.
    pub at: u64,
    /// From its first slice to its end.
    pub lasted: u64,
    /// All its slices together.
    pub paused: u64,
    /// The longest of them.
    pub longest: u64,
    /// How many slices.
    pub slices: u64,
    /// Units of work.
    pub work: u64,
    /// Bytes of objects when it began.
    pub used_before: u64,
    /// Bytes of objects when it ended.
    pub used_after: u64,
    /// Bytes committed when it began.
    pub committed_before: u64,
    /// Bytes committed when it ended.
    pub committed_after: u64,
    /// Bytes outside when it began.
    pub external_before: u64,
    /// Bytes outside when it ended.
    pub external_after: u64,
    /// Objects that it has freed.
    pub freed_objects: u64,
    /// Bytes that it has freed.
    pub freed_bytes: u64,
    /// All bytes that had been allocated in the heap when it ended.
    #[serde(default)]
    pub allocated: u64,
    /// Slices hurried in it.
    pub hurried: bool,
}

/// Something that a reader should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// What it is about; stable, for programs.
    pub about: String,
    /// In words.
    pub words: String,
}

/// How much a finding matters.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Something is wrong.
    Problem,
    /// Something could be better.
    Advice,
    /// Good to know.
    Note,
}
