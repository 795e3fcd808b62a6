//! Handles that are used with whatever heap, as whatever type, alive or not: they lead to their own object, or nowhere.

use super::pick;
use arbitrary::Arbitrary;
use std::rc::Rc;
use tumulus_heap::{AnyGc, EphemeronMap, Flaw, Gc, Heap, Root, Trace, Weak};
use tumulus_testing::zeal::Mode;

/// What every object says of itself.
trait Numbered {
    fn number(&self) -> u64;
}

/// Objects of many sizes: in cells of their own and in blocks, with handles and without, with a destructor and without.
#[derive(Trace)]
struct Plain<const N: usize>([u64; N]);

#[derive(Trace)]
struct Holder {
    number: u64,
    edges: [Option<AnyGc>; 2],
    /// So that it has a destructor.
    shared: Option<Rc<u64>>,
}

impl<const N: usize> Numbered for Plain<N> {
    fn number(&self) -> u64 {
        assert!(self.0.iter().all(|&word| word == self.0[0]), "an object was overwritten");
        self.0[0]
    }
}

impl Numbered for Holder {
    fn number(&self) -> u64 {
        assert_eq!(self.shared.as_deref(), Some(&self.number), "an object was overwritten");
        self.number
    }
}

impl Numbered for [u64] {
    fn number(&self) -> u64 {
        assert!(self.iter().all(|&word| word == self[0]), "a slice was overwritten");
        self[0]
    }
}

impl Numbered for str {
    fn number(&self) -> u64 {
        self.parse().expect("a string was overwritten")
    }
}

#[derive(Copy, Clone, Debug, Arbitrary)]
enum Shape {
    One,
    Three,
    Thirty,
    Large,
    Holder,
    Slice,
    LongSlice,
    Text,
}

/// A typed handle.
#[derive(Copy, Clone)]
enum Handle {
    One(Gc<Plain<1>>),
    Three(Gc<Plain<3>>),
    Thirty(Gc<Plain<30>>),
    Large(Gc<Plain<300>>),
    Holder(Gc<Holder>),
    Slice(Gc<[u64]>),
    Text(Gc<str>),
}

/// Does the same with a handle of any type.
macro_rules! with {
    ($handle:expr, $gc:ident => $body:expr) => {
        match $handle {
            Handle::One($gc) => $body,
            Handle::Three($gc) => $body,
            Handle::Thirty($gc) => $body,
            Handle::Large($gc) => $body,
            Handle::Holder($gc) => $body,
            Handle::Slice($gc) => $body,
            Handle::Text($gc) => $body,
        }
    };
}

/// A handle, and what it was made for.
#[derive(Copy, Clone)]
struct Known {
    handle: Handle,
    number: u64,
    /// Which of all heaps that there ever were.
    heap: u64,
}

impl Known {
    fn any(self) -> AnyGc {
        with!(self.handle, gc => gc.erase())
    }
}

#[derive(Copy, Clone, Debug, Arbitrary)]
enum Op {
    Make(bool, Shape, u8, u8),
    Read(bool, u8),
    Downcast(bool, u8, Shape),
    Write(bool, u8, u8),
    Both(bool, u8, u8),
    Root(bool, u8),
    Unroot(u8),
    Upgrade(bool, u8),
    Keep(bool, u8),
    Insert(bool, u8, u8),
    Remove(bool, u8),
    Collect(bool, u8),
    CollectMinor(bool, u8),
    Slice(bool, u8),
    StartMajor(bool),
    Replace(bool),
    Verify(bool),
}

struct Side {
    heap: Heap,
    serial: u64,
    map: Root<EphemeronMap<Gc<Plain<1>>, u64>>,
}

struct World {
    mode: Mode,
    sides: [Side; 2],
    known: Vec<Known>,
    roots: Vec<(Known, AnyRoot)>,
    made: u64,
}

