//! `record`, `replay` and `trace`.

use super::{Folder, printed, told, tumulus};

fn recorded(folder: &Folder) -> std::path::PathBuf {
    let trace = folder.file("run.trace");
    let log = folder.file("run.log");
    let mut record = tumulus();
    record.args(["record", "binary-trees", "--set", "depth=11", "--nursery", "64k", "--limit", "32m", "-q"]);
    assert_eq!(printed(record.arg("-o").arg(&trace).arg("--log").arg(&log)), "");
    trace
}

#[test]
fn a_replay_in_another_process_has_the_same_log() {
    let folder = Folder::new("replay");
    let trace = recorded(&folder);
    let again = folder.file("again.log");
    let said = printed(tumulus().arg("replay").arg(&trace).arg("--log").arg(&again));
    assert!(said.ends_with("as recorded: every operation has left the same\n"), "{said}");
    let log = std::fs::read_to_string(folder.file("run.log")).expect("a log");
    assert!(log.lines().count() > 5);
    assert_eq!(log, std::fs::read_to_string(again).expect("a log"));

    let other = folder.file("other.log");
    printed(tumulus().args(["replay", "-q", "--nursery", "0"]).arg(&trace).arg("--log").arg(&other));
    assert!(!std::fs::read_to_string(other).expect("a log").contains("minor"));
}

#[test]
fn a_trace_can_be_looked_at_checked_and_cut() {
    let folder = Folder::new("trace");
    let trace = recorded(&folder);
    let page = printed(tumulus().args(["trace", "info"]).arg(&trace));
    assert!(page.contains("binary_trees::Node") && page.contains("trees that die"), "{page}");
    assert!(printed(tumulus().args(["trace", "check"]).arg(&trace)).contains(": sound; "));
    let part = folder.file("part.trace");
    printed(tumulus().args(["trace", "cut", "--phase", "trees that die"]).arg(&trace).arg("-o").arg(&part));
    assert!(printed(tumulus().args(["trace", "check"]).arg(&part)).contains(": sound; "));
    let nowhere = folder.file("nowhere.trace");
    let said = told(tumulus().args(["trace", "cut", "--phase", "tea"]).arg(&trace).arg("-o").arg(&nowhere), 1);
    assert!(said.contains("the trace has no phase \"tea\""), "{said}");
    assert!(!nowhere.exists() && !folder.file("nowhere.trace.partial").exists());
}

#[test]
fn what_is_no_trace_is_said() {
    let folder = Folder::new("no-trace");
    let file = folder.write("text", "no trace");
    for command in [["trace", "info"], ["trace", "cut"], ["replay", "-q"]] {
        let mut command_line = tumulus();
        command_line.args(command).arg(&file);
        if command[1] == "cut" {
            command_line.args(["--events", "1..2", "-o"]).arg(folder.file("part"));
        }
        let said = told(&mut command_line, 1);
        assert!(said.contains("at byte 0: this is not a trace of a tumulus heap"), "{said}");
    }
    let trace = recorded(&folder);
    let bytes = std::fs::read(&trace).expect("a trace");
    std::fs::write(&trace, &bytes[..bytes.len() / 2]).expect("a half");
    for command in [["trace", "info"], ["replay", "--quiet"]] {
        let said = told(tumulus().args(command).arg(&trace), 1);
        assert!(said.is_empty() || said.contains("the trace ends too early"), "{said}");
    }
}
