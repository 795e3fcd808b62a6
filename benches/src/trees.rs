//! Trees that all contestants build in the same order, whatever their handles are.
//!
//! Each function is given `make`, which allocates one node from its children, so that a tree is built bottom-up and
//! depth-first: allocation order is the order in which a collector meets the nodes, or its reverse.
//!
//! `#[inline]` has them compiled beside their `make`, so that no contestant pays a call where another does not.

/// The smallest depth of the benchmark game's short-lived trees.
const SHORTEST: u32 = 4;

/// A complete tree: `depth` 0 is one leaf.
#[inline]
pub fn complete<H>(depth: u32, make: &mut impl FnMut(Option<H>, Option<H>) -> H) -> H {
    if depth == 0 {
        return make(None, None);
    }
    let left = complete(depth - 1, make);
    let right = complete(depth - 1, make);
    make(Some(left), Some(right))
}

/// How many nodes a complete tree has.
pub const fn complete_nodes(depth: u32) -> u64 {
    (1 << (depth + 1)) - 1
}

/// The short-lived part of the benchmark game: calls `tree` with the depth of each tree, and sums what it returns.
#[inline]
pub fn short_lived(longest: u32, mut tree: impl FnMut(u32) -> u64) -> u64 {
    let mut total = 0;
    for (depth, count) in short_lived_plan(longest) {
        for _ in 0..count {
            total += tree(depth);
        }
    }
    total
}

/// How many nodes the benchmark game allocates in all: the stretch tree, the long-lived one and the short-lived.
pub fn game_nodes(longest: u32) -> u64 {
    let short: u64 = short_lived_plan(longest).map(|(depth, count)| count * complete_nodes(depth)).sum();
    complete_nodes(longest + 1) + complete_nodes(longest) + short
}

fn short_lived_plan(longest: u32) -> impl Iterator<Item = (u32, u64)> {
    (SHORTEST..=longest).step_by(2).map(move |depth| (depth, 1 << (longest - depth + SHORTEST)))
}

/// A balanced tree of exactly `nodes` nodes; `make` also gets the number of nodes below and at the new one.
///
/// Unlike a complete tree its size is not tied to powers of two, which fall together in a cache's sets.
#[inline]
pub fn balanced<H>(nodes: u64, make: &mut impl FnMut(Option<H>, Option<H>, u64) -> H) -> Option<H> {
    if nodes == 0 {
        return None;
    }
    let half = (nodes - 1) / 2;
    let left = balanced(half, make);
    let right = balanced(nodes - 1 - half, make);
    Some(make(left, right, nodes))
}

/// Two balanced trees of `nodes` nodes each, allocated in turns: every second object belongs to the second tree.
#[inline]
pub fn balanced_pair<H>(nodes: u64, make: &mut impl FnMut(Option<H>, Option<H>, u64) -> H) -> [Option<H>; 2] {
    if nodes == 0 {
        return [None, None];
    }
    let half = (nodes - 1) / 2;
    let [first_left, second_left] = balanced_pair(half, make);
    let [first_right, second_right] = balanced_pair(nodes - 1 - half, make);
    let first = make(first_left, first_right, nodes);
    let second = make(second_left, second_right, nodes);
    [Some(first), Some(second)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(left: Option<u64>, right: Option<u64>) -> u64 {
        1 + left.unwrap_or(0) + right.unwrap_or(0)
    }

    #[test]
    fn the_game_allocates_as_many_nodes_as_are_announced() {
        let mut made = 0;
        let mut tree = |depth| {
            complete(depth, &mut |left, right| {
                made += 1;
                below(left, right)
            })
        };
        let checked = tree(9) + tree(8) + short_lived(8, &mut tree);
        assert_eq!(checked, game_nodes(8));
        assert_eq!(made, game_nodes(8));
    }

    #[test]
    fn balanced_trees_have_exactly_the_nodes_that_were_asked_for() {
        for nodes in 1..100 {
            assert_eq!(balanced(nodes, &mut |left, right, _| below(left, right)), Some(nodes));
            assert_eq!(balanced_pair(nodes, &mut |left, right, _| below(left, right)), [Some(nodes); 2]);
        }
    }
}
