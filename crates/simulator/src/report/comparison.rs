//! Runs side by side.

use super::figures::Key;
use super::page::{Esc, Page};
use super::plot::Plot;
use super::utilisation::{self, COLOURS};
use super::{tables, ticks};
use crate::compare::{Comparison, Row};
use crate::outcome::Utilisation;
use crate::show::{bytes, count, percent, time};

pub(super) fn page(comparison: &Comparison) -> String {
    let rows = comparison.rows();
    let done: Vec<&Row> = rows.iter().filter(|row| row.failure.is_none()).collect();
    let workloads: Vec<&str> = comparison.contenders.iter().filter_map(|of| of.settings.workload.as_deref()).collect();
    let title = workloads.first().copied().unwrap_or("binary-trees");
    let rounds =
        if comparison.rounds == 1 { "once".into() } else { format!("{} times; medians are shown", comparison.rounds) };
    let mut page = Page::new(title, &format!("{} heaps side by side, each run {rounds}.", rows.len()));
    page.raw("<div class=\"key\">\n");
    for key in keys(&done) {
        key.write(&mut page);
    }
    page.raw("</div>\n");
    bars(&mut page, &collected(&done));
    time_space(&mut page, &done);
    let curves: Vec<(&str, &[Utilisation])> = collected(&done)
        .into_iter()
        .map(|row| (row.label.as_str(), row.utilisation.as_slice()))
        .take(COLOURS.len())
        .collect();
    utilisation::write(&mut page, &curves);
    table(&mut page, &rows);
    if !comparison.notes.is_empty() {
        page.section("notes", "To be kept in mind", "", |page| {
            for note in &comparison.notes {
                page.raw(format_args!("<p>{}</p>\n", Esc(note)));
            }
        });
    }
    page.section("again", "To do it again", "", |page| {
        tables::command(page, &comparison.command);
        let machine = &comparison.machine;
        tables::facts(
            page,
            [
                ("machine", format!("{} {}, {} threads at once", machine.os, machine.arch, machine.cores)),
                ("version", comparison.version.clone()),
            ],
        );
    });
    page.finish()
}

/// The heaps that were collected. One that never frees is there to tell what collecting costs, and would dwarf the others.
fn collected<'r>(rows: &[&'r Row]) -> Vec<&'r Row> {
    let collected: Vec<&Row> = rows.iter().copied().filter(|row| row.minor + row.full > 0).collect();
    if collected.is_empty() { rows.to_vec() } else { collected }
}

/// What is told of the best and of the worst.
struct Question {
    id: &'static str,
    name: &'static str,
    figure: fn(&Row) -> u64,
    show: fn(u64) -> String,
    about: &'static str,
}

const QUESTIONS: [Question; 3] = [
    Question { id: "throughput", name: "The fastest", figure: |row| row.wall, show: time, about: "from begin to end" },
    Question {
        id: "latency",
        name: "The shortest pauses",
        figure: |row| row.pause_99,
        show: time,
        about: "99 of 100 pauses are no longer",
    },
    Question {
        id: "footprint",
        name: "The smallest",
        figure: |row| row.peak_total,
        show: bytes,
        about: "committed and outside, at most",
    },
];

/// Who is best in what.
fn keys(rows: &[&Row]) -> Vec<Key<'static>> {
    let choices = collected(rows);
    let answer = |Question { id, name, figure, show, about }| {
        let best = choices.iter().min_by_key(|row| figure(row))?;
        let worst = choices.iter().max_by_key(|row| figure(row))?;
        let (least, most) = (figure(best), figure(worst));
        let facts = if least == most {
            vec![("of all", "the same".into())]
        } else {
            vec![("the most of all", show(most)), ("with", worst.label.clone())]
        };
        Some(Key {
            id,
            name,
            figure: show(least),
            about: format!("{}: {about}.", best.label),
            meter: vec![("used", least as f64 / most.max(1) as f64)],
            facts,
        })
    };
    QUESTIONS.into_iter().filter_map(answer).collect()
}

fn bars(page: &mut Page, rows: &[&Row]) {
    if rows.is_empty() {
        return;
    }
    page.section("side-by-side", "Side by side", "", |page| {
        page.raw("<div class=\"two\"><div>");
        chart(
            page,
            "Time, from begin to end",
            rows,
            |row| vec![("used", row.wall.saturating_sub(row.collector)), ("full", row.collector)],
            |row| time(row.wall),
        );
        page.legend(&[("used", "the program"), ("full", "collections")]);
        page.raw("</div><div>");
        chart(page, "Memory, at most", rows, |row| vec![("live", row.peak_total)], |row| bytes(row.peak_total));
        page.raw("</div><div>");
        chart(
            page,
            "Pauses: 99 of 100 are no longer",
            rows,
            |row| vec![("minor", row.pause_99)],
            |row| time(row.pause_99),
        );
        page.raw("</div><div>");
        chart(page, "The longest pause", rows, |row| vec![("full", row.longest)], |row| time(row.longest));
        page.raw("</div></div>\n");
    });
}

