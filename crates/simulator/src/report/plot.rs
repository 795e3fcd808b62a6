//! Drawings with axes, as SVG.
//!
//! Places are parts of the plot: (0, 0) is where the axes meet, (1, 1) is the corner opposite to it. What a pointer is told is
//! written beside the places where it is, and shown by the page's script.

use super::page::Esc;
use super::ticks::Tick;
use std::fmt::Write;

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
/// Room for the labels of the axis below.
const BELOW: f64 = 26.0;

/// How wide a letter is, about.
const LETTER: f64 = 6.6;

/// A drawing that is being made.
pub(super) struct Plot {
    body: String,
    /// Of the plot, without what is below it.
    height: f64,
    /// Of a strip between the plot and the labels.
    strip: f64,
    label: String,
    tips: String,
}

impl Plot {
    /// `label` says what it shows, for those who do not see it.
    pub(super) fn new(label: &str, height: f64, strip: f64) -> Plot {
        Plot { body: String::new(), height, strip, label: label.into(), tips: String::new() }
    }

    fn x(part: f64) -> f64 {
        LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, part: f64) -> f64 {
        TOP + (1.0 - part.clamp(0.0, 1.0)) * self.height
    }

    fn add(&mut self, svg: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.body.write_fmt(svg);
        self.body.push('\n');
    }

    /// The axis on the left, with lines across.
    pub(super) fn rows(&mut self, ticks: &[Tick]) {
        let (from, to) = (Plot::x(0.0), Plot::x(1.0));
        for tick in ticks {
            let y = self.y(tick.at);
            let class = if tick.at == 0.0 { "axis" } else { "grid" };
            self.add(format_args!("<line class=\"{class}\" x1=\"{from}\" x2=\"{to}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"));
            let (x, y) = (from - 8.0, y + 4.0);
            self.add(format_args!("<text class=\"end\" x=\"{x}\" y=\"{y:.1}\">{}</text>", Esc(&tick.label)));
        }
    }

