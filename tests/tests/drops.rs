//! Every object is dropped exactly once: by the collection that finds it dead, or with the heap. Dropping an object
//! never drops another, so that neither a long list nor a deep tree needs stack.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tumulus_heap::{Collector, Gc, Heap, Trace, Zeal};
use tumulus_tests::{Ledger, Token, calm_heap, expect_sound, scaled};

/// So many elements do not fit a cell.
const LONG: usize = scaled(400, 150);

#[derive(Trace)]
struct Small(Token);

#[derive(Trace)]
struct Linked {
    token: Token,
    next: Option<Gc<Linked>>,
}

#[derive(Trace)]
struct Large {
    token: Token,
    payload: [u64; 400],
}

/// One object of each shape, with `4 + 3 + LONG` tokens.
#[derive(Trace)]
struct Mixed {
    small: Gc<Small>,
    linked: Gc<Linked>,
    boxed: Gc<Box<Small>>,
    large: Gc<Large>,
    slice: Gc<[Token]>,
    long_slice: Gc<[Token]>,
}

const TOKENS: usize = 4 + 3 + LONG;

fn mixed(heap: &mut Heap, ledger: &Ledger) -> Gc<Mixed> {
    let mixed = Mixed {
        small: heap.alloc(Small(ledger.token())),
        linked: heap.alloc(Linked { token: ledger.token(), next: None }),
        boxed: heap.alloc(Box::new(Small(ledger.token()))),
        large: heap.alloc(Large { token: ledger.token(), payload: [3; 400] }),
        slice: heap.alloc_slice_with(3, |_| ledger.token()),
        long_slice: heap.alloc_slice_with(LONG, |_| ledger.token()),
    };
    heap.get_mut(mixed.linked).next = Some(mixed.linked);
    heap.alloc(mixed)
}

fn is_whole(heap: &Heap, mixed: Gc<Mixed>, ledger: &Ledger) -> bool {
    let Mixed { small, linked, boxed, large, slice, long_slice } = &heap[mixed];
    let tokens = heap[*slice].iter().chain(&heap[*long_slice]);
    heap[*large].payload == [3; 400]
        && tokens
            .chain([&heap[*small].0, &heap[*linked].token, &heap[*boxed].0, &heap[*large].token])
            .all(|token| !ledger.is_dropped(token.id()))
}

#[test]
fn by_a_full_collection() {
    const COUNT: usize = scaled(60, 8);
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let mut kept: Vec<Gc<Mixed>> = (0..COUNT).map(|_| mixed(&mut heap, &ledger)).collect();
    for rest in [COUNT / 2, COUNT / 8, COUNT / 8, 1, 0] {
        kept.truncate(rest);
        heap.collect(&kept);
        ledger.expect_dropped((COUNT - rest) * TOKENS);
        assert!(kept.iter().all(|&gc| is_whole(&heap, gc, &ledger)));
    }
    assert_eq!(heap.statistics().freed_objects, COUNT as u64 * 7);
    drop(heap);
    ledger.expect_all_dropped();
}

#[test]
fn by_a_minor_collection_if_young_and_by_the_next_full_one_if_old() {
    const COUNT: usize = scaled(20, 4);
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let old: Vec<Gc<Mixed>> = (0..COUNT).map(|_| mixed(&mut heap, &ledger)).collect();
    heap.collect_minor(&old);
    for _ in 0..COUNT {
        mixed(&mut heap, &ledger);
    }
    heap.collect_minor(&());
    ledger.expect_dropped(COUNT * TOKENS);
    assert!(old.iter().all(|&gc| is_whole(&heap, gc, &ledger)));
    heap.collect(&old[..COUNT / 4]);
    ledger.expect_dropped((2 * COUNT - COUNT / 4) * TOKENS);
    drop(heap);
    ledger.expect_all_dropped();
}

#[test]
fn by_the_end_of_the_heap_whatever_it_went_through() {
    for collections in 0..scaled(4, 3) {
        let ledger = Ledger::new();
        let mut heap = Heap::new();
        let mut kept = Vec::new();
        for n in 0..collections {
            kept.push(mixed(&mut heap, &ledger));
            mixed(&mut heap, &ledger);
            if n % 2 == 0 { heap.collect(&kept) } else { heap.collect_minor(&kept) }
        }
        mixed(&mut heap, &ledger);
        ledger.expect_dropped(collections * TOKENS);
        drop(heap);
        ledger.expect_all_dropped();
    }
}

#[test]
fn by_the_end_of_a_heap_that_never_collects() {
    let ledger = Ledger::new();
    let mut heap = Heap::builder().collector(Collector::None).build();
    let first = mixed(&mut heap, &ledger);
    for _ in 0..scaled(10, 2) {
        mixed(&mut heap, &ledger);
        heap.safepoint(&());
        heap.collect(&());
        heap.collect_minor(&());
    }
    ledger.expect_dropped(0);
    assert!(is_whole(&heap, first, &ledger));
    drop(heap);
    ledger.expect_all_dropped();
}

