//! A buffer that has survived a collection is old: a minor collection does not look at it, dead or not, and a full one does.

use tumulus_arraybuffer::ArrayBuffer;
use tumulus_heap::{Budget, Progress};
use tumulus_testing::{DeleterProbe, assert_alive, assert_collected, assert_external_bytes};
use tumulus_tests::calm_heap;

#[test]
fn a_dead_old_buffer_survives_minor_collections_and_no_major_one() {
    let mut heap = calm_heap();
    let probe = DeleterProbe::expect_once();
    let buffer = ArrayBuffer::from_store(&mut heap, probe.store(vec![7; 117])).unwrap();
    heap.collect(&buffer);
    for _ in 0..10 {
        heap.collect_minor(&());
        assert_alive(&heap, buffer.erase());
        assert_eq!(buffer.as_slice(&heap).unwrap(), [7; 117]);
        assert_external_bytes(&heap, 117);
    }
    assert_eq!(probe.count(), 0);
    heap.collect(&());
    assert_collected(&heap, buffer.erase());
    assert_external_bytes(&heap, 0);
    probe.verify();
}

#[test]
fn a_dead_young_buffer_does_not_survive_a_minor_collection() {
    let mut heap = calm_heap();
    let probe = DeleterProbe::expect_once();
    let buffer = ArrayBuffer::from_store(&mut heap, probe.store(vec![7; 117])).unwrap();
    heap.collect_minor(&());
    assert_collected(&heap, buffer.erase());
    assert_external_bytes(&heap, 0);
    probe.verify();
}

#[test]
fn a_young_buffer_of_an_old_object_survives() {
    let mut heap = calm_heap();
    let probe = DeleterProbe::expect_once();
    let old = heap.alloc(None::<ArrayBuffer>);
    heap.collect(&old);
    let buffer = ArrayBuffer::from_store(&mut heap, probe.store(vec![7; 117])).unwrap();
    *heap.get_mut(old) = Some(buffer);
    heap.collect_minor(&old);
    assert_eq!(buffer.as_slice(&heap).unwrap(), [7; 117]);
    *heap.get_mut(old) = None;
    heap.collect(&old);
    assert_external_bytes(&heap, 0);
    probe.verify();
}

#[test]
fn a_full_collection_in_slices_frees_a_dead_old_buffer() {
    let mut heap = calm_heap();
    let probe = DeleterProbe::expect_once();
    let buffer = ArrayBuffer::from_store(&mut heap, probe.store(vec![7; 117])).unwrap();
    heap.collect(&buffer);
    heap.start_major();
    while heap.step(&(), Budget::work(1)) == Progress::Pending {}
    assert_collected(&heap, buffer.erase());
    probe.verify();
}
