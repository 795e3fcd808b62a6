//! The built-in workloads: each computes the same whatever the collector does, keeps within its limit, and takes the
//! parameters that it says it takes.

use std::collections::BTreeMap;
use tumulus_simulator::options::Bytes;
use tumulus_simulator::outcome::{End, Kind};
use tumulus_simulator::workloads::{self, Definition, Range, Values};
use tumulus_simulator::{HeapOptions, Outcome, Setup, Subject, run};
use tumulus_snapshot::{Ephemerons, Snapshot};

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// Sizes at which each is done in a moment, also where every safepoint collects.
const SMALL: &[(&str, Pairs<'static>)] = &[
    ("binary-trees", &[("depth", "6")]),
    ("splay", &[("nodes", "40"), ("payload-depth", "2"), ("operations", "60")]),
    ("lru", &[("capacity", "100"), ("lookups", "400")]),
    ("requests", &[("requests", "4"), ("sessions", "20"), ("levels", "2")]),
    ("dom", &[("levels", "3"), ("rendered", "2"), ("steps", "20")]),
    ("memo", &[("records", "30"), ("calls", "300")]),
    ("streams", &[("chunks", "40"), ("chunk", "2k"), ("window", "4")]),
    ("images", &[("images", "12"), ("decoded", "2"), ("side", "128"), ("views", "12")]),
    ("workers", &[("tiles", "4"), ("rounds", "6")]),
    ("leak", &[("navigations", "40"), ("rows", "4"), ("forgetful", "4")]),
    ("growing", &[("documents", "40"), ("words", "8"), ("vocabulary", "3000")]),
    ("event-loop", &[("frames", "4"), ("particles", "60"), ("moved", "40"), ("replaced", "5")]),
];

/// What the collector can be told, beside zeal.
const CONFIGURATIONS: &[Pairs<'static>] = &[
    &[],
    &[("pause-budget", "100"), ("nursery", "16k")],
    &[("pause-budget", "100us"), ("nursery", "64k"), ("min-heap", "0")],
    &[("pause-budget", "unlimited"), ("nursery", "4k")],
    &[("nursery", "0"), ("min-heap", "0"), ("growth", "1.1")],
    &[("nursery", "0"), ("min-heap", "0"), ("growth", "1.1"), ("pause-budget", "unlimited")],
    &[("page-retention", "0"), ("min-heap", "0"), ("nursery", "4k")],
    &[("collector", "none")],
];

const ZEAL: &[&str] = &[
    "verify",
    "poison",
    "every=1,verify,poison",
    "every=7,poison,recheck",
    "every=3,minor,verify",
    "slice=1,recheck",
    "slice=50,minor,poison,verify",
    "no-reuse",
];

fn small(definition: &Definition) -> Pairs<'static> {
    SMALL.iter().find(|(name, _)| *name == definition.name).expect("every workload has small parameters").1
}

fn options(pairs: Pairs<'_>) -> HeapOptions {
    let mut options = HeapOptions { zeal: Some("none".parse().unwrap()), ..HeapOptions::default() };
    for (name, value) in pairs {
        options.set(name, value).expect("an option").unwrap();
    }
    options
}

fn outcome(name: &str, parameters: Pairs<'_>, heap: Pairs<'_>, seed: u64) -> Outcome {
    let mut subject = Subject::open(name, parameters.iter().copied()).unwrap();
    run(subject.workload.as_mut(), Setup { options: options(heap), seed, ..Setup::default() }).unwrap()
}

/// Runs one to its end, and gives what it computed.
#[track_caller]
fn checksum(name: &str, parameters: Pairs<'_>, heap: Pairs<'_>, seed: u64) -> String {
    let outcome = outcome(name, parameters, heap, seed);
    assert_eq!(outcome.end, End::Completed, "{name} with {parameters:?} on {heap:?}");
    assert_eq!(Some(outcome.operations), outcome.planned, "{name} with {parameters:?}: what it said it would do");
    outcome.checksum.expect("it has come to its end")
}

#[test]
fn there_are_twelve_and_each_has_its_page() {
    assert_eq!(workloads::all().len(), 12);
    for definition in workloads::all() {
        let page = definition.page;
        assert!(page.starts_with(&format!("# {}\n", definition.name)), "{}", definition.name);
        for parameter in definition.parameters {
            let row = format!("| `{}` | {} |", parameter.name, shown(parameter.range));
            assert!(page.contains(&row), "the page of {} has no row {row}", definition.name);
        }
        for section in ["## What to look for", "## An experiment"] {
            assert!(page.contains(section), "the page of {} has no section {section:?}", definition.name);
        }
    }
}

/// A default as a page has it.
fn shown(range: Range) -> String {
    match range {
        Range::Count { default, .. } => {
            let digits = default.to_string();
            let groups: Vec<&str> =
                digits.as_bytes().rchunks(3).rev().map(|g| std::str::from_utf8(g).unwrap()).collect();
            groups.join(",")
        }
        Range::Bytes { default, .. } => Bytes(default).to_string(),
        Range::Number { default, .. } => default.to_string(),
        Range::Choice { default, .. } => default.into(),
    }
}

