//! The evaluator: a recursive function, with a scope for each call of the guest's.
//!
//! # What keeps what alive
//!
//! - Globals and literals are in [`State`], which every safepoint is given.
//! - The frame of a call is the state of its [`scope_loop`](Heap::scope_loop), and through it all its variables live.
//! - What an expression allocates, and what calls return, is on the list of the innermost scope until the call ends.
//! - What an expression *loads* is kept by nobody: while it waits in a local variable of Rust's, the guest may overwrite
//!   the place that it came from. So an argument of a built-in function is kept with [`keep_all`](Heap::keep_all), unless
//!   those behind it are mere variables; those of guest functions go into the callee's frame at once, which is on the list.
//!
//! Safepoints are at calls. A tail call is a turn of the loop, so that it takes no room on any stack, and what the turn
//! before it allocated can go.
//!
//! `raise` and the function that `call/cc` gives leave the evaluator as errors do in Rust, so that the scopes on the way end.
//! Such a function can be called until its `call/cc` has returned: there is a way out of it, and none back in.

use super::code::{Code, NATIVES, Native, Program};
use super::natives::{self, Args};
use super::value::{Closure, Fault, Frame, OUT_OF_MEMORY, Outcome, TOO_DEEP, Value, raise, wrong};
use std::ops::ControlFlow;
use tumulus_heap::{Gc, Heap, Trace};

/// What lives as long as the interpreter, apart from the heap.
#[derive(Debug, Default, Trace)]
pub struct State {
    /// The global variables, as numbered by the program.
    pub globals: Vec<Option<Value>>,
    /// The literals, as numbered by the program.
    pub literals: Vec<Value>,
    /// What `display` wrote.
    pub output: String,
    /// Where strings are put together, so that they ask for no memory outside of the heap.
    pub scratch: String,
    /// Where the host's stack was when the program began.
    pub stack_start: usize,
    /// How many bytes of it the guest's calls may take.
    pub max_stack: usize,
}

/// What the evaluator needs beside the heap.
#[derive(Debug)]
pub struct Guest<'g> {
    /// The code.
    pub program: &'g Program,
    /// Everything else.
    pub state: &'g mut State,
}

/// What an expression in tail position comes to: a value, or a function that is still to be run, with its frame.
type Flow = ControlFlow<Value, (usize, Frame)>;

/// Runs a function to its end. Its frame need not be kept by anybody.
///
/// # Errors
///
/// What the guest raised or did wrong.
pub fn run(heap: &mut Heap, guest: &mut Guest<'_>, function: usize, frame: Frame) -> Outcome {
    // To count calls would not do: how much of the host's stack each takes depends on the guest's code.
    if std::ptr::from_ref(&function).addr().abs_diff(guest.state.stack_start) > guest.state.max_stack {
        return raise(TOO_DEEP);
    }
    heap.scope_loop((function, frame), |heap, (function, frame)| {
        heap.safepoint(&*guest.state);
        let program = guest.program;
        match tail(heap, guest, &program.functions[function].body, frame) {
            Ok(flow) => flow.map_break(Ok),
            Err(fault) => ControlFlow::Break(Err(fault)),
        }
    })
}

/// Makes a frame with the variables of a call still unset. The first slot has the frame around it.
///
/// # Errors
///
/// If there is no room.
pub fn new_frame(heap: &mut Heap, state: &State, parameters: usize, outer: Value) -> Outcome<Frame> {
    let fill = |slot| if slot == 0 { outer } else { Value::Nil };
    Ok(heap.try_or_collect(&(state, outer), |heap| heap.try_alloc_slice_with(parameters + 1, fill))?)
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
            Code::Call(callee, args) => return call(heap, guest, callee, args, frame),
            Code::Try(parts) => return attempt(heap, guest, parts, frame),
            _ => return eval(heap, guest, code, frame).map(Flow::Break),
        }
    }
}

