//! Which edges count, laid out for the search.
//!
//! A node has a record: its number, how many of its edges count, and where the records are that these lead to. So the search
//! finds all that it wants of a node in one place, and has to look for nothing by its number in the file.
//!
//! **Invariant:** the record of a node begins as many words behind the first as there are edges before its own, and two for
//! each node before it. What is left of it behind the edges that count is never read.

use super::Ephemerons;
use super::search::NONE;
use crate::graph::{EdgeType, Snapshot};

/// Words of a record before its edges: the number of the node, and how many edges count.
const HEAD: usize = 2;

/// The records of all nodes.
pub(super) struct Counted {
    words: Vec<u32>,
}

/// Where the record of a node is.
#[inline]
pub(super) fn place_of(snapshot: &Snapshot, node: u32) -> u32 {
    snapshot.first_edges[node as usize] + HEAD as u32 * node
}

/// The node with the record at a place.
pub(super) fn node_at(snapshot: &Snapshot, place: u32) -> u32 {
    let (mut low, mut high) = (0, snapshot.len());
    while low < high {
        let middle = low.midpoint(high);
        if place_of(snapshot, middle) < place {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl Counted {
    pub(super) fn of(snapshot: &Snapshot, ephemerons: Ephemerons) -> Counted {
        let len = snapshot.edge_count() + HEAD * snapshot.node_types.len();
        assert!(u32::try_from(len).is_ok(), "the edges and twice the nodes are {len}, and can be {} at most", u32::MAX);
        let page = Page::of(snapshot);
        let tables = if ephemerons == Ephemerons::OfKeys { Tables::of(snapshot) } else { Tables::default() };
        let mut words = Vec::with_capacity(len);
        for from in 0..snapshot.len() {
            let keeps_page = from == 0 || page.contains(from);
            let begin = words.len();
            words.extend([NONE, 0]);
            for edge in snapshot.edge_range(from) {
                let to = snapshot.edge_to[edge];
                if snapshot.is_strong(from, edge)
                    && (keeps_page || !page.contains(to))
                    && !tables.has_entry(snapshot, from, edge)
                {
                    words.push(place_of(snapshot, to));
                }
            }
            words[begin + 1] = (words.len() - begin - HEAD) as u32;
            words.resize(begin + HEAD + snapshot.edge_range(from).len(), NONE);
        }
        Counted { words }
    }

    /// The number of the node with the record at a place, or [`NONE`] if the search has not come to it.
    #[inline]
    pub(super) fn number_at(&self, place: u32) -> u32 {
        self.words[place as usize]
    }

    /// Sets the number of the node with the record at a place, and says where its edges lead.
    #[inline]
    pub(super) fn set_number_at(&mut self, place: u32, number: u32) -> &[u32] {
        let (head, edges) = self.words[place as usize..].split_at_mut(HEAD);
        head[0] = number;
        &edges[..head[1] as usize]
    }

    /// The number of a node, or [`NONE`] if the search has not come to it.
    #[inline]
    pub(super) fn number_of(&self, snapshot: &Snapshot, node: u32) -> u32 {
        self.number_at(place_of(snapshot, node))
    }
}

/// What can be reached from the root's shortcuts, as a set of bits. Empty if there are no shortcuts.
struct Page {
    bits: Vec<u64>,
}

impl Page {
    fn of(snapshot: &Snapshot) -> Page {
        let shortcuts = snapshot.edge_range(0).filter(|&edge| snapshot.edge_types[edge] == EdgeType::Shortcut);
        // From the first to the last, and not from the last: so the next ones are known, and on their way from memory.
        let mut queue: Vec<u32> = Vec::new();
        let mut page = Page { bits: Vec::new() };
        for edge in shortcuts {
            page.bits.resize(snapshot.node_types.len().div_ceil(64), 0);
            page.reach(snapshot.edge_to[edge], &mut queue);
        }
        let mut next = 0;
        while let Some(&node) = queue.get(next) {
            next += 1;
            for edge in snapshot.edge_range(node).filter(|&edge| snapshot.edge_types[edge] != EdgeType::Weak) {
                page.reach(snapshot.edge_to[edge], &mut queue);
            }
        }
        page
    }

    fn reach(&mut self, node: u32, queue: &mut Vec<u32>) {
        let (word, bit) = (&mut self.bits[node as usize / 64], 1 << (node % 64));
        if *word & bit == 0 {
            *word |= bit;
            queue.push(node);
        }
    }

    #[inline]
    fn contains(&self, node: u32) -> bool {
        self.bits.get(node as usize / 64).is_some_and(|word| word >> (node % 64) & 1 == 1)
    }
}

/// The names of entries of weak maps, by the number of the string. Empty if there are none.
#[derive(Default)]
struct Tables {
    /// The id of the table.
    of_names: Vec<Option<u64>>,
}

impl Tables {
    fn of(snapshot: &Snapshot) -> Tables {
        let of_names: Vec<Option<u64>> = snapshot.strings.iter().map(|text| table_of_entry(text)).collect();
        if of_names.iter().any(Option::is_some) { Tables { of_names } } else { Tables::default() }
    }

    /// Whether an edge is an entry of a weak map, seen from the table: its name says so, with the id of the table.
    #[inline]
    fn has_entry(&self, snapshot: &Snapshot, from: u32, edge: usize) -> bool {
        !self.of_names.is_empty()
            && snapshot.edge_types[edge] == EdgeType::Internal
            && self.of_names[snapshot.edge_names[edge] as usize] == Some(snapshot.node_ids[from as usize])
    }
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
