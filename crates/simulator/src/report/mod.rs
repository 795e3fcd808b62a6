//! The report of a run: one file of HTML, from which no request leaves.

use crate::outcome::Outcome;
use std::io::{self, Write};

/// Writes the report.
///
/// # Errors
///
/// What the writer says.
pub fn write(outcome: &Outcome, writer: &mut dyn Write) -> io::Result<()> {
    let table = anstream::adapter::strip_str(&crate::show::table::of(outcome)).to_string();
    let table = table.replace('&', "&amp;").replace('<', "&lt;");
    write!(
        writer,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{}</title>\n<pre>{table}</pre>\n</html>\n",
        outcome.workload
    )
}
