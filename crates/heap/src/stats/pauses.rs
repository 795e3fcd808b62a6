//! The times of slices, as a histogram.

use hdrhistogram::Histogram;
use std::fmt;
use std::time::Duration;

/// The longest pause that is told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(64);
/// What one histogram takes, about.
const HISTOGRAM_BYTES: usize = 32 << 10;

/// How long the slices of collections took; from [`CollectionStatistics::pauses`](crate::CollectionStatistics::pauses).
///
/// Times are wall-clock times, kept in a histogram with an error of at most one part in a hundred. It takes about 15 KiB,
/// from the first collection of a kind on. If the system has not as much left, pauses are not counted.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Heap, Kind};
///
/// let mut heap = Heap::new();
/// for _ in 0..10 {
///     heap.collect(&());
/// }
/// let statistics = heap.collection_statistics();
/// let pauses = statistics.pauses(Kind::Full);
/// assert_eq!(pauses.count(), 10);
/// assert!(pauses.percentile(50.0) <= pauses.percentile(99.0));
/// println!("{pauses}"); // 10 slices, 50% within 1.2us, 90% within ..
/// ```
#[derive(Default)]
pub struct Pauses {
    histogram: Option<Histogram<u32>>,
}

impl Pauses {
    /// How many slices there were.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Kind};
    /// assert_eq!(Heap::new().collection_statistics().pauses(Kind::Minor).count(), 0);
    /// ```
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len)
    }

    /// The time within which so many percent of the slices were done; zero if there were none.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Kind};
    /// # let mut heap = Heap::new();
    /// heap.collect(&());
    /// let statistics = heap.collection_statistics();
    /// assert!(statistics.pauses(Kind::Full).percentile(99.9) > std::time::Duration::ZERO);
    /// ```
    pub fn percentile(&self, percent: f64) -> Duration {
        self.in_nanos(|histogram| histogram.value_at_percentile(percent))
    }

    /// The longest slice; zero if there was none.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Kind};
    /// # let mut heap = Heap::new();
    /// heap.collect(&());
    /// let statistics = heap.collection_statistics();
    /// let pauses = statistics.pauses(Kind::Full);
    /// assert_eq!(pauses.longest(), pauses.percentile(100.0));
    /// ```
    pub fn longest(&self) -> Duration {
        self.in_nanos(Histogram::max)
    }

    /// How many slices took about how long: the times that occurred, ascending, each with the number of slices that took it,
    /// to one part in a hundred. For drawing, and for adding up the pauses of several heaps.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Kind};
    /// # let mut heap = Heap::new();
    /// heap.collect(&());
    /// let statistics = heap.collection_statistics();
    /// let pauses = statistics.pauses(Kind::Full);
    /// assert_eq!(pauses.counts().map(|(_, slices)| slices).sum::<u64>(), pauses.count());
    /// ```
    pub fn counts(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let recorded = self.histogram.iter().flat_map(Histogram::iter_recorded);
        recorded.map(|bucket| (Duration::from_nanos(bucket.value_iterated_to()), bucket.count_at_value().into()))
    }

    fn in_nanos(&self, ask: impl FnOnce(&Histogram<u32>) -> u64) -> Duration {
        let asked = self.histogram.as_ref().filter(|histogram| !histogram.is_empty()).map_or(0, ask);
        Duration::from_nanos(asked)
    }

    pub(super) fn note(&mut self, pause: Duration) {
        if self.histogram.is_none() {
            self.histogram = histogram();
        }
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX).max(1));
        }
    }
}

/// A histogram, if the system has the memory for it. It would abort the process otherwise.
#[cold]
fn histogram() -> Option<Histogram<u32>> {
    Vec::<u8>::new().try_reserve_exact(HISTOGRAM_BYTES).ok()?;
    Histogram::new_with_max(u64::try_from(LONGEST.as_nanos()).ok()?, 2).ok()
}

impl fmt::Display for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} slices", self.count())?;
        for percent in [50.0, 90.0, 99.0, 99.9] {
            write!(f, ", {percent}% within {:.1?}", self.percentile(percent))?;
        }
        write!(f, ", all within {:.1?}", self.longest())
    }
}

impl fmt::Debug for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pauses({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_noted() {
        let mut pauses = Pauses::default();
        assert_eq!((pauses.count(), pauses.longest()), (0, Duration::ZERO));
        for us in 1..=1000 {
            pauses.note(Duration::from_micros(us));
        }
        assert_eq!(pauses.count(), 1000);
        for (percent, us) in [(50.0, 500.0), (90.0, 900.0), (99.0, 990.0), (100.0, 1000.0)] {
            let found = pauses.percentile(percent).as_secs_f64() * 1e6;
            assert!((found / us - 1.0).abs() < 0.01, "{percent}%: {found} us");
        }
        let counted: Vec<(Duration, u64)> = pauses.counts().collect();
        assert!(counted.is_sorted_by(|one, next| one.0 < next.0), "{counted:?}");
        assert_eq!(counted.iter().map(|(_, slices)| slices).sum::<u64>(), 1000);
        pauses.note(Duration::from_secs(10_000));
        assert!(pauses.longest() >= LONGEST, "{pauses}");
    }

    #[test]
    fn a_histogram_takes_what_was_asked_for_it() {
        assert!(histogram().unwrap().distinct_values() * size_of::<u32>() <= HISTOGRAM_BYTES);
    }
}
