//! Panics out of every piece of user code that the heap calls (but `Trace`, which has a test of its own): destructors,
//! the closures and iterators of allocation, the body of a scope, the near-limit callback, and re-entrant use. The heap
//! is in order after each, and every value was dropped once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tumulus_heap::{BuildError, Gc, Heap, Trace, Tracer, Zeal};
use tumulus_tests::{Ledger, Token, calm_heap, catch, expect_sound, panic_words, scaled};

/// Panics when it is dropped, if it is armed. The token says that it was.
#[derive(Trace)]
struct Bomb<const N: usize = 0> {
    token: Token,
    armed: bool,
    payload: [u64; N],
}

impl<const N: usize> Bomb<N> {
    fn new(ledger: &Ledger, armed: bool) -> Bomb<N> {
        Bomb { token: ledger.token(), armed, payload: [7; N] }
    }
}

impl<const N: usize> Drop for Bomb<N> {
    fn drop(&mut self) {
        assert!(self.payload.iter().all(|&word| word == 7), "dropped twice, or not what it was");
        assert!(!self.armed, "bomb {} went off", self.token.id());
    }
}

/// A heap in which `count` of the things that `make` makes lie beside objects that do not explode.
fn mined_heap(
    ledger: &Ledger,
    count: usize,
    mut make: impl FnMut(&mut Heap, bool),
    armed: impl Fn(usize) -> bool,
) -> Heap {
    let mut heap = Heap::new();
    for n in 0..count {
        make(&mut heap, armed(n));
        heap.alloc(ledger.token());
    }
    heap
}

/// How many things may explode.
const COUNT: usize = scaled(300, 8);

/// Lets destructors panic in a collection, and in the drop of the heap.
fn panics_in_drop(armed: impl Fn(usize) -> bool + Copy, make: impl Fn(&mut Heap, &Ledger, bool) + Copy) {
    for minor in [false, true] {
        let ledger = Ledger::new();
        let mut heap = mined_heap(&ledger, COUNT, |heap, armed| make(heap, &ledger, armed), armed);
        let kept = heap.alloc(ledger.token());
        let words = panic_words(|| if minor { heap.collect_minor(&kept) } else { heap.collect(&kept) });
        assert!(words.ends_with("went off"), "{words}");
        // The collection was completed: all the dead were dropped, and counted.
        ledger.expect_dropped(ledger.made() - 1);
        assert_eq!(heap.statistics().collections, 1);
        assert_eq!(heap.statistics().live_objects, 1);
        assert_eq!(heap.statistics().block_bytes, 0);
        expect_sound(&heap);
        // And life goes on.
        let more: Vec<Gc<Token>> = (0..100).map(|_| heap.alloc(ledger.token())).collect();
        heap.collect(&(kept, &more));
        ledger.expect_dropped(ledger.made() - 101);
        drop(heap);
        ledger.expect_all_dropped();
    }

    let ledger = Ledger::new();
    let heap = mined_heap(&ledger, COUNT, |heap, armed| make(heap, &ledger, armed), armed);
    let words = panic_words(|| drop(heap));
    assert!(words.ends_with("went off"), "{words}");
    ledger.expect_all_dropped();

    // When the thread is panicking already, the drop of the heap keeps the panics to itself.
    let ledger = Ledger::new();
    let words = panic_words(|| {
        let _heap = mined_heap(&ledger, COUNT, |heap, armed| make(heap, &ledger, armed), armed);
        panic!("another panic");
    });
    assert_eq!(words, "another panic");
    ledger.expect_all_dropped();
}

fn make_small(heap: &mut Heap, ledger: &Ledger, armed: bool) {
    heap.alloc(Bomb::<1>::new(ledger, armed));
}

fn make_large(heap: &mut Heap, ledger: &Ledger, armed: bool) {
    heap.alloc(Bomb::<500>::new(ledger, armed));
}

fn make_slice(heap: &mut Heap, ledger: &Ledger, armed: bool) {
    heap.alloc_slice_with(5, |at| Bomb::<1>::new(ledger, armed && at == 2));
}

fn make_long_slice(heap: &mut Heap, ledger: &Ledger, armed: bool) {
    heap.alloc_slice_with(scaled(200, 70), |at| Bomb::<1>::new(ledger, armed && at == 0));
}

#[test]
fn a_destructor_that_panics_once() {
    panics_in_drop(|n| n == COUNT / 2, make_small);
}

#[test]
fn a_destructor_that_panics_in_every_object() {
    panics_in_drop(|_| true, make_small);
}