fn eval(heap: &mut Heap, guest: &mut Guest<'_>, code: &Code, frame: Frame) -> Outcome {
    match code {
        Code::Literal(number) => Ok(guest.state.literals[*number]),
        Code::Variable(outward, slot) => Ok(heap[around(heap, frame, *outward)][*slot]),
        Code::Global(number) => match guest.state.globals[*number] {
            Some(value) => Ok(value),
            None => wrong(heap, &format!("{} is not defined", guest.program.name(guest.program.globals[*number]))),
        },
        Code::SetGlobal(number, value) => {
            guest.state.globals[*number] = Some(eval(heap, guest, value, frame)?);
            Ok(Value::Nil)
        }
        Code::SetVariable(outward, slot, value) => {
            let value = eval(heap, guest, value, frame)?;
            heap.set(around(heap, frame, *outward), *slot, value);
            Ok(Value::Nil)
        }
        Code::Lambda(function) => {
            Ok(Value::Closure(heap.alloc_or_collect(&*guest.state, Closure { function: *function, frame })?))
        }
        Code::CallNative(native, args, _) => {
            let args = match &**args {
                [] => [Value::Nil; 3],
                [first] => [quick(heap, guest, first, frame)?, Value::Nil, Value::Nil],
                [first, second] => {
                    let first = held(heap, guest, first, frame, second.is_simple())?;
                    [first, quick(heap, guest, second, frame)?, Value::Nil]
                }
                [first, second, third, ..] => {
                    let first = held(heap, guest, first, frame, second.is_simple() && third.is_simple())?;
                    let second = held(heap, guest, second, frame, third.is_simple())?;
                    [first, second, quick(heap, guest, third, frame)?]
                }
            };
            call_native(heap, guest, *native, args)
        }
        Code::CallCc(receiver) => call_cc(heap, guest, receiver, frame),
        Code::If(_) | Code::Begin(_) | Code::Call(..) | Code::Try(_) => {
            let flow = tail(heap, guest, code, frame)?;
            finish(heap, guest, flow)
        }
    }
}

fn finish(heap: &mut Heap, guest: &mut Guest<'_>, flow: Flow) -> Outcome {
    match flow {
        Flow::Break(value) => Ok(value),
        Flow::Continue((function, frame)) => run(heap, guest, function, frame),
    }
}

/// As `eval`, which it saves a call where the expression is no more than a place.
#[inline(always)]
fn quick(heap: &mut Heap, guest: &mut Guest<'_>, code: &Code, frame: Frame) -> Outcome {
    match code {
        Code::Variable(0, slot) => Ok(heap[frame][*slot]),
        Code::Literal(number) => Ok(guest.state.literals[*number]),
        _ => eval(heap, guest, code, frame),
    }
}

/// The same, for what has to be kept while others are evaluated, unless these only look somewhere.
#[inline(always)]
fn held(heap: &mut Heap, guest: &mut Guest<'_>, code: &Code, frame: Frame, are_simple: bool) -> Outcome {
    let value = quick(heap, guest, code, frame)?;
    if !are_simple && !matches!(value, Value::Nil | Value::Bool(_) | Value::Number(_) | Value::Symbol(_)) {
        heap.keep_all(value);
    }
    Ok(value)
}

/// The frame so many functions outward.
fn around(heap: &Heap, mut frame: Frame, outward: usize) -> Frame {
    for _ in 0..outward {
        let Value::Frame(outer) = heap[frame][0] else { unreachable!("the compiler has counted the functions") };
        frame = outer;
    }
    frame
}

/// Calls a built-in function, and once more after a collection if memory is lacking.
#[inline(always)]
fn call_native(heap: &mut Heap, guest: &mut Guest<'_>, native: Native, args: Args) -> Outcome {
    natives::call(heap, guest, native, args).or_else(|fault| retry(heap, guest, native, args, fault))
}

