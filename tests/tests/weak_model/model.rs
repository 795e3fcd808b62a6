//! What the model knows: which objects there are, what refers to what, and what can be reached.

use std::collections::{HashMap, HashSet};
use tumulus_heap::{AnyGc, EphemeronMap, FinalizationRegistry, Gc, Heap, Trace, Weak, WeakRef};
use tumulus_tests::{Ledger, Token};

#[derive(Trace)]
pub struct Node {
    pub token: Token,
    pub edges: Vec<AnyGc>,
}

/// What is behind a key, and what a registry holds.
#[derive(Trace)]
pub struct Value {
    pub token: Token,
    pub edges: Vec<AnyGc>,
}

pub type Map = EphemeronMap<AnyGc, Value>;
pub type Registry = FinalizationRegistry<Value>;

/// A number for each object and each value, which is that of its token where it has one.
pub type Id = usize;

/// What the model knows of an object.
#[derive(Clone)]
pub enum Shadow {
    Node { gc: Gc<Node>, edges: Vec<Id> },
    Map { gc: Gc<Map>, entries: Vec<(Id, Id)> },
    Registry { gc: Gc<Registry>, records: Vec<Record> },
}

#[derive(Clone, Debug)]
pub struct Record {
    pub target: Id,
    pub token: Option<Id>,
    pub held: Id,
    /// The number of the step after which the target was seen to be dead.
    pub died: Option<usize>,
}

impl Shadow {
    pub fn handle(&self) -> AnyGc {
        match *self {
            Shadow::Node { gc, .. } => gc.erase(),
            Shadow::Map { gc, .. } => gc.erase(),
            Shadow::Registry { gc, .. } => gc.erase(),
        }
    }
}

#[derive(Default)]
pub struct Model {
    pub ledger: Ledger,
    pub steps: usize,
    /// What is alive, or may be.
    pub objects: HashMap<Id, Shadow>,
    /// The handles of what was ever made.
    pub handles: HashMap<Id, AnyGc>,
    /// The edges of values that are not known to be dropped.
    pub values: HashMap<Id, Vec<Id>>,
    /// What the program holds outside of the heap.
    pub stack: Vec<Id>,
    pub kept: Vec<Id>,
    pub weak: Vec<(Id, Weak<Node>)>,
    pub refs: Vec<(Id, WeakRef<Node>)>,
    /// Objects with a token, which is the position, and whether it was taken.
    pub deaths: Vec<(Id, bool)>,
    pub next_id: Id,
}

impl Model {
    /// What can be reached, objects and values.
    pub fn reachable(&self) -> HashSet<Id> {
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
    pub fn pick(&self, which: usize, wanted: impl Fn(&Shadow) -> bool) -> Option<Id> {
        let reached = self.reachable();
        let mut found: Vec<Id> = reached.into_iter().filter(|id| self.objects.get(id).is_some_and(&wanted)).collect();
        found.sort_unstable();
        found.get(which.checked_rem(found.len())?).copied()
    }

    pub fn pick_any(&self, which: usize) -> Option<Id> {
        self.pick(which, |_| true)
    }

    pub fn pick_map(&self, which: usize) -> Option<(Id, Gc<Map>)> {
        let id = self.pick(which, |shadow| matches!(shadow, Shadow::Map { .. }))?;
        match self.objects[&id] {
            Shadow::Map { gc, .. } => Some((id, gc)),
            _ => None,
        }
    }

    pub fn pick_registry(&self, which: usize) -> Option<(Id, Gc<Registry>)> {
        let id = self.pick(which, |shadow| matches!(shadow, Shadow::Registry { .. }))?;
        match self.objects[&id] {
            Shadow::Registry { gc, .. } => Some((id, gc)),
            _ => None,
        }
    }

    pub fn pick_node(&self, which: usize) -> Option<(Id, Gc<Node>)> {
        let id = self.pick(which, |shadow| matches!(shadow, Shadow::Node { .. }))?;
        match self.objects[&id] {
            Shadow::Node { gc, .. } => Some((id, gc)),
            _ => None,
        }
    }

    pub fn picked(&self, edges: &[usize]) -> Vec<Id> {
        edges.iter().filter_map(|&which| self.pick_any(which)).collect()
    }

    pub fn gcs(&self, ids: &[Id]) -> Vec<AnyGc> {
        ids.iter().map(|id| self.handles[id]).collect()
    }

    pub fn id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id - 1
    }

    pub fn add(&mut self, id: Id, shadow: Shadow) {
        self.handles.insert(id, shadow.handle());
        self.objects.insert(id, shadow);
        self.stack.push(id);
    }

    /// A token with a number that nothing else has.
    pub fn token(&mut self) -> Token {
        // Maps and registries take numbers as well.
        while self.ledger.made() < self.next_id {
            drop(self.ledger.token());
        }
        let id = self.id();
        let token = self.ledger.token();
        assert_eq!(token.id(), id);
        token
    }

    pub fn value(&mut self, edges: Vec<Id>) -> (Id, Value) {
        let token = self.token();
        let id = token.id();
        let value = Value { token, edges: self.gcs(&edges) };
        self.values.insert(id, edges);
        (id, value)
    }

    pub fn node(&mut self, heap: &mut Heap, edges: Vec<Id>) -> Id {
        let token = self.token();
        let id = token.id();
        let gc = heap.alloc(Node { token, edges: self.gcs(&edges) });
        self.add(id, Shadow::Node { gc, edges });
        id
    }

    pub fn insert(&mut self, heap: &mut Heap, (id, map): (Id, Gc<Map>), key: Id, edges: Vec<Id>) {
        let (new, value) = self.value(edges);
        let before = map.insert(heap, self.handles[&key], value);
        let Some(Shadow::Map { entries, .. }) = self.objects.get_mut(&id) else { unreachable!() };
        let entry = entries.iter_mut().find(|entry| entry.0 == key);
        let known = entry.map(|entry| std::mem::replace(&mut entry.1, new));
        if known.is_none() {
            entries.push((key, new));
        }
        assert_eq!(before.map(|value| value.token.id()), known);
    }
}
