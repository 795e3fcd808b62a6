//! Tumulus: a safepoint after each operation.
//!
//! Tables are slices in the heap, so that a safepoint has few roots to look at.

mod buffer_table;
mod lru_cache;
mod site;
mod splay_tree;
mod trees;
mod weak_notes;

use std::time::Duration;

use tumulus_heap::{Budget, Gc, Heap, Trace};

use super::Entry;
use crate::pauses::workload::Workload;
use crate::pauses::{buffers, bursts, forest, lru, splay, weak_map};
use buffer_table::BufferTable;
use lru_cache::LruCache;
use site::Site;
use splay_tree::SplayTree;
use trees::Trees;
use weak_notes::WeakNotes;

/// The options of the heap.
trait Options {
    fn heap() -> Heap;
}

/// The defaults.
enum Default {}

impl Options for Default {
    fn heap() -> Heap {
        Heap::new()
    }
}

/// Each collection is a single slice, for which the world stops.
enum Stopping {}

impl Options for Stopping {
    fn heap() -> Heap {
        Heap::builder().pause_budget(Budget::unlimited()).build()
    }
}

/// Changes an element of a table.
#[inline]
fn set<T: Trace + 'static>(heap: &mut Heap, table: Gc<[T]>, at: usize, to: T) {
    heap.slice_mut(table, at..=at)[0] = to;
}

/// Collects in time that is left.
fn idle<R: Trace>(heap: &mut Heap, roots: &R, budget: Duration) {
    // What is not done now is done in the next idle time, or at safepoints.
    let _ = heap.step(roots, Budget::time(budget));
}

/// All workloads, with the default options.
pub fn entry(workload: Workload) -> Entry {
    runs::<Default>(workload)
}

/// Those that show what collecting in increments brings and costs, without it.
pub fn entry_stopping(workload: Workload) -> Entry {
    match workload {
        Workload::LiveTrees | Workload::Throughput | Workload::WeakMap | Workload::Buffers => {
            runs::<Stopping>(workload)
        }
        _ => Entry::Absent("it is there for live-trees, throughput, weak-map and buffers"),
    }
}

/// The one workload that is about the size of the heap, with a small one.
pub fn entry_small(workload: Workload) -> Entry {
    match workload {
        Workload::HeapSize => Entry::Runs(|sizes| forest::churn(sizes, sizes.small, Trees::new::<Default>).unchecked()),
        _ => Entry::Absent("it is there for heap-size"),
    }
}

fn runs<O: Options>(workload: Workload) -> Entry {
    Entry::Runs(match workload {
        Workload::LiveTrees => |sizes| forest::churn(sizes, sizes.live_trees, Trees::new::<O>),
        Workload::Splay => |sizes| splay::run(sizes, SplayTree::new::<O>()),
        Workload::Lru => |sizes| lru::run(sizes, LruCache::new::<O>),
        Workload::WeakMap => |sizes| weak_map::run(sizes, WeakNotes::new::<O>),
        Workload::Buffers => |sizes| buffers::run(sizes, BufferTable::new::<O>),
        Workload::Bursts => |sizes| bursts::run(sizes, Site::new::<O>),
        Workload::Growing => |sizes| forest::growing(sizes, Trees::new::<O>),
        Workload::EventLoop => |sizes| forest::event_loop(sizes, Trees::new::<O>),
        Workload::HeapSize => |sizes| forest::churn(sizes, sizes.large, Trees::new::<O>).unchecked(),
        Workload::Throughput => |sizes| {
            let trees = forest::churn(sizes, sizes.live_trees, Trees::new::<O>);
            trees.and(&bursts::run(sizes, Site::new::<O>))
        },
    })
}