/// A root of any type.
#[expect(dead_code, reason = "only that they are there matters")]
enum AnyRoot {
    One(Root<Plain<1>>),
    Three(Root<Plain<3>>),
    Thirty(Root<Plain<30>>),
    Large(Root<Plain<300>>),
    Holder(Root<Holder>),
    Slice(Root<[u64]>),
    Text(Root<str>),
}

pub(super) fn run(bytes: &[u8]) {
    let Some((mode, mut ops)) = super::read::<(u8, Vec<Op>)>(bytes) else { return };
    // Objects with stale handles are this program's business, and the modes that verify would complain of them.
    let modes: Vec<Mode> = Mode::all().filter(|mode| mode.frees() && !mode.name().contains("verify")).collect();
    let modes: Vec<Mode> = modes.into_iter().filter(|mode| !mode.name().starts_with("all")).collect();
    let mode = pick(&modes, mode).expect("there are some");
    ops.truncate(400);
    let mut world =
        World { mode, sides: [side(mode, 0), side(mode, 1)], known: Vec::new(), roots: Vec::new(), made: 2 };
    for op in ops {
        // An operation for which there is nothing.
        let _ = world.step(op);
    }
    for side in 0..2 {
        world.check_roots(side);
        world.verify(side);
        world.sides[side].heap.collect(&());
        world.check_roots(side);
        world.verify(side);
    }
}

fn side(mode: Mode, serial: u64) -> Side {
    let mut heap = mode.build();
    let map = heap.alloc(EphemeronMap::new());
    let map = heap.root(map);
    Side { heap, serial, map }
}

impl World {
    fn step(&mut self, op: Op) -> Option<()> {
        match op {
            Op::Make(at, shape, first, second) => self.make(at, shape, first, second),
            Op::Read(at, which) => _ = self.read(at, pick(&self.known, which)?),
            Op::Downcast(at, which, shape) => self.downcast(at, pick(&self.known, which)?, shape),
            Op::Write(at, which, edge) => {
                let (known, edge) = (pick(&self.known, which)?, pick(&self.known, edge)?.any());
                let side = &mut self.sides[usize::from(at)];
                if let Handle::Holder(gc) = known.handle
                    && let Ok(holder) = side.heap.try_get_mut(gc)
                {
                    assert_eq!((known.heap, known.number), (side.serial, holder.number()));
                    holder.edges[usize::from(which) % 2] = Some(edge);
                }
            }
            Op::Both(at, first, second) => {
                let (first, second) = (pick(&self.known, first)?, pick(&self.known, second)?);
                let side = &mut self.sides[usize::from(at)];
                if let (Handle::Three(a), Handle::Three(b)) = (first.handle, second.handle)
                    && let Ok([a, b]) = side.heap.try_get_disjoint_mut([a, b])
                {
                    assert_ne!(first.number, second.number, "one object, twice");
                    assert_eq!((first.heap, second.heap), (side.serial, side.serial));
                    assert_eq!((first.number, second.number), (a.number(), b.number()));
                }
            }
            Op::Root(at, which) => self.root(at, pick(&self.known, which)?),
            Op::Unroot(which) => {
                let at = usize::from(which) % self.roots.len().max(1);
                (at < self.roots.len()).then(|| self.roots.swap_remove(at))?;
            }
            Op::Upgrade(at, which) => {
                let known = pick(&self.known, which)?;
                let side = &mut self.sides[usize::from(at)];
                if let Handle::Three(gc) = known.handle {
                    let weak: Weak<_> = gc.downgrade();
                    if let Some(gc) = weak.upgrade(&mut side.heap) {
                        assert_eq!((known.heap, known.number), (side.serial, side.heap[gc].number()));
                    }
                }
            }
            Op::Keep(at, which) => {
                let known = pick(&self.known, which)?;
                let side = &mut self.sides[usize::from(at)];
                if side.heap.contains(known.any()) {
                    side.heap.scope(|heap| {
                        with!(known.handle, gc => _ = heap.keep(gc));
                        heap.collect(&());
                        with!(known.handle, gc => assert_eq!(heap.get(gc).number(), known.number));
                    });
                }
            }
            Op::Insert(at, which, value) => self.insert(at, pick(&self.known, which)?, value),
            Op::Remove(at, which) => {
                let known = pick(&self.known, which)?;
                let Side { heap, map, serial } = &mut self.sides[usize::from(at)];
                let map = map.get();
                if let Handle::One(gc) = known.handle
                    && let Some(value) = map.remove(heap, gc)
                {
                    assert_eq!((known.heap, known.number), (*serial, value >> 8));
                }
            }
            Op::Collect(at, which) => self.collect(at, which, Heap::collect),
            Op::CollectMinor(at, which) => self.collect(at, which, Heap::collect_minor),
            Op::Slice(at, which) => self.collect(at, which, Heap::safepoint),
            Op::StartMajor(at) => self.sides[usize::from(at)].heap.start_major(),
            Op::Replace(at) => {
                self.roots.retain(|(known, _)| known.heap != self.sides[usize::from(at)].serial);
                self.sides[usize::from(at)] = side(self.mode, self.made);
                self.made += 1;
            }
            Op::Verify(at) => self.verify(at.into()),
        }
        Some(())
    }

