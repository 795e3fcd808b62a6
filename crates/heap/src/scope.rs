//! Scopes: temporaries stay alive to the end of the scope that they were made in.
//!
//! While a scope is open, every allocation leaves its handle on one list, which is a root. The end of a scope cuts the
//! list back to where it began, whether the scope returned or unwound.

use crate::heap::Heap;
use crate::raw::{AnyGc, Gc, Object};
use crate::trace::{Each, Trace, Tracer};
use std::any::type_name;
use std::ops::ControlFlow;

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
        self.note_all(&result);
        result
    }

    /// Runs `body` again and again, each turn in a scope that keeps what the turn was given, until it breaks.
    ///
    /// This is for loops whose turns hand something on: the trampoline of an evaluator with tail calls, a loop that
    /// folds. What a turn allocated is let go when it ends, except for what its state refers to: that is kept through the
    /// next turn. With a plain [`scope`](Heap::scope) in a loop each result would stay on the list of the scope around the
    /// loop, so that a million turns would keep a million objects.
    ///
    /// What `body` breaks with is handed outward, as the result of a scope is. If it panics, the scope ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use tumulus_heap::{Gc, Heap};
    ///
    /// let mut heap = Heap::builder().limit(256 << 10).build();
    /// let zero: Gc<u64> = heap.alloc(0);
    /// let last = heap.scope_loop(zero, |heap, number| {
    ///     heap.safepoint(&());
    ///     let next = heap[number] + 1;
    ///     let next = heap.alloc(next);
    ///     if heap[next] == 100_000 { ControlFlow::Break(next) } else { ControlFlow::Continue(next) }
    /// });
    /// assert_eq!(heap[last], 100_000);
    /// ```
    ///
    /// # Panics
    ///
    /// If the list of temporaries cannot grow to take the handles of a state or of the result.
    pub fn scope_loop<S: Trace, R: Trace>(
        &mut self,
        mut state: S,
        mut body: impl FnMut(&mut Heap, S) -> ControlFlow<R, S>,
    ) -> R {
        let begin = self.temporaries.handles.len();
        self.temporaries.open_scopes += 1;
        let scope = OpenScope { heap: self, begin };
        let result = loop {
            scope.heap.note_all(&state);
            match body(scope.heap, state) {
                ControlFlow::Break(result) => break result,
                ControlFlow::Continue(next) => state = next,
            }
            scope.heap.temporaries.handles.truncate(begin);
        };
        drop(scope);
        self.note_all(&result);
        result
    }

    /// Puts the handles in a value on the list, if a scope is open.
    #[inline]
    fn note_all<T: Trace>(&mut self, value: &T) {
        if T::HAS_EDGES && self.temporaries.open_scopes != 0 {
            let Heap { store, temporaries, .. } = self;
            value.trace(&mut Tracer::visiting(&mut Each(|handle: AnyGc| {
                // A stale handle is a matter for whoever uses it.
                if store.contains(handle.handle()) {
                    assert!(temporaries.has_room(), "no memory for the temporaries of a scope");
                    temporaries.note(handle);
                }
            })));
        }
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

    /// Keeps every object that a value refers to alive to the end of the innermost open scope, and gives the value back.
    ///
    /// As [`keep`](Heap::keep), for a value that is an enum or a struct with handles in it, such as a guest's.
    ///
    /// # Panics
    ///
    /// If no scope is open, if one of the objects is not alive, or if the list of temporaries cannot grow.
    ///
    /// # Examples
    ///
    /// ```
    /// use tumulus_heap::{Gc, Heap, Trace};
    ///
    /// #[derive(Copy, Clone, Trace)]
    /// enum Value { Number(f64), Text(Gc<str>) }
    ///
    /// let mut heap = Heap::new();
    /// let word = heap.alloc_str("word");
    /// let variable = heap.alloc(Value::Text(word));
    ///
    /// heap.scope(|heap| {
    ///     let old = heap[variable];
    ///     heap.keep_all(old);
    ///     heap[variable] = Value::Number(1.0); // the variable does not hold the text any more
    ///     heap.collect(&variable);
    ///     assert!(matches!(old, Value::Text(text) if &heap[text] == "word"));
    /// });
    /// ```
    #[track_caller]
    #[inline]
    pub fn keep_all<T: Trace>(&mut self, value: T) -> T {
        assert!(self.temporaries.open_scopes != 0, "Heap::keep_all outside of any scope: open one with Heap::scope");
        if T::HAS_EDGES {
            let begin = self.temporaries.handles.len();
            let mut stale = None;
            let Heap { store, temporaries, .. } = self;
            value.trace(&mut Tracer::visiting(&mut Each(|handle: AnyGc| {
                if store.contains(handle.handle()) {
                    assert!(temporaries.has_room(), "no memory for the temporaries of a scope");
                    temporaries.note(handle);
                } else {
                    stale = Some(handle);
                }
            })));
            if let Some(handle) = stale {
                self.temporaries.handles.truncate(begin);
                panic!("{}", self.store.stale(handle.handle(), type_name::<T>()));
            }
        }
        value
    }
}