#[test]
fn a_destructor_that_panics_in_every_other_object() {
    panics_in_drop(|n| n % 2 == 1, make_small);
}

#[test]
fn destructors_of_large_objects_that_panic() {
    panics_in_drop(|n| n == COUNT - 1, make_large);
    panics_in_drop(|_| true, make_large);
}

#[test]
fn destructors_of_elements_that_panic() {
    panics_in_drop(|n| n == 0, make_slice);
    panics_in_drop(|_| true, make_slice);
    panics_in_drop(|_| true, make_long_slice);
}

#[test]
fn the_first_of_several_panics_is_passed_on() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    for _ in 0..10 {
        heap.alloc(Bomb::<0>::new(&ledger, true));
    }
    assert_eq!(panic_words(|| heap.collect(&())), "bomb 0 went off");
}

#[test]
fn a_closure_that_panics_instead_of_making_a_value() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let before = heap.alloc(ledger.token());
    for _ in 0..scaled(100, 3) {
        assert_eq!(panic_words(|| heap.alloc_with(|| -> Token { panic!("no value") })), "no value");
        assert_eq!(panic_words(|| heap.alloc_with(|| -> [u64; 1000] { panic!("no large value") })), "no large value");
        assert_eq!(panic_words(|| heap.try_alloc_with(|| -> [u8; 3] { panic!("no bytes") })), "no bytes");
    }
    expect_sound(&heap);
    let after = heap.alloc(ledger.token());
    heap.collect(&(before, after));
    let statistics = heap.statistics();
    assert_eq!((statistics.live_objects, statistics.freed_objects, statistics.block_bytes), (2, 0, 0));
    drop(heap);
    ledger.expect_all_dropped();
}

/// A slice none of whose elements is left when the making of the last one panics or fails.
#[test]
fn a_closure_that_panics_in_the_middle_of_a_slice() {
    // Miri takes seconds to verify a heap with poison.
    let lens: &[usize] = if cfg!(miri) { &[1, 100] } else { &[1, 2, 10, 100, 1_000] };
    for poison in [false, true] {
        for &len in lens {
            for fails_at in [0, len / 2, len - 1] {
                let ledger = Ledger::new();
                let mut heap = Heap::builder().zeal(Zeal { poison, verify: !cfg!(miri), ..Zeal::none() }).build();
                let neighbour = heap.alloc_slice_with(len, |_| (ledger.token(), 7_u64));
                let make = |at| {
                    assert!(at != fails_at, "no element");
                    (ledger.token(), at as u64)
                };
                assert_eq!(panic_words(|| heap.alloc_slice_with(len, make)), "no element");
                ledger.expect_dropped(fails_at);
                let make = |at| if at == fails_at { Err(at) } else { Ok((ledger.token(), at as u64)) };
                let error = heap.try_build_slice(len, make).unwrap_err();
                assert!(matches!(error, BuildError::Element(at) if at == fails_at), "{error:?}");
                ledger.expect_dropped(2 * fails_at);
                expect_sound(&heap);
                let slice = heap.alloc_slice_with(len, |at| (ledger.token(), at as u64));
                heap.collect(&(slice, neighbour));
                assert!(heap[slice].iter().enumerate().all(|(at, element)| element.1 == at as u64));
                assert!(heap[neighbour].iter().all(|element| element.1 == 7));
                assert_eq!(heap.statistics().live_objects, 2);
                drop(heap);
                ledger.expect_all_dropped();
            }
        }
    }
}

#[test]
fn an_element_whose_destructor_panics_when_the_slice_fails() {
    for len in [3, 300] {
        let ledger = Ledger::new();
        let mut heap = Heap::builder().zeal(Zeal { poison: true, ..Zeal::none() }).build();
        let make = |at| if at + 1 == len { Err("no element") } else { Ok(Bomb::<2>::new(&ledger, at == 1)) };
        assert_eq!(panic_words(|| heap.try_build_slice(len, make).is_err()), "bomb 1 went off");
        ledger.expect_all_dropped();
        expect_sound(&heap);
        let slice = heap.alloc_slice_with(len, |_| Bomb::<2>::new(&ledger, false));
        heap.collect(&slice);
        ledger.expect_dropped(len - 1);
        assert_eq!(heap[slice].len(), len);
    }
}

