//! The reader of heap snapshots: whatever bytes it is given, it reads them or says why not; and what it has read holds together.

use tumulus_heap::Heap;
use tumulus_snapshot::{Diff, Ephemerons, Snapshot};

pub(super) fn run(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::parse(bytes) else { return };
    // A file of a few bytes cannot describe more than that.
    assert!(snapshot.len() as usize <= bytes.len() && snapshot.edge_count() <= bytes.len());
    if snapshot.len() == 0 {
        return;
    }
    let mut edges = 0;
    for node in snapshot.nodes() {
        assert_eq!(snapshot.node(node.place()).id(), node.id());
        for edge in node.edges() {
            assert_eq!(edge.from(), node.place());
            assert!(edge.to() < snapshot.len(), "an edge leads beyond the last node");
            edges += 1;
        }
    }
    assert_eq!(edges, snapshot.edge_count());

    let retainers = snapshot.retainers();
    for ephemerons in [Ephemerons::OfKeys, Ephemerons::OfBoth] {
        let dominators = snapshot.dominators(ephemerons);
        for node in snapshot.nodes() {
            let retained = dominators.retained_size(node.place());
            if let Some(above) = dominators.immediate(node.place()) {
                assert!(dominators.retained_size(above) >= retained, "what keeps a node keeps all that it does");
            }
        }
        assert!(dominators.largest(5).len() <= 5);
        let grouped: u64 = snapshot.summary(&dominators).iter().map(|group| group.count).sum();
        assert!(grouped <= u64::from(snapshot.len()));
    }
    for node in snapshot.nodes().take(50) {
        if let Some(path) = snapshot.shortest_path(node.place()) {
            let edges = path.edges();
            assert!(edges.windows(2).all(|pair| pair[0].to() == pair[1].from()), "a path with a gap");
            assert_eq!(edges.last().map_or(snapshot.root(), |edge| edge.to()), node.place());
        }
    }
    let counted: usize = snapshot.nodes().map(|node| retainers.of(node.place()).len()).sum();
    assert_eq!(counted, edges);
    assert!(Diff::between(&snapshot, &snapshot).changes().is_empty(), "a snapshot differs from itself");
    if snapshot.len() < 1000 {
        let mut heap = Heap::builder().limit(64 << 20).build();
        let _ = snapshot.rebuild(&mut heap);
        heap.verify().expect("in order");
    }
}
