//! The bytecode machine over gc-arena, as its documentation advises: the machine's state is in the arena's root, `mutate` is
//! left every few hundred calls and back edges, and `collect_debt` is called then.

use super::{Compiled, compile};
use crate::contest::Contestant;
use gc_arena::{Arena, Collect, Gc, Mutation, RefLock, Rootable};
use tumulus_examples::script::code::{Capture, Op, Program};
use tumulus_examples::script::natives::Native;

/// Calls and back edges between two collections.
const FUEL: usize = 512;

#[derive(Copy, Clone, Collect)]
#[collect(no_drop)]
#[repr(u64)]
enum Value<'gc> {
    Nil,
    Bool(bool),
    Number(f64),
    Native(#[collect(require_static)] Native),
    // In a box, as a pointer into the arena has one word.
    Text(Gc<'gc, Box<str>>),
    Closure(Gc<'gc, Closure<'gc>>),
    Array(Gc<'gc, RefLock<Vec<Value<'gc>>>>),
    Object(Gc<'gc, Object<'gc>>),
}

const _: () = assert!(size_of::<Value<'static>>() == 16);

#[derive(Collect)]
#[collect(no_drop)]
struct Closure<'gc> {
    function: usize,
    upvalues: Box<[Gc<'gc, RefLock<Upvalue<'gc>>>]>,
}

#[derive(Collect)]
#[collect(no_drop)]
enum Upvalue<'gc> {
    Open(usize),
    Closed(Value<'gc>),
}

#[derive(Collect)]
#[collect(no_drop)]
struct Object<'gc> {
    prototype: Option<Gc<'gc, Object<'gc>>>,
    table: RefLock<Table<'gc>>,
}

#[derive(Collect)]
#[collect(no_drop)]
struct Table<'gc> {
    fields: Box<[Option<(u32, Value<'gc>)>]>,
    used: usize,
}

#[derive(Copy, Clone, Collect)]
#[collect(no_drop)]
struct Frame<'gc> {
    function: usize,
    closure: Gc<'gc, Closure<'gc>>,
    base: usize,
    at: usize,
}

#[derive(Collect)]
#[collect(no_drop)]
struct State<'gc> {
    #[collect(require_static)]
    program: &'static Program,
    stack: Vec<Value<'gc>>,
    globals: Vec<Value<'gc>>,
    texts: Vec<Value<'gc>>,
    open: Vec<(usize, Gc<'gc, RefLock<Upvalue<'gc>>>)>,
    frames: Vec<Frame<'gc>>,
    result: Value<'gc>,
}

struct Machine {
    arena: Arena<Rootable![State<'_>]>,
    main: usize,
}

pub fn load(text: &'static str) -> Box<dyn Contestant> {
    let Compiled { program, start, main } = compile(text);
    let arena = Arena::new(|mc| {
        let mut globals: Vec<Value<'_>> = Native::ALL.iter().map(|&(_, native)| Value::Native(native)).collect();
        globals.resize(program.globals.count(), Value::Nil);
        let texts = program.texts.iter().map(|text| Value::Text(Gc::new(mc, text.as_str().into()))).collect();
        let (stack, open, frames) = (Vec::new(), Vec::new(), Vec::new());
        State { program, stack, globals, texts, open, frames, result: Value::Nil }
    });
    let mut machine = Machine { arena, main };
    machine.top(start);
    Box::new(machine)
}

impl Contestant for Machine {
    fn run_main(&mut self) -> String {
        self.top(self.main);
        self.arena.mutate(|_, state| match state.result {
            Value::Number(number) => number.to_string(),
            _ => "something else".into(),
        })
    }
}

impl Machine {
    fn top(&mut self, function: usize) {
        self.arena.mutate_root(|mc, state| {
            state.stack.push(Value::Closure(Gc::new(mc, Closure { function, upvalues: [].into() })));
            state.stack.push(Value::Nil);
            state.call(mc, 0);
        });
        while !self.arena.mutate_root(|mc, state| state.run(mc, FUEL)) {
            self.arena.collect_debt();
        }
    }
}

impl<'gc> State<'gc> {
    fn pop(&mut self) -> Value<'gc> {
        self.stack.pop().expect("pushed by the compiler")
    }

