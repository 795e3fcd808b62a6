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
        let edges = Counted::of(self, ephemerons);
        let order = Order::of(self, &edges);
        let found = immediate_dominators(&order, &edges);
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

/// Which edges count.
struct Counted<'s> {
    snapshot: &'s Snapshot,
    is_of_page: Vec<bool>,
    /// For each edge, with [`Ephemerons::OfKeys`], whether it comes from the table of its entry; empty if there is none.
    is_of_table: Vec<bool>,
}

impl<'s> Counted<'s> {
    fn of(snapshot: &'s Snapshot, ephemerons: Ephemerons) -> Counted<'s> {
        let is_of_table = if ephemerons == Ephemerons::OfKeys { of_tables(snapshot) } else { Vec::new() };
        Counted { snapshot, is_of_page: of_page(snapshot), is_of_table }
    }

    /// Whether an edge could keep something alive.
    #[inline]
    fn is_essential(&self, from: u32, edge: usize) -> bool {
        self.snapshot.is_strong(from, edge) && !self.is_of_table.get(edge).is_some_and(|&is| is)
    }

    #[inline]
    fn counts(&self, from: u32, edge: usize) -> bool {
        let to = self.snapshot.edge_to[edge];
        self.is_essential(from, edge) && (from == 0 || self.is_of_page[from as usize] || !self.is_of_page[to as usize])
    }
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
    /// For each number, whether the node counts as a child of the root though no edge says so.
    is_orphan: Vec<bool>,
}

impl Order {
    fn of(snapshot: &Snapshot, edges: &Counted<'_>) -> Order {
        let count = snapshot.node_types.len();
        let mut order = Order {
            nodes: Vec::with_capacity(count),
            numbers: vec![NONE; count],
            parents: Vec::with_capacity(count),
            is_orphan: Vec::with_capacity(count),
        };
        let mut has_essential = vec![false; count];
        for from in 0..snapshot.len() {
            for edge in snapshot.edge_range(from).filter(|&edge| edges.is_essential(from, edge)) {
                has_essential[snapshot.edge_to[edge] as usize] = true;
            }
        }
        order.search(0, 0, false, snapshot, edges);
        // What only weak edges lead to counts as the root's own child, if they come from something that counts.
        let mut done = 0;
        while done < order.nodes.len() {
            let node = order.nodes[done];
            done += 1;
            for edge in snapshot.edge_range(node) {
                let to = snapshot.edge_to[edge];
                if order.numbers[to as usize] == NONE && !has_essential[to as usize] {
                    order.search(to, 0, true, snapshot, edges);
                }
            }
        }
        order
    }

    fn search(&mut self, from: u32, parent: u32, is_orphan: bool, snapshot: &Snapshot, edges: &Counted<'_>) {
        let mut stack = vec![(from, snapshot.edge_range(from))];
        self.number(from, parent, is_orphan);
        while let Some((node, rest)) = stack.last_mut() {
            let node = *node;
            let next =
                rest.find(|&edge| self.numbers[snapshot.edge_to[edge] as usize] == NONE && edges.counts(node, edge));
            match next.map(|edge| snapshot.edge_to[edge]) {
                Some(to) => {
                    self.number(to, self.numbers[node as usize], false);
                    stack.push((to, snapshot.edge_range(to)));
                }
                None => drop(stack.pop()),
            }
        }
    }

    fn number(&mut self, node: u32, parent: u32, is_orphan: bool) {
        self.numbers[node as usize] = self.nodes.len() as u32;
        self.nodes.push(node);
        self.parents.push(parent);
        self.is_orphan.push(is_orphan);
    }
}

/// The immediate dominator of each node that was reached. Nodes are named by their numbers.
fn immediate_dominators(order: &Order, edges: &Counted<'_>) -> Vec<u32> {
    let count = order.nodes.len();
    let predecessors = Predecessors::of(order, edges);
    let mut semi: Vec<u32> = (0..count as u32).collect();
    // The number with the least semidominator on the way to the ancestor, and the ancestor.
    let mut label = semi.clone();
    let mut ancestor = vec![NONE; count];
    let mut way = Vec::new();
    for number in (1..count as u32).rev() {
        let mut least = if order.is_orphan[number as usize] { 0 } else { order.parents[number as usize] };
        for &before in predecessors.of_number(number) {
            // One that comes later has been linked.
            let best = if before < number {
                before
            } else {
                semi[eval(before, &semi, &mut label, &mut ancestor, &mut way) as usize]
            };
            least = least.min(best);
        }
        semi[number as usize] = least;
        ancestor[number as usize] = order.parents[number as usize];
    }
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

/// The number with the least semidominator between this one and what is not linked yet. The way there becomes shorter.
fn eval(number: u32, semi: &[u32], label: &mut [u32], ancestor: &mut [u32], way: &mut Vec<u32>) -> u32 {
    let mut at = number;
    while ancestor[at as usize] != NONE && ancestor[ancestor[at as usize] as usize] != NONE {
        way.push(at);
        at = ancestor[at as usize];
    }
    while let Some(below) = way.pop() {
        let above = ancestor[below as usize];
        if semi[label[above as usize] as usize] < semi[label[below as usize] as usize] {
            label[below as usize] = label[above as usize];
        }
        ancestor[below as usize] = ancestor[above as usize];
    }
    label[number as usize]
}

/// For each number those of the nodes with an edge to it.
struct Predecessors {
    first: Vec<u32>,
    numbers: Vec<u32>,
}

impl Predecessors {
    fn of(order: &Order, edges: &Counted<'_>) -> Predecessors {
        let snapshot = edges.snapshot;
        let each = |visit: &mut dyn FnMut(u32, u32)| {
            for (number, &node) in order.nodes.iter().enumerate() {
                for edge in snapshot.edge_range(node).filter(|&edge| edges.counts(node, edge)) {
                    visit(number as u32, order.numbers[snapshot.edge_to[edge] as usize]);
                }
            }
        };
        let mut first = vec![0_u32; order.nodes.len() + 1];
        each(&mut |_, to| first[to as usize + 1] += 1);
        for at in 1..first.len() {
            first[at] += first[at - 1];
        }
        let mut next = first.clone();
        let mut numbers = vec![0; first[order.nodes.len()] as usize];
        each(&mut |from, to| {
            numbers[next[to as usize] as usize] = from;
            next[to as usize] += 1;
        });
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
