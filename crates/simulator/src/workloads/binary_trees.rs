//! Binary trees, after the benchmark of that name: many short-lived ones, beside one that lives.
//!
//! A tree is built from its leaves up, as `new Node(tree(depth - 1), tree(depth - 1))` does it in JavaScript.

use super::numbers::Checksum;
use super::shapes::{Stack, Words, put};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use tumulus_heap::{Gc, Heap, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "binary-trees",
    summary: "many short-lived trees beside one that lives",
    page: include_str!("../../pages/binary-trees.md"),
    parameters: &[
        Parameter::count("depth", "depth of the tree that lives, and of the deepest of the others", 18, 0..=24),
        Parameter::count("rounds", "how often all short-lived trees are made", 2, 1..=1_000_000),
    ],
    make: |values| {
        Ok(Box::new(BinaryTrees { depth: values.count("depth") as u32, rounds: values.count("rounds") as u32 }))
    },
};

/// How deep the shallowest of the short-lived trees are.
const SHALLOWEST: u32 = 4;

#[derive(Debug)]
struct BinaryTrees {
    /// How deep the tree is that lives, and the deepest of the others.
    depth: u32,
    /// How often everything is done.
    rounds: u32,
}

#[derive(Debug, Trace)]
struct Node {
    words: Words,
    left: Option<Gc<Node>>,
    right: Option<Gc<Node>>,
}

#[derive(Debug, Default, Trace)]
struct Roots {
    long_lived: Option<Gc<Node>>,
    stack: Stack<Node>,
}

impl Workload for BinaryTrees {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut roots = Roots::default();
        let mut checksum = Checksum::default();
        let depths = || (SHALLOWEST.min(self.depth)..=self.depth).step_by(2);
        let trees = |depth: u32| 1_u32 << (self.depth - depth + SHALLOWEST.min(self.depth));
        session.plan(
            u64::from(self.rounds) * depths().map(|depth| u64::from(trees(depth)) * nodes_of(depth)).sum::<u64>(),
        );

        session.phase("the tree that lives");
        let long_lived = tree(session, &mut roots, self.depth)?;
        roots.long_lived = Some(long_lived);

        session.phase("trees that die");
        for _ in 0..self.rounds {
            for depth in depths() {
                let mut nodes = 0_u32;
                for _ in 0..trees(depth) {
                    let tree = tree(session, &mut roots, depth)?;
                    nodes = nodes.wrapping_add(count(session.heap(), tree));
                    session.done(nodes_of(depth));
                }
                checksum.add(nodes);
            }
        }
        checksum.add(count(session.heap(), long_lived));
        Ok(checksum.get())
    }
}

/// How many nodes a tree has.
fn nodes_of(depth: u32) -> u64 {
    (2 << depth) - 1
}

/// Builds a tree. Nothing keeps it when this returns.
fn tree(session: &mut Session, roots: &mut Roots, depth: u32) -> Result<Gc<Node>, Stop> {
    for leaf in 1..=1_u32 << depth {
        let mut node = put(session.heap(), roots, Node { words: Words::default(), left: None, right: None })?;
        // As many pairs are complete as a binary counter carries.
        for _ in 0..leaf.trailing_zeros() {
            let left = roots.stack.pop();
            node = put(session.heap(), roots, Node { words: Words::default(), left, right: Some(node) })?;
        }
        roots.stack.push(node);
        session.safepoint(roots)?;
    }
    Ok(roots.stack.pop().expect("a tree has a leaf"))
}

fn count(heap: &Heap, node: Gc<Node>) -> u32 {
    let Node { left, right, .. } = &heap[node];
    1 + left.map_or(0, |left| count(heap, left)) + right.map_or(0, |right| count(heap, right))
}
