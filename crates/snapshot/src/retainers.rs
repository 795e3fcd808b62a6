//! The graph the other way round: who refers to a node.

use crate::graph::{Edge, Snapshot};

/// For each node of a snapshot the edges that lead to it; from [`Snapshot::retainers`].
///
/// It takes 8 bytes for each edge and 4 for each node.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Gc, Heap};
/// use tumulus_snapshot::Snapshot;
///
/// let mut heap = Heap::new();
/// let shared = heap.alloc_str("shared");
/// let holders: [Gc<Vec<Gc<str>>>; 2] = [heap.alloc(vec![shared]), heap.alloc(vec![shared, shared])];
/// let snapshot = Snapshot::of_heap(&mut heap, &holders)?;
/// let retainers = snapshot.retainers();
///
/// let node = snapshot.named("shared").next().unwrap();
/// assert_eq!(retainers.of(node).count(), 3);
/// assert_eq!(retainers.nodes_of(node).len(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Retainers<'s> {
    snapshot: &'s Snapshot,
    /// **Invariant:** as `first_edges` of the snapshot, for the edges that lead to a node.
    first: Vec<u32>,
    /// The edges, by number, and the nodes that they come from.
    edges: Vec<(u32, u32)>,
}

impl Snapshot {
    /// The edges that lead to each node. Takes time proportional to the number of nodes and edges.
    ///
    /// ```
    /// # use tumulus_snapshot::Snapshot;
    /// let mut heap = tumulus_heap::Heap::new();
    /// let snapshot = Snapshot::of_heap(&mut heap, &())?;
    /// assert_eq!(snapshot.retainers().nodes_of(1), [snapshot.root()]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn retainers(&self) -> Retainers<'_> {
        let mut first = vec![0_u32; self.node_types.len() + 1];
        for &to in &self.edge_to {
            first[to as usize + 1] += 1;
        }
        for place in 1..first.len() {
            first[place] += first[place - 1];
        }
        let mut next = first.clone();
        let mut edges = vec![(0, 0); self.edge_to.len()];
        for from in 0..self.len() {
            for number in self.edge_range(from) {
                let place = &mut next[self.edge_to[number] as usize];
                edges[*place as usize] = (number as u32, from);
                *place += 1;
            }
        }
        Retainers { snapshot: self, first, edges }
    }
}

impl<'s> Retainers<'s> {
    /// The edges that lead to a node, weak ones among them, in the order of the nodes that they come from.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    #[track_caller]
    pub fn of(&self, node: u32) -> impl ExactSizeIterator<Item = Edge<'s>> + '_ {
        let range = self.first[node as usize] as usize..self.first[node as usize + 1] as usize;
        let snapshot = self.snapshot;
        self.edges[range].iter().map(move |&(number, from)| Edge { snapshot, from, number: number as usize })
    }

    /// The nodes that keep a node alive themselves, each of them once.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    #[track_caller]
    pub fn nodes_of(&self, node: u32) -> Vec<u32> {
        let mut nodes: Vec<u32> = self.of(node).filter(|edge| edge.is_strong()).map(Edge::from).collect();
        nodes.dedup();
        nodes
    }
}
