//! What collections leave to the program, by the length of a window of time.

use super::page::{Esc, Page};
use super::plot::Plot;
use super::ticks;
use crate::outcome::Utilisation;
use crate::show::{percent, time};

/// Curves that are told apart by their colours.
pub(super) const COLOURS: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];

/// Writes the curves of runs with these names.
pub(super) fn write(page: &mut Page, runs: &[(&str, &[Utilisation])]) {
    let windows: Vec<u64> = runs.iter().flat_map(|(_, curve)| curve.iter().map(|point| point.window)).collect();
    let (Some(&least), Some(&most)) = (windows.iter().min(), windows.iter().max()) else { return };
    let about = "The share of time that the program has for itself in the worst window of each length, wherever it lies in the \
                 run. Where the curve leaves the floor, no stretch of pauses fills a whole window.";
    page.section("utilisation", "Minimum mutator utilisation", about, |page| {
        let (x, columns) = ticks::log_duration(least, most);
        let (y, rows) = ticks::share();
        let mut plot = Plot::new("Minimum mutator utilisation by the length of the window", 220.0, 0.0);
        plot.rows(&rows);
        plot.columns(&columns);
        for ((_, curve), class) in runs.iter().zip(COLOURS.iter().cycle()) {
            let place = |point: &Utilisation| (x.at(point.window as f64), y.at(point.least));
            let points: Vec<(f64, f64)> = curve.iter().map(place).collect();
            if runs.len() == 1 {
                plot.area(class, &points);
            }
            plot.line(class, &points);
            plot.points(class, &points);
        }
        let mut windows = windows;
        windows.sort_unstable();
        windows.dedup();
        for window in windows {
            let mut words = vec![format!("in any {}", time(window))];
            for (name, curve) in runs.iter().take(COLOURS.len()) {
                if let Some(point) = curve.iter().find(|point| point.window == window) {
                    let least = percent(point.least);
                    words.push(if runs.len() == 1 { format!("at least {least}") } else { format!("{name}: {least}") });
                }
            }
            let words = words.join("\n");
            plot.tip(x.at(window as f64), &words);
        }
        page.raw(plot.finish());
        if runs.len() > 1 {
            let names: Vec<(&str, &str)> =
                runs.iter().zip(COLOURS.iter().cycle()).map(|((name, _), class)| (*class, *name)).collect();
            page.legend(&names);
        } else if let Some(point) = runs[0].1.last() {
            let words = format!("In any {} the program had at least {}.", time(point.window), percent(point.least));
            page.raw(format_args!("<p class=\"about\">{}</p>\n", Esc(words)));
        }
    });
}
