//! The inputs that fuzzing has kept, each through its target again, and as many of noise.

use std::fs;
use std::path::Path;
use tumulus_tests::fuzz::{TARGETS, Target};
use tumulus_tests::scaled;

/// Runs a target. What was printed last, when that fails, is the input.
fn run(target: Target, name: &str, bytes: &[u8]) {
    println!("{}: {name}", target.name);
    (target.run)(bytes);
}

#[test]
fn the_corpus_of_every_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for target in TARGETS {
        let mut paths: Vec<_> = fs::read_dir(corpus.join(target.name))
            .unwrap_or_else(|error| panic!("no corpus for {}: {error}", target.name))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.sort();
        assert!(!paths.is_empty(), "an empty corpus for {}", target.name);
        for path in paths.iter().take(scaled(usize::MAX, 2)) {
            run(target, &path.display().to_string(), &fs::read(path).expect("a file"));
        }
    }
}

#[test]
fn noise() {
    let mut state = 1_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    for target in TARGETS {
        for number in 0..scaled(60, 1) {
            let bytes: Vec<u8> = (0..number * 20).map(|_| byte()).collect();
            run(target, &format!("noise {number}"), &bytes);
        }
    }
}
