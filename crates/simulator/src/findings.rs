//! What a reader should know of a run, in plain words.
//!
//! Each rule looks at an outcome and says nothing, or one thing with its numbers and what could be done about it.

use crate::outcome::{End, Finding, Kind, Outcome, Reason, Weight};
use crate::show::{bytes, percent, time};

type Rule = fn(&Outcome) -> Option<Finding>;

const RULES: [Rule; 3] = [how_it_ended, what_forced_collections, share_of_the_collector];

/// What is to be said; what matters most first.
pub(crate) fn of(outcome: &Outcome) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().filter_map(|rule| rule(outcome)).collect();
    findings.sort_by_key(|finding| finding.weight);
    findings
}

fn finding(weight: Weight, about: &str, words: String) -> Option<Finding> {
    Some(Finding { weight, about: about.into(), words })
}

fn how_it_ended(outcome: &Outcome) -> Option<Finding> {
    match &outcome.end {
        End::Completed => None,
        End::Interrupted => finding(
            Weight::Problem,
            "end",
            "The run was interrupted; all figures are of what was done until then.".into(),
        ),
        End::TimedOut => finding(
            Weight::Problem,
            "end",
            "The run took longer than it was given; all figures are of what was done until then.".into(),
        ),
        End::OutOfMemory(words) => finding(
            Weight::Problem,
            "end",
            format!("The heap ran out of memory after {}: {words}", time(outcome.time.wall)),
        ),
        End::Failed(words) => finding(Weight::Problem, "end", format!("The run failed: {words}")),
    }
}

fn what_forced_collections(outcome: &Outcome) -> Option<Finding> {
    let full = outcome.collections.iter().filter(|collection| {
        collection.kind == Kind::Full && matches!(collection.reason, Reason::Growth | Reason::Limit | Reason::Failure)
    });
    let full: Vec<_> = full.collect();
    let external: Vec<_> =
        full.iter().filter(|collection| collection.external_before >= collection.used_before).collect();
    if external.is_empty() {
        return None;
    }
    let mean = |bytes: u64| bytes / external.len() as u64;
    let outside = mean(external.iter().map(|collection| collection.external_before).sum());
    let inside = mean(external.iter().map(|collection| collection.used_before).sum());
    finding(
        Weight::Note,
        "external",
        format!(
            "{} of full collections were forced by external memory: on average {} outside of the heap for {} inside.",
            percent(external.len() as f64 / full.len() as f64),
            bytes(outside),
            bytes(inside),
        ),
    )
}

fn share_of_the_collector(outcome: &Outcome) -> Option<Finding> {
    let share = outcome.time.collector as f64 / outcome.time.wall.max(1) as f64;
    let words = format!("The collector took {} of the time.", percent(share));
    finding(if share > 0.25 { Weight::Advice } else { Weight::Note }, "share", words)
}
