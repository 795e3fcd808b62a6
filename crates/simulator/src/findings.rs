//! What a reader should know of a run, in plain words.
//!
//! Each rule looks at an outcome, and says nothing, or one thing: what is so, with numbers, and what could be done about it.

use crate::outcome::{Collection, End, Finding, Kind, Outcome, Reason, Weight};
use crate::show::{bytes, count, percent, time};

type Rule = fn(&Outcome) -> Option<Finding>;

const RULES: [Rule; 11] = [
    how_it_ended,
    what_never_stops_growing,
    what_external_memory_forces,
    what_the_limit_forces,
    what_the_collector_takes,
    which_frames_were_late,
    what_the_longest_pause_was,
    whether_slices_hurry,
    whether_minor_collections_pay,
    what_pages_waste,
    what_there_is_most_of,
];

/// What is to be said; what matters most first.
pub(crate) fn of(outcome: &Outcome) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().filter_map(|rule| rule(outcome)).collect();
    findings.sort_by_key(|finding| finding.weight);
    findings
}

#[allow(clippy::unnecessary_wraps, reason = "it is how a rule ends that has something to say")]
fn found(weight: Weight, about: &str, words: String) -> Option<Finding> {
    Some(Finding { weight, about: about.into(), words })
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn full(outcome: &Outcome) -> impl Iterator<Item = &Collection> {
    outcome.collections.iter().filter(|collection| collection.kind == Kind::Full)
}

/// Full collections that nobody asked for.
fn forced(outcome: &Outcome) -> Vec<&Collection> {
    let is_forced = |reason| matches!(reason, Reason::Growth | Reason::Limit | Reason::Failure);
    full(outcome).filter(|collection| is_forced(collection.reason)).collect()
}

fn mean(collections: &[&Collection], figure: fn(&Collection) -> u64) -> u64 {
    collections.iter().map(|collection| figure(collection)).sum::<u64>() / collections.len().max(1) as u64
}

fn how_it_ended(outcome: &Outcome) -> Option<Finding> {
    let until_then = "the figures are of what was done until then";
    let words = match &outcome.end {
        End::Completed => return None,
        End::Interrupted => format!("The run was interrupted; {until_then}."),
        End::TimedOut => format!("The run took longer than it was given; {until_then}."),
        End::OutOfMemory(words) => {
            format!("The heap ran out of memory after {}; {until_then}. {words}", time(outcome.time.wall))
        }
        End::Failed(words) => format!("The run failed; {until_then}. {words}"),
    };
    found(Weight::Problem, "end", words)
}

/// What is alive after full collections grows, and does not grow slower and slower as a cache does that fills up.
fn what_never_stops_growing(outcome: &Outcome) -> Option<Finding> {
    const FEWEST: usize = 4;
    const LITTLE: u64 = 64 << 10;
    /// The part of the growth of the first half that the second half has at least.
    const STEADY: f64 = 0.75;
    let collections: Vec<&Collection> = full(outcome).collect();
    // The beginning of a program is not typical of it.
    let collections = &collections[collections.len() / 4..];
    // By what was allocated: the clock of a machine that has other things to do says nothing about the program.
    let point = |of: &&Collection| (of.allocated, of.used_after + of.external_after);
    let live: Vec<(u64, u64)> = collections.iter().map(point).collect();
    let (&(begin, first), &(end, last)) = (live.first()?, live.last()?);
    let is_growing = live.windows(2).all(|pair| pair[1].1 + pair[1].1 / 50 >= pair[0].1);
    if live.len() < FEWEST || !is_growing || last < first + first / 2 || last - first < LITTLE {
        return None;
    }
    let middle = value_at(&live, u64::midpoint(begin, end)).clamp(first as f64, last as f64);
    if last as f64 - middle < STEADY * (middle - first as f64) {
        return None;
    }
    let most = outcome.census.types.first().map_or(String::new(), |row| {
        format!(" Most of it are {} objects of type {}.", count(row.objects), short(&row.name))
    });
    found(
        Weight::Problem,
        "growing",
        format!(
            "What survives full collections never stops growing: from {} to {} over {} of them, while {} were \
             allocated. If that is not what the program should keep, it leaks; compare two snapshots.{most}",
            bytes(first),
            bytes(last),
            live.len(),
            bytes(end - begin),
        ),
    )
}

/// The value at a moment, on straight lines between the points.
fn value_at(points: &[(u64, u64)], moment: u64) -> f64 {
    let after = points.partition_point(|&(at, _)| at < moment).clamp(1, points.len() - 1);
    let ((from, low), (to, high)) = (points[after - 1], points[after]);
    let part = moment.saturating_sub(from) as f64 / (to - from).max(1) as f64;
    low as f64 + (high as f64 - low as f64) * part
}

fn what_external_memory_forces(outcome: &Outcome) -> Option<Finding> {
    let forced = forced(outcome);
    let external: Vec<&Collection> =
        forced.iter().copied().filter(|collection| collection.external_before > collection.used_before).collect();
    if external.is_empty() {
        return None;
    }
    let part = percent(share(external.len() as u64, forced.len() as u64));
    let (outside, inside) = (
        mean(&external, |collection| collection.external_before),
        mean(&external, |collection| collection.used_before),
    );
    found(
        Weight::Advice,
        "external",
        format!(
            "{part} of the full collections that the heap made by itself were forced by external memory: when they began \
             there were {} outside of the heap for {} inside. Let go of buffers sooner, by detaching or reusing them, or allow \
             more with --min-heap or --growth.",
            bytes(outside),
            bytes(inside),
        ),
    )
}

fn what_the_limit_forces(outcome: &Outcome) -> Option<Finding> {
    let limit = outcome.memory.limit?;
    let near = |totals: &&crate::outcome::Totals| matches!(totals.reason, Reason::Limit | Reason::Failure);
    let collections: u64 = outcome.totals.iter().filter(near).map(|totals| totals.collections).sum();
    if collections == 0 {
        return None;
    }
    let paused: u64 = outcome.totals.iter().filter(near).map(|totals| totals.paused).sum();
    let weight = if share(paused, outcome.time.wall) > 0.1 { Weight::Advice } else { Weight::Note };
    found(
        weight,
        "limit",
        format!(
            "{} collections were made because the limit of {} was near or reached. They took {}, {} of the time; a higher \
             limit would spare some of them. `tumulus compare` shows how many.",
            count(collections),
            bytes(limit),
            time(paused),
            percent(share(paused, outcome.time.wall)),
        ),
    )
}

fn what_the_collector_takes(outcome: &Outcome) -> Option<Finding> {
    let part = share(outcome.time.collector, outcome.time.wall);
    if part < 0.2 {
        return None;
    }
    let most = outcome.totals.iter().max_by_key(|totals| totals.paused)?;
    found(
        Weight::Advice,
        "share",
        format!(
            "The collector took {} of the time, most of it for {} collections ({}), of whose candidates {} survived. A larger \
             {} would make them rarer.",
            percent(part),
            most.kind,
            most.reason,
            percent(most.survival),
            match (most.kind, most.reason) {
                (Kind::Minor, _) => "--nursery",
                (_, Reason::Limit | Reason::Failure) => "--limit",
                _ => "--growth or --min-heap",
            },
        ),
    )
}

fn which_frames_were_late(outcome: &Outcome) -> Option<Finding> {
    let frames = outcome.frames.filter(|frames| frames.late > 0)?;
    let longest = outcome.pauses.all.longest;
    let why = if longest > frames.within / 4 {
        format!(
            "The longest pause took {}; a smaller --pause-budget, or more of the idle time, makes them shorter.",
            time(longest)
        )
    } else {
        let part = percent(share(outcome.time.collector, outcome.time.wall));
        format!(
            "The longest pause took {}, and the collector {part} of the time: look at the program itself.",
            time(longest)
        )
    };
    let weight = if share(frames.late, frames.count) > 0.01 { Weight::Advice } else { Weight::Note };
    found(
        weight,
        "frames",
        format!(
            "{} of {} frames ({}) took longer than {}; the longest took {}. {why}",
            count(frames.late),
            count(frames.count),
            percent(share(frames.late, frames.count)),
            time(frames.within),
            time(frames.longest),
        ),
    )
}

fn what_the_longest_pause_was(outcome: &Outcome) -> Option<Finding> {
    let all = &outcome.pauses.all;
    let usual = all.percentile(99.0);
    // A pause of less than a millisecond is nobody's trouble.
    if all.count < 2 || all.longest < 1_000_000 || all.longest < 4 * usual {
        return None;
    }
    let of = outcome.collections.iter().max_by_key(|collection| collection.longest)?;
    let why = match (of.reason, of.hurried) {
        (Reason::Failure, _) => "an allocation had failed, so that the whole heap was collected at once",
        (Reason::Asked, _) => "the program asked for it",
        (_, true) => "its slices hurried, as the program allocated faster than they could follow",
        _ if outcome
            .time
            .collector_cpu
            .is_some_and(|cpu| outcome.time.collector.saturating_sub(cpu) > all.longest / 2) =>
        {
            "the machine did something else for much of that time, so that it is not the heap's doing"
        }
        _ => "a single call of a trace or a drop, or the roots, may have been long",
    };
    found(
        Weight::Note,
        "longest",
        format!(
            "99 % of pauses took at most {}, but the longest took {}, in {} collection #{} ({}): {why}.",
            time(usual),
            time(all.longest),
            of.kind,
            of.number,
            of.reason,
        ),
    )
}

fn whether_slices_hurry(outcome: &Outcome) -> Option<Finding> {
    let collections: u64 = outcome.totals.iter().map(|totals| totals.collections).sum();
    if outcome.hurried == 0 || share(outcome.hurried, collections) < 0.05 {
        return None;
    }
    found(
        Weight::Advice,
        "hurried",
        format!(
            "{} times in {} collections slices had to be larger than the pause budget, as the program allocates faster than \
             they follow. A larger --pause-budget, --growth, --min-heap or --limit gives them room.",
            count(outcome.hurried),
            count(collections),
        ),
    )
}

fn whether_minor_collections_pay(outcome: &Outcome) -> Option<Finding> {
    let minor = outcome.totals.iter().filter(|totals| totals.kind == Kind::Minor);
    let (candidates, freed, collections) = minor.fold((0, 0, 0), |(candidates, freed, collections), totals| {
        (candidates + totals.candidate_bytes, freed + totals.freed_bytes, collections + totals.collections)
    });
    if collections < 4 {
        return None;
    }
    let survived = 1.0 - share(freed, candidates);
    if survived > 0.5 {
        return found(
            Weight::Advice,
            "survival",
            format!(
                "{} of what {} minor collections looked at survived, so that they freed little. A larger --nursery gives \
                 objects more time to die; --nursery 0 does without.",
                percent(survived),
                count(collections),
            ),
        );
    }
    let of_all = share(freed, outcome.memory.freed);
    (of_all > 0.5).then(|| Finding {
        weight: Weight::Note,
        about: "survival".into(),
        words: format!(
            "Most objects die young: {} minor collections freed {} of all that was freed, and {} of what they looked at \
             survived.",
            count(collections),
            percent(of_all),
            percent(survived),
        ),
    })
}

fn what_pages_waste(outcome: &Outcome) -> Option<Finding> {
    const NOTHING_TO_SPEAK_OF: u64 = 1 << 20;
    let types = &outcome.census.types;
    let waste: u64 = types.iter().map(|row| row.waste_bytes).sum();
    let used: u64 = types.iter().map(|row| row.used_bytes).sum();
    if waste < NOTHING_TO_SPEAK_OF || waste < used / 2 {
        return None;
    }
    let most = types.iter().max_by_key(|row| row.waste_bytes)?;
    found(
        Weight::Note,
        "waste",
        format!(
            "{} of the pages is in no object {}: survivors are spread thin. Most of it, {}, is beside objects of type {}.",
            percent(share(waste, waste + used)),
            outcome.census.when,
            bytes(most.waste_bytes),
            short(&most.name),
        ),
    )
}

fn what_there_is_most_of(outcome: &Outcome) -> Option<Finding> {
    let types = &outcome.census.types;
    let used: u64 = types.iter().map(|row| row.used_bytes).sum();
    let first = types.first().filter(|_| used > 0)?;
    found(
        Weight::Note,
        "types",
        format!(
            "{} of the heap are {} objects of type {} ({}).",
            percent(share(first.used_bytes, used)),
            count(first.objects),
            short(&first.name),
            outcome.census.when,
        ),
    )
}

/// A type's name without the paths in it.
fn short(name: &str) -> String {
    let mut text = String::new();
    let mut word = String::new();
    for c in name.chars() {
        match c {
            ':' => word.clear(),
            c if c.is_alphanumeric() || c == '_' => word.push(c),
            c => {
                text.push_str(&word);
                word.clear();
                text.push(c);
            }
        }
    }
    text + &word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_on_lines_between_points() {
        let points = [(0, 0), (10, 100), (20, 100)];
        for (moment, value) in [(0, 0.0), (5, 50.0), (10, 100.0), (15, 100.0), (20, 100.0)] {
            assert!((value_at(&points, moment) - value).abs() < 1e-9, "{moment}");
        }
    }

    #[test]
    fn names_are_shortened_to_what_is_behind_the_last_colons() {
        let long = "alloc::vec::Vec<(tumulus_heap::raw::handle::Gc<a::b::Node>, [u8; 4])>";
        assert_eq!(short(long), "Vec<(Gc<Node>, [u8; 4])>");
        assert_eq!(short("str"), "str");
    }
}
