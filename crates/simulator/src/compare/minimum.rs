//! The least heap in which a program runs, by bisection.

use super::Runner;
use crate::options::Bytes;
use crate::outcome::{End, Outcome};
use crate::settings::Settings;
use std::sync::atomic::{AtomicBool, Ordering};

/// The search ends when it is known to one part in so many.
const PRECISION: u64 = 50;
/// And not below this, which is a page of the heap.
const PAGE: u64 = 16 << 10;
/// A program that takes so many times as long as without a limit does not count as running.
const PATIENCE: f64 = 30.0;
/// But it has at least so many seconds.
const LEAST_PATIENCE: f64 = 5.0;
/// How many times the first limit is doubled, if that is not enough.
const DOUBLINGS: usize = 6;

/// The least limit with which these settings run to their end, to one part in fifty: it runs with the result.
///
/// Where pauses are counted in units of work, which is the default, the result is the same each time.
///
/// # Errors
///
/// If it does not run without a limit either; in words.
///
/// ```
/// use tumulus_simulator::Settings;
/// use tumulus_simulator::compare::{in_this_process, minimum_heap};
///
/// let settings: Settings = toml::from_str("workload = 'binary-trees'\n[parameters]\ndepth = 8")?;
/// let least = minimum_heap(&settings, &in_this_process, &Default::default())?;
/// assert!((16 << 10..1 << 20).contains(&least), "{least}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn minimum_heap(settings: &Settings, runner: &Runner<'_>, interrupt: &AtomicBool) -> Result<u64, String> {
    let mut tried = settings.clone();
    tried.heap.limit = Some(Bytes::MAX);
    let unlimited = checked(runner(&tried)?)?;
    let patience = (unlimited.time.wall as f64 / 1e9 * PATIENCE).max(LEAST_PATIENCE);
    tried.time_limit = Some(settings.time_limit.map_or(patience, |limit| limit.min(patience)));
    let mut runs_with = |limit: u64| -> Result<bool, String> {
        if interrupt.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        tried.heap.limit = Some(Bytes(limit));
        match runner(&tried)?.end {
            End::Completed => Ok(true),
            End::OutOfMemory(_) | End::TimedOut => Ok(false),
            End::Interrupted => Err("interrupted".into()),
            End::Failed(words) => Err(words),
        }
    };
    let mut enough = unlimited.memory.peak_total.max(PAGE);
    let mut too_little = 0;
    let mut doublings = 0;
    while !runs_with(enough)? {
        if doublings == DOUBLINGS {
            return Err(format!("it does not run with a limit of {enough} bytes either"));
        }
        (too_little, enough) = (enough, enough * 2);
        doublings += 1;
    }
    while enough - too_little > (enough / PRECISION).max(PAGE) {
        let middle = u64::midpoint(too_little, enough);
        if runs_with(middle)? {
            enough = middle;
        } else {
            too_little = middle;
        }
    }
    Ok(enough)
}

fn checked(outcome: Outcome) -> Result<Outcome, String> {
    match outcome.end {
        End::Completed => Ok(outcome),
        End::Interrupted => Err("interrupted".into()),
        End::TimedOut => Err("it ran out of time without a limit".into()),
        End::OutOfMemory(words) | End::Failed(words) => Err(words),
    }
}
