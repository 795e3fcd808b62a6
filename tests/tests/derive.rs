//! `#[derive(Trace)]` sees every handle in every kind of type, and only those; what the standard library and the
//! supported crates offer to hold values in keeps alive what it holds; and a type without handles is known to have none
//! at compile time.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::hash::BuildHasherDefault;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use tumulus_heap::{AnyGc, Gc, Heap, NativeFn, Trace};
use tumulus_tests::expect_sound;

type Leaf = Gc<u32>;

/// Puts what `make` makes of `COUNT` leaves into the heap, and expects that so many of them survive.
#[track_caller]
fn keeps<T: Trace + 'static>(expected: usize, make: impl FnOnce([Leaf; COUNT]) -> T) {
    let mut heap = Heap::new();
    let leaves: [Leaf; COUNT] = std::array::from_fn(|n| heap.alloc(n as u32));
    let holder = heap.alloc(make(leaves));
    heap.collect(&holder);
    let alive = leaves.iter().filter(|&&leaf| heap.contains(leaf)).count();
    assert_eq!(alive, expected, "{}", std::any::type_name::<T>());
    // Again, as roots, now that it is old; and by a minor collection, when its holder is new.
    let gone = heap.alloc(0_u32);
    heap.collect(&(&holder, &leaves[..0]));
    assert!(!heap.contains(gone));
    assert_eq!(leaves.iter().filter(|&&leaf| heap.contains(leaf)).count(), expected);
    assert_eq!(heap.statistics().live_objects, 1 + expected as u64);
    expect_sound(&heap);
    heap.collect(&());
    assert_eq!(heap.statistics().live_objects, 0);
}

const COUNT: usize = 3;

#[test]
fn structs_of_every_form() {
    #[derive(Trace)]
    struct Named {
        a: Leaf,
        number: f64,
        b: Option<Leaf>,
        c: (u8, Leaf),
    }
    #[derive(Trace)]
    struct Tuple(Leaf, String, Leaf, bool);
    #[derive(Trace)]
    struct Nested {
        tuple: Tuple,
        _unit: Unit,
    }
    #[derive(Trace)]
    struct Unit;
    #[derive(Trace)]
    struct Empty {}
    #[derive(Trace)]
    struct EmptyTuple();

    keeps(3, |[a, b, c]| Named { a, number: 1.0, b: Some(b), c: (1, c) });
    keeps(2, |[a, _, c]| Named { a, number: 1.0, b: None, c: (1, c) });
    keeps(2, |[a, b, _]| Tuple(a, "x".into(), b, true));
    keeps(1, |[a, _, _]| Nested { tuple: Tuple(a, String::new(), a, false), _unit: Unit });
    keeps(0, |_| (Unit, Empty {}, EmptyTuple()));
    let read = Named { a: Heap::new().alloc(1), number: 2.5, b: None, c: (7, Heap::new().alloc(1)) };
    assert!(read.number > 2.0 && read.c.0 == 7 && read.b.is_none());
}

#[test]
fn enums_of_every_form() {
    #[derive(Trace)]
    enum Value {
        Nil,
        Number(f64),
        One(Leaf),
        Two(Leaf, Leaf),
        Named {
            left: Leaf,
            name: String,
            right: Box<Value>,
        },
        #[trace(skip)]
        #[allow(dead_code)]
        Hidden(Leaf, Untraceable),
    }
    struct Untraceable;
    #[derive(Trace)]
    enum Never {}

    keeps(0, |_| Value::Nil);
    keeps(0, |_| Value::Number(1.0));
    keeps(1, |[a, ..]| Value::One(a));
    keeps(2, |[a, _, c]| Value::Two(a, c));
    keeps(3, |[a, b, c]| Value::Named { left: a, name: "x".into(), right: Box::new(Value::Two(b, c)) });
    keeps(0, |[a, ..]| Value::Hidden(a, Untraceable));
    keeps(1, |[a, ..]| vec![Some(Value::One(a)), None]);
    keeps(0, |_| None::<Never>);
    const { assert!(!Never::HAS_EDGES && Value::HAS_EDGES) }
}

