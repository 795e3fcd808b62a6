//! `tumulus compare` and `tumulus merge`.

use super::{Folder, printed, told, tumulus};
use tumulus_simulator::compare::Comparison;

const SMALL: [&str; 6] = ["compare", "binary-trees", "--set", "depth=8", "--rounds", "1"];

fn read(path: &std::path::Path) -> Comparison {
    serde_json::from_str(&super::read(path)).expect("a comparison")
}

#[test]
fn runs_are_put_side_by_side() {
    let folder = Folder::new("vary");
    let json = folder.file("all.json");
    let words = ["--vary", "growth=1.5,3,nursery=0,64k", "--json"];
    let text = printed(tumulus().args(SMALL).args(words).arg(&json));
    for label in [
        "growth=1.5, nursery=0",
        "growth=1.5, nursery=64k",
        "growth=3, nursery=0",
        "growth=3, nursery=64k",
        "no collector",
    ] {
        assert!(text.contains(label), "{text}");
    }
    let comparison = read(&json);
    assert_eq!((comparison.rows.len(), comparison.missing()), (5, vec![]));
    assert_eq!(comparison.rows, comparison.rows());
    assert!(comparison.rows.iter().all(|row| row.failure.is_none() && !row.is_different), "{text}");
    assert!(comparison.rows.iter().all(|row| row.overhead.is_some_and(|overhead| overhead >= 0.0)));
    let minor = |label: &str| comparison.rows.iter().find(|row| row.label == label).unwrap().minor;
    assert_eq!(minor("growth=3, nursery=0"), 0);
    assert!(minor("growth=3, nursery=64k") > 0);
}

#[test]
fn without_anything_to_vary_it_is_the_curve_of_time_for_memory() {
    let folder = Folder::new("curve");
    let json = folder.file("curve.json");
    let text = printed(tumulus().args(SMALL).arg("--json").arg(&json));
    assert!(text.contains("time for memory"), "{text}");
    let rows = read(&json).rows;
    let multiples: Vec<f64> = rows.iter().filter_map(|row| row.of_minimum).collect();
    assert_eq!(multiples.len(), 7);
    assert!((multiples[0] - 1.0).abs() < 0.01 && (multiples[6] - 6.0).abs() < 0.01, "{multiples:?}");
    assert!(rows.iter().all(|row| row.failure.is_none()), "it runs in the least heap: {text}");
    let full: Vec<u64> = rows.iter().filter(|row| row.of_minimum.is_some()).map(|row| row.full).collect();
    assert!(full[0] > full[6], "less memory, more collections: {full:?}");
}

#[test]
fn shards_are_parts_of_one_comparison() {
    let folder = Folder::new("shards");
    let vary = ["--vary", "growth=1.5,2,3"];
    let whole = folder.file("whole.json");
    printed(tumulus().args(SMALL).args(vary).arg("--json").arg(&whole));
    let parts: Vec<_> = (1..=3)
        .map(|number| {
            let path = folder.file(&format!("{number}.json"));
            printed(
                tumulus()
                    .args(SMALL)
                    .args(vary)
                    .args(["--quiet", "--shard", &format!("{number}/3"), "--json"])
                    .arg(&path),
            );
            path
        })
        .collect();
    let merged = folder.file("merged.json");
    let text = printed(tumulus().arg("merge").args(&parts).arg("--json").arg(&merged));
    assert!(text.contains("growth=1.5") && text.contains("no collector"), "{text}");
    let (whole, merged) = (read(&whole), read(&merged));
    assert_eq!(merged.contenders, whole.contenders);
    let collections =
        |comparison: &Comparison| comparison.rows.iter().map(|row| (row.minor, row.full)).collect::<Vec<_>>();
    assert_eq!(collections(&merged), collections(&whole));

    let error = told(tumulus().arg("merge").args(&parts[..2]), 1);
    assert!(error.contains("in none of the files: growth=3, round 1; no collector, round 1"), "{error}");
    let error = told(tumulus().arg("merge").args([&parts[0], &parts[1], &parts[0]]), 1);
    assert!(error.contains("is in file 1 and in file 3"), "{error}");
    let newer = folder.write("newer.json", &super::read(&parts[0]).replacen("\"format\":1", "\"format\":9", 1));
    assert!(told(tumulus().arg("merge").arg(&newer), 1).contains("its format is 9, and this program reads 1"));
    let wrong = folder.write("wrong.json", &super::read(&parts[0]).replacen("{\"contender\":0", "{\"contender\":9", 1));
    assert!(told(tumulus().arg("merge").arg(&wrong), 1).contains("it has a run of contender 9, and there are 4"));
    let broken = folder.write("broken.json", &super::read(&parts[0])[..1000]);
    assert!(told(tumulus().arg("merge").arg(&broken), 1).contains("broken.json: EOF"));
    let other = folder.file("other.json");
    printed(tumulus().args(SMALL).args(["--vary", "growth=4", "--quiet", "--json"]).arg(&other));
    let error = told(tumulus().arg("merge").args([&parts[0], &other]), 1);
    assert!(error.contains("another comparison"), "{error}");
}

/// A trace of a small program, on a heap that hardly collects.
fn recorded(folder: &Folder, safepoints: &str) -> std::path::PathBuf {
    let trace = folder.file(&format!("{safepoints}.trace"));
    let words =
        ["record", "binary-trees", "--set", "depth=8", "--nursery", "4m", "-q", "--safepoints", safepoints, "-o"];
    printed(tumulus().args(words).arg(&trace));
    trace
}

