//! Comparing runs: the same program on heaps with different options.
//!
//! A [`Plan`] says what is compared: [`Contender`]s, each of them settings, run in some rounds. Doing it gives a
//! [`Comparison`], plain data, which keeps the figures of each run. What is said of it, such as medians and overheads, is
//! computed from these ([`Comparison::rows`]); so a plan can be cut in shards whose results are [merged](merge) later.
//!
//! - `vary.rs`: which contenders `--vary limit=1x,2x,growth=1.5,3` means.
//! - `minimum.rs`: the least heap that a program runs in, by bisection.
//! - `pool.rs`: doing many runs at once.
//! - `rows.rs`: medians, and the lower bound of what collecting costs.
//! - `merge.rs`: shards put together.

mod figures;
mod merge;
mod minimum;
mod pool;
mod rows;
mod vary;

pub use figures::Figures;
pub use merge::{MergeError, merge};
pub use minimum::minimum_heap;
pub use rows::Row;
pub use vary::{Contender, Size, VaryError};

use crate::options::{Bytes, HeapOptions, Which};
use crate::outcome::{Machine, Outcome};
use crate::replayed;
use crate::run::machine;
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

/// The version of the format. A program reads its own and refuses others.
pub const FORMAT: u32 = 1;

/// The multiples of the minimum heap of a time-space curve.
pub const CURVE: [f64; 7] = [1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0];

/// What is to be compared.
///
/// # Examples
///
/// ```
/// use tumulus_simulator::Settings;
/// use tumulus_simulator::compare::{Plan, in_this_process};
///
/// let settings: Settings = toml::from_str("workload = 'binary-trees'\n[parameters]\ndepth = 6")?;
/// let plan = Plan::new(&settings, &["growth=1.5,3".into()], &[])?;
/// let comparison = plan.run(&in_this_process, &Default::default());
/// let rows = comparison.rows();
/// assert_eq!(rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["growth=1.5", "growth=3", "no collector"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    contenders: Vec<Contender>,
    rounds: usize,
    notes: Vec<String>,
}

/// Does one run. It may be called from several threads at once.
pub type Runner<'r> = dyn Fn(&Settings) -> Result<Outcome, String> + Sync + 'r;

/// How a plan is done.
#[derive(Clone, Debug)]
pub struct How<'h> {
    /// How many runs at once.
    pub at_once: NonZeroUsize,
    /// Which part of the plan.
    pub shard: Shard,
    /// Set it to stop.
    pub interrupt: &'h AtomicBool,
    /// Who is told of each run that has ended, and of how many there will be.
    pub told: Option<&'h (dyn Told + 'h)>,
}

/// Who is told how far a comparison is.
pub trait Told: Sync + std::fmt::Debug {
    /// So many of so many runs are done. Those that look for the least heap are not counted: `what` says what is done.
    fn progress(&self, done: usize, of: usize, what: &str);
}

static NEVER: AtomicBool = AtomicBool::new(false);

impl Default for How<'_> {
    fn default() -> Self {
        How { at_once: NonZeroUsize::MIN, shard: Shard::default(), interrupt: &NEVER, told: None }
    }
}

/// A part of a plan: the `number`th of `of`, from 1.
///
/// ```
/// use tumulus_simulator::compare::Shard;
///
/// assert_eq!("2/3".parse(), Ok(Shard { number: 2, of: 3 }));
/// assert!("0/3".parse::<Shard>().is_err());
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

impl Default for Shard {
    fn default() -> Shard {
        Shard { number: 1, of: 1 }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let read = || {
            let (number, of) = text.split_once('/')?;
            Some(Shard { number: number.parse().ok()?, of: of.parse().ok()? })
        };
        let shard = read().filter(|shard| (1..=shard.of).contains(&shard.number));
        shard.ok_or_else(|| format!("{text:?} is no shard; write i/n with i from 1 to n"))
    }
}

