//! What is to be run and how, as a file of TOML says it; flags of the command line go before it.

use crate::options::HeapOptions;
use crate::replayed;
use crate::run::Setup;
use crate::subject::{Subject, SubjectError};
use crate::workloads::{self, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// A run: what, with which parameters, and on which heap.
///
/// ```
/// use tumulus_simulator::Settings;
///
/// let settings: Settings = toml::from_str(
///     "workload = 'binary-trees'
///      seed = 7
///
///      [parameters]
///      depth = 12
///
///      [heap]
///      limit = '64m'",
/// )?;
/// assert_eq!(settings.open()?.parameters.count("depth"), 12);
/// assert_eq!(
///     settings.command().join(" "),
///     "tumulus run binary-trees --seed 7 --set depth=12 --limit 64m"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// What is run: a workload that is built in, or the file of a trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// What random numbers begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How many seconds it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<f64>,
    /// Parameters of the workload.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
    /// Options of the heap.
    #[serde(skip_serializing_if = "is_default")]
    pub heap: HeapOptions,
}

fn is_default(options: &HeapOptions) -> bool {
    *options == HeapOptions::default()
}

impl Settings {
    /// What is run if nothing is named.
    pub const DEFAULT_WORKLOAD: &str = "requests";
    /// What random numbers begin with if nothing is said.
    pub const DEFAULT_SEED: u64 = 1;

    /// The name of what is run.
    pub fn workload(&self) -> &str {
        self.workload.as_deref().unwrap_or(Settings::DEFAULT_WORKLOAD)
    }

    /// The file of the trace that is replayed, if it is one: what no workload is called, and a file is.
    pub fn trace(&self) -> Option<&Path> {
        let path = Path::new(self.workload());
        (workloads::find(self.workload()).is_none() && path.is_file()).then_some(path)
    }

    /// What random numbers begin with.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(Settings::DEFAULT_SEED)
    }

    /// These settings, and those of `other` where these are not set.
    #[must_use]
    pub fn or(mut self, other: Settings) -> Settings {
        for (name, value) in other.parameters {
            self.parameters.entry(name).or_insert(value);
        }
        Settings {
            workload: self.workload.or(other.workload),
            seed: self.seed.or(other.seed),
            time_limit: self.time_limit.or(other.time_limit),
            parameters: self.parameters,
            heap: self.heap.or(other.heap),
        }
    }

    /// What is to be run.
    ///
    /// # Errors
    ///
    /// If there is no such workload or trace, or it cannot have these parameters, or cannot be replayed on such a heap.
    pub fn open(&self) -> Result<Subject, SubjectError> {
        if let Some(path) = self.trace() {
            return match self.parameters.keys().next() {
                Some(name) => Err(SubjectError::Fixed { path: self.workload().into(), name: name.clone() }),
                None => replayed::open(path, &self.heap).map(|(subject, _)| subject),
            };
        }
        let texts: Vec<(&str, String)> =
            self.parameters.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
        Subject::open(self.workload(), texts.iter().map(|(name, text)| (*name, text.as_str())))
    }

    /// How it is to be run, with nobody told.
    pub fn setup(&self, subject: &Subject) -> Setup {
        Setup {
            workload: subject.name.clone(),
            summary: subject.summary.clone(),
            parameters: subject.parameters.clone(),
            command: self.command(),
            options: self.heap.clone().or(subject.options.clone()),
            seed: self.seed(),
            time_limit: self.time_limit.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            ..Setup::default()
        }
    }

    /// The command that does this.
    pub fn command(&self) -> Vec<String> {
        let verb = if self.trace().is_some() { "replay" } else { "run" };
        let mut words = vec!["tumulus".into(), verb.into(), self.workload().to_string()];
        let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        if self.trace().is_none() {
            option("seed", self.seed().to_string());
        }
        for (name, value) in &self.parameters {
            option("set", format!("{name}={value}"));
        }
        for (name, value) in self.heap.pairs() {
            option(name, value);
        }
        if let Some(seconds) = self.time_limit {
            option("time-limit", seconds.to_string());
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_before_the_file() {
        let flags: Settings = toml::from_str("seed = 2\n[parameters]\ndepth = 3\n[heap]\ngrowth = 3.0").unwrap();
        let file: Settings = toml::from_str(
            "workload = 'binary-trees'\nseed = 1\n[parameters]\ndepth = 4\nwidth = 5\n[heap]\nlimit = 100",
        )
        .unwrap();
        let both = flags.or(file);
        assert_eq!((both.workload(), both.seed()), ("binary-trees", 2));
        assert_eq!((&both.parameters["depth"], &both.parameters["width"]), (&Value::Count(3), &Value::Count(5)));
        assert_eq!((both.heap.growth, both.heap.limit.map(|limit| limit.0)), (Some(3.0), Some(100)));
    }

    #[test]
    fn settings_are_written_as_they_are_read() {
        let settings: Settings = toml::from_str(
            "workload = 'x'\nseed = 9\ntime-limit = 1.5\n[parameters]\na = 1\nb = 0.5\nc = 'word'\n\
             [heap]\nlimit = '1g'\npause-budget = '100us'\ncollector = 'none'\nzeal = 'every=3,poison'\nnursery = 0",
        )
        .unwrap();
        let text = toml::to_string(&settings).unwrap();
        assert_eq!(toml::from_str::<Settings>(&text).unwrap(), settings, "{text}");
    }

    #[test]
    fn a_word_that_is_no_setting_is_named() {
        for (text, word) in
            [("speed = 9", "speed"), ("[heap]\nlimits = 3", "limits"), ("[heap]\nlimit = 'much'", "much")]
        {
            let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
