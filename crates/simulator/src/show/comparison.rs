//! The tables of a comparison.

use super::{bytes, percent, time};
use crate::compare::{Comparison, Row};
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write;

const TITLE: Style = Style::new().bold();
const PROBLEM: Style = AnsiColor::Red.on_default().bold();
/// The windows whose utilisation is shown, in milliseconds.
const WINDOWS_MS: [u64; 6] = [1, 2, 5, 10, 100, 1000];
/// How long the longest bar is.
const BAR: f64 = 24.0;

/// The tables, with the escapes of colours in them.
///
/// ```
/// use tumulus_simulator::compare::{Plan, in_this_process};
/// use tumulus_simulator::{Settings, show};
///
/// let settings: Settings = toml::from_str("[parameters]\ndepth = 6")?;
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
    if rows.iter().any(|row| row.of_minimum.is_some() && row.overhead.is_some()) {
        writeln!(text, "{TITLE}overhead by the size of the heap{TITLE:#}\n\n{}\n", curve(&rows))?;
    }
    writeln!(text, "{TITLE}least share of any window that the program had{TITLE:#}\n\n{}\n", utilisation(&rows))?;
    writeln!(
        text,
        "overhead: how much longer it takes than {} of all with what is known of its collector's time subtracted; collecting\n\
         costs at least that. cpu: the same in processor time, which other programs disturb less.",
        if rows.len() > 1 { "the least" } else { "itself" },
    )?;
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

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn figures(rows: &[Row]) -> Table {
    let header =
        ["", "limit", "peak", "time", "overhead", "cpu", "collector", "50 %", "99 %", "longest", "minor", "full"];
    table(
        &header,
        rows.iter().map(|row| {
            let limit = match (row.limit, row.of_minimum) {
                (Some(limit), Some(multiple)) => format!("{multiple:.2}x {}", bytes(limit)),
                (Some(limit), None) => bytes(limit),
                _ => "none".into(),
            };
            if let Some(failure) = &row.failure {
                let mut cells = vec![row.label.clone(), limit, first_line(failure)];
                cells.resize(header.len(), String::new());
                return cells;
            }
            let share = |share: Option<f64>| share.map_or(String::new(), percent);
            vec![
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
        }),
    )
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
fn curve(rows: &[Row]) -> Table {
    let sized = || rows.iter().filter_map(|row| Some((row, row.of_minimum?, row.cpu_overhead?)));
    let most = sized().map(|(_, _, overhead)| overhead).fold(f64::MIN_POSITIVE, f64::max);
    let mut table = table(
        &["", "heap", "overhead (cpu)", ""],
        sized().map(|(row, multiple, overhead)| {
            let bar = "█".repeat((overhead / most * BAR).ceil() as usize);
            vec![row.label.clone(), format!("{multiple:.2}x"), percent(overhead), bar]
        }),
    );
    if let Some(column) = table.column_mut(3) {
        column.set_cell_alignment(CellAlignment::Left);
    }
    table
}

fn utilisation(rows: &[Row]) -> Table {
    let known = |window: &u64| rows.iter().any(|row| share(row, *window).is_some());
    let windows: Vec<u64> = WINDOWS_MS.into_iter().map(|ms| ms * 1_000_000).filter(known).collect();
    let names: Vec<String> = windows.iter().map(|&window| time(window)).collect();
    let header: Vec<&str> = std::iter::once("").chain(names.iter().map(String::as_str)).collect();
    let with_figures = rows.iter().filter(|row| row.failure.is_none());
    table(
        &header,
        with_figures.map(|row| {
            let cells = windows.iter().map(|&window| share(row, window).map_or(String::new(), percent));
            std::iter::once(row.label.clone()).chain(cells).collect()
        }),
    )
}

fn share(row: &Row, window: u64) -> Option<f64> {
    row.utilisation.iter().find(|utilisation| utilisation.window == window).map(|utilisation| utilisation.least)
}
