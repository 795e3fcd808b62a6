//! A drawing of one workload: how long pauses are, and what share of any window of time the program has.
//!
//! Left, the length of the pauses by percentile, both on logarithmic scales: the further right, the rarer. Right, the
//! minimum mutator utilisation by the length of the window. Lines are of CPU time where that is known for a contestant,
//! and otherwise, dashed, of time on the wall.

use std::fmt::{self, Write};
use std::path::Path;
use std::{fs, io};

use super::Pauses;
use super::measure::{Measurement, Stops};
use super::report::{Outcome, all_rounds};
use crate::suite::{Suite, name_of};

/// Colours that can be told apart, one for each contestant, in their order.
const COLOURS: [&str; 10] =
    ["#d62728", "#7f7f7f", "#e377c2", "#1f77b4", "#17becf", "#9467bd", "#8c564b", "#bcbd22", "#2ca02c", "#ff7f0e"];

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = HEIGHT - 50.0;

/// One axis, in powers of ten.
#[derive(Clone, Copy, Debug)]
struct Decades {
    /// Where the axis begins and ends, in pixels.
    pixels: [f64; 2],
    /// The powers there.
    powers: [f64; 2],
}

impl Decades {
    fn at(self, value: f64) -> f64 {
        let [first, last] = self.powers;
        let share = ((value.log10() - first) / (last - first)).clamp(0.0, 1.0);
        self.pixels[0] + share * (self.pixels[1] - self.pixels[0])
    }
}

/// The percentiles: the share of pauses that are longer goes from all to one of a hundred thousand.
const RARITY: Decades = Decades { pixels: [70.0, 430.0], powers: [0.0, 5.0] };
/// The lengths of pauses: from a microsecond to ten seconds.
const LENGTH: Decades = Decades { pixels: [BOTTOM, TOP], powers: [3.0, 10.0] };
/// The lengths of windows: from 0.1 ms to a second.
const WINDOW: Decades = Decades { pixels: [500.0, 770.0], powers: [5.0, 9.0] };

/// One contestant's line.
struct Line {
    name: &'static str,
    colour: &'static str,
    /// An attribute that makes it dashed, or nothing.
    dashes: &'static str,
    stops: Stops,
}

/// Writes the drawing of a workload to a file in `folder`, unless nothing was watched.
///
/// # Errors
///
/// If the folder or the file cannot be made.
pub fn save(outcome: &Outcome, folder: &Path) -> io::Result<()> {
    let lines: Vec<Line> = outcome.results.iter().filter_map(|(name, measurements)| line(name, measurements)).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let name = name_of(outcome.workload);
    let mut text = String::new();
    draw(&mut text, &name, &lines).expect("writing to a string does not fail");
    fs::create_dir_all(folder)?;
    fs::write(folder.join(format!("{name}.svg")), text)
}

fn line(name: &'static str, measurements: &[Measurement]) -> Option<Line> {
    let place = Pauses::contestants().iter().position(|contestant| contestant.name == name)?;
    let colour = COLOURS[place % COLOURS.len()];
    let cpu = all_rounds(measurements, |measurement| measurement.cpu.as_ref());
    let dashes = if cpu.is_some() { "" } else { " stroke-dasharray=\"5 3\"" };
    let stops = cpu.or_else(|| all_rounds(measurements, |measurement| measurement.wall.as_ref()))?;
    Some(Line { name, colour, dashes, stops })
}

fn draw(text: &mut String, name: &str, lines: &[Line]) -> fmt::Result {
    writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"#333\">"
    )?;
    writeln!(text, "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>")?;
    label(text, [20.0, 24.0], "start", &format!("{name}: pauses"))?;
    draw_lengths(text, lines)?;
    draw_utilisation(text, lines)?;
    for (line, y) in lines.iter().zip((0..).map(|row| TOP + 6.0 + f64::from(row) * 18.0)) {
        polyline(text, line, &[[795.0, y], [820.0, y]])?;
        label(text, [826.0, y + 4.0], "start", line.name)?;
    }
    if lines.iter().any(|line| !line.dashes.is_empty()) {
        label(text, [795.0, BOTTOM], "start", "dashed: time on the wall")?;
    }
    writeln!(text, "</svg>")
}

