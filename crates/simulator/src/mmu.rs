//! The minimum mutator utilisation: the least share of any window of time that a program has for itself.
//!
//! A program that stops for 5 ms once a second and one that stops for 1 ms five times in a row have different longest
//! pauses, and both get nothing done in some window of 5 ms. The utilisation tells what a window of a frame or of a
//! request has left, however the pauses lie.

/// From `begin` to before `end`, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Where it begins.
    pub begin: u64,
    /// Where it ends.
    pub end: u64,
}

/// The least share, from 0 to 1, that the program has of any `window` between 0 and `end`.
///
/// The pauses are in order, do not overlap, and end by `end`. A window that is longer than the whole is the whole.
///
/// ```
/// use tumulus_simulator::mmu::{Interval, least_utilisation};
///
/// let pauses = [Interval { begin: 100, end: 110 }, Interval { begin: 115, end: 125 }];
/// let shares = [10, 25].map(|window| least_utilisation(&pauses, 1_000, window));
/// assert!(shares[0] == 0.0 && (shares[1] - 0.2).abs() < 1e-9);
/// ```
///
/// The result is exact. As a window slides, the time paused in it changes at a rate that is constant between the
/// moments at which one of its borders meets a border of a pause. So a window with the most pause in it can slide until
/// it begins where a pause begins or ends where one ends, without losing any; and only such windows are looked at.
pub fn least_utilisation(pauses: &[Interval], end: u64, window: u64) -> f64 {
    let window = window.min(end);
    if window == 0 {
        return if pauses.is_empty() { 1.0 } else { 0.0 };
    }
    let last = end - window;
    let beginning = pauses.iter().map(|pause| pause.begin.min(last));
    let ending = pauses.iter().map(|pause| pause.end.saturating_sub(window));
    let most = most_paused(pauses, beginning, window).max(most_paused(pauses, ending, window));
    1.0 - most as f64 / window as f64
}

/// The most time paused in a window that starts at one of `starts`, which do not descend.
fn most_paused(pauses: &[Interval], starts: impl Iterator<Item = u64>, window: u64) -> u64 {
    let mut before_start = Cursor { pauses, passed: 0 };
    let mut before_end = Cursor { pauses, passed: 0 };
    starts.map(|start| before_end.paused_before(start + window) - before_start.paused_before(start)).max().unwrap_or(0)
}

/// Sums up pauses, at moments that do not descend.
#[derive(Debug)]
struct Cursor<'a> {
    /// Those that have not ended yet.
    pauses: &'a [Interval],
    /// How long those took that have.
    passed: u64,
}

impl Cursor<'_> {
    fn paused_before(&mut self, moment: u64) -> u64 {
        while let [first, rest @ ..] = self.pauses
            && first.end <= moment
        {
            self.passed += first.end - first.begin;
            self.pauses = rest;
        }
        let begun = self.pauses.first().map_or(0, |pause| moment.saturating_sub(pause.begin));
        self.passed + begun
    }
}

#[cfg(test)]
mod tests {
    use crate::Random;

    use super::*;

    /// Tries each window, moment by moment.
    fn brute_force(pauses: &[Interval], end: u64, window: u64) -> f64 {
        let window = window.min(end);
        let paused = |moment: u64| pauses.iter().any(|pause| (pause.begin..pause.end).contains(&moment));
        (0..=end - window)
            .map(|start| {
                let free = (start..start + window).filter(|&moment| !paused(moment)).count();
                free as f64 / window as f64
            })
            .fold(1.0, f64::min)
    }

    #[test]
    fn it_is_what_trying_all_windows_gives() {
        let mut rng = Random::with_seed(1);
        for _ in 0..300 {
            let mut borders: Vec<u64> = (0..2 * rng.usize(..6)).map(|_| rng.u64(..60)).collect();
            borders.sort_unstable();
            borders.dedup();
            let pauses: Vec<Interval> =
                borders.chunks_exact(2).map(|pair| Interval { begin: pair[0], end: pair[1] }).collect();
            let end = 60 + rng.u64(..10);
            for window in 1..=end + 3 {
                let expected = brute_force(&pauses, end, window);
                let found = least_utilisation(&pauses, end, window);
                assert!((found - expected).abs() < 1e-12, "{pauses:?} to {end}, {window}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn a_window_as_long_as_a_pause_has_nothing_left() {
        let pauses = [Interval { begin: 100, end: 110 }, Interval { begin: 115, end: 125 }];
        let is = |window, expected: f64| {
            let found = least_utilisation(&pauses, 1_000, window);
            assert!((found - expected).abs() < 1e-12, "{window}: {found}");
        };
        is(10, 0.0);
        is(25, 0.2);
        is(1_000, 0.98);
        is(5_000, 0.98);
    }

    #[test]
    fn nothing_and_no_time_are_no_problem() {
        let full = |found: f64| assert!((found - 1.0).abs() < f64::EPSILON);
        full(least_utilisation(&[], 100, 10));
        full(least_utilisation(&[], 0, 10));
    }
}
