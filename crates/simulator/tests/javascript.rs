//! The workloads that are written in JavaScript too compute the same on node. Where there is no node, that is said.
//!
//! How much is alive and how often it is collected is compared by `scripts/compare-with-node`, which takes minutes.

use std::path::Path;
use std::process::Command;
use tumulus_simulator::{Setup, Subject, run};

const SMALL: &[(&str, &[(&str, u64)])] = &[
    ("binary-trees", &[("depth", 7), ("rounds", 2)]),
    ("splay", &[("nodes", 50), ("payload-depth", 2), ("operations", 200)]),
    ("lru", &[("capacity", 100), ("lookups", 2000)]),
    ("requests", &[("requests", 20), ("sessions", 30), ("levels", 3)]),
    ("images", &[("images", 30), ("decoded", 4), ("side", 192), ("views", 100)]),
];

/// The major version of the node on the path.
fn node() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    String::from_utf8(output.stdout).ok()?.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[test]
fn what_is_computed_is_the_same_in_javascript() {
    if node().is_none_or(|major| major < 20) {
        eprintln!("SKIPPED: there is no node 20 or later on the path");
        return;
    }
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("js");
    for (name, parameters) in SMALL {
        // The last has bits in both of its halves.
        for seed in [0, 1, (7 << 32) + 5] {
            let texts: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.to_string())).collect();
            let pairs = texts.iter().map(|(name, value)| (*name, value.as_str()));
            let mut subject = Subject::open(name, pairs).unwrap();
            let ours = run(subject.workload.as_mut(), Setup { seed, ..Setup::default() }).unwrap();

            let object: serde_json::Map<_, _> =
                parameters.iter().map(|(name, value)| (name.to_string(), (*value).into())).collect();
            let object = serde_json::Value::Object(object).to_string();
            let mut command = Command::new("node");
            command.current_dir(&programs).args(["main.mjs", name, &object, &seed.to_string(), "count"]);
            let output = command.output().unwrap();
            let theirs: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
                panic!("{name}: {error}: {}", String::from_utf8_lossy(&output.stderr));
            });
            assert_eq!(theirs["checksum"].as_str(), ours.checksum.as_deref(), "{name} with seed {seed}");
            assert_eq!(theirs["operations"].as_u64(), Some(ours.operations), "{name}");
        }
    }
}
