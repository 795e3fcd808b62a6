//! The workloads: their names, sizes and targets.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::watch::Pass;

/// The stop-the-world form of ours.
pub const STOPPING: &str = "ours+stop";
/// Ours with a small heap.
pub const SMALL: &str = "ours+small";

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Many trees, of which random ones are replaced.
    LiveTrees,
    /// V8's benchmark: a splay tree with a payload at each node, one node added and one removed at a time.
    Splay,
    /// A cache that gives up what was not used for longest: a hash table and a list through all entries.
    Lru,
    /// A weak map of a million entries, of which random ones die.
    WeakMap,
    /// A million small buffers, of which half die at once.
    Buffers,
    /// Requests that each build a document and drop it, beside a table of sessions.
    Bursts,
    /// A heap that only grows.
    Growing,
    /// Frames of work, each followed by idle time that the collector may use.
    EventLoop,
    /// Pauses with 8 million live objects against those with half a million.
    HeapSize,
    /// What collecting in increments costs: the time of two workloads against that with the world stopped.
    Throughput,
}

/// What ours should reach, at full scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// The longest pause in CPU time takes at most so many milliseconds.
    LongestMs(f64),
    /// Of a hundred pauses, 99 take at most so many milliseconds of CPU time.
    P99Ms(f64),
    /// The longest pause takes at most so many times the longest of the named peer, in CPU time.
    LongestTimesPeer(f64, &'static str),
    /// The whole takes at most so many times the CPU time of the named peer.
    TimesPeer(f64, &'static str),
    /// So many times the operations a second of CPU time of the named peer, at least.
    RateTimesPeer(f64, &'static str),
    /// The process's peak is at most so many megabytes.
    PeakMegabytes(f64),
}

impl Workload {
    /// What is counted as one operation.
    pub const fn operation(self) -> &'static str {
        match self {
            Workload::LiveTrees
            | Workload::Growing
            | Workload::EventLoop
            | Workload::HeapSize
            | Workload::Throughput => "an allocation",
            Workload::Splay => "a node added and one removed",
            Workload::Lru => "a look-up",
            Workload::WeakMap => "an entry in and one out",
            Workload::Buffers => "a buffer in and one out",
            Workload::Bursts => "an object of a document",
        }
    }

    /// What ours should reach, at full scale.
    pub const fn targets(self) -> &'static [Target] {
        match self {
            Workload::LiveTrees => &[
                Target::LongestMs(0.5),
                Target::P99Ms(0.2),
                Target::TimesPeer(0.22, "gc-arena"),
                Target::TimesPeer(0.45, "node"),
                Target::PeakMegabytes(160.0),
            ],
            Workload::Splay => {
                &[Target::LongestMs(0.5), Target::RateTimesPeer(5.0, "gc-arena"), Target::RateTimesPeer(1.15, "node")]
            }
            Workload::Lru => {
                &[Target::LongestMs(0.5), Target::TimesPeer(0.4, "gc-arena"), Target::TimesPeer(1.0, "go")]
            }
            Workload::WeakMap | Workload::Buffers => &[Target::LongestMs(0.5)],
            Workload::HeapSize => &[Target::LongestTimesPeer(1.3, SMALL)],
            Workload::Throughput => &[Target::RateTimesPeer(0.87, STOPPING)],
            Workload::Bursts | Workload::Growing | Workload::EventLoop => &[],
        }
    }
}

/// Trees, and how many of them are replaced.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Churn {
    /// How many trees are alive at a time.
    pub trees: u32,
    /// How many are replaced.
    pub replaced: u32,
}

/// How large the workloads are, and what the process is for.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sizes {
    /// What the process is for; an engine outside does not need to know.
    #[serde(skip)]
    pub pass: Pass,
    /// The trees of `live-trees`, and of `throughput`.
    pub live_trees: Churn,
    /// How many nodes the splay tree has.
    pub splay_nodes: u32,
    /// How often one is added and one removed.
    pub splay_operations: u32,
    /// How many entries the cache holds.
    pub lru_capacity: u32,
    /// How often it is asked.
    pub lru_operations: u32,
    /// How many entries the weak map has.
    pub weak_entries: u32,
    /// How many of them are replaced.
    pub weak_operations: u32,
    /// How many buffers are in the table.
    pub buffers: u32,
    /// How many sessions there are.
    pub sessions: u32,
    /// How many requests come.
    pub requests: u32,
    /// How many trees a growing heap is made of.
    pub growing_trees: u32,
    /// The trees of the event loop, of which this many are replaced in all.
    pub event_loop: Churn,
    /// How many of them in one frame.
    pub frame: u32,
    /// The trees of the large heap.
    pub large: Churn,
    /// The trees of the small heap; as many are replaced.
    pub small: Churn,
}

impl Sizes {
    /// The sizes that the targets are about, times `scale`.
    #[allow(clippy::cast_sign_loss)] // The command line admits positive scales only.
    pub fn scaled(scale: f64, pass: Pass) -> Self {
        let count = |full: u32| (f64::from(full) * scale).round().clamp(64.0, f64::from(u32::MAX)) as u32;
        let churn = |trees, replaced| Churn { trees: count(trees), replaced: count(replaced) };
        Sizes {
            pass,
            live_trees: churn(16_384, 80_000),
            splay_nodes: count(8_000),
            splay_operations: count(200_000),
            lru_capacity: count(1_000_000),
            lru_operations: count(5_000_000),
            weak_entries: count(1_000_000),
            weak_operations: count(3_000_000),
            buffers: count(1_000_000),
            sessions: count(100_000),
            requests: count(3_000),
            growing_trees: count(21_000),
            event_loop: churn(4_096, 24_000),
            frame: 40,
            large: churn(41_885, 40_000),
            small: churn(2_618, 40_000),
        }
    }
}
