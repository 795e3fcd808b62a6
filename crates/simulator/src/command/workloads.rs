//! `tumulus workloads`: what there is to run.

use super::output::Output;
use super::{Code, Failure};
use crate::subject::SubjectError;
use crate::workloads::{self, Definition};
use anstyle::Style;
use clap::Args;
use std::io::Write;

/// The arguments of `workloads`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The one whose page and parameters are wanted
    name: Option<String>,
}

const BOLD: Style = Style::new().bold();

pub(super) fn run(arguments: &Arguments, out: &mut Output) -> Result<Code, Failure> {
    let Some(name) = &arguments.name else {
        for Definition { name, summary, .. } in workloads::all() {
            writeln!(out, "{BOLD}{name:<18}{BOLD:#} {summary}")?;
        }
        return Ok(Code::Done);
    };
    let definition = workloads::find(name).ok_or_else(|| Failure::usage(SubjectError::unknown(name)))?;
    write!(out, "{}", definition.page)?;
    if !definition.parameters.is_empty() {
        writeln!(out, "\n{BOLD}parameters{BOLD:#}, each set by --set name=value:\n")?;
    }
    for parameter in definition.parameters {
        let default = format!("{}={}", parameter.name, parameter.range.default_text());
        writeln!(out, "  {BOLD}{default:<24}{BOLD:#} {} ({})", parameter.meaning, parameter.range)?;
    }
    Ok(Code::Done)
}
