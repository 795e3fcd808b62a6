//! What a large snapshot takes: makes a random graph, writes it to a file, reads it back, and finds its dominators.
//!
//! ```sh
//! cargo run --release -p tumulus-snapshot --example large -- 5000000
//! ```
//!
//! Times are of the processor.
//!
//! With a second argument it writes the file there, and leaves it, to be looked at with other tools.

use cpu_time::ProcessTime;
use std::fs::File;
use std::io;
use tumulus_heap::{Gc, Heap, Trace};
use tumulus_snapshot::{Ephemerons, Snapshot};

#[derive(Trace)]
struct Node {
    left: Option<Gc<Node>>,
    right: Option<Gc<Node>>,
    other: Option<Gc<Node>>,
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let mut heap = Heap::new();
    let mut random = fastrand::Rng::with_seed(1);
    // Each node is a child of one, at random, that has fewer than two, and refers to any other.
    let mut nodes: Vec<Gc<Node>> = Vec::with_capacity(count);
    let mut open: Vec<Gc<Node>> = Vec::new();
    for _ in 0..count {
        let other = (!nodes.is_empty()).then(|| nodes[random.usize(..nodes.len())]);
        let node = heap.alloc(Node { left: None, right: None, other });
        if !open.is_empty() {
            let at = random.usize(..open.len());
            let parent = heap.get_mut(open[at]);
            if parent.left.is_none() {
                parent.left = Some(node);
            } else {
                parent.right = Some(node);
                open.swap_remove(at);
            }
        }
        nodes.push(node);
        open.push(node);
    }
    let root = heap.root(nodes[0]);
    drop((nodes, open));
    heap.collect(&());
    let live = heap.statistics().live_objects;
    println!("{live} objects, {} MB", heap.statistics().used_bytes >> 20);

    let path = arguments.next().map_or_else(
        || std::env::temp_dir().join(format!("tumulus-{}.heapsnapshot", std::process::id())),
        std::path::PathBuf::from,
    );
    for _ in 0..2 {
        let before = reset_peak();
        let start = ProcessTime::now();
        let summary = heap.write_snapshot(&(), io::sink())?;
        println!(
            "to nowhere: {:?}, {} MB more, {} edges",
            start.elapsed(),
            peak().saturating_sub(before) >> 10,
            summary.edges
        );
    }
    let before = reset_peak();
    let start = ProcessTime::now();
    heap.write_snapshot(&(), File::create(&path)?)?;
    println!("to a file: {:?}, {} MB more", start.elapsed(), peak().saturating_sub(before) >> 10);
    drop(root);
    drop(heap);

    let text = std::fs::read(&path)?;
    let start = ProcessTime::now();
    let snapshot = Snapshot::parse(&text).map_err(io::Error::other)?;
    println!("read: {:?} for {} MB", start.elapsed(), text.len() >> 20);
    drop(text);
    for ephemerons in [Ephemerons::OfKeys, Ephemerons::OfBoth] {
        let start = ProcessTime::now();
        let dominators = snapshot.dominators(ephemerons);
        println!("dominators: {:?}, {} bytes retained", start.elapsed(), dominators.retained_size(snapshot.root()));
    }
    if std::env::args().len() < 3 {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// Kilobytes that the process has now, from which its peak is counted on. Linux alone tells.
fn reset_peak() -> usize {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    field("VmRSS:")
}

/// The most kilobytes that the process has had since.
fn peak() -> usize {
    field("VmHWM:")
}

fn field(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