    /// The axis below.
    pub(super) fn columns(&mut self, ticks: &[Tick]) {
        let bottom = TOP + self.height + self.strip;
        for tick in ticks {
            let x = Plot::x(tick.at);
            let class = if tick.at > 0.97 { "end" } else { "middle" };
            let (end, y) = (bottom + 4.0, bottom + 19.0);
            self.add(format_args!("<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{end}\"/>"));
            let x = if class == "end" { WIDTH } else { x };
            self.add(format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\">{}</text>", Esc(&tick.label)));
        }
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut path = String::new();
        for (at, &(x, y)) in points.iter().enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if at == 0 { 'M' } else { 'L' }, Plot::x(x), self.y(y));
        }
        path
    }

    pub(super) fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        if !points.is_empty() {
            let path = self.path(points);
            self.add(format_args!("<path class=\"line {class}\" d=\"{path}\"/>"));
        }
    }

    /// What is under a line.
    pub(super) fn area(&mut self, class: &str, points: &[(f64, f64)]) {
        if let [first, .., last] = points {
            let (path, bottom) = (self.path(points), self.y(0.0));
            let (from, to) = (Plot::x(first.0), Plot::x(last.0));
            self.add(format_args!(
                "<path class=\"area {class}\" d=\"{path}L{to:.1} {bottom:.1}L{from:.1} {bottom:.1}Z\"/>"
            ));
        }
    }

    /// A line across, with words over it.
    pub(super) fn level(&mut self, class: &str, at: f64, words: &str) {
        let (from, to, y) = (Plot::x(0.0), Plot::x(1.0), self.y(at));
        self.add(format_args!("<line class=\"line {class}\" x1=\"{from}\" x2=\"{to}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"));
        self.add(format_args!("<text class=\"end\" x=\"{to}\" y=\"{:.1}\">{}</text>", y - 5.0, Esc(words)));
    }

    /// Lines from the bottom to the top, with words beside them; words that would lie on others are a row below, or left out.
    pub(super) fn marks<'m>(&mut self, marks: impl IntoIterator<Item = (f64, &'m str)>) {
        let mut free = [0.0; 2];
        for (at, words) in marks {
            let (x, bottom) = (Plot::x(at), TOP + self.height);
            self.add(format_args!("<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>"));
            let width = words.chars().count() as f64 * LETTER;
            let (class, from) = if x + width > WIDTH { ("end", x - 5.0 - width) } else { ("", x + 5.0) };
            let Some(row) = free.iter().position(|&end| from >= end) else { continue };
            free[row] = from + width + 8.0;
            let (x, y) = (if class == "end" { x - 5.0 } else { x + 5.0 }, TOP + 10.0 + 15.0 * row as f64);
            self.add(format_args!("<text class=\"words {class}\" x=\"{x:.1}\" y=\"{y}\">{}</text>", Esc(words)));
        }
    }

    /// A bar that stands on `from`.
    pub(super) fn bar(&mut self, class: &str, (left, right): (f64, f64), (from, to): (f64, f64)) {
        let (x, y) = (Plot::x(left), self.y(to));
        let (width, height) = ((Plot::x(right) - x).max(1.0), (self.y(from) - y).max(0.0));
        self.add(format_args!(
            "<rect class=\"fill {class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
    }

    /// A point with a stem.
    pub(super) fn stem(&mut self, class: &str, x: f64, to: f64) {
        let (x, y, bottom) = (Plot::x(x), self.y(to), self.y(0.0));
        self.add(format_args!("<path class=\"stem {class}\" d=\"M{x:.1} {bottom:.1}V{y:.1}\"/>"));
        self.add(format_args!("<circle class=\"fill {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\"/>"));
    }

    pub(super) fn points(&mut self, class: &str, points: &[(f64, f64)]) {
        for &(x, y) in points {
            let (x, y) = (Plot::x(x), self.y(y));
            self.add(format_args!("<circle class=\"fill {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"));
        }
    }

    /// Stretches of the strip below the plot, in the lane with this number; all of them as one path.
    pub(super) fn lane(&mut self, class: &str, lane: f64, stretches: impl Iterator<Item = (f64, f64)>) {
        let (top, height) = (TOP + self.height + 5.0 + lane * 9.0, 7.0);
        let mut path = String::new();
        let mut last = f64::NEG_INFINITY;
        for (from, to) in stretches {
            let (from, to) = (Plot::x(from).max(last), Plot::x(to).max(Plot::x(from) + 0.8));
            // What lies in the pixel of another is not seen.
            if to - last > 0.2 {
                let _ = write!(path, "M{from:.1} {top}H{to:.1}V{}H{from:.1}Z", top + height);
                last = to;
            }
        }
        if !path.is_empty() {
            self.add(format_args!("<path class=\"fill {class}\" d=\"{path}\"/>"));
        }
    }

    /// What a pointer is told that is nearest to a place.
    pub(super) fn tip(&mut self, x: f64, words: &str) {
        let comma = if self.tips.is_empty() { "" } else { "," };
        let words = serde_json::to_string(words).unwrap_or_default();
        let _ = write!(self.tips, "{comma}[{:.1},{words}]", Plot::x(x));
    }

    /// The drawing.
    pub(super) fn finish(self) -> String {
        let height = TOP + self.height + self.strip + BELOW;
        let (top, bottom) = (TOP, TOP + self.height + self.strip);
        format!(
            "<div class=\"plot\"><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\" data-tips=\"{}\">\n\
             {}<line class=\"cursor\" x1=\"0\" x2=\"0\" y1=\"{top}\" y2=\"{bottom}\" visibility=\"hidden\"/>\n</svg></div>\n",
            Esc(&self.label),
            Esc(format_args!("[{}]", self.tips)),
            self.body
        )
    }
}
