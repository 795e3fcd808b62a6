//! The bytecode machine over `Rc<RefCell>`: what is shared is counted, and what forms a cycle leaks.

use super::{Compiled, compile};
use crate::contest::Contestant;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tumulus_examples::script::code::{Capture, Op, Program};
use tumulus_examples::script::natives::Native;

#[derive(Clone)]
#[repr(u64)]
enum Value {
    Nil,
    Bool(bool),
    Number(f64),
    Native(Native),
    // In a box, or values would have 24 bytes.
    Text(Rc<Box<str>>),
    Closure(Rc<Closure>),
    Array(Rc<RefCell<Vec<Value>>>),
    Object(Rc<Object>),
}

const _: () = assert!(size_of::<Value>() == 16);

struct Closure {
    function: usize,
    upvalues: Box<[Rc<RefCell<Upvalue>>]>,
}

enum Upvalue {
    Open(usize),
    Closed(Value),
}

type Field = Option<(u32, Value)>;

struct Object {
    prototype: Option<Rc<Object>>,
    fields: RefCell<Box<[Field]>>,
    used: Cell<usize>,
}

struct Frame {
    function: usize,
    closure: Rc<Closure>,
    base: usize,
    at: usize,
}

struct Machine {
    program: &'static Program,
    stack: Vec<Value>,
    globals: Vec<Value>,
    texts: Vec<Value>,
    open: Vec<(usize, Rc<RefCell<Upvalue>>)>,
    frames: Vec<Frame>,
    main: usize,
}

pub fn load(text: &'static str) -> Box<dyn Contestant> {
    let Compiled { program, start, main } = compile(text);
    let mut globals: Vec<Value> = Native::ALL.iter().map(|&(_, native)| Value::Native(native)).collect();
    globals.resize(program.globals.count(), Value::Nil);
    let texts = program.texts.iter().map(|text| Value::Text(Rc::new(text.as_str().into()))).collect();
    let mut machine =
        Machine { program, stack: Vec::new(), globals, texts, open: Vec::new(), frames: Vec::new(), main };
    machine.top(start);
    Box::new(machine)
}

impl Contestant for Machine {
    fn run_main(&mut self) -> String {
        match self.top(self.main) {
            Value::Number(number) => number.to_string(),
            _ => "something else".into(),
        }
    }
}

impl Machine {
    fn top(&mut self, function: usize) -> Value {
        self.stack.push(Value::Closure(Rc::new(Closure { function, upvalues: [].into() })));
        self.stack.push(Value::Nil);
        self.call(0);
        self.run()
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().expect("pushed by the compiler")
    }

    fn peek(&self, below: usize) -> &Value {
        &self.stack[self.stack.len() - 1 - below]
    }

    fn replace(&mut self, count: usize, value: Value) {
        self.stack.truncate(self.stack.len() - count);
        self.stack.push(value);
    }

    fn call(&mut self, count: usize) {
        match self.peek(count + 1) {
            Value::Closure(closure) => {
                let closure = Rc::clone(closure);
                let function = closure.function;
                assert_eq!(count, self.program.functions[function].parameters as usize, "arguments");
                let base = self.stack.len() - count - 2;
                self.frames.push(Frame { function, closure, base, at: 0 });
            }
            &Value::Native(native) => {
                let result = call_native(native, &self.stack[self.stack.len() - count..]);
                self.replace(count + 2, result);
            }
            _ => panic!("no function"),
        }
    }

    fn close_upvalues(&mut self, from: usize) {
        while let Some((slot, upvalue)) = self.open.pop_if(|(slot, _)| *slot >= from) {
            *upvalue.borrow_mut() = Upvalue::Closed(self.stack[slot].clone());
        }
    }

    fn open_upvalue(&mut self, slot: usize) -> Rc<RefCell<Upvalue>> {
        match self.open.binary_search_by_key(&slot, |(slot, _)| *slot) {
            Ok(at) => Rc::clone(&self.open[at].1),
            Err(at) => {
                let upvalue = Rc::new(RefCell::new(Upvalue::Open(slot)));
                self.open.insert(at, (slot, Rc::clone(&upvalue)));
                upvalue
            }
        }
    }

