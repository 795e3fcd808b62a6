//! `tumulus inspect` and `tumulus check`.

use super::{Folder, printed, told, tumulus};

#[test]
fn snapshots_of_a_run_are_inspected_compared_and_checked() {
    let folder = Folder::new("snapshots");
    let [first, second] = ["a.heapsnapshot", "b.heapsnapshot"].map(|name| folder.file(name));
    let words = ["run", "binary-trees", "--set", "depth=10", "--quiet", "--snapshot"];
    printed(tumulus().args(words).arg(&first).arg("--snapshot").arg(&second));

    let text = printed(tumulus().arg("inspect").arg(&first).args(["--top", "3"]));
    assert!(text.contains("by name") && text.contains("what retains most") && text.contains("Node"), "{text}");
    let path = printed(tumulus().arg("inspect").arg(&first).args(["--path", "Node"]));
    assert!(path.contains("(root)") && path.contains("refer to it"), "{path}");
    let id = path.lines().next().unwrap().split_whitespace().nth(1).unwrap();
    assert!(printed(tumulus().arg("inspect").arg(&first).args(["--path", id])).starts_with(&format!("Node {id}")));
    let same = printed(tumulus().arg("inspect").arg(&first).arg("--diff").arg(&first));
    assert_eq!(same, "nothing has come, and nothing has gone\n");
    printed(tumulus().arg("inspect").arg(&second).arg("--diff").arg(&first));

    let checked = printed(tumulus().arg("check").args([&first, &second]));
    assert_eq!(checked.matches(": sound; ").count(), 2, "{checked}");
}

#[test]
fn what_is_no_snapshot_is_told_with_its_place() {
    let folder = Folder::new("broken");
    let whole = folder.file("whole.heapsnapshot");
    printed(tumulus().args(["run", "--set", "depth=8", "--quiet", "--snapshot"]).arg(&whole));
    let text = super::read(&whole);
    let half = folder.write("half.heapsnapshot", &text[..text.len() / 2]);
    let output = tumulus().arg("check").args([&whole, &half]).assert().code(1).get_output().stdout.clone();
    let output = String::from_utf8(output).unwrap();
    assert!(output.contains("whole.heapsnapshot: sound") && output.contains("half.heapsnapshot: at byte "), "{output}");
    assert!(told(tumulus().arg("inspect").arg(&half), 1).contains("at byte "));
    assert!(
        told(tumulus().arg("inspect").arg(&whole).args(["--path", "snail"]), 1).contains("there is no node \"snail\"")
    );
}