#[test]
fn fields_that_are_skipped_hold_nothing() {
    struct Untraceable(Leaf);
    #[derive(Trace)]
    struct Partly {
        seen: Leaf,
        #[trace(skip)]
        unseen: Leaf,
        #[trace(skip)]
        other: Untraceable,
    }
    #[derive(Trace)]
    struct Tuple(
        #[trace(skip)]
        #[allow(dead_code)]
        Untraceable,
        Leaf,
    );
    keeps(1, |[a, b, c]| {
        let partly = Partly { seen: a, unseen: b, other: Untraceable(c) };
        assert_ne!(partly.unseen, partly.other.0);
        partly
    });
    keeps(1, |[a, b, _]| Tuple(Untraceable(a), b));
}

#[test]
fn generics_bounds_constants_and_defaults() {
    #[derive(Trace)]
    struct Pair<A, B = u8> {
        a: A,
        b: B,
    }
    #[derive(Trace)]
    struct Where<T>
    where
        T: Clone + 'static,
        Vec<T>: PartialEq,
    {
        all: Vec<T>,
        handle: Option<Gc<Vec<T>>>,
    }
    #[derive(Trace)]
    struct Fixed<T, const N: usize> {
        slots: [T; N],
        marker: PhantomData<[u8; N]>,
    }
    #[derive(Trace)]
    enum Either<L: Copy, R> {
        Left(L),
        Right(R),
    }
    #[derive(Trace)]
    struct List<T: 'static> {
        value: T,
        next: Option<Gc<List<T>>>,
    }
    /// A type parameter that need not be traced.
    #[derive(Trace)]
    #[trace(bound = "")]
    struct Tagged<Tag> {
        held: Leaf,
        tag: PhantomData<Tag>,
    }
    struct NotTrace;
    trait Family: 'static {
        type Member: Trace + 'static;
    }
    struct Leaves;
    impl Family for Leaves {
        type Member = Leaf;
    }
    #[derive(Trace)]
    #[trace(bound = "F: Family, F::Member: Trace")]
    struct Projected<F: Family> {
        member: F::Member,
    }

    keeps(3, |[a, b, c]| Pair { a: Pair { a, b }, b: c });
    keeps(1, |[a, ..]| Pair { a, b: 7_u8 });
    keeps(2, |[a, b, _]| Where { all: vec![a, b], handle: None });
    keeps(3, |leaves| Fixed { slots: leaves, marker: PhantomData });
    keeps(1, |[a, ..]| Either::<Leaf, String>::Left(a));
    keeps(0, |_| Either::<Leaf, String>::Right("x".into()));
    keeps(1, |[a, ..]| List { value: a, next: None });
    keeps(1, |[a, ..]| Tagged::<NotTrace> { held: a, tag: PhantomData });
    keeps(1, |[a, ..]| Projected::<Leaves> { member: a });
    const {
        assert!(!Pair::<u8, String>::HAS_EDGES && Pair::<u8, Leaf>::HAS_EDGES);
        assert!(!Fixed::<u8, 3>::HAS_EDGES && Fixed::<Leaf, 3>::HAS_EDGES);
        assert!(!Either::<u8, String>::HAS_EDGES && Where::<u8>::HAS_EDGES);
    }

    let mut heap = Heap::new();
    let last = heap.alloc(List { value: 2, next: None });
    let first = heap.alloc(List { value: 1, next: Some(last) });
    heap.collect(&first);
    assert_eq!(heap[first].value + heap[heap[first].next.unwrap()].value, 3);
    let generic = heap.alloc(Where { all: vec![1], handle: None });
    assert!(heap[generic].handle.is_none() && heap[generic].all == [1]);
}

#[test]
fn types_that_own_themselves() {
    #[derive(Trace)]
    struct Tree {
        leaf: Option<Leaf>,
        children: Vec<Tree>,
    }
    #[derive(Trace)]
    enum Term {
        Leaf(Leaf),
        Apply(Box<Term>, Box<Self>),
    }
    #[derive(Trace)]
    #[trace(edges)]
    struct Even(Option<Box<Odd>>, Leaf);
    #[derive(Trace)]
    struct Odd(Option<Box<Even>>, Leaf);
    type Children = Vec<Aliased>;
    #[derive(Trace)]
    #[trace(edges)]
    struct Aliased(Children, Leaf);

    keeps(3, |[a, b, c]| Tree {
        leaf: Some(a),
        children: vec![
            Tree { leaf: None, children: vec![Tree { leaf: Some(b), children: vec![] }] },
            Tree { leaf: Some(c), children: vec![] },
        ],
    });
    keeps(2, |[a, b, _]| Term::Apply(Box::new(Term::Leaf(a)), Box::new(Term::Leaf(b))));
    keeps(3, |[a, b, c]| Even(Some(Box::new(Odd(Some(Box::new(Even(None, a))), b))), c));
    keeps(2, |[a, b, _]| Aliased(vec![Aliased(vec![], a)], b));
}