    fn closure(&mut self, base: usize, around: &Rc<Closure>, function: usize) -> Value {
        let count = self.program.functions[function].captures.len();
        let upvalue = |at| match self.program.functions[function].captures[at] {
            Capture::Local(slot) => self.open_upvalue(base + slot as usize),
            Capture::Upvalue(number) => Rc::clone(&around.upvalues[number as usize]),
        };
        let upvalues = (0..count).map(upvalue).collect();
        Value::Closure(Rc::new(Closure { function, upvalues }))
    }

    #[allow(clippy::too_many_lines)]
    fn run(&mut self) -> Value {
        'frames: loop {
            let frame = self.frames.last().expect("one that runs");
            let (function, closure, base, mut at) = (frame.function, Rc::clone(&frame.closure), frame.base, frame.at);
            let ops = self.program.functions[function].ops.as_slice();
            loop {
                let op = &ops[at];
                at += 1;
                match *op {
                    Op::Number(number) => self.stack.push(Value::Number(number)),
                    Op::Constant(number) => self.stack.push(self.texts[number as usize].clone()),
                    Op::Nil => self.stack.push(Value::Nil),
                    Op::True => self.stack.push(Value::Bool(true)),
                    Op::False => self.stack.push(Value::Bool(false)),
                    Op::Pop => drop(self.pop()),
                    Op::GetLocal(slot) => self.stack.push(self.stack[base + slot as usize].clone()),
                    Op::SetLocal(slot) => self.stack[base + slot as usize] = self.peek(0).clone(),
                    Op::GetGlobal(number) => self.stack.push(self.globals[number as usize].clone()),
                    Op::SetGlobal(number) => self.globals[number as usize] = self.peek(0).clone(),
                    Op::GetUpvalue(number) => {
                        let value = match &*closure.upvalues[number as usize].borrow() {
                            Upvalue::Open(slot) => self.stack[*slot].clone(),
                            Upvalue::Closed(value) => value.clone(),
                        };
                        self.stack.push(value);
                    }
                    Op::SetUpvalue(number) => {
                        let value = self.peek(0).clone();
                        match &mut *closure.upvalues[number as usize].borrow_mut() {
                            Upvalue::Open(slot) => self.stack[*slot] = value,
                            Upvalue::Closed(place) => *place = value,
                        }
                    }
                    Op::GetField(name) => {
                        let value = get_field(self.peek(0), name);
                        self.replace(1, value);
                    }
                    Op::GetMethod(name) => {
                        let this = self.peek(0).clone();
                        let method = get_field(&this, name);
                        self.replace(1, method);
                        self.stack.push(this);
                    }
                    Op::SetField(name) => {
                        let value = self.pop();
                        set_field(self.peek(0), name, value.clone());
                        self.replace(1, value);
                    }
                    Op::InitField(name) => {
                        let value = self.pop();
                        set_field(self.peek(0), name, value);
                    }
                    Op::GetIndex => {
                        let value = match (self.peek(1), self.peek(0)) {
                            (Value::Array(items), Value::Number(at)) => items.borrow()[*at as usize].clone(),
                            _ => panic!("not in these programs"),
                        };
                        self.replace(2, value);
                    }
                    Op::SetIndex => {
                        let value = self.pop();
                        match (self.peek(1), self.peek(0)) {
                            (Value::Array(items), Value::Number(at)) => {
                                items.borrow_mut()[*at as usize] = value.clone();
                            }
                            _ => panic!("not in these programs"),
                        }
                        self.replace(2, value);
                    }
                    Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder | Op::Less | Op::LessEqual => {
                        let result = binary(*op, self.peek(1), self.peek(0));
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
                    Op::Jump(to) | Op::Loop(to) => at = to as usize,
                    Op::JumpIfFalse(to) => {
                        if !self.pop().is_true() {
                            at = to as usize;
                        }
                    }
                    Op::AndJump(to) | Op::OrJump(to) => {
                        if self.peek(0).is_true() == matches!(*op, Op::OrJump(_)) {
                            at = to as usize;
                        } else {
                            self.pop();
                        }
                    }
                    Op::Call(count) => {
                        self.frames.last_mut().expect("the one that runs").at = at;
                        self.call(count as usize);
                        continue 'frames;
                    }
                    Op::Closure(function) => {
                        let closure = self.closure(base, &closure, function as usize);
                        self.stack.push(closure);
                    }
                    Op::CloseUpvalue => {
                        self.close_upvalues(self.stack.len() - 1);
                        self.pop();
                    }
                    Op::Return => {
                        let result = self.pop();
                        self.close_upvalues(base);
                        self.frames.pop();
                        self.stack.truncate(base);
                        if self.frames.is_empty() {
                            return result;
                        }
                        self.stack.push(result);
                        continue 'frames;
                    }
                    Op::Object => self.stack.push(Value::Object(Rc::new(Object::new(None)))),
                    Op::Array(count) => {
                        let items = self.stack.split_off(self.stack.len() - count as usize);
                        self.stack.push(Value::Array(Rc::new(RefCell::new(items))));
                    }
                    Op::Negate | Op::Throw | Op::Try(_) | Op::EndTry => panic!("not in these programs"),
                }
            }
        }
    }
}

