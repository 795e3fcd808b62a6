//! Programs made at random, run beside a naive model of what is weak: objects and ephemeron maps that refer to each other in
//! every way, weak handles, jobs, registries, and collections of all kinds, whole and in slices.
//!
//! The model follows edges from the roots, and goes over all maps until nothing changes. After a full collection exactly what
//! it reaches is alive; at any time all that it reaches is, a map shows the entries whose keys are alive, and what a
//! registry hands out is dead. Every value is dropped once.

use proptest::prelude::*;
use proptest::test_runner::Config;
use std::collections::{HashMap, HashSet};
use tumulus_heap::{
    AnyGc, Budget, EphemeronMap, FinalizationRegistry, Gc, Heap, HeapBuilder, Progress, Trace, Weak, WeakRef, Zeal,
};
use tumulus_tests::{Ledger, Token, cases, expect_sound, scaled};

#[derive(Trace)]
struct Node {
    token: Token,
    edges: Vec<AnyGc>,
}

/// What is behind a key, and what a registry holds.
#[derive(Trace)]
struct Value {
    token: Token,
    edges: Vec<AnyGc>,
}

type Map = EphemeronMap<AnyGc, Value>;
type Registry = FinalizationRegistry<Value>;

/// One step of a program. Numbers pick among what there is, by the remainder.
#[derive(Clone, Debug)]
enum Step {
    Node {
        edges: Vec<usize>,
    },
    Map,
    Registry,
    Link {
        from: usize,
        to: usize,
    },
    Unlink {
        from: usize,
    },
    Insert {
        map: usize,
        key: usize,
        edges: Vec<usize>,
    },
    /// Makes as many keys, each of them the value of the one before; `reversed` inserts the last one first.
    Chain {
        map: usize,
        first: usize,
        len: usize,
        reversed: bool,
    },
    Remove {
        map: usize,
        key: usize,
    },
    Change {
        map: usize,
        key: usize,
        to: usize,
    },
    Shrink {
        map: usize,
    },
    Clear {
        map: usize,
    },
    Forget {
        count: usize,
    },
    Downgrade {
        of: usize,
    },
    Upgrade {
        which: usize,
        keep: bool,
    },
    MakeRef {
        of: usize,
    },
    Deref {
        which: usize,
    },
    EndOfJob,
    Register {
        registry: usize,
        target: usize,
        edges: Vec<usize>,
        token: Option<usize>,
    },
    Unregister {
        registry: usize,
        token: usize,
    },
    TakeDead {
        registry: usize,
    },
    OnDeath {
        of: usize,
    },
    Collect,
    CollectMinor,
    StartMajor,
    Safepoint,
    Slice {
        units: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let n = any::<usize>;
    let edges = || prop::collection::vec(any::<usize>(), 0..3);
    prop_oneof![
        8 => edges().prop_map(|edges| Step::Node { edges }),
        3 => Just(Step::Map),
        1 => Just(Step::Registry),
        4 => (n(), n()).prop_map(|(from, to)| Step::Link { from, to }),
        2 => n().prop_map(|from| Step::Unlink { from }),
        14 => (n(), n(), edges()).prop_map(|(map, key, edges)| Step::Insert { map, key, edges }),
        1 => (n(), n(), 1..scaled(30, 10), any::<bool>())
            .prop_map(|(map, first, len, reversed)| Step::Chain { map, first, len, reversed }),
        2 => (n(), n()).prop_map(|(map, key)| Step::Remove { map, key }),
        3 => (n(), n(), n()).prop_map(|(map, key, to)| Step::Change { map, key, to }),
        1 => n().prop_map(|map| Step::Shrink { map }),
        1 => n().prop_map(|map| Step::Clear { map }),
        6 => (1..6_usize).prop_map(|count| Step::Forget { count }),
        4 => n().prop_map(|of| Step::Downgrade { of }),
        3 => (n(), any::<bool>()).prop_map(|(which, keep)| Step::Upgrade { which, keep }),
        2 => n().prop_map(|of| Step::MakeRef { of }),
        2 => n().prop_map(|which| Step::Deref { which }),
        2 => Just(Step::EndOfJob),
        4 => (n(), n(), edges(), prop::option::of(n()))
            .prop_map(|(registry, target, edges, token)| Step::Register { registry, target, edges, token }),
        2 => (n(), n()).prop_map(|(registry, token)| Step::Unregister { registry, token }),
        2 => n().prop_map(|registry| Step::TakeDead { registry }),
        2 => n().prop_map(|of| Step::OnDeath { of }),
        2 => Just(Step::Collect),
        4 => Just(Step::CollectMinor),
        2 => Just(Step::StartMajor),
        3 => Just(Step::Safepoint),
        10 => (1..40_u64).prop_map(|units| Step::Slice { units }),
    ]
}

/// A number for each object and each value, which is that of its token where it has one.
type Id = usize;

/// What the model knows of an object.
#[derive(Clone)]
enum Shadow {
    Node { gc: Gc<Node>, edges: Vec<Id> },
    Map { gc: Gc<Map>, entries: Vec<(Id, Id)> },
    Registry { gc: Gc<Registry>, records: Vec<Record> },
}

#[derive(Clone, Debug)]
struct Record {
    target: Id,
    token: Option<Id>,
    held: Id,
    /// The number of the step after which the target was seen to be dead.
    died: Option<usize>,
}

impl Shadow {
    fn handle(&self) -> AnyGc {
        match *self {
            Shadow::Node { gc, .. } => gc.erase(),
            Shadow::Map { gc, .. } => gc.erase(),
            Shadow::Registry { gc, .. } => gc.erase(),
        }
    }
}

#[derive(Default)]
struct Model {
    ledger: Ledger,
    steps: usize,
    /// What is alive, or may be.
    objects: HashMap<Id, Shadow>,
    /// The handles of what was ever made.
    handles: HashMap<Id, AnyGc>,
    /// The edges of values that are not known to be dropped.
    values: HashMap<Id, Vec<Id>>,
    /// What the program holds outside of the heap.
    stack: Vec<Id>,
    kept: Vec<Id>,
    weak: Vec<(Id, Weak<Node>)>,
    refs: Vec<(Id, WeakRef<Node>)>,
    /// Objects with a token, which is the position, and whether it was taken.
    deaths: Vec<(Id, bool)>,
    next_id: Id,
}

impl Model {
    /// What can be reached, objects and values.
    fn reachable(&self) -> HashSet<Id> {
        let mut reached = HashSet::new();
        let mut todo: Vec<Id> = self.stack.iter().chain(&self.kept).copied().collect();
        loop {
            while let Some(id) = todo.pop() {
                if !reached.insert(id) {
                    continue;
                }
                match self.objects.get(&id) {
                    Some(Shadow::Node { edges, .. }) => todo.extend(edges),
                    Some(Shadow::Registry { records, .. }) => todo.extend(records.iter().map(|record| record.held)),
                    Some(Shadow::Map { .. }) => {}
                    None => todo.extend(&self.values[&id]),
                }
            }
            for (id, shadow) in &self.objects {
                if let Shadow::Map { entries, .. } = shadow
                    && reached.contains(id)
                {
                    let alive = entries.iter().filter(|(key, value)| reached.contains(key) && !reached.contains(value));
                    todo.extend(alive.map(|&(_, value)| value));
                }
            }
            if todo.is_empty() {
                return reached;
            }
        }
    }

