//! Binary trees, as in the benchmarks game: many short-lived trees beside a long-lived one.

use super::{Definition, Parameter, ParameterError, Range, Values, Workload};
use crate::session::{Session, Stop};
use tumulus_heap::{Gc, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "binary-trees",
    summary: "many short-lived trees beside a long-lived one",
    page: include_str!("../../../../docs/src/workloads/binary-trees.md"),
    parameters: &[Parameter {
        name: "depth",
        meaning: "depth of the largest tree",
        range: Range::Count { default: 16, from: 4, to: 24 },
    }],
    make,
};

/// The smallest depth of the short-lived trees.
const SHORTEST: u32 = 4;

#[derive(Trace)]
struct Node {
    children: Option<[Gc<Node>; 2]>,
}

#[derive(Debug)]
struct BinaryTrees {
    depth: u32,
}

fn make(values: &Values) -> Result<Box<dyn Workload>, ParameterError> {
    Ok(Box::new(BinaryTrees { depth: values.count("depth") as u32 }))
}

impl Workload for BinaryTrees {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let rounds = |depth: u32| 1_u64 << (self.depth - depth + SHORTEST);
        let depths = || (SHORTEST..=self.depth).step_by(2);
        let nodes = |depth: u32| (2 << depth) - 1;
        session.plan(nodes(self.depth) + depths().map(|depth| rounds(depth) * nodes(depth)).sum::<u64>());

        session.phase("long-lived tree");
        let long_lived = grow(session, self.depth)?;
        let mut sum = 0;
        for depth in depths() {
            session.phase("short-lived trees");
            for _ in 0..rounds(depth) {
                let tree = grow(session, depth)?;
                sum += count(session, tree);
                session.done(nodes(depth));
                session.safepoint(&long_lived)?;
            }
        }
        Ok(sum + count(session, long_lived))
    }
}

fn grow(session: &mut Session, depth: u32) -> Result<Gc<Node>, Stop> {
    let children = match depth {
        0 => None,
        _ => Some([grow(session, depth - 1)?, grow(session, depth - 1)?]),
    };
    Ok(session.heap().try_alloc(Node { children })?)
}

fn count(session: &mut Session, tree: Gc<Node>) -> u64 {
    match session.heap()[tree].children {
        None => 1,
        Some([left, right]) => 1 + count(session, left) + count(session, right),
    }
}