    fn peek(&self, below: usize) -> Value<'gc> {
        self.stack[self.stack.len() - 1 - below]
    }

    fn replace(&mut self, count: usize, value: Value<'gc>) {
        self.stack.truncate(self.stack.len() - count);
        self.stack.push(value);
    }

    fn call(&mut self, mc: &Mutation<'gc>, count: usize) {
        match self.peek(count + 1) {
            Value::Closure(closure) => {
                let function = closure.function;
                assert_eq!(count, self.program.functions[function].parameters as usize, "arguments");
                let base = self.stack.len() - count - 2;
                self.frames.push(Frame { function, closure, base, at: 0 });
            }
            Value::Native(native) => {
                let result = call_native(mc, native, &self.stack[self.stack.len() - count..]);
                self.replace(count + 2, result);
            }
            _ => panic!("no function"),
        }
    }

    fn close_upvalues(&mut self, mc: &Mutation<'gc>, from: usize) {
        while let Some((slot, upvalue)) = self.open.pop_if(|(slot, _)| *slot >= from) {
            *upvalue.borrow_mut(mc) = Upvalue::Closed(self.stack[slot]);
        }
    }

    fn open_upvalue(&mut self, mc: &Mutation<'gc>, slot: usize) -> Gc<'gc, RefLock<Upvalue<'gc>>> {
        match self.open.binary_search_by_key(&slot, |(slot, _)| *slot) {
            Ok(at) => self.open[at].1,
            Err(at) => {
                let upvalue = Gc::new(mc, RefLock::new(Upvalue::Open(slot)));
                self.open.insert(at, (slot, upvalue));
                upvalue
            }
        }
    }

    fn closure(&mut self, mc: &Mutation<'gc>, frame: Frame<'gc>, function: usize) -> Value<'gc> {
        let count = self.program.functions[function].captures.len();
        let upvalue = |at| match self.program.functions[function].captures[at] {
            Capture::Local(slot) => self.open_upvalue(mc, frame.base + slot as usize),
            Capture::Upvalue(number) => frame.closure.upvalues[number as usize],
        };
        let upvalues = (0..count).map(upvalue).collect();
        Value::Closure(Gc::new(mc, Closure { function, upvalues }))
    }

    #[allow(clippy::too_many_lines)]
    fn run(&mut self, mc: &Mutation<'gc>, mut fuel: usize) -> bool {
        'frames: loop {
            let mut frame = *self.frames.last().expect("one that runs");
            let ops = self.program.functions[frame.function].ops.as_slice();
            loop {
                let op = &ops[frame.at];
                frame.at += 1;
                match *op {
                    Op::Number(number) => self.stack.push(Value::Number(number)),
                    Op::Constant(number) => self.stack.push(self.texts[number as usize]),
                    Op::Nil => self.stack.push(Value::Nil),
                    Op::True => self.stack.push(Value::Bool(true)),
                    Op::False => self.stack.push(Value::Bool(false)),
                    Op::Pop => drop(self.pop()),
                    Op::GetLocal(slot) => self.stack.push(self.stack[frame.base + slot as usize]),
                    Op::SetLocal(slot) => self.stack[frame.base + slot as usize] = self.peek(0),
                    Op::GetGlobal(number) => self.stack.push(self.globals[number as usize]),
                    Op::SetGlobal(number) => self.globals[number as usize] = self.peek(0),
                    Op::GetUpvalue(number) => {
                        let value = match *frame.closure.upvalues[number as usize].borrow() {
                            Upvalue::Open(slot) => self.stack[slot],
                            Upvalue::Closed(value) => value,
                        };
                        self.stack.push(value);
                    }
                    Op::SetUpvalue(number) => {
                        let value = self.peek(0);
                        match &mut *frame.closure.upvalues[number as usize].borrow_mut(mc) {
                            Upvalue::Open(slot) => self.stack[*slot] = value,
                            Upvalue::Closed(place) => *place = value,
                        }
                    }
                    Op::GetField(name) => {
                        let value = get_field(self.peek(0), name);
                        self.replace(1, value);
                    }
                    Op::GetMethod(name) => {
                        let this = self.peek(0);
                        let method = get_field(this, name);
                        self.replace(1, method);
                        self.stack.push(this);
                    }
                    Op::SetField(name) => {
                        let value = self.pop();
                        set_field(mc, self.peek(0), name, value);
                        self.replace(1, value);
                    }
                    Op::InitField(name) => {
                        let value = self.pop();
                        set_field(mc, self.peek(0), name, value);
                    }
                    Op::GetIndex => {
                        let value = match (self.peek(1), self.peek(0)) {
                            (Value::Array(items), Value::Number(at)) => items.borrow()[at as usize],
                            _ => panic!("not in these programs"),
                        };
                        self.replace(2, value);
                    }
                    Op::SetIndex => {
                        let value = self.pop();
                        match (self.peek(1), self.peek(0)) {
                            (Value::Array(items), Value::Number(at)) => {
                                items.borrow_mut(mc)[at as usize] = value;
                            }
                            _ => panic!("not in these programs"),
                        }
                        self.replace(2, value);
                    }
                    Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder | Op::Less | Op::LessEqual => {
                        let result = binary(mc, *op, self.peek(1), self.peek(0));
                        self.replace(2, result);
                    }
                    Op::Equal => {
                        let same = is_same(self.peek(1), self.peek(0));
                        self.replace(2, Value::Bool(same));
                    }
                    Op::Not => {
                        let is_true = self.peek(0).is_true();
                        self.replace(1, Value::Bool(!is_true));
                    }
                    Op::Jump(to) => frame.at = to as usize,
                    Op::Loop(to) => {
                        frame.at = to as usize;
                        fuel -= 1;
                        if fuel == 0 {
                            *self.frames.last_mut().expect("the one that runs") = frame;
                            return false;
                        }
                    }
                    Op::JumpIfFalse(to) => {
                        if !self.pop().is_true() {
                            frame.at = to as usize;
                        }
                    }
                    Op::AndJump(to) | Op::OrJump(to) => {
                        if self.peek(0).is_true() == matches!(*op, Op::OrJump(_)) {
                            frame.at = to as usize;
                        } else {
                            self.pop();
                        }
                    }
                    Op::Call(count) => {
                        *self.frames.last_mut().expect("the one that runs") = frame;
                        self.call(mc, count as usize);
                        fuel -= 1;
                        if fuel == 0 {
                            return false;
                        }
                        continue 'frames;
                    }
                    Op::Closure(function) => {
                        let closure = self.closure(mc, frame, function as usize);
                        self.stack.push(closure);
                    }
                    Op::CloseUpvalue => {
                        self.close_upvalues(mc, self.stack.len() - 1);
                        self.pop();
                    }
                    Op::Return => {
                        let result = self.pop();
                        self.close_upvalues(mc, frame.base);
                        self.frames.pop();
                        self.stack.truncate(frame.base);
                        if self.frames.is_empty() {
                            self.result = result;
                            return true;
                        }
                        self.stack.push(result);
                        continue 'frames;
                    }
                    Op::Object => self.stack.push(Value::Object(Gc::new(mc, Object::new(None)))),
                    Op::Array(count) => {
                        let items = self.stack.split_off(self.stack.len() - count as usize);
                        self.stack.push(Value::Array(Gc::new(mc, RefLock::new(items))));
                    }
                    Op::Negate | Op::Throw | Op::Try(_) | Op::EndTry => panic!("not in these programs"),
                }
            }
        }
    }
}

