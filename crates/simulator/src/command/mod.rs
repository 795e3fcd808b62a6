//! The program: its command line, and what each command does.
//!
//! One file for each command: a struct of its arguments, and a `run` that does it. To add one, write such a file, and name it
//! in [`Command`]. What is common to them: what is to be run in `what.rs`, where it is told in `output.rs` and `watch.rs`,
//! and how the program ends in `exit.rs`.

mod exit;
mod output;
mod run;
mod watch;
mod what;
mod workloads;

use clap::{Parser, Subcommand};
use exit::{Code, Failure};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const EXAMPLES: &str = "\
Examples:
  tumulus                                         the default workload, with a report
  tumulus workloads                               what there is to run
  tumulus run binary-trees --set depth=18 --limit 64m
  tumulus run --config run.toml --json - | jq .pauses.all.percentiles
  tumulus run binary-trees --live --trace trace.json

Exit codes:
  0    all is done
  1    something failed: a file cannot be read or written, or is not what it should be
  2    the command line, or a file of settings, is wrong
  3    the workload ran out of memory
  4    the workload ran out of time
  130  interrupted; what there is was printed

Environment:
  TUMULUS_OPTIONS, TUMULUS_ZEAL  options of the heap that neither flags nor files set
  NO_COLOR, CLICOLOR_FORCE       no colours, or colours in any case";

/// Runs workloads on a garbage-collected heap, shows what the collector did, and compares policies.
#[derive(Debug, Parser)]
#[command(name = "tumulus", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    color: colorchoice_clap::Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a workload, and shows what the collector did
    Run(run::Arguments),
    /// Lists the workloads that are built in, or describes one
    Workloads(workloads::Arguments),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.write_global();
    let interrupt = Arc::new(AtomicBool::new(false));
    listen_to_signals(&interrupt);
    let mut out = anstream::stdout().lock();
    let command = cli.command.unwrap_or_else(|| Command::Run(run::Arguments::when_nothing_is_said()));
    let result = match &command {
        Command::Run(arguments) => run::run(arguments, &interrupt, &mut out),
        Command::Workloads(arguments) => workloads::run(arguments, &mut out),
    };
    let flushed = out.flush().map_err(Failure::from);
    match result.and_then(|code| flushed.map(|()| code)) {
        Ok(code) => code.into(),
        Err(failure) => failure.tell(),
    }
}

/// The first Ctrl-C asks what runs to stop, so that it can tell what there is; the second ends the program.
fn listen_to_signals(interrupt: &Arc<AtomicBool>) {
    let interrupt = Arc::clone(interrupt);
    let listening = ctrlc::set_handler(move || {
        if interrupt.swap(true, Ordering::Relaxed) {
            std::process::exit(Code::Interrupted as i32);
        }
    });
    // Without a handler Ctrl-C ends the program, which is no reason not to begin.
    drop(listening);
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_in_order() {
        Cli::command().debug_assert();
    }
}
