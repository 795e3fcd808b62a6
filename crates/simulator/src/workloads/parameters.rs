//! Parameters of workloads: what they are called, what they may be, and what they were set to.

use crate::options::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use thiserror::Error;

/// Something about a workload that can be set.
///
/// ```
/// use tumulus_simulator::workloads::{Parameter, Range, Values};
///
/// const DEPTH: Parameter =
///     Parameter { name: "depth", meaning: "depth of the tree", range: Range::Count { default: 10, from: 1, to: 20 } };
/// let values = Values::resolve(&[DEPTH], [("depth", "12")]).unwrap();
/// assert_eq!(values.count("depth"), 12);
/// assert!(Values::resolve(&[DEPTH], [("depth", "21")]).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// What it is called: `--set name=value`.
    pub name: &'static str,
    /// What it means, in a line.
    pub meaning: &'static str,
    /// What it may be.
    pub range: Range,
}

impl Parameter {
    /// A whole number.
    pub(super) const fn count(
        name: &'static str,
        meaning: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Parameter {
        Parameter { name, meaning, range: Range::Count { default, from: *range.start(), to: *range.end() } }
    }

    /// A number of bytes.
    pub(super) const fn bytes(
        name: &'static str,
        meaning: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Parameter {
        Parameter { name, meaning, range: Range::Bytes { default, from: *range.start(), to: *range.end() } }
    }

    /// One of some words.
    pub(super) const fn choice(
        name: &'static str,
        meaning: &'static str,
        default: &'static str,
        of: &'static [&'static str],
    ) -> Parameter {
        Parameter { name, meaning, range: Range::Choice { default, of } }
    }
}

/// What a parameter may be, and what it is if nobody sets it. Bounds are included.
#[derive(Clone, Copy, Debug)]
pub enum Range {
    /// A whole number.
    Count {
        /// If nobody sets it.
        default: u64,
        /// The least.
        from: u64,
        /// The most.
        to: u64,
    },
    /// A number of bytes, written `1000`, `64k`, `16m`, `2g`.
    Bytes {
        /// If nobody sets it.
        default: u64,
        /// The least.
        from: u64,
        /// The most.
        to: u64,
    },
    /// A number with a fraction.
    Number {
        /// If nobody sets it.
        default: f64,
        /// The least.
        from: f64,
        /// The most.
        to: f64,
    },
    /// One of some words.
    Choice {
        /// If nobody sets it.
        default: &'static str,
        /// The words.
        of: &'static [&'static str],
    },
}

/// What a parameter is set to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number, or a number of bytes.
    Count(u64),
    /// A number with a fraction.
    Number(f64),
    /// A word.
    Word(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Count(count) => count.fmt(f),
            Value::Number(number) => number.fmt(f),
            Value::Word(word) => word.fmt(f),
        }
    }
}

impl Range {
    /// The value if nobody sets one.
    ///
    /// ```
    /// # use tumulus_simulator::workloads::{Range, Value};
    /// assert_eq!(Range::Count { default: 3, from: 1, to: 9 }.default(), Value::Count(3));
    /// ```
    pub fn default(self) -> Value {
        match self {
            Range::Count { default, .. } | Range::Bytes { default, .. } => Value::Count(default),
            Range::Number { default, .. } => Value::Number(default),
            Range::Choice { default, .. } => Value::Word(default.into()),
        }
    }

    /// The same, as it would be written.
    pub fn default_text(self) -> String {
        match self {
            Range::Bytes { default, .. } => Bytes(default).to_string(),
            other => other.default().to_string(),
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        match self {
            Range::Count { from, to, .. } => {
                text.parse().ok().filter(|count| (from..=to).contains(count)).map(Value::Count)
            }
            Range::Bytes { from, to, .. } => text
                .parse()
                .ok()
                .map(|Bytes(bytes)| bytes)
                .filter(|bytes| (from..=to).contains(bytes))
                .map(Value::Count),
            Range::Number { from, to, .. } => {
                text.parse().ok().filter(|number| (from..=to).contains(number)).map(Value::Number)
            }
            Range::Choice { of, .. } => of.contains(&text).then(|| Value::Word(text.into())),
        }
    }
}

/// What it may be, in words: `1 to 20`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::Count { from, to, .. } => write!(f, "{from} to {to}"),
            Range::Bytes { from, to, .. } => write!(f, "{} to {} bytes", Bytes(*from), Bytes(*to)),
            Range::Number { from, to, .. } => write!(f, "{from} to {to}"),
            Range::Choice { of, .. } => f.write_str(&of.join(", ")),
        }
    }
}

/// The values of all parameters of a workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(BTreeMap<String, Value>);

impl Values {
    /// The values that were set, and the defaults of the others.
    ///
    /// # Errors
    ///
    /// If there is no such parameter, or it cannot be that.
    ///
    /// ```
    /// # use tumulus_simulator::workloads::Values;
    /// let error = Values::resolve(&[], [("depth", "12")]).unwrap_err();
    /// assert_eq!(error.to_string(), "there is no parameter \"depth\"; this workload has none");
    /// ```
    pub fn resolve<'t>(
        parameters: &[Parameter],
        set: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Values, ParameterError> {
        let mut values: BTreeMap<String, Value> =
            parameters.iter().map(|parameter| (parameter.name.into(), parameter.range.default())).collect();
        for (name, text) in set {
            let Some(parameter) = parameters.iter().find(|parameter| parameter.name == name) else {
                let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
                let known = if known.is_empty() {
                    "this workload has none".into()
                } else {
                    format!("there are: {}", known.join(", "))
                };
                return Err(ParameterError::Unknown { name: name.into(), known });
            };
            let value = parameter.range.read(text).ok_or_else(|| ParameterError::Value {
                name: name.into(),
                value: text.into(),
                range: parameter.range.to_string(),
            })?;
            values.insert(name.into(), value);
        }
        Ok(Values(values))
    }

    /// A whole number, or a number of bytes.
    ///
    /// # Panics
    ///
    /// If the workload has no such parameter.
    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        match self.0.get(name) {
            Some(Value::Count(count)) => *count,
            other => panic!("the parameter {name:?} is no count: {other:?}"),
        }
    }

    /// A number with a fraction.
    ///
    /// # Panics
    ///
    /// If the workload has no such parameter.
    #[track_caller]
    pub fn number(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(Value::Number(number)) => *number,
            Some(Value::Count(count)) => *count as f64,
            other => panic!("the parameter {name:?} is no number: {other:?}"),
        }
    }

    /// A word.
    ///
    /// # Panics
    ///
    /// If the workload has no such parameter.
    #[track_caller]
    pub fn word(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Word(word)) => word,
            other => panic!("the parameter {name:?} is no word: {other:?}"),
        }
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// Why a parameter cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// There is none of that name.
    #[error("there is no parameter {name:?}; {known}")]
    Unknown {
        /// The name.
        name: String,
        /// What there is, in words.
        known: String,
    },
    /// It cannot be that.
    #[error("{name:?} cannot be {value:?}; it can be {range}")]
    Value {
        /// The name.
        name: String,
        /// What it was set to.
        value: String,
        /// What it can be.
        range: String,
    },
    /// The values do not fit each other.
    #[error("{0}")]
    Together(String),
}
