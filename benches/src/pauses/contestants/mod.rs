//! The contestants: what each of them runs, and why not the rest.
//!
//! Each module is one contestant, written as its documentation advises. What a workload does is in the workload's own
//! module, with a trait for what differs; a contestant implements the trait. The engines outside have programs in their
//! own languages.

mod boa_gc;
mod boxes;
mod gc_arena;
mod go;
mod node;
mod ours;
mod outside;

use super::Pauses;
use super::workload::{SMALL, STOPPING, Workload};
use crate::allocator::Allocator;
use crate::suite::{self, OURS};

type Contestant = suite::Contestant<Pauses>;
type Entry = suite::Entry<Pauses>;

/// One that lives in this process: first for its totals, then for its pauses.
const fn inside(name: &'static str, allocator: Allocator, entry: fn(Workload) -> Entry) -> Contestant {
    Contestant { name, allocator, passes: 2, entry }
}

/// One that tells its pauses itself, so that watching does not disturb it.
const fn outside(name: &'static str, entry: fn(Workload) -> Entry) -> Contestant {
    Contestant { name, allocator: Allocator::System, passes: 1, entry }
}

/// One that is only listed.
const fn left_out(name: &'static str, entry: fn(Workload) -> Entry) -> Contestant {
    Contestant { name, allocator: Allocator::System, passes: 1, entry }
}

/// All of them, in the order of the report.
pub const ALL: &[Contestant] = &[
    inside(OURS, Allocator::System, ours::entry),
    inside(STOPPING, Allocator::System, ours::entry_stopping),
    inside(SMALL, Allocator::System, ours::entry_small),
    inside("gc-arena", Allocator::System, gc_arena::entry),
    inside("gc-arena+mimalloc", Allocator::MiMalloc, gc_arena::entry),
    inside("boa_gc", Allocator::System, boa_gc::entry),
    inside("box", Allocator::System, boxes::entry),
    inside("box+mimalloc", Allocator::MiMalloc, boxes::entry),
    outside("node", node::entry),
    outside("go", go::entry),
    left_out("gc", |_| Entry::Absent("it stops the world as boa_gc does, whose ancestor it is, and recurses on lists")),
    left_out("dumpster", |_| {
        Entry::Absent("its collections grow with all that was touched, to minutes in these sizes")
    }),
    left_out("safe-gc", |_| Entry::Absent("it collects only when told to, and then all of the heap")),
    left_out("rc", |_| Entry::Absent("its pauses are those of box, and its cycles leak")),
    left_out("bumpalo", |_| Entry::Absent("it frees all at once or nothing")),
];

/// Why most contestants have no part in `weak-map`.
const NO_WEAK_MAPS: &str = "it has no weak maps";
/// Why most have no part in `buffers`.
const NO_BUFFERS: &str = "it has no buffers with bytes outside of its heap";
/// Why only ours takes part in some workloads.
const ONLY_OURS: &str = "it compares ours with itself";
