//! The workloads: their names, units, sizes and targets.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::buffers::Buffers;

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// The benchmark game's program: trees of many depths built, checked and dropped beside a long-lived one.
    BinaryTrees,
    /// A full collection in which every object lives, linked at random.
    MarkRandom,
    /// The same for a tree in allocation order.
    MarkTree,
    /// Of two trees allocated in turns one dies: collecting, dropping, and allocating as many again.
    HalfDeadTree,
    /// The same for two random graphs, scattered over the same memory.
    HalfDeadRandom,
    /// Reading 4,096 small objects over and over through shuffled handles.
    ReadHot,
    /// Summing a tree of 4,096 small objects over and over through its links.
    WalkHot,
    /// Reading a million objects, one in each cache line or two, through shuffled handles.
    ReadCold,
    /// What a live 24-byte object costs in memory, one collection included.
    Memory,
    /// Short-lived buffers of a kibibyte, of which ten thousand are alive.
    SmallBuffers,
    /// Short-lived buffers of a mebibyte, of which sixteen are alive.
    LargeBuffers,
    /// Reading and writing the elements of an array of 32-bit integers.
    TypedArray,
    /// Making one object a root, and letting go of it.
    Roots,
    /// What a scope adds to an allocation inside it.
    ScopePush,
    /// Keeping a loaded handle alive to the end of the scope.
    Keep,
    /// A full collection of a weak map in which each value is the next entry's key, inserted from the last to the first.
    EphemeronsReverse,
    /// The same with twice the entries, for how much longer it takes.
    EphemeronsTwice,
    /// The same, inserted from the first to the last.
    EphemeronsOrdered,
    /// A full collection that finds half the targets of many weak handles dead.
    WeakHandles,
}

/// What the figures of a workload are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// CPU nanoseconds an operation.
    NanosecondsEach,
    /// CPU milliseconds for all of it.
    Milliseconds,
    /// Bytes an object.
    BytesEach,
    /// How many times longer one thing takes than another.
    Times,
}

impl Unit {
    /// As the report writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::NanosecondsEach => "ns",
            Unit::Milliseconds => "ms",
            Unit::BytesEach => "bytes",
            Unit::Times => "x",
        }
    }
}

/// What ours should reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At most so many times the figure of the named peer.
    TimesPeer(f64, &'static str),
    /// At most so much, in the workload's unit.
    AtMost(f64),
}

impl Workload {
    /// What is counted as one operation.
    pub const fn operation(self) -> &'static str {
        match self {
            Workload::BinaryTrees | Workload::ScopePush => "an allocation",
            Workload::MarkRandom | Workload::MarkTree | Workload::Memory => "a live object",
            Workload::HalfDeadTree
            | Workload::HalfDeadRandom
            | Workload::EphemeronsReverse
            | Workload::EphemeronsOrdered
            | Workload::WeakHandles => "in all",
            Workload::EphemeronsTwice => "half the entries",
            Workload::ReadHot | Workload::WalkHot | Workload::ReadCold => "a read",
            Workload::SmallBuffers | Workload::LargeBuffers => "a buffer",
            Workload::TypedArray => "an element read and written",
            Workload::Roots => "a root made and dropped",
            Workload::Keep => "a handle kept",
        }
    }

    /// What its figures are.
    pub const fn unit(self) -> Unit {
        match self {
            Workload::HalfDeadTree
            | Workload::HalfDeadRandom
            | Workload::EphemeronsReverse
            | Workload::EphemeronsOrdered
            | Workload::WeakHandles => Unit::Milliseconds,
            Workload::EphemeronsTwice => Unit::Times,
            Workload::Memory => Unit::BytesEach,
            _ => Unit::NanosecondsEach,
        }
    }

    /// What ours should reach, at full scale.
    pub const fn targets(self) -> &'static [Target] {
        match self {
            Workload::BinaryTrees => &[
                Target::TimesPeer(1.0, "box+mimalloc"),
                Target::TimesPeer(0.1, "gc-arena"),
                Target::TimesPeer(0.6, "node"),
            ],
            Workload::MarkRandom => &[Target::TimesPeer(0.2, "gc-arena")],
            Workload::MarkTree => &[Target::TimesPeer(0.7, "gc-arena")],
            Workload::HalfDeadTree | Workload::HalfDeadRandom => &[Target::TimesPeer(0.35, "gc-arena")],
            Workload::ReadHot => &[Target::TimesPeer(1.35, "gc-arena")],
            Workload::ReadCold | Workload::WeakHandles => &[Target::TimesPeer(1.0, "gc-arena")],
            Workload::Memory => &[Target::AtMost(34.0)],
            Workload::SmallBuffers => &[Target::TimesPeer(1.4, "box"), Target::TimesPeer(0.1, "node")],
            Workload::LargeBuffers => &[Target::TimesPeer(0.6, "box"), Target::TimesPeer(0.3, "node")],
            Workload::TypedArray => &[Target::AtMost(3.0)],
            Workload::Roots => &[Target::AtMost(6.0)],
            Workload::ScopePush => &[Target::AtMost(1.5)],
            Workload::EphemeronsReverse => &[Target::AtMost(10.0)],
            Workload::EphemeronsTwice => &[Target::AtMost(2.3)],
            Workload::EphemeronsOrdered => &[Target::AtMost(5.0)],
            Workload::WalkHot | Workload::Keep => &[],
        }
    }
}

/// How many nodes are read how often.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reading {
    /// How many nodes there are.
    pub nodes: u64,
    /// How often all of them are read.
    pub passes: u64,
}

/// How large the workloads are.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sizes {
    /// The depth of the long-lived tree.
    pub tree_depth: u32,
    /// How many objects the collections and the measurement of memory are about; an even number.
    pub objects: u64,
    /// How many collections a child times, to take their median.
    pub collections: usize,
    /// The nodes that fit the first-level cache.
    pub hot: Reading,
    /// The nodes that fit no cache.
    pub cold: Reading,
    /// The buffers of a kibibyte.
    pub small_buffers: Buffers,
    /// The buffers of a mebibyte.
    pub large_buffers: Buffers,
    /// How many roots are made and dropped, and handles kept.
    pub roots: u64,
    /// How many objects are allocated in a scope, and as many outside.
    pub scoped: u64,
    /// How many entries a chain of ephemerons has.
    pub ephemerons: u64,
    /// How many weak handles there are.
    pub weak_handles: u64,
}

impl Sizes {
    /// The sizes that the targets are about, times `scale`.
    #[allow(clippy::cast_sign_loss)] // The command line admits positive scales only.
    pub fn scaled(scale: f64) -> Self {
        let count = |full: f64| ((full * scale / 2.0).round() as u64).max(64) * 2;
        Sizes {
            tree_depth: (18.0 + scale.log2()).round().clamp(6.0, 24.0) as u32,
            objects: count(5e6),
            collections: 5,
            hot: Reading { nodes: 4096, passes: count(10e3) },
            cold: Reading { nodes: count(1e6), passes: 5 },
            small_buffers: Buffers { made: count(1e6), kept: 10_000, bytes: 1 << 10 },
            large_buffers: Buffers { made: count(1e3), kept: 16, bytes: 1 << 20 },
            roots: count(20e6),
            scoped: count(20e6),
            ephemerons: count(1e5),
            weak_handles: count(5e5),
        }
    }
}
