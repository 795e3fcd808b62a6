//! How long a collector makes its program wait; see [`tumulus_benches::pauses`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tumulus_benches::pauses()
}
