//! The describing half of [`Trace`]: what snapshots of the heap show of an object.
//!
//! It is apart from `trace`, so that marking knows nothing of names and pays nothing for them. An implementation that says
//! nothing of it is described by what it traces, with numbers for names.

use super::{Trace, Tracer, Visit};
use crate::raw::AnyGc;
use std::fmt;
use std::panic::Location;

/// How deep a path of names is told. What lies deeper has the name of where that is.
const DEEPEST: usize = 6;

/// A step on the way from an object to one of its handles.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Field(&'static str),
    Index(u32),
}

/// The way from an object to one of its handles, such as `head.Pair` or `slots[3]`.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Path {
    steps: [Step; DEEPEST],
    depth: usize,
}

impl Path {
    fn new() -> Path {
        Path { steps: [Step::Index(0); DEEPEST], depth: 0 }
    }

    #[inline]
    fn push(&mut self, step: Step) {
        if let Some(place) = self.steps.get_mut(self.depth) {
            *place = step;
        }
        self.depth += 1;
    }

    #[inline]
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps[..self.depth.min(DEEPEST)]
    }
}

/// What kind of thing an object is shown as. The names are those that V8's snapshots have.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Describer, NodeKind, Trace, Tracer};
///
/// struct Bytecode(Vec<u8>);
/// impl Trace for Bytecode {
///     const HAS_EDGES: bool = false;
///     fn trace(&self, _: &mut Tracer<'_>) {}
///     fn describe(&self, describer: &mut Describer<'_>) {
///         describer.kind(NodeKind::Code);
///     }
/// }
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeKind {
    /// What is left out of most views.
    Hidden,
    /// A slice or a vector.
    Array,
    /// A text, which is its name.
    String,
    /// Anything else.
    #[default]
    Object,
    /// Compiled code.
    Code,
    /// A function with its captures.
    Closure,
    /// A number in a cell of its own.
    Number,
    /// Memory outside of the heap.
    Native,
    /// A symbol.
    Symbol,
    /// An integer of any size.
    BigInt,
    /// What describes how objects are laid out.
    Shape,
}

/// Memory outside of the heap that an object refers to; for [`Describer::native`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Native<'n> {
    /// What it is, such as `ArrayBuffer bytes`.
    pub name: &'n str,
    /// Which it is: two objects that refer to the same memory say the same, such as its address.
    pub identity: u64,
    /// How many bytes it takes.
    pub bytes: u64,
}

/// Who is told what an object is, and what it refers to.
pub(crate) trait Describe {
    fn edge(&mut self, path: &Path, to: AnyGc);
    fn weak_edge(&mut self, path: &Path, to: AnyGc);
    /// An entry of a weak table. Says whether its value is to be described; its edges are then those of the entry.
    fn entry(&mut self, path: &Path, key: Option<AnyGc>) -> bool;
    fn native(&mut self, path: &Path, native: Native<'_>);
    fn kind(&mut self, kind: NodeKind);
    fn name(&mut self, name: &str);
    fn more_bytes(&mut self, bytes: u64);
}

/// What a [`Trace`] describes itself to, when a snapshot of the heap is made.
///
/// # Examples
///
/// A type that names itself, and its handles:
///
/// ```
/// use tumulus_heap::{Describer, Gc, Heap, Trace, Tracer};
///
/// struct Function {
///     name: String,
///     body: Gc<[u8]>,
///     upvalues: Vec<Gc<f64>>,
/// }
///
/// impl Trace for Function {
///     fn trace(&self, tracer: &mut Tracer<'_>) {
///         self.body.trace(tracer);
///         self.upvalues.trace(tracer);
///     }
///
///     fn describe(&self, describer: &mut Describer<'_>) {
///         describer.name(&self.name);
///         describer.more_bytes(self.name.capacity());
///         describer.field("body", &self.body);
///         describer.field("upvalues", &self.upvalues);
///     }
/// }
///
/// let mut heap = Heap::new();
/// let body = heap.alloc_slice(&[1, 2, 3]);
/// let upvalues = vec![heap.alloc(1.5)];
/// let main = heap.alloc(Function { name: "main".into(), body, upvalues });
///
/// let mut text = Vec::new();
/// heap.write_snapshot(&main, &mut text)?;
/// let text = String::from_utf8(text).unwrap();
/// assert!(["\"main\"", "\"body\"", "\"upvalues[0]\""].iter().all(|word| text.contains(word)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Describer<'d> {
    sink: &'d mut dyn Describe,
    path: Path,
    /// How many wrappers without names the value is in.
    wrappers: u32,
}

