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

use super::Compare;
use super::workload::Workload;
use crate::allocator::Allocator;
use crate::suite::{self, OURS};

type Contestant = suite::Contestant<Compare>;
type Entry = suite::Entry<Compare>;

const fn on_system(name: &'static str, entry: fn(Workload) -> Entry) -> Contestant {
    Contestant { name, allocator: Allocator::System, passes: 1, entry }
}

const fn on_mimalloc(name: &'static str, entry: fn(Workload) -> Entry) -> Contestant {
    Contestant { name, allocator: Allocator::MiMalloc, passes: 1, entry }
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

/// Why contestants without a collector have no part in a workload about collections.
const NO_COLLECTOR: &str = "it has no collector";
/// Why some contestants have no part in the workload about weak handles.
const NO_WEAK: &str = "it has no weak handles";
/// Why most contestants have no part in the workloads about ephemerons.
const NO_EPHEMERONS: &str = "it has no weak maps";
/// Why most contestants have no part in the workloads about buffers.
const NO_BUFFERS: &str = "it has no buffers; bytes in it are a `Box`";
/// Why most contestants have no part in the workloads about scopes.
const NO_SCOPES: &str = "it has no scopes of this kind";
