//! Every piece of a program's own code that the heap calls tries to get at the same heap, by way of an `Rc<RefCell<_>>` or
//! a thread-local: it finds it borrowed, whatever the heap is doing at that moment, and the heap is in order afterwards.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tumulus_heap::{Gc, Heap, Trace, Tracer};
use tumulus_tests::{Ledger, Token, calm_heap, expect_sound, panic_words};

type Shared = Rc<RefCell<Heap>>;

/// A heap, and a count of the attempts to borrow it that failed.
#[derive(Clone)]
struct Intruder {
    heap: Shared,
    refused: Rc<Cell<u32>>,
}

impl Intruder {
    fn new() -> Intruder {
        Intruder { heap: Rc::new(RefCell::new(calm_heap())), refused: Rc::default() }
    }

    /// Tries to get at the heap, which is being changed at this moment.
    fn try_it(&self) {
        assert!(self.heap.try_borrow().is_err() && self.heap.try_borrow_mut().is_err(), "two ways to one heap");
        self.refused.set(self.refused.get() + 1);
    }

    /// Panics unless it was tried since the last time.
    #[track_caller]
    fn expect_refused(&self) {
        assert!(self.refused.get() > 0, "it was never tried");
        // To verify a heap is to read it, so that it may be read meanwhile, unless it is borrowed in this way.
        expect_sound(&self.heap.borrow_mut());
        self.refused.set(0);
    }
}

/// Tries to get at the heap when it is traced, cloned and dropped.
struct Agent {
    intruder: Intruder,
    held: Option<Gc<Token>>,
}

impl Trace for Agent {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.intruder.try_it();
        self.held.trace(tracer);
    }
}

impl Clone for Agent {
    fn clone(&self) -> Agent {
        self.intruder.try_it();
        Agent { intruder: self.intruder.clone(), held: self.held }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.intruder.try_it();
    }
}

#[test]
fn out_of_trace_and_drop_in_each_kind_of_collection() {
    let (intruder, ledger) = (Intruder::new(), Ledger::new());
    let agent = |heap: &mut Heap| {
        let held = Some(heap.alloc(ledger.token()));
        heap.alloc(Agent { intruder: intruder.clone(), held })
    };
    let kept = {
        let mut heap = intruder.heap.borrow_mut();
        let kept = agent(&mut heap);
        agent(&mut heap);
        heap.collect_minor(&kept);
        kept
    };
    intruder.expect_refused();
    ledger.expect_dropped(1);
    intruder.heap.borrow_mut().collect(&kept);
    intruder.expect_refused();
    intruder.heap.borrow_mut().scope(|heap| {
        agent(heap);
        heap.collect(&());
    });
    intruder.expect_refused();
    // The result of a scope is asked for its handles.
    let returned = intruder.heap.borrow_mut().scope(|heap| {
        heap.scope(|heap| {
            let held = Some(heap.alloc(ledger.token()));
            Agent { intruder: intruder.clone(), held }
        });
        agent(heap)
    });
    intruder.expect_refused();
    assert!(intruder.heap.borrow().contains(returned));
    intruder.heap.borrow_mut().collect(&());
    intruder.expect_refused();
    ledger.expect_all_dropped();
}

#[test]
fn out_of_the_closures_and_iterators_of_allocation() {
    struct Items<'i>(&'i Intruder, usize);
    impl Iterator for Items<'_> {
        type Item = u64;
        fn next(&mut self) -> Option<u64> {
            self.0.try_it();
            self.1 = self.1.checked_sub(1)?;
            Some(7)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            self.0.try_it();
            (self.1, Some(self.1))
        }
    }
    impl ExactSizeIterator for Items<'_> {}
    impl Drop for Items<'_> {
        fn drop(&mut self) {
            self.0.try_it();
        }
    }

    let intruder = Intruder::new();
    let make = || {
        intruder.try_it();
        [7_u64; 3]
    };
    let make_large = || [make(); 500];
    let small = intruder.heap.borrow_mut().alloc_with(make);
    intruder.expect_refused();
    let large = intruder.heap.borrow_mut().alloc_with(make_large);
    intruder.expect_refused();
    let slice = intruder.heap.borrow_mut().alloc_slice_with(5, |_| make());
    intruder.expect_refused();
    let failed = intruder.heap.borrow_mut().try_build_slice(5, |at| if at < 3 { Ok(make()) } else { Err(at) });
    assert!(failed.is_err());
    intruder.expect_refused();
    let items = intruder.heap.borrow_mut().alloc_slice_from_iter(Items(&intruder, 4));
    intruder.expect_refused();
    {
        let mut heap = intruder.heap.borrow_mut();
        // Dropped before the borrow of the heap ends.
        let agents = [0; 3].map(|_| Agent { intruder: intruder.clone(), held: None });
        let agents = heap.alloc_slice(&agents);
        heap.collect(&(small, large, slice, items, agents));
    }
    intruder.expect_refused();
    let mut heap = intruder.heap.borrow_mut();
    assert_eq!((heap[small], heap[large][499], &heap[items]), ([7; 3], [7; 3], &[7; 4][..]));
    assert_eq!(heap[slice], [[7; 3]; 5]);
    heap.collect(&());
    assert_eq!(heap.statistics().used_bytes, 0);
}

