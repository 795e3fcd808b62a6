//! What an object says of itself, turned into nodes and edges of a snapshot.
//!
//! The same objects describe themselves several times over: to be counted, and to be written. What counts as an edge is
//! decided here, the same each time: an edge to an object of the snapshot.
//!
//! An entry of a weak table is three edges, named as DevTools want them: a weak one from the table to the key, and one from
//! each of the two to each object that the value refers to. DevTools take no notice of that from the table when they ask what
//! keeps an object alive.

use super::names::Names;
use super::reach::{Reached, is_text};
use super::text::Text;
use crate::raw::{AnyGc, Store};
use crate::trace::{Describe, Native, NodeKind, Path, Step};
use std::io::Write;

/// Types of edges, as numbers of the format.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum EdgeType {
    Element = 1,
    Property = 2,
    Internal = 3,
    Shortcut = 5,
    Weak = 6,
}

/// A value of a weak table that lives as long as its key and the table. All are ranks of objects.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ephemeron {
    pub(super) key: u32,
    /// Its place among all, in the order of the tables.
    pub(super) number: u32,
    pub(super) value: u32,
    pub(super) table: u32,
}

/// Who takes the edges of one node after the other.
pub(super) trait Take {
    /// An edge with a name, or, for [`EdgeType::Element`], a number.
    fn edge(&mut self, edge: EdgeType, path: &Path, to: NodePlace);
    /// The edge from the table of the ephemeron with this number.
    fn ephemeron(&mut self, ephemeron: Ephemeron);
}

/// Which node an edge leads to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum NodePlace {
    /// By rank.
    Object(u32),
    /// By place in the list of what is outside.
    Native(u32),
}

/// What an object says of itself beside its edges.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) kind: NodeKind,
    pub(super) name: String,
    pub(super) is_named: bool,
    pub(super) more_bytes: u64,
}

impl About {
    /// Whether it has a text of its own.
    pub(super) fn is_text(&self) -> bool {
        self.is_named && is_text(self.kind)
    }

    pub(super) fn clear(&mut self) {
        self.kind = NodeKind::default();
        self.name.clear();
        self.is_named = false;
        self.more_bytes = 0;
    }
}

/// Goes over what objects describe.
pub(super) struct Walk<'w, T> {
    pub(super) store: &'w Store,
    pub(super) reached: &'w Reached,
    pub(super) take: T,
    pub(super) about: About,
    /// The rank of the object that is described.
    pub(super) rank: u32,
    /// Ephemerons that have been seen since the walk began.
    pub(super) ephemerons: u32,
    /// The key of the entry that is described.
    key: Option<u32>,
    /// What is described is shown as children of the root itself, too.
    pub(super) edge_type: EdgeType,
}

/// The longest name that is shown, in bytes.
const LONGEST_NAME: usize = 1024;

impl<'w, T: Take> Walk<'w, T> {
    pub(super) fn new(store: &'w Store, reached: &'w Reached, take: T) -> Walk<'w, T> {
        Walk {
            store,
            reached,
            take,
            about: About::default(),
            rank: 0,
            ephemerons: 0,
            key: None,
            edge_type: EdgeType::Property,
        }
    }

    /// Begins with another object.
    pub(super) fn begin(&mut self, rank: u32) {
        self.rank = rank;
        self.key = None;
        self.about.clear();
    }
}

