//! The table at the end of a run.

use super::grid::grid;
use super::{bytes, count, percent, rate, sparkline, time};
use crate::outcome::{Distribution, Finding, Outcome, Sample, Weight};
use anstyle::{AnsiColor, Style};
use std::fmt::{Result, Write};

const TITLE: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const PROBLEM: Style = AnsiColor::Red.on_default().bold();
const ADVICE: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = AnsiColor::Cyan.on_default();
/// How wide a curve is.
const CURVE: usize = 64;
/// How wide the findings are.
const WIDTH: usize = 92;
/// The percentiles that are shown.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];
/// The windows whose utilisation is shown, in milliseconds.
const WINDOWS_MS: [u64; 5] = [1, 5, 10, 100, 1000];

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

fn write(text: &mut String, outcome: &Outcome) -> Result {
    title(text, outcome)?;
    key_figures(text, outcome)?;
    pauses(text, outcome)?;
    memory(text, outcome)?;
    collections(text, outcome)?;
    curves(text, outcome)?;
    findings(text, &outcome.findings)
}

fn title(text: &mut String, outcome: &Outcome) -> Result {
    let title = if outcome.workload.is_empty() { "a workload" } else { &outcome.workload };
    writeln!(text, "{TITLE}{title}{TITLE:#}  {}", outcome.summary)?;
    let mut words: Vec<String> = outcome.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    words.push(format!("seed={}", outcome.seed));
    words.extend(outcome.options.pairs().into_iter().map(|(name, value)| format!("{name}={value}")));
    words.extend(outcome.environment.iter().map(|(name, value)| format!("{name}={value}")));
    writeln!(text, "{DIM}{}{DIM:#}\n", words.join("  "))
}

fn row(text: &mut String, name: &str, figure: &str, words: &str) -> Result {
    writeln!(text, "{name:<13}{TITLE}{figure}{TITLE:#}  {words}")
}

fn key_figures(text: &mut String, outcome: &Outcome) -> Result {
    let (t, memory) = (&outcome.time, &outcome.memory);
    let done = match outcome.planned {
        Some(planned) if planned != outcome.operations => {
            format!("{} of {} operations", count(outcome.operations), count(planned))
        }
        _ => format!("{} operations", count(outcome.operations)),
    };
    row(text, "throughput", &rate(t.operations_per_second), &format!("{done} in {}", time(t.wall)))?;
    let share = t.collector as f64 / t.wall.max(1) as f64;
    let pauses = format!("{} in {} pauses", time(t.collector), count(outcome.pauses.all.count));
    row(text, "collector", &percent(share), &format!("of the time: {pauses}"))?;
    let longest = &outcome.pauses.all;
    row(
        text,
        "latency",
        &time(longest.percentile(99.0)),
        &format!("for 99 % of pauses; the longest {}", time(longest.longest)),
    )?;
    if let Some(frames) = &outcome.frames {
        let words = format!("of {} frames, the longest {}", count(frames.count), time(frames.longest));
        row(text, "late", &count(frames.late), &format!("{words}; late is longer than {}", time(frames.within)))?;
    }
    let limit = memory.limit.map_or("no limit".into(), |limit| format!("a limit of {}", bytes(limit)));
    row(text, "footprint", &bytes(memory.peak_total), &format!("at most, with {limit}\n"))
}

fn pauses(text: &mut String, outcome: &Outcome) -> Result {
    let pauses = &outcome.pauses;
    if pauses.all.count == 0 {
        return writeln!(text, "{DIM}There were no pauses.{DIM:#}\n");
    }
    let cells = |name: &str, of: &Distribution| {
        let [p50, p90, p99, p999] = PERCENTILES.map(|percent| time(of.percentile(percent)));
        [name.into(), count(of.count), p50, p90, p99, p999, time(of.longest), time(of.total)]
    };
    let named = [("minor", &pauses.minor), ("full", &pauses.full)];
    let rows = named.into_iter().filter(|(_, of)| of.count > 0).map(|(name, of)| cells(name, of));
    let header = ["pauses", "", "50 %", "90 %", "99 %", "99.9 %", "longest", "in all"];
    writeln!(text, "{}\n", grid(header, rows))?;
    let windows = outcome.utilisation.iter().filter(|u| WINDOWS_MS.iter().any(|ms| ms * 1_000_000 == u.window));
    let shares: Vec<String> = windows.map(|u| format!("{} {}", time(u.window), percent(u.least))).collect();
    if shares.is_empty() {
        return Ok(());
    }
    writeln!(text, "utilisation  {}  {DIM}(the program's least share of any such window){DIM:#}\n", shares.join(" · "))
}

