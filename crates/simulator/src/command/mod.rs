//! The program: its command line, and what each command does.
//!
//! One file for each command: a struct of its arguments, and a `run` that does it. To add one, write such a file, and name it
//! in `Command`. What is common to them: what is to be run in `what.rs`, where it is told in `output.rs` and `watch.rs`,
//! and how the program ends in `exit.rs`.

mod compare;
mod exit;
mod inspect;
mod output;
mod run;
mod shell;
mod trace;
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
  tumulus                                    the default workload, with a report
  tumulus workloads                          what there is to run
  tumulus run binary-trees --set depth=18 --limit 64m
  tumulus compare binary-trees               time against memory, and what collecting costs
  tumulus inspect before.heapsnapshot        what is in a heap, and what keeps it alive
  tumulus record splay -o splay.trace        what a program does to its heap, to be replayed

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

const RUN_EXAMPLES: &str = "\
Examples:
  tumulus run binary-trees --html report.html
  tumulus run binary-trees --set depth=18 --limit 64m --nursery 256k --live
  tumulus run --config run.toml --seed 7 --json - | jq .pauses.all.percentiles
  tumulus run binary-trees --trace trace.json         then open it in https://ui.perfetto.dev
  tumulus run binary-trees --snapshot a.heapsnapshot --snapshot b.heapsnapshot
  tumulus run binary-trees --zeal every=100,verify    looks for mistakes

A file of settings:
  workload = \"binary-trees\"
  seed = 7
  [parameters]
  depth = 18
  [heap]
  limit = \"64m\"
  pause-budget = \"200us\"";

const COMPARE_EXAMPLES: &str = "\
Examples:
  tumulus compare binary-trees                             in 1 to 6 times the least heap
  tumulus compare binary-trees --vary growth=1.5,2,4
  tumulus compare binary-trees --vary limit=1.5x,3x,nursery=0,1m --rounds 5
  tumulus compare binary-trees --vary depth=14,16,18 --curve --jobs 1 --json all.json
  tumulus compare recorded.trace --vary nursery=0,1m       a recorded program

On several machines, or in an array of jobs:
  tumulus compare binary-trees --curve --shard 1/3 --json 1.json
  tumulus compare binary-trees --curve --shard 2/3 --json 2.json
  tumulus compare binary-trees --curve --shard 3/3 --json 3.json
  tumulus merge 1.json 2.json 3.json

Times that are to be compared closely want a quiet machine and --jobs 1.";

const INSPECT_EXAMPLES: &str = "\
Examples:
  tumulus inspect b.heapsnapshot
  tumulus inspect b.heapsnapshot --path @1234
  tumulus inspect b.heapsnapshot --diff a.heapsnapshot
  tumulus inspect b.heapsnapshot --json - | jq .retain_most[0]";

const TRACE_EXAMPLES: &str = "\
Examples:
  tumulus record splay --limit 64m -o splay.trace
  tumulus replay splay.trace                       the same collections, in the same places
  tumulus replay splay.trace --nursery 0           those of another heap
  tumulus compare splay.trace --vary nursery=0,1m  several of them, side by side
  tumulus trace info splay.trace
  tumulus trace check *.trace
  tumulus trace cut splay.trace --phase measure -o part.trace";

const COMPLETIONS_EXAMPLE: &str = "\
Example:
  tumulus completions bash > ~/.local/share/bash-completion/completions/tumulus";

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
    #[command(after_help = RUN_EXAMPLES)]
    Run(run::Arguments),
    /// Runs a workload, or replays a trace, with other options and limits, and puts the runs side by side
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(compare::Arguments),
    /// Puts together what `compare --shard` has written
    Merge(compare::MergeArguments),
    /// Says what is in a heap snapshot: a summary, what retains most, why something is alive, what has changed
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(inspect::Arguments),
    /// Checks that heap snapshots are sound
    Check(inspect::CheckArguments),
    /// Runs a workload, and records what it does to its heap
    #[command(after_help = TRACE_EXAMPLES)]
    Record(trace::RecordArguments),
    /// Replays a recorded program: the same collections in the same places, or those of a heap with other options
    #[command(after_help = TRACE_EXAMPLES)]
    Replay(trace::ReplayArguments),
    /// Says what is in a trace, checks it, or cuts a part out
    #[command(after_help = TRACE_EXAMPLES)]
    Trace(trace::TraceArguments),
    /// Lists the workloads that are built in, or describes one
    Workloads(workloads::Arguments),
    /// Prints what a shell needs to complete this program's words
    #[command(after_help = COMPLETIONS_EXAMPLE)]
    Completions(shell::Completions),
    /// Prints the man page, or writes those of all commands
    Man(shell::Man),
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
        Command::Compare(arguments) => compare::run(arguments, &interrupt, &mut out),
        Command::Merge(arguments) => compare::run_merge(arguments, &mut out),
        Command::Inspect(arguments) => inspect::run(arguments, &mut out),
        Command::Check(arguments) => inspect::run_check(arguments, &mut out),
        Command::Record(arguments) => trace::record(arguments, &interrupt, &mut out),
        Command::Replay(arguments) => trace::replay(arguments, &interrupt, &mut out),
        Command::Trace(arguments) => trace::run(arguments, &mut out),
        Command::Completions(arguments) => shell::completions(arguments, &mut out),
        Command::Man(arguments) => shell::man(arguments, &mut out),
        Command::Workloads(arguments) => workloads::run(arguments, &mut out),
    };
    let flushed = out.flush().map_err(Failure::from);
    match result.and_then(|code| flushed.map(|()| code)) {
        Ok(code) => code.into(),
        Err(failure) => failure.tell(),
    }
}

/// The words of the command line, the program by its name.
fn command_line() -> Vec<String> {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    std::iter::once("tumulus".into()).chain(words).collect()
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
