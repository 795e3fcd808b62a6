//! Scopes: temporaries stay alive to the end of the scope that they were made in.
//!
//! While a scope is open, every allocation leaves its handle on one list, which is a root. The end of a scope cuts the
//! list back to where it began, whether the scope returned or unwound.

use crate::heap::Heap;
use crate::raw::{AnyGc, Gc, Object};
use crate::trace::{Each, Trace, Tracer};

/// The temporaries of all open scopes.
#[derive(Debug, Default)]
pub(crate) struct Temporaries {
    handles: Vec<AnyGc>,
    open_scopes: usize,
}

impl Temporaries {
    /// Whether the next allocation can be put on the list, if it has to be.
    #[inline(always)]
    pub(crate) fn has_room(&mut self) -> bool {
        self.open_scopes == 0 || self.handles.len() < self.handles.capacity() || self.grow()
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> bool {
        self.handles.try_reserve(1).is_ok()
    }

    /// Puts an allocation on the list, if a scope is open. There is room.
    #[inline(always)]
    pub(crate) fn note(&mut self, handle: AnyGc) {
        if self.open_scopes != 0 {
            self.handles.push(handle);
        }
    }

    pub(crate) fn trace(&self, tracer: &mut Tracer<'_>) {
        for &handle in &self.handles {
            tracer.any_edge(handle);
        }
    }

    pub(crate) fn handles(&self) -> &[AnyGc] {
        &self.handles
    }
}

/// Ends a scope, also when it unwinds.
struct OpenScope<'h> {
    heap: &'h mut Heap,
    begin: usize,
}

impl Drop for OpenScope<'_> {
    fn drop(&mut self) {
        let temporaries = &mut self.heap.temporaries;
        temporaries.handles.truncate(self.begin);
        // A body that has swapped the heap for another finds that one without an open scope.
        temporaries.open_scopes = temporaries.open_scopes.saturating_sub(1);
    }
}

impl Heap {
    /// Runs `body`, and keeps everything that is allocated inside it alive to its end.
    ///
    /// This is how recursive code roots its temporaries: open a scope per call, allocate freely, let safepoints happen
    /// anywhere inside. What `body` returns is handed outward: its handles belong to the enclosing scope from then on.
    /// Without an enclosing scope they are good until the next safepoint, like any handle.
    ///
    /// A scope keeps what is *allocated* in it. A handle that was loaded from an object is kept by
    /// [`keep`](Heap::keep), where the object might lose it before the scope ends.
    ///
    /// When `body` panics, the scope ends like any other. The result is [`Trace`], so that its handles can be found;
    /// numbers, strings, `Result`s and so on are.
    ///
    /// A body that swaps the heap for another one, by [`std::mem::swap`], swaps what the scope keeps as well: the heap that
    /// went away keeps it, and all that it allocates from then on, until it is dropped.
    ///
    /// It costs about a nanosecond per allocation inside, and 8 bytes on the list.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::{Gc, Heap};
    ///
    /// let mut heap = Heap::new();
    /// let inner: Gc<String> = heap.scope(|heap| {
    ///     let a = heap.alloc("a".to_string());
    ///     let sum = heap.scope(|heap| {
    ///         let b = heap.alloc("b".to_string());
    ///         heap.collect(&()); // both are alive
    ///         let text = format!("{}{}", heap[a], heap[b]);
    ///         heap.alloc(text)
    ///     });
    ///     heap.collect(&()); // `sum` was handed outward, `b` is gone
    ///     assert_eq!(heap[sum], "ab");
    ///     sum
    /// });
    /// assert_eq!(heap[inner], "ab");
    /// ```
    ///
    /// # Panics
    ///
    /// If the list of temporaries cannot grow to take the result's handles.
    pub fn scope<R: Trace>(&mut self, body: impl FnOnce(&mut Heap) -> R) -> R {
        let begin = self.temporaries.handles.len();
        self.temporaries.open_scopes += 1;
        let scope = OpenScope { heap: self, begin };
        let result = body(scope.heap);
        drop(scope);
        if R::HAS_EDGES && self.temporaries.open_scopes != 0 {
            let Heap { store, temporaries, .. } = self;
            result.trace(&mut Tracer::visiting(&mut Each(|handle: AnyGc| {
                // A stale handle is a matter for whoever uses it.
                if store.contains(handle.handle()) {
                    assert!(temporaries.has_room(), "no memory for the temporaries of a scope");
                    temporaries.note(handle);
                }
            })));
        }
        result
    }

    /// Keeps the object of a handle alive to the end of the innermost open scope, and gives the handle back.
    ///
    /// It is for handles that were loaded rather than allocated: from a field that may be overwritten, from a table
    /// that may shrink.
    ///
    /// # Panics
    ///
    /// If no scope is open, if the object is not alive, or if the list of temporaries cannot grow.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::{Gc, Heap};
    ///
    /// let mut heap = Heap::new();
    /// let stack: Gc<Vec<Gc<String>>> = heap.alloc(vec![]);
    /// let word = heap.alloc("word".to_string());
    /// heap.get_mut(stack).push(word);
    ///
    /// heap.scope(|heap| {
    ///     let top = heap.get_mut(stack).pop().unwrap();
    ///     heap.keep(top);
    ///     heap.collect(&stack); // the stack does not hold it any more
    ///     assert_eq!(heap[top], "word");
    /// });
    /// ```
    #[track_caller]
    #[inline]
    pub fn keep<T: Object + ?Sized>(&mut self, gc: Gc<T>) -> Gc<T> {
        assert!(self.temporaries.open_scopes != 0, "Heap::keep outside of any scope: open one with Heap::scope");
        if !self.store.contains(gc.handle()) {
            self.panic_stale(gc);
        }
        assert!(self.temporaries.has_room(), "no memory for the temporaries of a scope");
        self.temporaries.note(gc.erase());
        gc
    }
}
