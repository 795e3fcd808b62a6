//! The bytecode machine: `script FILE` runs a file.

use std::process::ExitCode;
use tumulus_examples::script::Machine;
use tumulus_heap::Heap;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("script FILE");
        return ExitCode::FAILURE;
    };
    let mut machine = Machine::new(Heap::builder().limit(1 << 30));
    let outcome = match std::fs::read_to_string(&path) {
        Ok(text) => machine.run(&text).map(drop).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    print!("{}", machine.take_output());
    if let Err(error) = outcome {
        eprintln!("{path}: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