impl<T: Take> Describe for Walk<'_, T> {
    fn edge(&mut self, path: &Path, to: AnyGc) {
        let Some(to) = self.reached.census.rank(to.handle().index()) else { return };
        if let Some(key) = self.key {
            let ephemeron = Ephemeron { key, number: self.ephemerons, value: to, table: self.rank };
            self.ephemerons += 1;
            self.take.ephemeron(ephemeron);
            return;
        }
        let edge = match path.steps() {
            _ if self.edge_type == EdgeType::Shortcut => EdgeType::Shortcut,
            [] | [Step::Index(_)] => EdgeType::Element,
            _ => EdgeType::Property,
        };
        self.take.edge(edge, path, NodePlace::Object(to));
    }

    fn weak_edge(&mut self, path: &Path, to: AnyGc) {
        if self.store.contains(to.handle())
            && let Some(to) = self.reached.census.rank(to.handle().index())
        {
            self.take.edge(EdgeType::Weak, path, NodePlace::Object(to));
        }
    }

    fn entry(&mut self, path: &Path, key: Option<AnyGc>) -> bool {
        let living = key.filter(|key| self.store.contains(key.handle()));
        self.key = living.and_then(|key| self.reached.census.rank(key.handle().index()));
        if let Some(key) = self.key {
            self.take.edge(EdgeType::Weak, path, NodePlace::Object(key));
        }
        self.key.is_some()
    }

    fn native(&mut self, path: &Path, native: Native<'_>) {
        if let Some(&place) = self.reached.native_places.get(&native.identity) {
            self.take.edge(EdgeType::Internal, path, NodePlace::Native(place));
        }
    }

    fn kind(&mut self, kind: NodeKind) {
        self.about.kind = kind;
    }

    fn name(&mut self, name: &str) {
        self.about.is_named = true;
        self.about.name.clear();
        self.about.name.push_str(&name[..name.floor_char_boundary(LONGEST_NAME)]);
    }

    fn more_bytes(&mut self, bytes: u64) {
        self.about.more_bytes += bytes;
    }
}

/// Counts edges, and notes ephemerons.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) edges: u64,
    pub(super) ephemerons: Option<Vec<Ephemeron>>,
}

impl Take for Count {
    fn edge(&mut self, _edge: EdgeType, _path: &Path, _to: NodePlace) {
        self.edges += 1;
    }

    fn ephemeron(&mut self, ephemeron: Ephemeron) {
        self.edges += 1;
        if let Some(list) = &mut self.ephemerons {
            list.push(ephemeron);
        }
    }
}

/// Where the nodes and the strings of a kind begin in the file.
#[derive(Copy, Clone, Debug)]
pub(super) struct Places {
    pub(super) objects: u32,
    pub(super) natives: u32,
    pub(super) ephemeron_names: u32,
    pub(super) shared_names: u32,
}

/// Fields of a node.
pub(super) const NODE_FIELDS: u64 = 7;

/// Writes edges.
pub(super) struct Put<'p, W> {
    pub(super) text: &'p mut Text<W>,
    pub(super) names: &'p mut Names,
    pub(super) places: Places,
    pub(super) written: u64,
    pub(super) key: Vec<(usize, usize)>,
}

impl<W: Write> Put<'_, W> {
    /// Writes an edge to the node at a place in the file.
    pub(super) fn put(&mut self, edge: EdgeType, name_or_index: u32, to: u32) {
        if self.written > 0 {
            self.text.raw("\n,");
        }
        self.written += 1;
        self.text.numbers([u64::from(edge as u8), u64::from(name_or_index), u64::from(to) * NODE_FIELDS]);
    }

    /// Writes the edge of an ephemeron, from its key or from its table.
    pub(super) fn put_ephemeron(&mut self, ephemeron: &Ephemeron) {
        let name = self.places.ephemeron_names + ephemeron.number;
        self.put(EdgeType::Internal, name, self.places.objects + ephemeron.value);
    }
}

impl<W: Write> Take for Put<'_, W> {
    fn edge(&mut self, edge: EdgeType, path: &Path, to: NodePlace) {
        let name_or_index = match path.steps() {
            [] if edge == EdgeType::Element => 0,
            [Step::Index(index)] if edge == EdgeType::Element => *index,
            _ => self.places.shared_names + self.names.of_path(path, &mut self.key),
        };
        let to = match to {
            NodePlace::Object(rank) => self.places.objects + rank,
            NodePlace::Native(place) => self.places.natives + place,
        };
        self.put(edge, name_or_index, to);
    }

    fn ephemeron(&mut self, ephemeron: Ephemeron) {
        self.put_ephemeron(&ephemeron);
    }
}
