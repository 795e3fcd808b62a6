//! `tumulus inspect` and `tumulus check`: what is in a heap snapshot.
//!
//! An answer is plain data (`answer.rs`), written as JSON or shown as text (`text.rs`).

mod answer;
mod text;

use super::output::{Output, create};
use super::{Code, Failure};
use crate::show::count;
use answer::{Changes, Reasons, Summary};
use clap::Args;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tumulus_snapshot::{Diff, Snapshot};

/// The arguments of `inspect`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// A heap snapshot, of this project or of V8
    file: PathBuf,
    /// How many rows each table has
    #[arg(long, value_name = "N", default_value_t = 15)]
    top: usize,
    /// Shows why an object is alive, by its id (@123) or its name: the way from the root to it, and who else refers to it
    #[arg(long, value_name = "@ID|NAME")]
    path: Option<String>,
    /// Shows what has come and what has gone since an earlier snapshot of the same heap
    #[arg(long, value_name = "EARLIER", conflicts_with = "path")]
    diff: Option<PathBuf>,
    /// Writes the answer as JSON, in place of the tables; - for standard output. Sizes are bytes
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The arguments of `check`.
#[derive(Args, Debug)]
pub(super) struct CheckArguments {
    /// Heap snapshots
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, out: &mut Output) -> Result<Code, Failure> {
    let Arguments { file, top, path, diff, .. } = arguments;
    let snapshot = read(file)?;
    if let Some(wanted) = path {
        return arguments.tell(&Reasons::of(&snapshot, wanted)?, text::reasons, out);
    }
    if let Some(earlier) = diff {
        let before = read(earlier)?;
        return arguments.tell(&Changes::of(&Diff::between(&before, &snapshot), *top), text::changes, out);
    }
    arguments.tell(&Summary::of(&snapshot, *top), text::summary, out)
}

impl Arguments {
    /// Tells an answer as it is wanted.
    fn tell<A: Serialize>(
        &self,
        answer: &A,
        show: impl FnOnce(&A, &mut Output) -> io::Result<()>,
        out: &mut Output,
    ) -> Result<Code, Failure> {
        match self.json.as_deref() {
            None => show(answer, out)?,
            Some(path) if path == Path::new("-") => {
                serde_json::to_writer(&mut *out, answer).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Some(path) => {
                let mut file = create(path)?;
                serde_json::to_writer(&mut file, answer).map_err(io::Error::from).map_err(Failure::at(path))?;
                file.flush().map_err(Failure::at(path))?;
            }
        }
        Ok(Code::Done)
    }
}

/// Reads each file, with all checks that the format allows.
pub(super) fn run_check(arguments: &CheckArguments, out: &mut Output) -> Result<Code, Failure> {
    let mut code = Code::Done;
    for path in &arguments.files {
        match File::open(path).and_then(Snapshot::read) {
            Ok(snapshot) => {
                let (nodes, edges) = (count(snapshot.len().into()), count(snapshot.edge_count() as u64));
                writeln!(out, "{}: sound; {nodes} nodes, {edges} edges", path.display())?;
            }
            Err(error) => {
                writeln!(out, "{}: {error}", path.display())?;
                code = Code::Failed;
            }
        }
    }
    Ok(code)
}

fn read(path: &Path) -> Result<Snapshot, Failure> {
    File::open(path).and_then(Snapshot::read).map_err(Failure::at(path))
}