    /// The objects that the program can get at, of which `wanted` says more, in a fixed order.
    fn pick(&self, which: usize, wanted: impl Fn(&Shadow) -> bool) -> Option<Id> {
        let reached = self.reachable();
        let mut found: Vec<Id> = reached.into_iter().filter(|id| self.objects.get(id).is_some_and(&wanted)).collect();
        found.sort_unstable();
        found.get(which.checked_rem(found.len())?).copied()
    }

    fn pick_any(&self, which: usize) -> Option<Id> {
        self.pick(which, |_| true)
    }

    fn pick_map(&self, which: usize) -> Option<(Id, Gc<Map>)> {
        let id = self.pick(which, |shadow| matches!(shadow, Shadow::Map { .. }))?;
        match self.objects[&id] {
            Shadow::Map { gc, .. } => Some((id, gc)),
            _ => None,
        }
    }

    fn pick_registry(&self, which: usize) -> Option<(Id, Gc<Registry>)> {
        let id = self.pick(which, |shadow| matches!(shadow, Shadow::Registry { .. }))?;
        match self.objects[&id] {
            Shadow::Registry { gc, .. } => Some((id, gc)),
            _ => None,
        }
    }

    fn pick_node(&self, which: usize) -> Option<(Id, Gc<Node>)> {
        let id = self.pick(which, |shadow| matches!(shadow, Shadow::Node { .. }))?;
        match self.objects[&id] {
            Shadow::Node { gc, .. } => Some((id, gc)),
            _ => None,
        }
    }

