//! Programs made at random in which anything may panic: each `Trace`, each destructor and each closure that makes a value
//! burns a fuse, and panics when it has burnt down. Whatever comes of it, every object that could be reached before is whole
//! afterwards, the heap is in order, and every value is dropped once.

use proptest::prelude::*;
use std::cell::Cell;
use std::rc::Rc;
use tumulus_heap::{Gc, Heap, Root, Trace, Tracer, Zeal};
use tumulus_tests::{Ledger, Token, cases, catch, expect_sound, scaled};

/// Counts down and panics once. While it is cold, nothing panics.
#[derive(Clone, Default)]
struct Fuse(Rc<Cell<Option<u32>>>);

impl Fuse {
    fn burn(&self) {
        if let Some(left) = self.0.get() {
            self.0.set(left.checked_sub(1));
            assert!(left > 0, "the fuse has burnt down");
        }
    }
}

/// An object that checks, whenever it is touched, that it is what it was made as.
struct Node<const N: usize> {
    token: Token,
    fuse: Fuse,
    number: u64,
    pattern: [u64; N],
    next: Vec<Any>,
}

impl<const N: usize> Node<N> {
    fn new(ledger: &Ledger, fuse: &Fuse, number: u64, next: Vec<Any>) -> Node<N> {
        fuse.burn();
        Node { token: ledger.token(), fuse: fuse.clone(), number, pattern: [number; N], next }
    }

    fn check(&self) {
        assert!(self.pattern.iter().all(|&word| word == self.number), "object {} was overwritten", self.token.id());
    }
}

impl<const N: usize> Trace for Node<N> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.check();
        self.fuse.burn();
        self.next.trace(tracer);
    }
}

impl<const N: usize> Drop for Node<N> {
    fn drop(&mut self) {
        self.check();
        self.fuse.burn();
    }
}

/// A handle to one of the shapes that objects come in.
#[derive(Copy, Clone, Trace)]
enum Any {
    Small(Gc<Node<1>>),
    Middle(Gc<Node<20>>),
    Large(Gc<Node<300>>),
    Slice(Gc<[Node<2>]>),
}

impl Any {
    /// Whether it is alive. Panics if what it leads to is not what it was.
    fn check(self, heap: &mut Heap) -> bool {
        match self {
            Any::Small(gc) => heap.try_get_mut(gc).map(|node| node.check()).is_ok(),
            Any::Middle(gc) => heap.try_get_mut(gc).map(|node| node.check()).is_ok(),
            Any::Large(gc) => heap.try_get_mut(gc).map(|node| node.check()).is_ok(),
            Any::Slice(gc) => heap.try_get_mut(gc).map(|nodes| nodes.iter().for_each(Node::check)).is_ok(),
        }
    }

    fn make(heap: &mut Heap, kind: u8, number: u64, ledger: &Ledger, fuse: &Fuse, next: &[Any]) -> Any {
        match kind % 6 {
            0 | 1 => Any::Small(heap.alloc_with(|| Node::new(ledger, fuse, number, next.to_vec()))),
            2 => Any::Middle(heap.alloc_with(|| Node::new(ledger, fuse, number, next.to_vec()))),
            3 => Any::Large(heap.alloc_with(|| Node::new(ledger, fuse, number, next.to_vec()))),
            kind => {
                let len = if kind == 4 { 3 } else { 40 };
                Any::Slice(heap.alloc_slice_with(len, |_| Node::new(ledger, fuse, number, next.to_vec())))
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Make { kind: u8, number: u64, fuse: Option<u32>, links: usize },
    Collect { minor: bool, keep: usize, fuse: Option<u32> },
    Root { of: prop::sample::Index },
    Scope { kind: u8, number: u64, fuse: Option<u32> },
}

fn step() -> impl Strategy<Value = Step> {
    let fuse = || prop::option::weighted(0.4, 0..60_u32);
    prop_oneof![
        6 => (any::<u8>(), any::<u64>(), fuse(), 0..4_usize)
            .prop_map(|(kind, number, fuse, links)| Step::Make { kind, number, fuse, links }),
        3 => (any::<bool>(), 0..12_usize, fuse()).prop_map(|(minor, keep, fuse)| Step::Collect { minor, keep, fuse }),
        1 => any::<prop::sample::Index>().prop_map(|of| Step::Root { of }),
        1 => (any::<u8>(), any::<u64>(), fuse()).prop_map(|(kind, number, fuse)| Step::Scope { kind, number, fuse }),
    ]
}

fn run(steps: Vec<Step>, zeal: Zeal) {
    let (ledger, fuse) = (Ledger::new(), Fuse::default());
    let mut heap = Heap::builder().zeal(zeal).page_retention(0).build();
    let mut held: Vec<Any> = Vec::new();
    let mut roots: Vec<Root<Node<1>>> = Vec::new();
    for step in steps {
        let panicked = match step {
            Step::Make { kind, number, fuse: left, links } => {
                fuse.0.set(left);
                let links = held[held.len().saturating_sub(links)..].to_vec();
                catch(|| held.push(Any::make(&mut heap, kind, number, &ledger, &fuse, &links))).is_err()
            }
            Step::Collect { minor, keep, fuse: left } => {
                held.drain(..held.len().saturating_sub(keep));
                fuse.0.set(left);
                catch(|| if minor { heap.collect_minor(&held) } else { heap.collect(&held) }).is_err()
            }
            Step::Root { of } => {
                if let Some(&Any::Small(gc)) = held.get(of.index(held.len().max(1))) {
                    roots.push(heap.root(gc));
                }
                roots.drain(..roots.len().saturating_sub(3));
                false
            }
            Step::Scope { kind, number, fuse: left } => {
                let body = |heap: &mut Heap| {
                    Any::make(heap, kind, number, &ledger, &fuse, &[]);
                    let kept = Any::make(heap, kind.wrapping_add(1), number, &ledger, &fuse, &[]);
                    fuse.0.set(left);
                    heap.collect(&held);
                    kept
                };
                fuse.0.set(None);
                let result = catch(|| heap.scope(body));
                result.map(|kept| held.push(kept)).is_err()
            }
        };
        assert!(!panicked || fuse.0.get().is_none(), "something else panicked");
        fuse.0.set(None);
        assert!(held.iter().all(|&any| any.check(&mut heap)), "what can be reached is gone");
        assert!(roots.iter().all(|root| heap[root].number == heap[root].pattern[0]));
        expect_sound(&heap);
        assert_eq!(heap.statistics().temporaries, 0);
    }
    fuse.0.set(None);
    let reachable = (held.clone(), roots.iter().map(Root::get).collect::<Vec<_>>());
    heap.collect(&reachable);
    assert!(held.iter().all(|&any| any.check(&mut heap)));
    fuse.0.set(Some(3));
    let _ = catch(|| drop(heap));
    fuse.0.set(None);
    drop(roots);
    ledger.expect_all_dropped();
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_panic_anywhere_leaves_everything_whole(
        steps in prop::collection::vec(step(), 1..scaled(60, 6)),
        zeal in prop::sample::select(vec!["none", "none", "poison", "recheck", "no-reuse"]),
    ) {
        run(steps, zeal.parse().unwrap());
    }
}
