//! CPU time, wall time and memory of a region of interest.
//!
//! The main figure is the CPU time of the whole process, so that neighbours on the machine disturb it little and a
//! collector's helper threads are counted. Wall time is kept beside it.

use std::time::Instant;

use cpu_time::ProcessTime;

/// The time that a region of interest took.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// CPU nanoseconds of all threads of the process.
    pub cpu_ns: f64,
    /// Nanoseconds on the wall.
    pub wall_ns: f64,
}

/// Runs `work` and says how long it took.
#[inline]
pub fn timed<R>(work: impl FnOnce() -> R) -> (Span, R) {
    let wall = Instant::now();
    let cpu = ProcessTime::now();
    let result = work();
    let cpu_ns = cpu.elapsed().as_nanos() as f64;
    let wall_ns = wall.elapsed().as_nanos() as f64;
    (Span { cpu_ns, wall_ns }, result)
}

/// The process's largest resident size so far, where the platform has `/proc/self/status`.
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
