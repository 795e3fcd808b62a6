//! Reports: a run, or several side by side, as one file of HTML.
//!
//! A file is complete in itself: styles, script and drawings are in it, and its content security policy lets no request leave
//! it. What a workload or a type is called is not trusted; all text goes through `Esc` in `page.rs`.
//!
//! - `page.rs`: the frame of a page; `page.css` and `page.js` are what it looks like, and what it does under a pointer.
//! - `plot.rs` and `ticks.rs`: drawings, with their axes.
//! - `heap.rs`, `pauses.rs`, `utilisation.rs`: the drawings of a run.
//! - `figures.rs`, `tables.rs`: its figures.
//! - `comparison.rs`: runs side by side.
//!
//! What is said is in the [outcome](crate::outcome): nothing is computed here but where it is drawn.

#![allow(clippy::cast_sign_loss, reason = "nothing that is drawn is negative")]

mod comparison;
mod figures;
mod heap;
mod page;
mod pauses;
mod plot;
mod tables;
mod ticks;
mod utilisation;

use crate::compare::Comparison;
use crate::outcome::Outcome;
use page::Page;
use std::io::{self, Write};

/// Writes the report of a run.
///
/// # Errors
///
/// What the writer says.
///
/// # Examples
///
/// ```
/// use tumulus_simulator::{Setup, Subject, report, run};
///
/// let mut trees = Subject::open("binary-trees", [("depth", "8")])?;
/// let outcome = run(trees.workload.as_mut(), Setup::default())?;
/// let mut file = Vec::new();
/// report::write(&outcome, &mut file)?;
/// assert!(file.starts_with(b"<!doctype html>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(outcome: &Outcome, writer: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(&outcome.workload, &outcome.summary);
    figures::write(&mut page, outcome);
    heap::write(&mut page, outcome);
    pauses::write(&mut page, outcome);
    utilisation::write(&mut page, &[("this run", &outcome.utilisation)]);
    tables::collections(&mut page, outcome);
    tables::types(&mut page, outcome);
    tables::allocations(&mut page, outcome);
    tables::places(&mut page, outcome);
    tables::again(&mut page, outcome);
    writer.write_all(page.finish().as_bytes())
}

/// Writes the report of a comparison.
///
/// # Errors
///
/// What the writer says.
///
/// # Examples
///
/// ```
/// use tumulus_simulator::compare::{Plan, in_this_process};
/// use tumulus_simulator::{Settings, report};
///
/// let settings: Settings = toml::from_str("workload = 'binary-trees'\n[parameters]\ndepth = 6")?;
/// let plan = Plan::new(&settings, &["growth=1.5,3".into()], &[])?;
/// let comparison = plan.run(&in_this_process, &Default::default());
/// let mut file = Vec::new();
/// report::write_comparison(&comparison, &mut file)?;
/// assert!(String::from_utf8(file)?.contains("growth=1.5"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_comparison(comparison: &Comparison, writer: &mut dyn Write) -> io::Result<()> {
    writer.write_all(comparison::page(comparison).as_bytes())
}
