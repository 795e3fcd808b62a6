//! What would go with a node.
//!
//! A node *dominates* another if every way from the root to that one leads through it. Its retained size is what it dominates,
//! itself included: what would be freed if it were.
//!
//! This file says what is asked and answered. Which edges count is in `counted.rs`, the depth-first search in `search.rs`, and
//! the dominators of its tree in `semi_nca.rs`. Behind the search a node is its number in the order in which the search came to
//! it, so that nothing has to be looked up by way of something else: on a large graph each such look is a miss of the cache,
//! and misses are all that this takes time for.
//!
//! Which edges count is as in DevTools:
//!
//! - weak ones do not, nor shortcuts but those of the root;
//! - what can be reached from the root's shortcuts is *the page's*, and is not kept by what is not. So the collector's own
//!   roots do not hide what the program keeps;
//! - a node that is not reached at all counts as a child of the root.

mod counted;
mod search;
mod semi_nca;

use crate::graph::Snapshot;
use counted::Counted;
use search::{NONE, Tree};

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

impl Snapshot {
    /// The dominators of all nodes and their retained sizes.
    ///
    /// # Panics
    ///
    /// If the edges and twice the nodes are more than 4,294,967,295.
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
        let count = self.node_types.len();
        let mut counted = Counted::of(self, ephemerons);
        let tree = Tree::of(self, &mut counted);
        let (mut nodes, mut sizes) = (vec![0_u32; tree.parents.len()], vec![0_u64; tree.parents.len()]);
        let mut unreached = 0;
        for node in 0..count {
            let number = counted.number_of(self, node as u32);
            if number == NONE {
                unreached += self.self_sizes[node];
            } else {
                nodes[number as usize] = node as u32;
                sizes[number as usize] = self.self_sizes[node];
            }
        }
        let found = semi_nca::immediate_dominators(tree);
        for number in (1..found.len()).rev() {
            sizes[found[number] as usize] += sizes[number];
        }
        sizes[0] += unreached;
        let (mut immediate, mut retained) = (vec![0; count], self.self_sizes.clone());
        for node in 0..count {
            let number = counted.number_of(self, node as u32);
            if number != NONE {
                retained[node] = sizes[number as usize];
                immediate[node] = nodes[found[number as usize] as usize];
            }
        }
        Dominators { immediate, retained }
    }
}
