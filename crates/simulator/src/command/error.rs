//! What can go wrong in a command, and with which code the program then ends.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

/// Why a command has failed.
#[derive(Debug)]
pub enum Failure {
    /// The command line or a file of options is wrong.
    Usage(String),
    /// Something else.
    Other(String),
    /// Nobody reads any more what is printed.
    Closed,
}

impl Failure {
    /// Makes an error of a file, for `map_err`.
    pub fn at(path: &std::path::Path) -> impl Fn(io::Error) -> Failure + '_ {
        move |error| Failure::Other(format!("{}: {error}", path.display()))
    }

    /// Makes an error of usage, for `map_err`.
    pub fn usage(error: impl Display) -> Failure {
        Failure::Usage(error.to_string())
    }

    /// Says it, and gives the code.
    pub(super) fn tell(self) -> ExitCode {
        let (words, code) = match self {
            Failure::Usage(words) => (words, 2),
            Failure::Other(words) => (words, 1),
            Failure::Closed => return ExitCode::SUCCESS,
        };
        eprint(&words);
        ExitCode::from(code)
    }
}

fn eprint(words: &str) {
    use std::io::Write;
    let style = anstyle::AnsiColor::Red.on_default().bold();
    // If not even that can be written, there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {words}");
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        if error.kind() == ErrorKind::BrokenPipe { Failure::Closed } else { Failure::Other(error.to_string()) }
    }
}
