//! What has come and what has gone between two snapshots.

use crate::graph::Snapshot;
use std::collections::{BTreeMap, HashSet};

/// The difference between two snapshots of one heap.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Gc, Heap};
/// use tumulus_snapshot::{Diff, Snapshot};
///
/// let mut heap = Heap::new();
/// let mut list: Vec<Gc<[u8; 40]>> = (0..10).map(|n| heap.alloc([n; 40])).collect();
/// let before = Snapshot::of_heap(&mut heap, &list)?;
/// list.truncate(7);
/// list.extend((0..5).map(|n| heap.alloc([n; 40])));
/// let after = Snapshot::of_heap(&mut heap, &list)?;
///
/// let diff = Diff::between(&before, &after);
/// let [change] = diff.changes() else { panic!() };
/// assert_eq!((change.name, change.new.len(), change.gone.len()), ("[u8; 40]", 5, 3));
/// assert_eq!(change.size_delta(), 2 * 48);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Diff<'s> {
    changes: Vec<Change<'s>>,
}

/// What has changed among the nodes of one name; part of a [`Diff`].
///
/// ```
/// # use tumulus_snapshot::{Diff, Snapshot};
/// let mut heap = tumulus_heap::Heap::new();
/// let before = Snapshot::of_heap(&mut heap, &())?;
/// let text = heap.alloc_str("mound");
/// let after = Snapshot::of_heap(&mut heap, &text)?;
/// let diff = Diff::between(&before, &after);
/// assert_eq!((diff.changes()[0].name, diff.changes()[0].new_bytes), ("(string)", 16));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change<'s> {
    /// The name, as that of a [`Group`](crate::Group).
    pub name: &'s str,
    /// The ids of nodes that have come.
    pub new: Vec<u64>,
    /// The ids of nodes that have gone.
    pub gone: Vec<u64>,
    /// Own bytes of the new ones.
    pub new_bytes: u64,
    /// Own bytes of those that have gone.
    pub gone_bytes: u64,
}

impl Change<'_> {
    /// By how much the own bytes have grown.
    pub fn size_delta(&self) -> i64 {
        self.new_bytes.cast_signed() - self.gone_bytes.cast_signed()
    }
}

impl<'s> Diff<'s> {
    /// The difference between a snapshot and a later one of the same heap. Nodes are the same when their ids are.
    ///
    /// ```
    /// # use tumulus_snapshot::{Diff, Snapshot};
    /// let mut heap = tumulus_heap::Heap::new();
    /// let snapshot = Snapshot::of_heap(&mut heap, &())?;
    /// assert!(Diff::between(&snapshot, &snapshot).changes().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn between(before: &'s Snapshot, after: &'s Snapshot) -> Diff<'s> {
        let mut changes: BTreeMap<&str, Change<'s>> = BTreeMap::new();
        let ids = |snapshot: &Snapshot| -> HashSet<u64> { snapshot.node_ids.iter().copied().collect() };
        let (old, new) = (ids(before), ids(after));
        for node in after.nodes().filter(|node| !old.contains(&node.id())) {
            let change = changes.entry(after.group_of(node.place())).or_default();
            change.new.push(node.id());
            change.new_bytes += node.self_size();
        }
        for node in before.nodes().filter(|node| !new.contains(&node.id())) {
            let change = changes.entry(before.group_of(node.place())).or_default();
            change.gone.push(node.id());
            change.gone_bytes += node.self_size();
        }
        let mut changes: Vec<Change<'s>> =
            changes.into_iter().map(|(name, change)| Change { name, ..change }).collect();
        changes.sort_by_key(|change| (std::cmp::Reverse(change.size_delta()), change.name));
        Diff { changes }
    }

    /// The changes, by name; what has grown most comes first.
    pub fn changes(&self) -> &[Change<'s>] {
        &self.changes
    }
}
