//! What is kept of each run of a comparison.

use crate::outcome::{End, Kind, Outcome, Utilisation};
use serde::{Deserialize, Serialize};

/// The figures of a run that are compared. Times are nanoseconds, sizes bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figures {
    /// How it ended.
    pub end: End,
    /// What it computed.
    pub checksum: Option<String>,
    /// Operations that it has done.
    pub operations: u64,
    /// From begin to end.
    pub wall: u64,
    /// Of the processors.
    pub cpu: u64,
    /// In slices of collections.
    pub collector: u64,
    /// The same on a processor, if the system tells it.
    pub collector_cpu: Option<u64>,
    /// Half of the pauses took no longer.
    pub pause_50: u64,
    /// 99 of 100 took no longer.
    pub pause_99: u64,
    /// The longest.
    pub longest: u64,
    /// Minor collections.
    pub minor: u64,
    /// Full ones.
    pub full: u64,
    /// The most that was committed and kept alive outside at once.
    pub peak_total: u64,
    /// The least share of any window that the program had.
    pub utilisation: Vec<Utilisation>,
}

impl Figures {
    /// Those of a run.
    pub fn of(outcome: &Outcome) -> Figures {
        let collections = |kind| outcome.totals.iter().filter(|row| row.kind == kind).map(|row| row.collections).sum();
        Figures {
            end: outcome.end.clone(),
            checksum: outcome.checksum.clone(),
            operations: outcome.operations,
            wall: outcome.time.wall,
            cpu: outcome.time.cpu,
            collector: outcome.time.collector,
            collector_cpu: outcome.time.collector_cpu,
            pause_50: outcome.pauses.all.percentile(50.0),
            pause_99: outcome.pauses.all.percentile(99.0),
            longest: outcome.pauses.all.longest,
            minor: collections(Kind::Minor),
            full: collections(Kind::Full),
            peak_total: outcome.memory.peak_total,
            utilisation: outcome.utilisation.clone(),
        }
    }
}
