//! What both reports have in common: medians, targets that were reached or not, and who was left out.

use std::fmt::{self, Write};

use serde::Serialize;

/// Whether a target was reached.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The target in words.
    pub target: String,
    /// The figure that it is about.
    pub measured: Option<f64>,
    /// Whether the figure is good enough; nothing where it was not measured.
    pub reached: Option<bool>,
}

/// Contestants that took no part for one and the same reason.
#[derive(Debug, Serialize)]
pub struct Absence {
    contestants: Vec<&'static str>,
    reason: &'static str,
}

/// Gathers the contestants of each reason.
pub fn absences(absent: &[(&'static str, &'static str)]) -> Vec<Absence> {
    let mut absences: Vec<Absence> = Vec::new();
    for &(contestant, reason) in absent {
        match absences.iter_mut().find(|absence| absence.reason == reason) {
            Some(absence) => absence.contestants.push(contestant),
            None => absences.push(Absence { contestants: vec![contestant], reason }),
        }
    }
    absences
}

/// The line that warns of a scale other than 1.
pub fn write_scale(text: &mut String, scale: f64) -> fmt::Result {
    #[allow(clippy::float_cmp)] // A scale of 1 is the literal, never computed.
    if scale != 1.0 {
        writeln!(text, "NOT AT FULL SCALE ({scale}): the targets are about full scale")?;
    }
    Ok(())
}

/// The lines below a table.
pub fn write_end(text: &mut String, verdicts: &[Verdict], absences: &[Absence], errors: &[String]) -> fmt::Result {
    for verdict in verdicts {
        let word = match verdict.reached {
            Some(true) => "reached",
            Some(false) => "NOT REACHED",
            None => "not measured",
        };
        writeln!(text, "target: {}: {word} ({})", verdict.target, shown(verdict.measured, 3))?;
    }
    for absence in absences {
        writeln!(text, "left out: {}: {}", absence.contestants.join(", "), absence.reason)?;
    }
    for error in errors {
        writeln!(text, "ERROR: {error}")?;
    }
    Ok(())
}

/// A figure, or a dash where there is none.
pub fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

/// The median of sorted figures, of which there is at least one: of an even number, the mean of the two in the middle.
pub fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}
