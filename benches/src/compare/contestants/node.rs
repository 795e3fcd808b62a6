//! The program `node`: V8's generational, parallel collector and compiled JavaScript.
//!
//! The JavaScript is in `node.js`. This module runs it with `--expose-gc`, hands it the same links, turns and orders
//! that the others use, so that it need not repeat their random numbers, and relays its measurement. The CPU time is
//! that of all threads of V8.

use std::io::{self, BufWriter, Write};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{Entry, NO_SCOPES};
use crate::compare::graph::{self, Graph};
use crate::compare::measure::Measurement;
use crate::compare::workload::{Reading, Sizes, Workload};
use crate::suite::name_of;

const PROGRAM: &str = "node";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/compare/contestants/node.js");

pub fn entry(workload: Workload) -> Entry {
    if !installed() {
        return Entry::Absent("NO PROGRAM `node` ON THIS MACHINE");
    }
    match workload {
        Workload::BinaryTrees => Entry::Runs(|sizes| run(Workload::BinaryTrees, sizes, &[])),
        Workload::MarkRandom => Entry::Runs(|sizes| run(Workload::MarkRandom, sizes, &links(sizes, 1))),
        Workload::MarkTree => Entry::Runs(|sizes| run(Workload::MarkTree, sizes, &[turns()])),
        Workload::HalfDeadTree => Entry::Runs(|sizes| run(Workload::HalfDeadTree, sizes, &[turns()])),
        Workload::HalfDeadRandom => Entry::Runs(|sizes| run(Workload::HalfDeadRandom, sizes, &links(sizes, 2))),
        Workload::ReadHot => Entry::Runs(|sizes| run(Workload::ReadHot, sizes, &[order(sizes.hot)])),
        Workload::WalkHot => Entry::Runs(|sizes| run(Workload::WalkHot, sizes, &[])),
        Workload::ReadCold => Entry::Runs(|sizes| run(Workload::ReadCold, sizes, &[order(sizes.cold)])),
        Workload::Memory => Entry::Runs(|sizes| run(Workload::Memory, sizes, &[turns()])),
        Workload::Roots => Entry::Absent("JavaScript has no roots to make"),
        Workload::SmallBuffers => Entry::Runs(|sizes| run(Workload::SmallBuffers, sizes, &[])),
        Workload::LargeBuffers => Entry::Runs(|sizes| run(Workload::LargeBuffers, sizes, &[])),
        Workload::TypedArray => Entry::Runs(|sizes| run(Workload::TypedArray, sizes, &[])),
        Workload::ScopePush | Workload::Keep => Entry::Absent(NO_SCOPES),
        Workload::EphemeronsReverse => Entry::Runs(|sizes| run(Workload::EphemeronsReverse, sizes, &[])),
        Workload::EphemeronsTwice => Entry::Runs(|sizes| run(Workload::EphemeronsTwice, sizes, &[])),
        Workload::EphemeronsOrdered => Entry::Runs(|sizes| run(Workload::EphemeronsOrdered, sizes, &[])),
        Workload::WeakHandles => Entry::Runs(|sizes| run(Workload::WeakHandles, sizes, &[])),
    }
}

fn installed() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let status = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    })
}

fn turns() -> Vec<u32> {
    graph::turns().into_iter().map(u32::from).collect()
}

fn links(sizes: &Sizes, parts: usize) -> [Vec<u32>; 3] {
    let graph = Graph::random(sizes.objects, parts);
    [turns(), graph.links.into_flattened(), graph.roots]
}

fn order(reading: Reading) -> Vec<u32> {
    let mut order: Vec<u32> = (0..).take(reading.nodes as usize).collect();
    graph::shuffle(&mut order);
    order
}

/// Runs the script with these arrays on its standard input, each behind its length.
fn run(workload: Workload, sizes: &Sizes, arrays: &[Vec<u32>]) -> Measurement {
    let mut child = Command::new(PROGRAM)
        .args(["--expose-gc", SCRIPT, &name_of(workload)])
        .arg(serde_json::to_string(sizes).expect("sizes are plain numbers"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let input = child.stdin.take().expect("standard input is piped");
    write_arrays(input, arrays).expect("node reads its input");
    let output = child.wait_with_output().expect("node ends");
    assert!(output.status.success(), "node failed: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("node prints a measurement")
}

fn write_arrays(to: impl Write, arrays: &[Vec<u32>]) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    for array in arrays {
        let length = u32::try_from(array.len()).expect("an array of less than 2^32 words");
        to.write_all(&length.to_le_bytes())?;
        for word in array {
            to.write_all(&word.to_le_bytes())?;
        }
    }
    to.flush()
}