impl Shard {
    /// Its part of so many.
    fn range(self, all: usize) -> std::ops::Range<usize> {
        all * (self.number - 1) / self.of..all * self.number / self.of
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Comparison {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of the program.
    pub version: String,
    /// The command that does it again; empty if there is none.
    pub command: Vec<String>,
    /// Where it was run.
    pub machine: Machine,
    /// What is compared.
    pub contenders: Vec<Contender>,
    /// How many times each is run.
    pub rounds: usize,
    /// What a reader should know of what is compared; in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The shards of which the results are here.
    pub shards: Vec<Shard>,
    /// The runs that were done.
    pub runs: Vec<Run>,
    /// What is said of them; see [`Comparison::rows`]. It is here for those who read the file.
    pub rows: Vec<Row>,
}

/// A run of a contender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Which, from 0.
    pub contender: usize,
    /// Which time, from 0.
    pub round: usize,
    /// The least heap that it runs in, if that was looked for.
    pub minimum: Option<u64>,
    /// Its limit, if it has one.
    pub limit: Option<u64>,
    /// The figures, or why there are none.
    pub figures: Result<Figures, String>,
}

impl Plan {
    /// What `vary` says of `settings`, and with each of `sizes`, multiples of the least heap that it runs in. What is
    /// compared in the end is also run without a collector.
    ///
    /// # Errors
    ///
    /// If there is no such option or parameter, or it cannot be that.
    pub fn new(settings: &Settings, vary: &[String], sizes: &[f64]) -> Result<Plan, VaryError> {
        let mut contenders = vary::contenders(settings, vary)?;
        if !sizes.is_empty() {
            contenders = contenders.iter().flat_map(|contender| contender.in_sizes(sizes)).collect();
        }
        let notes = settings.trace().map_or(Ok(Vec::new()), replayed::notes)?;
        let mut plan = Plan { contenders, rounds: 1, notes };
        plan.add_null(None);
        Ok(plan)
    }

    /// Each is run so many times, and medians are told.
    #[must_use]
    pub fn rounds(mut self, rounds: NonZeroUsize) -> Plan {
        self.rounds = rounds.get();
        self
    }

    /// The heaps without a collector may commit so much; with 0, there are none.
    #[must_use]
    pub fn null_limit(mut self, limit: Bytes) -> Plan {
        self.contenders.retain(|contender| !contender.is_null);
        if limit.0 > 0 {
            self.add_null(Some(limit));
        }
        self
    }

    /// The contenders.
    pub fn contenders(&self) -> &[Contender] {
        &self.contenders
    }

