//! Where the lines of an axis are, and what is written there.

use crate::show::time;

/// A line of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// Where: 0 is the beginning of the axis, and 1 its end.
    pub(super) at: f64,
    pub(super) label: String,
}

/// How numbers are laid on an axis.
#[derive(Copy, Clone, Debug)]
pub(super) enum Scale {
    /// From zero.
    Linear { most: f64 },
    /// By powers of ten.
    Log { least: f64, most: f64 },
}

impl Scale {
    /// From 0 to 1, if it is on the axis.
    pub(super) fn at(self, number: f64) -> f64 {
        match self {
            Scale::Linear { most } if most > 0.0 => (number / most).clamp(0.0, 1.0),
            Scale::Log { least, most } if most > least => {
                ((number.max(least) / least).ln() / (most / least).ln()).min(1.0)
            }
            _ => 0.0,
        }
    }
}

/// The least of 1, 2, 5, 10, .. that is no smaller than `rough`.
fn nice(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].map(|step| step * power).into_iter().find(|&step| step >= rough * 0.999_999);
    step.unwrap_or(10.0 * power)
}

/// An axis of bytes from zero, with a little room above the most.
pub(super) fn bytes(most: u64) -> (Scale, Vec<Tick>) {
    let most = most.max(1);
    let unit = (0..5).rev().find(|&unit| most >= 1 << (10 * unit)).unwrap_or(0);
    let size = f64::from(1_u32 << 10).powi(unit);
    let step = nice(most as f64 / size / 4.5).max(if unit == 0 { 1.0 } else { 0.0 });
    let top = (most as f64 * 1.04 / size / step).ceil();
    let name = ["B", "KiB", "MiB", "GiB", "TiB"][unit as usize];
    let label = |count: f64| match count * step {
        0.0 => "0".to_owned(),
        number => format!("{} {name}", trimmed(number)),
    };
    let ticks = (0..=top as u32).map(|count| Tick { at: f64::from(count) / top, label: label(f64::from(count)) });
    (Scale::Linear { most: top * step * size }, ticks.collect())
}

/// An axis of time from zero to its end.
pub(super) fn duration(end: u64) -> (Scale, Vec<Tick>) {
    let end = end.max(1) as f64;
    let (size, name) = match end {
        end if end < 2e3 => (1.0, "ns"),
        end if end < 2e6 => (1e3, "µs"),
        end if end < 2e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    let step = nice(end / size / 9.0);
    let ticks = (0..=(end / size / step).floor() as u32).map(|count| {
        let number = f64::from(count) * step;
        let label = if count == 0 { "0".to_owned() } else { format!("{} {name}", trimmed(number)) };
        Tick { at: number * size / end, label }
    });
    (Scale::Linear { most: end }, ticks.collect())
}

/// An axis of times by powers of ten, that has both of these on it.
pub(super) fn log_duration(least: u64, most: u64) -> (Scale, Vec<Tick>) {
    let (low, high) =
        ((least.max(1) as f64).log10().floor() as i32, (most.max(1) as f64 * 0.9999).log10().ceil() as i32);
    let high = high.max(low + 1);
    let scale = Scale::Log { least: 10_f64.powi(low), most: 10_f64.powi(high) };
    let ticks = (low..=high).map(|power| {
        let label = time(10_f64.powi(power) as u64).replace(".00 ", " ").replace(".0 ", " ");
        Tick { at: f64::from(power - low) / f64::from(high - low), label }
    });
    (scale, ticks.collect())
}

/// An axis from nothing to all.
pub(super) fn share() -> (Scale, Vec<Tick>) {
    let ticks = (0..=4).map(|count| Tick { at: f64::from(count) / 4.0, label: format!("{} %", count * 25) });
    (Scale::Linear { most: 1.0 }, ticks.collect())
}

/// An axis of counts, or of other numbers, from zero.
pub(super) fn number(most: f64) -> (Scale, Vec<Tick>) {
    let most = most.max(1e-9);
    let step = nice(most / 4.5);
    let top = (most * 1.02 / step).ceil();
    let ticks = (0..=top as u32).map(|count| {
        let number = f64::from(count) * step;
        let label = if number >= 1000.0 { crate::show::count(number as u64) } else { trimmed(number) };
        Tick { at: f64::from(count) / top, label }
    });
    (Scale::Linear { most: top * step }, ticks.collect())
}

/// A number with as many digits as it needs.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn steps_are_round_and_cover_everything() {
        assert_eq!(labels(&bytes(12 << 20).1), ["0", "5 MiB", "10 MiB", "15 MiB"]);
        assert_eq!(labels(&bytes(0).1), ["0", "1 B", "2 B"]);
        assert_eq!(labels(&duration(585_411_327).1)[..3], ["0", "100 ms", "200 ms"]);
        assert_eq!(labels(&log_duration(14_463, 28_180_479).1), ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms"]);
        for most in [1, 7, 1023, 1024, 99_999, 123_456_789, u64::MAX / 2] {
            for (scale, ticks) in [bytes(most), duration(most), number(most as f64), log_duration(1, most)] {
                assert!(scale.at(most as f64) <= 1.0 && scale.at(0.0) >= 0.0);
                assert!(ticks.is_sorted_by(|a, b| a.at < b.at) && ticks.len() < 25, "{most}: {ticks:?}");
                assert!(ticks.iter().all(|tick| (0.0..=1.0001).contains(&tick.at)), "{most}: {ticks:?}");
            }
        }
    }
}
