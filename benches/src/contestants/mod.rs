//! The contestants: what each of them runs, and why not the rest.
//!
//! Each module is one contestant, written as its documentation advises, and gives an [`Entry`] for each workload.

mod boa_gc;
mod boxes;
mod bumpalo;
mod dumpster;
mod gc;
mod gc_arena;
mod node;
mod ours;
mod rc;
mod safe_gc;

use crate::allocator::Allocator;
use crate::measure::Measurement;
use crate::workload::{Sizes, Workload};

/// The name of the contestant that all others are compared with.
pub const OURS: &str = "ours";

/// What a contestant does with a workload.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// It runs it.
    Runs(fn(&Sizes) -> Measurement),
    /// It runs it, and takes so long that it takes part in the first round only.
    Once(fn(&Sizes) -> Measurement),
    /// It has no part in it, for this reason.
    Absent(&'static str),
}

/// One library, or engine, on one allocator.
#[derive(Clone, Copy, Debug)]
pub struct Contestant {
    /// Its name on the command line and in the report.
    pub name: &'static str,
    /// The global allocator of its process.
    pub allocator: Allocator,
    /// What it does with each workload.
    pub entry: fn(Workload) -> Entry,
}

const fn on_system(name: &'static str, entry: fn(Workload) -> Entry) -> Contestant {
    Contestant { name, allocator: Allocator::System, entry }
}

const fn on_mimalloc(name: &'static str, entry: fn(Workload) -> Entry) -> Contestant {
    Contestant { name, allocator: Allocator::MiMalloc, entry }
}

/// All of them, in the order of the report.
pub const ALL: &[Contestant] = &[
    on_system(OURS, ours::entry),
    on_system("gc-arena", gc_arena::entry),
    on_mimalloc("gc-arena+mimalloc", gc_arena::entry),
    on_system("boa_gc", boa_gc::entry),
    on_mimalloc("boa_gc+mimalloc", boa_gc::entry),
    on_system("gc", gc::entry),
    on_system("dumpster", dumpster::entry),
    on_system("safe-gc", safe_gc::entry),
    on_system("box", boxes::entry),
    on_mimalloc("box+mimalloc", boxes::entry),
    on_system("rc", rc::entry),
    on_system("bumpalo", bumpalo::entry),
    on_system("node", node::entry),
];

/// The contestant of that name.
pub fn find(name: &str) -> Option<&'static Contestant> {
    ALL.iter().find(|contestant| contestant.name == name)
}

/// Why contestants without a collector have no part in a workload about collections.
const NO_COLLECTOR: &str = "it has no collector";
/// Why most contestants have no part in the workloads about scopes.
const NO_SCOPES: &str = "it has no scopes of this kind";
