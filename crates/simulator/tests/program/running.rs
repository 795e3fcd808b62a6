//! `tumulus run` and `tumulus workloads`.

use super::{Folder, printed, read, told, tumulus};
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tumulus_simulator::Outcome;
use tumulus_simulator::outcome::End;

const SMALL: [&str; 4] = ["run", "binary-trees", "--set", "depth=10"];

#[test]
fn a_run_ends_with_a_table_and_names_the_files_that_it_has_written() {
    let folder = Folder::new("files");
    let names = ["report.html", "figures.json", "collections.log", "trace.json"];
    let [html, json, log, trace] = names.map(|name| folder.file(name));
    let text = printed(
        tumulus()
            .args(SMALL)
            .arg("--html")
            .arg(&html)
            .arg("--json")
            .arg(&json)
            .arg("--log")
            .arg(&log)
            .arg("--trace")
            .arg(&trace),
    );
    for words in ["binary-trees", "throughput", "latency", "footprint", "minor  nursery full", "depth=10"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for path in [&html, &json, &log, &trace] {
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert!(!read(path).is_empty(), "{}", path.display());
    }
    assert!(read(&log).contains("minor: "));
    serde_json::from_str::<serde_json::Value>(&read(&trace)).expect("a trace is JSON");
    let outcome: Outcome = serde_json::from_str(&read(&json)).expect("an outcome");
    assert_eq!(outcome.end, End::Completed);
}

#[test]
fn the_command_in_an_outcome_does_the_same_again() {
    let run = |words: &[String]| -> Outcome {
        let text = printed(tumulus().args(words).args(["--json", "-"]));
        serde_json::from_str(&text).expect("nothing but an outcome")
    };
    let words = ["run", "binary-trees", "--set", "depth=9", "--limit", "1m", "--nursery", "64k", "--seed", "3"];
    let first = run(&words.map(String::from));
    let again = run(&first.command[1..]);
    assert_eq!(first.command[0], "tumulus");
    assert_eq!(first.options.limit.unwrap().0, 1 << 20);
    assert_eq!((again.checksum, again.parameters, again.options), (first.checksum, first.parameters, first.options));
}

#[test]
fn allocations_are_sampled_for_those_who_are_told() {
    let folder = Folder::new("places");
    let html = folder.file("report.html");
    let of = |words: &[&str]| -> Outcome {
        let words = [&["run", "binary-trees", "--set", "depth=9", "--json", "-"], words].concat();
        serde_json::from_str(&printed(tumulus().args(words).arg("--html").arg(&html))).expect("an outcome")
    };
    let outcome = of(&["--sample", "4k"]);
    let allocations = outcome.allocations.expect("it was asked for");
    assert_eq!(allocations.mean_bytes, 4096);
    let sum: u64 = allocations.rows.iter().map(|row| row.bytes).sum();
    assert!(sum.abs_diff(outcome.memory.allocated) * 4 < outcome.memory.allocated, "{sum}, and {:?}", outcome.memory);
    assert!(allocations.rows.iter().all(|row| row.place.contains("binary_trees.rs:")), "{allocations:?}");
    assert!(read(&html).contains("id=\"allocations\""));
    assert_eq!(of(&[]).allocations.expect("for the report").mean_bytes, 512 << 10);
    assert_eq!(of(&["--sample", "0"]).allocations, None);
}

#[test]
fn flags_go_before_the_file_of_settings() {
    let folder = Folder::new("settings");
    let text = "workload = 'binary-trees'\nseed = 5\n[parameters]\ndepth = 7\n[heap]\nlimit = '2m'\nnursery = '64k'\n";
    let path = folder.write("run.toml", text);
    let text = printed(tumulus().args(["run", "--limit", "3m", "--json", "-", "--config"]).arg(&path));
    let outcome: Outcome = serde_json::from_str(&text).unwrap();
    assert_eq!((outcome.seed, outcome.parameters.count("depth")), (5, 7));
    assert_eq!(outcome.options.limit.unwrap().0, 3 << 20);
    assert_eq!(outcome.options.nursery.unwrap().0, 64 << 10);

    let from_pipe = printed(
        tumulus()
            .args(["run", "--config", "-", "--json", "-"])
            .write_stdin("workload = 'binary-trees'\n[parameters]\ndepth = 6"),
    );
    assert_eq!(serde_json::from_str::<Outcome>(&from_pipe).unwrap().parameters.count("depth"), 6);
}

#[test]
fn each_end_has_its_code() {
    let text = tumulus().args(SMALL).args(["--limit", "100k"]).assert().code(3).get_output().stdout.clone();
    assert!(
        String::from_utf8(text).unwrap().contains("The heap ran out of memory"),
        "the table is printed all the same"
    );
    let slow = ["run", "binary-trees", "--set", "depth=22", "--time-limit", "0.2"];
    let text = tumulus().args(slow).assert().code(4).get_output().stdout.clone();
    assert!(String::from_utf8(text).unwrap().contains("The run took longer than it was given"));
    assert!(
        told(tumulus().args(["run", "snails"]), 2)
            .contains("there is no workload \"snails\", and no trace of that name; there are: ")
    );
    assert!(
        told(tumulus().args(["run", "binary-trees", "--set", "depth=99"]), 2).contains("\"depth\" cannot be \"99\"")
    );
    assert!(told(tumulus().args(["run", "--limit", "much"]), 2).contains("is no number of bytes"));
    assert!(told(tumulus().args(["run", "--growth", "0.5"]), 2).contains("growth"));
    assert!(told(tumulus().args(["run", "--config", "/nowhere/at/all"]), 1).contains("/nowhere/at/all: "));
    assert!(told(tumulus().args(SMALL).args(["--html", "/nowhere/at/all"]), 1).contains("/nowhere/at/all: "));
}

#[test]
fn a_line_is_told_of_each_collection_on_request() {
    let assert =
        tumulus().args(SMALL).args(["--live", "--quiet", "--nursery", "64k", "--min-heap", "128k"]).assert().success();
    let told = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(told.lines().count() > 10 && told.lines().all(|line| line.contains("Mark-Sweep")), "{told}");
    assert!(assert.get_output().stdout.is_empty());
}

#[test]
fn there_are_colours_only_where_they_are_wanted() {
    let escapes = |text: &str| text.contains('\x1b');
    assert!(!escapes(&printed(tumulus().args(SMALL))), "not in a pipe");
    assert!(escapes(&printed(tumulus().args(SMALL).args(["--color", "always"]))));
    assert!(escapes(&printed(tumulus().args(SMALL).env("CLICOLOR_FORCE", "1"))));
    assert!(!escapes(&printed(tumulus().args(SMALL).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"))));
}

#[test]
fn nobody_minds_a_reader_that_goes_away() {
    for words in [
        vec!["run", "binary-trees", "--set", "depth=8"],
        vec!["workloads", "binary-trees"],
        vec!["man"],
        vec!["completions", "bash"],
    ] {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tumulus"))
            .args(&words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(child.wait().unwrap().success(), "{words:?}: {told}");
        assert!(told.is_empty(), "{words:?}: {told}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_interrupted_prints_what_there_is() {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tumulus"))
        .args(["run", "binary-trees", "--set", "depth=22", "--live"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first collection says that it is at work.
    let mut first = [0];
    child.stderr.as_mut().unwrap().read_exact(&mut first).unwrap();
    let rest = child.stderr.take().unwrap();
    std::thread::spawn(move || std::io::copy(&mut { rest }, &mut std::io::sink()));
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("throughput") && text.contains("The run was interrupted"), "{text}");
    assert!(asked.elapsed() < Duration::from_secs(30));
}

#[test]
fn workloads_are_listed_and_described() {
    assert!(printed(tumulus().arg("workloads")).lines().any(|line| line.starts_with("binary-trees")));
    let page = printed(tumulus().args(["workloads", "binary-trees"]));
    assert!(page.starts_with("# ") && page.contains("depth="), "{page}");
    assert!(told(tumulus().args(["workloads", "snails"]), 2).contains("there are: "));
}