#[test]
fn out_of_the_near_limit_callback_and_its_drop() {
    struct OnDrop(Intruder);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.try_it();
            panic!("the old callback");
        }
    }
    let intruder = Intruder::new();
    intruder.heap.borrow_mut().set_limit(16 << 10);
    let on_drop = OnDrop(intruder.clone());
    intruder.heap.borrow_mut().on_near_limit(move |near| {
        on_drop.0.try_it();
        near.limit + (16 << 10)
    });
    let first = intruder.heap.borrow_mut().alloc_slice(&[1_u8; 10_000]);
    let second = intruder.heap.borrow_mut().alloc_slice(&[2_u8; 10_000]);
    intruder.expect_refused();
    // The new callback is in place, although the old one panicked on its way out.
    let mut told = 0;
    let count = Rc::new(Cell::new(0));
    let counter = Rc::clone(&count);
    let words = panic_words(|| {
        intruder.heap.borrow_mut().on_near_limit(move |near| {
            counter.set(counter.get() + 1);
            near.limit
        });
    });
    assert_eq!(words, "the old callback");
    intruder.expect_refused();
    let mut heap = intruder.heap.borrow_mut();
    while heap.try_alloc([0_u64; 30]).is_ok() {
        told += 1;
        assert!(told < 10_000, "no limit");
    }
    assert_eq!(count.get(), 1);
    assert_eq!((heap[first][9_999], heap[second][9_999]), (1, 2));
    expect_sound(&heap);
}

#[test]
fn a_trace_that_verify_asks_may_read_the_heap_and_no_more() {
    /// Reads what it holds, by way of the heap that it is in.
    struct Reader {
        heap: Shared,
        held: Gc<String>,
        read: Rc<RefCell<Vec<String>>>,
    }
    impl Trace for Reader {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            if let Ok(heap) = self.heap.try_borrow() {
                self.read.borrow_mut().push(heap[self.held].clone());
                assert!(self.heap.try_borrow_mut().is_err());
            }
            self.held.trace(tracer);
        }
    }
    let heap: Shared = Rc::new(RefCell::new(calm_heap()));
    let read: Rc<RefCell<Vec<String>>> = Rc::default();
    let reader = {
        let mut inner = heap.borrow_mut();
        let held = inner.alloc("held".to_string());
        inner.alloc(Reader { heap: Rc::clone(&heap), held, read: Rc::clone(&read) })
    };
    heap.borrow_mut().collect(&reader);
    assert!(read.borrow().is_empty(), "a collection was not alone with its heap");
    expect_sound(&heap.borrow());
    assert_eq!(*read.borrow(), ["held"]);
    heap.borrow_mut().collect(&());
    assert_eq!(Rc::strong_count(&heap), 1);
}

#[test]
fn out_of_the_end_of_a_thread_whose_heap_it_is() {
    thread_local! {
        static HEAP: RefCell<Heap> = RefCell::new(calm_heap());
    }
    struct Last {
        log: std::sync::mpsc::Sender<bool>,
        other: Heap,
    }
    impl Drop for Last {
        fn drop(&mut self) {
            let reached = HEAP.try_with(|heap| heap.try_borrow_mut().is_ok()).unwrap_or(false);
            // Another heap does what it always does, also now.
            let gc = self.other.alloc(vec![1, 2, 3]);
            self.other.collect(&gc);
            assert_eq!(self.other[gc], [1, 2, 3]);
            self.log.send(reached).unwrap();
        }
    }
    impl Trace for Last {
        const HAS_EDGES: bool = false;
        fn trace(&self, _tracer: &mut Tracer<'_>) {}
    }
    let (log, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        HEAP.with_borrow_mut(|heap| {
            for _ in 0..3 {
                heap.alloc(Last { log: log.clone(), other: calm_heap() });
            }
        });
    });
    thread.join().unwrap();
    assert_eq!(told.into_iter().collect::<Vec<bool>>(), [false; 3]);
}
