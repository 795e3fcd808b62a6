//! The head of a file, which says which numbers mean what.

use super::scan::{Result, Scan, fail};
use crate::error::Flaw;
use crate::graph::{EdgeType, NodeType};

/// What the head says.
#[derive(Debug, Default)]
pub(super) struct Format {
    pub(super) node_count: u64,
    pub(super) edge_count: u64,
    /// How many numbers a node and an edge have.
    pub(super) node_fields: usize,
    pub(super) edge_fields: usize,
    pub(super) node: NodeFields,
    pub(super) edge: EdgeFields,
    pub(super) node_types: Vec<NodeType>,
    pub(super) edge_types: Vec<EdgeType>,
}

/// Which of the numbers of a node is which.
#[derive(Debug, Default)]
pub(super) struct NodeFields {
    pub(super) kind: usize,
    pub(super) name: usize,
    pub(super) id: usize,
    pub(super) self_size: usize,
    pub(super) edge_count: usize,
}

/// Which of the numbers of an edge is which.
#[derive(Debug, Default)]
pub(super) struct EdgeFields {
    pub(super) kind: usize,
    pub(super) name: usize,
    pub(super) to: usize,
}

impl Format {
    pub(super) fn read(scan: &mut Scan<'_>) -> Result<Format> {
        let mut format = Format::default();
        let (mut has_meta, mut has_nodes, mut has_edges) = (false, false, false);
        let start = scan.at;
        scan.object(|scan, name, _| match name {
            "meta" => {
                has_meta = true;
                format.read_meta(scan)
            }
            "node_count" => {
                has_nodes = true;
                format.node_count = scan.number()?;
                Ok(())
            }
            "edge_count" => {
                has_edges = true;
                format.edge_count = scan.number()?;
                Ok(())
            }
            _ => scan.skip_value(),
        })?;
        for (is_there, name) in [(has_meta, "meta"), (has_nodes, "node_count"), (has_edges, "edge_count")] {
            if !is_there {
                return fail(start, Flaw::Missing { name });
            }
        }
        Ok(format)
    }

    fn read_meta(&mut self, scan: &mut Scan<'_>) -> Result<()> {
        let start = scan.at;
        let (mut node_fields, mut edge_fields) = (Vec::new(), Vec::new());
        let (mut node_types, mut edge_types) = (Vec::new(), Vec::new());
        scan.object(|scan, name, _| match name {
            "node_fields" => words(scan, &mut node_fields),
            "edge_fields" => words(scan, &mut edge_fields),
            "node_types" => types(scan, &mut node_types),
            "edge_types" => types(scan, &mut edge_types),
            _ => scan.skip_value(),
        })?;
        let place =
            |fields: &[(String, usize)], name: &'static str| match fields.iter().position(|(field, _)| field == name) {
                Some(place) => Ok(place),
                None => fail(start, Flaw::Format { name }),
            };
        self.node = NodeFields {
            kind: place(&node_fields, "type")?,
            name: place(&node_fields, "name")?,
            id: place(&node_fields, "id")?,
            self_size: place(&node_fields, "self_size")?,
            edge_count: place(&node_fields, "edge_count")?,
        };
        self.edge = EdgeFields {
            kind: place(&edge_fields, "type")?,
            name: place(&edge_fields, "name_or_index")?,
            to: place(&edge_fields, "to_node")?,
        };
        (self.node_fields, self.edge_fields) = (node_fields.len(), edge_fields.len());
        self.node_types = known(node_types, NodeType::from_name)?;
        self.edge_types = known(edge_types, EdgeType::from_name)?;
        Ok(())
    }
}

fn words(scan: &mut Scan<'_>, words: &mut Vec<(String, usize)>) -> Result<()> {
    scan.list(|scan| {
        scan.skip_space();
        let place = scan.at;
        words.push((scan.string()?, place));
        Ok(())
    })
}

/// The list of types is the first of what a list of the types of fields has.
fn types(scan: &mut Scan<'_>, types: &mut Vec<(String, usize)>) -> Result<()> {
    let mut is_first = true;
    scan.list(|scan| if std::mem::take(&mut is_first) { words(scan, types) } else { scan.skip_value() })
}

fn known<T>(names: Vec<(String, usize)>, from_name: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    let each = names.into_iter().map(|(name, place)| match from_name(&name) {
        Some(known) => Ok(known),
        None => fail(place, Flaw::UnknownType { name }),
    });
    each.collect()
}
