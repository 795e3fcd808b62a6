//! Native functions with traced captures.

use crate::trace::{Describer, NodeKind, Trace, Tracer};
use std::fmt;

/// A function of the host's, with values that the collector can see into.
///
/// A Rust closure hides what it captures, so that the collector cannot trace it. A `NativeFn` is the function and its
/// captures side by side. `C` is the type of the captures, `Cx` that of the context that every call gets (the
/// interpreter, or the heap itself), `A` that of an argument, and `R` that of the result.
///
/// To call one that lives in the heap, take it out first (it is `Clone` when its captures are), as the call needs the
/// heap.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Gc, Heap, NativeFn, Trace};
///
/// #[derive(Copy, Clone, Trace)]
/// enum Value {
///     Number(f64),
///     Native(Gc<Native>),
/// }
/// type Native = NativeFn<Vec<Value>, Heap, Value, Value>;
///
/// fn adder(heap: &mut Heap, amount: f64) -> Gc<Native> {
///     heap.alloc(NativeFn::new(vec![Value::Number(amount)], |_heap, captures, args| {
///         match (&captures[0], &args[0]) {
///             (Value::Number(a), Value::Number(b)) => Value::Number(a + b),
///             _ => panic!("not a number"),
///         }
///     }))
/// }
///
/// let mut heap = Heap::new();
/// let add_two = adder(&mut heap, 2.0);
/// heap.collect(&Value::Native(add_two));
/// let function = heap[add_two].clone();
/// let Value::Number(five) = function.call(&mut heap, &[Value::Number(3.0)]) else { unreachable!() };
/// assert_eq!(five, 5.0);
/// ```
pub struct NativeFn<C, Cx = crate::Heap, A = (), R = ()> {
    function: fn(&mut Cx, &C, &[A]) -> R,
    captures: C,
}

impl<C, Cx, A, R> NativeFn<C, Cx, A, R> {
    /// A function with its captures. A closure will do that captures nothing itself.
    ///
    /// ```
    /// use tumulus_heap::{Heap, NativeFn};
    ///
    /// let hello: NativeFn<&str, Heap, (), String> = NativeFn::new("world", |_, name, _| format!("hello {name}"));
    /// assert_eq!(hello.call(&mut Heap::new(), &[]), "hello world");
    /// ```
    pub fn new(captures: C, function: fn(&mut Cx, &C, &[A]) -> R) -> NativeFn<C, Cx, A, R> {
        NativeFn { function, captures }
    }

    /// Calls it.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, NativeFn};
    /// let sum: NativeFn<(), Heap, u32, u32> = NativeFn::new((), |_, (), args| args.iter().sum());
    /// assert_eq!(sum.call(&mut Heap::new(), &[1, 2, 3]), 6);
    /// ```
    pub fn call(&self, context: &mut Cx, args: &[A]) -> R {
        (self.function)(context, &self.captures, args)
    }

    /// What it captured.
    ///
    /// ```
    /// # use tumulus_heap::NativeFn;
    /// let function: NativeFn<u8> = NativeFn::new(7, |_, _, _| ());
    /// assert_eq!(*function.captures(), 7);
    /// ```
    pub fn captures(&self) -> &C {
        &self.captures
    }

    /// What it captured, to be changed.
    ///
    /// ```
    /// # use tumulus_heap::NativeFn;
    /// let mut function: NativeFn<u8> = NativeFn::new(7, |_, _, _| ());
    /// *function.captures_mut() += 1;
    /// assert_eq!(*function.captures(), 8);
    /// ```
    pub fn captures_mut(&mut self) -> &mut C {
        &mut self.captures
    }
}

impl<C: Trace, Cx, A, R> Trace for NativeFn<C, Cx, A, R> {
    const HAS_EDGES: bool = C::HAS_EDGES;

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.captures.trace(tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.kind(NodeKind::Closure);
        describer.field("captures", &self.captures);
    }
}

impl<C: Clone, Cx, A, R> Clone for NativeFn<C, Cx, A, R> {
    fn clone(&self) -> Self {
        NativeFn { function: self.function, captures: self.captures.clone() }
    }
}

impl<C: Copy, Cx, A, R> Copy for NativeFn<C, Cx, A, R> {}

impl<C: fmt::Debug, Cx, A, R> fmt::Debug for NativeFn<C, Cx, A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeFn").field("captures", &self.captures).finish_non_exhaustive()
    }
}
