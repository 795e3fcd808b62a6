//! Ours beside its peers; see [`tumulus_benches::compare`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tumulus_benches::compare()
}