    /// How many runs there are in all, without those that look for the least heap.
    pub fn len(&self) -> usize {
        self.contenders.len() * self.rounds
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A heap without a collector for each program that differs from the others.
    fn add_null(&mut self, limit: Option<Bytes>) {
        let mut programs: Vec<&Contender> = Vec::new();
        for contender in &self.contenders {
            if contender.settings.heap.collector == Some(Which::None) {
                return;
            }
            if !programs.iter().any(|other| other.program() == contender.program()) {
                programs.push(contender);
            }
        }
        let several = programs.len() > 1;
        let null = |contender: &Contender| {
            let changes: Vec<(String, String)> = contender
                .changes
                .iter()
                .filter(|(name, _)| HeapOptions::default().set(name, "").is_none())
                .cloned()
                .collect();
            let limit = Some(limit.unwrap_or(Bytes::MAX));
            let heap = HeapOptions { collector: Some(Which::None), limit, ..HeapOptions::default() };
            let settings = Settings { heap, ..contender.settings.clone() };
            let label =
                if several { format!("{}, no collector", vary::label(&changes)) } else { "no collector".into() };
            Contender { label, changes, settings, size: Size::AsSet, is_null: true }
        };
        let nulls: Vec<Contender> = programs.into_iter().map(null).collect();
        self.contenders.extend(nulls);
    }

    /// Does it.
    pub fn run(&self, runner: &Runner<'_>, how: &How<'_>) -> Comparison {
        let jobs: Vec<(usize, usize)> = (0..self.contenders.len())
            .flat_map(|contender| (0..self.rounds).map(move |round| (contender, round)))
            .collect();
        // A shard has few contenders, so that it looks for few of the least heaps. It does round after round, so that a slow
        // minute of the machine falls on all of them.
        let mut mine = jobs[how.shard.range(jobs.len())].to_vec();
        mine.sort_by_key(|&(contender, round)| (round, contender));
        let minima = self.minima(&mine, runner, how);
        let runs = pool::each(how.at_once, &mine, |done, &(contender, round)| {
            if how.interrupt.load(Ordering::Relaxed) {
                return None;
            }
            tell(how, done, mine.len(), &self.contenders[contender].label);
            let run = self.contenders[contender].run(contender, round, &minima, runner);
            // What was interrupted says nothing about its contender.
            (!how.interrupt.load(Ordering::Relaxed)).then_some(run)
        });
        let mut runs: Vec<Run> = runs.into_iter().flatten().collect();
        runs.sort_by_key(|run| (run.contender, run.round));
        let comparison = Comparison {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            command: Vec::new(),
            machine: machine(),
            contenders: self.contenders.clone(),
            rounds: self.rounds,
            notes: self.notes.clone(),
            shards: vec![how.shard],
            runs,
            rows: Vec::new(),
        };
        comparison.with_rows()
    }

    /// The least heaps of those that need to know it.
    fn minima(
        &self,
        jobs: &[(usize, usize)],
        runner: &Runner<'_>,
        how: &How<'_>,
    ) -> BTreeMap<String, Result<u64, String>> {
        let mut wanted: BTreeMap<String, Settings> = BTreeMap::new();
        for &(contender, _) in jobs {
            if matches!(self.contenders[contender].size, Size::OfMinimum(_)) {
                let settings = self.contenders[contender].without_limit();
                wanted.insert(key(&settings), settings);
            }
        }
        let wanted: Vec<(String, Settings)> = wanted.into_iter().collect();
        let found = pool::each(how.at_once, &wanted, |_, (key, settings)| {
            tell(how, 0, jobs.len(), "looking for the least heap");
            (key.clone(), minimum_heap(settings, runner, how.interrupt))
        });
        found.into_iter().collect()
    }
}

fn tell(how: &How<'_>, done: usize, of: usize, what: &str) {
    if let Some(told) = how.told {
        told.progress(done, of, what);
    }
}

/// A name for settings that is the same for the same ones.
fn key(settings: &Settings) -> String {
    toml::to_string(settings).expect("settings can be written")
}

impl Comparison {
    /// What is said of the runs, a row for each contender of which there is one.
    pub fn rows(&self) -> Vec<Row> {
        rows::of(self)
    }

    pub(crate) fn with_rows(mut self) -> Comparison {
        self.rows = self.rows();
        self
    }

    /// The runs of which there is no result, as pairs of a contender and a round.
    pub fn missing(&self) -> Vec<(usize, usize)> {
        let all =
            (0..self.contenders.len()).flat_map(|contender| (0..self.rounds).map(move |round| (contender, round)));
        all.filter(|&(contender, round)| !self.runs.iter().any(|run| (run.contender, run.round) == (contender, round)))
            .collect()
    }
}

/// Runs it in this process: for tests, and for programs that compare workloads of their own.
///
/// # Errors
///
/// What stands in the way, in words.
pub fn in_this_process(settings: &Settings) -> Result<Outcome, String> {
    let mut subject = settings.open().map_err(|error| error.to_string())?;
    let setup = settings.setup(&subject);
    crate::run(subject.workload.as_mut(), setup).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_parts_of_the_whole() {
        for all in 0..20 {
            for of in 1..8 {
                let parts = (1..=of).map(|number| Shard { number, of }.range(all));
                assert_eq!(parts.flatten().collect::<Vec<_>>(), (0..all).collect::<Vec<_>>());
            }
        }
    }
}
