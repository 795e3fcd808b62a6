//! The Lisp over gc-arena, as its documentation advises: the interpreter's state is in the arena's root, `mutate` is left
//! every few thousand steps, and `collect_debt` is called then. So the evaluator cannot recurse through guest calls: what
//! is to be done after one is a continuation on a stack in the root.
//!
//! What no guest code runs in, such as `(+ (car list) 1)`, is evaluated by plain recursion all the same.

use super::{Compiled, compile};
use crate::contest::Contestant;
use gc_arena::{Arena, Collect, Gc, Lock, Mutation, RefLock, Rootable};
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use std::hash::BuildHasher;
use tumulus_examples::lisp::code::{Code, Native, Program};
use tumulus_examples::lisp::reader::{Datum, Symbol};
use tumulus_examples::lisp::table::hash;

/// Steps between two collections.
const FUEL: usize = 4096;

#[derive(Copy, Clone, Collect)]
#[collect(no_drop)]
#[repr(u64)]
enum Value<'gc> {
    Nil,
    Bool(bool),
    Number(f64),
    Symbol(#[collect(require_static)] Symbol),
    // In a box, as a pointer into the arena has one word.
    Text(Gc<'gc, Box<str>>),
    Pair(Gc<'gc, Pair<'gc>>),
    Vector(Gc<'gc, RefLock<Vec<Value<'gc>>>>),
    Closure(Gc<'gc, Closure<'gc>>),
    Table(Gc<'gc, RefLock<Table<'gc>>>),
}

const _: () = assert!(size_of::<Value<'static>>() == 16);

#[derive(Collect)]
#[collect(no_drop)]
struct Pair<'gc> {
    head: Lock<Value<'gc>>,
    tail: Lock<Value<'gc>>,
}

#[derive(Collect)]
#[collect(no_drop)]
struct Closure<'gc> {
    function: usize,
    frame: FrameRef<'gc>,
}

#[derive(Collect)]
#[collect(no_drop)]
struct Frame<'gc> {
    outer: Option<FrameRef<'gc>>,
    /// Slot 0 is not used, so that the compiler's numbers fit. In the frame itself if there are few.
    slots: SmallVec<[Value<'gc>; 4]>,
}

type FrameRef<'gc> = Gc<'gc, RefLock<Frame<'gc>>>;

#[derive(Collect)]
#[collect(no_drop)]
struct Table<'gc> {
    entries: Vec<Option<(Value<'gc>, Value<'gc>)>>,
    used: usize,
}

type Codes = &'static [Code];

/// What is to be done with the value of an expression that called a guest function.
#[derive(Collect)]
#[collect(no_drop)]
enum Continuation<'gc> {
    If {
        branches: &'static [Code; 3],
        frame: FrameRef<'gc>,
    },
    Begin {
        rest: Codes,
        frame: FrameRef<'gc>,
    },
    SetGlobal(usize),
    SetVariable {
        place: (usize, usize),
        frame: FrameRef<'gc>,
    },
    /// An argument of a built-in function: those before it are there, those behind it are not.
    Native {
        #[collect(require_static)]
        native: Native,
        args: Codes,
        at: usize,
        values: [Value<'gc>; 3],
        frame: FrameRef<'gc>,
    },
    Argument {
        function: usize,
        callee: FrameRef<'gc>,
        args: Codes,
        at: usize,
        frame: FrameRef<'gc>,
    },
}

/// What is to be done next.
#[derive(Copy, Clone, Collect)]
#[collect(no_drop)]
enum Control<'gc> {
    Eval(&'static Code, FrameRef<'gc>),
    Return(Value<'gc>),
}

#[derive(Collect)]
#[collect(no_drop)]
struct State<'gc> {
    program: &'static Program,
    globals: Vec<Value<'gc>>,
    literals: Vec<Value<'gc>>,
    continuations: Vec<Continuation<'gc>>,
    control: Control<'gc>,
}

