//! Ours beside its peers: `cargo run --release -p tumulus-benches --bin compare -- <workload|all>`.
//!
//! Every measurement is a process of its own, in rounds interleaved over the contestants. [`report`] makes a table of
//! the medians; [`workload`] has the names, sizes and targets, and [`contestants`] the code that is measured.

mod buffers;
mod contestants;
mod graph;
mod measure;
mod reading;
mod report;
mod stack;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use crate::command::{self, Common};
use crate::suite::{Contestant, Suite};
use measure::Measurement;
use workload::{Sizes, Workload};

/// The program.
#[derive(Clone, Copy, Debug)]
struct Compare;

impl Suite for Compare {
    type Workload = Workload;
    type Sizes = Sizes;
    type Measurement = Measurement;

    fn contestants() -> &'static [Contestant<Self>] {
        contestants::ALL
    }

    fn sizes(scale: f64, _pass: u32) -> Sizes {
        Sizes::scaled(scale)
    }

    fn join(mut passes: Vec<Measurement>) -> Result<Measurement, String> {
        passes.pop().ok_or_else(|| "there was no pass".to_owned())
    }
}

/// Measures Tumulus beside other heaps, collectors and allocators.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    common: Common<Compare>,
}

/// Runs the program `compare`: measures Tumulus beside other heaps, collectors and allocators.
pub fn main() -> ExitCode {
    if let Some(code) = command::child::<Compare>() {
        return code;
    }
    let arguments = Arguments::parse();
    let outcomes = arguments.common.run(|outcome| {
        if !arguments.common.json {
            print!("{}", report::table(outcome));
        }
    });
    if arguments.common.json {
        println!("{}", report::json(&outcomes));
    }
    command::exit_code(&outcomes)
}
