//! The Lisp over `Rc<RefCell>`: what is shared is counted, and what forms a cycle leaks.

use super::{Compiled, compile};
use crate::contest::Contestant;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::hash::BuildHasher;
use std::rc::Rc;
use tumulus_examples::lisp::code::{Code, Native, Program};
use tumulus_examples::lisp::reader::{Datum, Symbol};
use tumulus_examples::lisp::table::hash;

#[derive(Clone, Debug)]
#[allow(dead_code, reason = "no program looks into a symbol")]
#[repr(u64)]
enum Value {
    Nil,
    Bool(bool),
    Number(f64),
    Symbol(Symbol),
    // In a box, or values would have 24 bytes.
    Text(Rc<Box<str>>),
    Pair(Rc<RefCell<Pair>>),
    Vector(Rc<RefCell<Vec<Value>>>),
    Closure(Rc<Closure>),
    Table(Rc<RefCell<Table>>),
}

const _: () = assert!(size_of::<Value>() == 16);

#[derive(Debug)]
struct Pair {
    head: Value,
    tail: Value,
}

#[derive(Debug)]
struct Closure {
    function: usize,
    frame: Rc<RefCell<Frame>>,
}

#[derive(Debug)]
struct Frame {
    outer: Option<Rc<RefCell<Frame>>>,
    /// Slot 0 is not used, so that the compiler's numbers fit. In the frame itself if there are few.
    slots: SmallVec<[Value; 4]>,
}

type FrameRef = Rc<RefCell<Frame>>;

#[derive(Debug)]
struct Table {
    entries: Vec<Option<(Value, Value)>>,
    used: usize,
}

struct Lisp {
    program: &'static Program,
    globals: Vec<Value>,
    literals: Vec<Value>,
    main: usize,
}

type Outcome<T = Value> = Result<T, Box<String>>;

enum Flow {
    Value(Value),
    Call(usize, FrameRef),
}

pub fn load(text: &'static str) -> Box<dyn Contestant> {
    let Compiled { program, forms, main } = compile(text);
    let literals = program.literals.iter().map(literal).collect();
    let mut lisp = Lisp { program, globals: vec![Value::Nil; program.globals.len()], literals, main };
    for form in forms {
        lisp.top(form).expect("the program is right");
    }
    Box::new(lisp)
}

fn literal(datum: &Datum) -> Value {
    match datum {
        Datum::Bool(bool) => Value::Bool(*bool),
        Datum::Number(number) => Value::Number(*number),
        Datum::Symbol(symbol) => Value::Symbol(*symbol),
        Datum::Text(text) => Value::Text(Rc::new(text.as_str().into())),
        Datum::List(items) => items.iter().rev().fold(Value::Nil, |tail, head| cons(literal(head), tail)),
    }
}

fn cons(head: Value, tail: Value) -> Value {
    Value::Pair(Rc::new(RefCell::new(Pair { head, tail })))
}

impl Contestant for Lisp {
    fn run_main(&mut self) -> String {
        match self.top(self.main).expect("the program is right") {
            Value::Number(number) => number.to_string(),
            Value::Symbol(symbol) => self.program.name(symbol).into(),
            other => format!("{other:?}"),
        }
    }
}

impl Lisp {
    fn top(&mut self, form: usize) -> Outcome {
        let frame = self.frame(form, None);
        self.run(form, frame)
    }

    fn frame(&self, function: usize, outer: Option<FrameRef>) -> FrameRef {
        let slots = smallvec::smallvec![Value::Nil; self.program.functions[function].parameters + 1];
        Rc::new(RefCell::new(Frame { outer, slots }))
    }

    fn run(&mut self, mut function: usize, mut frame: FrameRef) -> Outcome {
        loop {
            match self.tail(&self.program.functions[function].body, &frame)? {
                Flow::Value(value) => return Ok(value),
                Flow::Call(next, next_frame) => (function, frame) = (next, next_frame),
            }
        }
    }

    fn tail(&mut self, mut code: &Code, frame: &FrameRef) -> Outcome<Flow> {
        loop {
            match code {
                Code::If(parts) => {
                    let [test, then, other] = &**parts;
                    code = if self.eval(test, frame)?.is_true() { then } else { other };
                }
                Code::Begin(body) => {
                    let (last, first) = body.split_last().expect("not empty");
                    for code in first {
                        self.eval(code, frame)?;
                    }
                    code = last;
                }
                Code::Call(callee, args) => {
                    return self.prepare(callee, args, frame).map(|(function, frame)| Flow::Call(function, frame));
                }
                _ => return self.eval(code, frame).map(Flow::Value),
            }
        }
    }

    fn eval(&mut self, code: &Code, frame: &FrameRef) -> Outcome {
        match code {
            Code::Literal(number) => Ok(self.literals[*number].clone()),
            Code::Variable(0, slot) => Ok(frame.borrow().slots[*slot].clone()),
            Code::Variable(outward, slot) => Ok(around(frame, *outward).borrow().slots[*slot].clone()),
            Code::Global(number) => Ok(self.globals[*number].clone()),
            Code::SetGlobal(number, value) => {
                self.globals[*number] = self.eval(value, frame)?;
                Ok(Value::Nil)
            }
            Code::SetVariable(outward, slot, value) => {
                let value = self.eval(value, frame)?;
                around(frame, *outward).borrow_mut().slots[*slot] = value;
                Ok(Value::Nil)
            }
            Code::Lambda(function) => {
                Ok(Value::Closure(Rc::new(Closure { function: *function, frame: Rc::clone(frame) })))
            }
            Code::If(parts) => {
                let [test, then, other] = &**parts;
                let branch = if self.eval(test, frame)?.is_true() { then } else { other };
                self.eval(branch, frame)
            }
            Code::Begin(body) => {
                let mut last = Value::Nil;
                for code in body {
                    last = self.eval(code, frame)?;
                }
                Ok(last)
            }
            Code::CallNative(native, args, _) => {
                let mut values = [Value::Nil, Value::Nil, Value::Nil];
                for (value, arg) in values.iter_mut().zip(args) {
                    *value = self.eval(arg, frame)?;
                }
                call(*native, values)
            }
            Code::Call(callee, args) => {
                let (function, frame) = self.prepare(callee, args, frame)?;
                self.run(function, frame)
            }
            Code::CallCc(_) | Code::Try(_) => Err(Box::new("not in these programs".into())),
        }
    }

