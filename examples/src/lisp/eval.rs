//! The evaluator: a recursive function, with a scope for each call of the guest's.
//!
//! # What keeps what alive
//!
//! - Globals and literals are in [`State`], which every safepoint is given.
//! - The frame of a call is the state of its [`scope_loop`](Heap::scope_loop), and through it all its variables live.
//! - What an expression allocates, and what calls return, is on the list of the innermost scope until the call ends.
//! - What an expression *loads* is kept by nobody: while it waits in a local variable of Rust's, the guest may overwrite
//!   the place that it came from. So an argument is kept with [`keep_all`](Heap::keep_all), if others that may run guest
//!   code are evaluated after it; those of guest functions go into the callee's frame at once, which is on the list.
//!
//! Safepoints are at calls. A tail call is a turn of the loop, so that it takes no room on any stack, and what the turn
//! before it allocated can go.

use super::code::{Code, Native, Program};
use super::natives::{self, Args};
use super::reader::Symbol;
use super::value::{Closure, Fault, Frame, Outcome, Value, wrong};
use std::ops::ControlFlow;
use tumulus_heap::{AllocError, Heap, Trace};

/// What lives as long as the interpreter, apart from the heap.
#[derive(Debug, Trace)]
pub struct State {
    /// The global variables, as numbered by the program.
    pub globals: Vec<Option<Value>>,
    /// The literals, as numbered by the program.
    pub quoted: Vec<Value>,
    /// What `display` wrote.
    pub output: String,
    /// How many calls are open, tail calls not counted.
    pub depth: usize,
    /// The most that may be open.
    pub max_depth: usize,
    /// The names of the faults that have no text, as there may be no room for one.
    #[trace(skip)]
    pub out_of_memory: Symbol,
    /// As above.
    #[trace(skip)]
    pub too_deep: Symbol,
}

/// What the evaluator needs beside the heap.
#[derive(Debug)]
pub struct Guest<'g> {
    /// The code.
    pub program: &'g Program,
    /// Everything else.
    pub state: &'g mut State,
}

/// What an expression in tail position comes to.
enum Flow {
    Value(Value),
    /// A function that is still to be run, with its frame.
    Call(usize, Frame),
}

/// Runs a function to its end.
///
/// # Errors
///
/// What the guest raised or did wrong.
pub fn run(heap: &mut Heap, guest: &mut Guest<'_>, function: usize, frame: Frame) -> Outcome {
    if guest.state.depth >= guest.state.max_depth {
        return Err(Box::new(Fault::TooDeep));
    }
    guest.state.depth += 1;
    let outcome = heap.scope_loop((function, frame), |heap, (function, frame)| {
        heap.safepoint(&*guest.state);
        let program = guest.program;
        match tail(heap, guest, &program.functions[function].body, frame) {
            Ok(Flow::Value(value)) => ControlFlow::Break(Ok(value)),
            Ok(Flow::Call(function, frame)) => ControlFlow::Continue((function, frame)),
            Err(fault) => ControlFlow::Break(Err(fault)),
        }
    });
    guest.state.depth -= 1;
    outcome
}

/// Makes a frame with the variables of a call still unset.
///
/// # Errors
///
/// If there is no room.
pub fn new_frame(heap: &mut Heap, state: &State, slots: usize, outer: Value) -> Outcome<Frame> {
    let fill = |slot| if slot == 0 { outer } else { Value::Nil };
    let make = |heap: &mut Heap| heap.try_alloc_slice_with(slots, fill).map_err(AllocError::without_value);
    Ok(heap.try_or_collect(&(state, outer), make)?)
}

fn tail(heap: &mut Heap, guest: &mut Guest<'_>, mut code: &Code, frame: Frame) -> Outcome<Flow> {
    loop {
        match code {
            Code::If(parts) => {
                let [test, then, other] = &**parts;
                code = if quick(heap, guest, test, frame)?.is_true() { then } else { other };
            }
            Code::Begin(body) => {
                let (last, first) = body.split_last().expect("not empty");
                for code in first {
                    eval(heap, guest, code, frame)?;
                }
                code = last;
            }
            Code::Call(callee, args) => return prepare(heap, guest, callee, args, frame),
            _ => return eval(heap, guest, code, frame).map(Flow::Value),
        }
    }
}

