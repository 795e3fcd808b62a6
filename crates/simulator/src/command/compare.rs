//! `tumulus compare` and `tumulus merge`: runs side by side.
//!
//! Each run is a process of its own, `tumulus run --config - --json - --sample 0`: they cannot disturb each other but by being
//! there, and one that the system kills is a row without figures.

use super::output::{Output, create};
use super::what::What;
use super::{Code, Failure};
use crate::compare::{CURVE, Comparison, FORMAT, How, Plan, Shard, Told, merge};
use crate::options::Bytes;
use crate::outcome::Outcome;
use crate::settings::Settings;
use crate::{report, show};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What heaps without a collector may commit if nothing is said.
const NULL_LIMIT: Bytes = Bytes(1 << 30);

/// The arguments of `compare`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    what: What,
    /// What is compared: options of the heap, parameters, the seed; all combinations. A limit such as 2x is that many times
    /// the least heap in which it runs
    #[arg(long, value_name = "NAME=VALUE,VALUE,NAME=..", help_heading = "Comparing")]
    vary: Vec<String>,
    /// Runs each in heaps of 1 to 6 times the least in which it runs [default: if nothing is varied]
    #[arg(long, help_heading = "Comparing")]
    curve: bool,
    /// Runs each so many times, and tells medians
    #[arg(long, value_name = "N", default_value = "3", help_heading = "Comparing")]
    rounds: NonZeroUsize,
    /// What heaps without a collector may commit; 0 for no such heaps
    #[arg(long, value_name = "BYTES", default_value_t = NULL_LIMIT, help_heading = "Comparing")]
    null_limit: Bytes,
    /// Runs so many at once [default: as many as there are cores]
    #[arg(long, short, value_name = "N", help_heading = "Comparing")]
    jobs: Option<NonZeroUsize>,
    /// Does the i-th of n parts; `tumulus merge` puts them together
    #[arg(long, value_name = "I/N", requires = "json", help_heading = "Comparing")]
    shard: Option<Shard>,
    #[command(flatten)]
    outputs: Outputs,
}

/// Where a comparison is told.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
struct Outputs {
    /// Writes all figures as JSON; - for standard output, in place of the tables
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes a report with drawings, one file for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Prints no tables and no progress
    #[arg(long, short)]
    quiet: bool,
}

/// The arguments of `merge`.
#[derive(Args, Debug)]
pub(super) struct MergeArguments {
    /// What `tumulus compare --shard` has written
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
}

pub(super) fn run(arguments: &Arguments, interrupt: &AtomicBool, out: &mut Output) -> Result<Code, Failure> {
    let settings = arguments.what.settings()?;
    let is_curve = arguments.curve || arguments.vary.is_empty();
    let sizes: &[f64] = if is_curve { &CURVE } else { &[] };
    let plan = Plan::new(&settings, &arguments.vary, sizes)?;
    let plan = plan.rounds(arguments.rounds).null_limit(arguments.null_limit);
    let files = arguments.outputs.open()?;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let bar = Bar::new(arguments.outputs.quiet);
    let how = How {
        at_once: arguments.jobs.unwrap_or(cores),
        shard: arguments.shard.unwrap_or_default(),
        interrupt,
        told: Some(&bar),
    };
    let comparison = plan.run(&|settings| in_a_process(settings, interrupt), &how);
    bar.0.finish_and_clear();
    let comparison = Comparison { command: super::command_line(), ..comparison };
    arguments.outputs.tell(&comparison, files, out)?;
    Ok(if interrupt.load(Ordering::Relaxed) { Code::Interrupted } else { Code::Done })
}

pub(super) fn run_merge(arguments: &MergeArguments, out: &mut Output) -> Result<Code, Failure> {
    let read = |path: &PathBuf| -> Result<Comparison, Failure> {
        let text = std::fs::read(path).map_err(Failure::at(path))?;
        let wrong = |error: serde_json::Error| Failure::Other(format!("{}: {error}", path.display()));
        // Of another format the rest may not be readable.
        let Head { format } = serde_json::from_slice(&text).map_err(wrong)?;
        if format != FORMAT {
            let path = path.display();
            return Err(Failure::Other(format!("{path}: its format is {format}, and this program reads {FORMAT}")));
        }
        serde_json::from_slice(&text).map_err(wrong)
    };
    let parts = arguments.files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let whole = merge(parts).map_err(Failure::other)?;
    let files = arguments.outputs.open()?;
    arguments.outputs.tell(&whole, files, out)?;
    if whole.missing().is_empty() {
        return Ok(Code::Done);
    }
    let labels = whole.missing().into_iter().map(|(contender, round)| {
        let label = &whole.contenders[contender].label;
        format!("{label}, round {}", round + 1)
    });
    Err(Failure::Other(format!("these runs are in none of the files: {}", labels.collect::<Vec<_>>().join("; "))))
}

