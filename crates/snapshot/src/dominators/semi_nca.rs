//! Immediate dominators from the tree of a search.
//!
//! The semi-NCA algorithm of Georgiadis and Tarjan: semidominators as Lengauer and Tarjan find them, with compressed paths, and
//! immediate dominators from these by walking up the tree that is done. It is quadratic at worst and no slower than the linear
//! ones on graphs that programs make; it needs no buckets.
//!
//! The numbers are taken from the last to the first, and those that have been are *linked*. So a number is linked if it is
//! larger than the one that is looked at, which nobody has to write down.

use super::search::{BackEdge, Tree};

/// How many sources ahead a link is read for nothing: so it is on its way from memory before it is looked at.
const AHEAD: usize = 8;

/// What is known of a number while semidominators are looked for.
#[derive(Copy, Clone)]
struct Link {
    /// The parent, or one further up.
    ancestor: u32,
    /// The least semidominator on the way to that, its own included. Before it is linked: the least number above it in the
    /// tree from which an edge leads to it.
    least: u32,
}

/// The immediate dominator of each number; the root is its own.
pub(super) fn immediate_dominators(tree: Tree) -> Vec<u32> {
    let Tree { parents, least: mut semi, back_edges, .. } = tree;
    let back = Sources::of(&back_edges, parents.len());
    drop(back_edges);
    let links = parents.iter().zip(&semi).map(|(&ancestor, &least)| Link { ancestor, least });
    let mut links: Vec<Link> = links.collect();
    let mut way = Vec::new();
    for number in (1..parents.len() as u32).rev() {
        let sources = back.of_number(number);
        if !sources.is_empty() {
            for &ahead in back.ahead_of(number) {
                std::hint::black_box(links[ahead as usize].least);
            }
            let below = sources.iter().map(|&from| eval(from, number, &mut links, &mut way)).min();
            let least = &mut links[number as usize].least;
            *least = below.map_or(*least, |below| below.min(*least));
            semi[number as usize] = *least;
        }
    }
    drop((back, links));
    let mut immediate = parents;
    for number in 1..immediate.len() {
        let mut dominator = immediate[number];
        while dominator > semi[number] {
            dominator = immediate[dominator as usize];
        }
        immediate[number] = dominator;
    }
    immediate
}

/// The least semidominator between `from` and what is not linked while `number` is looked at. The way there becomes shorter.
#[inline]
fn eval(from: u32, number: u32, links: &mut [Link], way: &mut Vec<u32>) -> u32 {
    let mut at = from;
    let mut link = links[at as usize];
    while link.ancestor > number {
        way.push(at);
        at = link.ancestor;
        link = links[at as usize];
    }
    while let Some(below) = way.pop() {
        let low = &mut links[below as usize];
        low.ancestor = link.ancestor;
        low.least = low.least.min(link.least);
        link = *low;
    }
    link.least
}

/// For each number those of the nodes with an edge back to it.
struct Sources {
    first: Vec<u32>,
    numbers: Vec<u32>,
}

impl Sources {
    fn of(edges: &[BackEdge], count: usize) -> Sources {
        // The sources of a number are put from the last place to the first, so that its first place is left in `first`.
        let mut first = vec![0_u32; count + 1];
        for edge in edges {
            first[edge.to as usize] += 1;
        }
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        let mut numbers = vec![0; edges.len()];
        for edge in edges {
            let next = &mut first[edge.to as usize];
            *next -= 1;
            numbers[*next as usize] = edge.from;
        }
        Sources { first, numbers }
    }

    /// As many sources as the number has, of those that will be looked at soon.
    fn ahead_of(&self, number: u32) -> &[u32] {
        let (first, end) = (self.first[number as usize] as usize, self.first[number as usize + 1] as usize);
        &self.numbers[first.saturating_sub(AHEAD)..end.saturating_sub(AHEAD)]
    }

    fn of_number(&self, number: u32) -> &[u32] {
        &self.numbers[self.first[number as usize] as usize..self.first[number as usize + 1] as usize]
    }
}
