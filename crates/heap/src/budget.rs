//! How much a collector may do at once.

use std::ops::Range;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How much the collector does before it lets the program go on.
///
/// The usual budget counts *work*. A unit is about what it takes to look at one small object that lies next to the last one:
/// 5 nanoseconds or so on the machines of today. One far away in memory costs several. The same program does the same
/// collections in the same places then, on every machine and in every run. A budget of *time* reads the clock instead; a
/// program with deadlines wants that.
///
/// Neither can interrupt one call of a user's `trace` or `drop`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tumulus_heap::{Budget, Heap};
///
/// let by_work = Heap::builder().pause_budget(Budget::work(2_000)).build();
/// let by_clock = Heap::builder().pause_budget(Budget::time(Duration::from_micros(200))).build();
/// let stops_the_world = Heap::builder().pause_budget(Budget::unlimited()).build();
/// # drop((by_work, by_clock, stops_the_world));
/// assert_eq!("200us".parse(), Ok(Budget::time(Duration::from_micros(200))));
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Budget(Bound);

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Bound {
    Work(u64),
    Time(Duration),
    None,
}

impl Budget {
    /// So many units of work; at least one.
    ///
    /// ```
    /// # use tumulus_heap::Budget;
    /// assert_eq!(Budget::work(0), Budget::work(1));
    /// ```
    pub const fn work(units: u64) -> Budget {
        Budget(Bound::Work(if units == 0 { 1 } else { units }))
    }

    /// So much time on the wall; at least a microsecond. A collection then depends on the machine, and on what else that does.
    ///
    /// ```
    /// # use tumulus_heap::{Budget, Heap, Progress};
    /// # let mut heap = Heap::new();
    /// let until_the_next_frame = std::time::Duration::from_millis(5);
    /// let progress = heap.step(&(), Budget::time(until_the_next_frame));
    /// assert_eq!(progress, Progress::Done);
    /// ```
    pub const fn time(time: Duration) -> Budget {
        // Of nothing, any multiple is nothing.
        Budget(Bound::Time(if time.is_zero() { Duration::from_micros(1) } else { time }))
    }

    /// As much as there is to do: the collector stops the world.
    ///
    /// ```
    /// # use tumulus_heap::Budget;
    /// assert_eq!("unlimited".parse(), Ok(Budget::unlimited()));
    /// ```
    pub const fn unlimited() -> Budget {
        Budget(Bound::None)
    }

    /// The same budget `factor` times.
    pub(crate) fn times(self, factor: u32) -> Budget {
        Budget(match self.0 {
            Bound::Work(units) => Bound::Work(units.saturating_mul(u64::from(factor))),
            Bound::Time(time) => Bound::Time(time.saturating_mul(factor)),
            Bound::None => Bound::None,
        })
    }

    /// Its units, or its nanoseconds.
    pub(crate) fn parts(self) -> (Option<u64>, Option<u64>) {
        match self.0 {
            Bound::Work(units) => (Some(units), None),
            Bound::Time(time) => (None, Some(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))),
            Bound::None => (None, None),
        }
    }

    /// How much work fits it, if that is known.
    pub(crate) fn units(self) -> Option<u64> {
        match self.0 {
            Bound::Work(units) => Some(units),
            Bound::Time(_) => None,
            Bound::None => Some(u64::MAX),
        }
    }
}

impl FromStr for Budget {
    type Err = ();

    /// Reads `unlimited`, a number of units, or a time such as `100us` or `2ms`.
    fn from_str(text: &str) -> Result<Budget, ()> {
        if text == "unlimited" {
            return Ok(Budget::unlimited());
        }
        let time = |suffix: &str, unit: fn(u64) -> Duration| {
            text.strip_suffix(suffix).map(|number| number.parse().map(|n| Budget::time(unit(n))).map_err(|_| ()))
        };
        time("us", Duration::from_micros)
            .or_else(|| time("ms", Duration::from_millis))
            .unwrap_or_else(|| text.parse().map(Budget::work).map_err(|_| ()))
    }
}

/// Whether there is more to do.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Budget, Heap, Progress};
///
/// let mut heap = Heap::new();
/// heap.start_major();
/// while heap.step(&(), Budget::work(100)) == Progress::Pending {
///     // The program could do something here.
/// }
/// assert_eq!(heap.statistics().collections, 1);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[must_use = "it says whether there is more to do"]
pub enum Progress {
    /// Nothing is left that would be worth doing now.
    Done,
    /// The budget ended first.
    Pending,
}

/// A budget that is being used up.
#[derive(Debug)]
pub(crate) struct Meter {
    left: u64,
    /// When it began and when it is to end.
    time: Option<Range<Instant>>,
    now: fn() -> Instant,
    spent: u64,
}

/// How much work is done between two looks at the clock: some microseconds.
pub(crate) const BETWEEN_LOOKS: u64 = 500;

impl Meter {
    pub(crate) fn start(budget: Budget, now: fn() -> Instant) -> Meter {
        let (left, time) = match budget.0 {
            Bound::Work(units) => (units, None),
            // A time beyond what the clock can tell is no limit.
            Bound::Time(time) => {
                let begin = now();
                (u64::MAX, begin.checked_add(time).map(|end| begin..end))
            }
            Bound::None => (u64::MAX, None),
        };
        Meter { left, time, now, spent: 0 }
    }

    /// How much may be done next; nothing when the budget is used up, but always something the first time.
    pub(crate) fn grant(&self) -> u64 {
        match &self.time {
            None => self.left,
            Some(_) if self.spent == 0 => BETWEEN_LOOKS,
            // A clock that was set back could not say when it is over.
            Some(time) if time.contains(&(self.now)()) => BETWEEN_LOOKS,
            Some(_) => 0,
        }
    }

    /// Takes note of what was done.
    pub(crate) fn spend(&mut self, units: u64) {
        self.left -= units;
        self.spent += units;
    }

    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read_as_they_are_written() {
        assert_eq!("100".parse(), Ok(Budget::work(100)));
        assert_eq!("2ms".parse(), Ok(Budget::time(Duration::from_millis(2))));
        for wrong in ["", "us", "-1", "1.5ms", "10s", "lots"] {
            assert_eq!(wrong.parse::<Budget>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_meter_grants_what_is_left() {
        let mut meter = Meter::start(Budget::work(10), Instant::now);
        assert_eq!(meter.grant(), 10);
        meter.spend(7);
        assert_eq!(meter.grant(), 3);
        meter.spend(3);
        assert_eq!((meter.grant(), meter.spent()), (0, 10));

        let mut late = Meter::start(Budget::time(Duration::ZERO), Instant::now);
        assert!(late.grant() > 0);
        late.spend(1);
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(late.grant(), 0);
    }
}
