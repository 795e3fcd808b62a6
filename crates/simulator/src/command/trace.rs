//! `tumulus record`, `tumulus replay` and `tumulus trace`: what a program does to a heap, in a file.

use super::output::{Output, create};
use super::run::Outputs;
use super::what::What;
use super::{Code, Failure};
use crate::options::{Bytes, HeapOptions};
use crate::replayed;
use crate::settings::Settings;
use clap::{Args, Subcommand};
use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tumulus_trace::{Caveat, Part, Safepoints, check, cut, info};

/// The arguments of `record`.
#[derive(Args, Clone, Debug)]
pub(super) struct RecordArguments {
    #[command(flatten)]
    what: What,
    /// Where the trace goes
    #[arg(long, short, value_name = "FILE", default_value = "tumulus.trace")]
    output: PathBuf,
    /// Of the safepoints at which nothing is due, on which a replay with other options depends, records one for every so many
    /// bytes of allocation; or all, or none of them: due
    #[arg(long, value_name = "BYTES", default_value = "16k", value_parser = safepoints)]
    safepoints: Safepoints,
    #[command(flatten)]
    outputs: Outputs,
}

/// The arguments of `replay`.
#[derive(Args, Clone, Debug)]
pub(super) struct ReplayArguments {
    /// A trace
    file: PathBuf,
    #[command(flatten)]
    heap: HeapOptions,
    #[command(flatten)]
    outputs: Outputs,
}

/// The arguments of `trace`.
#[derive(Args, Clone, Debug)]
pub(super) struct TraceArguments {
    #[command(subcommand)]
    command: TraceCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum TraceCommand {
    /// Says what is in a trace
    Info {
        /// A trace
        file: PathBuf,
    },
    /// Checks that traces are sound
    Check {
        /// Traces
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Cuts a part out of a trace, as a trace of its own
    Cut {
        /// A trace
        file: PathBuf,
        /// Where the part goes
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        /// The phase that is cut out
        #[arg(long, value_name = "NAME", required_unless_present = "events")]
        phase: Option<String>,
        /// The events that are cut out, in whole operations: FROM..TO, of which each may be left out
        #[arg(long, value_name = "FROM..TO", value_parser = range, conflicts_with = "phase")]
        events: Option<std::ops::Range<u64>>,
    },
}

pub(super) fn record(
    arguments: &RecordArguments,
    interrupt: &Arc<AtomicBool>,
    out: &mut Output,
) -> Result<Code, Failure> {
    let settings = arguments.what.settings()?;
    let mut subject = settings.open()?;
    let mut setup = settings.setup(&subject);
    setup.record = Some(Box::new(create(&arguments.output)?));
    setup.safepoints = arguments.safepoints;
    let code = arguments.outputs.measure(&mut subject, setup, interrupt, out)?;
    if !arguments.outputs.is_silent() {
        writeln!(out, "\n{:<11} {}", "recorded", arguments.output.display())?;
    }
    Ok(code)
}

pub(super) fn replay(
    arguments: &ReplayArguments,
    interrupt: &Arc<AtomicBool>,
    out: &mut Output,
) -> Result<Code, Failure> {
    let (mut subject, told) = replayed::open(&arguments.file, &arguments.heap)?;
    let is_as_recorded = arguments.heap == HeapOptions::default();
    let workload = Some(arguments.file.display().to_string());
    let settings = Settings { workload, heap: arguments.heap.clone(), ..Settings::default() };
    let setup = settings.setup(&subject);
    let mut code = arguments.outputs.measure(&mut subject, setup, interrupt, out)?;
    let told = told.borrow();
    let mut words = Vec::new();
    words.extend(told.caveats.iter().map(|caveat| format!("not as it was: {caveat}")));
    if let Some(divergence) = &told.divergence {
        words.push(divergence.to_string());
        if told.caveats.iter().all(|&caveat| caveat == Caveat::OtherHeaps) && code == Code::Done {
            code = Code::Failed;
        }
    } else if is_as_recorded && code == Code::Done {
        words.push("as recorded: every operation has left the same".into());
    }
    if !arguments.outputs.is_silent() {
        writeln!(out)?;
        for line in words {
            writeln!(out, "{line}")?;
        }
    }
    Ok(code)
}

pub(super) fn run(arguments: &TraceArguments, out: &mut Output) -> Result<Code, Failure> {
    match &arguments.command {
        TraceCommand::Info { file } => {
            let info = info(open(file)?).map_err(|error| Failure::Other(format!("{}: {error}", file.display())))?;
            write!(out, "{info}")?;
            Ok(Code::Done)
        }
        TraceCommand::Check { files } => {
            let mut code = Code::Done;
            for path in files {
                match check(open(path)?) {
                    Ok(events) => writeln!(out, "{}: sound; {events} events", path.display())?,
                    Err(error) => {
                        writeln!(out, "{}: {error}", path.display())?;
                        code = Code::Failed;
                    }
                }
            }
            Ok(code)
        }
        TraceCommand::Cut { file, output, phase, events } => {
            let part = match (phase, events) {
                (Some(name), _) => Part::Phase(name.clone()),
                (None, events) => Part::Events(events.clone().unwrap_or(0..u64::MAX)),
            };
            cut_out(file, output, &part)?;
            Ok(Code::Done)
        }
    }
}

/// Cuts into a file beside the one that is wanted, which is there only when it is complete.
fn cut_out(file: &Path, output: &Path, part: &Part) -> Result<(), Failure> {
    let mut partial = output.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = cut(open(file)?, create(&partial)?, part);
    match written {
        Ok(writer) => {
            drop(writer);
            fs::rename(&partial, output).map_err(Failure::at(output))
        }
        Err(error) => {
            let _ = fs::remove_file(&partial);
            Err(Failure::Other(format!("{}: {error}", file.display())))
        }
    }
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    File::open(path).map(BufReader::new).map_err(Failure::at(path))
}

fn safepoints(text: &str) -> Result<Safepoints, String> {
    match text {
        "due" => Ok(Safepoints::Due),
        "all" => Ok(Safepoints::All),
        _ => match text.parse() {
            Ok(Bytes(bytes)) => Ok(Safepoints::Every(bytes)),
            Err(_) => Err("write a number of bytes such as 16k, all, or due".into()),
        },
    }
}

fn range(text: &str) -> Result<std::ops::Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("write FROM..TO")?;
    let number = |text: &str, other: u64| if text.is_empty() { Ok(other) } else { text.parse::<u64>() };
    let wrong = |_| format!("{text:?} is no range of events; write FROM..TO");
    Ok(number(from, 0).map_err(wrong)?..number(to, u64::MAX).map_err(wrong)?)
}
