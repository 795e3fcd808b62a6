//! The tree of a depth-first search.
//!
//! The nodes are numbered in the order in which the search comes to them. When it looks at an edge, both ends have a number or
//! get one, so that each edge is written down in numbers at once:
//!
//! - if it leads from a smaller number to a larger one, its beginning is above its end in the tree, and all that matters of it
//!   is the least such number for each end;
//! - if it leads from a larger number to a smaller one, it goes on the list of those that [`semi_nca`](super::semi_nca) has to
//!   look at.

use super::counted::{Counted, node_at, place_of};
use crate::graph::Snapshot;

/// How many places ahead on the stack a record is read for nothing: so it is on its way from memory before it is looked at,
/// and several are at once.
const AHEAD: usize = 4;

/// No number.
pub(super) const NONE: u32 = u32::MAX;

/// An edge from a larger number to a smaller one.
#[derive(Copy, Clone)]
pub(super) struct BackEdge {
    pub(super) from: u32,
    pub(super) to: u32,
}

/// The nodes that count, by their numbers.
#[derive(Default)]
pub(super) struct Tree {
    /// From where the search came; the root is its own.
    pub(super) parents: Vec<u32>,
    /// The least number from which an edge leads down here.
    pub(super) least: Vec<u32>,
    pub(super) back_edges: Vec<BackEdge>,
    /// Where the records are.
    places: Vec<u32>,
}

impl Tree {
    /// Numbers all nodes that count.
    pub(super) fn of(snapshot: &Snapshot, counted: &mut Counted) -> Tree {
        let count = snapshot.node_types.len();
        let mut tree = Tree {
            parents: Vec::with_capacity(count),
            least: Vec::with_capacity(count),
            back_edges: Vec::new(),
            places: Vec::with_capacity(count),
        };
        let mut stack = Vec::new();
        tree.search(0, counted, &mut stack);
        if tree.parents.len() < count {
            tree.search_behind_weak_edges(snapshot, counted, &mut stack);
        }
        tree
    }

    /// What only weak edges lead to counts as the root's own child, if they come from something that counts.
    fn search_behind_weak_edges(&mut self, snapshot: &Snapshot, counted: &mut Counted, stack: &mut Vec<(u32, u32)>) {
        let mut has_essential = vec![false; snapshot.node_types.len()];
        for from in 0..snapshot.len() {
            for edge in snapshot.edge_range(from).filter(|&edge| snapshot.is_strong(from, edge)) {
                has_essential[snapshot.edge_to[edge] as usize] = true;
            }
        }
        let numbered = (0..snapshot.len()).filter(|&node| counted.number_of(snapshot, node) != NONE);
        let mut todo: Vec<u32> = numbered.collect();
        while let Some(node) = todo.pop() {
            for edge in snapshot.edge_range(node) {
                let to = snapshot.edge_to[edge];
                if counted.number_of(snapshot, to) == NONE && !has_essential[to as usize] {
                    let known = self.places.len();
                    self.search(place_of(snapshot, to), counted, stack);
                    todo.extend(self.places[known..].iter().map(|&place| node_at(snapshot, place)));
                }
            }
        }
    }

    /// Comes to everything that can be reached from the node with the record at `place`, and has not been. The node itself
    /// counts as a child of the root.
    fn search(&mut self, place: u32, counted: &mut Counted, stack: &mut Vec<(u32, u32)>) {
        stack.push((place, 0));
        while let Some((place, from)) = stack.pop() {
            if let Some(&(ahead, _)) = stack.get(stack.len().wrapping_sub(AHEAD)) {
                std::hint::black_box(counted.number_at(ahead));
            }
            let number = counted.number_at(place);
            if number == NONE {
                let number = self.parents.len() as u32;
                self.parents.push(from);
                self.least.push(from);
                self.places.push(place);
                stack.extend(counted.set_number_at(place, number).iter().map(|&to| (to, number)));
            } else if number < from {
                self.back_edges.push(BackEdge { from, to: number });
            } else {
                let least = &mut self.least[number as usize];
                *least = from.min(*least);
            }
        }
    }
}
