//! The program: its command line, and what each command does.
//!
//! One file for each command: a struct of its arguments, and a `run` that does it. To add one, write such a file, and name it
//! in [`Command`].

mod error;
mod run;

pub use error::Failure;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Runs workloads on a garbage-collected heap, shows what the collector did, and compares policies.
#[derive(Debug, Parser)]
#[command(name = "tumulus", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    color: colorchoice_clap::Color,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a workload
    Run(run::Arguments),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.write_global();
    let command = cli.command.unwrap_or_else(|| Command::Run(run::Arguments::default_run()));
    let result = match command {
        Command::Run(arguments) => run::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}
