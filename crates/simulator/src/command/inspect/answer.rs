//! What is said of a snapshot: plain data, written as JSON, or shown by `text.rs`.
//!
//! Names are as they are in the snapshot. Sizes are bytes.

use crate::command::Failure;
use serde::Serialize;
use tumulus_snapshot::{Diff, Dominators, Ephemerons, Label, Node, Snapshot};

/// How many objects of one name are told of.
const SAME_NAME: usize = 3;
/// How many of those that refer to an object are told.
const REFERRERS: usize = 9;

/// What is in a heap, and what retains most of it.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'s> {
    pub(super) nodes: u64,
    pub(super) edges: u64,
    pub(super) bytes: u64,
    pub(super) by_name: Vec<Group<'s>>,
    pub(super) retain_most: Vec<Object<'s>>,
}

/// The objects of one name.
#[derive(Debug, Serialize)]
pub(super) struct Group<'s> {
    pub(super) name: &'s str,
    pub(super) objects: u64,
    pub(super) own: u64,
    pub(super) retained: u64,
}

/// An object.
#[derive(Debug, Serialize)]
pub(super) struct Object<'s> {
    #[serde(flatten)]
    pub(super) name: Named<'s>,
    pub(super) kind: String,
    pub(super) own: u64,
    pub(super) retained: u64,
}

/// What an object is called.
#[derive(Debug, Serialize)]
pub(super) struct Named<'s> {
    pub(super) name: &'s str,
    pub(super) id: u64,
}

/// Why objects are alive.
#[derive(Debug, Serialize)]
pub(super) struct Reasons<'s> {
    pub(super) objects: Vec<Reason<'s>>,
    /// How many more there are of that name.
    pub(super) more: usize,
}

/// Why an object is alive.
#[derive(Debug, Serialize)]
pub(super) struct Reason<'s> {
    #[serde(flatten)]
    pub(super) object: Object<'s>,
    /// From the root to it; none, if no edges that keep alive lead to it.
    pub(super) path: Option<Vec<Step<'s>>>,
    /// Some of those that refer to it,
    pub(super) referrers: Vec<Named<'s>>,
    /// and how many there are.
    pub(super) referrer_count: usize,
}

/// An edge of a path.
#[derive(Debug, Serialize)]
pub(super) struct Step<'s> {
    /// What the edge is called; nothing, if it has no name.
    pub(super) edge: String,
    pub(super) to: Named<'s>,
}

/// What differs from an earlier snapshot.
#[derive(Debug, Serialize)]
pub(super) struct Changes<'s> {
    pub(super) changes: Vec<Change<'s>>,
    /// How many more names there are of which something has changed.
    pub(super) more: usize,
}

/// What has become of the objects of one name.
#[derive(Debug, Serialize)]
pub(super) struct Change<'s> {
    pub(super) name: &'s str,
    pub(super) new: usize,
    pub(super) gone: usize,
    /// Bytes that the objects have more than before.
    pub(super) own_delta: i64,
}

impl<'s> Named<'s> {
    fn of(node: Node<'s>) -> Named<'s> {
        Named { name: node.name(), id: node.id() }
    }
}

impl<'s> Object<'s> {
    fn of(node: Node<'s>, dominators: &Dominators) -> Object<'s> {
        let retained = dominators.retained_size(node.place());
        Object { name: Named::of(node), kind: node.kind().to_string(), own: node.self_size(), retained }
    }
}

impl<'s> Summary<'s> {
    pub(super) fn of(snapshot: &'s Snapshot, top: usize) -> Summary<'s> {
        let dominators = snapshot.dominators(Ephemerons::OfKeys);
        // The roots are not what somebody asks for.
        let groups = snapshot.summary(&dominators).into_iter().filter(|group| group.self_size > 0).take(top);
        let group = |group: tumulus_snapshot::Group<'s>| Group {
            name: group.name,
            objects: group.count,
            own: group.self_size,
            retained: group.retained_size,
        };
        // Among the largest are the groups of roots, which have no size of their own.
        let largest = dominators.largest(top.saturating_add(16)).into_iter().map(|place| snapshot.node(place));
        let largest = largest.filter(|node| node.self_size() > 0).take(top);
        Summary {
            nodes: snapshot.len().into(),
            edges: snapshot.edge_count() as u64,
            bytes: snapshot.nodes().map(Node::self_size).sum(),
            by_name: groups.map(group).collect(),
            retain_most: largest.map(|node| Object::of(node, &dominators)).collect(),
        }
    }
}

impl<'s> Reasons<'s> {
    /// Why those are alive that have this id, such as `@17`, or this name.
    pub(super) fn of(snapshot: &'s Snapshot, wanted: &str) -> Result<Reasons<'s>, Failure> {
        let places: Vec<u32> = match wanted.strip_prefix('@').and_then(|id| id.parse().ok()) {
            Some(id) => snapshot.with_id(id).into_iter().collect(),
            None => snapshot.named(wanted).collect(),
        };
        if places.is_empty() {
            let words = format!("there is no node {wanted:?}; give a name in full, or an id such as @17");
            return Err(Failure::Other(words));
        }
        let dominators = snapshot.dominators(Ephemerons::OfKeys);
        let retainers = snapshot.retainers();
        let reason = |&place: &u32| {
            let path = snapshot.shortest_path(place).map(|path| path.edges().iter().map(Step::of(snapshot)).collect());
            let referrers = retainers.nodes_of(place);
            Reason {
                object: Object::of(snapshot.node(place), &dominators),
                path,
                referrer_count: referrers.len(),
                referrers: referrers.into_iter().take(REFERRERS).map(|from| Named::of(snapshot.node(from))).collect(),
            }
        };
        let objects = places.iter().take(SAME_NAME).map(reason).collect();
        Ok(Reasons { objects, more: places.len().saturating_sub(SAME_NAME) })
    }
}

impl<'s> Step<'s> {
    fn of(snapshot: &'s Snapshot) -> impl Fn(&tumulus_snapshot::Edge<'s>) -> Step<'s> {
        |edge| {
            let name = if matches!(edge.label(), Label::Name("")) { String::new() } else { edge.label().to_string() };
            Step { edge: name, to: Named::of(snapshot.node(edge.to())) }
        }
    }
}

impl<'s> Changes<'s> {
    /// The names whose objects have become most or fewest come first.
    pub(super) fn of(diff: &Diff<'s>, top: usize) -> Changes<'s> {
        let mut all: Vec<_> = diff.changes().iter().collect();
        all.sort_by_key(|change| (std::cmp::Reverse(change.size_delta().unsigned_abs()), change.name));
        let more = all.len().saturating_sub(top);
        let change = |change: &tumulus_snapshot::Change<'s>| Change {
            name: change.name,
            new: change.new.len(),
            gone: change.gone.len(),
            own_delta: change.size_delta(),
        };
        Changes { changes: all.into_iter().take(top).map(change).collect(), more }
    }
}
