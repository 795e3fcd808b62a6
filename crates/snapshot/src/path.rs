//! Why a node is alive.

use crate::graph::{Edge, Snapshot};
use std::collections::VecDeque;
use std::fmt;

/// A way from the root to a node; from [`Snapshot::shortest_path`].
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
/// use tumulus_snapshot::Snapshot;
///
/// let mut heap = Heap::new();
/// let word = heap.alloc_str("word");
/// let list = heap.alloc(vec![word]);
/// let root = heap.root(list);
/// let snapshot = Snapshot::of_heap(&mut heap, &())?;
/// let path = snapshot.shortest_path(snapshot.named("word").next().unwrap()).unwrap();
/// assert_eq!(path.to_string(), "(root)[1] -> (GC roots)[2] -> (Global handles)[0] -> Vec<Gc<str>>[0] -> word");
/// assert_eq!(path.edges().len(), 4);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Path<'s> {
    snapshot: &'s Snapshot,
    edges: Vec<Edge<'s>>,
}

impl<'s> Path<'s> {
    /// The edges, that of the root first.
    pub fn edges(&self) -> &[Edge<'s>] {
        &self.edges
    }
}

impl Snapshot {
    /// A shortest way from the root to a node by edges that keep alive; `None` if there is no way.
    ///
    /// Of several that are as short, it is the one that comes first in the file. Takes time proportional to what is as near
    /// to the root as the node.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    ///
    /// ```
    /// # use tumulus_snapshot::Snapshot;
    /// let mut heap = tumulus_heap::Heap::new();
    /// let text = heap.alloc_str("mound");
    /// let snapshot = Snapshot::of_heap(&mut heap, &text)?;
    /// let path = snapshot.shortest_path(snapshot.named("mound").next().unwrap());
    /// assert_eq!(path.unwrap().to_string(), "(root) -> mound");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn shortest_path(&self, to: u32) -> Option<Path<'_>> {
        const UNSEEN: u32 = u32::MAX;
        // The edge by which each node was found, and where that comes from.
        let mut found_by = vec![(UNSEEN, 0_u32); self.node_types.len()];
        let mut todo = VecDeque::from([self.root()]);
        assert!(to < self.len(), "there is no node {to} among {}", self.len());
        while let Some(node) = todo.pop_front() {
            if node == to {
                let mut edges = Vec::new();
                let mut at = to;
                while at != self.root() {
                    let (number, from) = found_by[at as usize];
                    edges.push(Edge { snapshot: self, from, number: number as usize });
                    at = from;
                }
                edges.reverse();
                return Some(Path { snapshot: self, edges });
            }
            for number in self.edge_range(node).filter(|&number| self.is_strong(node, number)) {
                let next = self.edge_to[number];
                if next != self.root() && found_by[next as usize].0 == UNSEEN {
                    found_by[next as usize] = (number as u32, node);
                    todo.push_back(next);
                }
            }
        }
        None
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(root)")?;
        for edge in &self.edges {
            if !matches!(edge.label(), crate::Label::Name("")) {
                write!(f, "{}", edge.label())?;
            }
            write!(f, " -> {}", self.snapshot.node(edge.to()).name())?;
        }
        Ok(())
    }
}
