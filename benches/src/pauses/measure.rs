//! What a child of `pauses` measures, and how several measurements become one.

use std::iter;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::mmu::{Interval, least_utilisation};
use crate::suite::Checked;

/// The windows that the table shows, in milliseconds.
pub const WINDOWS_MS: [u32; 4] = [1, 5, 20, 100];

/// The windows between those, for the plot, and these are 0.1 ms to 1 s: so many for each tenfold.
const WINDOWS_PER_DECADE: i32 = 6;

/// Significant digits of the histograms.
const DIGITS: u8 = 3;

/// What a child reports to its parent, as one line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    /// CPU nanoseconds of the region of interest, all threads.
    pub ns: f64,
    /// Wall nanoseconds of the region of interest.
    pub wall_ns: f64,
    /// How many operations the region did.
    pub operations: u64,
    /// What the workload computed; the same for all contestants.
    pub checksum: u64,
    /// The largest resident size that the process had, setting up included.
    pub peak_rss_bytes: Option<u64>,
    /// The pauses on the wall, where they were looked at.
    pub wall: Option<Stops>,
    /// The pauses in the thread's CPU time, where they were looked at and the contestant tells.
    pub cpu: Option<Stops>,
}

impl Checked for Measurement {
    fn checksum(&self) -> u64 {
        self.checksum
    }
}

impl Measurement {
    /// The same for a workload whose contestants do not compute the same.
    pub fn unchecked(self) -> Measurement {
        Measurement { checksum: 0, ..self }
    }

    /// The measurement of one workload and then another.
    pub fn and(self, other: &Measurement) -> Measurement {
        let both = |a: Option<Stops>, b: Option<&Stops>| Some(a?.and(b?));
        Measurement {
            ns: self.ns + other.ns,
            wall_ns: self.wall_ns + other.wall_ns,
            operations: self.operations + other.operations,
            checksum: self.checksum.wrapping_add(other.checksum),
            peak_rss_bytes: self.peak_rss_bytes.max(other.peak_rss_bytes),
            wall: both(self.wall, other.wall.as_ref()),
            cpu: both(self.cpu, other.cpu.as_ref()),
        }
    }

    /// One measurement of a process for the totals and, unless there is only one, another for the pauses.
    pub fn join(passes: Vec<Measurement>) -> Result<Measurement, String> {
        let mut passes = passes.into_iter();
        let totals = passes.next().ok_or("there was no pass")?;
        let Some(watched) = passes.next() else { return Ok(totals) };
        if totals.checksum != watched.checksum {
            return Err(format!("its checksum was {} in one pass, {} in the other", totals.checksum, watched.checksum));
        }
        Ok(Measurement { wall: watched.wall, cpu: watched.cpu, ..totals })
    }
}

/// The pauses of a run on one clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stops {
    /// How long all of them took.
    pub total_ns: u64,
    /// The longest of them, 0 if there is none.
    pub longest_ns: u64,
    /// The length of the run.
    pub span_ns: u64,
    /// How many pauses there were of which length: the buckets of a histogram.
    counts: Vec<(u64, u64)>,
    /// For each of [`windows_ns`] the least share that the program had of one.
    utilisation: Vec<f64>,
}

impl Stops {
    /// Those of a run of `span_ns` with these pauses, which are in order and do not overlap.
    pub fn of(pauses: &[Interval], span_ns: u64) -> Stops {
        let mut histogram = empty_histogram();
        let lengths = || pauses.iter().map(|pause| pause.end - pause.begin);
        for length in lengths() {
            histogram.saturating_record(length);
        }
        Stops {
            total_ns: lengths().sum(),
            longest_ns: lengths().max().unwrap_or(0),
            span_ns,
            counts: histogram
                .iter_recorded()
                .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
                .collect(),
            utilisation: windows_ns().map(|window| least_utilisation(pauses, span_ns, window)).collect(),
        }
    }

