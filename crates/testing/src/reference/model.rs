//! What should be alive: objects as numbers, and a search from the roots that goes over all tables until nothing changes.

use std::collections::{BTreeMap, BTreeSet};

/// How many fields an object has.
pub(super) const SLOTS: usize = 3;

/// What an object refers to.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) edges: [Option<usize>; SLOTS],
    /// Values by keys.
    pub(super) table: Option<BTreeMap<usize, usize>>,
    /// The store of its buffer, while that is attached.
    pub(super) store: Option<usize>,
}

/// A naive heap.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// Those whose handles are good.
    pub(super) nodes: BTreeMap<usize, Node>,
    pub(super) made: usize,
    pub(super) stack: Vec<usize>,
    pub(super) roots: Vec<usize>,
    /// The bytes of each store that was made.
    pub(super) stores: Vec<Vec<u8>>,
    /// Stores that are held outside.
    pub(super) held: Vec<usize>,
}

impl Model {
    /// What a program may still use after a safepoint.
    pub(super) fn reachable(&self) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut todo: Vec<usize> = self.stack.iter().chain(&self.roots).copied().collect();
        loop {
            while let Some(node) = todo.pop() {
                if found.insert(node) {
                    todo.extend(self.nodes[&node].edges.iter().flatten());
                }
            }
            // The value of an entry is reachable if its key and its table are.
            let entries = found.iter().filter_map(|node| self.nodes[node].table.as_ref()).flatten();
            todo.extend(
                entries.filter(|(key, value)| found.contains(key) && !found.contains(value)).map(|(_, value)| *value),
            );
            if todo.is_empty() {
                return found;
            }
        }
    }

    /// Forgets what cannot be reached, and the entries of such keys. The result is what was forgotten.
    pub(super) fn forget_unreachable(&mut self) -> Vec<usize> {
        let reachable = self.reachable();
        let lost: Vec<usize> = self.nodes.keys().copied().filter(|node| !reachable.contains(node)).collect();
        self.nodes.retain(|node, _| reachable.contains(node));
        for table in self.nodes.values_mut().filter_map(|node| node.table.as_mut()) {
            table.retain(|key, _| reachable.contains(key));
        }
        lost
    }

    /// Stores that attached buffers have.
    pub(super) fn stores_in_use(&self) -> BTreeSet<usize> {
        self.nodes.values().filter_map(|node| node.store).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_as_long_as_key_and_table_do() {
        let mut model = Model { stack: vec![0, 1], made: 4, ..Model::default() };
        model.nodes = (0..4).map(|node| (node, Node::default())).collect();
        // 0 has a table: 1 leads to 2, and 2 to 3.
        model.nodes.get_mut(&0).unwrap().table = Some(BTreeMap::from([(2, 3), (1, 2)]));
        assert_eq!(model.reachable().len(), 4);
        model.stack = vec![0];
        assert_eq!(model.forget_unreachable(), [1, 2, 3]);
        assert_eq!(model.nodes[&0].table, Some(BTreeMap::new()));
        model.stack = vec![];
        assert_eq!(model.forget_unreachable(), [0]);
    }
}