#[cold]
fn retry(heap: &mut Heap, guest: &mut Guest<'_>, native: Native, args: Args, fault: Box<Fault>) -> Outcome {
    if *fault != Fault::Raised(OUT_OF_MEMORY) {
        return Err(fault);
    }
    heap.collect(&(&*guest.state, args));
    natives::call(heap, guest, native, args)
}

/// Evaluates a callee and its arguments. Those of a guest function go into its frame one by one, which keeps them.
fn call(heap: &mut Heap, guest: &mut Guest<'_>, callee: &Code, args: &[Code], frame: Frame) -> Outcome<Flow> {
    match quick(heap, guest, callee, frame)? {
        Value::Closure(closure) => {
            let (function, callee) = enter(heap, guest, closure, args.len())?;
            for (slot, arg) in (1..).zip(args) {
                let value = quick(heap, guest, arg, frame)?;
                heap[callee][slot] = value;
            }
            Ok(Flow::Continue((function, callee)))
        }
        other => {
            let values = args.iter().map(|arg| held(heap, guest, arg, frame, false)).collect::<Outcome<Vec<_>>>()?;
            apply(heap, guest, other, &values)
        }
    }
}

/// Calls a function with arguments that are kept by somebody.
fn apply(heap: &mut Heap, guest: &mut Guest<'_>, callee: Value, args: &[Value]) -> Outcome<Flow> {
    match (callee, args) {
        (Value::Closure(closure), _) => {
            let (function, frame) = enter(heap, guest, closure, args.len())?;
            heap[frame][1..].copy_from_slice(args);
            Ok(Flow::Continue((function, frame)))
        }
        (Value::Native(native), _) if NATIVES[native as usize].2 == args.len() => {
            let mut values = [Value::Nil; 3];
            values[..args.len()].copy_from_slice(args);
            call_native(heap, guest, native, values).map(Flow::Break)
        }
        (Value::Escape(way_out), &[value]) if heap[way_out] => Err(Box::new(Fault::Escaped(way_out, value))),
        (Value::Escape(_), [_]) => wrong(heap, "the call/cc of this function has returned"),
        (other, _) => {
            let shown = other.show(heap, guest.program);
            wrong(heap, &format!("{shown} cannot be called with {} arguments", args.len()))
        }
    }
}

/// The number of a closure's function, and a frame for a call of it with so many arguments.
fn enter(heap: &mut Heap, guest: &Guest<'_>, closure: Gc<Closure>, args: usize) -> Outcome<(usize, Frame)> {
    let Closure { function: number, frame } = heap[closure];
    let function = &guest.program.functions[number];
    if args != function.parameters {
        let (name, expected) = (guest.program.name(function.name), function.parameters);
        return wrong(heap, &format!("{name} takes {expected} arguments, not {args}"));
    }
    Ok((number, new_frame(heap, guest.state, args, Value::Frame(frame))?))
}

#[inline(never)]
fn attempt(heap: &mut Heap, guest: &mut Guest<'_>, [body, handler]: &[Code; 2], frame: Frame) -> Outcome<Flow> {
    // In a scope of its own, so that what a failed attempt has made can go.
    match heap.scope(|heap| eval(heap, guest, body, frame)) {
        Err(fault) if let Fault::Raised(reason) = *fault => {
            heap.keep_all(reason);
            let handler = eval(heap, guest, handler, frame)?;
            apply(heap, guest, handler, &[reason])
        }
        outcome => outcome.map(Flow::Break),
    }
}

#[inline(never)]
fn call_cc(heap: &mut Heap, guest: &mut Guest<'_>, receiver: &Code, frame: Frame) -> Outcome {
    let receiver = held(heap, guest, receiver, frame, false)?;
    let way_out = heap.alloc_or_collect(&*guest.state, true)?;
    let flow = apply(heap, guest, receiver, &[Value::Escape(way_out)]);
    let outcome = flow.and_then(|flow| finish(heap, guest, flow));
    heap[way_out] = false;
    outcome.or_else(|fault| match *fault {
        Fault::Escaped(to, value) if to == way_out => Ok(value),
        _ => Err(fault),
    })
}