/// What every file of a comparison begins with, whatever its format.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

impl Outputs {
    fn is_printed(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }

    /// Made before the runs, so that a path that cannot be written is no surprise after them.
    fn open(&self) -> Result<Files<impl Write + use<>>, Failure> {
        let json = self.json.as_ref().filter(|_| !self.is_printed());
        Ok(Files {
            json: json.map(|path| create(path)).transpose()?,
            html: self.html.as_ref().map(|path| create(path)).transpose()?,
        })
    }

    fn tell<F: Write>(&self, comparison: &Comparison, files: Files<F>, out: &mut Output) -> Result<(), Failure> {
        if self.is_printed() {
            serde_json::to_writer(&mut *out, comparison).map_err(io::Error::from)?;
            writeln!(out)?;
        } else if !self.quiet {
            write!(out, "{}", show::comparison::of(comparison))?;
        }
        let mut written = Vec::new();
        if let (Some(mut file), Some(path)) = (files.html, &self.html) {
            report::write_comparison(comparison, &mut file).and_then(|()| file.flush()).map_err(Failure::at(path))?;
            written.push(("report", path));
        }
        if let (Some(mut file), Some(path)) = (files.json, &self.json) {
            serde_json::to_writer(&mut file, comparison).map_err(io::Error::from).map_err(Failure::at(path))?;
            file.flush().map_err(Failure::at(path))?;
            written.push(("figures", path));
        }
        if !self.quiet && !self.is_printed() {
            for (at, (what, path)) in written.into_iter().enumerate() {
                let space = if at == 0 { "\n" } else { "" };
                writeln!(out, "{space}{what:11} {}", path.display())?;
            }
        }
        Ok(())
    }
}

/// The files that are written.
struct Files<F> {
    json: Option<F>,
    html: Option<F>,
}

/// Runs it in a process of its own.
fn in_a_process(settings: &Settings, interrupt: &AtomicBool) -> Result<Outcome, String> {
    let failed = |error: io::Error| format!("a run cannot be started: {error}");
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .args(["run", "--config", "-", "--json", "-", "--sample", "0", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let text = toml::to_string(settings).map_err(|error| error.to_string())?;
    // A child that has gone away meanwhile says why on its standard error.
    let _ = child.stdin.take().expect("it has one").write_all(text.as_bytes());
    let (stdout, stderr) = (child.stdout.take().expect("it has one"), child.stderr.take().expect("it has one"));
    std::thread::scope(|scope| {
        let (printed, told) = (scope.spawn(|| read_all(stdout)), scope.spawn(|| read_all(stderr)));
        let status = wait(&mut child, interrupt).map_err(failed)?;
        let (printed, told) = (printed.join().expect("no panic"), told.join().expect("no panic"));
        serde_json::from_slice(&printed).map_err(|_| {
            let words = String::from_utf8_lossy(&told);
            let last = words.trim().lines().last().unwrap_or_default();
            format!("a run has ended with {status}: {last}")
        })
    })
}

/// Waits for a process, and ends it when this one is interrupted: a signal may have been meant for this one alone.
fn wait(child: &mut Child, interrupt: &AtomicBool) -> io::Result<ExitStatus> {
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupt.load(Ordering::Relaxed) {
            child.kill()?;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// What comes until the end; or until it breaks off, which shows in what is missing.
fn read_all(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = from.read_to_end(&mut bytes);
    bytes
}

/// How far it is, on standard error, if that is a terminal.
#[derive(Debug)]
struct Bar(ProgressBar);

impl Bar {
    fn new(is_quiet: bool) -> Bar {
        let bar = if is_quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
        let style = ProgressStyle::with_template("{wide_bar} {pos} of {len} runs  {elapsed}  {msg}");
        Bar(bar.with_style(style.expect("the form is right")))
    }
}

impl Told for Bar {
    fn progress(&self, done: usize, of: usize, what: &str) {
        self.0.set_length(of as u64);
        self.0.set_position(done as u64);
        self.0.set_message(what.to_string());
    }
}
