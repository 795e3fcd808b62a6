//! How long a collector makes its program wait:
//! `cargo run --release -p tumulus-benches --bin pauses -- <workload|all>`.
//!
//! | module | what is there |
//! |---|---|
//! | [`workload`] | the names, sizes and targets |
//! | [`forest`], [`splay`], [`lru`], [`weak_map`], [`buffers`], [`bursts`] | what the workloads do, and a trait each for what contestants do |
//! | [`contestants`] | the code that is measured |
//! | [`watch`] | what is a pause, and how it is timed |
//! | [`measure`], [`mmu`] | percentiles, and what share of any window of time a program has |
//! | [`report`], [`plot`] | the table, the JSON, the drawing |
//! | [`random`] | random numbers and texts that every language computes alike |

mod buffers;
mod bursts;
mod contestants;
mod forest;
mod lru;
mod measure;
mod plot;
mod random;
mod report;
mod splay;
mod watch;
mod weak_map;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;

use tumulus_simulator::mmu;

use clap::Parser;

use crate::command::{self, Common};
use crate::suite::{Contestant, Suite};
use measure::Measurement;
use watch::Pass;
use workload::{Sizes, Workload};

/// The program.
#[derive(Clone, Copy, Debug)]
struct Pauses;

impl Suite for Pauses {
    type Workload = Workload;
    type Sizes = Sizes;
    type Measurement = Measurement;

    fn contestants() -> &'static [Contestant<Self>] {
        contestants::ALL
    }

    fn sizes(scale: f64, pass: u32) -> Sizes {
        Sizes::scaled(scale, Pass::numbered(pass))
    }

    fn join(passes: Vec<Measurement>) -> Result<Measurement, String> {
        Measurement::join(passes)
    }
}

/// Measures how long collectors and allocators make their programs wait.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    common: Common<Pauses>,

    /// Draw each workload into a file of this folder
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

/// Runs the program `pauses`: measures how long collectors and allocators make their programs wait.
pub fn main() -> ExitCode {
    if let Some(code) = command::child::<Pauses>() {
        return code;
    }
    let arguments = Arguments::parse();
    let mut drawn = Ok(());
    let outcomes = arguments.common.run(|outcome| {
        if !arguments.common.json {
            print!("{}", report::table(outcome));
        }
        if let (Some(folder), Ok(())) = (&arguments.svg, &drawn) {
            drawn = plot::save(outcome, folder);
        }
    });
    if arguments.common.json {
        println!("{}", report::json(&outcomes));
    }
    if let Err(error) = drawn {
        eprintln!("cannot write a drawing: {error}");
        return ExitCode::FAILURE;
    }
    command::exit_code(&outcomes)
}
