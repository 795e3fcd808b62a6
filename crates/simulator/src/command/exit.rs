//! How the program ends: with which code, and with which words if it has failed.

use crate::compare::VaryError;
use crate::subject::SubjectError;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

/// The codes with which the program ends. They are documented in `--help`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Done = 0,
    Failed = 1,
    Usage = 2,
    OutOfMemory = 3,
    TimedOut = 4,
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// Why a command has failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line or a file of settings is wrong.
    Usage(String),
    /// Something else.
    Other(String),
    /// Nobody reads any more what is printed, which is nobody's fault.
    Closed,
}

impl Failure {
    /// Makes an error of a file, for `map_err`.
    pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> Failure + '_ {
        move |error| Failure::Other(format!("{}: {error}", path.display()))
    }

    /// Makes an error of usage, for `map_err`.
    pub(super) fn usage(error: impl Display) -> Failure {
        Failure::Usage(error.to_string())
    }

    /// Makes another error, for `map_err`.
    pub(super) fn other(error: impl Display) -> Failure {
        Failure::Other(error.to_string())
    }

    /// Says it, and gives the code.
    pub(super) fn tell(self) -> ExitCode {
        let (words, code) = match self {
            Failure::Usage(words) => (words, Code::Usage),
            Failure::Other(words) => (words, Code::Failed),
            Failure::Closed => return Code::Done.into(),
        };
        let style = anstyle::AnsiColor::Red.on_default().bold();
        // If not even that can be written, there is nobody to tell.
        let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {words}");
        code.into()
    }
}

/// A file that is no trace is nothing wrong with the command line.
impl From<SubjectError> for Failure {
    fn from(error: SubjectError) -> Failure {
        match error {
            SubjectError::Trace { .. } | SubjectError::NoSafepoints { .. } => Failure::other(error),
            _ => Failure::usage(error),
        }
    }
}

impl From<VaryError> for Failure {
    fn from(error: VaryError) -> Failure {
        match error {
            VaryError::Subject(error) => error.into(),
            _ => Failure::usage(error),
        }
    }
}

/// Of what is printed. Files are told by [`Failure::at`].
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        if error.kind() == ErrorKind::BrokenPipe { Failure::Closed } else { Failure::Other(error.to_string()) }
    }
}
