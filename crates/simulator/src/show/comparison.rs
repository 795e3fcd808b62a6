//! The tables of a comparison.

use super::grid::grid;
use super::{bytes, percent, time};
use crate::compare::{Comparison, Row};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

const TITLE: Style = Style::new().bold();
const PROBLEM: Style = AnsiColor::Red.on_default().bold();
/// The windows whose utilisation is shown, in milliseconds.
const WINDOWS_MS: [u64; 6] = [1, 2, 5, 10, 100, 1000];
const CURVE: Style = AnsiColor::Cyan.on_default();
/// How long the longest bar is.
const BAR: f64 = 24.0;

/// The tables, with the escapes of colours in them.
///
/// ```
/// use tumulus_simulator::compare::{Plan, in_this_process};
/// use tumulus_simulator::{Settings, show};
///
/// let settings: Settings = toml::from_str("workload = 'binary-trees'\n[parameters]\ndepth = 6")?;
/// let comparison = Plan::new(&settings, &["growth=1.5,3".into()], &[])?.run(&in_this_process, &Default::default());
/// assert!(show::comparison::of(&comparison).contains("growth=1.5"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn of(comparison: &Comparison) -> String {
    let mut text = String::new();
    write(&mut text, comparison).expect("writing to a string does not fail");
    text
}

fn write(text: &mut String, comparison: &Comparison) -> std::fmt::Result {
    let rows = comparison.rows();
    let rounds = comparison.rounds;
    let of = if rounds == 1 { "one run each".into() } else { format!("medians of {rounds} runs each") };
    let workload = comparison.contenders.first().map_or("", |contender| contender.settings.workload());
    writeln!(text, "{TITLE}{workload}{TITLE:#}  {of}\n")?;
    writeln!(text, "{}\n", figures(&rows))?;
    curve(text, &rows)?;
    writeln!(
        text,
        "{TITLE}utilisation{TITLE:#}: the program's least share of any window of that length\n\n{}\n",
        utilisation(&rows)
    )?;
    writeln!(
        text,
        "overhead: how much longer it takes than the least time that any of these would take without what is known of its\n\
         collector's; collecting costs at least that. cpu: the same in processor time, which others on the machine disturb less."
    )?;
    for note in &comparison.notes {
        writeln!(text, "{CURVE}•{CURVE:#} {note}")?;
    }
    for row in rows.iter().filter(|row| row.is_different) {
        writeln!(
            text,
            "{PROBLEM}•{PROBLEM:#} {} computed something else than others with the same program.",
            row.label
        )?;
    }
    let missing = comparison.missing().len();
    if missing > 0 {
        writeln!(
            text,
            "{PROBLEM}•{PROBLEM:#} {missing} of {} runs are missing.",
            comparison.contenders.len() * rounds
        )?;
    }
    Ok(())
}

fn figures(rows: &[Row]) -> String {
    let header =
        ["", "limit", "peak", "time", "overhead", "cpu", "collector", "50 %", "99 %", "longest", "minor", "full"];
    let cells = rows.iter().map(|row| {
        let limit = row.limit.map_or("none".into(), bytes);
        if let Some(failure) = &row.failure {
            let mut cells = [const { String::new() }; 12];
            (cells[0], cells[1], cells[2]) = (row.label.clone(), limit, first_line(failure));
            return cells;
        }
        let share = |share: Option<f64>| share.map_or(String::new(), percent);
        [
            row.label.clone(),
            limit,
            bytes(row.peak_total),
            time(row.wall),
            share(row.overhead),
            share(row.cpu_overhead),
            time(row.collector),
            time(row.pause_50),
            time(row.pause_99),
            time(row.longest),
            row.minor.to_string(),
            row.full.to_string(),
        ]
    });
    grid(header, cells)
}

fn first_line(words: &str) -> String {
    const MOST: usize = 40;
    let line = words.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.into(),
    }
}

/// A bar for each size: how much time is paid for less memory.
fn curve(text: &mut String, rows: &[Row]) -> std::fmt::Result {
    let sized: Vec<(&Row, f64, f64)> =
        rows.iter().filter_map(|row| Some((row, row.of_minimum?, row.cpu_overhead?))).collect();
    if sized.is_empty() {
        return Ok(());
    }
    let most = sized.iter().map(|&(_, _, overhead)| overhead).fold(f64::MIN_POSITIVE, f64::max);
    let width = sized.iter().map(|(row, ..)| row.label.chars().count()).max().unwrap_or(0);
    writeln!(
        text,
        "{TITLE}time for memory{TITLE:#}: overhead (cpu) by the size of the heap, as a multiple of the least\n"
    )?;
    for (row, multiple, overhead) in sized {
        let bar = "█".repeat((overhead / most * BAR).ceil() as usize);
        writeln!(text, " {:width$}  {multiple:>5.2}x  {:>8}  {CURVE}{bar}{CURVE:#}", row.label, percent(overhead))?;
    }
    writeln!(text)
}

fn utilisation(rows: &[Row]) -> String {
    let header = ["", "1 ms", "2 ms", "5 ms", "10 ms", "100 ms", "1 s"];
    let with_figures = rows.iter().filter(|row| row.failure.is_none());
    let cells = with_figures.map(|row| {
        let mut cells = [const { String::new() }; 7];
        cells[0].clone_from(&row.label);
        for (cell, ms) in cells[1..].iter_mut().zip(WINDOWS_MS) {
            *cell = share(row, ms * 1_000_000).map_or(String::new(), percent);
        }
        cells
    });
    grid(header, cells)
}

fn share(row: &Row, window: u64) -> Option<f64> {
    row.utilisation.iter().find(|utilisation| utilisation.window == window).map(|utilisation| utilisation.least)
}
