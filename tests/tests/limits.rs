//! A limit counts what the heap has committed. Reaching it is an error with the numbers and the value, the heap works
//! on, and a program that collects at safepoints and has little alive never gets there.
//!
//! The heaps whose numbers matter have no zeal, as `no-reuse` commits more.

use std::cell::RefCell;
use std::rc::Rc;
use tumulus_heap::{AllocErrorKind, BuildError, Gc, Heap, NearLimit, Trace, Zeal};
use tumulus_tests::{Ledger, expect_error, expect_sound, panic_words, scaled};

fn limited(bytes: usize) -> Heap {
    Heap::builder().limit(bytes).zeal(Zeal::none()).build()
}

/// Allocates until there is no more room, and says how many objects there are.
fn fill(heap: &mut Heap) -> Vec<Gc<[u64; 15]>> {
    let mut made = Vec::new();
    while let Ok(gc) = heap.try_alloc([made.len() as u64; 15]) {
        made.push(gc);
    }
    made
}

#[test]
fn counts_committed_bytes_and_is_never_exceeded() {
    for limit in [0, 1, 16 << 10, (16 << 10) - 1, 100_000, 1 << 20].into_iter().take(scaled(6, 4)) {
        let mut heap = limited(limit);
        let made = fill(&mut heap);
        let statistics = heap.statistics();
        assert!(statistics.committed_bytes <= limit, "{statistics:?}");
        assert!(limit - statistics.committed_bytes < 16 << 10, "{statistics:?}");
        assert_eq!(statistics.used_bytes, made.len() * 128);
        assert!(statistics.committed_bytes - statistics.used_bytes < 16 << 10);
        for bytes in [3_000, 20_000, 2 << 20] {
            let before = heap.statistics().committed_bytes;
            if heap.try_alloc_slice_with(bytes, |_| 0_u8).is_ok() {
                assert!(before + bytes <= limit);
            }
        }
        assert!(heap.statistics().committed_bytes <= limit);
        assert!(made.iter().enumerate().all(|(n, &gc)| heap[gc] == [n as u64; 15]));
        expect_sound(&heap);
    }
}

#[test]
fn the_error_has_the_numbers_and_the_value() {
    let mut heap = limited(64 << 10);
    fill(&mut heap);
    let ledger = Ledger::new();
    let error = heap.try_alloc((ledger.token(), 7_u8)).unwrap_err();
    assert_eq!(error.kind, AllocErrorKind::Limit);
    assert_eq!((error.used, error.limit, error.requested), (64 << 10, 64 << 10, 16 << 10));
    let words = error.to_string();
    for part in ["65536 used", "16384 requested", "65536 is the limit", "collect, or raise the limit"] {
        assert!(words.contains(part), "{words}");
    }
    ledger.expect_dropped(0);
    let (token, seven) = error.into_value();
    assert_eq!((token.id(), seven), (0, 7));
    drop(token);
    ledger.expect_all_dropped();

    let error = heap.try_alloc([1_u8; 50_000]).unwrap_err();
    assert!(error.requested >= 50_000 && error.value == [1; 50_000]);
    assert!(error.to_string().contains("[u8; 50000]"), "{error}");
}

#[test]
fn alloc_panics_with_the_same_words() {
    let mut heap = limited(32 << 10);
    fill(&mut heap);
    let ledger = Ledger::new();
    let words = heap.try_alloc(ledger.token()).unwrap_err().to_string();
    assert_eq!(panic_words(|| heap.alloc(ledger.token())), words);
    assert_eq!(panic_words(|| heap.alloc_with(|| ledger.token())), words);
    assert_eq!(ledger.made(), 2, "the closure was called though there was no room");
    ledger.expect_all_dropped();
    let words = heap.try_alloc_slice(&[1_u32; 10]).unwrap_err().to_string();
    assert_eq!(panic_words(|| heap.alloc_slice(&[1_u32; 10])), words);
    assert_eq!(panic_words(|| heap.alloc_slice_from_iter(0..10_u32)), words);
    let words = heap.try_alloc_str("text").unwrap_err().to_string();
    assert_eq!(panic_words(|| heap.alloc_str("text")), words);
    let large = "text".repeat(10_000);
    let words = heap.try_alloc_str(&large).unwrap_err().to_string();
    assert_eq!(panic_words(|| heap.alloc_str(&large)), words);
    expect_sound(&heap);
}

