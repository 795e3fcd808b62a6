//! How long pauses are, and what they leave to the program.

use serde::{Deserialize, Serialize};

/// The percentiles that are listed.
const PERCENTILES: [f64; 6] = [50.0, 90.0, 99.0, 99.9, 99.99, 100.0];

/// How long something took, many times over; nanoseconds.
///
/// ```
/// use tumulus_simulator::outcome::Distribution;
///
/// let pauses = Distribution::of([(100, 99), (5000, 1)]);
/// assert_eq!((pauses.percentile(99.0), pauses.percentile(99.9), pauses.longest), (100, 5000, 5000));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many.
    pub count: u64,
    /// All of them together.
    pub total: u64,
    /// The longest.
    pub longest: u64,
    /// The times within which so many percent were done.
    pub percentiles: Vec<Percentile>,
    /// How many took how long: pairs of a time and a count, ascending, to one part in a hundred.
    pub counts: Vec<(u64, u64)>,
}

/// Part of a [`Distribution`].
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentile {
    /// Of a hundred.
    pub percent: f64,
    /// The time within which so many were done.
    pub within: u64,
}

/// The least share of a window of time.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Utilisation {
    /// The length of the window in nanoseconds.
    pub window: u64,
    /// The least share of such a window that the program had for itself, from 0 to 1.
    pub least: f64,
}

impl Distribution {
    /// Of pairs of a time and how often it occurred, in any order.
    pub fn of(counts: impl IntoIterator<Item = (u64, u64)>) -> Distribution {
        let mut sorted: Vec<(u64, u64)> = counts.into_iter().filter(|&(_, count)| count > 0).collect();
        sorted.sort_unstable();
        let mut counts: Vec<(u64, u64)> = Vec::with_capacity(sorted.len());
        for (time, count) in sorted {
            match counts.last_mut() {
                Some((last, sum)) if *last == time => *sum += count,
                _ => counts.push((time, count)),
            }
        }
        let mut distribution = Distribution {
            count: counts.iter().map(|(_, count)| count).sum(),
            total: counts.iter().map(|(time, count)| time * count).sum(),
            longest: counts.last().map_or(0, |&(time, _)| time),
            percentiles: Vec::new(),
            counts,
        };
        if distribution.count > 0 {
            let at = |percent| Percentile { percent, within: distribution.percentile(percent) };
            distribution.percentiles = PERCENTILES.map(at).to_vec();
        }
        distribution
    }

    /// The time within which so many percent were done; 0 if there were none.
    pub fn percentile(&self, percent: f64) -> u64 {
        // What rounding has put above a whole number is taken off again.
        let wanted = ((percent * self.count as f64 / 100.0 - 1e-6).ceil() as u64).max(1);
        let mut seen = 0;
        for &(time, count) in &self.counts {
            seen += count;
            if seen >= wanted {
                return time;
            }
        }
        self.longest
    }

    /// The time of one, on average; 0 if there were none.
    pub fn mean(&self) -> u64 {
        self.total.checked_div(self.count).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_least_times_that_cover_so_many() {
        let distribution = Distribution::of((1..=1000).rev().map(|time| (time, 1)));
        for (percent, time) in [(0.0, 1), (50.0, 500), (99.0, 990), (99.9, 999), (100.0, 1000)] {
            assert_eq!(distribution.percentile(percent), time, "{percent}");
        }
        assert_eq!((distribution.count, distribution.longest, distribution.mean()), (1000, 1000, 500));
    }

    #[test]
    fn the_same_time_counts_together_and_nothing_counts_for_nothing() {
        let twice = Distribution::of([(5, 1), (7, 2), (5, 3), (9, 0)]);
        assert_eq!(twice.counts, [(5, 4), (7, 2)]);
        let none = Distribution::of([]);
        assert_eq!((none.percentile(99.0), none.mean(), none.percentiles.len()), (0, 0, 0));
    }
}
