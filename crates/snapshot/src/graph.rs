//! The graph of a snapshot: nodes, edges, and names.

use std::fmt;
use std::io;
use std::ops::Range;
use tumulus_heap::{Heap, Trace};

macro_rules! types {
    ($(#[$attribute:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$attribute])*
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$about])* $variant,)*
        }

        impl $name {
            pub(crate) fn from_name(name: &str) -> Option<$name> {
                match name {
                    $($text => Some($name::$variant),)*
                    _ => None,
                }
            }
        }

        /// The name that the format has for it.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $($name::$variant => $text,)*
                })
            }
        }
    };
}

types! {
    /// What a node is.
    ///
    /// ```
    /// assert_eq!(tumulus_snapshot::NodeType::ObjectShape.to_string(), "object shape");
    /// ```
    NodeType {
        /// Of the engine's own.
        Hidden = "hidden",
        /// Elements of something.
        Array = "array",
        /// A text, which is its name.
        String = "string",
        /// An object.
        Object = "object",
        /// Compiled code.
        Code = "code",
        /// A function.
        Closure = "closure",
        /// A regular expression.
        RegExp = "regexp",
        /// A number in memory of its own.
        Number = "number",
        /// Outside of the heap.
        Native = "native",
        /// Not an object, such as a group of roots.
        Synthetic = "synthetic",
        /// Two strings, one behind the other.
        ConcatenatedString = "concatenated string",
        /// A part of a string.
        SlicedString = "sliced string",
        /// A symbol.
        Symbol = "symbol",
        /// An integer of any size.
        BigInt = "bigint",
        /// What says how objects are laid out.
        ObjectShape = "object shape",
        /// An object of WebAssembly.
        WasmObject = "wasm object",
    }
}

types! {
    /// What an edge is.
    ///
    /// ```
    /// assert_eq!(tumulus_snapshot::EdgeType::Weak.to_string(), "weak");
    /// ```
    EdgeType {
        /// A variable of a function's.
        Context = "context",
        /// An element, which has a number.
        Element = "element",
        /// A property, which has a name.
        Property = "property",
        /// What a program does not see.
        Internal = "internal",
        /// The same, with a number.
        Hidden = "hidden",
        /// A way for people: of the root to what they know, and elsewhere past what they do not.
        Shortcut = "shortcut",
        /// Keeps nothing alive.
        Weak = "weak",
        /// Of old versions.
        Invisible = "invisible",
    }
}

/// A heap snapshot that was read.
///
/// A node is named by its place among all, a `u32`; the root is 0.
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
/// use tumulus_snapshot::Snapshot;
///
/// let mut heap = Heap::new();
/// let list = [1, 2, 3].map(|n| heap.alloc(n));
/// let snapshot = Snapshot::of_heap(&mut heap, &list)?;
/// for place in snapshot.named("i32") {
///     let node = snapshot.node(place);
///     assert_eq!((node.kind().to_string().as_str(), node.self_size()), ("number", 16));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) node_types: Vec<NodeType>,
    pub(crate) node_names: Vec<u32>,
    pub(crate) node_ids: Vec<u64>,
    pub(crate) self_sizes: Vec<u64>,
    /// **Invariant:** one more than there are nodes, ascending; the edges of a node are from its place to the next.
    pub(crate) first_edges: Vec<u32>,
    pub(crate) edge_types: Vec<EdgeType>,
    pub(crate) edge_names: Vec<u32>,
    pub(crate) edge_to: Vec<u32>,
    pub(crate) strings: Vec<Box<str>>,
}

impl Default for Snapshot {
    /// A snapshot that is about to be filled.
    fn default() -> Snapshot {
        Snapshot {
            node_types: Vec::new(),
            node_names: Vec::new(),
            node_ids: Vec::new(),
            self_sizes: Vec::new(),
            first_edges: vec![0],
            edge_types: Vec::new(),
            edge_names: Vec::new(),
            edge_to: Vec::new(),
            strings: Vec::new(),
        }
    }
}

