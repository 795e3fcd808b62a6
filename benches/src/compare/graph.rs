//! Graphs that are linked at random, and the walk that turns any graph into a checksum.

use fastrand::Rng;

const LINK_SEED: u64 = 0x7275_6d75;
const TURN_SEED: u64 = 0x6c75_7473;
const ORDER_SEED: u64 = 0x6f72_6472;

/// How many steps a walk takes: enough to meet a wrong link, few beside the nodes of a full-size graph.
const STEPS: usize = 100_000;

/// Two links for each of the nodes `0..n`, which are numbered in the order of their allocation.
#[derive(Debug)]
pub struct Graph {
    /// The two nodes that each node links to.
    pub links: Vec<[u32; 2]>,
    /// From each root its part of the graph is reachable, all of it, and nothing else.
    pub roots: Vec<u32>,
}

impl Graph {
    /// A graph in `parts` separate parts of equal size, each a random selection of the nodes.
    ///
    /// Within a part, the nodes in a random order are hung one by one on a random free link of those already there,
    /// so that the root reaches all of them by paths of logarithmic length; the links that are free in the end lead
    /// to random nodes of the part. Every link leads to an unpredictable address.
    pub fn random(nodes: u64, parts: usize) -> Self {
        let mut rng = Rng::with_seed(LINK_SEED);
        let nodes = u32::try_from(nodes).expect("a graph has at most 2^32 nodes");
        let mut order: Vec<u32> = (0..nodes).collect();
        rng.shuffle(&mut order);
        let mut links = vec![[0; 2]; order.len()];
        let mut roots = Vec::with_capacity(parts);
        for part in order.chunks_exact(order.len() / parts) {
            link_at_random(part, &mut links, &mut rng);
            roots.push(part[0]);
        }
        Graph { links, roots }
    }
}

fn link_at_random(part: &[u32], links: &mut [[u32; 2]], rng: &mut Rng) {
    let mut free = vec![(part[0], 0), (part[0], 1)];
    for &node in &part[1..] {
        let (parent, side) = free.swap_remove(rng.usize(..free.len()));
        links[parent as usize][side] = node;
        free.extend([(node, 0), (node, 1)]);
    }
    for (parent, side) in free {
        links[parent as usize][side] = part[rng.usize(..part.len())];
    }
}

/// In which order the links of a chain are made.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// From the first to the last, so that each is reached by the one before it.
    Kind,
    /// From the last to the first.
    Reverse,
}

impl Order {
    /// The links, each by the number of the key from which it leads to the next.
    pub fn of_links(self, links: u64) -> Box<dyn Iterator<Item = usize>> {
        match self {
            Order::Kind => Box::new(0..links as usize),
            Order::Reverse => Box::new((0..links as usize).rev()),
        }
    }
}

/// The turns of a walk, 0 for left and 1 for right.
pub fn turns() -> Vec<u8> {
    let mut rng = Rng::with_seed(TURN_SEED);
    (0..STEPS).map(|_| rng.u8(..2)).collect()
}

/// Walks from `root` and mixes the values it meets; from a node without the link in question it returns to `root`.
///
/// `visit` gives a node's value and its links. Two contestants agree on the result when their graphs agree.
#[inline]
pub fn walk<N: Clone>(root: &N, visit: impl Fn(&N) -> (u64, [Option<N>; 2])) -> u64 {
    let mut at = root.clone();
    let mut sum = 0_u32;
    for turn in turns() {
        let (value, links) = visit(&at);
        sum = sum.wrapping_mul(31).wrapping_add(value as u32);
        let [left, right] = links;
        at = (if turn == 0 { left } else { right }).unwrap_or_else(|| root.clone());
    }
    u64::from(sum)
}

/// Shuffles handles, in the same way for all contestants.
pub fn shuffle<H>(handles: &mut [H]) {
    Rng::with_seed(ORDER_SEED).shuffle(handles);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn reached(graph: &Graph, root: u32) -> HashSet<u32> {
        let mut reached = HashSet::from([root]);
        let mut pending = vec![root];
        while let Some(node) = pending.pop() {
            pending.extend(graph.links[node as usize].into_iter().filter(|&link| reached.insert(link)));
        }
        reached
    }

    #[test]
    fn a_root_reaches_its_part_of_the_graph_and_nothing_else() {
        let whole = Graph::random(1_000, 1);
        assert_eq!(reached(&whole, whole.roots[0]).len(), 1_000);
        let halves = Graph::random(1_000, 2);
        let [first, second] = [reached(&halves, halves.roots[0]), reached(&halves, halves.roots[1])];
        assert_eq!((first.len(), second.len()), (500, 500));
        assert!(first.is_disjoint(&second));
    }

    #[test]
    fn a_walk_notices_one_wrong_link() {
        let sum =
            |graph: &Graph| walk(&graph.roots[0], |&node| (u64::from(node), graph.links[node as usize].map(Some)));
        let mut graph = Graph::random(1_000, 1);
        let good = sum(&graph);
        let root = graph.roots[0];
        graph.links[root as usize][0] = root;
        assert_ne!(sum(&graph), good);
    }
}
