//! Nodes by name.

use crate::dominators::Dominators;
use crate::graph::{NodeType, Snapshot};
use std::collections::HashMap;

/// The nodes of one name; from [`Snapshot::summary`].
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
/// use tumulus_snapshot::{Ephemerons, Snapshot};
///
/// let mut heap = Heap::new();
/// let text = heap.alloc_str("text");
/// let vector = heap.alloc(vec![text]);
/// let snapshot = Snapshot::of_heap(&mut heap, &vector)?;
/// let summary = snapshot.summary(&snapshot.dominators(Ephemerons::OfKeys));
/// let vectors = summary.iter().find(|group| group.name == "Vec<Gc<str>>").unwrap();
/// assert_eq!((vectors.count, vectors.self_size, vectors.retained_size), (1, 32, 32 + 16));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group<'s> {
    /// The name: that of a type for objects and memory outside, and of the kind for what has a name of its own, such as
    /// `(string)`.
    pub name: &'s str,
    /// How many there are.
    pub count: u64,
    /// Their own bytes.
    pub self_size: u64,
    /// Bytes that would be freed if all of them were. What one of them retains through another counts once.
    pub retained_size: u64,
}

impl Snapshot {
    /// The name under which a node is counted.
    pub(crate) fn group_of(&self, node: u32) -> &str {
        match self.node_types[node as usize] {
            NodeType::Object | NodeType::Native => self.node(node).name(),
            NodeType::Closure => "(closure)",
            NodeType::Hidden => "(system)",
            NodeType::Code => "(compiled code)",
            NodeType::String | NodeType::ConcatenatedString | NodeType::SlicedString => "(string)",
            NodeType::Number => "(number)",
            NodeType::RegExp => "(regexp)",
            NodeType::Symbol => "(symbol)",
            NodeType::BigInt => "(bigint)",
            NodeType::ObjectShape => "(object shape)",
            NodeType::Synthetic => "(synthetic)",
            // V8's have no names; ours are those of types.
            NodeType::Array => match self.node(node).name() {
                "" => "(array)",
                name => name,
            },
            NodeType::WasmObject => "(wasm object)",
        }
    }

    /// The nodes by name, as DevTools' *Summary*; what retains the most comes first.
    ///
    /// ```
    /// # use tumulus_snapshot::{Ephemerons, Snapshot};
    /// let mut heap = tumulus_heap::Heap::new();
    /// let text = heap.alloc_str("mound");
    /// let snapshot = Snapshot::of_heap(&mut heap, &text)?;
    /// let summary = snapshot.summary(&snapshot.dominators(Ephemerons::OfKeys));
    /// assert!(summary.iter().any(|group| (group.name, group.count) == ("(string)", 1)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn summary(&self, dominators: &Dominators) -> Vec<Group<'_>> {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut groups: Vec<Group<'_>> = Vec::new();
        let group_of: Vec<usize> = (0..self.len())
            .map(|node| {
                let name = self.group_of(node);
                let place = *places.entry(name).or_insert(groups.len());
                if place == groups.len() {
                    groups.push(Group { name, count: 0, self_size: 0, retained_size: 0 });
                }
                groups[place].count += 1;
                groups[place].self_size += self.self_sizes[node as usize];
                place
            })
            .collect();
        // Down the tree of dominators: a node counts if no node above it is of the same group.
        let mut children: Vec<Vec<u32>> = vec![Vec::new(); self.node_types.len()];
        for node in 1..self.len() {
            children[dominators.immediate(node).unwrap_or(0) as usize].push(node);
        }
        let mut above = vec![0_u32; groups.len()];
        let mut stack = vec![(0_u32, false)];
        while let Some((node, is_left)) = stack.pop() {
            let group = group_of[node as usize];
            if is_left {
                above[group] -= 1;
                continue;
            }
            if above[group] == 0 {
                groups[group].retained_size += dominators.retained_size(node);
            }
            above[group] += 1;
            stack.push((node, true));
            stack.extend(children[node as usize].iter().map(|&child| (child, false)));
        }
        groups.sort_by_key(|group| (std::cmp::Reverse(group.retained_size), group.name));
        groups
    }
}