#[test]
fn slices_and_strings_meet_it_too() {
    let mut heap = limited(0);
    let ledger = Ledger::new();
    assert_eq!(expect_error(heap.try_alloc_slice(&[1_u8])).kind, AllocErrorKind::Limit);
    assert_eq!(expect_error(heap.try_alloc_str("")).kind, AllocErrorKind::Limit);
    assert_eq!(expect_error(heap.try_alloc_slice_with(0, |_| 1_u8)).kind, AllocErrorKind::Limit);
    assert!(heap.try_alloc_slice_with(3, |_| ledger.token()).is_err());
    assert!(matches!(heap.try_build_slice(3, |_| Err::<u8, _>("made")), Err(BuildError::Alloc(_))));
    assert_eq!(ledger.made(), 0, "an element was made though there was no room");
    let error = heap.try_alloc_slice_from_iter((0..3).map(|_| ledger.token())).unwrap_err();
    let tokens: Vec<_> = error.into_value().collect();
    assert_eq!(tokens.len(), 3);
    ledger.expect_dropped(0);
    let make = heap.try_alloc_with(|| ledger.token()).unwrap_err().into_value();
    heap.set_limit(1 << 20);
    let gc = heap.alloc_with(make);
    assert_eq!(heap[gc].id(), 3);
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn a_collection_makes_room_again() {
    let mut heap = limited(256 << 10);
    for _ in 0..5 {
        let made = fill(&mut heap);
        assert!(made.len() > 1_900, "{}", made.len());
        heap.collect(&());
    }
    // For objects of another size as well: empty pages are given back first.
    let mut count = 0;
    while heap.try_alloc([0_u8; 1_000]).is_ok() {
        count += 1;
    }
    assert!(count > 240, "{count}");
    heap.collect(&());
    assert!(heap.try_alloc_slice(&[0_u8; 200 << 10]).is_ok());
    assert!(heap.try_alloc_slice(&[0_u8; 100 << 10]).is_err());
    heap.collect(&());
    assert!(fill(&mut heap).len() > 1_900);
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn one_that_is_set_below_what_is_used_stops_growth_only() {
    let mut heap = limited(usize::MAX);
    let kept: Vec<Gc<[u64; 15]>> = (0..1_000).map(|n| heap.alloc([n; 15])).collect();
    heap.set_limit(1_000);
    assert_eq!(heap.limit(), 1_000);
    let rest = fill(&mut heap);
    assert!(rest.len() < 128, "more than the rest of a page: {}", rest.len());
    assert!(heap.try_alloc_slice(&[0_u8; 10_000]).is_err());
    heap.collect(&kept);
    assert!(kept.iter().enumerate().all(|(n, &gc)| heap[gc] == [n as u64; 15]));
    assert!(heap.try_alloc_slice(&[0_u8; 10_000]).is_err());
    heap.collect(&());
    heap.set_limit(1 << 20);
    assert!(heap.try_alloc_slice(&[0_u8; 10_000]).is_ok());
    assert!(fill(&mut heap).len() > 5_000);
}

#[test]
fn the_near_limit_callback_may_raise_it() {
    let told: Rc<RefCell<Vec<NearLimit>>> = Rc::default();
    let log = Rc::clone(&told);
    let mut heap = limited(32 << 10);
    heap.on_near_limit(move |near| {
        log.borrow_mut().push(near);
        if near.limit < 96 << 10 { near.limit + (32 << 10) } else { near.limit }
    });
    let made = fill(&mut heap);
    assert_eq!(heap.limit(), 96 << 10);
    assert!(made.len() * 128 > 90 << 10);
    {
        let told = told.borrow();
        let limits: Vec<usize> = told.iter().map(|near| near.limit).collect();
        assert_eq!(limits, [32 << 10, 64 << 10, 96 << 10]);
        assert!(told.iter().all(|near| near.used <= near.limit && near.used + near.requested > near.limit));
    }
    if cfg!(miri) {
        // Half a million elements take minutes.
        return;
    }
    // A large object may need to ask several times; less than enough is not enough.
    let mut heap = limited(0);
    heap.on_near_limit(|near| if near.limit < 1 << 20 { near.limit + (64 << 10) } else { 0 });
    assert!(heap.try_alloc_slice(&[0_u8; 500_000]).is_ok());
    assert!(heap.limit() >= 500_000 && heap.limit() < 700_000);
    assert!(heap.try_alloc_slice(&[0_u8; 600_000]).is_err());
}

#[test]
fn the_callback_is_not_asked_when_there_is_room() {
    let mut heap = limited(1 << 20);
    heap.on_near_limit(|_| panic!("there is room"));
    for n in 0..1_000 {
        heap.alloc([n; 20]);
    }
    assert_eq!(expect_error(heap.try_alloc_slice_with(usize::MAX / 8, |_| 0_u64)).kind, AllocErrorKind::TooLarge);
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn alloc_or_collect_collects_once_there_is_no_room() {
    #[derive(Trace)]
    struct Link {
        next: Option<Gc<Link>>,
        payload: [u64; 30],
    }
    let mut heap = limited(128 << 10);
    let first = heap.alloc(Link { next: None, payload: [1; 30] });
    let mut last = first;
    let mut collections = 0;
    for n in 0..3_000 {
        // The value's own handles are roots in the collection.
        let held = heap.alloc_or_collect(&(first, last), Link { next: None, payload: [n; 30] }).unwrap();
        let link = Link { next: Some(held), payload: [n; 30] };
        last = heap.alloc_or_collect(&first, link).unwrap();
        assert_eq!(heap[heap[last].next.unwrap()].payload, [n; 30]);
        collections = heap.statistics().collections;
    }
    assert!(collections > 3, "{collections}");
    assert_eq!(heap[first].payload, [1; 30]);

    let mut kept = vec![first];
    let error = loop {
        match heap.alloc_or_collect(&kept, Link { next: None, payload: [0; 30] }) {
            Ok(gc) => kept.push(gc),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind, error.value.payload), (AllocErrorKind::Limit, [0; 30]));
    assert!(kept.iter().all(|&gc| heap.contains(gc)));
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn garbage_in_a_loop_never_gets_there() {
    for zeal in [Zeal::none(), "every=100,poison".parse().unwrap()] {
        let mut heap = Heap::builder().limit(1 << 20).zeal(zeal).build();
        let mut live: Vec<Gc<Option<Gc<String>>>> = Vec::new();
        for n in 0..10_000_usize {
            let text = heap.alloc(n.to_string());
            live.push(heap.alloc(Some(text)));
            if live.len() > 100 {
                live.swap_remove(n % 100);
            }
            heap.alloc([n as u64; 20]);
            heap.alloc_slice_with(n % 300, |at| at as u32);
            heap.alloc_str(&"x".repeat(n % 50));
            if n % 10 == 0 {
                heap.alloc_slice_with(20_000, |_| 0_u8);
            }
            heap.safepoint(&live);
        }
        assert!(live.iter().all(|&gc| heap[heap[gc].unwrap()].parse::<usize>().is_ok()));
        assert!(heap.statistics().peak_committed_bytes <= 1 << 20);
        expect_sound(&heap);
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn large_garbage_in_a_loop_never_gets_there() {
    let mut heap = limited(1 << 20);
    let keep = heap.alloc_slice(&[1_u8; 300_000]);
    for n in 0..2_000_usize {
        heap.alloc_slice_with(1_000 + n * 80, |_| ());
        let made = heap.try_alloc_slice(&vec![0_u8; 1_000 + n * 100]);
        assert!(made.is_ok(), "round {n}: {:?}", made.unwrap_err());
        heap.safepoint(&keep);
    }
    assert_eq!(heap[keep].len(), 300_000);
}

#[test]
#[cfg_attr(miri, ignore = "takes hours")]
fn after_a_failure_the_next_safepoint_collects() {
    let mut heap = limited(256 << 10);
    fill(&mut heap);
    let before = heap.statistics().collections;
    heap.safepoint(&());
    assert_eq!(heap.statistics().collections, before + 1);
    assert!(fill(&mut heap).len() > 1_900);
}

#[test]
#[cfg_attr(miri, ignore = "Miri gives up where a system refuses")]
fn a_refusal_of_the_system_is_an_error_too() {
    let mut heap = Heap::new();
    let kept = heap.alloc(1_u8);
    // More than the address space of any machine, and less than `isize::MAX`.
    let error = expect_error(heap.try_alloc_slice_with((1 << 62) / size_of::<u64>(), |_| 0_u64));
    assert_eq!((error.kind, error.requested), (AllocErrorKind::System, 1 << 62));
    assert!(error.to_string().contains("no limit"), "{error}");
    heap.collect(&kept);
    assert_eq!(heap[kept], 1);
    expect_sound(&heap);
}

#[test]
fn what_did_not_fit_is_tried_once_more_after_a_collection() {
    let mut heap = Heap::builder().limit(512 << 10).zeal(Zeal::none()).build();
    let kept = heap.alloc(7);
    for _ in 0..10 {
        let made = heap.try_or_collect(&kept, |heap| heap.try_alloc_slice(&[0_u8; 300_000]));
        assert_eq!(heap[made.expect("what was there before is garbage")].len(), 300_000);
    }
    let held = heap.alloc_slice(&[0_u8; 100]);
    let mut attempts = 0;
    let error = heap.try_or_collect(&(kept, held), |heap| {
        attempts += 1;
        heap.try_alloc_slice(&[0_u8; 600_000])
    });
    assert_eq!(attempts, 2);
    assert!(error.is_err() && heap.contains(held));
    assert_eq!(heap[kept], 7);
}
