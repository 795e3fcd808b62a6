//! What would go with a node.
//!
//! A node *dominates* another if every way from the root to that one leads through it. Its retained size is what it dominates,
//! itself included: what would be freed if it were.
//!
//! The dominators are found by the semi-NCA algorithm of Georgiadis and Tarjan: semidominators as Lengauer and Tarjan find
//! them, with compressed paths, and immediate dominators from these by walking up the tree that is done. It is quadratic at
//! worst and no slower than the linear ones on graphs that programs make; without buckets it needs six numbers for a node.
//!
//! Which edges count is as in DevTools:
//!
//! - weak ones do not, nor shortcuts but those of the root;
//! - what can be reached from the root's shortcuts is *the page's*, and is not kept by what is not. So the collector's own
//!   roots do not hide what the program keeps;
//! - a node that is not reached at all counts as a child of the root.

use crate::graph::{EdgeType, Snapshot};
use std::collections::HashSet;

/// How entries of weak maps count, each of which is an edge from the key and one from the table; see
/// [`Snapshot::dominators`].
///
/// ```
/// assert_eq!(tumulus_snapshot::Ephemerons::default(), tumulus_snapshot::Ephemerons::OfKeys);
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Ephemerons {
    /// The edge from the key counts: a value is retained by its key. So does DevTools since 2023.
    #[default]
    OfKeys,
    /// Both count, so that a value is retained by neither.
    OfBoth,
}

/// Immediate dominators and retained sizes; from [`Snapshot::dominators`].
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Gc, Heap};
/// use tumulus_snapshot::{Ephemerons, Snapshot};
///
/// let mut heap = Heap::new();
/// let shared = heap.alloc([0_u8; 100]);
/// let own = heap.alloc([0_u8; 200]);
/// let a = heap.alloc((shared, own));
/// let b = heap.alloc((shared, 1));
/// let snapshot = Snapshot::of_heap(&mut heap, &(a, b))?;
///
/// let dominators = snapshot.dominators(Ephemerons::OfKeys);
/// let [a] = snapshot.named("(Gc<[u8; 100]>, Gc<[u8; 200]>)").collect::<Vec<_>>()[..] else { panic!() };
/// assert_eq!(dominators.retained_size(a), 32 + 208); // what is shared stays
/// let [shared] = snapshot.named("[u8; 100]").collect::<Vec<_>>()[..] else { panic!() };
/// assert_eq!(dominators.immediate(shared), Some(snapshot.root()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dominators {
    /// The root is its own.
    immediate: Vec<u32>,
    retained: Vec<u64>,
}

impl Dominators {
    /// The nearest node through which every way from the root to this one leads; none for the root.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn immediate(&self, node: u32) -> Option<u32> {
        (node != 0).then(|| self.immediate[node as usize])
    }

    /// Bytes that would be freed if the node were.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn retained_size(&self, node: u32) -> u64 {
        self.retained[node as usize]
    }

    /// The nodes that retain the most, the largest first; without the root.
    pub fn largest(&self, count: usize) -> Vec<u32> {
        let mut nodes: Vec<u32> = (1..self.retained.len() as u32).collect();
        let by_size = |&node: &u32| (std::cmp::Reverse(self.retained[node as usize]), node);
        if count < nodes.len() {
            nodes.select_nth_unstable_by_key(count, by_size);
            nodes.truncate(count);
        }
        nodes.sort_unstable_by_key(by_size);
        nodes
    }
}

const NONE: u32 = u32::MAX;

impl Snapshot {
    /// The dominators of all nodes and their retained sizes.
    ///
    /// ```
    /// # use tumulus_snapshot::{Ephemerons, Snapshot};
    /// let mut heap = tumulus_heap::Heap::new();
    /// let text = heap.alloc_str("mound");
    /// let snapshot = Snapshot::of_heap(&mut heap, &text)?;
    /// let dominators = snapshot.dominators(Ephemerons::OfKeys);
    /// assert_eq!(dominators.retained_size(snapshot.root()), 16);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn dominators(&self, ephemerons: Ephemerons) -> Dominators {
        let counted = counted_edges(self, ephemerons);
        let order = Order::of(self, &counted);
        let found = immediate_dominators(self, &order, &counted);
        let mut retained = self.self_sizes.clone();
        let mut immediate = vec![0; self.node_types.len()];
        for number in (1..order.nodes.len()).rev() {
            let (node, dominator) = (order.nodes[number], order.nodes[found[number] as usize]);
            immediate[node as usize] = dominator;
            retained[dominator as usize] += retained[node as usize];
        }
        let unreached = (0..self.node_types.len()).filter(|&node| order.numbers[node] == NONE);
        retained[0] += unreached.map(|node| self.self_sizes[node]).sum::<u64>();
        Dominators { immediate, retained }
    }
}

