//! The program `pauses` as a whole: its workloads, and that all contestants on this machine compute the same.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn pauses(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pauses")).args(arguments).output().expect("the program starts")
}

fn reports(arguments: &[&str]) -> Vec<Value> {
    let output = pauses(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).expect("the program prints JSON")
}

#[test]
fn all_contestants_agree_on_all_workloads() {
    let reports = reports(&["all", "--scale", "0.001", "--rounds", "1", "--json"]);
    assert_eq!(reports.len(), 10);
    for report in &reports {
        assert_eq!(report["errors"], Value::Array(Vec::new()), "{}", report["workload"]);
        let results = report["results"].as_array().expect("a list");
        assert!(results.len() >= 2, "{} has somebody to compare with", report["workload"]);
        for row in results {
            let name = &row["contestant"];
            assert!(row["cpu_ns"].as_f64().is_some_and(|ns| ns > 0.0), "{name} takes time");
            let shares = row["wall"]["utilisation"].as_array().expect("pauses were watched");
            assert!(
                shares.iter().all(|pair| pair[1].as_f64().is_some_and(|share| (0.0..=1.0).contains(&share))),
                "{name} has a share of the time"
            );
        }
    }
}

#[test]
fn rounds_and_contestants_are_as_asked_for_and_the_drawing_is_written() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drawings");
    let folder = folder.to_str().expect("a path of plain letters");
    let arguments =
        ["live-trees", "--scale", "0.001", "--rounds", "2", "--only", "ours,box", "--json", "--svg", folder];
    let reports = reports(&arguments);
    let results = reports[0]["results"].as_array().expect("a list");
    let names: Vec<&str> = results.iter().filter_map(|row| row["contestant"].as_str()).collect();
    assert_eq!(names, ["ours", "box"]);
    assert!(results.iter().all(|row| row["rounds"] == 2));
    let drawing = std::fs::read_to_string(Path::new(folder).join("live-trees.svg")).expect("the drawing is there");
    assert!(drawing.starts_with("<svg") && drawing.trim_end().ends_with("</svg>"));
}

#[test]
fn a_wrong_name_is_answered_with_the_right_ones() {
    let output = pauses(&["live-tree"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("live-trees, splay, lru"));
}
