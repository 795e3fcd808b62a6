//! The clock: how long collections take, and how much of the time is left to the program.
//!
//! It is read twice in a slice, which takes some fifty nanoseconds of a hundred thousand. That of the thread's own time on a
//! processor takes some hundred more, and is read only if somebody listens to pauses. Nothing that is decided depends on
//! either, but how long a slice goes on whose budget is a time.
//!
//! What time it is, a function tells that the heap's builder may have replaced. Should it jump, a time is too long or none.

use std::time::{Duration, Instant};

/// A stretch of time in which the collector was at work.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Lap {
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    /// The thread's time on a processor, if that is asked for and the system tells it.
    pub(crate) cpu: Option<Duration>,
}

/// How long a collection took; part of [`Event::Ended`](crate::Event::Ended).
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Event, Heap};
///
/// let mut heap = Heap::new();
/// heap.on_event(|event| {
///     if let Event::Ended { timing, .. } = event {
///         assert!(timing.longest <= timing.paused && timing.paused <= timing.since_last);
///     }
/// });
/// heap.collect(&());
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// All its slices together.
    pub paused: Duration,
    /// The longest of them.
    pub longest: Duration,
    /// From its first slice to its end.
    pub lasted: Duration,
    /// From the end of the collection before to its end, or from when the heap was made.
    pub since_last: Duration,
    /// The part of that time in which the program ran, in millionths.
    pub mutator_ppm: u32,
    /// The average of that with what it was before, as V8 has it: what was long ago counts for little.
    pub average_mutator_ppm: u32,
}

/// Measures the slices of collections.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) now: fn() -> Instant,
    made: Instant,
    /// When the last collection ended.
    last_end: Instant,
    slice_began: Instant,
    cycle_began: Instant,
    /// Time on a processor is read, too.
    pub(crate) reads_cpu: bool,
    cpu_began: Option<Duration>,
    /// In this cycle.
    paused: Duration,
    longest: Duration,
    /// Since the last collection ended, what gave memory back included.
    at_work: Duration,
    /// Since the heap was made.
    at_work_ever: Duration,
    average_ppm: u32,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new(Instant::now)
    }
}

impl Clock {
    pub(crate) fn new(now: fn() -> Instant) -> Clock {
        let made = now();
        Clock {
            now,
            made,
            last_end: made,
            slice_began: made,
            cycle_began: made,
            reads_cpu: false,
            cpu_began: None,
            paused: Duration::ZERO,
            longest: Duration::ZERO,
            at_work: Duration::ZERO,
            at_work_ever: Duration::ZERO,
            average_ppm: WHOLE,
        }
    }
}

const WHOLE: u32 = 1_000_000;

impl Clock {
    pub(crate) fn begin_cycle(&mut self) {
        self.cycle_began = (self.now)();
        (self.paused, self.longest) = (Duration::ZERO, Duration::ZERO);
    }

    pub(crate) fn begin_slice(&mut self) {
        self.cpu_began = self.reads_cpu.then(thread_time).flatten();
        self.slice_began = (self.now)();
    }

    /// Ends the lap that began with the slice, or with the end of the last lap.
    pub(crate) fn end_lap(&mut self) -> Lap {
        let now = (self.now)();
        let cpu_now = self.reads_cpu.then(thread_time).flatten();
        let cpu = cpu_now.zip(self.cpu_began).map(|(now, began)| now.saturating_sub(began));
        let lap = Lap { began: self.slice_began, took: now.saturating_duration_since(self.slice_began), cpu };
        (self.slice_began, self.cpu_began) = (now, cpu_now);
        self.paused = self.paused.saturating_add(lap.took);
        self.longest = self.longest.max(lap.took);
        self.at_work = self.at_work.saturating_add(lap.took);
        self.at_work_ever = self.at_work_ever.saturating_add(lap.took);
        lap
    }

    /// The cycle has ended, as has its last lap.
    pub(crate) fn end_cycle(&mut self) -> Timing {
        let now = self.slice_began;
        let since_last = now.saturating_duration_since(self.last_end);
        let mutator_ppm = mutator_ppm(self.at_work, since_last);
        self.average_ppm = u32::midpoint(self.average_ppm, mutator_ppm);
        self.last_end = now;
        self.at_work = Duration::ZERO;
        Timing {
            paused: self.paused,
            longest: self.longest,
            lasted: now.saturating_duration_since(self.cycle_began),
            since_last,
            mutator_ppm,
            average_mutator_ppm: self.average_ppm,
        }
    }

    /// How long the program ran since the heap was made.
    pub(crate) fn of_program(&self) -> Duration {
        self.since_made().saturating_sub(self.at_work_ever)
    }

    fn since_made(&self) -> Duration {
        (self.now)().saturating_duration_since(self.made)
    }

    /// The part of the time since the heap was made in which the program ran, from 0 to 1.
    pub(crate) fn mutator_utilisation(&self) -> f64 {
        f64::from(mutator_ppm(self.at_work_ever, self.since_made())) / f64::from(WHOLE)
    }
}

/// How long this thread has been on a processor, if the system tells.
fn thread_time() -> Option<Duration> {
    #[cfg(all(unix, not(miri)))]
    {
        use rustix::time::{ClockId, clock_gettime};
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }
    #[cfg(not(all(unix, not(miri))))]
    None
}

fn mutator_ppm(at_work: Duration, of: Duration) -> u32 {
    let busy = at_work.as_nanos().saturating_mul(u128::from(WHOLE)).checked_div(of.as_nanos()).unwrap_or(0);
    WHOLE.saturating_sub(u32::try_from(busy).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_has_what_the_collector_leaves() {
        let ms = Duration::from_millis;
        assert_eq!(mutator_ppm(ms(1), ms(4)), 750_000);
        assert_eq!(mutator_ppm(ms(0), ms(4)), WHOLE);
        assert_eq!(mutator_ppm(ms(5), ms(4)), 0);
        assert_eq!(mutator_ppm(ms(0), ms(0)), WHOLE);
    }

    #[cfg(all(unix, not(miri)))]
    #[test]
    fn a_thread_that_waits_is_on_no_processor() {
        let mut clock = Clock { reads_cpu: true, ..Clock::default() };
        clock.begin_slice();
        std::thread::sleep(Duration::from_millis(5));
        let lap = clock.end_lap();
        assert!(lap.cpu.unwrap() < lap.took, "{lap:?}");
        clock.reads_cpu = false;
        clock.begin_slice();
        assert_eq!(clock.end_lap().cpu, None);
    }

    #[test]
    fn laps_add_up() {
        let mut clock = Clock::default();
        clock.begin_cycle();
        clock.begin_slice();
        std::thread::sleep(Duration::from_millis(2));
        let first = clock.end_lap();
        clock.begin_slice();
        let second = clock.end_lap();
        let timing = clock.end_cycle();
        assert_eq!(timing.paused, first.took + second.took);
        assert_eq!(timing.longest, first.took.max(second.took));
        assert!(timing.paused <= timing.lasted && timing.lasted <= timing.since_last);
        assert!(timing.mutator_ppm < 1_000_000 && timing.average_mutator_ppm >= timing.mutator_ppm);
    }
}
