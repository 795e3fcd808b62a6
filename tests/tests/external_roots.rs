//! What somebody outside holds of a heap's memory shows in its statistics and its snapshots.

use tumulus_arraybuffer::{ArrayBuffer, BackingStore, DetachKey, SharedArrayBuffer};
use tumulus_heap::Heap;
use tumulus_snapshot::{Edge, Snapshot};
use tumulus_tests::calm_heap;

/// The identities and sizes of the external roots.
fn roots(heap: &Heap) -> Vec<(u64, u64)> {
    let mut all: Vec<_> = heap.external_roots().iter().map(|root| (root.identity, root.bytes)).collect();
    all.sort_unstable();
    assert_eq!(heap.statistics().external_roots, all.len());
    all
}

#[test]
fn a_root_is_there_while_it_is_held_and_a_buffer_has_it() {
    let mut heap = calm_heap();
    let (plain, other) = (ArrayBuffer::new(&mut heap, 100).unwrap(), ArrayBuffer::new(&mut heap, 50).unwrap());
    assert_eq!(roots(&heap), []);
    let line = line!() + 1;
    let held = plain.externalize(&mut heap);
    let again = held.clone();
    assert_eq!(roots(&heap), [(held.id(), 100)], "a store is one root, whoever holds it");
    let place = heap.external_roots()[0].place;
    assert_eq!((place.file(), place.line()), (file!(), line));
    drop(held);
    assert_eq!(roots(&heap), [(again.id(), 100)]);
    plain.detach(&mut heap, DetachKey::Undefined).unwrap();
    assert_eq!(roots(&heap), [], "no object of the heap has it any more");

    let held = other.backing_store(&heap);
    let place = heap.external_roots()[0].place;
    assert_eq!((place.file(), roots(&heap)), (file!(), vec![(held.id(), 50)]));
    heap.collect(&());
    assert_eq!(roots(&heap), []);
    assert_eq!(held.byte_length(), 50);
}

#[test]
fn what_heaps_share_is_listed_by_the_one_that_pays() {
    let (mut one, mut two) = (calm_heap(), calm_heap());
    let store = BackingStore::shared(64).unwrap();
    assert_eq!((roots(&one), roots(&two)), (vec![], vec![]));
    SharedArrayBuffer::from_store(&mut one, store.clone()).unwrap();
    SharedArrayBuffer::from_store(&mut two, store.clone()).unwrap();
    assert_eq!((roots(&one), roots(&two)), (vec![(store.id(), 64)], vec![]));
}

#[test]
fn a_snapshot_has_a_group_of_them() {
    let mut heap = calm_heap();
    let buffer = ArrayBuffer::new(&mut heap, 1000).unwrap();
    let held_by = |snapshot: &Snapshot| {
        let group = snapshot.named("(External roots)").next().unwrap();
        snapshot.node(group).edges().map(Edge::to).collect::<Vec<_>>()
    };
    assert_eq!(held_by(&Snapshot::of_heap(&mut heap, &buffer.erase()).unwrap()), Vec::<u32>::new());

    let held = buffer.externalize(&mut heap);
    let snapshot = Snapshot::of_heap(&mut heap, &buffer.erase()).unwrap();
    let bytes: Vec<_> = snapshot.named("system / JSArrayBufferData").collect();
    assert_eq!((held_by(&snapshot), bytes.len()), (bytes.clone(), 1), "the same node as that of the buffer");
    assert_eq!(snapshot.node(bytes[0]).self_size(), 1000);
    let buffer = snapshot.named("ArrayBuffer").next().unwrap();
    assert!(snapshot.node(buffer).edges().any(|edge| edge.to() == bytes[0]));
    // Also when no root of the program's leads to the buffer.
    assert_eq!(held_by(&Snapshot::of_heap(&mut heap, &()).unwrap()).len(), 1);
    drop(held);
    assert_eq!(held_by(&Snapshot::of_heap(&mut heap, &()).unwrap()), Vec::<u32>::new());
}