#[test]
fn names_that_are_keywords_or_clash_with_the_expansion() {
    #[derive(Trace)]
    #[allow(non_camel_case_types)]
    struct r#match {
        r#type: Leaf,
        r#fn: (Leaf,),
        tracer: Leaf,
    }
    #[derive(Trace)]
    struct Clash<Trace, Tracer>(Trace, Tracer);
    #[derive(Trace)]
    enum Option {
        Some(Leaf),
        None,
    }
    keeps(3, |[a, b, c]| r#match { r#type: a, r#fn: (b,), tracer: c });
    keeps(2, |[a, b, _]| Clash(a, b));
    keeps(1, |[a, ..]| (Option::Some(a), Option::None));
}

#[test]
fn lifetimes_in_what_a_safepoint_is_given() {
    #[derive(Trace)]
    struct Roots<'s, T: ?Sized> {
        stack: &'s [Leaf],
        globals: &'s mut Vec<Leaf>,
        extra: &'s T,
        name: &'static str,
    }
    let mut heap = Heap::new();
    let leaves: Vec<Leaf> = (0..5).map(|n| heap.alloc(n)).collect();
    let mut globals = vec![leaves[1]];
    let extra = Cow::Borrowed(&leaves[2..3]);
    let roots = Roots { stack: &leaves[..1], globals: &mut globals, extra: &extra, name: "roots" };
    heap.collect(&roots);
    assert_eq!(roots.name.len(), 5);
    let alive: Vec<bool> = leaves.iter().map(|&leaf| heap.contains(leaf)).collect();
    assert_eq!(alive, [true, true, true, false, false]);
}

/// One test per container: it keeps what is in it.
macro_rules! containers {
    ($($name:ident: $expected:literal = |$leaves:pat_param| $make:expr;)*) => {$(
        #[test]
        fn $name() {
            keeps($expected, |$leaves: [Leaf; COUNT]| $make);
        }
    )*};
}

type Hasher = BuildHasherDefault<std::collections::hash_map::DefaultHasher>;

mod containers {
    use super::*;

    containers! {
        option: 1 = |[a, ..]| Some(Some(a));
        result: 2 = |[a, b, _]| [Ok::<_, (u8, Leaf)>(a), Err((1, b))];
        tuples: 3 = |[a, b, c]| (1, (a, "x", (b,)), 2.0, c);
        tuple_of_twelve: 2 = |[a, b, _]| (a, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, b);
        array: 3 = |leaves| leaves;
        boxed: 1 = |[a, ..]| Box::new(Box::new(a));
        boxed_slice: 3 = |leaves| Box::<[Leaf]>::from(leaves);
        cow: 3 = |leaves| Cow::<[Leaf]>::Owned(leaves.to_vec());
        vec: 3 = |leaves| leaves.to_vec();
        vec_deque: 3 = |[a, b, c]| { let mut deque = VecDeque::from([b, c]); deque.push_front(a); deque };
        linked_list: 3 = |leaves| LinkedList::from(leaves);
        binary_heap: 3 = |leaves| BinaryHeap::from(leaves);
        btree_map_keys: 2 = |[a, b, _]| BTreeMap::from([(a, 1), (b, 2)]);
        btree_map_values: 2 = |[a, b, _]| BTreeMap::from([(1, a), (2, b)]);
        btree_set: 3 = |leaves| BTreeSet::from(leaves);
        hash_map_keys: 2 = |[a, b, _]| HashMap::from([(a, 1), (b, 2)]);
        hash_map_values: 3 = |[a, b, c]| HashMap::from([("a", vec![a]), ("b", vec![b, c])]);
        hash_map_with_a_hasher: 2 = |[a, b, _]| HashMap::<_, _, Hasher>::from_iter([(a, b)]);
        hash_set: 3 = |leaves| HashSet::from(leaves);
        erased: 3 = |leaves| leaves.map(Gc::erase).to_vec();
        erased_keys: 2 = |[a, b, _]| HashMap::<AnyGc, AnyGc>::from([(a.erase(), b.erase())]);
        native_fn: 2 = |[a, b, _]| NativeFn::<_, Heap, u8, u8>::new(vec![a, b], |_, _, args| args[0]);
        hashbrown_map: 3 = |[a, b, c]| hashbrown::HashMap::<_, _>::from_iter([(a, Some(b)), (c, None)]);
        hashbrown_set: 3 = |leaves| hashbrown::HashSet::<_>::from_iter(leaves);
        hashbrown_table: 2 = |[a, b, _]| {
            let mut table = hashbrown::HashTable::new();
            table.insert_unique(1, a, |_| 1);
            table.insert_unique(2, b, |_| 2);
            table
        };
        index_map: 3 = |[a, b, c]| indexmap::IndexMap::<_, _>::from_iter([(a, Some(b)), (c, None)]);
        index_set: 3 = |leaves| indexmap::IndexSet::<_>::from_iter(leaves);
        small_vec_inline: 2 = |[a, b, _]| smallvec::SmallVec::<[Leaf; 4]>::from_slice(&[a, b]);
        small_vec_spilled: 3 = |leaves| smallvec::SmallVec::<[Leaf; 1]>::from_slice(&leaves);
    }
}

