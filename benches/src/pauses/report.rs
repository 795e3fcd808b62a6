//! Pauses, times, memory and targets of one workload, as a table and as JSON.

use std::fmt::{self, Write};

use serde::Serialize;

use super::Pauses;
use super::measure::{Measurement, Stops, WINDOWS_MS};
use super::workload::{Target, Workload};
use crate::report::{Absence, Verdict, absences, median, shown, write_end, write_scale};
use crate::suite::{OURS, name_of};

/// What came of a workload.
pub type Outcome = crate::rounds::Outcome<Pauses>;

/// The figures of one contestant over all rounds. Times of pauses are in milliseconds.
#[derive(Debug, Serialize)]
struct Row {
    contestant: &'static str,
    /// CPU nanoseconds an operation: the median of the rounds, the least and the most.
    cpu_ns: f64,
    cpu_ns_min: f64,
    cpu_ns_max: f64,
    /// Wall nanoseconds an operation, the median.
    wall_ns: f64,
    /// CPU seconds of the whole, the median.
    cpu_s: f64,
    operations: u64,
    peak_rss_bytes: Option<u64>,
    /// The pauses in the thread's CPU time, where they are known.
    cpu: Option<Clock>,
    /// The pauses on the wall.
    wall: Option<Clock>,
    checksum: u64,
    rounds: usize,
}

/// The pauses of all rounds on one clock.
#[derive(Debug, Serialize)]
struct Clock {
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    longest_ms: f64,
    /// How many there were in a round, and how long they took together.
    count: f64,
    total_ms: f64,
    /// The least share that the program had of any window of so many milliseconds.
    utilisation: Vec<(u32, f64)>,
}

#[derive(Debug, Serialize)]
struct Report {
    workload: Workload,
    operation: &'static str,
    scale: f64,
    results: Vec<Row>,
    targets: Vec<Verdict>,
    absent: Vec<Absence>,
    errors: Vec<String>,
}

/// All that was measured, as one JSON array with an object for each workload.
pub fn json(outcomes: &[Outcome]) -> String {
    let reports: Vec<Report> = outcomes.iter().map(report).collect();
    serde_json::to_string_pretty(&reports).expect("a report is plain data")
}

/// The table of one workload.
pub fn table(outcome: &Outcome) -> String {
    let mut text = String::new();
    write_table(&mut text, &report(outcome)).expect("writing to a string does not fail");
    text
}

/// The pauses of all rounds together, in CPU time or on the wall.
pub fn all_rounds(measurements: &[Measurement], clock: impl Fn(&Measurement) -> Option<&Stops>) -> Option<Stops> {
    let mut stops = measurements.iter().filter_map(clock);
    let first = stops.next()?.clone();
    Some(stops.fold(first, Stops::and))
}

fn report(outcome: &Outcome) -> Report {
    let rows: Vec<Row> = outcome.results.iter().map(|(name, measurements)| row(name, measurements)).collect();
    let ours = rows.iter().find(|row| row.contestant == OURS);
    Report {
        workload: outcome.workload,
        operation: outcome.workload.operation(),
        scale: outcome.scale,
        targets: outcome.workload.targets().iter().map(|&target| verdict(target, ours, &rows)).collect(),
        results: rows,
        absent: absences(&outcome.absent),
        errors: outcome.errors.clone(),
    }
}

fn row(contestant: &'static str, measurements: &[Measurement]) -> Row {
    let sorted = |figure: &dyn Fn(&Measurement) -> f64| {
        let mut figures: Vec<f64> = measurements.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures
    };
    let cpu = sorted(&|measurement| measurement.ns / measurement.operations as f64);
    Row {
        contestant,
        cpu_ns: median(&cpu),
        cpu_ns_min: cpu[0],
        cpu_ns_max: cpu[cpu.len() - 1],
        wall_ns: median(&sorted(&|measurement| measurement.wall_ns / measurement.operations as f64)),
        cpu_s: median(&sorted(&|measurement| measurement.ns / 1e9)),
        operations: measurements[0].operations,
        peak_rss_bytes: measurements.iter().filter_map(|measurement| measurement.peak_rss_bytes).max(),
        cpu: all_rounds(measurements, |measurement| measurement.cpu.as_ref())
            .map(|stops| clock(&stops, measurements.len())),
        wall: all_rounds(measurements, |measurement| measurement.wall.as_ref())
            .map(|stops| clock(&stops, measurements.len())),
        checksum: measurements[0].checksum,
        rounds: measurements.len(),
    }
}

fn clock(stops: &Stops, rounds: usize) -> Clock {
    let histogram = stops.histogram();
    let longest_ms = stops.longest_ns as f64 / 1e6;
    // A bucket of the histogram ends a little above the longest of its pauses.
    let quantile = |quantile| (histogram.value_at_quantile(quantile) as f64 / 1e6).min(longest_ms);
    Clock {
        p50_ms: quantile(0.5),
        p90_ms: quantile(0.9),
        p99_ms: quantile(0.99),
        p999_ms: quantile(0.999),
        longest_ms,
        count: histogram.len() as f64 / rounds as f64,
        total_ms: stops.total_ns as f64 / 1e6 / rounds as f64,
        utilisation: WINDOWS_MS.iter().map(|&window| (window, stops.utilisation(window))).collect(),
    }
}

