//! The three figures that matter most, and what should be known of a run.

use super::page::{Esc, Page};
use crate::outcome::{End, Finding, Frames, Outcome, Weight};
use crate::show::{bytes, count, percent, rate, time};

/// One of the three.
pub(super) struct Key<'k> {
    pub(super) id: &'k str,
    pub(super) name: &'k str,
    /// The figure, and its unit.
    pub(super) figure: String,
    pub(super) about: String,
    /// Parts of a bar: classes, and shares of the whole.
    pub(super) meter: Vec<(&'k str, f64)>,
    pub(super) facts: Vec<(&'k str, String)>,
}

impl Key<'_> {
    pub(super) fn write(&self, page: &mut Page) {
        let is_unit = |letter: char| letter == ' ' || letter == '/';
        let (number, unit) = self.figure.split_at(self.figure.find(is_unit).unwrap_or(self.figure.len()));
        let unit = unit.trim_start();
        page.raw(format_args!(
            "<div id=\"{}\"><h2>{}</h2>\n<p class=\"big\">{}<small>{}</small></p>\n<p class=\"of\">{}</p>\n<p class=\"meter\">",
            self.id,
            Esc(self.name),
            Esc(number),
            Esc(unit),
            Esc(&self.about)
        ));
        for (class, share) in &self.meter {
            let share = (share * 100.0).clamp(0.0, 100.0);
            page.raw(format_args!("<i class=\"{}\" style=\"width:{share:.2}%\"></i>", Esc(class)));
        }
        page.raw("</p>\n<dl>");
        for (name, figure) in &self.facts {
            page.raw(format_args!("<dt>{}</dt><dd>{}</dd>", Esc(name), Esc(figure)));
        }
        page.raw("</dl></div>\n");
    }
}

pub(super) fn write(page: &mut Page, outcome: &Outcome) {
    page.raw("<div class=\"key\">\n");
    throughput(outcome).write(page);
    latency(outcome).write(page);
    footprint(outcome).write(page);
    page.raw("</div>\n");
    findings(page, outcome);
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn throughput(outcome: &Outcome) -> Key<'static> {
    let time_of = outcome.time;
    let collector = share(time_of.collector, time_of.wall);
    let planned = match outcome.planned {
        Some(planned) if planned > outcome.operations && outcome.end != End::Completed => {
            format!(" of {}", count(planned))
        }
        _ => String::new(),
    };
    Key {
        id: "throughput",
        name: "Throughput",
        figure: rate(time_of.operations_per_second),
        about: format!("{}{planned} operations in {}.", count(outcome.operations), time(time_of.wall)),
        meter: vec![("used", 1.0 - collector), ("full", collector)],
        facts: vec![
            ("the program ran", time(time_of.mutator)),
            ("in collections", format!("{}, {}", time(time_of.collector), percent(collector))),
            ("of the processor", time(time_of.cpu)),
        ],
    }
}

fn latency(outcome: &Outcome) -> Key<'static> {
    let pauses = &outcome.pauses.all;
    let within = |percent| time(pauses.percentile(percent));
    let late = |frames: Frames| ("late frames", format!("{} of {}", count(frames.late), count(frames.count)));
    let frames = outcome.frames.map(late);
    if pauses.count == 0 {
        return Key {
            id: "latency",
            name: "Latency",
            figure: "none".into(),
            about: "The collector never paused the program.".into(),
            meter: Vec::new(),
            facts: frames.into_iter().collect(),
        };
    }
    Key {
        id: "latency",
        name: "Latency",
        figure: within(99.0),
        about: format!("99 of 100 pauses were no longer; there were {}.", count(pauses.count)),
        meter: vec![
            ("minor", share(outcome.pauses.minor.total, pauses.total)),
            ("full", share(outcome.pauses.full.total, pauses.total)),
        ],
        facts: [("half of them", within(50.0)), ("999 of 1000", within(99.9)), ("the longest", time(pauses.longest))]
            .into_iter()
            .chain(frames)
            .collect(),
    }
}

fn footprint(outcome: &Outcome) -> Key<'static> {
    let memory = outcome.memory;
    let peak = memory.peak_total;
    let limit = memory.limit.map(|limit| ("the limit", bytes(limit)));
    // Only a full collection finds out.
    let live = (memory.peak_live > 0).then(|| ("alive, at most", bytes(memory.peak_live)));
    let external = (memory.peak_external > 0).then(|| ("outside, at most", bytes(memory.peak_external)));
    let whole = memory.limit.unwrap_or(peak).max(peak);
    Key {
        id: "footprint",
        name: "Footprint",
        figure: bytes(peak),
        about: "The heap, and what it kept alive outside of it, at most.".into(),
        meter: vec![
            ("live", share(memory.peak_live.min(peak), whole)),
            ("used", share(peak.saturating_sub(memory.peak_live), whole)),
        ],
        facts: live
            .into_iter()
            .chain([("objects, at most", bytes(memory.peak_used))])
            .chain(external)
            .chain(limit)
            .collect(),
    }
}

fn findings(page: &mut Page, outcome: &Outcome) {
    if outcome.findings.is_empty() {
        return;
    }
    page.section("findings", "What to know", "", |page| {
        page.raw("<ul class=\"findings\">\n");
        for Finding { weight, words, .. } in &outcome.findings {
            let class = match weight {
                Weight::Problem => "problem",
                Weight::Advice => "advice",
                Weight::Note => "note",
            };
            page.raw(format_args!("<li class=\"{class}\"><b>{class}</b><span>{}</span></li>\n", Esc(words)));
        }
        page.raw("</ul>\n");
    });
}
