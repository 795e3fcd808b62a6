//! How the collector learns what an object refers to.
//!
//! The implementations for the types of the standard library and of other crates are in `trace/`.

mod collections;
mod describe;
mod foreign;
mod leaves;
mod pointers;
mod tuples;

pub(crate) use describe::{Describe, Path, Step};
pub use describe::{Describer, Native, NodeKind};

use crate::raw::{AnyGc, Gc, Marker, Object, Watcher};
use std::fmt;

/// Types that can tell the collector which handles they contain.
///
/// Implement it with `#[derive(Trace)]`. A field whose type is not `Trace` is left out with `#[trace(skip)]`, which is
/// right when it contains no handles.
///
/// The trait is safe to implement, and memory safety never rests on it: an object that is missed here dies while it is
/// still in use, and using its handle is then an error that says so.
///
/// # By hand
///
/// `trace` calls [`Trace::trace`] on each part, or [`Tracer::edge`] for each handle:
///
/// ```
/// use tumulus_heap::{Gc, Heap, Trace, Tracer};
///
/// struct Stack {
///     slots: Vec<Option<Gc<String>>>,
///     top: usize,
/// }
///
/// impl Trace for Stack {
///     fn trace(&self, tracer: &mut Tracer<'_>) {
///         self.slots[..self.top].trace(tracer); // what is above the top is garbage
///     }
/// }
///
/// let mut heap = Heap::new();
/// let (kept, lost) = (heap.alloc("kept".to_string()), heap.alloc("lost".to_string()));
/// heap.collect(&Stack { slots: vec![Some(kept), Some(lost)], top: 1 });
/// assert!(heap.contains(kept) && !heap.contains(lost));
/// ```
///
/// # Changes behind a shared reference
///
/// The collector learns of writes from [`Heap::get_mut`](crate::Heap::get_mut). So the types of the standard library that
/// change behind a shared reference are `Trace` only when what is in them has no handles. An implementation by hand can get
/// around that, and should not: a handle that is stored in a `RefCell` of an old object is not seen by a minor collection,
/// and goes stale.
///
/// # What `trace` may do
///
/// It runs inside a collection, has no access to the heap, and should be quick. If it panics, the collection is
/// abandoned, nothing is freed, and the panic goes on to the caller of `collect` or `safepoint`.
///
/// # Types that own themselves
///
/// [`HAS_EDGES`](Trace::HAS_EDGES) of a type is made from those of its fields. A type that owns values of its own type
/// through a `Vec` or a `Box` would be defined by itself; the derive sees the type's own name in a field and answers
/// `true`. Two types that own each other need `#[trace(edges)]` on one of them, which says `true` for it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be traced by the collector",
    label = "`Trace` is not implemented for `{Self}`",
    note = "derive it with `#[derive(Trace)]`, or leave a field without handles out with `#[trace(skip)]`",
    note = "a `Root` cannot be inside the heap: store the `Gc` that `root.get()` gives"
)]
pub trait Trace {
    /// Whether a value of this type can contain a handle. Objects of a type without any are never scanned.
    ///
    /// The derive finds out from the fields. By hand it is worth saying `false` for what is a leaf, such as a type of
    /// another crate in a wrapper:
    ///
    /// ```
    /// use std::thread::ThreadId;
    /// use tumulus_heap::{Gc, Trace, Tracer};
    ///
    /// struct Owner(ThreadId);
    /// impl Trace for Owner {
    ///     const HAS_EDGES: bool = false;
    ///
    ///     fn trace(&self, _: &mut Tracer<'_>) {}
    /// }
    ///
    /// #[derive(Trace)]
    /// struct Lock(Option<Owner>, [u32; 2]);
    /// #[derive(Trace)]
    /// struct Monitor(Lock, Gc<Lock>);
    /// assert!(!Lock::HAS_EDGES && Monitor::HAS_EDGES);
    /// ```
    const HAS_EDGES: bool = true;