#[test]
fn a_clone_that_panics_in_the_middle_of_a_slice() {
    struct Fickle {
        left: Rc<Cell<usize>>,
        ledger: Ledger,
        _token: Token,
    }
    impl Clone for Fickle {
        fn clone(&self) -> Self {
            assert!(self.left.get() > 0, "no clone");
            self.left.set(self.left.get() - 1);
            Fickle { left: Rc::clone(&self.left), ledger: self.ledger.clone(), _token: self.ledger.token() }
        }
    }
    impl Trace for Fickle {
        const HAS_EDGES: bool = false;
        fn trace(&self, _tracer: &mut Tracer<'_>) {}
    }
    let ledger = Ledger::new();
    let left = Rc::new(Cell::new(7));
    let elements: Vec<Fickle> =
        (0..10).map(|_| Fickle { left: Rc::clone(&left), ledger: ledger.clone(), _token: ledger.token() }).collect();
    let mut heap = Heap::new();
    assert_eq!(panic_words(|| heap.alloc_slice(&elements)), "no clone");
    ledger.expect_dropped(7);
    expect_sound(&heap);
}

/// Says that it has `claimed` items and has `actual`.
struct Liar<'l> {
    claimed: usize,
    actual: usize,
    ledger: &'l Ledger,
}

impl Iterator for Liar<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.actual = self.actual.checked_sub(1)?;
        Some(self.ledger.token())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.claimed, Some(self.claimed))
    }
}

impl ExactSizeIterator for Liar<'_> {}

#[test]
fn an_iterator_that_lies_about_its_length() {
    for (claimed, actual) in [(3, 2), (3, 4), (3, 0), (1, 2), (500, 499), (500, 501), (1, 0)] {
        let ledger = Ledger::new();
        let mut heap = Heap::new();
        let words = panic_words(|| heap.alloc_slice_from_iter(Liar { claimed, actual, ledger: &ledger }));
        assert!(words.contains(&format!("said that it has {claimed} items, and yielded")), "{words}");
        ledger.expect_all_dropped();
        assert_eq!(heap.statistics().used_bytes, 0);
        expect_sound(&heap);
    }
}

#[test]
fn an_iterator_that_panics() {
    for at in [0, 1, 9, 499] {
        let ledger = Ledger::new();
        let mut heap = Heap::new();
        let items = (0..500).map(|n| {
            assert!(n != at, "no item");
            ledger.token()
        });
        assert_eq!(panic_words(|| heap.alloc_slice_from_iter(items)), "no item");
        ledger.expect_all_dropped();
        assert_eq!(ledger.made(), at);
        assert_eq!(heap.statistics().block_bytes, 0);
        expect_sound(&heap);
    }
}

#[test]
fn a_scope_whose_body_panics_ends() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    let words = panic_words(|| {
        heap.scope::<()>(|heap| {
            heap.alloc(ledger.token());
            heap.scope::<()>(|heap| {
                heap.alloc(ledger.token());
                heap.collect(&());
                ledger.expect_dropped(0);
                panic!("out of two scopes")
            });
        });
    });
    assert_eq!(words, "out of two scopes");
    assert_eq!(heap.statistics().temporaries, 0);
    heap.collect(&());
    ledger.expect_all_dropped();
    assert!(panic_words(|| heap.keep(heap_handle())).contains("outside of any scope"));
}

/// A handle of no heap in particular.
fn heap_handle() -> Gc<u8> {
    Heap::new().alloc(1)
}

#[test]
fn a_panic_that_is_caught_inside_the_outer_scope_ends_the_inner_one_only() {
    let ledger = Ledger::new();
    let mut heap = Heap::new();
    heap.scope(|heap| {
        let outer = heap.alloc(ledger.token());
        let result = catch(|| {
            heap.scope::<()>(|heap| {
                heap.alloc(ledger.token());
                panic!("out of the inner scope")
            });
        });
        assert!(result.is_err());
        heap.collect(&());
        ledger.expect_dropped(1);
        assert_eq!(heap[outer].id(), 0);
        assert_eq!(heap.statistics().temporaries, 1);
    });
    heap.collect(&());
    ledger.expect_all_dropped();
}

#[test]
fn a_result_of_a_scope_whose_trace_panics() {
    struct Result(Gc<u8>);
    impl Trace for Result {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            self.0.trace(tracer);
            panic!("no trace");
        }
    }
    let mut heap = Heap::new();
    heap.scope(|heap| {
        let words = panic_words(|| {
            heap.scope(|heap| {
                heap.alloc(1_u16);
                Result(heap.alloc(1_u8))
            })
        });
        assert_eq!(words, "no trace");
        expect_sound(heap);
    });
    heap.collect(&());
    assert_eq!((heap.statistics().temporaries, heap.statistics().live_objects), (0, 0));
}

