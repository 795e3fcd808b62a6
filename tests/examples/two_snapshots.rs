//! Writes two snapshots of a small program, a trace of its collections, and what `tumulus-snapshot` says of them: to be compared with what others say, by
//! `scripts/devtools`.
//!
//! ```sh
//! cargo run -p tumulus-tests --example two_snapshots -- folder
//! ```
//!
//! A window has tabs with buttons and pictures. Between the two snapshots a tab is closed, and its button stays alive because
//! somebody listens to it.

use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use tumulus_arraybuffer::SharedArrayBuffer;
use tumulus_heap::{EphemeronMap, Gc, Heap, LogFormat, NativeFn, Trace, WeakRef};
use tumulus_snapshot::{Ephemerons, Snapshot};

#[derive(Trace)]
struct Window {
    title: Gc<str>,
    tabs: Vec<Gc<Tab>>,
    listeners: Vec<Gc<Listener>>,
    notes: Gc<EphemeronMap<Gc<Tab>, Gc<str>>>,
    active: Gc<WeakRef<Tab>>,
}

#[derive(Trace)]
struct Tab {
    address: Gc<str>,
    buttons: Vec<Gc<Button>>,
    picture: SharedArrayBuffer,
}

#[derive(Trace)]
struct Button {
    label: Gc<str>,
    state: State,
}

#[derive(Trace)]
enum State {
    Idle,
    Pressed { since: Gc<f64> },
}

#[derive(Trace)]
struct Listener {
    target: Gc<Button>,
    call: Gc<NativeFn<Gc<str>>>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let mut heap = Heap::new();
    heap.log_to(LogFormat::ChromeTrace, File::create(folder.join("trace.json"))?);
    let window = window(&mut heap)?;
    let before = shoot(&mut heap, window, &folder.join("before.heapsnapshot"))?;

    heap.collect_minor(&window);
    heap.collect(&window);

    let closed = heap.get_mut(window).tabs.pop().expect("a tab");
    let tab = tab(&mut heap, "https://tumulus.example/new", 3, None)?;
    heap.get_mut(window).tabs.insert(0, tab);
    assert!(heap.contains(closed), "no collection yet");
    let after = shoot(&mut heap, window, &folder.join("after.heapsnapshot"))?;
    heap.end_logs();
    println!("{}", json!({ "before": before, "after": after }));
    Ok(())
}

fn window(heap: &mut Heap) -> Result<Gc<Window>, Box<dyn std::error::Error>> {
    let first = tab(heap, "https://tumulus.example/", 10, None)?;
    let same_picture = heap[first].picture;
    let second = tab(heap, "https://tumulus.example/leak", 40, Some(same_picture))?;
    let target = heap[second].buttons[7];
    let captured = heap.alloc_str("clicked");
    let call = heap.alloc(NativeFn::new(captured, |_, _, _| ()));
    let listener = heap.alloc(Listener { target, call });
    let notes = heap.alloc(EphemeronMap::new());
    let note = heap.alloc_str("read this later");
    notes.insert(heap, first, note);
    let active = WeakRef::new(heap, first);
    let active = heap.alloc(active);
    let title = heap.alloc_str("Tumulus");
    Ok(heap.alloc(Window { title, tabs: vec![first, second], listeners: vec![listener], notes, active }))
}

/// A tab with so many buttons, and with a picture of its own or one that shows the bytes of another.
fn tab(
    heap: &mut Heap,
    address: &str,
    buttons: usize,
    picture: Option<SharedArrayBuffer>,
) -> Result<Gc<Tab>, Box<dyn std::error::Error>> {
    let address = heap.alloc_str(address);
    let label = heap.alloc_str("OK");
    let buttons = (0..buttons).map(|at| {
        let state = if at % 5 == 4 { State::Pressed { since: heap.alloc(at as f64) } } else { State::Idle };
        heap.alloc(Button { label, state })
    });
    let buttons = buttons.collect();
    let picture = match picture {
        Some(other) => {
            let store = other.backing_store(heap);
            SharedArrayBuffer::from_store(heap, store)?
        }
        None => SharedArrayBuffer::new(heap, 64 << 10)?,
    };
    Ok(heap.alloc(Tab { address, buttons, picture }))
}

/// Writes a snapshot, and says what is in it.
fn shoot(heap: &mut Heap, window: Gc<Window>, path: &Path) -> Result<Value, Box<dyn std::error::Error>> {
    // What jobs have looked at is not kept alive any more: memlab takes that for as good a reason as those of the program's.
    heap.end_of_job();
    heap.write_snapshot(&window, File::create(path)?)?;
    let snapshot = Snapshot::read(File::open(path)?)?;
    let dominators = snapshot.dominators(Ephemerons::OfKeys);
    let of_both = snapshot.dominators(Ephemerons::OfBoth);
    let nodes = snapshot.nodes().map(|node| {
        json!({
            "id": node.id(), "name": node.name(), "type": node.kind().to_string(), "self": node.self_size(),
            "retained": dominators.retained_size(node.place()), "retained_of_both": of_both.retained_size(node.place()),
            "edges": node.edges().len(),
        })
    });
    let groups = snapshot.summary(&dominators);
    let groups = groups.iter().map(|group| {
        json!({
            "name": group.name, "count": group.count, "self": group.self_size, "retained": group.retained_size,
        })
    });
    let (nodes, groups): (Vec<Value>, Vec<Value>) = (nodes.collect(), groups.collect());
    Ok(json!({ "path": path, "nodes": nodes, "groups": groups }))
}
