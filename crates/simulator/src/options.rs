//! The options of a heap, as they are written on a command line and in a file of TOML.

use clap::Args;
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use tumulus_heap::{Budget, Collector, Heap, HeapBuilder, Zeal};

/// Options of a heap: those that are set. All others are the heap's own defaults.
///
/// # Examples
///
/// ```
/// use tumulus_simulator::HeapOptions;
///
/// let options: HeapOptions = toml::from_str("limit = '64m'\ngrowth = 1.5\npause-budget = '200us'")?;
/// let heap = options.builder().build();
/// assert_eq!(heap.limit(), 64 << 20);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[command(next_help_heading = "Heap")]
pub struct HeapOptions {
    /// The most that the heap may commit, its objects' external bytes included: 1000, 64k, 16m, 2g, or none [default: none]
    #[arg(long, value_name = "BYTES", value_parser = limit)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Bytes>,
    /// How many times what survived it may grow to before the next full collection is complete; above 1 [default: 2]
    #[arg(long, value_name = "FACTOR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<f64>,
    /// How far a small heap may grow all the same [default: 16m]
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_heap: Option<Bytes>,
    /// How much is allocated between two minor collections; 0 for none [default: 1m]
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nursery: Option<Bytes>,
    /// The size of a slice: units of work, a time such as 100us, or unlimited [default: 12000]
    #[arg(long, value_name = "BUDGET")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_budget: Option<Pause>,
    /// Bytes of empty pages that are kept [default: what was in use lately]
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_retention: Option<Bytes>,
    /// Which collector: mark-sweep, or none, which never frees [default: mark-sweep]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collector: Option<Which>,
    /// Modes that look for mistakes: collect, every=N, slice=N, minor, poison, verify, no-reuse, recheck, all, none
    #[arg(long, value_name = "WORDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zeal: Option<ZealWords>,
}

impl HeapOptions {
    /// A builder with these options.
    ///
    /// ```
    /// let heap = tumulus_simulator::HeapOptions::default().builder().build();
    /// # drop(heap);
    /// ```
    pub fn builder(&self) -> HeapBuilder {
        let mut builder = Heap::builder();
        if let Some(bytes) = self.limit {
            builder = builder.limit(bytes.to_usize());
        }
        if let Some(factor) = self.growth {
            builder = builder.growth(factor);
        }
        if let Some(bytes) = self.min_heap {
            builder = builder.min_heap(bytes.to_usize());
        }
        if let Some(bytes) = self.nursery {
            builder = builder.nursery(bytes.to_usize());
        }
        if let Some(pause) = &self.pause_budget {
            builder = builder.pause_budget(pause.budget);
        }
        if let Some(bytes) = self.page_retention {
            builder = builder.page_retention(bytes.to_usize());
        }
        if let Some(zeal) = &self.zeal {
            builder = builder.zeal(zeal.zeal);
        }
        builder.collector(match self.collector.unwrap_or_default() {
            Which::MarkSweep => Collector::MarkSweep,
            Which::None => Collector::None,
        })
    }

    /// These options, and those of `other` where these are not set.
    ///
    /// ```
    /// # use tumulus_simulator::HeapOptions;
    /// let flags = HeapOptions { growth: Some(3.0), ..HeapOptions::default() };
    /// let file = HeapOptions { growth: Some(1.5), limit: Some("64m".parse().unwrap()), ..HeapOptions::default() };
    /// let both = flags.or(file);
    /// assert_eq!((both.growth, both.limit.unwrap().0), (Some(3.0), 64 << 20));
    /// ```
    #[must_use]
    pub fn or(self, other: HeapOptions) -> HeapOptions {
        HeapOptions {
            limit: self.limit.or(other.limit),
            growth: self.growth.or(other.growth),
            min_heap: self.min_heap.or(other.min_heap),
            nursery: self.nursery.or(other.nursery),
            pause_budget: self.pause_budget.or(other.pause_budget),
            page_retention: self.page_retention.or(other.page_retention),
            collector: self.collector.or(other.collector),
            zeal: self.zeal.or(other.zeal),
        }
    }