    /// Visits every handle in `self`.
    ///
    /// ```
    /// use tumulus_heap::{Gc, Heap, Trace, Tracer};
    ///
    /// /// A set of handles in a bitmap's order: the first word says which of them count.
    /// struct Sparse(u64, Vec<Gc<u8>>);
    ///
    /// impl Trace for Sparse {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         let counted = self.1.iter().enumerate().filter(|(at, _)| self.0 >> at & 1 == 1);
    ///         counted.for_each(|(_, gc)| gc.trace(tracer));
    ///     }
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let handles = vec![heap.alloc(0), heap.alloc(1), heap.alloc(2)];
    /// heap.collect(&Sparse(0b101, handles.clone()));
    /// assert_eq!(handles.iter().map(|&gc| heap.contains(gc)).collect::<Vec<_>>(), [true, false, true]);
    /// ```
    fn trace(&self, tracer: &mut Tracer<'_>);

    /// Says what a [snapshot](crate::Heap::write_snapshot) shows of `self`: what it is, and the names of its handles.
    ///
    /// The derive names each handle by its fields and variants. Without this method the handles that are traced have numbers.
    /// It should describe the handles that [`trace`](Trace::trace) visits, each of them once, and the same at each call:
    /// what is not described is not in the snapshot. It says nothing to the collector.
    ///
    /// See [`Describer`] for examples.
    fn describe(&self, describer: &mut Describer<'_>) {
        describer.traced(self);
    }

    /// Whether slices of this type are weak tables, which are scanned when there is nothing else left to mark. For this
    /// crate's own: of another type, `true` makes its slices be scanned later.
    #[doc(hidden)]
    const IS_WEAK: bool = false;

    /// Removes an element from a weak table, if its key is dead. For this crate's own.
    #[doc(hidden)]
    fn prune(_table: &mut [Self], _at: usize, _is_dead: &dyn Fn(AnyGc) -> bool)
    where
        Self: Sized,
    {
    }
}

/// What a [`Trace`] reports its handles to.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Gc, Heap, Trace, Tracer};
///
/// struct Pair(Gc<u8>, Gc<u8>);
///
/// impl Trace for Pair {
///     fn trace(&self, tracer: &mut Tracer<'_>) {
///         tracer.edge(self.0);
///         tracer.edge(self.1);
///     }
/// }
///
/// let mut heap = Heap::new();
/// let (a, b) = (heap.alloc(1), heap.alloc(2));
/// heap.collect(&Pair(a, b));
/// assert_eq!((heap[a], heap[b]), (1, 2));
/// ```
pub struct Tracer<'t> {
    pub(crate) sink: Sink<'t>,
}