    fn prepare(&mut self, callee: &Code, args: &[Code], frame: &FrameRef) -> Outcome<(usize, FrameRef)> {
        let Value::Closure(closure) = self.eval(callee, frame)? else { return Err(Box::new("no function".into())) };
        let function = closure.function;
        if args.len() != self.program.functions[function].parameters {
            return Err(Box::new("wrong number of arguments".into()));
        }
        let callee = self.frame(function, Some(Rc::clone(&closure.frame)));
        for (slot, arg) in (1..).zip(args) {
            let value = self.eval(arg, frame)?;
            callee.borrow_mut().slots[slot] = value;
        }
        Ok((function, callee))
    }
}

fn around(frame: &FrameRef, outward: usize) -> FrameRef {
    let mut frame = Rc::clone(frame);
    for _ in 0..outward {
        let outer = Rc::clone(frame.borrow().outer.as_ref().expect("counted by the compiler"));
        frame = outer;
    }
    frame
}

impl Value {
    fn is_true(&self) -> bool {
        !matches!(self, Value::Bool(false))
    }
}

fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Nil, Value::Nil) => true,
        _ => false,
    }
}

#[inline(always)]
fn call(native: Native, args: [Value; 3]) -> Outcome {
    use Value::{Bool, Number};
    match (native, &args) {
        (Native::Add, [Number(a), Number(b), _]) => Ok(Number(a + b)),
        (Native::Subtract, [Number(a), Number(b), _]) => Ok(Number(a - b)),
        (Native::Equals, [Number(a), Number(b), _]) => Ok(Bool(a == b)),
        (Native::Less, [Number(a), Number(b), _]) => Ok(Bool(a < b)),
        (Native::Head, [Value::Pair(pair), ..]) => Ok(pair.borrow().head.clone()),
        (Native::Tail, [Value::Pair(pair), ..]) => Ok(pair.borrow().tail.clone()),
        (Native::IsNull, [value, ..]) => Ok(Bool(matches!(value, Value::Nil))),
        (Native::Cons, _) => {
            let [head, tail, _] = args;
            Ok(cons(head, tail))
        }
        _ => call_other(native, args),
    }
}

#[inline(never)]
fn call_other(native: Native, args: [Value; 3]) -> Outcome {
    use Value::{Number, Text, Vector};
    Ok(match (native, &args) {
        (Native::StringAppend, [Text(a), Text(b), _]) => Text(Rc::new([&***a, &***b].concat().into())),
        (Native::StringLength, [Text(text), ..]) => Number(text.len() as f64),
        (Native::NumberToString, [Number(number), ..]) => Text(Rc::new(number.to_string().into())),
        (Native::MakeVector, [Number(len), fill, _]) => {
            Vector(Rc::new(RefCell::new(vec![fill.clone(); *len as usize])))
        }
        (Native::VectorRef, [Vector(items), Number(at), _]) => {
            items.borrow().get(*at as usize).cloned().ok_or_else(|| Box::new("no such item".into()))?
        }
        (Native::VectorSet, [Vector(items), Number(at), item]) => {
            *items.borrow_mut().get_mut(*at as usize).ok_or_else(|| Box::new("no such item".into()))? = item.clone();
            Value::Nil
        }
        (Native::MakeTable, _) => {
            Value::Table(Rc::new(RefCell::new(Table { entries: vec![const { None }; 8], used: 0 })))
        }
        (Native::TableRef, [Value::Table(table), key, absent]) => {
            let table = table.borrow();
            table.entries[find(&table.entries, key)].as_ref().map_or_else(|| absent.clone(), |(_, value)| value.clone())
        }
        (Native::TableSet, [Value::Table(table), key, value]) => {
            table.borrow_mut().set(key.clone(), value.clone());
            Value::Nil
        }
        _ => return Err(Box::new(format!("{native:?} of {args:?}"))),
    })
}

fn find(entries: &[Option<(Value, Value)>], key: &Value) -> usize {
    let hash = hash(match key {
        Value::Number(number) => (number + 0.0).to_bits(),
        Value::Text(text) => FxBuildHasher.hash_one(&***text),
        _ => 0,
    });
    let mask = entries.len() - 1;
    let mut at = hash & mask;
    while let Some((other, _)) = &entries[at]
        && !is_same(other, key)
    {
        at = (at + 1) & mask;
    }
    at
}

impl Table {
    fn set(&mut self, key: Value, value: Value) {
        let mut at = find(&self.entries, &key);
        if self.entries[at].is_none() {
            if self.used * 4 >= self.entries.len() * 3 {
                let len = 2 * self.entries.len();
                for entry in std::mem::replace(&mut self.entries, vec![const { None }; len]).into_iter().flatten() {
                    let at = find(&self.entries, &entry.0);
                    self.entries[at] = Some(entry);
                }
                at = find(&self.entries, &key);
            }
            self.used += 1;
        }
        self.entries[at] = Some((key, value));
    }
}
