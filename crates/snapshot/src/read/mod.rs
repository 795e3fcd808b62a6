//! From a file to a graph.
//!
//! Everything that can be wrong is looked for: that it is JSON (`scan.rs`), that there are as many nodes and edges as the head
//! says and as the nodes say, that each number is in its range, that ids are different, and that every node can be reached.
//! The format itself is read from the head of the file, as fields and types have come and gone from one version of V8 to the
//! next.

mod format;
mod scan;

use crate::error::{Flaw, ReadError};
use crate::graph::{EdgeType, Snapshot};
use format::Format;
use scan::{Result, Scan, fail};
use std::collections::HashSet;
use std::io::{self, Read};

impl Snapshot {
    /// Reads a snapshot from a file.
    ///
    /// # Errors
    ///
    /// What reading says; and [`io::ErrorKind::InvalidData`] with a [`ReadError`] in it, when the file is not a snapshot.
    ///
    /// ```
    /// use tumulus_snapshot::Snapshot;
    ///
    /// let error = Snapshot::read("not a snapshot".as_bytes()).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    /// ```
    pub fn read(mut file: impl Read) -> io::Result<Snapshot> {
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Snapshot::parse(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Reads a snapshot from its text.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, and where.
    ///
    /// ```
    /// use tumulus_snapshot::Snapshot;
    ///
    /// let mut heap = tumulus_heap::Heap::new();
    /// let text = heap.alloc_str("mound");
    /// let mut file = Vec::new();
    /// heap.write_snapshot(&text, &mut file)?;
    /// assert!(Snapshot::parse(&file)?.named("mound").next().is_some());
    /// assert!(Snapshot::parse(&file[..file.len() / 2]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse(text: &[u8]) -> Result<Snapshot> {
        let mut reader = Reader::default();
        let mut scan = Scan::new(text, 0);
        let mut seen: HashSet<&'static str> = HashSet::new();
        scan.object(|scan, name, place| {
            let Some(part) = PARTS.into_iter().find(|&part| part == name) else { return scan.skip_value() };
            if !seen.insert(part) {
                return fail(place, Flaw::Twice { name: part });
            }
            if let Some(missing) =
                PARTS.into_iter().take_while(|&before| before != part).find(|before| !seen.contains(before))
            {
                return fail(place, Flaw::Missing { name: missing });
            }
            reader.read_part(part, scan)
        })?;
        if let Some(name) = PARTS.into_iter().find(|part| !seen.contains(part)) {
            return fail(scan.at, Flaw::Missing { name });
        }
        if !scan.is_at_end() {
            return scan.fail(Flaw::Trailing);
        }
        reader.check(text)?;
        Ok(reader.snapshot)
    }
}

/// What has to be there, in this order.
const PARTS: [&str; 4] = ["snapshot", "nodes", "edges", "strings"];

#[derive(Default)]
struct Reader {
    format: Format,
    snapshot: Snapshot,
    /// Where the lists of nodes and edges begin in the file.
    nodes_at: usize,
    edges_at: usize,
}

impl Reader {
    fn read_part(&mut self, part: &'static str, scan: &mut Scan<'_>) -> Result<()> {
        match part {
            "snapshot" => {
                self.format = Format::read(scan)?;
                Ok(())
            }
            "nodes" => self.read_nodes(scan),
            "edges" => self.read_edges(scan),
            _ => scan.list(|scan| {
                let string = scan.string()?;
                self.snapshot.strings.push(string.into());
                Ok(())
            }),
        }
    }

    fn read_nodes(&mut self, scan: &mut Scan<'_>) -> Result<()> {
        self.nodes_at = scan.at;
        let Format { node_fields, node, node_types, node_count, .. } = &self.format;
        let snapshot = &mut self.snapshot;
        snapshot.reserve_nodes(usize::try_from(*node_count).unwrap_or(0).min(MOST_RESERVED));
        let mut edges = 0_u64;
        let mut field = 0;
        scan.list(|scan| {
            scan.skip_space();
            let place = scan.at;
            let number = scan.number()?;
            if field == node.kind {
                let kind = usize::try_from(number).ok().and_then(|number| node_types.get(number));
                let bound = node_types.len() as u64;
                let Some(&kind) = kind else {
                    return fail(place, Flaw::Range { of: "types of nodes", value: number, bound });
                };
                snapshot.node_types.push(kind);
            } else if field == node.name {
                snapshot.node_names.push(narrow(number, "strings", place)?);
            } else if field == node.id {
                snapshot.node_ids.push(number);
            } else if field == node.self_size {
                snapshot.self_sizes.push(number);
            } else if field == node.edge_count {
                edges = edges.saturating_add(number);
                snapshot.first_edges.push(narrow(edges, "edges", place)?);
            }
            field = (field + 1) % node_fields;
            Ok(())
        })?;
        let found = self.snapshot.node_types.len() as u64;
        if field != 0 || found != self.format.node_count {
            return fail(scan.at - 1, Flaw::Count { of: "nodes", found, expected: self.format.node_count });
        }
        if u64::from(*self.snapshot.first_edges.last().unwrap_or(&0)) != self.format.edge_count {
            let found = u64::from(*self.snapshot.first_edges.last().unwrap_or(&0));
            return fail(scan.at - 1, Flaw::Count { of: "edges of nodes", found, expected: self.format.edge_count });
        }
        if found == 0 { fail(self.nodes_at, Flaw::NoRoot) } else { Ok(()) }
    }

