//! Reports ask for nothing, and are what they should be, whatever things are called.

use std::fs;
use std::path::Path;
use std::process::Command;
use tumulus_simulator::compare::Comparison;
use tumulus_simulator::outcome::{
    Allocation, Allocations, End, Finding, Outcome, Phase, Place, Stretch, TypeRow, Weight,
};
use tumulus_simulator::report;
use tumulus_simulator::{Setup, Subject, run};

const HOSTILE: &str = "</title></script><script>alerted = 1</script><img src=x onerror='alerted = 1'>\"&\u{1b}[31m";

fn outcome() -> Outcome {
    let text = include_str!("data/outcome.json");
    serde_json::from_str(text).expect("an outcome")
}

fn comparison() -> Comparison {
    serde_json::from_str(include_str!("data/comparison.json")).expect("a comparison")
}

/// An outcome in which everything that has a name has a hostile one.
fn hostile() -> Outcome {
    let mut outcome = outcome();
    for text in [&mut outcome.workload, &mut outcome.summary, &mut outcome.version, &mut outcome.census.when] {
        *text = HOSTILE.into();
    }
    outcome.command = vec!["tumulus".into(), "run".into(), HOSTILE.into()];
    outcome.environment.insert(HOSTILE.into(), HOSTILE.into());
    outcome.machine.os = HOSTILE.into();
    outcome.end = End::Failed(HOSTILE.into());
    outcome.checksum = Some(HOSTILE.into());
    outcome.phases = (0..5).map(|n| Phase { at: n * 1_000, name: HOSTILE.into(), operations: n }).collect();
    outcome.places = vec![Place { place: HOSTILE.into(), stores: 1, bytes: 2, held_bytes: 3 }];
    outcome.allocations = Some(allocations(HOSTILE));
    let row = TypeRow { name: HOSTILE.into(), objects: 1, used_bytes: 2, waste_bytes: 3, pages: 4 };
    outcome.census.types = vec![row; 50];
    outcome.findings = vec![Finding { weight: Weight::Problem, about: HOSTILE.into(), words: HOSTILE.into() }];
    outcome
}

fn allocations(place: &str) -> Allocations {
    let (place, name) = (place.to_owned(), place.to_owned());
    let row = Allocation { place, name, samples: 3, objects: 40, bytes: 1 << 20, live_objects: 5, live_bytes: 2000 };
    Allocations { mean_bytes: 1 << 19, rows: vec![row; 50] }
}

fn html(outcome: &Outcome) -> String {
    let mut file = Vec::new();
    report::write(outcome, &mut file).expect("a vector takes it");
    String::from_utf8(file).expect("text")
}

fn html_of_comparison(comparison: &Comparison) -> String {
    let mut file = Vec::new();
    report::write_comparison(comparison, &mut file).expect("a vector takes it");
    String::from_utf8(file).expect("text")
}

/// What a browser could take for a reason to ask somebody for something, or to run what it should not.
#[track_caller]
fn expect_harmless(html: &str) {
    for word in
        ["http:", "https:", "//cdn", "<img", "<iframe", "@import", "url(", " src=", "alerted = 1<", "NaN", "\u{1b}"]
    {
        let escaped = html.replace("&lt;img src=x", "");
        assert!(!escaped.contains(word), "{word} is in the page");
    }
    assert_eq!(html.matches("<script").count(), 1, "the page's own");
    assert_eq!(html.matches("<link").count(), 1, "that of no icon");
}

#[test]
fn a_report_has_everything_that_was_asked_for() {
    let mut with_external = outcome();
    with_external.memory.peak_external = 5 << 20;
    with_external.allocations = Some(allocations("src/main.rs:17:5"));
    let html = html(&with_external);
    expect_harmless(&html);
    let sections =
        ["throughput", "latency", "footprint", "heap", "pauses", "distribution", "utilisation", "types", "places"];
    for id in sections.iter().chain(&["collections", "allocations", "findings", "command"]) {
        assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(html.contains(&format!("<dt>seed</dt><dd>{}</dd>", with_external.seed)));
    assert!(html.contains("src/main.rs:17:5") && html.contains("150 samples, one for 512.0 KiB"));
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("@media print"));
    for finding in &with_external.findings {
        assert!(html.contains(finding.words.split('\'').next().unwrap_or_default()), "{}", finding.words);
    }
}

#[test]
fn names_are_never_markup() {
    let html = html(&hostile());
    expect_harmless(&html);
    assert!(html.contains("&lt;/title&gt;"));
}

#[test]
fn a_run_of_which_little_is_known_has_a_report() {
    let mut outcome = outcome();
    outcome.pauses = tumulus_simulator::outcome::Pauses::default();
    outcome.time = tumulus_simulator::outcome::Time::default();
    outcome.memory = tumulus_simulator::outcome::Memory::default();
    outcome.planned = None;
    outcome.checksum = None;
    outcome.command.clear();
    outcome.curve.clear();
    outcome.utilisation.clear();
    outcome.totals.clear();
    outcome.collections.clear();
    outcome.findings.clear();
    outcome.census.types.clear();
    expect_harmless(&html(&outcome));
}

#[test]
fn a_comparison_shows_each_of_its_runs() {
    let comparison = comparison();
    let html = html_of_comparison(&comparison);
    expect_harmless(&html);
    for row in comparison.rows() {
        assert!(html.contains(&row.label), "{}", row.label);
    }
}

#[test]
fn a_browser_finds_nothing_wrong() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/report.mjs");
    if !script.exists() || !Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no node here, so that reports are not looked at in a browser");
        return;
    }
    let mut hostile = hostile();
    // A stretch at the very end, and one that takes all of the time.
    let kind = hostile.collections.first().map(|collection| collection.kind).expect("a collection");
    hostile.pauses.over_time.push(Stretch {
        at: hostile.time.wall,
        longest: hostile.time.wall,
        kind,
        count: 2,
        total: 9,
    });
    let mut subject = Subject::open("binary-trees", [("depth", "10")]).expect("a workload");
    let mut live = run(subject.workload.as_mut(), Setup::default()).expect("a heap");
    live.command = vec!["tumulus".into(), "run".into()];
    let mut compared = comparison();
    compared.command = vec!["tumulus".into(), "compare".into()];
    let folder = std::env::temp_dir().join(format!("tumulus-reports-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let pages = [("hostile", html(&hostile)), ("live", html(&live)), ("compared", html_of_comparison(&compared))];
    let paths = pages.map(|(name, html)| {
        let path = folder.join(format!("{name}.html"));
        fs::write(&path, html).expect("a file");
        path
    });
    let output = Command::new("node").arg(&script).args(&paths).output().expect("node");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{said}");
    fs::remove_dir_all(&folder).expect("a folder to remove");
    assert!(output.status.success(), "{said}");
}
