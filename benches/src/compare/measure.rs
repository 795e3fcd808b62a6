//! What a child of `compare` measures.

use serde::{Deserialize, Serialize};

use crate::clock::peak_rss_bytes;
pub use crate::clock::{Span, timed};
use crate::suite::Checked;

/// Runs `work` so many times and gives the span whose CPU time is the median.
#[inline]
pub fn median_of(times: usize, mut work: impl FnMut()) -> Span {
    let mut spans: Vec<Span> = (0..times.max(1)).map(|_| timed(&mut work).0).collect();
    spans.sort_by(|a, b| a.cpu_ns.total_cmp(&b.cpu_ns));
    spans[spans.len() / 2]
}

/// What a child reports to its parent, as one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// CPU nanoseconds of the region of interest.
    pub ns: f64,
    /// Wall nanoseconds of the region of interest.
    pub wall_ns: f64,
    /// How many operations the region did: allocations, objects, or reads.
    pub operations: u64,
    /// The bytes that the live objects take, where the workload is about memory.
    pub bytes: Option<u64>,
    /// What the workload computed; the same for all contestants.
    pub checksum: u64,
    /// The largest resident size that the process had, setting up included.
    pub peak_rss_bytes: Option<u64>,
}

impl Measurement {
    /// A measurement of time.
    pub fn of_time(span: Span, operations: u64, checksum: u64) -> Self {
        Measurement {
            ns: span.cpu_ns,
            wall_ns: span.wall_ns,
            operations,
            bytes: None,
            checksum,
            peak_rss_bytes: peak_rss_bytes(),
        }
    }

    /// How many times longer `long` is than `short`.
    #[allow(clippy::cast_sign_loss)] // Time does not run backwards.
    pub fn of_times(long: Span, short: Span, checksum: u64) -> Self {
        Measurement::of_time(long, (short.cpu_ns.round() as u64).max(1), checksum)
    }

    /// A measurement of memory; the time is that of building and collecting once.
    pub fn of_memory(bytes: Option<u64>, span: Span, operations: u64, checksum: u64) -> Self {
        Measurement { bytes, ..Measurement::of_time(span, operations, checksum) }
    }
}

/// Runs `work` and says how far it raised the process's peak of resident memory.
///
/// A child calls this before it has made anything large, so the peak so far is what the process needs by itself.
#[inline]
pub fn grown<R>(work: impl FnOnce() -> R) -> (Option<u64>, R) {
    let before = peak_rss_bytes();
    let result = work();
    let bytes = peak_rss_bytes().zip(before).map(|(after, before)| after - before);
    (bytes, result)
}

impl Checked for Measurement {
    fn checksum(&self) -> u64 {
        self.checksum
    }
}