impl Value {
    fn is_true(&self) -> bool {
        !matches!(self, Value::Nil | Value::Bool(false))
    }
}

#[inline]
fn binary(op: Op, left: &Value, right: &Value) -> Value {
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
        (Value::Text(a), Value::Text(b)) if op == Op::Add => Value::Text(Rc::new([&***a, &***b].concat().into())),
        _ => panic!("not in these programs"),
    }
}

fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        _ => false,
    }
}

fn get_field(object: &Value, name: u32) -> Value {
    let Value::Object(object) = object else { panic!("no object") };
    let mut next = Some(object);
    while let Some(object) = next {
        let fields = object.fields.borrow();
        if let Some((_, value)) = &fields[place(&fields, name)] {
            return value.clone();
        }
        next = object.prototype.as_ref();
    }
    Value::Nil
}

fn set_field(object: &Value, name: u32, value: Value) {
    let Value::Object(object) = object else { panic!("no object") };
    let mut fields = object.fields.borrow_mut();
    let mut at = place(&fields, name);
    if fields[at].is_none() {
        if object.used.get() + 1 == fields.len() {
            let len = 2 * fields.len();
            for field in std::mem::replace(&mut *fields, vec![const { None }; len].into()).into_iter().flatten() {
                let at = place(&fields, field.0);
                fields[at] = Some(field);
            }
            at = place(&fields, name);
        }
        object.used.set(object.used.get() + 1);
    }
    fields[at] = Some((name, value));
}

fn place(fields: &[Field], name: u32) -> usize {
    let mask = fields.len() - 1;
    let mut at = name as usize & mask;
    while fields[at].as_ref().is_some_and(|field| field.0 != name) {
        at = (at + 1) & mask;
    }
    at
}

impl Object {
    fn new(prototype: Option<Rc<Object>>) -> Object {
        Object { prototype, fields: RefCell::new(vec![const { None }; 4].into()), used: Cell::new(0) }
    }
}

fn call_native(native: Native, args: &[Value]) -> Value {
    match (native, args) {
        (Native::Text, [Value::Number(number)]) => Value::Text(Rc::new(number.to_string().into())),
        (Native::Len, [Value::Text(text)]) => Value::Number(text.len() as f64),
        (Native::Len, [Value::Array(items)]) => Value::Number(items.borrow().len() as f64),
        (Native::Push, [Value::Array(items), value]) => {
            items.borrow_mut().push(value.clone());
            value.clone()
        }
        (Native::Extend, [Value::Object(prototype)]) => Value::Object(Rc::new(Object::new(Some(Rc::clone(prototype))))),
        _ => panic!("not in these programs"),
    }
}