impl Snapshot {
    /// A snapshot of a heap, by way of its text.
    ///
    /// # Errors
    ///
    /// As [`Heap::write_snapshot`].
    ///
    /// ```
    /// let mut heap = tumulus_heap::Heap::new();
    /// let snapshot = tumulus_snapshot::Snapshot::of_heap(&mut heap, &())?;
    /// assert_eq!(snapshot.node(snapshot.root()).name(), "");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn of_heap<R: Trace + ?Sized>(heap: &mut Heap, roots: &R) -> io::Result<Snapshot> {
        let mut text = Vec::new();
        heap.write_snapshot(roots, &mut text)?;
        Snapshot::parse(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    pub(crate) fn reserve_nodes(&mut self, count: usize) {
        self.node_types.reserve(count);
        self.node_names.reserve(count);
        self.node_ids.reserve(count);
        self.self_sizes.reserve(count);
        self.first_edges.reserve(count);
    }

    pub(crate) fn reserve_edges(&mut self, count: usize) {
        self.edge_types.reserve(count);
        self.edge_names.reserve(count);
        self.edge_to.reserve(count);
    }

    /// How many nodes there are.
    ///
    /// ```
    /// # use tumulus_snapshot::Snapshot;
    /// let mut heap = tumulus_heap::Heap::new();
    /// let snapshot = Snapshot::of_heap(&mut heap, &())?;
    /// assert_eq!(snapshot.len(), 8); // the root, and its groups
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[allow(clippy::len_without_is_empty, reason = "there is always a root")]
    pub fn len(&self) -> u32 {
        self.node_types.len() as u32
    }

    /// How many edges there are.
    ///
    /// ```
    /// # use tumulus_snapshot::Snapshot;
    /// let mut heap = tumulus_heap::Heap::new();
    /// let snapshot = Snapshot::of_heap(&mut heap, &())?;
    /// assert_eq!(snapshot.edge_count(), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn edge_count(&self) -> usize {
        self.edge_to.len()
    }

    /// The root, from which everything can be reached.
    ///
    /// ```
    /// # use tumulus_snapshot::Snapshot;
    /// let mut heap = tumulus_heap::Heap::new();
    /// assert_eq!(Snapshot::of_heap(&mut heap, &())?.root(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn root(&self) -> u32 {
        0
    }

    /// A node.
    ///
    /// # Panics
    ///
    /// If there is none at this place.
    ///
    /// ```
    /// # use tumulus_snapshot::Snapshot;
    /// let mut heap = tumulus_heap::Heap::new();
    /// let snapshot = Snapshot::of_heap(&mut heap, &())?;
    /// assert_eq!(snapshot.node(1).name(), "(GC roots)");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn node(&self, place: u32) -> Node<'_> {
        assert!(place < self.len(), "there is no node {place} among {}", self.len());
        Node { snapshot: self, place }
    }

    /// All nodes, in the order of the file.
    ///
    /// ```
    /// # use tumulus_snapshot::Snapshot;
    /// let mut heap = tumulus_heap::Heap::new();
    /// let snapshot = Snapshot::of_heap(&mut heap, &())?;
    /// assert_eq!(snapshot.nodes().map(|node| node.self_size()).sum::<u64>(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.len()).map(|place| Node { snapshot: self, place })
    }

    /// The places of the nodes with a name, such as that of a type.
    ///
    /// ```
    /// # use tumulus_snapshot::Snapshot;
    /// let mut heap = tumulus_heap::Heap::new();
    /// let text = heap.alloc_str("mound");
    /// let snapshot = Snapshot::of_heap(&mut heap, &text)?;
    /// assert_eq!(snapshot.named("mound").count(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn named(&self, name: &str) -> impl Iterator<Item = u32> {
        // Compared by number: a text is there once, or as often as V8 likes.
        let texts = self.strings.iter().enumerate();
        let numbers: Vec<u32> = texts.filter(|(_, text)| &***text == name).map(|(at, _)| at as u32).collect();
        let names = self.node_names.iter().enumerate();
        names.filter(move |(_, name)| numbers.binary_search(name).is_ok()).map(|(place, _)| place as u32)
    }

    /// The place of the node with an id.
    ///
    /// ```
    /// # use tumulus_snapshot::Snapshot;
    /// let mut heap = tumulus_heap::Heap::new();
    /// let snapshot = Snapshot::of_heap(&mut heap, &())?;
    /// assert_eq!((snapshot.with_id(3), snapshot.with_id(4)), (Some(1), None));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn with_id(&self, id: u64) -> Option<u32> {
        self.node_ids.iter().position(|&other| other == id).map(|place| place as u32)
    }

    pub(crate) fn edge_range(&self, node: u32) -> Range<usize> {
        self.first_edges[node as usize] as usize..self.first_edges[node as usize + 1] as usize
    }

    pub(crate) fn text(&self, number: u32) -> &str {
        &self.strings[number as usize]
    }
}