impl Value<'_> {
    fn is_true(self) -> bool {
        !matches!(self, Value::Nil | Value::Bool(false))
    }
}

#[inline]
fn binary<'gc>(mc: &Mutation<'gc>, op: Op, left: Value<'gc>, right: Value<'gc>) -> Value<'gc> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => match op {
            Op::Add => Value::Number(a + b),
            Op::Subtract => Value::Number(a - b),
            Op::Multiply => Value::Number(a * b),
            Op::Divide => Value::Number(a / b),
            Op::Remainder => Value::Number(a % b),
            Op::Less => Value::Bool(a < b),
            _ => Value::Bool(a <= b),
        },
        (Value::Text(a), Value::Text(b)) if op == Op::Add => Value::Text(Gc::new(mc, [&**a, &**b].concat().into())),
        _ => panic!("not in these programs"),
    }
}

fn is_same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => *a == *b,
        _ => false,
    }
}

fn get_field(object: Value<'_>, name: u32) -> Value<'_> {
    let Value::Object(object) = object else { panic!("no object") };
    let mut next = Some(object);
    while let Some(object) = next {
        let fields = &object.table.borrow().fields;
        if let Some((_, value)) = fields[place(fields, name)] {
            return value;
        }
        next = object.prototype;
    }
    Value::Nil
}

fn set_field<'gc>(mc: &Mutation<'gc>, object: Value<'gc>, name: u32, value: Value<'gc>) {
    let Value::Object(object) = object else { panic!("no object") };
    let Table { fields, used } = &mut *gc_arena::barrier::unlock!(Gc::write(mc, object), Object, table).borrow_mut();
    let mut at = place(fields, name);
    if fields[at].is_none() {
        if *used + 1 == fields.len() {
            let len = 2 * fields.len();
            for field in std::mem::replace(fields, vec![None; len].into()).into_iter().flatten() {
                let at = place(fields, field.0);
                fields[at] = Some(field);
            }
            at = place(fields, name);
        }
        *used += 1;
    }
    fields[at] = Some((name, value));
}

fn place(fields: &[Option<(u32, Value<'_>)>], name: u32) -> usize {
    let mask = fields.len() - 1;
    let mut at = name as usize & mask;
    while fields[at].is_some_and(|field| field.0 != name) {
        at = (at + 1) & mask;
    }
    at
}

impl<'gc> Object<'gc> {
    fn new(prototype: Option<Gc<'gc, Object<'gc>>>) -> Object<'gc> {
        Object { prototype, table: RefLock::new(Table { fields: vec![None; 4].into(), used: 0 }) }
    }
}

fn call_native<'gc>(mc: &Mutation<'gc>, native: Native, args: &[Value<'gc>]) -> Value<'gc> {
    match (native, args) {
        (Native::Text, [Value::Number(number)]) => Value::Text(Gc::new(mc, number.to_string().into())),
        (Native::Len, [Value::Text(text)]) => Value::Number(text.len() as f64),
        (Native::Len, [Value::Array(items)]) => Value::Number(items.borrow().len() as f64),
        (Native::Push, [Value::Array(items), value]) => {
            items.borrow_mut(mc).push(*value);
            *value
        }
        (Native::Extend, [Value::Object(prototype)]) => Value::Object(Gc::new(mc, Object::new(Some(*prototype)))),
        _ => panic!("not in these programs"),
    }
}
