//! How figures are shown to people.

pub mod comparison;
pub(crate) mod grid;
mod sparkline;
pub mod table;

pub use sparkline::sparkline;

/// A number of bytes: `12.4 MiB`.
///
/// ```
/// use tumulus_simulator::show::bytes;
///
/// assert_eq!(bytes(1000), "1000 B");
/// assert_eq!(bytes(13_000_000), "12.4 MiB");
/// ```
pub fn bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    let mut number = bytes as f64 / 1024.0;
    let mut unit = 0;
    while number >= 1023.95 && unit + 1 < units.len() {
        number /= 1024.0;
        unit += 1;
    }
    format!("{number:.1} {}", units[unit])
}

/// A time, given in nanoseconds: `1.24 ms`.
///
/// ```
/// use tumulus_simulator::show::time;
///
/// assert_eq!(time(850), "850 ns");
/// assert_eq!(time(1_240_000), "1.24 ms");
/// assert_eq!(time(12_345_000_000), "12.3 s");
/// ```
pub fn time(ns: u64) -> String {
    let (number, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..999_500 => (ns as f64 / 1e3, "µs"),
        999_500..999_500_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(number))
}

fn three_digits(number: f64) -> String {
    let decimals = match number {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}

/// A share: `12.4 %`.
///
/// ```
/// assert_eq!(tumulus_simulator::show::percent(0.124), "12.4 %");
/// assert_eq!(tumulus_simulator::show::percent(0.82), "82 %");
/// ```
pub fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// A count, in thousands: `1,234,567`.
///
/// ```
/// assert_eq!(tumulus_simulator::show::count(1_234_567), "1,234,567");
/// ```
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate: `1.24 M/s`.
///
/// ```
/// assert_eq!(tumulus_simulator::show::rate(1_240_000.0), "1.24 M/s");
/// ```
pub fn rate(per_second: f64) -> String {
    let (number, unit) = match per_second {
        rate if rate < 999.5 => (rate, ""),
        rate if rate < 999_500.0 => (rate / 1e3, " k"),
        rate if rate < 999_500_000.0 => (rate / 1e6, " M"),
        rate => (rate / 1e9, " G"),
    };
    format!("{}{unit}/s", three_digits(number))
}