/// For each edge where it leads, or [`NONE`] if it does not count.
fn counted_edges(snapshot: &Snapshot, ephemerons: Ephemerons) -> Vec<u32> {
    let is_of_page = of_page(snapshot);
    let is_of_table = if ephemerons == Ephemerons::OfKeys { of_tables(snapshot) } else { Vec::new() };
    let mut counted = snapshot.edge_to.clone();
    for from in 0..snapshot.len() {
        let keeps_all = from == 0 || is_of_page[from as usize];
        for edge in snapshot.edge_range(from) {
            let is_essential = snapshot.is_strong(from, edge) && !is_of_table.get(edge).is_some_and(|&is| is);
            if !is_essential || !keeps_all && is_of_page[counted[edge] as usize] {
                counted[edge] = NONE;
            }
        }
    }
    counted
}

/// What can be reached from the root's shortcuts.
fn of_page(snapshot: &Snapshot) -> Vec<bool> {
    let mut is_of_page = vec![false; snapshot.node_types.len()];
    let mut todo = Vec::new();
    let mut reach = |to: u32, todo: &mut Vec<u32>| {
        if !std::mem::replace(&mut is_of_page[to as usize], true) {
            todo.push(to);
        }
    };
    for edge in snapshot.edge_range(0).filter(|&edge| snapshot.edge_types[edge] == EdgeType::Shortcut) {
        reach(snapshot.edge_to[edge], &mut todo);
    }
    while let Some(node) = todo.pop() {
        for edge in snapshot.edge_range(node).filter(|&edge| snapshot.edge_types[edge] != EdgeType::Weak) {
            reach(snapshot.edge_to[edge], &mut todo);
        }
    }
    is_of_page
}

/// Which edges are entries of weak maps, seen from the table: their name says so, with the id of the table.
fn of_tables(snapshot: &Snapshot) -> Vec<bool> {
    let tables: Vec<Option<u64>> = snapshot.strings.iter().map(|text| table_of_entry(text)).collect();
    if tables.iter().all(Option::is_none) {
        return Vec::new();
    }
    let mut is_of_table = vec![false; snapshot.edge_to.len()];
    for from in 0..snapshot.len() {
        for edge in snapshot.edge_range(from).filter(|&edge| snapshot.edge_types[edge] == EdgeType::Internal) {
            let table = tables[snapshot.edge_names[edge] as usize];
            is_of_table[edge] = table == Some(snapshot.node_ids[from as usize]);
        }
    }
    is_of_table
}

/// The id of the table, if this is the name of an entry of one:
/// `7 / part of key (name @1) -> value (name @3) pair in WeakMap (table @5)`.
fn table_of_entry(name: &str) -> Option<u64> {
    let (number, rest) = name.split_once(" / part of key (")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let (pair, table) = rest.rsplit_once(") pair in WeakMap (table @")?;
    let is_pair = is_number && pair.contains(") -> value (");
    table.strip_suffix(')').filter(|_| is_pair)?.parse().ok()
}

/// The nodes in the order in which a depth-first search comes to them.
struct Order {
    nodes: Vec<u32>,
    /// For each node its place in this order, or [`NONE`].
    numbers: Vec<u32>,
    /// For each number that of the node from which the search came.
    parents: Vec<u32>,
    /// The numbers of those that count as children of the root though no edge says so.
    orphans: HashSet<u32>,
}

impl Order {
    fn of(snapshot: &Snapshot, counted: &[u32]) -> Order {
        let count = snapshot.node_types.len();
        let mut order = Order {
            nodes: Vec::with_capacity(count),
            numbers: vec![NONE; count],
            parents: Vec::with_capacity(count),
            orphans: HashSet::new(),
        };
        order.search(0, snapshot, counted);
        if order.nodes.len() == count {
            return order;
        }
        // What only weak edges lead to counts as the root's own child, if they come from something that counts.
        let mut has_essential = vec![false; count];
        for from in 0..snapshot.len() {
            for edge in snapshot.edge_range(from).filter(|&edge| snapshot.is_strong(from, edge)) {
                has_essential[snapshot.edge_to[edge] as usize] = true;
            }
        }
        let mut done = 0;
        while done < order.nodes.len() {
            let node = order.nodes[done];
            done += 1;
            for edge in snapshot.edge_range(node) {
                let to = snapshot.edge_to[edge];
                if order.numbers[to as usize] == NONE && !has_essential[to as usize] {
                    order.orphans.insert(order.nodes.len() as u32);
                    order.search(to, snapshot, counted);
                }
            }
        }
        order
    }

