//! Watching a program wait: what is timed, and on which clocks.
//!
//! A pause is a stretch of work that a program does for its collector, or for freeing by hand. It is timed on the wall
//! and on the thread's own CPU clock, and only what took [`SHORTEST`] or more is noted: what is shorter is not a pause
//! but a call at which nothing was due.
//!
//! To read the thread's CPU clock is a system call, 0.2 to 0.6 microseconds on the machines seen, which is half of what
//! some operations take. A run is therefore made twice, in two processes: the first watches nothing and gives the total
//! time and the memory; the second watches and gives the pauses.

use std::time::{Duration, Instant};

use cpu_time::{ProcessTime, ThreadTime};

use super::measure::{Measurement, Stops};
use super::mmu::Interval;
use crate::clock::peak_rss_bytes;

/// What takes less time on the wall is no pause.
pub const SHORTEST: Duration = Duration::from_micros(1);

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Total time and memory; the pauses are not looked at.
    Totals,
    /// The pauses.
    Pauses,
}

impl Pass {
    /// The pass of that number.
    pub const fn numbered(number: u32) -> Self {
        if number == 0 { Pass::Totals } else { Pass::Pauses }
    }
}

/// The pauses of a running region of interest.
#[derive(Debug)]
pub struct Watch {
    pass: Pass,
    wall: Instant,
    process: ProcessTime,
    thread: ThreadTime,
    /// Nanoseconds since the region's begin.
    on_wall: Vec<Interval>,
    /// The same pauses in the thread's CPU time.
    on_cpu: Vec<Interval>,
}

/// A moment on both clocks, in nanoseconds since the region's begin.
#[derive(Clone, Copy, Debug)]
struct Moment {
    wall: u64,
    cpu: u64,
}

impl Watch {
    /// Begins a region of interest.
    pub fn begin(pass: Pass) -> Self {
        Watch {
            pass,
            on_wall: Vec::new(),
            on_cpu: Vec::new(),
            thread: ThreadTime::now(),
            process: ProcessTime::now(),
            wall: Instant::now(),
        }
    }

    /// Does the collector's work, and notes it as a pause unless it was too short for one.
    #[inline]
    pub fn pause<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.pause_if(work, || true)
    }

    /// The same for work that is a pause only if a look at something tells so afterwards.
    #[inline]
    pub fn pause_if<R>(&mut self, work: impl FnOnce() -> R, collected: impl FnOnce() -> bool) -> R {
        if self.pass == Pass::Totals {
            return work();
        }
        let begin = self.begin_of_pause();
        let result = work();
        let end = self.end_of_pause();
        if collected() {
            self.note(begin, end);
        }
        result
    }

    /// Does the collector's work in `budget` of time that the program does not need. Only what goes beyond is a pause.
    pub fn idle<R>(&mut self, budget: Duration, work: impl FnOnce() -> R) -> R {
        if self.pass == Pass::Totals {
            return work();
        }
        let budget = budget.as_nanos() as u64;
        let begin = self.begin_of_pause();
        let result = work();
        let end = self.end_of_pause();
        let begin = Moment { wall: begin.wall + budget, cpu: (begin.cpu + budget).min(end.cpu) };
        if begin.wall < end.wall {
            self.note(begin, end);
        }
        result
    }

    // The CPU clock is the slow one to read, so that it is read outside of the time on the wall.

    fn begin_of_pause(&self) -> Moment {
        let cpu = self.cpu();
        Moment { cpu, wall: self.wall() }
    }

    fn end_of_pause(&self) -> Moment {
        let wall = self.wall();
        Moment { wall, cpu: self.cpu() }
    }

    fn wall(&self) -> u64 {
        self.wall.elapsed().as_nanos() as u64
    }

    fn cpu(&self) -> u64 {
        self.thread.elapsed().as_nanos() as u64
    }

    fn note(&mut self, begin: Moment, end: Moment) {
        if u128::from(end.wall - begin.wall) >= SHORTEST.as_nanos() {
            self.on_wall.push(Interval { begin: begin.wall, end: end.wall });
            self.on_cpu.push(Interval { begin: begin.cpu, end: end.cpu });
        }
    }

    /// Ends the region of interest.
    pub fn end(self, operations: u64) -> Region {
        let cpu_ns = self.process.elapsed().as_nanos() as f64;
        let Moment { wall, cpu } = self.end_of_pause();
        let peak_rss_bytes = peak_rss_bytes();
        let watched = self.pass == Pass::Pauses;
        Region(Measurement {
            ns: cpu_ns,
            wall_ns: wall as f64,
            operations,
            checksum: 0,
            peak_rss_bytes,
            wall: watched.then(|| Stops::of(&self.on_wall, wall)),
            cpu: watched.then(|| Stops::of(&self.on_cpu, cpu)),
        })
    }
}

/// A region of interest that was measured, but not checked yet.
#[derive(Debug)]
pub struct Region(Measurement);

impl Region {
    /// The measurement, with what the workload computed.
    pub fn checked(mut self, checksum: u64) -> Measurement {
        self.0.checksum = checksum;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn a_pause_is_noted_and_a_call_at_which_nothing_is_due_is_not() {
        let mut watch = Watch::begin(Pass::Pauses);
        watch.pause(|| sleep(Duration::from_millis(2)));
        watch.pause_if(|| sleep(Duration::from_millis(2)), || false);
        let measurement = watch.end(1).checked(0);
        let (wall, cpu) = (measurement.wall.expect("watched"), measurement.cpu.expect("watched"));
        assert!(wall.total_ns >= 2_000_000);
        assert_eq!(wall.histogram().len(), 1);
        assert!(cpu.total_ns < wall.total_ns, "sleeping takes no CPU time");
    }

    #[test]
    fn only_what_goes_beyond_the_idle_time_is_a_pause() {
        let mut watch = Watch::begin(Pass::Pauses);
        watch.idle(Duration::from_secs(5), || sleep(Duration::from_millis(1)));
        assert!(watch.on_wall.is_empty());
        watch.idle(Duration::from_millis(1), || sleep(Duration::from_millis(4)));
        let [pause] = watch.on_wall[..] else { panic!("one pause") };
        assert!(pause.end - pause.begin >= 3_000_000);
    }

    #[test]
    fn the_first_pass_watches_nothing() {
        let mut watch = Watch::begin(Pass::Totals);
        watch.pause(|| sleep(Duration::from_millis(1)));
        let measurement = watch.end(1).checked(7);
        assert!(measurement.wall.is_none() && measurement.cpu.is_none());
        assert_eq!(measurement.checksum, 7);
    }
}
