//! Each zeal mode does what its page says, and changes nothing that a right program can see.

use std::collections::HashSet;
use std::num::NonZeroU32;
use tumulus_heap::{Flaw, Gc, Heap, HeapError, Trace, Tracer, VerifyError, Zeal};
use tumulus_tests::{Ledger, Process, Token, expect_sound, panic_words, place, scaled};

fn heap_with(words: &str) -> Heap {
    Heap::builder().zeal(words.parse().unwrap()).build()
}

#[test]
fn none_collects_when_it_is_due_only() {
    let mut heap = heap_with("none");
    let gc = heap.alloc(1);
    for _ in 0..1_000 {
        heap.safepoint(&());
    }
    assert!(heap.contains(gc));
    assert_eq!(heap.statistics().collections, 0);
}

#[test]
fn collect_is_a_full_collection_at_every_safepoint() {
    let ledger = Ledger::new();
    let mut heap = heap_with("collect");
    let old = heap.alloc(ledger.token());
    for n in 0..20 {
        heap.alloc(ledger.token());
        heap.safepoint(&old);
        ledger.expect_dropped(n + 1);
    }
    heap.safepoint(&());
    ledger.expect_all_dropped();
    assert_eq!((heap.statistics().collections, heap.statistics().minor_collections), (21, 0));
}

#[test]
fn every_nth_safepoint_collects_and_the_others_do_not() {
    for every in [1, 2, 3, 7] {
        let zeal = Zeal { collect_every: NonZeroU32::new(every), ..Zeal::none() };
        let mut heap = Heap::builder().zeal(zeal).build();
        for n in 1..50 {
            let gc = heap.alloc(n);
            heap.safepoint(&());
            assert_eq!(heap.contains(gc), n % every != 0, "safepoint {n} of every {every}");
        }
        assert_eq!(heap.statistics().collections, u64::from(49 / every));
    }
}

#[test]
fn minor_makes_seven_of_eight_minor_ones() {
    let ledger = Ledger::new();
    let mut heap = heap_with("collect,minor");
    let old = heap.alloc(ledger.token());
    heap.safepoint(&old);
    let mut survived = 0;
    for _ in 0..7 {
        heap.safepoint(&());
        survived += u32::from(heap.contains(old));
    }
    assert_eq!(survived, 6, "old garbage goes with the eighth");
    for _ in 8..80 {
        heap.alloc(ledger.token());
        heap.safepoint(&());
        ledger.expect_all_dropped();
    }
    assert_eq!((heap.statistics().collections, heap.statistics().minor_collections), (80, 70));
}

#[test]
fn no_reuse_never_gives_the_same_place_twice() {
    let ledger = Ledger::new();
    for zeal in ["no-reuse", "no-reuse,poison,verify,collect"].into_iter().take(scaled(2, 1)) {
        let mut heap = heap_with(zeal);
        let mut places = HashSet::new();
        let mut kept: Vec<Gc<(Token, [u64; 4])>> = Vec::new();
        for n in 0..scaled(60, 3) {
            for m in 0..scaled(40, 8) {
                let gc = heap.alloc((ledger.token(), [7; 4]));
                assert!(places.insert(place(gc).0), "{gc:?}");
                assert!(places.insert(place(heap.alloc_slice_with(n * m % 300, |_| 7_u8)).0));
                assert!(places.insert(place(heap.alloc_with(|| [1_u8; 3_000])).0));
                if m == 0 {
                    kept.push(gc);
                }
            }
            if n % 10 == 9 {
                kept.drain(..7);
            }
            if n % 3 == 0 { heap.collect(&kept) } else { heap.collect_minor(&kept) }
        }
        assert!(kept.iter().all(|&gc| heap[gc].1 == [7; 4]));
        expect_sound(&heap);
    }
    ledger.expect_all_dropped();
}

#[test]
fn without_it_places_are_reused() {
    let mut heap = heap_with("none");
    let first = heap.alloc(1_u64);
    heap.collect(&());
    assert!((0..10_000).any(|n| place(heap.alloc(n)).0 == place(first).0));
}