    fn picked(&self, edges: &[usize]) -> Vec<Id> {
        edges.iter().filter_map(|&which| self.pick_any(which)).collect()
    }

    fn gcs(&self, ids: &[Id]) -> Vec<AnyGc> {
        ids.iter().map(|id| self.handles[id]).collect()
    }

    fn id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id - 1
    }

    fn add(&mut self, id: Id, shadow: Shadow) {
        self.handles.insert(id, shadow.handle());
        self.objects.insert(id, shadow);
        self.stack.push(id);
    }

    /// A token with a number that nothing else has.
    fn token(&mut self) -> Token {
        // Maps and registries take numbers as well.
        while self.ledger.made() < self.next_id {
            drop(self.ledger.token());
        }
        let id = self.id();
        let token = self.ledger.token();
        assert_eq!(token.id(), id);
        token
    }

    fn value(&mut self, edges: Vec<Id>) -> (Id, Value) {
        let token = self.token();
        let id = token.id();
        let value = Value { token, edges: self.gcs(&edges) };
        self.values.insert(id, edges);
        (id, value)
    }

    fn node(&mut self, heap: &mut Heap, edges: Vec<Id>) -> Id {
        let token = self.token();
        let id = token.id();
        let gc = heap.alloc(Node { token, edges: self.gcs(&edges) });
        self.add(id, Shadow::Node { gc, edges });
        id
    }

    fn insert(&mut self, heap: &mut Heap, (id, map): (Id, Gc<Map>), key: Id, edges: Vec<Id>) {
        let (new, value) = self.value(edges);
        let before = map.insert(heap, self.handles[&key], value);
        let Some(Shadow::Map { entries, .. }) = self.objects.get_mut(&id) else { unreachable!() };
        let entry = entries.iter_mut().find(|entry| entry.0 == key);
        let known = match entry {
            Some(entry) => Some(std::mem::replace(&mut entry.1, new)),
            None => {
                entries.push((key, new));
                None
            }
        };
        assert_eq!(before.map(|value| value.token.id()), known);
    }

