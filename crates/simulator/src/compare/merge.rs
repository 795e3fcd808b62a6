//! Shards put together.

use super::{Comparison, FORMAT};
use thiserror::Error;

/// Why results cannot be put together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There is nothing.
    #[error("there is nothing to merge")]
    Nothing,
    /// A file is of another version of the format.
    #[error("file {file} has format {found}, and this program reads format {FORMAT}; use the version that wrote it")]
    Format {
        /// Which, from 1.
        file: usize,
        /// Its format.
        found: u32,
    },
    /// A file tells of a run of nothing that is compared.
    #[error("file {file} is broken: it has a run of contender {contender}, and there are {contenders}")]
    Broken {
        /// Which, from 1.
        file: usize,
        /// The number of the contender, from 0.
        contender: usize,
        /// How many there are.
        contenders: usize,
    },
    /// A file is of another comparison.
    #[error("file {file} is of another comparison than file 1: {what} differ")]
    Other {
        /// Which, from 1.
        file: usize,
        /// What differs.
        what: &'static str,
    },
    /// A run is in two files.
    #[error("the run of {label:?}, round {round}, is in file {first} and in file {second}; give each shard once")]
    Twice {
        /// The contender.
        label: String,
        /// The round, from 1.
        round: usize,
        /// The file that has it, from 1.
        first: usize,
        /// The file that has it, too.
        second: usize,
    },
}

/// Puts the results of shards of one comparison together. Whether any are missing, [`Comparison::missing`] says.
///
/// # Errors
///
/// If they do not belong together.
///
/// ```
/// use tumulus_simulator::Settings;
/// use tumulus_simulator::compare::{How, Plan, Shard, in_this_process, merge};
///
/// let settings: Settings = toml::from_str("workload = 'binary-trees'\n[parameters]\ndepth = 6")?;
/// let plan = Plan::new(&settings, &["growth=1.5,2,3".into()], &[])?;
/// let shards = [1, 2].map(|number| plan.run(&in_this_process, &How { shard: Shard { number, of: 2 }, ..How::default() }));
/// assert!(!shards[0].missing().is_empty());
/// let whole = merge(shards.to_vec())?;
/// assert!(whole.missing().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn merge(parts: Vec<Comparison>) -> Result<Comparison, MergeError> {
    for (at, part) in parts.iter().enumerate() {
        if part.format != FORMAT {
            return Err(MergeError::Format { file: at + 1, found: part.format });
        }
        let contenders = part.contenders.len();
        if let Some(run) = part.runs.iter().find(|run| run.contender >= contenders) {
            return Err(MergeError::Broken { file: at + 1, contender: run.contender, contenders });
        }
    }
    let mut parts = parts.into_iter().enumerate();
    let (_, mut whole) = parts.next().ok_or(MergeError::Nothing)?;
    let mut from: Vec<usize> = vec![1; whole.runs.len()];
    for (at, part) in parts {
        let file = at + 1;
        let differs = |what| Err(MergeError::Other { file, what });
        if part.contenders != whole.contenders {
            return differs("the contenders");
        }
        if part.rounds != whole.rounds {
            return differs("the rounds");
        }
        for run in part.runs {
            let same = whole.runs.iter().position(|known| (known.contender, known.round) == (run.contender, run.round));
            if let Some(same) = same {
                let label = whole.contenders[run.contender].label.clone();
                return Err(MergeError::Twice { label, round: run.round + 1, first: from[same], second: file });
            }
            whole.runs.push(run);
            from.push(file);
        }
        whole.shards.extend(part.shards);
    }
    whole.runs.sort_by_key(|run| (run.contender, run.round));
    Ok(whole.with_rows())
}
