//! The command line of the programs, and the child that makes one measurement.
//!
//! A program starts itself again as `child <contestant> <workload> <scale> <pass>`, which is not for people and not in
//! the help. The child prints its measurement as one line of JSON.

use std::env;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::rounds::{self, Outcome, Plan};
use crate::suite::{self, Contestant, Entry, Suite, name_of};

/// The first argument of a child.
pub const CHILD: &str = "child";

/// What the programs' command lines have in common.
#[derive(Debug, Args)]
pub struct Common<S: Suite> {
    /// A workload, or `all`
    #[arg(value_parser = parse_workloads::<S>)]
    workload: Workloads<S>,

    /// Print JSON instead of tables
    #[arg(long)]
    pub json: bool,

    /// How many times each contestant is run
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Run only these contestants, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = parse_contestant::<S>)]
    only: Vec<&'static Contestant<S>>,

    /// Multiply the sizes of the workloads; the targets are about 1
    #[arg(long, default_value_t = 1.0, value_parser = parse_scale)]
    scale: f64,
}

impl<S: Suite> Common<S> {
    /// Measures everything that was asked for and hands each outcome to `show` as soon as it is there.
    pub fn run(&self, mut show: impl FnMut(&Outcome<S>)) -> Vec<Outcome<S>> {
        let contestants = if self.only.is_empty() { S::contestants().iter().collect() } else { self.only.clone() };
        let plan = Plan { contestants, rounds: self.rounds, scale: self.scale };
        let mut outcomes = Vec::new();
        for &workload in &self.workload.0 {
            let outcome = rounds::run(workload, &plan);
            show(&outcome);
            outcomes.push(outcome);
        }
        outcomes
    }
}

/// Success when nothing went wrong.
pub fn exit_code<S: Suite>(outcomes: &[Outcome<S>]) -> ExitCode {
    if outcomes.iter().all(|outcome| outcome.errors.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Clone, Debug)]
struct Workloads<S: Suite>(Vec<S::Workload>);

fn parse_workloads<S: Suite>(text: &str) -> Result<Workloads<S>, String> {
    if text == "all" {
        return Ok(Workloads(S::Workload::value_variants().to_vec()));
    }
    S::Workload::from_str(text, false).map(|workload| Workloads(vec![workload])).map_err(|_| {
        let names: Vec<String> = S::Workload::value_variants().iter().map(|&workload| name_of(workload)).collect();
        format!("the workloads are all, {}", names.join(", "))
    })
}

fn parse_contestant<S: Suite>(text: &str) -> Result<&'static Contestant<S>, String> {
    suite::find(text).ok_or_else(|| {
        let names: Vec<&str> = S::contestants().iter().map(|contestant| contestant.name).collect();
        format!("the contestants are {}", names.join(", "))
    })
}

fn parse_scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (1e-6..=100.0).contains(&scale) => Ok(scale),
        _ => Err("a scale is a number from 0.000001 to 100".to_owned()),
    }
}

/// If this process is a child: what it does, and how it ends.
pub fn child<S: Suite>() -> Option<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [first, rest @ ..] = arguments.as_slice() else { return None };
    (first == CHILD).then(|| match measure_here::<S>(rest) {
        Ok(measurement) => {
            println!("{}", serde_json::to_string(&measurement).expect("a measurement is plain numbers"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

fn measure_here<S: Suite>(arguments: &[String]) -> Result<S::Measurement, String> {
    let [contestant, workload, scale, pass] = arguments else {
        return Err(format!("{CHILD} takes a contestant, a workload, a scale and the number of a pass"));
    };
    let contestant = parse_contestant::<S>(contestant)?;
    let workload = S::Workload::from_str(workload, false)?;
    let pass = pass.parse().map_err(|_| format!("{pass} is not the number of a pass"))?;
    match (contestant.entry)(workload) {
        Entry::Runs(run) | Entry::Once(run) => Ok(run(&S::sizes(parse_scale(scale)?, pass))),
        Entry::Absent(reason) => Err(format!("{} does not run {}: {reason}", contestant.name, name_of(workload))),
    }
}