fn draw_lengths(text: &mut String, lines: &[Line]) -> fmt::Result {
    label(text, [RARITY.pixels[0], TOP - 14.0], "start", "length of a pause, by percentile")?;
    for (power, name) in
        [(3, "1 µs"), (4, "10 µs"), (5, "100 µs"), (6, "1 ms"), (7, "10 ms"), (8, "100 ms"), (9, "1 s")]
    {
        horizontal(text, RARITY, LENGTH.at(10_f64.powi(power)), name)?;
    }
    for (power, name) in [(0, "0"), (1, "90"), (2, "99"), (3, "99.9"), (4, "99.99"), (5, "99.999")] {
        vertical(text, RARITY.at(10_f64.powi(power)), name)?;
    }
    for line in lines.iter().filter(|line| line.stops.longest_ns > 0) {
        let histogram = line.stops.histogram();
        let all = histogram.len() as f64;
        let mut shorter = 0;
        let mut points = Vec::new();
        for bucket in histogram.iter_recorded() {
            let y = LENGTH.at((bucket.value_iterated_to() as f64).min(line.stops.longest_ns as f64));
            let x = |longer: u64| RARITY.at(all / longer as f64);
            points.push([x(histogram.len() - shorter), y]);
            shorter += bucket.count_at_value();
            points.push([x((histogram.len() - shorter).max(1)), y]);
        }
        polyline(text, line, &thinned(&points))?;
    }
    Ok(())
}

fn draw_utilisation(text: &mut String, lines: &[Line]) -> fmt::Result {
    label(text, [WINDOW.pixels[0], TOP - 14.0], "start", "least share of any window of that length")?;
    let y = |share: f64| BOTTOM - share.clamp(0.0, 1.0) * (BOTTOM - TOP);
    for (share, name) in [(0.0, "0%"), (0.25, "25%"), (0.5, "50%"), (0.75, "75%"), (1.0, "100%")] {
        horizontal(text, WINDOW, y(share), name)?;
    }
    for (power, name) in [(5, "0.1 ms"), (6, "1 ms"), (7, "10 ms"), (8, "100 ms"), (9, "1 s")] {
        vertical(text, WINDOW.at(10_f64.powi(power)), name)?;
    }
    for line in lines {
        let points: Vec<[f64; 2]> =
            line.stops.curve().map(|(window, share)| [WINDOW.at(window as f64), y(share)]).collect();
        polyline(text, line, &points)?;
    }
    Ok(())
}

/// Without the points that lie within a pixel of the one before; a histogram has hundreds of buckets.
fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut kept: Vec<[f64; 2]> = Vec::new();
    for (at, &point) in points.iter().enumerate() {
        let near = kept.last().is_some_and(|last| (0..2).all(|axis| (last[axis] - point[axis]).abs() < 1.0));
        if !near || at + 1 == points.len() {
            kept.push(point);
        }
    }
    kept
}

fn polyline(text: &mut String, line: &Line, points: &[[f64; 2]]) -> fmt::Result {
    let Line { colour, dashes, .. } = line;
    write!(text, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"{dashes} points=\"")?;
    for [x, y] in points {
        write!(text, "{x:.1},{y:.1} ")?;
    }
    writeln!(text, "\"/>")
}

fn horizontal(text: &mut String, across: Decades, y: f64, name: &str) -> fmt::Result {
    let [begin, end] = across.pixels;
    writeln!(text, "<path d=\"M{begin} {y:.1}H{end}\" stroke=\"#ddd\"/>")?;
    label(text, [begin - 6.0, y + 4.0], "end", name)
}

fn vertical(text: &mut String, x: f64, name: &str) -> fmt::Result {
    writeln!(text, "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" stroke=\"#eee\"/>")?;
    label(text, [x, BOTTOM + 16.0], "middle", name)
}

fn label(text: &mut String, [x, y]: [f64; 2], anchor: &str, words: &str) -> fmt::Result {
    writeln!(text, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pauses::mmu::Interval;

    #[test]
    fn the_drawing_has_a_line_in_each_half_and_one_beside_the_name() {
        let pauses = [Interval { begin: 1_000_000, end: 1_500_000 }, Interval { begin: 3_000_000, end: 3_010_000 }];
        let stops = Stops::of(&pauses, 10_000_000);
        let lines = [Line { name: "ours", colour: COLOURS[0], dashes: "", stops }];
        let mut text = String::new();
        draw(&mut text, "splay", &lines).expect("writing to a string does not fail");
        assert_eq!(text.matches("<polyline").count(), 3);
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }

    #[test]
    fn an_axis_ends_where_its_numbers_do() {
        assert!((RARITY.at(1.0) - 70.0).abs() < 1e-9);
        assert!((RARITY.at(1e7) - 430.0).abs() < 1e-9);
        assert!((LENGTH.at(1e3) - BOTTOM).abs() < 1e-9);
    }
}
