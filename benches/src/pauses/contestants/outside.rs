//! Engines outside: programs in other languages that print what they measured as one line of JSON.

use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::pauses::measure::{Measurement, Stops};
use crate::pauses::mmu::Interval;
use crate::pauses::workload::{Sizes, Workload};
use crate::suite::name_of;

/// What such a program prints. Times are in nanoseconds.
#[derive(Debug, Deserialize)]
struct Printed {
    ns: f64,
    wall_ns: f64,
    operations: u64,
    checksum: u64,
    peak_rss_bytes: Option<u64>,
    /// When each pause began, from the begin of the region of interest, and how long it took on the wall.
    pauses: Vec<(f64, f64)>,
}

/// Whether a program is there and starts.
pub fn installed(program: &str, argument: &str) -> bool {
    let status = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs a program on a workload, whose name and sizes become its last arguments.
pub fn run(mut command: Command, workload: Workload, sizes: &Sizes) -> Measurement {
    let output = command
        .arg(name_of(workload))
        .arg(serde_json::to_string(sizes).expect("sizes are plain numbers"))
        .stderr(Stdio::inherit())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "the program failed: {}", output.status);
    let printed: Printed = serde_json::from_slice(&output.stdout).expect("the program prints a measurement");
    Measurement {
        ns: printed.ns,
        wall_ns: printed.wall_ns,
        operations: printed.operations,
        checksum: printed.checksum,
        peak_rss_bytes: printed.peak_rss_bytes,
        wall: Some(stops(&printed)),
        cpu: None,
    }
}

/// The pauses as they can be: within the region, in order, and without overlaps, which their clocks do not promise.
#[allow(clippy::cast_sign_loss)] // A cast saturates, and what begins before the region is cut off at its begin.
fn stops(printed: &Printed) -> Stops {
    let span = printed.wall_ns as u64;
    let mut pauses = printed.pauses.clone();
    pauses.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = 0;
    let intervals: Vec<Interval> = pauses
        .into_iter()
        .filter(|(begin, length)| begin + length > 0.0 && *begin < printed.wall_ns)
        .map(|(begin, length)| {
            let begin_ns = (begin as u64).max(free);
            free = ((begin + length) as u64).clamp(begin_ns, span.max(begin_ns));
            Interval { begin: begin_ns, end: free }
        })
        .collect();
    Stops::of(&intervals, span.max(free))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_cut_to_the_region_and_put_in_order() {
        let printed = Printed {
            ns: 0.0,
            wall_ns: 1_000.0,
            operations: 1,
            checksum: 0,
            peak_rss_bytes: None,
            pauses: vec![(900.0, 500.0), (-50.0, 60.0), (5.0, 10.0), (-50.0, 20.0), (2_000.0, 1.0)],
        };
        let stops = stops(&printed);
        assert_eq!((stops.span_ns, stops.total_ns, stops.longest_ns), (1_000, 10 + 5 + 100, 100));
    }
}