impl<'d> Describer<'d> {
    pub(crate) fn new(sink: &'d mut dyn Describe) -> Describer<'d> {
        Describer { sink, path: Path::new(), wrappers: 0 }
    }

    #[inline]
    fn step<T: Trace + ?Sized>(&mut self, step: Step, value: &T) {
        self.path.push(step);
        value.describe(self);
        self.path.depth -= 1;
    }

    /// Whether what is being described is the object itself, and not in another value.
    fn is_the_object(&self) -> bool {
        self.path.depth == 0 && self.wrappers == 0
    }

    /// Describes the one value of a wrapper, whose edges have the names that they have there. For the derive.
    #[doc(hidden)]
    pub fn wrapped<T: Trace + ?Sized>(&mut self, value: &T) {
        self.wrappers += 1;
        value.describe(self);
        self.wrappers -= 1;
    }

    /// Describes a field: the edges in it have its name.
    ///
    /// ```
    /// # use tumulus_heap::{Describer, Gc, Trace, Tracer};
    /// struct Node { next: Option<Gc<u8>> }
    /// impl Trace for Node {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         self.next.trace(tracer);
    ///     }
    ///     fn describe(&self, describer: &mut Describer<'_>) {
    ///         describer.field("next", &self.next);
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn field<T: Trace + ?Sized>(&mut self, name: &'static str, value: &T) {
        self.step(Step::Field(name), value);
    }

    /// Describes an element: the edges in it have its number.
    ///
    /// ```
    /// # use tumulus_heap::{Describer, Gc, Trace, Tracer};
    /// struct Stack { slots: Vec<Gc<u8>>, top: usize }
    /// impl Trace for Stack {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         self.slots[..self.top].trace(tracer);
    ///     }
    ///     fn describe(&self, describer: &mut Describer<'_>) {
    ///         self.slots[..self.top].iter().enumerate().for_each(|(at, slot)| describer.element(at, slot));
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn element<T: Trace + ?Sized>(&mut self, index: usize, value: &T) {
        self.step(Step::Index(u32::try_from(index).unwrap_or(u32::MAX)), value);
    }

    /// Describes what a value traces, with numbers for names: what a [`Trace`] does that does not say more.
    ///
    /// ```
    /// # use tumulus_heap::{Describer, Gc, Trace, Tracer};
    /// struct Bag(Vec<Gc<u8>>);
    /// impl Trace for Bag {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         self.0.trace(tracer);
    ///     }
    ///     fn describe(&self, describer: &mut Describer<'_>) {
    ///         describer.name("a bag");
    ///         describer.traced(self);
    ///     }
    /// }
    /// ```
    pub fn traced<T: Trace + ?Sized>(&mut self, value: &T) {
        if T::HAS_EDGES {
            let mut numbered = Numbered { describer: self, next: 0 };
            value.trace(&mut Tracer::visiting(&mut numbered));
        }
    }

    /// Reports one handle, under the name of where it is.
    ///
    /// ```
    /// # use tumulus_heap::{AnyGc, Describer, Trace, Tracer};
    /// struct Pin(AnyGc);
    /// impl Trace for Pin {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         tracer.any_edge(self.0);
    ///     }
    ///     fn describe(&self, describer: &mut Describer<'_>) {
    ///         describer.edge(self.0);
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn edge(&mut self, to: impl Into<AnyGc>) {
        self.sink.edge(&self.path, to.into());
    }

    /// Reports one handle that does not keep its object alive.
    ///
    /// ```
    /// # use tumulus_heap::{AnyGc, Describer, Trace, Tracer};
    /// struct Hint(AnyGc);
    /// impl Trace for Hint {
    ///     const HAS_EDGES: bool = false;
    ///     fn trace(&self, _: &mut Tracer<'_>) {}
    ///     fn describe(&self, describer: &mut Describer<'_>) {
    ///         describer.weak_edge(self.0);
    ///     }
    /// }
    /// ```
    pub fn weak_edge(&mut self, to: impl Into<AnyGc>) {
        self.sink.weak_edge(&self.path, to.into());
    }

    /// Reports memory outside of the heap. Memory that several objects refer to is one node.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tumulus_heap::{Describer, Native, Trace, Tracer};
    /// struct Buffer(Arc<[u8]>);
    /// impl Trace for Buffer {
    ///     const HAS_EDGES: bool = false;
    ///     fn trace(&self, _: &mut Tracer<'_>) {}
    ///     fn describe(&self, describer: &mut Describer<'_>) {
    ///         let (identity, bytes) = (self.0.as_ptr().addr() as u64, self.0.len() as u64);
    ///         describer.native("backing_store", Native { name: "bytes of a buffer", identity, bytes });
    ///     }
    /// }
    /// ```
    pub fn native(&mut self, edge: &'static str, native: Native<'_>) {
        self.path.push(Step::Field(edge));
        self.sink.native(&self.path, native);
        self.path.depth -= 1;
    }

    /// The same for memory that is held since a place in the program, which is the edge's name.
    pub(crate) fn native_at(&mut self, place: &'static Location<'static>, native: Native<'_>) {
        self.path.push(Step::Field(place.file()));
        self.path.push(Step::Index(place.line()));
        self.sink.native(&self.path, native);
        self.path.depth -= 2;
    }

    /// Says what kind of thing the object is. Of what is inside of another value it means nothing.
    ///
    /// ```
    /// # use tumulus_heap::{Describer, NodeKind, Trace, Tracer};
    /// struct Symbol(u32);
    /// impl Trace for Symbol {
    ///     const HAS_EDGES: bool = false;
    ///     fn trace(&self, _: &mut Tracer<'_>) {}
    ///     fn describe(&self, describer: &mut Describer<'_>) {
    ///         describer.kind(NodeKind::Symbol);
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn kind(&mut self, kind: NodeKind) {
        if self.is_the_object() {
            self.sink.kind(kind);
        }
    }

    /// Names the object, in place of its type. Of what is inside of another value it means nothing. No more than 1,024 bytes of
    /// a name are shown.
    ///
    /// ```
    /// # use tumulus_heap::{Describer, Trace, Tracer};
    /// struct Class { name: String }
    /// impl Trace for Class {
    ///     const HAS_EDGES: bool = false;
    ///     fn trace(&self, _: &mut Tracer<'_>) {}
    ///     fn describe(&self, describer: &mut Describer<'_>) {
    ///         describer.name(&self.name);
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn name(&mut self, name: &str) {
        if self.is_the_object() {
            self.sink.name(name);
        }
    }

    /// Adds to the object's own size, which is that of its cell and block: for memory that it alone owns, such as that of a
    /// `Vec` in it.
    ///
    /// ```
    /// # use tumulus_heap::{Describer, Trace, Tracer};
    /// struct Text(String);
    /// impl Trace for Text {
    ///     const HAS_EDGES: bool = false;
    ///     fn trace(&self, _: &mut Tracer<'_>) {}
    ///     fn describe(&self, describer: &mut Describer<'_>) {
    ///         describer.more_bytes(self.0.capacity());
    ///     }
    /// }
    /// ```
    pub fn more_bytes(&mut self, bytes: usize) {
        self.sink.more_bytes(bytes as u64);
    }

    /// Describes an entry of a weak table.
    pub(crate) fn entry(&mut self, key: Option<AnyGc>, value: &impl Trace) {
        if self.sink.entry(&self.path, key) {
            value.describe(self);
            self.sink.entry(&self.path, None);
        }
    }
}

impl fmt::Debug for Describer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Describer").field("path", &self.path.steps()).finish_non_exhaustive()
    }
}