struct Lisp {
    arena: Arena<Rootable![State<'_>]>,
    main: usize,
}

pub fn load(text: &'static str) -> Box<dyn Contestant> {
    let Compiled { program, forms, main } = compile(text);
    let arena = Arena::new(|mc| State {
        program,
        globals: vec![Value::Nil; program.globals.len()],
        literals: program.literals.iter().map(|datum| literal(mc, datum)).collect(),
        continuations: Vec::new(),
        control: Control::Return(Value::Nil),
    });
    let mut lisp = Lisp { arena, main };
    for form in forms {
        lisp.top(form);
    }
    Box::new(lisp)
}

fn literal<'gc>(mc: &Mutation<'gc>, datum: &Datum) -> Value<'gc> {
    match datum {
        Datum::Bool(bool) => Value::Bool(*bool),
        Datum::Number(number) => Value::Number(*number),
        Datum::Symbol(symbol) => Value::Symbol(*symbol),
        Datum::Text(text) => Value::Text(Gc::new(mc, text.as_str().into())),
        Datum::List(items) => items.iter().rev().fold(Value::Nil, |tail, head| cons(mc, literal(mc, head), tail)),
    }
}

#[inline]
fn cons<'gc>(mc: &Mutation<'gc>, head: Value<'gc>, tail: Value<'gc>) -> Value<'gc> {
    Value::Pair(Gc::new(mc, Pair { head: Lock::new(head), tail: Lock::new(tail) }))
}

impl Contestant for Lisp {
    fn run_main(&mut self) -> String {
        self.top(self.main);
        self.arena.mutate(|_, state| match state.control {
            Control::Return(Value::Number(number)) => number.to_string(),
            Control::Return(Value::Symbol(symbol)) => state.program.name(symbol).into(),
            _ => "something else".into(),
        })
    }
}

impl Lisp {
    fn top(&mut self, form: usize) {
        self.arena.mutate_root(|mc, state| {
            let frame = state.frame(mc, form, None);
            state.control = Control::Eval(&state.program.functions[form].body, frame);
        });
        while !self.arena.mutate_root(|mc, state| state.run(mc, FUEL)) {
            self.arena.collect_debt();
        }
    }
}