#[test]
#[cfg_attr(miri, ignore = "takes hours, as each byte of a page is looked at")]
fn poison_and_verify_have_nothing_to_say_of_a_right_program() {
    #[derive(Trace)]
    struct Node {
        token: Token,
        next: Option<Gc<Node>>,
        words: Vec<String>,
    }
    const COUNT: usize = 200;
    let zeals = ["poison", "recheck", "all,minor", "verify", "poison,verify", "all", "all,no-reuse", "every=4,poison"];
    for zeal in zeals {
        let ledger = Ledger::new();
        let mut heap = heap_with(zeal);
        let mut list = None;
        for n in 0..COUNT {
            let words = vec![n.to_string(); n % 4];
            let node = heap.alloc(Node { token: ledger.token(), next: list, words });
            if n % 4 == 0 {
                list = Some(node);
            }
            heap.alloc_slice_with(n * 7 % 300, |_| n as u8);
            heap.alloc_str(&"text".repeat(n % 60));
            if n % 50 == 0 {
                heap.collect(&list);
            }
            heap.safepoint(&list);
        }
        let mut count = 0;
        while let Some(node) = list {
            assert!(!ledger.is_dropped(heap[node].token.id()) && heap[node].words.is_empty());
            list = heap[node].next;
            count += 1;
        }
        assert_eq!(count, COUNT / 4, "{zeal}");
        drop(heap);
        ledger.expect_all_dropped();
    }
}

#[test]
fn verify_names_a_stale_handle_in_an_object() {
    let mut heap = heap_with("verify");
    let gone = heap.alloc(1_u8);
    heap.collect(&());
    let holder = heap.alloc(Some(gone));
    let words = panic_words(|| heap.collect(&holder));
    assert!(words.contains("before collection 2") && words.contains("holds a stale handle"), "{words}");
    let VerifyError { flaws, .. } = heap.verify().unwrap_err();
    assert!(matches!(flaws[..], [Flaw::StaleEdge { edge, .. }] if edge == gone.erase()), "{flaws:?}");
    *heap.get_mut(holder) = None;
    heap.collect(&holder);
    assert_eq!(heap[holder], None);
}

#[test]
fn recheck_notices_a_trace_that_changes_its_mind() {
    struct Fickle {
        asked: std::cell::Cell<u32>,
        held: Gc<u8>,
    }
    impl Trace for Fickle {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            self.asked.set(self.asked.get() + 1);
            if self.asked.get().is_multiple_of(2) {
                self.held.trace(tracer);
            }
        }
    }
    let mut heap = heap_with("recheck");
    let held = heap.alloc(1_u8);
    let fickle = heap.alloc(Fickle { asked: 0.into(), held });
    let words = panic_words(|| heap.collect(&fickle));
    assert!(words.contains("zeal") && words.contains("a plain search says the opposite"), "{words}");
    assert!(heap.contains(held) && heap.contains(fickle));
}

#[test]
fn a_forgotten_root_is_found_at_the_first_safepoint() {
    fn program(heap: &mut Heap) -> u64 {
        let a = heap.alloc(1_u64);
        heap.safepoint(&()); // `a` is forgotten
        let b = heap.alloc(2_u64);
        heap[a] + heap[b]
    }
    assert_eq!(program(&mut heap_with("none")), 3);
    assert!(panic_words(|| program(&mut heap_with("collect"))).contains("u64 behind this handle was collected"));
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn the_environment_sets_it_for_every_heap_that_has_none_of_its_own() {
    let test = "the_environment_sets_it_for_every_heap_that_has_none_of_its_own";
    Process::for_test(test).zeal("poison,every=2").run(|| {
        let collections = |mut heap: Heap| {
            (0..10).for_each(|_| heap.safepoint(&()));
            heap.statistics().collections
        };
        assert_eq!(collections(Heap::new()), 5);
        assert_eq!(collections(Heap::builder().limit(1 << 20).build()), 5);
        assert_eq!(collections(Heap::builder().zeal(Zeal::none()).build()), 0);
    });
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_bad_word_in_the_environment_is_named_by_every_heap_that_reads_it() {
    let test = "a_bad_word_in_the_environment_is_named_by_every_heap_that_reads_it";
    Process::for_test(test).zeal("poison,colect").run(|| {
        for _ in 0..2 {
            let error = Heap::try_new().unwrap_err();
            assert!(matches!(error, HeapError::Zeal(_)), "{error:?}");
            let words = error.to_string();
            assert!(
                words.starts_with("the environment variable TUMULUS_ZEAL: \"colect\" is not a zeal mode"),
                "{words}"
            );
            assert!(words.contains("collect, every=N"), "the words that there are: {words}");
            assert_eq!(panic_words(Heap::new), words);
        }
        let mut heap = Heap::builder().zeal(Zeal::none()).try_build().expect("a heap that does not read it");
        let gc = heap.alloc(1);
        assert_eq!(heap[gc], 1);
    });
}