    fn run(&mut self, heap: &mut Heap, step: &Step) {
        match step {
            Step::Node { edges } => {
                let edges = self.picked(edges);
                self.node(heap, edges);
            }
            Step::Map => {
                let (id, gc) = (self.id(), heap.alloc(Map::new()));
                self.add(id, Shadow::Map { gc, entries: Vec::new() });
            }
            Step::Registry => {
                let (id, gc) = (self.id(), heap.alloc(Registry::new()));
                self.add(id, Shadow::Registry { gc, records: Vec::new() });
            }
            Step::Link { from, to } => {
                if let (Some((from, gc)), Some(to)) = (self.pick_node(*from), self.pick_any(*to)) {
                    heap.get_mut(gc).edges.push(self.handles[&to]);
                    let Some(Shadow::Node { edges, .. }) = self.objects.get_mut(&from) else { unreachable!() };
                    edges.push(to);
                }
            }
            Step::Unlink { from } => {
                if let Some((from, gc)) = self.pick_node(*from) {
                    heap.get_mut(gc).edges.clear();
                    let Some(Shadow::Node { edges, .. }) = self.objects.get_mut(&from) else { unreachable!() };
                    edges.clear();
                }
            }
            Step::Insert { map, key, edges } => {
                if let (Some(map), Some(key)) = (self.pick_map(*map), self.pick_any(*key)) {
                    let edges = self.picked(edges);
                    self.insert(heap, map, key, edges);
                }
            }
            Step::Chain { map, first, len, reversed } => {
                if let (Some(map), Some(first)) = (self.pick_map(*map), self.pick_any(*first)) {
                    let depth = self.stack.len();
                    let mut keys = vec![first];
                    keys.extend((0..*len).map(|_| self.node(heap, Vec::new())));
                    let mut links: Vec<[Id; 2]> = keys.windows(2).map(|pair| [pair[0], pair[1]]).collect();
                    if *reversed {
                        links.reverse();
                    }
                    for [key, value] in links {
                        self.insert(heap, map, key, vec![value]);
                    }
                    self.stack.truncate(depth);
                }
            }
            Step::Remove { map, key } => {
                if let (Some((id, map)), Some(key)) = (self.pick_map(*map), self.pick_any(*key)) {
                    let removed = map.remove(heap, self.handles[&key]);
                    let Some(Shadow::Map { entries, .. }) = self.objects.get_mut(&id) else { unreachable!() };
                    let at = entries.iter().position(|entry| entry.0 == key);
                    let known = at.map(|at| entries.remove(at).1);
                    assert_eq!(removed.map(|value| value.token.id()), known);
                }
            }
            Step::Change { map, key, to } => {
                if let (Some((id, map)), Some(key), Some(to)) =
                    (self.pick_map(*map), self.pick_any(*key), self.pick_any(*to))
                {
                    let Some(Shadow::Map { entries, .. }) = self.objects.get(&id) else { unreachable!() };
                    let known = entries.iter().find(|entry| entry.0 == key).map(|entry| entry.1);
                    let found = map.get_mut(heap, self.handles[&key]);
                    assert_eq!(found.as_ref().map(|value| value.token.id()), known);
                    if let (Some(value), Some(known)) = (found, known) {
                        value.edges = vec![self.handles[&to]];
                        self.values.insert(known, vec![to]);
                    }
                }
            }
            Step::Shrink { map } => {
                if let Some((_, map)) = self.pick_map(*map) {
                    map.shrink_to_fit(heap).unwrap();
                }
            }
            Step::Clear { map } => {
                if let Some((id, map)) = self.pick_map(*map) {
                    map.clear(heap);
                    let Some(Shadow::Map { entries, .. }) = self.objects.get_mut(&id) else { unreachable!() };
                    entries.clear();
                }
            }
            Step::Forget { count } => {
                self.stack.drain(..(*count).min(self.stack.len()));
            }
            Step::Downgrade { of } => {
                if let Some((id, gc)) = self.pick_node(*of) {
                    self.weak.push((id, gc.downgrade()));
                }
            }
            Step::Upgrade { which, keep } => {
                if let Some(at) = which.checked_rem(self.weak.len()) {
                    let (id, weak) = self.weak[at];
                    let is_alive = weak.is_alive(heap);
                    let found = weak.upgrade(heap);
                    assert_eq!(found.is_some(), is_alive);
                    if let Some(gc) = found {
                        assert_eq!(heap[gc].token.id(), id);
                        if *keep {
                            self.stack.push(id);
                        }
                    }
                }
            }
            Step::MakeRef { of } => {
                if let Some((id, gc)) = self.pick_node(*of) {
                    self.refs.push((id, WeakRef::new(heap, gc)));
                    self.kept.push(id);
                }
            }
            Step::Deref { which } => {
                if let Some(at) = which.checked_rem(self.refs.len()) {
                    let (id, weak) = self.refs[at];
                    if let Some(gc) = weak.deref(heap) {
                        assert_eq!(heap[gc].token.id(), id);
                        self.kept.push(id);
                    }
                }
            }
            Step::EndOfJob => {
                heap.end_of_job();
                self.kept.clear();
            }
            Step::Register { registry, target, edges, token } => {
                if let (Some((id, gc)), Some(target)) = (self.pick_registry(*registry), self.pick_any(*target)) {
                    let token = token.and_then(|which| self.pick_any(which));
                    let edges = self.picked(edges);
                    let holds_target = edges.contains(&target);
                    let (held, value) = self.value(edges);
                    let token_gc = token.map(|token| self.handles[&token]);
                    let registered = gc.register(heap, self.handles[&target], value, token_gc);
                    assert_eq!(registered.is_err(), holds_target);
                    if !holds_target {
                        let Some(Shadow::Registry { records, .. }) = self.objects.get_mut(&id) else { unreachable!() };
                        records.push(Record { target, token, held, died: None });
                    }
                }
            }
            Step::Unregister { registry, token } => {
                if let (Some((id, gc)), Some(token)) = (self.pick_registry(*registry), self.pick_any(*token)) {
                    let cancelled = gc.unregister(heap, self.handles[&token]);
                    let Some(Shadow::Registry { records, .. }) = self.objects.get_mut(&id) else { unreachable!() };
                    let before = records.len();
                    records.retain(|record| record.token != Some(token));
                    assert_eq!(cancelled, records.len() < before);
                }
            }
            Step::TakeDead { registry } => {
                if let Some((id, gc)) = self.pick_registry(*registry) {
                    self.take_dead(heap, id, gc);
                }
            }
            Step::OnDeath { of } => {
                if let Some(id) = self.pick_any(*of) {
                    heap.on_death(self.handles[&id], self.deaths.len() as u64);
                    self.deaths.push((id, false));
                }
            }
            Step::Collect => {
                heap.collect(&self.roots());
                self.check(heap, true);
            }
            Step::CollectMinor => heap.collect_minor(&self.roots()),
            Step::StartMajor => heap.start_major(),
            Step::Safepoint => heap.safepoint(&self.roots()),
            Step::Slice { units } => {
                let _: Progress = heap.step(&self.roots(), Budget::work(*units));
            }
        }
        self.check(heap, false);
    }

