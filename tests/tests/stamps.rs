//! A process that has used up its stamps goes on reading, writing and collecting; what needs a new stamp is an error
//! that says so. All in one test, as there is no way back.

use tumulus_heap::{AllocErrorKind, Gc, Heap, HeapError, hooks};
use tumulus_tests::{Ledger, Token, calm_heap, expect_sound, panic_words, scaled};

#[test]
fn the_end_of_the_stamps_ends_allocation_and_nothing_else() {
    const HALF: usize = scaled(1_000, 50);
    let ledger = Ledger::new();
    let mut heap = calm_heap();
    let keep: Vec<Gc<(Token, u64)>> = (0..2 * HALF as u64).map(|n| heap.alloc((ledger.token(), n))).collect();
    let node: Gc<Option<Gc<u32>>> = heap.alloc(None);
    let mut idle = calm_heap();
    let early = idle.alloc(1_u8);

    hooks::leave_stamps(10);
    let mut last = None;
    let mut collections = 0;
    let failed = loop {
        heap.collect(&(&keep, node, last));
        collections += 1;
        match heap.try_alloc(collections) {
            Ok(gc) => last = Some(gc),
            Err(error) => break error,
        }
        assert!(collections < 1_000, "the stamps never end");
    };
    assert!(collections > 2, "they ended before they should");
    assert_eq!((failed.kind, failed.value), (AllocErrorKind::Stamps, collections));
    assert!(failed.to_string().contains("used all its stamps"), "{failed}");
    assert_eq!(panic_words(|| heap.alloc(collections)), failed.to_string());
    assert_eq!(heap.try_alloc_slice(&[1_u8; 10_000]).unwrap_err().kind, AllocErrorKind::Stamps);
    assert_eq!(heap.try_alloc_str("").unwrap_err().kind, AllocErrorKind::Stamps);

    // No new heap.
    assert_eq!(Heap::try_new().unwrap_err(), HeapError::Stamps);
    assert!(panic_words(Heap::new).contains("used all its 2^32 stamps"));

    // The old ones read, write, root and collect, and know the dead from the living.
    ledger.expect_dropped(0);
    let number = last.unwrap();
    assert_eq!(heap[number], collections - 1);
    heap.collect_minor(&(&keep, node));
    heap.collect(&(&keep[..HALF], node));
    ledger.expect_dropped(HALF);
    assert!(keep[..HALF].iter().enumerate().all(|(n, &gc)| heap[gc].1 == n as u64));
    assert!(keep[HALF..].iter().all(|&gc| heap.try_get(gc).is_err()));
    heap.get_mut(keep[0]).1 = 77;
    assert_eq!(heap[keep[0]].1, 77);
    let root = heap.root(keep[1]);
    heap.collect(&());
    ledger.expect_dropped(2 * HALF - 1);
    assert_eq!(heap[&root].1, 1);
    assert!(heap.try_get(keep[0]).unwrap_err().to_string().contains("was collected"));
    assert!(heap.try_get(early).unwrap_err().to_string().contains("another heap"));
    expect_sound(&heap);

    // A heap that has not collected since may still hand out cells under the stamp that it has.
    assert_eq!(idle[early], 1);
    if let Ok(more) = idle.try_alloc(2_u8) {
        assert_eq!(idle[more], 2);
    }
    drop(heap);
    ledger.expect_all_dropped();
}
