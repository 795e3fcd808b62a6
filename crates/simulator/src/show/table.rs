//! The table at the end of a run.

use super::{bytes, count, percent, rate, sparkline, time};
use crate::outcome::{Outcome, Weight};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

const TITLE: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const PROBLEM: Style = AnsiColor::Red.on_default().bold();
const ADVICE: Style = AnsiColor::Yellow.on_default();
const NOTE: Style = AnsiColor::Cyan.on_default();
/// How wide the curve is.
const CURVE: usize = 60;

/// The table, with the escapes of colours in it; who writes it takes them out where there is no terminal.
///
/// ```
/// use tumulus_simulator::{Setup, Subject, run, show};
///
/// let mut trees = Subject::open("binary-trees", [("depth", "8")])?;
/// let outcome = run(trees.workload.as_mut(), Setup::default())?;
/// assert!(show::table::of(&outcome).contains("throughput"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn of(outcome: &Outcome) -> String {
    let mut text = String::new();
    write(&mut text, outcome).expect("writing to a string does not fail");
    text
}

fn write(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let Outcome { time: t, memory, pauses, .. } = outcome;
    writeln!(text, "{TITLE}{}{TITLE:#}  {DIM}{}{DIM:#}", outcome.workload, outcome.summary)?;
    row(
        text,
        "throughput",
        &format!("{} operations in {}: {}", count(outcome.operations), time(t.wall), rate(t.operations_per_second)),
    )?;
    let share = t.collector as f64 / t.wall.max(1) as f64;
    row(
        text,
        "collector",
        &format!("{} in {} pauses, {} of the time", time(t.collector), count(pauses.all.count), percent(share)),
    )?;
    let listed: Vec<String> =
        pauses.all.percentiles.iter().map(|p| format!("{}% {}", p.percent, time(p.within))).collect();
    row(text, "pauses", &if listed.is_empty() { "none".into() } else { listed.join("  ") })?;
    let listed: Vec<String> = outcome
        .utilisation
        .iter()
        .filter(|u| [1, 10, 100, 1000].contains(&(u.window / 1_000_000)))
        .map(|u| format!("{} {}", time(u.window), percent(u.least)))
        .collect();
    row(text, "utilisation", &listed.join("  "))?;
    row(
        text,
        "heap",
        &format!(
            "peak {} used, {} committed; {} live",
            bytes(memory.peak_used),
            bytes(memory.peak_committed),
            bytes(memory.peak_live)
        ),
    )?;
    row(text, "external", &format!("peak {}", bytes(memory.peak_external)))?;
    for totals in &outcome.totals {
        row(
            text,
            &format!("{}", totals.kind),
            &format!(
                "{} collections, {}: {} paused, {} survived",
                count(totals.collections),
                totals.reason,
                time(totals.paused),
                percent(totals.survival)
            ),
        )?;
    }
    let points: Vec<(u64, u64)> =
        outcome.curve.iter().map(|sample| (sample.at, sample.used + sample.external)).collect();
    row(text, "heap over time", &sparkline(&points, CURVE))?;
    for finding in &outcome.findings {
        let style = match finding.weight {
            Weight::Problem => PROBLEM,
            Weight::Advice => ADVICE,
            Weight::Note => NOTE,
        };
        writeln!(text, "{style}•{style:#} {}", finding.words)?;
    }
    Ok(())
}

fn row(text: &mut String, name: &str, words: &str) -> std::fmt::Result {
    writeln!(text, "  {name:<14} {words}")
}