#[test]
fn what_is_computed_does_not_depend_on_the_collector() {
    for definition in workloads::all() {
        let parameters = small(definition);
        let expected = checksum(definition.name, parameters, &[], 1);
        for heap in CONFIGURATIONS {
            assert_eq!(checksum(definition.name, parameters, heap, 1), expected, "{} on {heap:?}", definition.name);
        }
    }
}

#[test]
fn what_is_computed_does_not_depend_on_zeal() {
    for definition in workloads::all() {
        let parameters = small(definition);
        let expected = checksum(definition.name, parameters, &[], 1);
        for zeal in ZEAL {
            for heap in [&[][..], &[("pause-budget", "unlimited"), ("nursery", "0")]] {
                let heap: Vec<_> = heap.iter().copied().chain([("zeal", *zeal)]).collect();
                assert_eq!(
                    checksum(definition.name, parameters, &heap, 1),
                    expected,
                    "{} on {heap:?}",
                    definition.name
                );
            }
        }
    }
}

#[test]
fn a_seed_decides_what_is_computed() {
    for definition in workloads::all() {
        let of = |seed| checksum(definition.name, small(definition), &[], seed);
        assert_eq!(of(7), of(7), "{}", definition.name);
        // Trees are counted, and have no random numbers in them.
        if definition.name != "binary-trees" {
            assert_ne!(of(7), of(8), "{}", definition.name);
        }
    }
}

/// The collections of a run: what kind, why, and how much work.
fn collections(outcome: &Outcome) -> BTreeMap<String, (u64, u64, u64)> {
    let row = |row: &tumulus_simulator::outcome::Totals| {
        (format!("{:?} {:?}", row.kind, row.reason), (row.collections, row.work, row.freed_bytes))
    };
    outcome.totals.iter().map(row).collect()
}

#[test]
fn the_same_run_has_the_same_collections() {
    for definition in workloads::all() {
        let heap = &[("nursery", "16k"), ("min-heap", "64k"), ("pause-budget", "500")];
        let [one, two] = [1, 1].map(|seed| outcome(definition.name, small(definition), heap, seed));
        assert_eq!(collections(&one), collections(&two), "{}", definition.name);
    }
}

#[test]
fn a_heap_that_is_too_small_is_an_outcome() {
    for definition in workloads::all() {
        for limit in ["0", "4k", "12k"] {
            let outcome = outcome(definition.name, small(definition), &[("limit", limit)], 1);
            assert!(matches!(outcome.end, End::OutOfMemory(_)), "{} in {limit}: {:?}", definition.name, outcome.end);
        }
    }
}

