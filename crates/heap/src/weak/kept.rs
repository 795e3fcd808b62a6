//! References that are weak from one job to the next, as those of ECMAScript.
//!
//! The specification wants a program not to see an object die in the middle of a job: once a `WeakRef` was made or read, its
//! target stays alive until the job is over. So there is a list of such targets, the specification's `KeptAlive`, which is a
//! root, and which the end of the job clears.

use crate::heap::Heap;
use crate::raw::{AnyGc, Gc, Object};
use crate::trace::{Describer, Trace, Tracer};
use crate::weak::Weak;
use rustc_hash::FxHashSet;
use std::fmt;

/// A weak reference with ECMAScript's rules: making it, or reading its target, keeps the target alive to the end of the job.
///
/// An interpreter calls [`Heap::end_of_job`] when its job queue goes on to the next job. A program without jobs wants a
/// [`Weak`], which keeps nothing.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Heap, WeakRef};
///
/// let mut heap = Heap::new();
/// let target = heap.alloc("target");
/// let weak = WeakRef::new(&mut heap, target);
/// heap.collect(&());
/// assert_eq!(weak.deref(&mut heap), Some(target)); // still the same job
///
/// heap.end_of_job();
/// heap.collect(&());
/// assert_eq!(weak.deref(&mut heap), None);
/// ```
pub struct WeakRef<T: ?Sized> {
    target: Weak<T>,
}

const _: () = assert!(size_of::<Option<WeakRef<str>>>() == 8);

impl<T: Object + ?Sized> WeakRef<T> {
    /// A weak reference to an object, which stays alive to the end of the job.
    ///
    /// # Panics
    ///
    /// If the handle is stale, or the system has no memory for the list of what is kept.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, WeakRef};
    /// let mut heap = Heap::new();
    /// let target = heap.alloc(1);
    /// let weak = WeakRef::new(&mut heap, target);
    /// assert_eq!(weak.deref(&mut heap), Some(target));
    /// ```
    #[track_caller]
    pub fn new(heap: &mut Heap, target: Gc<T>) -> WeakRef<T> {
        if !heap.contains(target) {
            heap.panic_stale(target);
        }
        heap.kept.job.insert(target.erase());
        WeakRef { target: target.downgrade() }
    }

    /// The target, which then stays alive to the end of the job, if no collection has found it dead.
    ///
    /// # Panics
    ///
    /// If the system has no memory for the list of what is kept.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, WeakRef};
    /// let mut heap = Heap::new();
    /// let target = heap.alloc(1);
    /// let weak = WeakRef::new(&mut heap, target);
    /// heap.end_of_job();
    /// weak.deref(&mut heap);
    /// heap.collect(&());
    /// assert!(heap.contains(target));
    /// ```
    pub fn deref(self, heap: &mut Heap) -> Option<Gc<T>> {
        let target = self.target.upgrade(heap)?;
        heap.kept.job.insert(target.erase());
        Some(target)
    }
}

impl Heap {
    /// Ends the job: what [`WeakRef`]s have kept alive since it began is not kept any more. The specification's
    /// `ClearKeptObjects`.
    ///
    /// In a nested [`job`](Heap::job), what was kept before that began is still kept.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, WeakRef};
    /// let mut heap = Heap::new();
    /// let target = heap.alloc(1);
    /// WeakRef::new(&mut heap, target);
    /// heap.collect(&());
    /// assert!(heap.contains(target));
    /// heap.end_of_job();
    /// heap.collect(&());
    /// assert!(!heap.contains(target));
    /// ```
    pub fn end_of_job(&mut self) {
        self.kept.job.end();
    }

    /// Runs `body` as a job of its own within the one that is going on, such as when a host runs its event loop from inside a
    /// call. The end of this job, and [`end_of_job`](Heap::end_of_job) inside of it, let go of what was kept in it, and not
    /// of what the outer job keeps. It ends also when `body` panics.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, WeakRef};
    /// let mut heap = Heap::new();
    /// let outer = heap.alloc("outer");
    /// let weak = WeakRef::new(&mut heap, outer);
    /// let inner = heap.job(|heap| {
    ///     let inner = heap.alloc("inner");
    ///     WeakRef::new(heap, inner);
    ///     heap.collect(&());
    ///     assert!(heap.contains(inner));
    ///     inner
    /// });
    /// heap.collect(&());
    /// assert!(heap.contains(outer) && !heap.contains(inner));
    /// ```
    pub fn job<R>(&mut self, body: impl FnOnce(&mut Heap) -> R) -> R {
        /// Ends the job also when the body unwinds.
        struct Nested<'h> {
            heap: &'h mut Heap,
            outer: usize,
        }
        impl Drop for Nested<'_> {
            fn drop(&mut self) {
                let job = &mut self.heap.kept.job;
                job.end();
                job.begin = self.outer;
            }
        }
        let job = &mut self.kept.job;
        let outer = std::mem::replace(&mut job.begin, job.kept.handles.len());
        let nested = Nested { heap: self, outer };
        body(nested.heap)
    }
}

/// The targets that are kept alive, and where those of the innermost job begin.
#[derive(Debug, Default)]
pub(super) struct JobObjects {
    kept: HandleSet,
    begin: usize,
}

impl JobObjects {
    pub(super) fn handles(&self) -> &[AnyGc] {
        self.kept.handles()
    }

    #[track_caller]
    fn insert(&mut self, handle: AnyGc) {
        self.kept.insert(handle);
    }

    /// Lets go of what the innermost job keeps.
    fn end(&mut self) {
        self.kept.truncate(self.begin);
    }
}

/// Handles in the order in which they came, each of them once.
#[derive(Debug, Default)]
pub(super) struct HandleSet {
    handles: Vec<AnyGc>,
    /// **Invariant:** those of `handles`.
    known: FxHashSet<AnyGc>,
}

impl HandleSet {
    pub(super) fn handles(&self) -> &[AnyGc] {
        &self.handles
    }

    #[track_caller]
    pub(super) fn insert(&mut self, handle: AnyGc) {
        // Most are read again right away.
        if self.handles.last() == Some(&handle) || self.known.contains(&handle) {
            return;
        }
        let has_room = self.handles.try_reserve(1).is_ok() && self.known.try_reserve(1).is_ok();
        assert!(has_room, "no memory for the list of what weak references keep alive");
        self.known.insert(handle);
        self.handles.push(handle);
    }

    /// Keeps the first `len` of them.
    pub(super) fn truncate(&mut self, len: usize) {
        for handle in self.handles.drain(len.min(self.handles.len())..) {
            self.known.remove(&handle);
        }
    }
}

/// A weak reference has no edges.
impl<T: ?Sized> Trace for WeakRef<T> {
    const HAS_EDGES: bool = false;

    fn trace(&self, _tracer: &mut Tracer<'_>) {}

    fn describe(&self, describer: &mut Describer<'_>) {
        self.target.describe(describer);
    }
}

impl<T: ?Sized> Copy for WeakRef<T> {}

impl<T: ?Sized> Clone for WeakRef<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> fmt::Debug for WeakRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakRef").field(&self.target).finish()
    }
}
