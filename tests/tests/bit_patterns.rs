//! What looks like a handle, in the bytes of a buffer, is bytes: it keeps nothing alive, and no collection changes it.

use tumulus_arraybuffer::{ArrayBuffer, SharedArrayBuffer};
use tumulus_testing::{assert_alive, assert_collected, zeal};
use tumulus_tests::place;

#[test]
fn the_bits_of_a_handle_are_not_followed() {
    zeal::for_each_mode(|heap| {
        let object = heap.alloc([7_u64; 4]);
        let (index, stamp) = place(object);
        let bits: Vec<u8> = [index, stamp, index, stamp].into_iter().flat_map(u32::to_ne_bytes).collect();

        let plain = ArrayBuffer::new(heap, 16).unwrap();
        plain.as_mut_slice(heap).unwrap().copy_from_slice(&bits);
        let shared = SharedArrayBuffer::new(heap, 16).unwrap();
        shared.backing_store(heap).copy_from(0, &bits).unwrap();

        let roots = (plain, shared);
        heap.collect(&roots);
        assert_collected(heap, &roots, object);
        assert_alive(heap, plain.erase());
        // Objects that are made in its place do not get it back.
        for n in 0..100 {
            let other = heap.alloc([n; 4]);
            assert_ne!(place(other), (index, stamp));
            heap.safepoint(&roots);
        }
        heap.collect(&roots);
        let mut seen = [0; 16];
        shared.backing_store(heap).copy_to(0, &mut seen).unwrap();
        assert_eq!((plain.as_slice(heap).unwrap(), &seen[..]), (&bits[..], &bits[..]));
    });
}

#[test]
fn the_address_of_a_store_is_not_a_reference_to_it() {
    zeal::for_each_mode(|heap| {
        let target = ArrayBuffer::new(heap, 100).unwrap();
        let store = target.backing_store(heap);
        let (address, id) = (store.data().addr().get(), store.id());
        drop(store);
        let keeper = ArrayBuffer::new(heap, 8).unwrap();
        keeper.as_mut_slice(heap).unwrap().copy_from_slice(&address.to_ne_bytes());
        heap.collect(&keeper);
        assert_collected(heap, &keeper, target.erase());
        tumulus_testing::assert_released(id);
        assert_eq!(keeper.as_slice(heap).unwrap(), address.to_ne_bytes());
    });
}
