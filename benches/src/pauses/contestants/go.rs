//! Go, where the program `go` is: its concurrent collector.
//!
//! The Go source is in `go/main.go`, and built once for each process of this program, into a folder of its own among
//! the temporary ones. The pauses are the stops of the world that the runtime keeps a list of: for each collection the
//! sum of its two stops. Go also has an allocation do some of the collector's work when that falls behind; the runtime
//! does not report this as a pause. The CPU time is that of all threads.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs, process};

use super::{Entry, NO_BUFFERS, NO_WEAK_MAPS, ONLY_OURS, outside};
use crate::pauses::measure::Measurement;
use crate::pauses::workload::{Sizes, Workload};

const PROGRAM: &str = "go";
const SOURCE: &str = include_str!("go/main.go");

pub fn entry(workload: Workload) -> Entry {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    if !*INSTALLED.get_or_init(|| outside::installed(PROGRAM, "version")) {
        return Entry::Absent("NO PROGRAM `go` ON THIS MACHINE");
    }
    match workload {
        Workload::LiveTrees => Entry::Runs(|sizes| run(Workload::LiveTrees, sizes)),
        Workload::Splay => Entry::Runs(|sizes| run(Workload::Splay, sizes)),
        Workload::Lru => Entry::Runs(|sizes| run(Workload::Lru, sizes)),
        Workload::Bursts => Entry::Runs(|sizes| run(Workload::Bursts, sizes)),
        Workload::Growing => Entry::Runs(|sizes| run(Workload::Growing, sizes)),
        Workload::EventLoop => Entry::Runs(|sizes| run(Workload::EventLoop, sizes)),
        Workload::Buffers => Entry::Absent(NO_BUFFERS),
        Workload::WeakMap => Entry::Absent(NO_WEAK_MAPS),
        Workload::HeapSize | Workload::Throughput => Entry::Absent(ONLY_OURS),
    }
}

fn run(workload: Workload, sizes: &Sizes) -> Measurement {
    let built = Built::new();
    outside::run(Command::new(&built.program), workload, sizes)
}

/// The program in a folder that goes with it.
struct Built {
    folder: PathBuf,
    program: PathBuf,
}

impl Built {
    fn new() -> Self {
        let folder = env::temp_dir().join(format!("tumulus-pauses-{}", process::id()));
        let built = Built { program: folder.join("pauses"), folder };
        fs::create_dir_all(&built.folder).expect("a folder for the Go program");
        let source = built.folder.join("main.go");
        fs::write(&source, SOURCE).expect("a file for the Go program");
        let status =
            Command::new(PROGRAM).args(["build", "-o"]).args([&built.program, &source]).status().expect("go starts");
        assert!(status.success(), "go could not build the program: {status}");
        built
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        // What is left is in a folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
