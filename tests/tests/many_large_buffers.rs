//! A program that makes one large buffer after another never runs out, as long as it comes to safepoints, or says that it may be
//! collected for.

use tumulus_arraybuffer::{ArrayBuffer, SharedArrayBuffer, release};
use tumulus_heap::{Heap, Zeal};
use tumulus_testing::{assert_external_bytes, zeal};
use tumulus_tests::scaled;

const MEGABYTE: usize = 1 << 20;

fn limited(limit: usize) -> Heap {
    Heap::builder().limit(limit).zeal(Zeal::none()).build()
}

#[test]
fn with_collections_where_there_is_no_memory() {
    let mut heap = limited(10 * MEGABYTE);
    for n in 0..scaled(2000, 20) {
        let buffer = ArrayBuffer::new_or_collect(&mut heap, &(), 4 * MEGABYTE as u64).unwrap();
        let bytes = buffer.as_mut_slice(&mut heap).unwrap();
        assert_eq!((bytes[0], bytes[4 * MEGABYTE - 1]), (0, 0), "buffer {n}");
        bytes[0] = 1;
        bytes[4 * MEGABYTE - 1] = 1;
        assert!(heap.statistics().external_bytes <= 10 * MEGABYTE);
    }
    assert!(heap.statistics().collections > 0);
}

#[test]
fn at_safepoints() {
    let mut heap = limited(64 * MEGABYTE);
    let mut kept = Vec::new();
    for n in 0..scaled(2000, 20) {
        let buffer = ArrayBuffer::new(&mut heap, MEGABYTE as u64).unwrap_or_else(|error| panic!("buffer {n}: {error}"));
        buffer.as_mut_slice(&mut heap).unwrap()[n % MEGABYTE] = n as u8;
        kept.push((n, buffer));
        if kept.len() > 8 {
            kept.remove(n * 7 % 8);
        }
        let buffers: Vec<ArrayBuffer> = kept.iter().map(|&(_, buffer)| buffer).collect();
        heap.safepoint(&buffers);
    }
    for (n, buffer) in kept {
        assert_eq!(buffer.as_slice(&heap).unwrap()[n % MEGABYTE], n as u8);
    }
}

#[test]
fn in_every_mode() {
    zeal::for_each_mode(|heap| {
        heap.set_limit(8 * MEGABYTE);
        for _ in 0..scaled(30, 2) {
            ArrayBuffer::new_or_collect(heap, &(), 3 * MEGABYTE as u64).unwrap();
            SharedArrayBuffer::new_or_collect(heap, &(), 3 * MEGABYTE as u64).unwrap();
        }
        heap.collect(&());
        release::flush();
        assert_external_bytes(heap, 0);
    });
}
