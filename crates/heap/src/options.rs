//! Options from the environment.

use crate::budget::Budget;
use std::sync::OnceLock;
use thiserror::Error;

/// The environment variable that [`Heap::builder`](crate::Heap::builder) reads.
pub(crate) const VARIABLE: &str = "TUMULUS_OPTIONS";

/// Options of a heap that may be set or not.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) limit: Option<usize>,
    pub(crate) growth: Option<f64>,
    pub(crate) min_heap: Option<usize>,
    pub(crate) nursery: Option<usize>,
    pub(crate) page_retention: Option<usize>,
    pub(crate) pause_budget: Option<Budget>,
}

impl Options {
    /// What `TUMULUS_OPTIONS` says; read once per process.
    pub(crate) fn from_environment() -> Result<Options, ParseOptionsError> {
        static OPTIONS: OnceLock<Result<Options, ParseOptionsError>> = OnceLock::new();
        let read = || match std::env::var(VARIABLE) {
            Ok(text) => Options::parse(&text),
            Err(std::env::VarError::NotPresent) => Ok(Options::default()),
            Err(std::env::VarError::NotUnicode(_)) => Err(ParseOptionsError { word: "what is not Unicode".into() }),
        };
        OPTIONS.get_or_init(read).clone()
    }

    fn parse(text: &str) -> Result<Options, ParseOptionsError> {
        let mut options = Options::default();
        for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
            let wrong = || ParseOptionsError { word: word.into() };
            let (name, value) = word.split_once('=').ok_or_else(wrong)?;
            match name {
                "limit" => options.limit = Some(bytes(value).ok_or_else(wrong)?),
                "growth" => options.growth = Some(value.parse().map_err(|_| wrong())?),
                "min-heap" => options.min_heap = Some(bytes(value).ok_or_else(wrong)?),
                "nursery" => options.nursery = Some(bytes(value).ok_or_else(wrong)?),
                "page-retention" => options.page_retention = Some(bytes(value).ok_or_else(wrong)?),
                "pause-budget" => options.pause_budget = Some(value.parse().map_err(|()| wrong())?),
                _ => return Err(wrong()),
            }
        }
        Ok(options)
    }

    /// These options, and those of `other` where these are not set.
    pub(crate) fn or(self, other: Options) -> Options {
        Options {
            limit: self.limit.or(other.limit),
            growth: self.growth.or(other.growth),
            min_heap: self.min_heap.or(other.min_heap),
            nursery: self.nursery.or(other.nursery),
            page_retention: self.page_retention.or(other.page_retention),
            pause_budget: self.pause_budget.or(other.pause_budget),
        }
    }
}

/// A number of bytes: `1000`, `64k`, `16m`, `2g`.
fn bytes(text: &str) -> Option<usize> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' => (&text[..text.len() - 1], 10),
        b'm' => (&text[..text.len() - 1], 20),
        b'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<usize>().ok()?.checked_mul(1 << shift)
}

/// A word of `TUMULUS_OPTIONS` that is not an option.
///
/// # Examples
///
/// The words are named in the page of [`HeapBuilder`](crate::HeapBuilder); a wrong one is refused by
/// [`Heap::try_new`](crate::Heap::try_new):
///
/// ```
/// use tumulus_heap::{Heap, HeapError};
///
/// match Heap::try_new() {
///     Err(HeapError::Options(error)) => eprintln!("{error}"),
///     other => drop(other),
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{word:?} is not an option; the options are limit=, growth=, min-heap=, nursery=, page-retention= and pause-budget=, \
     with a number of bytes (1000, 64k, 16m, 2g), for growth a factor above 1, for the pause budget a number of units, a \
     time (100us, 2ms) or unlimited"
)]
pub struct ParseOptionsError {
    word: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_wrong_ones_named() {
        let options = Options::parse("growth=1.5,nursery=64k min-heap=1m limit=2g,pause-budget=100us").unwrap();
        let expected = Options {
            limit: Some(2 << 30),
            growth: Some(1.5),
            min_heap: Some(1 << 20),
            nursery: Some(64 << 10),
            page_retention: None,
            pause_budget: Some(Budget::time(std::time::Duration::from_micros(100))),
        };
        assert_eq!(options, expected);
        assert_eq!(Options::parse(""), Ok(Options::default()));
        for wrong in ["nursery", "nursery=", "nursery=1x", "limit=99999999999g", "pause-budget=soon", "speed=9", "=3"] {
            let error = Options::parse(&format!("growth=2,{wrong}")).unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
    }

    #[test]
    fn what_is_set_goes_before_what_the_environment_says() {
        let set = Options { growth: Some(3.0), ..Options::default() };
        let environment = Options { growth: Some(1.5), nursery: Some(0), ..Options::default() };
        assert_eq!(set.or(environment), Options { growth: Some(3.0), nursery: Some(0), ..Options::default() });
    }
}