impl<'gc> State<'gc> {
    fn frame(&self, mc: &Mutation<'gc>, function: usize, outer: Option<FrameRef<'gc>>) -> FrameRef<'gc> {
        let slots = smallvec::smallvec![Value::Nil; self.program.functions[function].parameters + 1];
        Gc::new(mc, RefLock::new(Frame { outer, slots }))
    }

    /// Takes so many steps; true if there is nothing left to do.
    fn run(&mut self, mc: &Mutation<'gc>, fuel: usize) -> bool {
        let mut control = self.control;
        for _ in 0..fuel {
            control = match control {
                Control::Eval(code, frame) => self.eval(mc, code, frame),
                Control::Return(value) => match self.continuations.pop() {
                    Some(continuation) => self.go_on(mc, continuation, value),
                    None => {
                        self.control = control;
                        return true;
                    }
                },
            };
        }
        self.control = control;
        false
    }

    fn eval(&mut self, mc: &Mutation<'gc>, code: &'static Code, frame: FrameRef<'gc>) -> Control<'gc> {
        match code {
            Code::If(branches) => {
                let [test, then, other] = &**branches;
                if test.is_direct() {
                    let is_true = self.direct(mc, test, frame).is_true();
                    return Control::Eval(if is_true { then } else { other }, frame);
                }
                self.continuations.push(Continuation::If { branches, frame });
                Control::Eval(test, frame)
            }
            Code::Begin(body) => self.sequence(mc, body, frame),
            Code::SetGlobal(number, value) => {
                self.continuations.push(Continuation::SetGlobal(*number));
                Control::Eval(value, frame)
            }
            Code::SetVariable(outward, slot, value) => {
                self.continuations.push(Continuation::SetVariable { place: (*outward, *slot), frame });
                Control::Eval(value, frame)
            }
            Code::Lambda(function) => {
                Control::Return(Value::Closure(Gc::new(mc, Closure { function: *function, frame })))
            }
            Code::CallNative(native, args, false) => self.native(mc, *native, args, 0, [Value::Nil; 3], frame),
            Code::Call(callee, args) => {
                let Value::Closure(closure) = self.direct(mc, callee, frame) else { panic!("no function") };
                let function = closure.function;
                assert_eq!(args.len(), self.program.functions[function].parameters, "arguments");
                let callee = self.frame(mc, function, Some(closure.frame));
                self.arguments(mc, function, callee, args, 0, frame)
            }
            _ => Control::Return(self.direct(mc, code, frame)),
        }
    }

    /// Evaluates what runs no guest code.
    fn direct(&self, mc: &Mutation<'gc>, code: &'static Code, frame: FrameRef<'gc>) -> Value<'gc> {
        match code {
            Code::Literal(number) => self.literals[*number],
            Code::Variable(0, slot) => frame.borrow().slots[*slot],
            Code::Variable(outward, slot) => around(frame, *outward).borrow().slots[*slot],
            Code::Global(number) => self.globals[*number],
            Code::CallNative(native, args, _) => {
                let mut values = [Value::Nil; 3];
                for (value, arg) in values.iter_mut().zip(args) {
                    *value = self.direct(mc, arg, frame);
                }
                call(mc, *native, values)
            }
            _ => panic!("not in these programs"),
        }
    }

    fn sequence(&mut self, mc: &Mutation<'gc>, body: Codes, frame: FrameRef<'gc>) -> Control<'gc> {
        let (first, rest) = body.split_first().expect("not empty");
        if rest.is_empty() {
            return Control::Eval(first, frame);
        }
        if first.is_direct() {
            self.direct(mc, first, frame);
            return self.sequence(mc, rest, frame);
        }
        self.continuations.push(Continuation::Begin { rest, frame });
        Control::Eval(first, frame)
    }

    fn native(
        &mut self,
        mc: &Mutation<'gc>,
        native: Native,
        args: Codes,
        from: usize,
        mut values: [Value<'gc>; 3],
        frame: FrameRef<'gc>,
    ) -> Control<'gc> {
        for at in from..args.len() {
            if !args[at].is_direct() {
                self.continuations.push(Continuation::Native { native, args, at, values, frame });
                return Control::Eval(&args[at], frame);
            }
            values[at] = self.direct(mc, &args[at], frame);
        }
        Control::Return(call(mc, native, values))
    }

    fn arguments(
        &mut self,
        mc: &Mutation<'gc>,
        function: usize,
        callee: FrameRef<'gc>,
        args: Codes,
        from: usize,
        frame: FrameRef<'gc>,
    ) -> Control<'gc> {
        for at in from..args.len() {
            if !args[at].is_direct() {
                self.continuations.push(Continuation::Argument { function, callee, args, at, frame });
                return Control::Eval(&args[at], frame);
            }
            let value = self.direct(mc, &args[at], frame);
            callee.borrow_mut(mc).slots[at + 1] = value;
        }
        Control::Eval(&self.program.functions[function].body, callee)
    }

    fn go_on(&mut self, mc: &Mutation<'gc>, continuation: Continuation<'gc>, value: Value<'gc>) -> Control<'gc> {
        match continuation {
            Continuation::If { branches: [_, then, other], frame } => {
                Control::Eval(if value.is_true() { then } else { other }, frame)
            }
            Continuation::Begin { rest, frame } => self.sequence(mc, rest, frame),
            Continuation::SetGlobal(number) => {
                self.globals[number] = value;
                Control::Return(Value::Nil)
            }
            Continuation::SetVariable { place: (outward, slot), frame } => {
                around(frame, outward).borrow_mut(mc).slots[slot] = value;
                Control::Return(Value::Nil)
            }
            Continuation::Native { native, args, at, mut values, frame } => {
                values[at] = value;
                self.native(mc, native, args, at + 1, values, frame)
            }
            Continuation::Argument { function, callee, args, at, frame } => {
                callee.borrow_mut(mc).slots[at + 1] = value;
                self.arguments(mc, function, callee, args, at + 1, frame)
            }
        }
    }
}