    fn make(&mut self, at: bool, shape: Shape, first: u8, second: u8) {
        let Side { heap, serial, .. } = &mut self.sides[usize::from(at)];
        let number = self.made;
        self.made += 1;
        let handle = match shape {
            Shape::One => Handle::One(heap.alloc(Plain([number]))),
            Shape::Three => Handle::Three(heap.alloc(Plain([number; 3]))),
            Shape::Thirty => Handle::Thirty(heap.alloc(Plain([number; 30]))),
            Shape::Large => Handle::Large(heap.alloc(Plain([number; 300]))),
            Shape::Holder => {
                // Stale ones and foreign ones among them.
                let edges = [first, second].map(|edge| pick(&self.known, edge).map(Known::any));
                Handle::Holder(heap.alloc(Holder { number, edges, shared: Some(Rc::new(number)) }))
            }
            Shape::Slice => Handle::Slice(heap.alloc_slice_with(1 + usize::from(first % 40), |_| number)),
            Shape::LongSlice => Handle::Slice(heap.alloc_slice_with(300 + usize::from(first), |_| number)),
            Shape::Text => Handle::Text(heap.alloc_str(&number.to_string())),
        };
        self.known.push(Known { handle, number, heap: *serial });
    }

    /// Whether it is alive there. If it is, then it is what it was made as.
    fn read(&mut self, at: bool, known: Known) -> bool {
        let Side { heap, serial, .. } = &mut self.sides[usize::from(at)];
        let number = with!(known.handle, gc => heap.try_get(gc).map(Numbered::number).ok());
        let again = with!(known.handle, gc => heap.try_get_mut(gc).map(|it| it.number()).ok());
        assert_eq!(number, again);
        assert_eq!(number.is_some(), heap.contains(known.any()));
        if let Some(number) = number {
            assert_eq!((known.heap, known.number), (*serial, number), "another object");
        }
        number.is_some()
    }

