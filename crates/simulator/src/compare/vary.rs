//! Who is compared: what `--vary` means.

use super::{Figures, Run};
use crate::compare::Runner;
use crate::options::Bytes;
use crate::settings::Settings;
use crate::subject::SubjectError;
use crate::workloads::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// One of those that are compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contender {
    /// What it is called.
    pub label: String,
    /// What is not as in the others, as pairs of a name and a value.
    pub changes: Vec<(String, String)>,
    /// What is run.
    pub settings: Settings,
    /// How large its heap is.
    pub size: Size,
    /// It has no collector, to tell what one costs.
    pub is_null: bool,
}

/// How large a heap is.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// As its settings say.
    AsSet,
    /// So many times the least in which it runs.
    OfMinimum(f64),
}

/// Why `--vary` means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VaryError {
    /// It has no name.
    #[error("{0:?} is nothing to vary; write name=value,value, such as limit=32m,64m,growth=1.5,2")]
    Form(String),
    /// The value of an option is wrong.
    #[error("{name}={value}: {reason}")]
    Value {
        /// The option.
        name: String,
        /// The value.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no such workload or parameter.
    #[error(transparent)]
    Subject(#[from] SubjectError),
}

/// All combinations.
pub(super) fn contenders(settings: &Settings, vary: &[String]) -> Result<Vec<Contender>, VaryError> {
    // Said in full, so that a result means the same when the defaults have changed.
    let (workload, seed) = (Some(settings.workload().into()), Some(settings.seed()));
    let heap = settings.heap.clone().or(settings.open()?.options);
    let settings = Settings { workload, seed, heap, ..settings.clone() };
    let first = Contender { label: String::new(), changes: Vec::new(), settings, size: Size::AsSet, is_null: false };
    let mut contenders = vec![first];
    for (name, values) in read(vary)? {
        let mut next = Vec::with_capacity(contenders.len() * values.len());
        for contender in &contenders {
            for value in &values {
                next.push(contender.with(&name, value)?);
            }
        }
        contenders = next;
    }
    for contender in &mut contenders {
        contender.label = label(&contender.changes);
        contender.settings.open()?;
    }
    Ok(contenders)
}

/// What differs, in words.
pub(super) fn label(changes: &[(String, String)]) -> String {
    if changes.is_empty() {
        return "as set".into();
    }
    let words: Vec<String> = changes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    words.join(", ")
}

/// The names and their values, in the order in which they were written.
fn read(vary: &[String]) -> Result<Vec<(String, Vec<String>)>, VaryError> {
    let mut names: Vec<(String, Vec<String>)> = Vec::new();
    for text in vary {
        let wrong = || VaryError::Form(text.clone());
        // Where in `names` the values go that follow.
        let mut place = None;
        for word in text.split(',') {
            let value = match word.split_once('=') {
                Some((name, value)) => {
                    place = names.iter().position(|(known, _)| known == name).or(Some(names.len()));
                    if place == Some(names.len()) {
                        names.push((name.into(), Vec::new()));
                    }
                    value
                }
                None => word,
            };
            let (_, values) = &mut names[place.ok_or_else(wrong)?];
            if value.is_empty() {
                return Err(wrong());
            }
            values.push(value.into());
        }
    }
    Ok(names)
}

impl Contender {
    /// The same with one thing changed.
    fn with(&self, name: &str, value: &str) -> Result<Contender, VaryError> {
        let wrong = |reason: String| VaryError::Value { name: name.into(), value: value.into(), reason };
        let mut changed = self.clone();
        changed.changes.push((name.into(), value.into()));
        if name == "limit"
            && let Some(multiple) = value.strip_suffix('x')
        {
            let multiple: f64 = multiple.parse().map_err(|_| wrong("write a multiple such as 1.5x".into()))?;
            if !(1.0..=1000.0).contains(&multiple) {
                return Err(wrong("a multiple of the least heap is 1 or more".into()));
            }
            changed.size = Size::OfMinimum(multiple);
            return Ok(changed);
        }
        if name == "seed" && changed.settings.trace().is_some() {
            return Err(wrong("a trace is the same for every seed".into()));
        }
        if name == "seed" {
            changed.settings.seed = Some(value.parse().map_err(|_| wrong("write a number".into()))?);
            return Ok(changed);
        }
        if let Some(result) = changed.settings.heap.set(name, value) {
            result.map_err(wrong)?;
        } else {
            let value = value.parse().map_or_else(|_| Value::Word(value.into()), Value::Count);
            changed.settings.parameters.insert(name.into(), value);
        }
        Ok(changed)
    }

    /// The same in several sizes; itself only, if its size is varied already.
    pub(super) fn in_sizes(&self, sizes: &[f64]) -> Vec<Contender> {
        if self.changes.iter().any(|(name, _)| name == "limit") {
            return vec![self.clone()];
        }
        let sized = |&multiple: &f64| {
            let mut sized = self.clone();
            sized.changes.push(("limit".into(), format!("{multiple}x")));
            sized.label = label(&sized.changes);
            sized.size = Size::OfMinimum(multiple);
            sized
        };
        sizes.iter().map(sized).collect()
    }

    /// What is run, whatever its heap: contenders with the same program do the same work.
    pub(super) fn program(&self) -> (&str, u64, &BTreeMap<String, Value>) {
        (self.settings.workload(), self.settings.seed(), &self.settings.parameters)
    }

    pub(super) fn without_limit(&self) -> Settings {
        let mut settings = self.settings.clone();
        settings.heap.limit = Some(Bytes::MAX);
        settings
    }

    /// Runs it once.
    pub(super) fn run(
        &self,
        contender: usize,
        round: usize,
        minima: &BTreeMap<String, Result<u64, String>>,
        runner: &Runner<'_>,
    ) -> Run {
        let mut settings = self.settings.clone();
        let mut minimum = None;
        if let Size::OfMinimum(multiple) = self.size {
            match &minima[&super::key(&self.without_limit())] {
                Ok(bytes) => {
                    minimum = Some(*bytes);
                    settings.heap.limit = Some(Bytes((*bytes as f64 * multiple) as u64));
                }
                Err(error) => return Run { contender, round, minimum, limit: None, figures: Err(error.clone()) },
            }
        }
        let limit = settings.heap.limit.filter(|&limit| limit != Bytes::MAX).map(|limit| limit.0);
        let figures = runner(&settings).map(|outcome| Figures::of(&outcome));
        Run { contender, round, minimum, limit, figures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trees() -> Settings {
        Settings { workload: Some("binary-trees".into()), ..Settings::default() }
    }

    fn labels(vary: &[&str]) -> Result<Vec<String>, VaryError> {
        let vary: Vec<String> = vary.iter().map(ToString::to_string).collect();
        Ok(contenders(&trees(), &vary)?.into_iter().map(|contender| contender.label).collect())
    }

    #[test]
    fn all_combinations_in_the_order_in_which_they_are_written() {
        assert_eq!(labels(&[]).unwrap(), ["as set"]);
        assert_eq!(labels(&["growth=1.5,2"]).unwrap(), ["growth=1.5", "growth=2"]);
        let both = ["limit=2x, nursery=0", "limit=2x, nursery=1m", "limit=64m, nursery=0", "limit=64m, nursery=1m"];
        assert_eq!(labels(&["limit=2x,64m,nursery=0,1m"]).unwrap(), both);
        assert_eq!(labels(&["limit=2x,64m", "nursery=0,1m"]).unwrap(), both);
        assert_eq!(labels(&["depth=4,5"]).unwrap(), ["depth=4", "depth=5"]);
    }

    #[test]
    fn what_cannot_be_varied_is_refused_with_a_reason() {
        for wrong in [
            "growth",
            "growth=",
            "growth=1.5,,2",
            "limit=0.5x",
            "limit=manyx",
            "seed=x",
            "collector=copying",
            "snails=3",
        ] {
            let error = labels(&[wrong]).unwrap_err();
            assert!(!error.to_string().is_empty(), "{wrong}");
        }
    }
}
