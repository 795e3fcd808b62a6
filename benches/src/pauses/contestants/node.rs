//! The program `node`: V8's generational, parallel and partly concurrent collector, and compiled JavaScript.
//!
//! The JavaScript is in `node.js`. The pauses are those that V8 reports to a `PerformanceObserver`; they are times on
//! the wall. The CPU time is that of all threads of V8.

use std::process::Command;
use std::sync::OnceLock;

use super::{Entry, ONLY_OURS, outside};
use crate::pauses::measure::Measurement;
use crate::pauses::workload::{Sizes, Workload};

const PROGRAM: &str = "node";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/pauses/contestants/node.js");

pub fn entry(workload: Workload) -> Entry {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    if !*INSTALLED.get_or_init(|| outside::installed(PROGRAM, "--version")) {
        return Entry::Absent("NO PROGRAM `node` ON THIS MACHINE");
    }
    match workload {
        Workload::LiveTrees => Entry::Runs(|sizes| run(Workload::LiveTrees, sizes)),
        Workload::Splay => Entry::Runs(|sizes| run(Workload::Splay, sizes)),
        Workload::Lru => Entry::Runs(|sizes| run(Workload::Lru, sizes)),
        Workload::WeakMap => Entry::Absent("with a map this large it runs for many minutes"),
        Workload::Buffers => Entry::Runs(|sizes| run(Workload::Buffers, sizes)),
        Workload::Bursts => Entry::Runs(|sizes| run(Workload::Bursts, sizes)),
        Workload::Growing => Entry::Runs(|sizes| run(Workload::Growing, sizes)),
        Workload::EventLoop => Entry::Runs(|sizes| run(Workload::EventLoop, sizes)),
        Workload::HeapSize | Workload::Throughput => Entry::Absent(ONLY_OURS),
    }
}

fn run(workload: Workload, sizes: &Sizes) -> Measurement {
    let mut command = Command::new(PROGRAM);
    command.arg(SCRIPT);
    outside::run(command, workload, sizes)
}