fn around(mut frame: FrameRef<'_>, outward: usize) -> FrameRef<'_> {
    for _ in 0..outward {
        let outer = frame.borrow().outer.expect("counted by the compiler");
        frame = outer;
    }
    frame
}

impl Value<'_> {
    fn is_true(self) -> bool {
        !matches!(self, Value::Bool(false))
    }
}

#[inline(always)]
fn call<'gc>(mc: &Mutation<'gc>, native: Native, args: [Value<'gc>; 3]) -> Value<'gc> {
    use Value::{Bool, Number};
    match (native, args) {
        (Native::Add, [Number(a), Number(b), _]) => Number(a + b),
        (Native::Subtract, [Number(a), Number(b), _]) => Number(a - b),
        (Native::Equals, [Number(a), Number(b), _]) => Bool(a == b),
        (Native::Less, [Number(a), Number(b), _]) => Bool(a < b),
        (Native::Head, [Value::Pair(pair), ..]) => pair.head.get(),
        (Native::Tail, [Value::Pair(pair), ..]) => pair.tail.get(),
        (Native::IsNull, [value, ..]) => Bool(matches!(value, Value::Nil)),
        (Native::Cons, [head, tail, _]) => cons(mc, head, tail),
        _ => call_other(mc, native, args),
    }
}

#[inline(never)]
fn call_other<'gc>(mc: &Mutation<'gc>, native: Native, args: [Value<'gc>; 3]) -> Value<'gc> {
    use Value::{Number, Text, Vector};
    match (native, args) {
        (Native::StringAppend, [Text(a), Text(b), _]) => Text(Gc::new(mc, [&**a, &**b].concat().into())),
        (Native::StringLength, [Text(text), ..]) => Number(text.len() as f64),
        (Native::NumberToString, [Number(number), ..]) => Text(Gc::new(mc, number.to_string().into())),
        (Native::MakeVector, [Number(len), fill, _]) => Vector(Gc::new(mc, RefLock::new(vec![fill; len as usize]))),
        (Native::VectorRef, [Vector(items), Number(at), _]) => items.borrow()[at as usize],
        (Native::VectorSet, [Vector(items), Number(at), item]) => {
            items.borrow_mut(mc)[at as usize] = item;
            Value::Nil
        }
        (Native::MakeTable, _) => Value::Table(Gc::new(mc, RefLock::new(Table { entries: vec![None; 8], used: 0 }))),
        (Native::TableRef, [Value::Table(table), key, absent]) => {
            let table = table.borrow();
            table.entries[find(&table.entries, key)].map_or(absent, |(_, value)| value)
        }
        (Native::TableSet, [Value::Table(table), key, value]) => {
            table.borrow_mut(mc).set(key, value);
            Value::Nil
        }
        _ => panic!("not in these programs: {native:?}"),
    }
}

fn is_same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => *a == *b,
        (Value::Nil, Value::Nil) => true,
        _ => false,
    }
}

fn find(entries: &[Option<(Value<'_>, Value<'_>)>], key: Value<'_>) -> usize {
    let hash = hash(match key {
        Value::Number(number) => (number + 0.0).to_bits(),
        Value::Text(text) => FxBuildHasher.hash_one(&**text),
        _ => 0,
    });
    let mask = entries.len() - 1;
    let mut at = hash & mask;
    while let Some((other, _)) = entries[at]
        && !is_same(other, key)
    {
        at = (at + 1) & mask;
    }
    at
}

impl<'gc> Table<'gc> {
    fn set(&mut self, key: Value<'gc>, value: Value<'gc>) {
        let mut at = find(&self.entries, key);
        if self.entries[at].is_none() {
            if self.used * 4 >= self.entries.len() * 3 {
                let len = 2 * self.entries.len();
                for entry in std::mem::replace(&mut self.entries, vec![None; len]).into_iter().flatten() {
                    let at = find(&self.entries, entry.0);
                    self.entries[at] = Some(entry);
                }
                at = find(&self.entries, key);
            }
            self.used += 1;
        }
        self.entries[at] = Some((key, value));
    }
}