fn eval(heap: &mut Heap, guest: &mut Guest<'_>, code: &Code, frame: Frame) -> Outcome {
    match code {
        Code::Nil => Ok(Value::Nil),
        Code::Bool(bool) => Ok(Value::Bool(*bool)),
        Code::Number(number) => Ok(Value::Number(*number)),
        Code::Quoted(number) => Ok(guest.state.quoted[*number]),
        Code::Native(native) => Ok(Value::Native(*native)),
        Code::Local(slot) => Ok(heap[frame][*slot]),
        Code::Outer(outward, slot) => Ok(heap[around(heap, frame, *outward)][*slot]),
        Code::Global(number) => match guest.state.globals[*number] {
            Some(value) => Ok(value),
            None => {
                let name = guest.program.symbols.name(guest.program.globals[*number]);
                wrong(format!("{name} is not defined"))
            }
        },
        Code::SetGlobal(number, value) => {
            guest.state.globals[*number] = Some(eval(heap, guest, value, frame)?);
            Ok(Value::Nil)
        }
        Code::SetVariable(outward, slot, value) => {
            let value = eval(heap, guest, value, frame)?;
            let place = around(heap, frame, *outward);
            heap[place][*slot] = value;
            Ok(Value::Nil)
        }
        Code::Lambda(function) => closure(heap, guest, *function, frame),
        Code::If(parts) => {
            let [test, then, other] = &**parts;
            let branch = if quick(heap, guest, test, frame)?.is_true() { then } else { other };
            eval(heap, guest, branch, frame)
        }
        Code::Begin(body) => {
            let mut last = Value::Nil;
            for code in body {
                last = eval(heap, guest, code, frame)?;
            }
            Ok(last)
        }
        Code::CallNative { native, args, exposed, .. } => match &**args {
            [] => call_native(heap, guest, *native, [Value::Nil; 3]),
            [first] => {
                let first = quick(heap, guest, first, frame)?;
                call_native(heap, guest, *native, [first, Value::Nil, Value::Nil])
            }
            [first, second] => {
                let first = held(heap, guest, first, frame, *exposed > 0)?;
                let second = quick(heap, guest, second, frame)?;
                call_native(heap, guest, *native, [first, second, Value::Nil])
            }
            _ => call_with_three(heap, guest, *native, args, *exposed, frame),
        },
        Code::Call(callee, args) => match prepare(heap, guest, callee, args, frame)? {
            Flow::Value(value) => Ok(value),
            Flow::Call(function, frame) => run(heap, guest, function, frame),
        },
        Code::Try(parts) => attempt(heap, guest, parts, frame),
    }
}

/// As `eval`, which it saves a call where the expression is no more than a place or a number.
#[inline(always)]
fn quick(heap: &mut Heap, guest: &mut Guest<'_>, code: &Code, frame: Frame) -> Outcome {
    match code {
        Code::Local(slot) => Ok(heap[frame][*slot]),
        Code::Number(number) => Ok(Value::Number(*number)),
        Code::Global(number) => match guest.state.globals[*number] {
            Some(value) => Ok(value),
            None => eval(heap, guest, code, frame),
        },
        _ => eval(heap, guest, code, frame),
    }
}

/// The same, for an argument that has to be kept if others behind it may collect.
#[inline(always)]
fn held(heap: &mut Heap, guest: &mut Guest<'_>, code: &Code, frame: Frame, is_exposed: bool) -> Outcome {
    let value = quick(heap, guest, code, frame)?;
    if is_exposed {
        keep(heap, value);
    }
    Ok(value)
}

/// Calls one of the few built-in functions with more than two arguments. Apart, so that `eval` needs less stack.
#[inline(never)]
fn call_with_three(
    heap: &mut Heap,
    guest: &mut Guest<'_>,
    native: Native,
    args: &[Code],
    exposed: usize,
    frame: Frame,
) -> Outcome {
    let [first, second, third] = args else { unreachable!("no built-in function takes more") };
    let first = held(heap, guest, first, frame, exposed > 0)?;
    let second = held(heap, guest, second, frame, exposed > 1)?;
    let third = quick(heap, guest, third, frame)?;
    call_native(heap, guest, native, [first, second, third])
}

fn closure(heap: &mut Heap, guest: &mut Guest<'_>, function: usize, frame: Frame) -> Outcome {
    match heap.alloc_or_collect(&*guest.state, Closure { function, frame }) {
        Ok(closure) => Ok(Value::Closure(closure)),
        Err(error) => Err(error.without_value().into()),
    }
}

#[inline(never)]
fn attempt(heap: &mut Heap, guest: &mut Guest<'_>, [body, handler]: &[Code; 2], frame: Frame) -> Outcome {
    // In a scope of its own, so that what a failed attempt has made can go.
    match heap.scope(|heap| eval(heap, guest, body, frame)) {
        Ok(value) => Ok(value),
        Err(fault) => {
            let reason = guest.state.reason(heap, *fault);
            keep(heap, reason);
            let handler = eval(heap, guest, handler, frame)?;
            apply(heap, guest, handler, &[reason])
        }
    }
}

