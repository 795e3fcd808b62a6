//! Which objects can be reached, by what they describe, and the memory outside of the heap that they refer to.
//!
//! The value of an entry of a weak table counts if its key does. Where the key has not been reached yet, the edges of the
//! value wait for it.

use super::census::Census;
use crate::raw::{AnyGc, Store};
use crate::trace::{Describe, Describer, Native, NodeKind, Path};
use std::collections::HashMap;

/// Cells whose headers are on their way from memory.
const AHEAD: usize = 16;

/// Memory outside of the heap.
#[derive(Clone, Debug)]
pub(super) struct NativeNode {
    pub(super) identity: u64,
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// What a search has found.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) census: Census,
    pub(super) natives: Vec<NativeNode>,
    /// The place of each in the list, by its identity.
    pub(super) native_places: HashMap<u64, u32>,
    /// How many objects have texts of their own; see [`is_text`].
    pub(super) texts: u32,
}

/// A search under way.
pub(super) struct Search<'s> {
    store: &'s Store,
    found: Reached,
    todo: Vec<u32>,
    /// What is reachable if the object of an index is.
    waiting: HashMap<u32, Vec<u32>>,
    /// The key whose entry is being described, if it has not been reached.
    waits_for: Option<u32>,
    is_named: bool,
    kind: NodeKind,
}

/// Whether what an object of a kind calls itself is its text, of which there are as many as objects. Others call themselves as
/// many others do; and it is by the number of their name that DevTools count them, so that it has to be the same for all.
pub(super) fn is_text(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::String | NodeKind::Symbol | NodeKind::BigInt | NodeKind::Number)
}

impl<'s> Search<'s> {
    pub(super) fn new(store: &'s Store) -> Search<'s> {
        Search {
            store,
            found: Reached {
                census: Census::new(store.end_of_cells()),
                natives: Vec::new(),
                native_places: HashMap::new(),
                texts: 0,
            },
            todo: Vec::new(),
            waiting: HashMap::new(),
            waits_for: None,
            is_named: false,
            kind: NodeKind::default(),
        }
    }

    fn reach(&mut self, index: u32) {
        if self.found.census.insert(index) {
            self.todo.push(index);
        }
    }

    /// Follows everything, and says what was reached.
    pub(super) fn run(mut self) -> Reached {
        let mut ring = [0_u32; AHEAD];
        let (mut at, mut pending) = (0, 0);
        loop {
            let next = self.todo.pop();
            if let Some(index) = next {
                self.store.prefetch(index);
            }
            let index = std::mem::replace(&mut ring[at % AHEAD], next.unwrap_or(0));
            at += 1;
            pending += usize::from(next.is_some());
            if index != 0 {
                pending -= 1;
                self.visit(index);
            } else if pending == 0 {
                break;
            }
        }
        self.found.census.count();
        self.found
    }

    fn visit(&mut self, index: u32) {
        // A stale handle may lead to a free cell; to what lives in a cell now it leads as it does for the collector.
        let Some(view) = self.store.object_at(index) else { return self.found.census.remove(index) };
        if !self.waiting.is_empty()
            && let Some(values) = self.waiting.remove(&index)
        {
            for value in values {
                self.reach(value);
            }
        }
        (self.is_named, self.kind) = (false, NodeKind::default());
        let store = self.store;
        store.describe(view.handle, &mut Describer::new(self));
        self.found.texts += u32::from(self.is_named && is_text(self.kind));
        self.waits_for = None;
    }
}

impl Describe for Search<'_> {
    fn edge(&mut self, _path: &Path, to: AnyGc) {
        let index = to.handle().index();
        match self.waits_for {
            None => self.reach(index),
            Some(key) => self.waiting.entry(key).or_default().push(index),
        }
    }

    fn weak_edge(&mut self, _path: &Path, _to: AnyGc) {}

    fn entry(&mut self, _path: &Path, key: Option<AnyGc>) -> bool {
        let Some(key) = key.filter(|key| self.store.contains(key.handle())) else {
            self.waits_for = None;
            return false;
        };
        let index = key.handle().index();
        self.waits_for = Some(index).filter(|&index| !self.found.census.contains(index));
        true
    }

    fn native(&mut self, _path: &Path, native: Native<'_>) {
        let place = self.found.natives.len() as u32;
        if *self.found.native_places.entry(native.identity).or_insert(place) == place {
            let Native { name, identity, bytes } = native;
            self.found.natives.push(NativeNode { identity, name: name.to_string(), bytes });
        }
    }

    fn kind(&mut self, kind: NodeKind) {
        self.kind = kind;
    }

    fn name(&mut self, _name: &str) {
        self.is_named = true;
    }

    fn more_bytes(&mut self, _bytes: u64) {}
}