    /// Those of two runs: the worse of each.
    pub fn and(mut self, other: &Stops) -> Stops {
        let both = iter::zip(&self.utilisation, &other.utilisation);
        self.utilisation = both.map(|(a, b)| a.min(*b)).collect();
        self.counts.extend(&other.counts);
        self.total_ns += other.total_ns;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        self.span_ns += other.span_ns;
        self
    }

    /// How many pauses there were of which length.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = empty_histogram();
        for &(length, count) in &self.counts {
            histogram.saturating_record_n(length, count);
        }
        histogram
    }

    /// The least share that the program had of any window of so many milliseconds.
    pub fn utilisation(&self, window_ms: u32) -> f64 {
        let wanted = u64::from(window_ms) * 1_000_000;
        let found = self.curve().find(|&(window, _)| window == wanted);
        found.map_or(f64::NAN, |(_, utilisation)| utilisation)
    }

    /// Windows in nanoseconds, and the least share of each.
    pub fn curve(&self) -> impl Iterator<Item = (u64, f64)> {
        windows_ns().zip(self.utilisation.iter().copied())
    }
}

/// From a nanosecond to a minute.
fn empty_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, DIGITS).expect("the bounds are in order, and the digits at most 5")
}

/// All windows, in ascending order, among them those of the table.
fn windows_ns() -> impl Iterator<Item = u64> {
    #[allow(clippy::cast_sign_loss)] // A power is positive.
    let stepped = (-WINDOWS_PER_DECADE..=3 * WINDOWS_PER_DECADE)
        .map(|step| (1e6 * 10_f64.powf(f64::from(step) / f64::from(WINDOWS_PER_DECADE))).round() as u64);
    let mut windows: Vec<u64> = stepped.chain(WINDOWS_MS.iter().map(|&window| u64::from(window) * 1_000_000)).collect();
    windows.sort_unstable();
    windows.dedup();
    windows.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops(lengths: &[u64]) -> Stops {
        let mut end = 0;
        let pauses: Vec<Interval> = lengths
            .iter()
            .map(|length| {
                let begin = end + 1_000_000;
                end = begin + length;
                Interval { begin, end }
            })
            .collect();
        Stops::of(&pauses, 1_000_000_000)
    }

    #[test]
    fn percentiles_survive_the_way_from_a_child_to_the_report() {
        let lengths: Vec<u64> = (1..=1_000).map(|each| each * 100).collect();
        let text = serde_json::to_string(&stops(&lengths)).expect("plain numbers");
        let arrived: Stops = serde_json::from_str(&text).expect("what was written");
        let histogram = arrived.histogram();
        assert_eq!(histogram.len(), 1_000);
        for (quantile, expected) in [(0.5, 50_000.0), (0.9, 90_000.0), (0.99, 99_000.0)] {
            let found = histogram.value_at_quantile(quantile) as f64;
            assert!((found / expected - 1.0).abs() < 0.002, "{quantile}: {found}");
        }
        assert_eq!(arrived.longest_ns, 100_000);
        assert_eq!(arrived.total_ns, lengths.iter().sum::<u64>());
    }

    #[test]
    fn two_runs_together_are_as_bad_as_the_worse() {
        let both = stops(&[1_000]).and(&stops(&[500_000, 2_000]));
        assert_eq!((both.longest_ns, both.total_ns, both.histogram().len()), (500_000, 503_000, 3));
        assert!((both.utilisation(1) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_windows_of_the_table_are_among_all() {
        for window in WINDOWS_MS {
            assert!(!stops(&[1_000]).utilisation(window).is_nan());
        }
    }

    #[test]
    fn passes_that_computed_different_things_do_not_go_together() {
        let pass = |checksum| Measurement {
            ns: 1.0,
            wall_ns: 1.0,
            operations: 1,
            checksum,
            peak_rss_bytes: None,
            wall: None,
            cpu: None,
        };
        assert!(Measurement::join(vec![pass(1), pass(1)]).is_ok());
        assert!(Measurement::join(vec![pass(1), pass(2)]).is_err());
        assert!(Measurement::join(Vec::new()).is_err());
    }
}