/// A node of a [`Snapshot`].
///
/// # Examples
///
/// ```
/// # use tumulus_snapshot::Snapshot;
/// let mut heap = tumulus_heap::Heap::new();
/// let text = heap.alloc_str("mound");
/// let snapshot = Snapshot::of_heap(&mut heap, &text)?;
/// let node = snapshot.node(snapshot.named("mound").next().unwrap());
/// assert_eq!(format!("{node:?}"), format!("Node({} string \"mound\" @{})", node.place(), node.id()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Copy, Clone)]
pub struct Node<'s> {
    snapshot: &'s Snapshot,
    place: u32,
}

impl<'s> Node<'s> {
    /// Its place among all.
    pub fn place(self) -> u32 {
        self.place
    }

    /// What it is.
    pub fn kind(self) -> NodeType {
        self.snapshot.node_types[self.place as usize]
    }

    /// Its name: that of a type, or what a string says.
    pub fn name(self) -> &'s str {
        self.snapshot.text(self.snapshot.node_names[self.place as usize])
    }

    /// What it is called in every snapshot of its heap.
    pub fn id(self) -> u64 {
        self.snapshot.node_ids[self.place as usize]
    }

    /// Its own size in bytes.
    pub fn self_size(self) -> u64 {
        self.snapshot.self_sizes[self.place as usize]
    }

    /// What it refers to.
    pub fn edges(self) -> impl ExactSizeIterator<Item = Edge<'s>> {
        let snapshot = self.snapshot;
        snapshot.edge_range(self.place).map(move |number| Edge { snapshot, from: self.place, number })
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} {} {:?} @{})", self.place, self.kind(), self.name(), self.id())
    }
}

/// The name of an edge, or its number.
///
/// ```
/// use tumulus_snapshot::Label;
///
/// assert_eq!(Label::Index(3).to_string(), "[3]");
/// assert_eq!(Label::Name("head").to_string(), ".head");
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Label<'s> {
    /// A number.
    Index(u32),
    /// A name.
    Name(&'s str),
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Index(index) => write!(f, "[{index}]"),
            Label::Name(name) if name.starts_with('[') => f.write_str(name),
            Label::Name(name) => write!(f, ".{name}"),
        }
    }
}

/// An edge of a [`Snapshot`].
///
/// # Examples
///
/// ```
/// # use tumulus_snapshot::{EdgeType, Label, Snapshot};
/// let mut heap = tumulus_heap::Heap::new();
/// let text = heap.alloc_str("mound");
/// let root = heap.root(text);
/// let snapshot = Snapshot::of_heap(&mut heap, &())?;
/// let handles = snapshot.node(snapshot.named("(Global handles)").next().unwrap());
/// let edge = handles.edges().next().unwrap();
/// assert_eq!((edge.kind(), edge.label()), (EdgeType::Element, Label::Index(0)));
/// assert_eq!(snapshot.node(edge.to()).name(), "mound");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Copy, Clone)]
pub struct Edge<'s> {
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) from: u32,
    pub(crate) number: usize,
}

impl<'s> Edge<'s> {
    /// What it is.
    pub fn kind(self) -> EdgeType {
        self.snapshot.edge_types[self.number]
    }

    /// Its name or number.
    pub fn label(self) -> Label<'s> {
        let name = self.snapshot.edge_names[self.number];
        if self.kind().has_name() { Label::Name(self.snapshot.text(name)) } else { Label::Index(name) }
    }

    /// The node that it comes from.
    pub fn from(self) -> u32 {
        self.from
    }

    /// The node that it leads to.
    pub fn to(self) -> u32 {
        self.snapshot.edge_to[self.number]
    }

    /// Whether it keeps alive what it leads to: it is not weak, nor a shortcut that is not the root's.
    pub fn is_strong(self) -> bool {
        self.snapshot.is_strong(self.from, self.number)
    }
}

impl Snapshot {
    #[inline]
    pub(crate) fn is_strong(&self, from: u32, edge: usize) -> bool {
        match self.edge_types[edge] {
            EdgeType::Weak => false,
            EdgeType::Shortcut => from == 0,
            _ => true,
        }
    }
}

impl fmt::Debug for Edge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Edge({} {}{} -> {})", self.kind(), self.from, self.label(), self.to())
    }
}
