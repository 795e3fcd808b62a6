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

    let json = |words: &[&str]| -> serde_json::Value {
        let words = [words, &["--json", "-"]].concat();
        serde_json::from_str(&printed(tumulus().arg("inspect").arg(&second).args(words))).expect("JSON")
    };
    let summary = json(&["--top", "3"]);
    let group = &summary["by_name"][0];
    assert!(summary["nodes"].as_u64() > group["objects"].as_u64() && group["retained"].as_u64() > Some(0), "{summary}");
    assert!(summary["by_name"].as_array().unwrap().len() <= 3, "{summary}");
    let largest = &summary["retain_most"][0];
    assert!(largest["retained"].as_u64() >= largest["own"].as_u64() && largest["kind"].is_string(), "{summary}");
    let reasons = json(&["--path", &format!("@{}", largest["id"])]);
    let reason = &reasons["objects"][0];
    assert_eq!((&reason["name"], &reason["retained"]), (&largest["name"], &largest["retained"]));
    assert_eq!(reason["path"].as_array().unwrap().last().unwrap()["to"]["id"], largest["id"], "{reasons}");
    assert!(reason["referrer_count"].as_u64() > Some(0), "{reasons}");
    assert!(json(&["--path", "Node"])["more"].as_u64() > Some(0));
    let changes = json(&["--diff", first.to_str().expect("a path of text")]);
    let change = &changes["changes"][0];
    assert!(change["new"].is_u64() && change["gone"].is_u64() && change["own_delta"].is_i64(), "{changes}");
    let file = folder.file("summary.json");
    assert_eq!(printed(tumulus().arg("inspect").arg(&second).args(["--top", "3", "--json"]).arg(&file)), "");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&super::read(&file)).unwrap(), summary);

    let checked = printed(tumulus().arg("check").args([&first, &second]));
    assert_eq!(checked.matches(": sound; ").count(), 2, "{checked}");
}

#[test]
fn what_is_no_snapshot_is_told_with_its_place() {
    let folder = Folder::new("broken");
    let whole = folder.file("whole.heapsnapshot");
    printed(tumulus().args(["run", "binary-trees", "--set", "depth=8", "--quiet", "--snapshot"]).arg(&whole));
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