    fn roots(&self) -> Vec<AnyGc> {
        self.gcs(&self.stack)
    }

    /// Takes all that a registry hands out.
    fn take_dead(&mut self, heap: &mut Heap, id: Id, gc: Gc<Registry>) {
        let mut last = 0;
        while let Some(value) = gc.take_dead(heap) {
            let Some(Shadow::Registry { records, .. }) = self.objects.get_mut(&id) else { unreachable!() };
            let at = records.iter().position(|record| record.held == value.token.id());
            let record =
                records.remove(at.expect("what is handed out was registered, and neither cancelled nor taken"));
            let died = record.died.expect("the target of what is handed out is dead");
            assert!(died >= last, "first in, first out");
            last = died;
        }
    }

    /// Compares the heap with the model.
    fn check(&mut self, heap: &mut Heap, full: bool) {
        self.steps += 1;
        let steps = self.steps;
        let reachable = self.reachable();
        for (&id, shadow) in &self.objects {
            let alive = heap.contains(shadow.handle());
            assert!(alive || !reachable.contains(&id), "object {id} can be reached and is dead");
            assert!(!(full && alive) || reachable.contains(&id), "object {id} cannot be reached and is alive");
            if let Shadow::Map { gc, entries } = shadow
                && reachable.contains(&id)
            {
                let shown: Vec<(AnyGc, Id)> = gc.iter(heap).map(|(key, value)| (key, value.token.id())).collect();
                let expected: Vec<(AnyGc, Id)> = entries
                    .iter()
                    .map(|&(key, value)| (self.handles[&key], value))
                    .filter(|&(key, _)| heap.contains(key))
                    .collect();
                assert_eq!(shown, expected, "map {id}");
                for &(key, value) in entries {
                    let found = gc.get(heap, self.handles[&key]);
                    let expected = heap.contains(self.handles[&key]).then_some(value);
                    assert_eq!(found.map(|found| found.token.id()), expected);
                    if let Some(found) = found {
                        assert_eq!(found.edges, self.gcs(&self.values[&value]));
                    }
                }
            }
        }
        for &(id, weak) in &self.weak {
            assert_eq!(weak.is_alive(heap), heap.contains(self.handles[&id]));
        }
        for (&id, shadow) in &mut self.objects {
            match shadow {
                // The model forgets the entries of the dead; a map that is alive has forgotten them, too.
                Shadow::Map { entries, .. } => entries.retain(|(key, _)| heap.contains(self.handles[key])),
                Shadow::Registry { records, .. } => {
                    for record in records.iter_mut().filter(|record| record.died.is_none()) {
                        record.died = (!heap.contains(self.handles[&record.target])).then_some(steps);
                    }
                    // A dead token can cancel nothing.
                    for record in records.iter_mut() {
                        record.token = record.token.filter(|token| heap.contains(self.handles[token]));
                    }
                }
                Shadow::Node { gc, edges } => {
                    if reachable.contains(&id) {
                        let node = &heap[*gc];
                        assert_eq!(node.token.id(), id);
                        let expected: Vec<AnyGc> = edges.iter().map(|edge| self.handles[edge]).collect();
                        assert_eq!(node.edges, expected);
                    }
                }
            }
        }
        while let Some(token) = heap.take_dead() {
            let (id, taken) = &mut self.deaths[token as usize];
            assert!(!*taken, "token {token} is handed out twice");
            *taken = true;
            assert!(!heap.contains(self.handles[id]), "token {token} is of an object that is alive");
        }
        self.objects.retain(|_, shadow| heap.contains(shadow.handle()));
        if full {
            self.check_exactly(heap, &reachable);
        }
    }