    fn downcast(&mut self, at: bool, known: Known, shape: Shape) {
        let Side { heap, serial, .. } = &self.sides[usize::from(at)];
        let any = known.any();
        let (number, is_right) = match shape {
            Shape::One => {
                (any.downcast(heap).map(|gc| heap.get::<Plain<1>>(gc).number()), matches!(known.handle, Handle::One(_)))
            }
            Shape::Three => (
                any.downcast(heap).map(|gc| heap.get::<Plain<3>>(gc).number()),
                matches!(known.handle, Handle::Three(_)),
            ),
            Shape::Thirty => (
                any.downcast(heap).map(|gc| heap.get::<Plain<30>>(gc).number()),
                matches!(known.handle, Handle::Thirty(_)),
            ),
            Shape::Large => (
                any.downcast(heap).map(|gc| heap.get::<Plain<300>>(gc).number()),
                matches!(known.handle, Handle::Large(_)),
            ),
            Shape::Holder => (
                any.downcast(heap).map(|gc| heap.get::<Holder>(gc).number()),
                matches!(known.handle, Handle::Holder(_)),
            ),
            Shape::Slice | Shape::LongSlice => {
                (any.downcast(heap).map(|gc| heap.get::<[u64]>(gc).number()), matches!(known.handle, Handle::Slice(_)))
            }
            Shape::Text => {
                (any.downcast(heap).map(|gc| heap.get::<str>(gc).number()), matches!(known.handle, Handle::Text(_)))
            }
        };
        if let Ok(number) = number {
            assert!(is_right, "a handle of another type");
            assert_eq!((known.heap, known.number), (*serial, number), "another object");
        }
    }

    fn root(&mut self, at: bool, known: Known) {
        let Side { heap, serial, .. } = &mut self.sides[usize::from(at)];
        let root = match known.handle {
            Handle::One(gc) => heap.try_root(gc).map(AnyRoot::One),
            Handle::Three(gc) => heap.try_root(gc).map(AnyRoot::Three),
            Handle::Thirty(gc) => heap.try_root(gc).map(AnyRoot::Thirty),
            Handle::Large(gc) => heap.try_root(gc).map(AnyRoot::Large),
            Handle::Holder(gc) => heap.try_root(gc).map(AnyRoot::Holder),
            Handle::Slice(gc) => heap.try_root(gc).map(AnyRoot::Slice),
            Handle::Text(gc) => heap.try_root(gc).map(AnyRoot::Text),
        };
        if let Ok(root) = root {
            assert_eq!(known.heap, *serial);
            self.roots.push((known, root));
        }
    }

    fn insert(&mut self, at: bool, known: Known, value: u8) {
        let Side { heap, map, .. } = &mut self.sides[usize::from(at)];
        let (map, value) = (map.get(), known.number << 8 | u64::from(value));
        let Handle::One(gc) = known.handle else { return };
        if heap.contains(gc) {
            let before = map.insert(heap, gc, value);
            assert!(before.is_none_or(|before| before >> 8 == known.number));
            assert_eq!(map.get(heap, gc), Some(&value));
        } else {
            assert_eq!(map.get(heap, gc), None);
            assert!(map.iter(heap).all(|(key, value)| heap[key].number() == value >> 8));
        }
    }

    fn collect(&mut self, at: bool, which: u8, collect: impl FnOnce(&mut Heap, &Vec<AnyGc>)) {
        let at_side = usize::from(at);
        // The stack: a handle or two, of whatever heap.
        let stack: Vec<Known> =
            [which, which.wrapping_mul(7)].into_iter().filter_map(|it| pick(&self.known, it)).collect();
        let alive: Vec<Known> = stack.iter().copied().filter(|&known| self.read(at, known)).collect();
        let stack: Vec<AnyGc> = stack.into_iter().map(Known::any).collect();
        collect(&mut self.sides[at_side].heap, &stack);
        for known in alive {
            assert!(self.read(at, known), "what is on the stack stays alive");
        }
        self.check_roots(at_side);
    }

    fn check_roots(&mut self, side: usize) {
        let serial = self.sides[side].serial;
        let rooted: Vec<Known> =
            self.roots.iter().map(|(known, _)| *known).filter(|known| known.heap == serial).collect();
        for known in rooted {
            assert!(self.read(side == 1, known), "a root keeps its object alive");
        }
    }

    /// Stale handles in objects are this program's own.
    fn verify(&self, side: usize) {
        if let Err(error) = self.sides[side].heap.verify() {
            let theirs = error.flaws.iter().find(|flaw| !matches!(flaw, Flaw::StaleEdge { .. }));
            assert!(theirs.is_none(), "{error}");
        }
    }
}