#[test]
fn policies_are_compared_on_a_trace() {
    let folder = Folder::new("trace-vary");
    let (json, html) = (folder.file("all.json"), folder.file("all.html"));
    let trace = recorded(&folder, "2k");
    let vary = ["--rounds", "1", "--vary", "nursery=0,64k,growth=2,4", "--json"];
    let text = printed(tumulus().arg("compare").arg(&trace).args(vary).arg(&json).arg("--html").arg(&html));
    assert!(
        text.contains("growth=4") && text.contains("no collector") && text.contains("replayed without its program")
    );
    assert!(super::read(&html).contains("To be kept in mind"));
    let rows = read(&json).rows;
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row.failure.is_none() && !row.is_different && row.overhead.is_some()), "{text}");

    // As the program itself does it, but for the safepoints between those that were recorded.
    let itself = folder.file("itself.json");
    printed(tumulus().args(SMALL).args(&vary[2..]).arg(&itself));
    for (row, was) in rows.iter().zip(&read(&itself).rows) {
        assert_eq!(row.label, was.label);
        assert!(row.minor.abs_diff(was.minor) * 10 <= was.minor, "{}: {} and {}", row.label, row.minor, was.minor);
        assert!(row.full.abs_diff(was.full) <= 1, "{}: {} and {}", row.label, row.full, was.full);
    }
}

#[test]
fn a_trace_has_a_curve_of_time_for_memory_in_shards_too() {
    let folder = Folder::new("trace-curve");
    let trace = recorded(&folder, "all");
    let part = |number: &str| {
        let path = folder.file(&format!("{number}.json"));
        let shard = format!("{number}/2");
        printed(
            tumulus().arg("compare").arg(&trace).args(["-q", "--rounds", "1", "--shard", &shard, "--json"]).arg(&path),
        );
        path
    };
    let whole = folder.file("whole.json");
    let text = printed(tumulus().arg("merge").args([part("1"), part("2")]).arg("--json").arg(&whole));
    assert!(text.contains("time for memory"), "{text}");
    let rows = read(&whole).rows;
    let sized: Vec<_> = rows.iter().filter(|row| row.of_minimum.is_some()).collect();
    assert_eq!(sized.len(), 7);
    assert!(rows.iter().all(|row| row.failure.is_none()), "{text}");
    assert!(sized[0].minor + sized[0].full > sized[6].minor + sized[6].full, "less memory, more collections: {text}");
    let least = printed(tumulus().args(SMALL).args(["--json", "-"]));
    let least: Comparison = serde_json::from_str(&least).expect("a comparison");
    let (of_trace, of_program) = (sized[0].limit.unwrap(), least.rows[0].limit.unwrap());
    assert!(of_trace.abs_diff(of_program) * 5 <= of_program, "{of_trace} and {of_program}");
}

#[test]
fn a_trace_without_quiet_safepoints_is_not_compared() {
    let folder = Folder::new("trace-due");
    let trace = recorded(&folder, "due");
    for command in [vec!["compare", "--vary", "nursery=0"], vec!["compare"], vec!["replay", "--nursery", "0"]] {
        let said = told(tumulus().args(&command).arg(&trace), 1);
        assert!(said.contains("record it with others: `tumulus record --safepoints 16k`"), "{said}");
    }
    let trace = recorded(&folder, "all");
    for (vary, words) in
        [("seed=1,2", "a trace is the same for every seed"), ("depth=3", "there is no depth to be set")]
    {
        let said = told(tumulus().args(["compare", "--vary", vary]).arg(&trace), 2);
        assert!(said.contains(words), "{said}");
    }
    let cut = std::fs::read(&trace).expect("a trace");
    std::fs::write(&trace, &cut[..cut.len() - 30]).expect("a part");
    assert!(told(tumulus().args(["compare"]).arg(&trace), 1).contains("the trace ends too early"));
    assert!(told(tumulus().args(["compare", "nowhere.trace"]), 2).contains("and no trace of that name"));
}

#[test]
fn what_does_not_run_is_a_row_without_figures() {
    let folder = Folder::new("fails");
    let json = folder.file("all.json");
    let text = printed(tumulus().args(SMALL).args(["--vary", "limit=20k,8m", "--json"]).arg(&json));
    assert!(text.contains("out of memory"), "{text}");
    let rows = read(&json).rows;
    assert!(rows[0].failure.is_some() && rows[0].overhead.is_none());
    assert!(rows[1].failure.is_none() && rows[1].overhead.is_some());
}

#[test]
fn what_cannot_be_compared_is_an_error_of_the_command_line() {
    for (vary, words) in
        [("growth", "is nothing to vary"), ("growth=fast", "growth=fast: "), ("snails=3", "there is no parameter")]
    {
        let error = told(tumulus().args(SMALL).args(["--vary", vary]), 2);
        assert!(error.contains(words), "{error}");
    }
    assert!(told(tumulus().args(SMALL).args(["--shard", "3/2", "--json", "-"]), 2).contains("is no shard"));
}

#[cfg(unix)]
#[test]
fn what_is_interrupted_prints_what_there_is() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let child = Command::new(assert_cmd::cargo::cargo_bin!("tumulus"))
        .args(["compare", "binary-trees", "--vary", "depth=4,24", "--rounds", "1", "--jobs", "2", "--null-limit", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Time for the small one. The large one would take minutes.
    std::thread::sleep(Duration::from_secs(2));
    let asked = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("depth=4 ") && text.contains("1 of 2 runs are missing"), "{text}");
    assert!(asked.elapsed() < Duration::from_secs(20), "it does not wait for what it has begun");
}