    fn read_edges(&mut self, scan: &mut Scan<'_>) -> Result<()> {
        self.edges_at = scan.at;
        let Format { edge_fields, edge, edge_types, edge_count, node_fields, node_count, .. } = &self.format;
        let snapshot = &mut self.snapshot;
        snapshot.reserve_edges(usize::try_from(*edge_count).unwrap_or(0).min(MOST_RESERVED));
        let fields = *node_fields as u64;
        let mut field = 0;
        scan.list(|scan| {
            scan.skip_space();
            let place = scan.at;
            let number = scan.number()?;
            if field == edge.kind {
                let kind = usize::try_from(number).ok().and_then(|number| edge_types.get(number));
                let bound = edge_types.len() as u64;
                let Some(&kind) = kind else {
                    return fail(place, Flaw::Range { of: "types of edges", value: number, bound });
                };
                snapshot.edge_types.push(kind);
            } else if field == edge.name {
                snapshot.edge_names.push(narrow(number, "names", place)?);
            } else if field == edge.to {
                if number % fields != 0 {
                    return fail(place, Flaw::InsideNode { value: number, fields });
                }
                let bound = node_count * fields;
                if number >= bound {
                    return fail(place, Flaw::Range { of: "numbers of nodes", value: number, bound });
                }
                snapshot.edge_to.push(narrow(number / fields, "nodes", place)?);
            }
            field = (field + 1) % edge_fields;
            Ok(())
        })?;
        let found = self.snapshot.edge_types.len() as u64;
        if field != 0 || found != self.format.edge_count {
            return fail(scan.at - 1, Flaw::Count { of: "edges", found, expected: self.format.edge_count });
        }
        Ok(())
    }

    /// Checks what can be checked when everything has been read.
    fn check(&self, text: &[u8]) -> Result<()> {
        let Reader { format, snapshot, .. } = self;
        let strings = snapshot.strings.len() as u64;
        let wrong = snapshot.node_names.iter().position(|&name| u64::from(name) >= strings);
        if let Some(at) = wrong {
            let value = u64::from(snapshot.node_names[at]);
            let offset = offset_of(text, self.nodes_at, at * format.node_fields + format.node.name);
            return fail(offset, Flaw::Range { of: "strings", value, bound: strings });
        }
        let names = snapshot.edge_names.iter().zip(&snapshot.edge_types);
        let wrong = names.into_iter().position(|(&name, kind)| kind.has_name() && u64::from(name) >= strings);
        if let Some(at) = wrong {
            let value = u64::from(snapshot.edge_names[at]);
            let offset = offset_of(text, self.edges_at, at * format.edge_fields + format.edge.name);
            return fail(offset, Flaw::Range { of: "strings", value, bound: strings });
        }
        let mut ids = HashSet::with_capacity(snapshot.node_ids.len());
        if let Some(at) = snapshot.node_ids.iter().position(|&id| !ids.insert(id)) {
            let offset = offset_of(text, self.nodes_at, at * format.node_fields + format.node.id);
            return fail(offset, Flaw::SameId { id: snapshot.node_ids[at] });
        }
        if let Some(at) = unreachable(snapshot) {
            let offset = offset_of(text, self.nodes_at, at as usize * format.node_fields);
            return fail(offset, Flaw::Unreachable { node: at });
        }
        Ok(())
    }
}

/// Room that is made before anything was read, whatever the head of a file says.
const MOST_RESERVED: usize = 1 << 24;

/// The first node that cannot be reached by any edge.
fn unreachable(snapshot: &Snapshot) -> Option<u32> {
    let mut reached = vec![false; snapshot.node_types.len()];
    let mut todo = vec![0_u32];
    reached[0] = true;
    while let Some(node) = todo.pop() {
        for edge in snapshot.edge_range(node) {
            let to = snapshot.edge_to[edge];
            if !std::mem::replace(&mut reached[to as usize], true) {
                todo.push(to);
            }
        }
    }
    reached.iter().position(|&is_reached| !is_reached).map(|at| at as u32)
}

fn narrow(number: u64, of: &'static str, place: usize) -> Result<u32> {
    let bound = 1 << 32;
    u32::try_from(number).map_err(|_| ReadError { offset: place, flaw: Flaw::Range { of, value: number, bound } })
}

/// Where the `count`th number is of a list that was read before.
fn offset_of(text: &[u8], list: usize, count: usize) -> usize {
    let mut scan = Scan::new(text, list);
    let mut seen = 0;
    let mut offset = list;
    // It has been read before: nothing goes wrong, but for the end that is made here.
    let _ = scan.list(|scan| {
        scan.skip_space();
        offset = scan.at;
        if seen == count {
            return scan.fail(Flaw::End);
        }
        seen += 1;
        scan.number().map(drop)
    });
    offset
}

impl EdgeType {
    /// Whether the number of the name is one of a string.
    pub(crate) fn has_name(self) -> bool {
        !matches!(self, EdgeType::Element | EdgeType::Hidden)
    }
}