    /// Comes to everything that can be reached from a node, and has not been. The node itself counts as a child of the root.
    fn search(&mut self, from: u32, snapshot: &Snapshot, counted: &[u32]) {
        let edges = |node: u32| (snapshot.first_edges[node as usize], snapshot.first_edges[node as usize + 1]);
        let (next, end) = edges(from);
        let mut stack = vec![(self.number(from, 0), next, end)];
        while let Some((number, next, end)) = stack.last_mut() {
            if next == end {
                stack.pop();
                continue;
            }
            let to = counted[*next as usize];
            *next += 1;
            if to != NONE && self.numbers[to as usize] == NONE {
                let parent = *number;
                let (next, end) = edges(to);
                stack.push((self.number(to, parent), next, end));
            }
        }
    }

    fn number(&mut self, node: u32, parent: u32) -> u32 {
        let number = self.nodes.len() as u32;
        self.numbers[node as usize] = number;
        self.nodes.push(node);
        self.parents.push(parent);
        number
    }
}

/// What is known of a number while semidominators are looked for.
#[derive(Copy, Clone)]
struct Link {
    /// The parent, or one further up; [`NONE`] before the number has been linked.
    ancestor: u32,
    /// The least semidominator on the way to that, its own included.
    least: u32,
}

/// The immediate dominator of each node that was reached. Nodes are named by their numbers.
fn immediate_dominators(snapshot: &Snapshot, order: &Order, counted: &[u32]) -> Vec<u32> {
    let count = order.nodes.len();
    let predecessors = Predecessors::of(snapshot, order, counted);
    let mut semi: Vec<u32> = vec![0; count];
    let mut links: Vec<Link> = (0..count as u32).map(|number| Link { ancestor: NONE, least: number }).collect();
    let mut way = Vec::new();
    for number in (1..count as u32).rev() {
        let parent = order.parents[number as usize];
        let mut least = if order.orphans.contains(&number) { 0 } else { parent };
        for &before in predecessors.of_number(number) {
            // One that comes later has been linked.
            least = least.min(if before < number { before } else { eval(before, &mut links, &mut way) });
        }
        semi[number as usize] = least;
        links[number as usize] = Link { ancestor: parent, least };
    }
    drop((predecessors, links));
    let mut immediate = order.parents.clone();
    for number in 1..count {
        let mut dominator = immediate[number];
        while dominator > semi[number] {
            dominator = immediate[dominator as usize];
        }
        immediate[number] = dominator;
    }
    immediate
}

/// The least semidominator between a number and what is not linked yet. The way there becomes shorter.
fn eval(number: u32, links: &mut [Link], way: &mut Vec<u32>) -> u32 {
    let mut at = number;
    let mut link = links[at as usize];
    while link.ancestor != NONE && links[link.ancestor as usize].ancestor != NONE {
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

/// For each number those of the nodes with an edge to it.
struct Predecessors {
    first: Vec<u32>,
    numbers: Vec<u32>,
}

impl Predecessors {
    fn of(snapshot: &Snapshot, order: &Order, counted: &[u32]) -> Predecessors {
        // Where each edge leads, in the order of the numbers; looked up once.
        let mut targets = Vec::with_capacity(counted.len());
        let mut first = vec![0_u32; order.nodes.len() + 1];
        for &node in &order.nodes {
            for &to in &counted[snapshot.edge_range(node)] {
                let number = if to == NONE { NONE } else { order.numbers[to as usize] };
                targets.push(number);
                if number != NONE {
                    first[number as usize + 1] += 1;
                }
            }
        }
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        let mut next = first.clone();
        let mut numbers = vec![0; first[order.nodes.len()] as usize];
        let mut targets = targets.into_iter();
        for (number, &node) in order.nodes.iter().enumerate() {
            let edges = snapshot.edge_range(node).len();
            for to in targets.by_ref().take(edges).filter(|&to| to != NONE) {
                numbers[next[to as usize] as usize] = number as u32;
                next[to as usize] += 1;
            }
        }
        Predecessors { first, numbers }
    }

    fn of_number(&self, number: u32) -> &[u32] {
        &self.numbers[self.first[number as usize] as usize..self.first[number as usize + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_known_by_their_names() {
        let name = "12 / part of key (A @1) -> value ((x) -> value ( @3) pair in WeakMap (table @57)";
        assert_eq!(table_of_entry(name), Some(57));
        for other in [
            "",
            "key",
            " / part of key (A @1) -> value (B @3) pair in WeakMap (table @57)",
            "1 / part of key (A) pair in WeakMap (table @5)",
        ] {
            assert_eq!(table_of_entry(other), None, "{other}");
        }
    }
}
