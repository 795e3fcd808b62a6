//! The program `tumulus`; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tumulus_simulator::command::main()
}