fn memory(text: &mut String, outcome: &Outcome) -> Result {
    let memory = &outcome.memory;
    let header = ["memory", "objects", "committed", "external", "live", "allocated", "freed"];
    let cells = [
        "at most".into(),
        bytes(memory.peak_used),
        bytes(memory.peak_committed),
        bytes(memory.peak_external),
        if memory.peak_live == 0 { "–".into() } else { bytes(memory.peak_live) },
        bytes(memory.allocated),
        bytes(memory.freed),
    ];
    writeln!(text, "{}\n", grid(header, [cells]))
}

fn collections(text: &mut String, outcome: &Outcome) -> Result {
    if outcome.totals.is_empty() {
        return writeln!(text, "{DIM}There were no collections.{DIM:#}\n");
    }
    let rows = outcome.totals.iter().map(|totals| {
        [
            format!("{:<5}  {}", totals.kind, totals.reason),
            count(totals.collections),
            count(totals.slices),
            time(totals.paused),
            time(totals.longest),
            bytes(totals.freed_bytes),
            percent(totals.survival),
        ]
    });
    let header = ["collections", "", "slices", "paused", "longest", "freed", "survived"];
    writeln!(text, "{}\n", grid(header, rows))
}

fn curves(text: &mut String, outcome: &Outcome) -> Result {
    let curve = |of: fn(&Sample) -> u64| -> (String, u64) {
        let points: Vec<(u64, u64)> = outcome.curve.iter().map(|sample| (sample.at, of(sample))).collect();
        let most = points.iter().map(|&(_, value)| value).max().unwrap_or(0);
        (sparkline(&points, CURVE), most)
    };
    let mut line = |name: &str, (line, most): (String, u64)| match most {
        0 => Ok(()),
        _ => writeln!(text, "{name:<13}{NOTE}{line}{NOTE:#}  {}", bytes(most)),
    };
    line("heap", curve(|sample| sample.used))?;
    line("external", curve(|sample| sample.external))?;
    writeln!(text)
}

fn findings(text: &mut String, findings: &[Finding]) -> Result {
    for Finding { weight, words, .. } in findings {
        let style = match weight {
            Weight::Problem => PROBLEM,
            Weight::Advice => ADVICE,
            Weight::Note => NOTE,
        };
        let mut mark = format!("{style}•{style:#}");
        for line in wrapped(words) {
            writeln!(text, "{mark} {line}")?;
            mark = " ".into();
        }
    }
    Ok(())
}

/// Units, which are not parted from their numbers.
const UNITS: [&str; 10] = ["%", "B", "KiB", "MiB", "GiB", "TiB", "s", "ms", "µs", "ns"];

/// Words in lines of so many characters.
fn wrapped(words: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        let is_unit = UNITS.contains(&word.trim_end_matches([',', '.', ':', ';', ')']));
        match parts.last_mut() {
            Some(number) if is_unit => *number = format!("{number} {word}"),
            _ => parts.push(word.into()),
        }
    }
    let mut lines: Vec<String> = vec![String::new()];
    for word in &parts {
        let line = lines.last_mut().expect("there is a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.clone());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_where_they_end_and_none_is_lost() {
        let words = "a finding with µs and many words ".repeat(20);
        let lines = wrapped(&words);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(lines.join(" "), words.trim());
        assert_eq!(wrapped("one"), ["one"]);
        let units = wrapped(&"it is 12 % of 3 MiB, ".repeat(30));
        assert!(units.iter().all(|line| !line.starts_with('%') && !line.starts_with("MiB")), "{units:?}");
    }
}