#[test]
fn a_near_limit_callback_that_panics() {
    let ledger = Ledger::new();
    let mut heap = Heap::builder().limit(64 << 10).build();
    heap.on_near_limit(|_| panic!("no more"));
    let mut made = Vec::new();
    let words = loop {
        match catch(|| heap.alloc((ledger.token(), [0_u64; 20]))) {
            Ok(gc) => made.push(gc),
            Err(payload) => break *payload.downcast::<&str>().unwrap(),
        }
    };
    assert_eq!(words, "no more");
    assert!(made.len() > 100 && heap.statistics().committed_bytes <= 64 << 10);
    // The value that did not fit was dropped by the panic.
    ledger.expect_dropped(1);
    expect_sound(&heap);
    assert_eq!(panic_words(|| heap.try_alloc_slice(&vec![0_u8; 100_000]).is_ok()), "no more");
    heap.on_near_limit(|near| near.limit + (64 << 10));
    made.push(heap.alloc((ledger.token(), [0_u64; 20])));
    heap.collect(&made);
    ledger.expect_dropped(1);
    drop(heap);
    ledger.expect_all_dropped();
}

/// Reaches for the heap that it is in when it is dropped.
struct Reentrant {
    heap: Rc<RefCell<Heap>>,
    token: Token,
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        self.heap.borrow_mut().alloc(1_u8);
    }
}

impl Trace for Reentrant {
    const HAS_EDGES: bool = false;
    fn trace(&self, _tracer: &mut Tracer<'_>) {}
}

#[test]
fn a_destructor_that_reaches_for_its_own_heap() {
    let ledger = Ledger::new();
    let heap = Rc::new(RefCell::new(Heap::new()));
    for _ in 0..10 {
        let object = Reentrant { heap: Rc::clone(&heap), token: ledger.token() };
        assert!(!ledger.is_dropped(object.token.id()));
        heap.borrow_mut().alloc(object);
    }
    let kept = heap.borrow_mut().alloc(5_u32);
    let words = panic_words(|| heap.borrow_mut().collect(&kept));
    assert!(words.contains("already"), "{words}");
    ledger.expect_all_dropped();
    assert_eq!(Rc::strong_count(&heap), 1);
    let mut heap = heap.borrow_mut();
    assert_eq!(heap[kept], 5);
    expect_sound(&heap);
    heap.collect(&());
    assert_eq!(heap.statistics().live_objects, 0);
}

#[test]
fn a_destructor_that_uses_another_heap() {
    struct Heir {
        other: Rc<RefCell<Heap>>,
        _own: Heap,
    }
    impl Drop for Heir {
        fn drop(&mut self) {
            let mut other = self.other.borrow_mut();
            other.alloc("inherited".to_string());
            other.collect(&());
        }
    }
    impl Trace for Heir {
        const HAS_EDGES: bool = false;
        fn trace(&self, _tracer: &mut Tracer<'_>) {}
    }
    let ledger = Ledger::new();
    let other = Rc::new(RefCell::new(calm_heap()));
    let mut heap = Heap::new();
    for _ in 0..10 {
        let mut own = Heap::new();
        own.alloc(ledger.token());
        heap.alloc(Heir { other: Rc::clone(&other), _own: own });
    }
    heap.collect(&());
    ledger.expect_all_dropped();
    assert_eq!(other.borrow().statistics().freed_objects, 10);
    expect_sound(&heap);
    expect_sound(&other.borrow());
}

#[test]
fn a_destructor_that_drops_and_makes_roots() {
    struct Holder {
        held: tumulus_heap::Root<Token>,
        copies: Rc<RefCell<Vec<tumulus_heap::Root<Token>>>>,
    }
    impl Drop for Holder {
        fn drop(&mut self) {
            self.copies.borrow_mut().push(self.held.clone());
        }
    }
    impl Trace for Holder {
        const HAS_EDGES: bool = false;
        fn trace(&self, _tracer: &mut Tracer<'_>) {}
    }
    let ledger = Ledger::new();
    let copies = Rc::new(RefCell::new(Vec::new()));
    let mut heap = Heap::new();
    for _ in 0..10 {
        let token = heap.alloc(ledger.token());
        let held = heap.root(token);
        heap.alloc(Holder { held, copies: Rc::clone(&copies) });
    }
    heap.collect(&());
    ledger.expect_dropped(0);
    assert_eq!((copies.borrow().len(), heap.statistics().roots), (10, 10));
    assert!(copies.borrow().iter().all(|root| heap.contains(root.get())));
    expect_sound(&heap);
    copies.borrow_mut().clear();
    heap.collect(&());
    ledger.expect_all_dropped();
}