/// Sizes at which most of what is allocated is garbage.
const WITH_GARBAGE: &[(&str, Pairs<'static>)] = &[
    ("binary-trees", &[("depth", "10")]),
    ("splay", &[("nodes", "100"), ("payload-depth", "3"), ("operations", "600")]),
    ("lru", &[("capacity", "500"), ("lookups", "20000")]),
    ("requests", &[("requests", "300"), ("sessions", "30"), ("levels", "3")]),
    ("dom", &[("levels", "4"), ("rendered", "2"), ("steps", "800")]),
    ("memo", &[("records", "300"), ("calls", "12000")]),
    ("streams", &[("chunks", "200"), ("chunk", "16k"), ("window", "8")]),
    ("images", &[("images", "20"), ("decoded", "2"), ("side", "256"), ("views", "60")]),
    ("leak", &[("navigations", "1500"), ("rows", "8"), ("forgetful", "0")]),
    ("event-loop", &[("frames", "60"), ("particles", "200"), ("moved", "100"), ("replaced", "10"), ("idle", "none")]),
];

#[test]
fn heaps_of_workers_have_the_options_of_the_run() {
    let parameters: Pairs<'_> = &[("workers", "1"), ("tiles", "16"), ("rounds", "400")];
    let of = |collector| outcome("workers", parameters, &[("limit", "600k"), ("collector", collector)], 1);
    assert_eq!(of("mark-sweep").end, End::Completed);
    // The main thread needs less than that; a worker makes more garbage.
    let end = of("none").end;
    assert!(matches!(end, End::OutOfMemory(_)), "{end:?}");
}

#[test]
fn frames_are_counted() {
    let frames = outcome("event-loop", small(workloads::find("event-loop").unwrap()), &[], 1).frames.unwrap();
    assert_eq!((frames.count, frames.within), (4, 16_666_667));
    assert!(frames.longest > 0 && (frames.late > 0) == (frames.longest > frames.within), "{frames:?}");
}

#[test]
fn where_the_limit_bites_garbage_goes() {
    for (name, parameters) in WITH_GARBAGE {
        let unlimited = outcome(name, parameters, &[("collector", "none")], 1);
        let all = unlimited.memory.allocated + unlimited.memory.peak_external;
        // A heap that would never collect but for its limit, by which half of it all has to go.
        let limit = (all / 2).to_string();
        let heap = [("limit", &*limit), ("min-heap", "1g"), ("nursery", "0"), ("pause-budget", "unlimited")];
        let limited = outcome(name, parameters, &heap, 1);
        assert_eq!(limited.end, End::Completed, "{name} in {limit} of {all}");
        assert_eq!(limited.checksum, unlimited.checksum, "{name}");
        assert!(limited.totals.iter().any(|row| row.freed_bytes > 0), "{name}");
    }
}

#[test]
fn parameters_can_be_at_their_bounds() {
    for definition in workloads::all() {
        for parameter in definition.parameters {
            let least = match parameter.range {
                Range::Count { from, .. } | Range::Bytes { from, .. } => from.to_string(),
                Range::Number { from, .. } => from.to_string(),
                Range::Choice { of, .. } => {
                    for word in of {
                        with(definition, parameter.name, word);
                    }
                    continue;
                }
            };
            with(definition, parameter.name, &least);
        }
    }
}

/// Runs a workload with small parameters, of which one is set otherwise.
#[track_caller]
fn with(definition: &Definition, name: &str, value: &str) {
    let mut parameters: Vec<_> = small(definition).iter().copied().filter(|(other, _)| *other != name).collect();
    parameters.push((name, value));
    if (definition.name, name) == ("dom", "levels") {
        parameters.retain(|(other, _)| *other != "rendered");
        parameters.push(("rendered", "1"));
    }
    if (definition.name, name) == ("event-loop", "idle-units") {
        parameters.push(("idle", "work"));
    }
    checksum(definition.name, &parameters, &[("zeal", "every=2,verify")], 1);
}

#[test]
fn parameters_beyond_their_bounds_are_refused_with_the_bounds() {
    for definition in workloads::all() {
        for parameter in definition.parameters {
            let (Range::Count { from, to, .. } | Range::Bytes { from, to, .. }) = parameter.range else { continue };
            let resolve = |value: &str| Values::resolve(definition.parameters, [(parameter.name, value)]);
            assert!(resolve(&from.to_string()).is_ok() && resolve(&to.to_string()).is_ok());
            let beyond = [Some(to + 1), from.checked_sub(1)].into_iter().flatten().map(|value| value.to_string());
            for value in beyond.chain(["much".into(), "-1".into(), String::new()]) {
                let error = resolve(&value).unwrap_err().to_string();
                assert!(error.contains(parameter.name), "{error}");
                assert!(error.contains(&parameter.range.to_string()), "{error}");
            }
        }
        let error = Values::resolve(definition.parameters, [("snails", "1")]).unwrap_err().to_string();
        assert!(definition.parameters.iter().all(|parameter| error.contains(parameter.name)), "{error}");
    }
}

#[test]
fn parameters_that_do_not_fit_each_other_are_refused() {
    let error = Subject::open("dom", [("levels", "2"), ("rendered", "3")]).unwrap_err().to_string();
    assert_eq!(error, "a tree of 2 levels cannot have 3 of them rendered; set \"rendered\" to 2 or less");
}

#[test]
fn chunks_that_are_detached_need_no_collection() {
    let of = |done| outcome("streams", &[("chunks", "400"), ("chunk", "64k"), ("window", "4"), ("done", done)], &[], 1);
    let (forgotten, detached) = (of("forgotten"), of("detached"));
    assert_eq!(forgotten.checksum, detached.checksum);
    let full = |outcome: &Outcome| {
        outcome.totals.iter().filter(|row| row.kind == Kind::Full).map(|row| row.collections).sum::<u64>()
    };
    assert!(full(&forgotten) > 0 && full(&detached) == 0);
    assert!(detached.memory.peak_external < forgotten.memory.peak_external / 4);
}

#[test]
fn a_snapshot_shows_the_leak() {
    let folder = std::env::temp_dir().join(format!("tumulus-leak-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let snapshots: Vec<_> = ["early", "late"].map(|name| folder.join(name)).into();
    let mut subject = Subject::open("leak", [("navigations", "900"), ("rows", "8"), ("forgetful", "5")]).unwrap();
    let setup = Setup { options: options(&[]), seed: 1, snapshots: snapshots.clone(), ..Setup::default() };
    assert_eq!(run(subject.workload.as_mut(), setup).unwrap().end, End::Completed);

    let [early, late] = [0, 1].map(|at| Snapshot::parse(&std::fs::read(&snapshots[at]).unwrap()).unwrap());
    std::fs::remove_dir_all(&folder).unwrap();
    let forgotten = |snapshot: &Snapshot| snapshot.nodes().filter(|node| node.name().ends_with("Subscription")).count();
    assert!((40..90).contains(&forgotten(&early)), "{}", forgotten(&early));
    assert!((90..180).contains(&forgotten(&late)), "{}", forgotten(&late));
    // The bus alone retains most of what is there.
    let dominators = late.dominators(Ephemerons::OfKeys);
    let bus = late.nodes().find(|node| node.name().ends_with("Bus")).expect("there is a bus");
    assert!(dominators.retained_size(bus.place()) * 10 > dominators.retained_size(late.root()) * 9);
}
