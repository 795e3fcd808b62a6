//! `tumulus run`: a workload on a heap.

use super::Failure;
use crate::options::HeapOptions;
use crate::run::{Setup, run as run_workload};
use crate::subject::Subject;
use crate::{report, show};
use clap::Args;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// What is run if nothing is named.
const DEFAULT: &str = "binary-trees";

/// The arguments of `run`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// What to run
    #[arg(default_value = DEFAULT)]
    workload: String,
    /// Sets a parameter of the workload
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// What random numbers begin with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the report, a file of HTML
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    heap: HeapOptions,
}

impl Arguments {
    pub(super) fn default_run() -> Arguments {
        Arguments {
            workload: DEFAULT.into(),
            set: Vec::new(),
            seed: 1,
            html: Some("tumulus-report.html".into()),
            heap: HeapOptions::default(),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut set = Vec::new();
    for pair in &arguments.set {
        set.push(pair.split_once('=').ok_or_else(|| Failure::Usage(format!("{pair:?} is not name=value")))?);
    }
    let mut subject = Subject::open(&arguments.workload, set).map_err(Failure::usage)?;
    let setup = Setup {
        workload: subject.name.clone(),
        summary: subject.summary.clone(),
        parameters: subject.parameters.clone(),
        command: std::env::args().collect(),
        options: arguments.heap.clone(),
        seed: arguments.seed,
        ..Setup::default()
    };
    let outcome = run_workload(subject.workload.as_mut(), setup).map_err(Failure::usage)?;
    let mut out = anstream::stdout().lock();
    write!(out, "{}", show::table::of(&outcome))?;
    if let Some(path) = &arguments.html {
        let mut file = BufWriter::new(File::create(path).map_err(Failure::at(path))?);
        report::write(&outcome, &mut file).and_then(|()| file.flush()).map_err(Failure::at(path))?;
        writeln!(out, "report: {}", path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}
