//! What a program of this package consists of: workloads, contestants that run them, and measurements that come of it.

use std::fmt::Debug;

use clap::ValueEnum;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::allocator::Allocator;

/// The name of the contestant that all others are compared with.
pub const OURS: &str = "ours";

/// A program: a set of workloads with their contestants.
pub trait Suite: Copy + Debug + Send + Sync + 'static {
    /// One thing to measure.
    type Workload: ValueEnum + Copy + Debug + Send + Sync + 'static;
    /// How large the workloads are, and what else a run has to know.
    type Sizes: 'static;
    /// What one run of a workload tells.
    type Measurement: Checked + Serialize + DeserializeOwned + Clone + Debug + 'static;

    /// All contestants, in the order of the report.
    fn contestants() -> &'static [Contestant<Self>];

    /// The sizes for the given scale and pass; see [`Contestant::passes`].
    fn sizes(scale: f64, pass: u32) -> Self::Sizes;

    /// Makes one measurement of those of all passes, of which there is at least one.
    ///
    /// # Errors
    ///
    /// Says why they do not go together.
    fn join(passes: Vec<Self::Measurement>) -> Result<Self::Measurement, String>;
}

/// What can be compared between contestants.
pub trait Checked {
    /// What the workload computed; the same for all contestants.
    fn checksum(&self) -> u64;
}

/// What a contestant does with a workload.
#[derive(Clone, Copy, Debug)]
pub enum Entry<S: Suite> {
    /// It runs it.
    Runs(fn(&S::Sizes) -> S::Measurement),
    /// It runs it, and takes so long that it takes part in the first round only.
    Once(fn(&S::Sizes) -> S::Measurement),
    /// It has no part in it, for this reason.
    Absent(&'static str),
}

/// One library, or engine, on one allocator.
#[derive(Clone, Copy, Debug)]
pub struct Contestant<S: Suite> {
    /// Its name on the command line and in the report.
    pub name: &'static str,
    /// The global allocator of its process.
    pub allocator: Allocator,
    /// How many processes make one measurement of it; each is told its number, from 0.
    pub passes: u32,
    /// What it does with each workload.
    pub entry: fn(S::Workload) -> Entry<S>,
}

/// The name of a workload on the command line.
pub fn name_of(workload: impl ValueEnum + Copy) -> String {
    workload.to_possible_value().expect("no workload is hidden").get_name().to_owned()
}

/// The contestant of that name.
pub fn find<S: Suite>(name: &str) -> Option<&'static Contestant<S>> {
    S::contestants().iter().find(|contestant| contestant.name == name)
}
