//! The size of the heap over time, with collections and phases.

use super::page::Page;
use super::plot::Plot;
use super::ticks::{self, Scale};
use crate::outcome::{Kind, Outcome, Sample};
use crate::show::{bytes, time};

/// More lines would hide what is behind them.
const MOST_PHASES: usize = 24;

pub(super) fn write(page: &mut Page, outcome: &Outcome) {
    let has_external = outcome.memory.peak_external > 0;
    page.section("heap", "The heap over time", "", |page| {
        page.raw(plot(outcome, has_external));
        let mut legend = vec![("used", "objects, garbage included"), ("committed", "committed")];
        if has_external {
            legend.push(("external", "committed and outside of the heap"));
        }
        if outcome.curve.iter().any(|sample| sample.live > 0) {
            legend.push(("live", "alive after the last full collection"));
        }
        for (kind, entry) in [(Kind::Minor, ("minor", "minor collections")), (Kind::Full, ("full", "full collections"))]
        {
            legend.extend(outcome.collections.iter().any(|collection| collection.kind == kind).then_some(entry));
        }
        page.legend(&legend);
        if outcome.collections_left_out > 0 {
            let words = format!("{} minor collections are left out here.", outcome.collections_left_out);
            page.raw(format_args!("<p class=\"about\">{}</p>", super::page::Esc(words)));
        }
    });
}

fn plot(outcome: &Outcome, has_external: bool) -> String {
    let end = outcome.time.wall.max(outcome.curve.last().map_or(0, |sample| sample.at));
    let all = |sample: &Sample| sample.committed + sample.external;
    let most = outcome.curve.iter().map(all).max().unwrap_or(0).max(outcome.memory.peak_total);
    // A limit that is far away would press everything to the floor.
    let limit = outcome.memory.limit.filter(|&limit| limit <= most.saturating_mul(3));
    let (y, rows) = ticks::bytes(most.max(limit.unwrap_or(0)));
    let (x, columns) = ticks::duration(end);
    let label = format!("The size of the heap over {}: at most {}", time(end), bytes(most));
    let mut plot = Plot::new(&label, 260.0, 26.0);
    plot.rows(&rows);
    plot.columns(&columns);
    plot.marks(outcome.phases.iter().take(MOST_PHASES).map(|phase| (x.at(phase.at as f64), phase.name.as_str())));
    let curve = |size: &dyn Fn(&Sample) -> u64| points(&outcome.curve, x, y, size);
    if has_external {
        plot.area("external", &curve(&all));
        plot.line("external", &curve(&all));
    }
    let used = curve(&|sample| sample.used);
    plot.area("used", &used);
    plot.line("committed", &curve(&|sample| sample.committed));
    plot.line("used", &used);
    // It is known from a collection to the next.
    let mut live: Vec<(f64, f64)> = Vec::new();
    for sample in outcome.curve.iter().filter(|sample| sample.live > 0) {
        let (at, size) = (x.at(sample.at as f64), y.at(sample.live as f64));
        live.extend(live.last().map(|&(_, before)| (at, before)));
        live.push((at, size));
    }
    plot.line("live", &live);
    if let Some(limit) = limit {
        plot.level("limit", y.at(limit as f64), &format!("limit {}", bytes(limit)));
    }
    for (lane, kind, class) in [(0.0, Kind::Minor, "minor"), (1.0, Kind::Full, "full")] {
        let of_kind = outcome.collections.iter().filter(|collection| collection.kind == kind);
        let stretches =
            of_kind.map(|collection| (x.at(collection.at as f64), x.at((collection.at + collection.lasted) as f64)));
        plot.lane(class, lane, stretches);
    }
    for sample in &outcome.curve {
        let Sample { at, used, committed, external, live } = *sample;
        let lines = [
            Some(time(at)),
            Some(format!("{} of objects", bytes(used))),
            Some(format!("{} committed", bytes(committed))),
            has_external.then(|| format!("{} outside", bytes(external))),
            (live > 0).then(|| format!("{} alive at the last full collection", bytes(live))),
        ];
        let words = lines.into_iter().flatten().collect::<Vec<_>>().join("\n");
        plot.tip(x.at(at as f64), &words);
    }
    plot.finish()
}

fn points(curve: &[Sample], x: Scale, y: Scale, size: &dyn Fn(&Sample) -> u64) -> Vec<(f64, f64)> {
    curve.iter().map(|sample| (x.at(sample.at as f64), y.at(size(sample) as f64))).collect()
}