/// The frame so many functions outward.
#[inline]
fn around(heap: &Heap, mut frame: Frame, outward: usize) -> Frame {
    for _ in 0..outward {
        let Value::Frame(outer) = heap[frame][0] else { unreachable!("the compiler has counted the functions") };
        frame = outer;
    }
    frame
}

/// Keeps a value that was loaded while others are evaluated.
#[inline]
fn keep(heap: &mut Heap, value: Value) {
    if !matches!(value, Value::Nil | Value::Bool(_) | Value::Number(_) | Value::Symbol(_) | Value::Native(_)) {
        heap.keep_all(value);
    }
}

/// Calls a built-in function, and once more after a collection if memory is lacking.
#[inline(always)]
fn call_native(heap: &mut Heap, guest: &mut Guest<'_>, native: Native, args: Args) -> Outcome {
    let symbols = &guest.program.symbols;
    match natives::call(heap, guest.state, symbols, native, args) {
        Err(fault) if matches!(*fault, Fault::OutOfMemory) => {
            heap.collect(&(&*guest.state, args));
            natives::call(heap, guest.state, symbols, native, args)
        }
        outcome => outcome,
    }
}

/// Evaluates a callee and its arguments. Those of a guest function go into its frame one by one, which keeps them.
#[inline]
fn prepare(heap: &mut Heap, guest: &mut Guest<'_>, callee: &Code, args: &[Code], frame: Frame) -> Outcome<Flow> {
    match quick(heap, guest, callee, frame)? {
        Value::Closure(closure) => {
            let Closure { function, frame: outer } = heap[closure];
            let slots = guest.check_call(function, args.len())?;
            let callee = new_frame(heap, guest.state, slots, Value::Frame(outer))?;
            for (slot, arg) in (1..).zip(args) {
                let value = quick(heap, guest, arg, frame)?;
                heap[callee][slot] = value;
            }
            Ok(Flow::Call(function, callee))
        }
        Value::Native(native) if native.arity() == args.len() => {
            let mut values = [Value::Nil; 3];
            for (at, arg) in args.iter().enumerate() {
                values[at] = eval(heap, guest, arg, frame)?;
                keep(heap, values[at]);
            }
            call_native(heap, guest, native, values).map(Flow::Value)
        }
        other => guest.not_callable(heap, other, args.len()),
    }
}

/// Calls a function with arguments that are kept by somebody.
///
/// # Errors
///
/// What the guest raised or did wrong.
pub fn apply(heap: &mut Heap, guest: &mut Guest<'_>, callee: Value, args: &[Value]) -> Outcome {
    match callee {
        Value::Closure(closure) => {
            let Closure { function, frame: outer } = heap[closure];
            let slots = guest.check_call(function, args.len())?;
            let frame = new_frame(heap, guest.state, slots, Value::Frame(outer))?;
            heap[frame][1..=args.len()].copy_from_slice(args);
            run(heap, guest, function, frame)
        }
        Value::Native(native) if native.arity() == args.len() => {
            let mut values = [Value::Nil; 3];
            values[..args.len()].copy_from_slice(args);
            call_native(heap, guest, native, values)
        }
        other => guest.not_callable(heap, other, args.len()),
    }
}

impl Guest<'_> {
    /// How many slots the frame of a function has that is called with so many arguments.
    #[inline]
    fn check_call(&self, function: usize, args: usize) -> Outcome<usize> {
        let function = &self.program.functions[function];
        if args != function.parameters {
            let name = function.name.map_or("a function", |name| self.program.symbols.name(name));
            return wrong(format!("{name} takes {} arguments, not {args}", function.parameters));
        }
        Ok(function.slots)
    }

    #[cold]
    fn not_callable<T>(&self, heap: &Heap, value: Value, args: usize) -> Outcome<T> {
        let value = value.show(heap, &self.program.symbols);
        wrong(format!("{value} cannot be called with {args} arguments"))
    }
}

impl State {
    /// What a handler is given for a fault.
    fn reason(&self, heap: &mut Heap, fault: Fault) -> Value {
        match fault {
            Fault::Raised(value) => value,
            Fault::OutOfMemory => Value::Symbol(self.out_of_memory),
            Fault::TooDeep => Value::Symbol(self.too_deep),
            Fault::Wrong(message) => match heap.try_alloc_str(&message) {
                Ok(message) => Value::Text(message),
                Err(_) => Value::Symbol(self.out_of_memory),
            },
        }
    }
}