#[test]
fn what_has_no_handles_is_known_at_compile_time() {
    #[derive(Trace)]
    struct Leafy {
        number: u8,
        text: Vec<Box<str>>,
        shared: Rc<RefCell<Vec<Cell<u8>>>>,
        locked: Arc<Mutex<Option<String>>>,
        table: HashMap<String, Result<f64, std::io::Error>>,
        function: fn(u8) -> u8,
        #[trace(skip)]
        hidden: Option<Leaf>,
    }
    const {
        assert!(!Leafy::HAS_EDGES && !<[Leafy]>::HAS_EDGES && !<Option<(Leafy, char)>>::HAS_EDGES);
        assert!(!str::HAS_EDGES && !String::HAS_EDGES && !u128::HAS_EDGES && !<()>::HAS_EDGES);
        assert!(!<Rc<str>>::HAS_EDGES && !<&'static [u8]>::HAS_EDGES && !<PhantomData<Leaf>>::HAS_EDGES);
        assert!(!hashbrown::HashMap::<u8, u8>::HAS_EDGES && !indexmap::IndexSet::<u8>::HAS_EDGES);
        assert!(!smallvec::SmallVec::<[u8; 4]>::HAS_EDGES && !NativeFn::<u8>::HAS_EDGES);
        assert!(Leaf::HAS_EDGES && AnyGc::HAS_EDGES && <Option<Leaf>>::HAS_EDGES && <Vec<(u8, Leaf)>>::HAS_EDGES);
        assert!(HashMap::<Leaf, u8>::HAS_EDGES && HashMap::<u8, Leaf>::HAS_EDGES && NativeFn::<Leaf>::HAS_EDGES);
        assert!(size_of::<Option<Gc<[Leafy]>>>() == 8 && size_of::<Option<AnyGc>>() == 8);
    }
    keeps(0, |[a, ..]| {
        let leafy = Leafy {
            number: 1,
            text: vec!["x".into()],
            shared: Rc::default(),
            locked: Arc::default(),
            table: HashMap::new(),
            function: |n| n + 1,
            hidden: Some(a),
        };
        assert_eq!((leafy.function)(leafy.number), 2);
        assert!(leafy.text.len() + leafy.shared.borrow().len() + leafy.table.len() == 1 && leafy.hidden.is_some());
        assert!(leafy.locked.lock().unwrap().is_none());
        leafy
    });
}

#[test]
fn a_minor_collection_sees_the_same() {
    #[derive(Trace)]
    struct Holder {
        table: HashMap<u8, Vec<Option<Leaf>>>,
    }
    let mut heap = Heap::new();
    let holder = heap.alloc(Holder { table: HashMap::new() });
    heap.collect(&holder);
    for n in 0..10 {
        let (kept, lost) = (heap.alloc(1), heap.alloc(2));
        heap.get_mut(holder).table.entry(n % 3).or_default().push(Some(kept));
        heap.collect_minor(&holder);
        assert!(heap.contains(kept) && !heap.contains(lost));
    }
}
