//! `tumulus run`: a workload on a heap.

use super::output::{Output, create};
use super::watch::{Live, Watch};
use super::what::What;
use super::{Code, Failure};
use crate::options::Bytes;
use crate::outcome::{End, Outcome};
use crate::run::{Setup, USUAL_SAMPLES, run as run_workload};
use crate::subject::Subject;
use crate::{report, show};
use clap::{Args, ValueEnum};
use std::io::{LineWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tumulus_heap::LogFormat;

/// Where the report of the default run goes.
const DEFAULT_REPORT: &str = "tumulus-report.html";

/// The arguments of `run`.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Arguments {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    outputs: Outputs,
}

/// Where what is to be told goes; for commands that run one thing.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(super) struct Outputs {
    /// Writes all figures as JSON; - for standard output, in place of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the report: one file of HTML, with nothing loaded from elsewhere
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes a log of the collections
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// The form of the log. A plain one has no times in it, and is the same in each run
    #[arg(long, value_name = "FORM", default_value = "plain", requires = "log")]
    log_format: LogForm,
    /// Writes a Chrome trace of the collections, for Perfetto or DevTools' Performance panel
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Writes a heap snapshot in the middle of the run; given twice, after a third and two thirds, and so on
    #[arg(long, value_name = "FILE")]
    snapshot: Vec<PathBuf>,
    /// Samples where objects are allocated, one for so many bytes on average, for the report and the JSON; 0 for none
    /// [default: 512k, if one of these is wanted]
    #[arg(long, value_name = "BYTES")]
    sample: Option<Bytes>,
    /// Prints a line for each collection while it runs
    #[arg(long)]
    live: bool,
    /// Prints no table and no progress
    #[arg(long, short)]
    quiet: bool,
}

/// The form of a log.
#[derive(ValueEnum, Copy, Clone, Debug, Default)]
enum LogForm {
    /// What happened, without times
    #[default]
    Plain,
    /// As V8's --trace-gc
    TraceGc,
    /// As V8's --trace-gc-nvp
    Nvp,
    /// An object of JSON on each line
    Json,
}

impl Arguments {
    /// What is done if the command line is empty: the default workload, with a report.
    pub(super) fn when_nothing_is_said() -> Arguments {
        let outputs = Outputs { html: Some(DEFAULT_REPORT.into()), ..Outputs::default() };
        Arguments { outputs, ..Arguments::default() }
    }
}

pub(super) fn run(arguments: &Arguments, interrupt: &Arc<AtomicBool>, out: &mut Output) -> Result<Code, Failure> {
    let settings = arguments.what.settings()?;
    let mut subject = settings.open()?;
    let setup = settings.setup(&subject);
    arguments.outputs.measure(&mut subject, setup, interrupt, out)
}

impl Outputs {
    /// Runs a subject, and tells of it what is wanted.
    pub(super) fn measure(
        &self,
        subject: &mut Subject,
        setup: Setup,
        interrupt: &Arc<AtomicBool>,
        out: &mut Output,
    ) -> Result<Code, Failure> {
        let watch = Watch::new(&subject.name);
        let mut logs = setup.logs;
        if let Some(path) = &self.log {
            logs.push((self.log_format.into(), Box::new(create(path)?) as Box<dyn Write>));
        }
        if let Some(path) = &self.trace {
            logs.push((LogFormat::ChromeTrace, Box::new(create(path)?)));
        }
        if self.live {
            logs.push((LogFormat::TraceGc, Box::new(LineWriter::new(Live::beside(&watch)))));
        }
        // Made before the run, so that a path that cannot be written is no surprise after it.
        let html = self.html.as_ref().map(|path| create(path)).transpose()?;
        let is_json_printed = self.json.as_deref() == Some(Path::new("-"));
        let json = self.json.as_ref().filter(|_| !is_json_printed).map(|path| create(path)).transpose()?;
        let progress = watch.clone();
        let setup = Setup {
            logs,
            snapshots: self.snapshot.clone(),
            sample: setup.sample.or(self.sample()),
            interrupt: Arc::clone(interrupt),
            watch: (!self.quiet).then(|| Box::new(move |state: &_| progress.show(state)) as Box<_>),
            ..setup
        };
        let outcome = run_workload(subject.workload.as_mut(), setup).map_err(Failure::usage)?;
        watch.end();

        if is_json_printed {
            serde_json::to_writer(&mut *out, &outcome).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else if !self.quiet {
            write!(out, "{}", show::table::of(&outcome))?;
        }
        if let (Some(mut file), Some(path)) = (json, &self.json) {
            serde_json::to_writer(&mut file, &outcome).map_err(std::io::Error::from).map_err(Failure::at(path))?;
            file.flush().map_err(Failure::at(path))?;
        }
        if let (Some(mut file), Some(path)) = (html, &self.html) {
            report::write(&outcome, &mut file).and_then(|()| file.flush()).map_err(Failure::at(path))?;
        }
        if !is_json_printed && !self.quiet {
            self.name_files(out)?;
        }
        Ok(code(&outcome))
    }

    /// How far apart allocations are sampled: not at all where nobody would be told, so that figures are not disturbed.
    fn sample(&self) -> Option<NonZeroUsize> {
        match self.sample {
            Some(Bytes(bytes)) => NonZeroUsize::new(usize::try_from(bytes).unwrap_or(usize::MAX)),
            None => (self.json.is_some() || self.html.is_some()).then_some(USUAL_SAMPLES),
        }
    }

    /// Whether nothing but figures for another program is printed.
    pub(super) fn is_silent(&self) -> bool {
        self.quiet || self.json.as_deref() == Some(Path::new("-"))
    }

    /// Says which files were written, so that nobody has to look for them.
    fn name_files(&self, out: &mut Output) -> Result<(), Failure> {
        let one = |name, path: &Option<PathBuf>| path.iter().map(|path| (name, path.clone())).collect::<Vec<_>>();
        let files =
            [one("report", &self.html), one("figures", &self.json), one("log", &self.log), one("trace", &self.trace)];
        let snapshots = self.snapshot.iter().map(|path| ("snapshot", path.clone())).collect();
        for (at, (name, path)) in files.into_iter().chain([snapshots]).flatten().enumerate() {
            let gap = if at == 0 { "\n" } else { "" };
            writeln!(out, "{gap}{name:<11} {}", path.display())?;
        }
        Ok(())
    }
}

/// How the program ends after such a run.
pub(super) fn code(outcome: &Outcome) -> Code {
    match outcome.end {
        End::Completed => Code::Done,
        End::Interrupted => Code::Interrupted,
        End::TimedOut => Code::TimedOut,
        End::OutOfMemory(_) => Code::OutOfMemory,
        End::Failed(_) => Code::Failed,
    }
}

impl From<LogForm> for LogFormat {
    fn from(form: LogForm) -> LogFormat {
        match form {
            LogForm::Plain => LogFormat::Plain,
            LogForm::TraceGc => LogFormat::TraceGc,
            LogForm::Nvp => LogFormat::NameValue,
            LogForm::Json => LogFormat::JsonLines,
        }
    }
}
