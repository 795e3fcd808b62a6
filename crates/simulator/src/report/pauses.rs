//! The pauses: when they were, and how long.

use super::page::Page;
use super::plot::Plot;
use super::ticks::{self, Scale, Tick};
use crate::outcome::{Distribution, Kind, Outcome};
use crate::show::{count, percent, time};

/// Bars for each power of ten.
const BARS: u32 = 6;

pub(super) fn write(page: &mut Page, outcome: &Outcome) {
    let pauses = &outcome.pauses;
    if pauses.all.count == 0 {
        return;
    }
    let about =
        "A pause is one slice of a collection, in which the program waits. How long it is goes by powers of ten.";
    page.section("pauses", "The pauses", about, |page| {
        let shortest = pauses.all.counts.first().map_or(1, |&(time, _)| time);
        let (scale, ticks) = ticks::log_duration(shortest.max(100), pauses.all.longest);
        page.raw(over_time(outcome, scale, &ticks));
        let of = [
            (&pauses.minor, ("minor", "minor: the longest of each moment")),
            (&pauses.full, ("full", "full: the same")),
        ];
        let legend: Vec<(&str, &str)> = of.into_iter().filter(|(of, _)| of.count > 0).map(|(_, entry)| entry).collect();
        page.legend(&legend);
        page.raw("<h2 id=\"distribution\" style=\"margin-top:22px\">Their distribution</h2>\n");
        page.raw(distribution(outcome, scale, &ticks));
        let row = |name: &str, of: &Distribution| {
            let mut row = vec![name.to_owned(), count(of.count), time(of.total)];
            row.extend([50.0, 90.0, 99.0, 99.9, 99.99].map(|percent| time(of.percentile(percent))));
            row.push(time(of.longest));
            row
        };
        let of = [("minor", &pauses.minor), ("full", &pauses.full), ("all", &pauses.all)];
        let rows = of.into_iter().filter(|(_, of)| of.count > 0).map(|(name, of)| row(name, of));
        page.table(
            &["pauses", "#number", "#together", "#50 %", "#90 %", "#99 %", "#99.9 %", "#99.99 %", "#longest"],
            rows,
        );
    });
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Minor => "minor",
        Kind::Full => "full",
    }
}

fn over_time(outcome: &Outcome, y: Scale, rows: &[Tick]) -> String {
    let pauses = &outcome.pauses;
    let (x, columns) = ticks::duration(outcome.time.wall);
    let label = format!("{} pauses over time; the longest took {}", count(pauses.all.count), time(pauses.all.longest));
    let mut plot = Plot::new(&label, 200.0, 0.0);
    plot.rows(rows);
    plot.columns(&columns);
    for stretch in &pauses.over_time {
        let at = x.at(stretch.at as f64);
        plot.stem(class(stretch.kind), at, y.at(stretch.longest as f64));
        let words = match stretch.count {
            1 => format!("{}\n{} pause of {}", time(stretch.at), stretch.kind, time(stretch.longest)),
            several => format!(
                "{}\n{} pauses, {} together\nthe longest: {}, {}",
                time(stretch.at),
                count(several),
                time(stretch.total),
                time(stretch.longest),
                stretch.kind
            ),
        };
        plot.tip(at, &words);
    }
    plot.finish()
}

/// How many pauses took how long.
fn distribution(outcome: &Outcome, x: Scale, columns: &[Tick]) -> String {
    let Scale::Log { least, most } = x else { return String::new() };
    let bars = ((most / least).log10().round() as u32 * BARS).max(1) as usize;
    let sorted = |of: &Distribution| {
        let mut sums = vec![0_u64; bars];
        for &(time, count) in &of.counts {
            sums[((x.at(time as f64) * bars as f64) as usize).min(bars - 1)] += count;
        }
        sums
    };
    let (minor, full) = (sorted(&outcome.pauses.minor), sorted(&outcome.pauses.full));
    let tallest = minor.iter().zip(&full).map(|(minor, full)| minor + full).max().unwrap_or(0);
    let (y, rows) = ticks::number(tallest as f64);
    let mut plot = Plot::new("How many pauses took how long", 180.0, 0.0);
    plot.rows(&rows);
    plot.columns(columns);
    let all = &outcome.pauses.all;
    let mut before = 0;
    for at in 0..bars {
        let (left, right) = (at as f64 / bars as f64, (at + 1) as f64 / bars as f64);
        let (low, high) = (minor[at], minor[at] + full[at]);
        if high == 0 {
            continue;
        }
        let inside = (left + 0.0015, right - 0.0015);
        plot.bar("minor", inside, (0.0, y.at(low as f64)));
        plot.bar("full", inside, (y.at(low as f64), y.at(high as f64)));
        before += high;
        let bound = |part: f64| time((least * (most / least).powf(part)) as u64);
        let words = format!(
            "{} to {}\n{} minor, {} full\n{} are no longer",
            bound(left),
            bound(right),
            count(low),
            count(full[at]),
            percent(before as f64 / all.count.max(1) as f64)
        );
        plot.tip(f64::midpoint(left, right), &words);
    }
    plot.marks([(50.0, "50 %"), (99.0, "99 %")].map(|(share, words)| (x.at(all.percentile(share) as f64), words)));
    plot.finish()
}