/// Numbers the edges that a value traces.
struct Numbered<'n, 'd> {
    describer: &'n mut Describer<'d>,
    next: u32,
}

impl Visit for Numbered<'_, '_> {
    fn edge(&mut self, to: AnyGc) {
        self.describer.path.push(Step::Index(self.next));
        self.describer.edge(to);
        self.describer.path.depth -= 1;
        self.next = self.next.wrapping_add(1);
    }

    fn is_alive(&mut self, _key: AnyGc) -> bool {
        // Weak tables describe themselves.
        false
    }
}

/// Describes the items of a sequence by number.
#[inline]
pub(super) fn each<'a, T: Trace + 'a>(items: impl IntoIterator<Item = &'a T>, describer: &mut Describer<'_>) {
    describer.kind(NodeKind::Array);
    items.into_iter().enumerate().for_each(|(at, item)| describer.element(at, item));
}

/// Describes the entries of a map: a value by its number, and its key behind that.
#[inline]
pub(super) fn each_pair<'a, K: Trace + 'a, V: Trace + 'a>(
    entries: impl IntoIterator<Item = (&'a K, &'a V)>,
    describer: &mut Describer<'_>,
) {
    for (at, (key, value)) in entries.into_iter().enumerate() {
        describer.element(at, value);
        describer.element(at, &Key(key));
    }
}

/// A key of a map, whose edges say that they are one's.
struct Key<'k, K>(&'k K);

impl<K: Trace> Trace for Key<'_, K> {
    const HAS_EDGES: bool = K::HAS_EDGES;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.0.trace(tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.field("key", self.0);
    }
}