fn write_table(text: &mut String, report: &Report) -> fmt::Result {
    let name = name_of(report.workload);
    let operations = report.results.first().map_or(0, |row| row.operations);
    writeln!(text, "\n{name}: ns {}, {operations} operations; pauses in ms", report.operation)?;
    write_scale(text, report.scale)?;
    write!(text, "{:<18} {:>9} {:>7} {:>8} ", "", "CPU ns", "CPU s", "peak MB")?;
    write!(text, "{:>5} {:>8} {:>8} {:>8} {:>8} {:>8}", "clock", "p50", "p90", "p99", "p99.9", "longest")?;
    write!(text, " {:>8} {:>9} ", "count", "total")?;
    for window in WINDOWS_MS {
        write!(text, " {:>9}", format!("MMU {window}"))?;
    }
    writeln!(text)?;
    for row in &report.results {
        write!(text, "{:<18} {:>9.1} {:>7.2} ", row.contestant, row.cpu_ns, row.cpu_s)?;
        write!(text, "{:>8} ", shown(row.peak_rss_bytes.map(|bytes| bytes as f64 / 1e6), 0))?;
        let clocks = [("CPU", &row.cpu), ("wall", &row.wall)];
        let known = clocks.iter().filter_map(|(name, clock)| Some((name, clock.as_ref()?)));
        for (line, (name, clock)) in known.enumerate() {
            if line > 0 {
                write!(text, "{:<45} ", "")?;
            }
            write_clock(text, name, clock)?;
        }
        if row.cpu.is_none() && row.wall.is_none() {
            writeln!(text)?;
        }
    }
    write_end(text, &report.targets, &report.absent, &report.errors)
}

fn write_clock(text: &mut String, name: &str, clock: &Clock) -> fmt::Result {
    write!(text, "{name:>5}")?;
    for figure in [clock.p50_ms, clock.p90_ms, clock.p99_ms, clock.p999_ms, clock.longest_ms] {
        write!(text, " {figure:>8.3}")?;
    }
    write!(text, " {:>8.0} {:>9.1} ", clock.count, clock.total_ms)?;
    for (_, share) in &clock.utilisation {
        write!(text, " {:>8.1}%", share * 100.0)?;
    }
    writeln!(text)
}

fn verdict(target: Target, ours: Option<&Row>, rows: &[Row]) -> Verdict {
    let peer = |name: &str| rows.iter().find(|row| row.contestant == name);
    let ratio = |name: &str, figure: &dyn Fn(&Row) -> Option<f64>| {
        let ratio = figure(ours?)? / figure(peer(name)?)?;
        ratio.is_finite().then_some(ratio)
    };
    let cpu = |row: &Row| Some(row.cpu_ns);
    let longest = |row: &Row| row.cpu.as_ref().map(|clock| clock.longest_ms);
    let at_most = |target: String, measured: Option<f64>, limit: f64| Verdict {
        target,
        measured,
        reached: measured.map(|measured| measured <= limit),
    };
    match target {
        Target::LongestMs(limit) => {
            at_most(format!("the longest pause at most {limit} ms of CPU time"), ours.and_then(longest), limit)
        }
        Target::P99Ms(limit) => {
            let p99 = ours.and_then(|ours| Some(ours.cpu.as_ref()?.p99_ms));
            at_most(format!("99 of 100 pauses at most {limit} ms of CPU time"), p99, limit)
        }
        Target::LongestTimesPeer(limit, name) => {
            let measured = ratio(name, &longest);
            at_most(format!("the longest pause at most {limit} x that of {name}"), measured, limit)
        }
        Target::TimesPeer(limit, name) => {
            at_most(format!("CPU time at most {limit} x {name}"), ratio(name, &cpu), limit)
        }
        Target::RateTimesPeer(limit, name) => {
            let measured = ratio(name, &cpu).map(|ratio| 1.0 / ratio);
            let target = format!("operations a second of CPU time at least {limit} x {name}");
            Verdict { target, measured, reached: measured.map(|measured| measured >= limit) }
        }
        Target::PeakMegabytes(limit) => {
            let peak = ours.and_then(|ours| ours.peak_rss_bytes).map(|bytes| bytes as f64 / 1e6);
            at_most(format!("peak memory at most {limit} MB"), peak, limit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pauses::mmu::Interval;

    fn measurement(ns: f64, longest_ns: u64) -> Measurement {
        let pauses = [Interval { begin: 5_000_000, end: 5_000_000 + longest_ns }];
        let stops = Some(Stops::of(&pauses, 1_000_000_000));
        Measurement {
            ns,
            wall_ns: ns,
            operations: 100,
            checksum: 7,
            peak_rss_bytes: Some(50_000_000),
            wall: stops.clone(),
            cpu: stops,
        }
    }

    fn outcome() -> Outcome {
        Outcome {
            workload: Workload::LiveTrees,
            scale: 1.0,
            results: vec![
                (OURS, vec![measurement(1_000.0, 300_000), measurement(1_200.0, 600_000)]),
                ("gc-arena", vec![measurement(10_000.0, 90_000)]),
            ],
            absent: vec![("go", "a reason")],
            errors: Vec::new(),
        }
    }

    #[test]
    fn the_longest_pause_is_that_of_all_rounds_and_the_time_is_the_median() {
        let report = report(&outcome());
        let reached: Vec<(Option<f64>, Option<bool>)> =
            report.targets.iter().map(|verdict| (verdict.measured, verdict.reached)).collect();
        assert_eq!(reached[0], (Some(0.6), Some(false)), "the longest");
        assert_eq!(reached[2], (Some(0.11), Some(true)), "the time beside gc-arena");
        assert_eq!(reached[3], (None, None), "node was not measured");
        assert_eq!(reached[4], (Some(50.0), Some(true)), "the memory");
    }

    #[test]
    fn the_table_has_a_line_for_each_clock() {
        let table = table(&outcome());
        assert_eq!(table.matches("wall").count(), 2);
        assert!(table.contains("left out: go: a reason"));
    }
}
