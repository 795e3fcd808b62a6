//! Ours beside its peers: `cargo run --release -p tumulus-benches --bin compare -- <workload|all>`.
//!
//! Every measurement is a process of its own: this program starts itself again as `child <contestant> <workload>`.
//! [`rounds`] does that, in rounds interleaved over the contestants; [`report`] makes a table of the medians;
//! [`workload`] has the names, sizes and targets, and [`contestants`] the code that is measured. See the package's
//! README for the method and its limits.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod allocator;
mod contestants;
mod graph;
mod measure;
mod reading;
mod report;
mod rounds;
mod stack;
mod trees;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::contestants::{Contestant, Entry};
use crate::rounds::Plan;
use crate::workload::{Sizes, Workload};

/// Measures Tumulus beside other heaps, collectors and allocators.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    /// A workload, or `all`
    #[arg(required = true, value_parser = parse_workloads)]
    workload: Option<Workloads>,

    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,

    /// How many times each contestant is run
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Run only these contestants, separated by commas
    #[arg(long, value_delimiter = ',', value_parser = parse_contestant)]
    only: Vec<&'static Contestant>,

    /// Multiply the sizes of the workloads; the targets are about 1
    #[arg(long, default_value_t = 1.0, value_parser = parse_scale)]
    scale: f64,

    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Debug, Subcommand)]
enum Child {
    /// One measurement, printed as one line of JSON
    #[command(hide = true)]
    Child {
        #[arg(value_parser = parse_contestant)]
        contestant: &'static Contestant,
        workload: Workload,
        #[arg(value_parser = parse_scale)]
        scale: f64,
    },
}

#[derive(Clone, Debug)]
struct Workloads(Vec<Workload>);

fn parse_workloads(text: &str) -> Result<Workloads, String> {
    if text == "all" {
        return Ok(Workloads(Workload::value_variants().to_vec()));
    }
    Workload::from_str(text, false).map(|workload| Workloads(vec![workload])).map_err(|_| {
        let names: Vec<String> = Workload::value_variants().iter().map(|workload| workload.name()).collect();
        format!("the workloads are all, {}", names.join(", "))
    })
}

fn parse_contestant(text: &str) -> Result<&'static Contestant, String> {
    contestants::find(text).ok_or_else(|| {
        let names: Vec<&str> = contestants::ALL.iter().map(|contestant| contestant.name).collect();
        format!("the contestants are {}", names.join(", "))
    })
}

fn parse_scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (1e-6..=100.0).contains(&scale) => Ok(scale),
        _ => Err("a scale is a number from 0.000001 to 100".to_owned()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Child::Child { contestant, workload, scale }) = arguments.child {
        return run_child(contestant, workload, scale);
    }
    let contestants = if arguments.only.is_empty() { contestants::ALL.iter().collect() } else { arguments.only };
    let plan = Plan { contestants, rounds: arguments.rounds, scale: arguments.scale };
    let mut good = true;
    let mut outcomes = Vec::new();
    for workload in arguments.workload.map(|workloads| workloads.0).unwrap_or_default() {
        let outcome = rounds::run(workload, &plan);
        good &= outcome.errors.is_empty();
        if !arguments.json {
            print!("{}", report::table(&outcome));
        }
        outcomes.push(outcome);
    }
    if arguments.json {
        println!("{}", report::json(&outcomes));
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_child(contestant: &Contestant, workload: Workload, scale: f64) -> ExitCode {
    match (contestant.entry)(workload) {
        Entry::Runs(run) | Entry::Once(run) => {
            let measurement = run(&Sizes::scaled(scale));
            println!("{}", serde_json::to_string(&measurement).expect("a measurement is plain numbers"));
            ExitCode::SUCCESS
        }
        Entry::Absent(reason) => {
            eprintln!("{} does not run {}: {reason}", contestant.name, workload.name());
            ExitCode::FAILURE
        }
    }
}