/// Where the handles go.
pub(crate) enum Sink<'t> {
    Mark(Marker<'t>),
    /// The same, while entries of weak tables wait for what is marked.
    Watch(Watcher<'t>),
    Visit(&'t mut dyn Visit),
}

/// Somebody who is shown edges.
pub(crate) trait Visit {
    fn edge(&mut self, to: AnyGc);

    /// An edge that was reported without a type, which marking may follow in another way.
    fn any_edge(&mut self, to: AnyGc) {
        self.edge(to);
    }

    /// Whether the value of an entry with this key should be shown.
    fn is_alive(&mut self, key: AnyGc) -> bool;
}

/// Calls a function with each edge that is not in a weak table.
pub(crate) struct Each<F>(pub(crate) F);

impl<F: FnMut(AnyGc)> Visit for Each<F> {
    fn edge(&mut self, to: AnyGc) {
        (self.0)(to);
    }

    fn is_alive(&mut self, _key: AnyGc) -> bool {
        false
    }
}

impl<'t> Tracer<'t> {
    /// A tracer that shows each edge to `visit`.
    pub(crate) fn visiting(visit: &'t mut dyn Visit) -> Tracer<'t> {
        Tracer { sink: Sink::Visit(visit) }
    }

    /// Whether it looks for entries that wait.
    pub(crate) fn is_watching(&self) -> bool {
        matches!(self.sink, Sink::Watch(_))
    }

    /// Reports the next entry of a weak table, or a free place for one, and says whether its value is to be traced now.
    pub(crate) fn entry(&mut self, key: Option<AnyGc>) -> bool {
        match &mut self.sink {
            // Tables are not scanned by plain marking. If one were, it would keep its values alive.
            Sink::Mark(_) => true,
            Sink::Watch(watcher) => watcher.entry(key),
            Sink::Visit(visit) => key.is_some_and(|key| visit.is_alive(key)),
        }
    }

    /// As [`any_edge`](Tracer::any_edge), for whoever is not marking plainly.
    #[inline(never)]
    fn any_edge_elsewhere(&mut self, to: AnyGc) {
        match &mut self.sink {
            Sink::Visit(visit) => visit.any_edge(to),
            _ => self.edge_elsewhere(to),
        }
    }

    /// Reports a handle as that of an object that has no edges, if it has none.
    pub(crate) fn edge_as_leaf(&mut self, to: AnyGc) {
        match &mut self.sink {
            Sink::Mark(marker) => marker.leaf_edge(to.handle()),
            _ => self.edge_elsewhere(to),
        }
    }

    /// Reports a handle to whoever is not marking plainly.
    #[inline(never)]
    fn edge_elsewhere(&mut self, to: AnyGc) {
        match &mut self.sink {
            Sink::Mark(marker) => marker.edge(to.handle()),
            Sink::Watch(watcher) => watcher.edge(to.handle()),
            Sink::Visit(visit) => visit.edge(to),
        }
    }

    /// Reports one handle. Reporting one twice, or a stale one, does no harm.
    ///
    /// ```
    /// use tumulus_heap::{Gc, Heap, Trace, Tracer};
    ///
    /// /// A cache whose entries count only while it is open.
    /// struct Cache {
    ///     open: bool,
    ///     last: Gc<str>,
    /// }
    /// impl Trace for Cache {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         if self.open {
    ///             tracer.edge(self.last);
    ///         }
    ///     }
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let mut cache = Cache { open: true, last: heap.alloc_str("answer") };
    /// heap.collect(&cache);
    /// assert_eq!(&heap[cache.last], "answer");
    /// cache.open = false;
    /// heap.collect(&cache);
    /// assert!(!heap.contains(cache.last));
    /// ```
    #[inline(always)]
    pub fn edge<T: Object + ?Sized>(&mut self, gc: Gc<T>) {
        match &mut self.sink {
            Sink::Mark(marker) if T::HAS_EDGES => marker.edge(gc.handle()),
            Sink::Mark(marker) => marker.leaf_edge(gc.handle()),
            _ => self.edge_elsewhere(gc.erase()),
        }
    }

    /// Reports one handle without a type.
    ///
    /// ```
    /// use tumulus_heap::{AnyGc, Heap, Trace, Tracer};
    ///
    /// /// What the host's functions were given, of whatever types.
    /// struct Pins(Vec<AnyGc>);
    /// impl Trace for Pins {
    ///     fn trace(&self, tracer: &mut Tracer<'_>) {
    ///         self.0.iter().for_each(|&pin| tracer.any_edge(pin));
    ///     }
    /// }
    ///
    /// let mut heap = Heap::new();
    /// let (number, text) = (heap.alloc(7), heap.alloc_str("seven"));
    /// heap.collect(&Pins(vec![number.into(), text.into()]));
    /// assert_eq!((heap[number], &heap[text]), (7, "seven"));
    /// ```
    #[inline]
    pub fn any_edge(&mut self, any: AnyGc) {
        match &mut self.sink {
            Sink::Mark(marker) => marker.edge(any.handle()),
            _ => self.any_edge_elsewhere(any),
        }
    }
}

impl fmt::Debug for Tracer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}

impl<T: Object + ?Sized> Trace for Gc<T> {
    #[inline(always)]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.edge(*self);
    }

    #[inline]
    fn describe(&self, describer: &mut Describer<'_>) {
        describer.edge(self.erase());
    }
}

impl Trace for AnyGc {
    #[inline]
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.any_edge(*self);
    }

    #[inline]
    fn describe(&self, describer: &mut Describer<'_>) {
        describer.edge(*self);
    }
}