    /// After a full collection everything has been dropped and handed out that can be.
    fn check_exactly(&mut self, heap: &mut Heap, reachable: &HashSet<Id>) {
        for &(id, taken) in &self.deaths {
            assert_eq!(taken, !heap.contains(self.handles[&id]), "the token of object {id}");
        }
        let registries: Vec<(Id, Gc<Registry>)> = self
            .objects
            .iter()
            .filter_map(|(&id, shadow)| match shadow {
                Shadow::Registry { gc, .. } => Some((id, *gc)),
                _ => None,
            })
            .collect();
        for (id, gc) in registries {
            self.take_dead(heap, id, gc);
            let Some(Shadow::Registry { records, .. }) = self.objects.get(&id) else { unreachable!() };
            assert!(records.iter().all(|record| record.died.is_none()), "{records:?}");
        }
        let ledger = &self.ledger;
        let taken = |id: &Id| !self.objects.contains_key(id) && ledger.is_dropped(*id);
        for id in reachable {
            let is_object = self.objects.contains_key(id);
            if self.values.contains_key(id) {
                let in_registry = self.objects.values().any(|shadow| match shadow {
                    Shadow::Registry { records, .. } => records.iter().any(|record| record.held == *id),
                    _ => false,
                });
                let in_map = self.objects.values().any(|shadow| match shadow {
                    Shadow::Map { entries, .. } => entries.iter().any(|entry| entry.1 == *id),
                    _ => false,
                });
                assert_eq!(ledger.is_dropped(*id), !(in_registry || in_map), "value {id}");
            } else {
                assert!(is_object && !taken(id));
            }
        }
        // What is not reachable is not there.
        let objects: HashSet<Id> = self.objects.keys().copied().collect();
        self.values.retain(|id, _| !ledger.is_dropped(*id));
        let alive_values = self.values.len();
        let in_tables: usize = self
            .objects
            .values()
            .map(|shadow| match shadow {
                Shadow::Map { entries, .. } => entries.len(),
                Shadow::Registry { records, .. } => records.len(),
                Shadow::Node { .. } => 0,
            })
            .sum();
        assert_eq!(alive_values, in_tables, "values that were not dropped, and those in tables");
        assert!(objects.is_subset(reachable));
        expect_sound(heap);
    }
}

fn run(steps: &[Step], options: HeapBuilder) {
    let mut heap = options.build();
    let mut model = Model::default();
    for step in steps {
        model.run(&mut heap, step);
    }
    heap.collect(&model.roots());
    model.check(&mut heap, true);
    model.stack.clear();
    model.kept.clear();
    heap.end_of_job();
    heap.collect(&());
    model.check(&mut heap, true);
    assert!(model.objects.is_empty() && model.values.is_empty());
    let Model { ledger, .. } = model;
    drop(heap);
    ledger.expect_all_dropped();
}

/// The collectors that a program can choose from, and the zeal that looks at them most closely.
fn options(which: u8) -> HeapBuilder {
    let small = || Heap::builder().nursery(8 << 10).min_heap(32 << 10);
    let zealous = |words: &str| small().zeal(words.parse::<Zeal>().unwrap());
    match which % 6 {
        0 => small(),
        1 => small().nursery(0),
        2 => small().pause_budget(Budget::unlimited()),
        3 => zealous("recheck,verify,poison"),
        4 => zealous("slice=3,recheck,verify"),
        _ => zealous("slice=7,minor,recheck"),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..scaled(60, 12))
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn what_is_weak_is_as_the_model_says(steps in steps(), which in any::<u8>()) {
        run(&steps, options(which));
    }
}

proptest! {
    #![proptest_config(Config { cases: 100_000, failure_persistence: None, ..Config::default() })]

    /// Some minutes, with optimisations.
    #[test]
    #[ignore = "takes some minutes; `cargo test --release --test weak_model -- --ignored`"]
    fn a_hundred_thousand_programs(steps in steps(), which in any::<u8>()) {
        run(&steps, options(which));
    }
}