/// Bars of a length each, in parts.
fn chart(
    page: &mut Page,
    name: &str,
    rows: &[&Row],
    parts: fn(&Row) -> Vec<(&'static str, u64)>,
    value: fn(&Row) -> String,
) {
    let whole = |row: &Row| parts(row).iter().map(|(_, size)| size).sum::<u64>();
    let most = rows.iter().map(|row| whole(row)).max().unwrap_or(0).max(1);
    page.raw(format_args!("<h3>{}</h3><div class=\"bars\">\n", Esc(name)));
    for row in rows {
        page.raw(format_args!("<span>{}</span><span class=\"bar\">", Esc(&row.label)));
        for (class, size) in parts(row) {
            page.raw(format_args!(
                "<i class=\"{class}\" style=\"width:{:.2}%\"></i>",
                size as f64 / most as f64 * 100.0
            ));
        }
        page.raw(format_args!("</span><span class=\"value\">{}</span>\n", Esc(value(row))));
    }
    page.raw("</div>\n");
}

/// What time is paid for what memory, where the least heap is known.
fn time_space(page: &mut Page, rows: &[&Row]) {
    let mut points: Vec<(f64, &Row)> = rows.iter().filter_map(|row| Some((row.of_minimum?, *row))).collect();
    if points.len() < 2 {
        return;
    }
    points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let about = "How much longer it takes than it could without collecting, at least, by the size of the heap as a multiple of \
                 the least in which it runs.";
    page.section("time-space", "Time for space", about, |page| {
        let cost = |row: &Row| row.overhead.unwrap_or(0.0).max(0.0);
        let most = points.iter().map(|(_, row)| cost(row)).fold(0.01, f64::max);
        let (y, mut lines) = ticks::number(most * 100.0);
        for tick in &mut lines {
            tick.label += " %";
        }
        let (x, mut columns) = ticks::number(points.last().map_or(1.0, |(size, _)| *size));
        for tick in &mut columns {
            tick.label += "×";
        }
        let mut plot = Plot::new("Overhead by the size of the heap", 220.0, 0.0);
        plot.rows(&lines);
        plot.columns(&columns);
        let place = |(size, row): &(f64, &Row)| (x.at(*size), y.at(cost(row) * 100.0));
        // Those that differ in nothing but the size are one curve.
        let kind =
            |row: &Row| row.label.rsplit_once("limit=").map_or(row.label.clone(), |(before, _)| before.to_owned());
        let mut kinds: Vec<String> = points.iter().map(|(_, row)| kind(row)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for (of, class) in kinds.iter().zip(COLOURS.iter().cycle()) {
            let curve: Vec<(f64, f64)> = points.iter().filter(|(_, row)| kind(row) == *of).map(place).collect();
            plot.line(class, &curve);
            plot.points(class, &curve);
        }
        for (size, row) in &points {
            plot.tip(
                x.at(*size),
                &format!("{}\n{} longer, at least\n{}", row.label, percent(cost(row)), time(row.wall)),
            );
        }
        page.raw(plot.finish());
    });
}

fn table(page: &mut Page, rows: &[Row]) {
    let about = "The overhead is how much longer it takes than the least of all with what is known of its collector's time \
                 subtracted: a lower bound of what collecting costs.";
    page.section("figures", "All figures", about, |page| {
        let share = |share: Option<f64>| share.map_or("–".to_owned(), percent);
        let cells = rows.iter().map(|row| match &row.failure {
            Some(words) => {
                let mut cells = vec![row.label.clone(), words.clone()];
                cells.resize(12, String::new());
                cells
            }
            None => vec![
                if row.is_different { format!("{} (another result!)", row.label) } else { row.label.clone() },
                row.limit.map_or("–".into(), bytes),
                time(row.wall),
                share(row.overhead),
                share(row.cpu_overhead),
                time(row.collector),
                time(row.pause_50),
                time(row.pause_99),
                time(row.longest),
                count(row.minor),
                count(row.full),
                bytes(row.peak_total),
            ],
        });
        let headings = [
            "heap",
            "#limit",
            "#time",
            "#overhead",
            "#cpu overhead",
            "#collecting",
            "#50 %",
            "#99 %",
            "#longest",
            "#minor",
            "#full",
            "#peak",
        ];
        page.table(&headings, cells);
    });
}