    /// Those that are set, as pairs of a name and a value that could be written on a command line.
    ///
    /// ```
    /// # use tumulus_simulator::HeapOptions;
    /// let options = HeapOptions { limit: Some("64m".parse().unwrap()), ..HeapOptions::default() };
    /// assert_eq!(options.pairs(), [("limit", "64m".to_string())]);
    /// ```
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        fn pair<T: ToString>(name: &'static str, value: Option<&T>) -> Option<(&'static str, String)> {
            value.map(|value| (name, value.to_string()))
        }
        [
            self.limit.map(|bytes| ("limit", if bytes == Bytes::MAX { "none".into() } else { bytes.to_string() })),
            pair("growth", self.growth.as_ref()),
            pair("min-heap", self.min_heap.as_ref()),
            pair("nursery", self.nursery.as_ref()),
            pair("pause-budget", self.pause_budget.as_ref()),
            pair("page-retention", self.page_retention.as_ref()),
            pair("collector", self.collector.as_ref()),
            pair("zeal", self.zeal.as_ref()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Sets an option by its name. `None` if there is none of that name.
    ///
    /// # Errors
    ///
    /// If it cannot be that; in words.
    ///
    /// ```
    /// # use tumulus_simulator::HeapOptions;
    /// let mut options = HeapOptions::default();
    /// assert_eq!(options.set("nursery", "256k"), Some(Ok(())));
    /// assert!(options.set("nursery", "much").unwrap().is_err());
    /// assert_eq!(options.set("depth", "12"), None);
    /// ```
    pub fn set(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        fn read<T: FromStr<Err: ToString>>(place: &mut Option<T>, value: &str) -> Result<(), String> {
            *place = Some(value.parse().map_err(|error: T::Err| error.to_string())?);
            Ok(())
        }
        Some(match name {
            "limit" => limit(value).map(|bytes| self.limit = Some(bytes)),
            "growth" => read(&mut self.growth, value),
            "min-heap" => read(&mut self.min_heap, value),
            "nursery" => read(&mut self.nursery, value),
            "pause-budget" => read(&mut self.pause_budget, value),
            "page-retention" => read(&mut self.page_retention, value),
            "collector" => read(&mut self.collector, value),
            "zeal" => read(&mut self.zeal, value),
            _ => return None,
        })
    }
}

/// A number of bytes: `1000`, `64k`, `16m`, `2g`.
///
/// ```
/// use tumulus_simulator::options::Bytes;
///
/// assert_eq!("64m".parse(), Ok(Bytes(64 << 20)));
/// assert_eq!(Bytes(64 << 20).to_string(), "64m");
/// assert_eq!(Bytes(1000).to_string(), "1000");
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// Reads a limit, of which there can be none.
fn limit(text: &str) -> Result<Bytes, String> {
    if text == "none" { Ok(Bytes::MAX) } else { text.parse() }
}

const UNITS: [(char, u32); 4] = [('t', 40), ('g', 30), ('m', 20), ('k', 10)];

impl Bytes {
    /// More than there can be. As a limit: none, where that has to be said.
    pub const MAX: Bytes = Bytes(u64::MAX);

    fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Bytes, String> {
        let (digits, shift) = UNITS
            .iter()
            .find_map(|&(unit, shift)| Some((text.strip_suffix([unit, unit.to_ascii_uppercase()])?, shift)))
            .unwrap_or((text, 0));
        let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
        bytes.map(Bytes).ok_or_else(|| format!("{text:?} is no number of bytes; write 1000, 64k, 16m or 2g"))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|&&(_, shift)| self.0 != 0 && self.0.trailing_zeros() >= shift) {
            Some((unit, shift)) => write!(f, "{}{unit}", self.0 >> shift),
            None => self.0.fmt(f),
        }
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text, or a plain number.
impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        text_or_number(deserializer)
    }
}

/// The size of a slice: units of work, a time, or unlimited.
///
/// ```
/// use tumulus_simulator::options::Pause;
///
/// let pause: Pause = "200us".parse().unwrap();
/// assert_eq!(pause.to_string(), "200us");
/// assert!("soon".parse::<Pause>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    text: String,
    budget: Budget,
}

impl FromStr for Pause {
    type Err = String;

    fn from_str(text: &str) -> Result<Pause, String> {
        let wrong =
            |()| format!("{text:?} is no budget; write units of work (12000), a time (100us, 2ms) or unlimited");
        Ok(Pause { text: text.into(), budget: text.parse().map_err(wrong)? })
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for Pause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Pause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pause, D::Error> {
        text_or_number(deserializer)
    }
}

/// Which collector.
///
/// ```
/// use tumulus_simulator::options::Which;
///
/// assert_eq!("none".parse(), Ok(Which::None));
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// The heap's own.
    #[default]
    MarkSweep,
    /// Frees nothing.
    None,
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Which, String> {
        match text {
            "mark-sweep" => Ok(Which::MarkSweep),
            "none" => Ok(Which::None),
            _ => Err(format!("{text:?} is no collector; there are mark-sweep and none")),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Which::MarkSweep => "mark-sweep",
            Which::None => "none",
        })
    }
}

/// The words of a zeal mode.
///
/// ```
/// use tumulus_simulator::options::ZealWords;
///
/// let words: ZealWords = "every=3,poison".parse()?;
/// assert_eq!(words.to_string(), "every=3,poison");
/// # Ok::<(), tumulus_heap::ParseZealError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZealWords {
    text: String,
    zeal: Zeal,
}

impl FromStr for ZealWords {
    type Err = tumulus_heap::ParseZealError;

    fn from_str(text: &str) -> Result<ZealWords, Self::Err> {
        Ok(ZealWords { text: text.into(), zeal: text.parse()? })
    }
}

impl fmt::Display for ZealWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for ZealWords {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ZealWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ZealWords, D::Error> {
        text_or_number(deserializer)
    }
}

/// Reads what is written as a text, or as a plain number.
fn text_or_number<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: ToString>,
{
    struct Reader<T>(std::marker::PhantomData<T>);

    impl<T: FromStr<Err: ToString>> Visitor<'_> for Reader<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a number")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(|error: T::Err| E::custom(error.to_string()))
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
            let number = u64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
            self.visit_u64(number)
        }
    }

    deserializer.deserialize_any(Reader(std::marker::PhantomData))
}
