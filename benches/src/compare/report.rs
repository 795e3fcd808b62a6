//! Medians, ratios and targets of one workload, as a table and as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::Compare;
use super::measure::Measurement;
use super::workload::{Target, Unit, Workload};
use crate::report::{Absence, Verdict, absences, median, shown, write_end, write_scale};
use crate::suite::{OURS, name_of};

type Outcome = crate::rounds::Outcome<Compare>;

/// Figures of one contestant, in the workload's unit.
#[derive(Debug, Serialize)]
struct Row {
    contestant: &'static str,
    median: f64,
    min: f64,
    max: f64,
    /// The median on the wall, where the workload is about time.
    wall: Option<f64>,
    peak_rss_bytes: Option<u64>,
    /// Ours divided by this one.
    ours_ratio: Option<f64>,
    checksum: u64,
    rounds: Vec<Measurement>,
}

#[derive(Debug, Serialize)]
struct Report {
    workload: Workload,
    unit: &'static str,
    operation: &'static str,
    operations: u64,
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
    let report = report(outcome);
    let mut text = String::new();
    write_table(&mut text, &report).expect("writing to a string does not fail");
    text
}

fn write_table(text: &mut String, report: &Report) -> std::fmt::Result {
    let name = name_of(report.workload);
    writeln!(text, "\n{name}: {} {}, {} operations", report.unit, report.operation, report.operations)?;
    write_scale(text, report.scale)?;
    writeln!(
        text,
        "{:<18} {:>10} {:>10} {:>10} {:>10} {:>10} {:>11} {:>6}",
        "", "median", "min", "max", "wall", "peak MiB", "ours / this", "rounds"
    )?;
    for row in &report.results {
        writeln!(
            text,
            "{:<18} {:>10.2} {:>10.2} {:>10.2} {:>10} {:>10} {:>11} {:>6}",
            row.contestant,
            row.median,
            row.min,
            row.max,
            shown(row.wall, 2),
            shown(row.peak_rss_bytes.map(|bytes| bytes as f64 / f64::from(1 << 20)), 0),
            shown(row.ours_ratio, 3),
            row.rounds.len(),
        )?;
    }
    write_end(text, &report.targets, &report.absent, &report.errors)
}

fn report(outcome: &Outcome) -> Report {
    let unit = outcome.workload.unit();
    let mut rows: Vec<Row> =
        outcome.results.iter().filter_map(|(name, measurements)| row(name, measurements, unit)).collect();
    let ours = rows.iter().find(|row| row.contestant == OURS).map(|row| row.median);
    for row in &mut rows {
        row.ours_ratio = ours.filter(|_| row.contestant != OURS).map(|ours| ours / row.median);
    }
    let targets = outcome.workload.targets().iter().map(|&target| verdict(target, ours, &rows, unit)).collect();
    let operations = rows.first().map_or(0, |row| row.rounds[0].operations);
    Report {
        workload: outcome.workload,
        unit: unit.name(),
        operation: outcome.workload.operation(),
        operations,
        scale: outcome.scale,
        results: rows,
        targets,
        absent: absences(&outcome.absent),
        errors: outcome.errors.clone(),
    }
}

/// The figures of one contestant, or nothing where the platform could not measure it.
fn row(contestant: &'static str, measurements: &[Measurement], unit: Unit) -> Option<Row> {
    let mut figures: Vec<f64> =
        measurements.iter().map(|measurement| figure(measurement, measurement.ns, unit)).collect::<Option<_>>()?;
    figures.sort_by(f64::total_cmp);
    let mut walls: Vec<f64> =
        measurements.iter().filter_map(|measurement| figure(measurement, measurement.wall_ns, unit)).collect();
    walls.sort_by(f64::total_cmp);
    Some(Row {
        contestant,
        median: median(&figures),
        min: figures[0],
        max: figures[figures.len() - 1],
        wall: (unit != Unit::BytesEach).then(|| median(&walls)),
        peak_rss_bytes: measurements.iter().filter_map(|measurement| measurement.peak_rss_bytes).max(),
        ours_ratio: None,
        checksum: measurements[0].checksum,
        rounds: measurements.to_vec(),
    })
}

fn figure(measurement: &Measurement, ns: f64, unit: Unit) -> Option<f64> {
    let operations = measurement.operations as f64;
    match unit {
        Unit::NanosecondsEach | Unit::Times => Some(ns / operations),
        Unit::Milliseconds => Some(ns / 1e6),
        Unit::BytesEach => measurement.bytes.map(|bytes| bytes as f64 / operations),
    }
}

fn verdict(target: Target, ours: Option<f64>, rows: &[Row], unit: Unit) -> Verdict {
    let (text, limit, measured) = match target {
        Target::TimesPeer(limit, peer) => {
            let ratio = rows.iter().find(|row| row.contestant == peer).and_then(|row| row.ours_ratio);
            (format!("at most {limit} x {peer}"), limit, ratio)
        }
        Target::AtMost(limit) => (format!("at most {limit} {}", unit.name()), limit, ours),
    };
    Verdict { target: text, measured, reached: measured.map(|measured| measured <= limit) }
}