#[test]
fn never_by_being_replaced_or_moved_out_of_an_object() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let gc = heap.alloc(Some(ledger.token()));
    let taken = heap.get_mut(gc).take();
    heap.collect(&());
    ledger.expect_dropped(0);
    drop(taken);
    ledger.expect_dropped(1);
    let (a, b) = (heap.alloc(Small(ledger.token())), heap.alloc(Small(ledger.token())));
    let [x, y] = heap.get_disjoint_mut([a, b]);
    std::mem::swap(x, y);
    heap.collect(&a);
    assert!(ledger.is_dropped(1) && !ledger.is_dropped(2));
    heap[a] = Small(ledger.token());
    ledger.expect_dropped(3);
    drop(heap);
    ledger.expect_all_dropped();
}

#[test]
fn cycles_die_whole() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let ring: Vec<Gc<Linked>> =
        (0..scaled(1_000, 60)).map(|_| heap.alloc(Linked { token: ledger.token(), next: None })).collect();
    for n in 0..ring.len() {
        heap.get_mut(ring[n]).next = Some(ring[(n + 1) % ring.len()]);
    }
    heap.collect(&ring[ring.len() / 2]);
    ledger.expect_dropped(0);
    heap.collect(&());
    ledger.expect_all_dropped();
}

#[test]
fn roots_that_outlive_their_heap_do_no_harm() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let gc = heap.alloc(ledger.token());
    let root = heap.root(gc);
    drop(heap);
    ledger.expect_all_dropped();
    let again = root.clone();
    drop(root);
    let mut another = Heap::new();
    another.alloc(ledger.token());
    assert!(another.try_get(again.get()).is_err());
    another.collect(&());
    drop(again);
    ledger.expect_all_dropped();
}

#[test]
fn a_thread_that_ends_drops_its_heap() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    #[derive(Trace)]
    struct Holder(#[trace(skip)] Counted);

    thread_local! {
        static HEAP: std::cell::RefCell<Heap> = std::cell::RefCell::new(Heap::new());
    }
    let thread = std::thread::spawn(|| {
        HEAP.with_borrow_mut(|heap| {
            for _ in 0..100 {
                heap.alloc(Holder(Counted));
            }
        });
    });
    thread.join().unwrap();
    assert_eq!(DROPS.load(Ordering::Relaxed), 100);
}

#[test]
fn memory_that_objects_own_is_freed() {
    let shared = Rc::new(());
    let mut heap = Heap::new();
    let kept = heap.alloc(vec![Rc::clone(&shared); 10]);
    heap.alloc(vec![Rc::clone(&shared); 100]);
    heap.alloc_slice(&[Some(Rc::clone(&shared)), None]);
    assert_eq!(Rc::strong_count(&shared), 1 + 111);
    heap.collect(&kept);
    assert_eq!(Rc::strong_count(&shared), 1 + 10);
    drop(heap);
    assert_eq!(Rc::strong_count(&shared), 1);
}

/// Builds, collects and drops a list that would overflow any stack if it were followed by calls.
#[test]
#[cfg_attr(miri, ignore = "takes days")]
fn ten_million_nodes_in_a_row_on_a_small_stack() {
    const NODES: usize = 10_000_000;

    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    #[derive(Trace)]
    struct Cons {
        tail: Option<Gc<Cons>>,
        #[trace(skip)]
        _counted: Option<Counted>,
    }

    let drops = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&drops);
    let build = move || {
        let mut heap = calm_heap();
        let (mut list, mut garbage) = (None, None);
        for n in 0..NODES {
            // One in a hundred is counted, which is enough and quicker.
            let counted = || (n % 100 == 0).then(|| Counted(Arc::clone(&counter)));
            if n < NODES / 2 {
                list = Some(heap.alloc(Cons { tail: list, _counted: counted() }));
            } else {
                garbage = Some(heap.alloc(Cons { tail: garbage, _counted: counted() }));
            }
        }
        heap.collect(&list);
        assert_eq!(counter.load(Ordering::Relaxed), NODES / 200);
        assert_eq!(heap.statistics().live_objects, NODES as u64 / 2);
        drop(heap);
        assert_eq!(counter.load(Ordering::Relaxed), NODES / 100);
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(build).unwrap().join().unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), NODES / 100);
}

#[test]
#[cfg_attr(miri, ignore = "takes an hour")]
fn under_every_zeal_at_once() {
    const COUNT: usize = 12;
    let ledger = Ledger::new();
    let mut heap = Heap::builder().zeal("all,no-reuse".parse::<Zeal>().unwrap()).build();
    let mut kept = Vec::new();
    for _ in 0..COUNT {
        kept.push(mixed(&mut heap, &ledger));
        mixed(&mut heap, &ledger);
        heap.safepoint(&kept);
    }
    ledger.expect_dropped(COUNT * TOKENS);
    expect_sound(&heap);
    drop(heap);
    ledger.expect_all_dropped();
}
