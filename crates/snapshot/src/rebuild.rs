//! A live heap of the same shape.

use crate::graph::Snapshot;
use tumulus_heap::{AllocError, Gc, Heap, Root, Trace};

/// A node of a snapshot as an object of a heap: a slice of references to other such objects.
///
/// It has a place for each edge, in their order, and as many more as the size of the node asks for. A weak edge is an empty
/// place. (A Rust type cannot be a slice of handles to its own type without a name for it, which is what this is for.)
///
/// ```
/// # use tumulus_snapshot::Replica;
/// assert_eq!(size_of::<Replica>(), 8);
/// assert_eq!(Replica::default().to(), None);
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Trace)]
#[trace(edges)]
pub struct Replica(Option<Gc<[Replica]>>);

impl Replica {
    /// What it refers to.
    pub fn to(self) -> Option<Gc<[Replica]>> {
        self.0
    }
}

/// Bytes of the header of a cell.
const HEADER_BYTES: u64 = 8;
/// A node is made no larger than this for the sake of its size alone.
const LARGEST: u64 = 64 << 20;

/// A graph in a heap; from [`Snapshot::rebuild`].
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
/// use tumulus_snapshot::Snapshot;
///
/// let mut heap = Heap::new();
/// let leaf = heap.alloc([7_u8; 100]);
/// let pair = heap.alloc((leaf, leaf));
/// let snapshot = Snapshot::of_heap(&mut heap, &pair)?;
///
/// let mut other = Heap::new();
/// let rebuilt = snapshot.rebuild(&mut other).unwrap();
/// other.collect(&());
/// assert_eq!(other.statistics().live_objects, u64::from(snapshot.len()));
/// drop(rebuilt);
/// other.collect(&());
/// assert_eq!(other.statistics().live_objects, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// The root, which keeps all others alive.
    pub root: Root<[Replica]>,
    /// The object of each node, by its place.
    pub nodes: Vec<Gc<[Replica]>>,
}

impl Snapshot {
    /// Makes an object of each node, about as large, with the same references: real graphs, to try a collector on.
    ///
    /// A node that only weak edges lead to dies in the first collection. It does no safepoint, and so does not collect.
    ///
    /// # Errors
    ///
    /// If there is no room. What was made is garbage then.
    ///
    /// ```
    /// # use tumulus_snapshot::Snapshot;
    /// # let mut heap = tumulus_heap::Heap::new();
    /// let snapshot = Snapshot::of_heap(&mut heap, &())?;
    /// let mut small = tumulus_heap::Heap::builder().limit(0).build();
    /// assert!(snapshot.rebuild(&mut small).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn rebuild(&self, heap: &mut Heap) -> Result<Rebuilt, AllocError> {
        let mut nodes = Vec::with_capacity(self.node_types.len());
        for node in self.nodes() {
            let for_size = node.self_size().min(LARGEST).saturating_sub(HEADER_BYTES) / size_of::<Replica>() as u64;
            let len = node.edges().len().max(for_size as usize);
            nodes.push(heap.try_alloc_slice_with(len, |_| Replica::default())?);
        }
        for node in self.nodes() {
            let strong = node.edges().enumerate().filter(|(_, edge)| edge.is_strong());
            let links: Vec<(usize, Gc<[Replica]>)> = strong.map(|(at, edge)| (at, nodes[edge.to() as usize])).collect();
            if !links.is_empty() {
                let places = heap.get_mut(nodes[node.place() as usize]);
                for (at, to) in links {
                    places[at] = Replica(Some(to));
                }
            }
        }
        Ok(Rebuilt { root: heap.root(nodes[0]), nodes })
    }
}
