//! The machine: runs bytecode over a stack of values.
//!
//! # What keeps what alive
//!
//! Everything that the guest can reach is in [`State`], and every safepoint is given that. The stack traces what is below
//! its top. An operation leaves its operands on the stack until its result is there; so one that runs out of memory
//! can collect and try again, and need not think of rooting.
//!
//! Safepoints are at calls and at the back edges of loops: no guest runs for long without one.

use super::code::{Capture, Op, Program};
use super::compiler::compile;
use super::fault::{Error, Fault, Outcome, wrong};
use super::natives::{self, Native};
use super::stack::Stack;
use super::value::{Closure, Object, Upvalue, Value};
use tumulus_heap::{AllocError, Gc, GcVec, Heap, HeapBuilder, Interner, Trace};

/// Everything from which the guest's objects are reached.
#[derive(Debug, Trace)]
pub struct State {
    /// The stack.
    pub stack: Stack,
    globals: Vec<Option<Value>>,
    texts: Vec<Value>,
    /// The names of properties that are in programs, by their numbers.
    names: Vec<Gc<str>>,
    /// The captured variables that are still on the stack, in the order of their slots.
    open: Vec<(usize, Gc<Upvalue>)>,
    /// Made in advance, as there is no room for it when it is needed.
    out_of_memory: Value,
}

/// A call of the guest's. Its closure is in the first of its slots.
#[derive(Copy, Clone, Debug)]
struct Frame {
    function: usize,
    closure: Gc<Closure>,
    base: usize,
    at: usize,
}

/// Where errors go.
#[derive(Copy, Clone, Debug)]
struct Handler {
    frames: usize,
    stack: usize,
    target: usize,
}

/// A machine with its heap.
///
/// ```
/// use tumulus_examples::script::Machine;
/// use tumulus_heap::Heap;
///
/// let mut machine = Machine::new(Heap::builder().limit(16 << 20));
/// let twelve = machine.run("fn square(x) { return x * x; } let nine = square(3); return nine + 3;")?;
/// assert_eq!(machine.show(twelve), "12");
/// # Ok::<(), tumulus_examples::script::Error>(())
/// ```
#[derive(Debug)]
pub struct Machine {
    /// The heap, beside the state and not in it, as it is borrowed while the state is traced.
    pub(super) heap: Heap,
    pub(super) state: State,
    pub(super) output: String,
    /// All names of properties that there are. Those that only an object has go with it.
    interner: Interner,
    program: Program,
    frames: Vec<Frame>,
    handlers: Vec<Handler>,
}

const SLOTS: usize = 1 << 16;
const MAX_FRAMES: usize = 8_000;

impl Machine {
    /// A machine with a heap of these options.
    ///
    /// # Panics
    ///
    /// As [`HeapBuilder::build`], and if the limit leaves no room for a short text.
    pub fn new(options: HeapBuilder) -> Machine {
        let mut heap = options.build();
        let mut program = Program::default();
        let mut globals = Vec::new();
        for &(name, native) in Native::ALL {
            program.globals.number(name);
            globals.push(Some(Value::Native(native)));
        }
        let stack = Stack { slots: vec![Value::Nil; SLOTS].into(), len: 0 };
        let out_of_memory = Value::Text(heap.alloc_str("out of memory"));
        let state = State { stack, globals, texts: Vec::new(), names: Vec::new(), open: Vec::new(), out_of_memory };
        Machine {
            heap,
            state,
            output: String::new(),
            interner: Interner::new(),
            program,
            frames: Vec::new(),
            handlers: Vec::new(),
        }
    }

    /// Runs a program, and gives what it returns. That is good until the next run.
    ///
    /// # Errors
    ///
    /// If the text is no program, or throws something that it does not catch. What was defined before stays.
    pub fn run(&mut self, text: &str) -> Result<Value, Error> {
        let function = compile(&mut self.program, text).map_err(Error::Syntax)?;
        let outcome = self.start(function).and_then(|()| self.run_handled());
        if outcome.is_err() {
            self.close_upvalues(0);
            self.state.stack.len = 0;
            self.frames.clear();
            self.handlers.clear();
        }
        outcome.map_err(|fault| {
            let value = self.value_of(*fault);
            Error::Uncaught(self.show(value))
        })
    }

    fn start(&mut self, function: usize) -> Outcome<()> {
        self.state.globals.resize(self.program.globals.count(), None);
        while let Some(text) = self.program.texts.get(self.state.texts.len()) {
            let text = self.heap.try_or_collect(&self.state, |heap| heap.try_alloc_str(text))?;
            self.state.texts.push(Value::Text(text));
        }
        for number in self.state.names.len()..self.program.fields.count() {
            let Machine { heap, state, interner, program, .. } = self;
            let name = program.fields.name(number as u32);
            let name = heap.try_or_collect(&*state, |heap| interner.try_intern(heap, name))?;
            state.names.push(name);
        }
        let closure = self.make(|heap| {
            let upvalues = heap.try_alloc_slice(&[])?;
            Ok(heap.try_alloc(Closure { function, upvalues })?)
        })?;
        self.state.stack.push(Value::Closure(closure))?;
        self.state.stack.push(Value::Nil)?;
        self.call(0)
    }

    /// Runs to the end, with a detour for each fault that is caught.
    fn run_handled(&mut self) -> Outcome {
        loop {
            match self.run_to_fault() {
                Ok(value) => return Ok(value),
                Err(fault) => {
                    let Some(handler) = self.handlers.pop() else { return Err(fault) };
                    let value = self.value_of(*fault);
                    self.close_upvalues(handler.stack);
                    self.frames.truncate(handler.frames);
                    self.frames.last_mut().expect("the handler's own").at = handler.target;
                    self.state.stack.len = handler.stack;
                    self.state.stack.push(value)?;
                }
            }
        }
    }

    /// What a handler is given.
    fn value_of(&mut self, fault: Fault) -> Value {
        match fault {
            Fault::Thrown(value) => value,
            Fault::OutOfMemory => self.state.out_of_memory,
            Fault::Wrong(text) => self.text(&text).unwrap_or(self.state.out_of_memory),
        }
    }

    /// A value as text.
    pub fn show(&self, value: Value) -> String {
        value.show(&self.heap)
    }

    /// Takes what the guest has printed.
    pub fn take_output(&mut self) -> String {
        std::mem::take(&mut self.output)
    }

    /// The heap, to be asked how it is.
    pub fn heap(&self) -> &Heap {
        &self.heap
    }

    /// How many names of properties there is room for.
    pub fn names(&self) -> usize {
        self.interner.capacity()
    }

    /// Makes something, if need be after a collection. What it is made of is on the stack.
    pub(super) fn make<T>(&mut self, make: impl FnMut(&mut Heap) -> Result<T, AllocError>) -> Outcome<T> {
        Ok(self.heap.try_or_collect(&self.state, make)?)
    }

    /// A string of the guest's.
    pub(super) fn text(&mut self, text: &str) -> Outcome {
        Ok(Value::Text(self.make(|heap| heap.try_alloc_str(text))?))
    }

    /// Calls what is on the stack below `this` and so many arguments.
    fn call(&mut self, count: usize) -> Outcome<()> {
        self.heap.safepoint(&self.state);
        match self.state.stack.peek(count + 1) {
            Value::Closure(closure) => {
                let function = self.heap[closure].function;
                let expected = self.program.functions[function].parameters as usize;
                if count != expected {
                    let name = &self.program.functions[function].name;
                    return wrong(format!("{name} takes {expected} arguments, not {count}"));
                }
                if self.frames.len() == MAX_FRAMES {
                    return wrong("calls are nested too deep");
                }
                let base = self.state.stack.len - count - 2;
                self.frames.push(Frame { function, closure, base, at: 0 });
                Ok(())
            }
            Value::Native(native) => {
                let result = natives::call(self, native, count)?;
                self.state.stack.replace(count + 2, result);
                Ok(())
            }
            other => wrong(format!("{} cannot be called", self.show(other))),
        }
    }

    /// Gives the captured variables at this slot and above places of their own.
    fn close_upvalues(&mut self, from: usize) {
        while let Some((slot, upvalue)) = self.state.open.pop_if(|(slot, _)| *slot >= from) {
            self.heap[upvalue] = Upvalue::Closed(self.state.stack.slots[slot]);
        }
    }

    /// The captured variable that is in a slot. Closures that capture the same one share it.
    fn open_upvalue(&mut self, slot: usize) -> Outcome<Gc<Upvalue>> {
        match self.state.open.binary_search_by_key(&slot, |(slot, _)| *slot) {
            Ok(at) => Ok(self.state.open[at].1),
            Err(at) => {
                let upvalue = self.heap.alloc_or_collect(&self.state, Upvalue::Open(slot))?;
                self.state.open.insert(at, (slot, upvalue));
                Ok(upvalue)
            }
        }
    }

    fn closure(&mut self, frame: Frame, function: usize) -> Outcome {
        let count = self.program.functions[function].captures.len();
        let mut upvalues = Vec::with_capacity(count);
        for at in 0..count {
            // Those on the stack are roots once they are open, and those of this closure are its own.
            upvalues.push(match self.program.functions[function].captures[at] {
                Capture::Local(slot) => self.open_upvalue(frame.base + slot as usize)?,
                Capture::Upvalue(number) => self.heap[self.heap[frame.closure].upvalues][number as usize],
            });
        }
        let closure = self.make(|heap| {
            let upvalues = heap.try_alloc_slice(&upvalues)?;
            Ok(heap.try_alloc(Closure { function, upvalues })?)
        })?;
        Ok(Value::Closure(closure))
    }

    /// Runs until the first frame returns, or something goes wrong.
    #[allow(clippy::too_many_lines)]
    fn run_to_fault(&mut self) -> Outcome {
        'frames: loop {
            let mut frame = *self.frames.last().expect("one that runs");
            loop {
                let op = self.program.functions[frame.function].ops[frame.at];
                frame.at += 1;
                match op {
                    Op::Number(number) => self.state.stack.push(Value::Number(number))?,
                    Op::Constant(number) => self.state.stack.push(self.state.texts[number as usize])?,
                    Op::Nil => self.state.stack.push(Value::Nil)?,
                    Op::True => self.state.stack.push(Value::Bool(true))?,
                    Op::False => self.state.stack.push(Value::Bool(false))?,
                    Op::Pop => drop(self.state.stack.pop()),
                    Op::GetLocal(slot) => {
                        let value = self.state.stack.slots[frame.base + slot as usize];
                        self.state.stack.push(value)?;
                    }
                    Op::SetLocal(slot) => {
                        self.state.stack.slots[frame.base + slot as usize] = self.state.stack.peek(0);
                    }
                    Op::GetGlobal(number) => match self.state.globals[number as usize] {
                        Some(value) => self.state.stack.push(value)?,
                        None => {
                            let name = self.program.globals.name(number);
                            return wrong(format!("{name} is not defined"));
                        }
                    },
                    Op::SetGlobal(number) => self.state.globals[number as usize] = Some(self.state.stack.peek(0)),
                    Op::GetUpvalue(number) => {
                        let upvalue = self.heap[self.heap[frame.closure].upvalues][number as usize];
                        let value = match self.heap[upvalue] {
                            Upvalue::Open(slot) => self.state.stack.slots[slot],
                            Upvalue::Closed(value) => value,
                        };
                        self.state.stack.push(value)?;
                    }
                    Op::SetUpvalue(number) => {
                        let value = self.state.stack.peek(0);
                        let upvalue = self.heap[self.heap[frame.closure].upvalues][number as usize];
                        match self.heap[upvalue] {
                            Upvalue::Open(slot) => self.state.stack.slots[slot] = value,
                            Upvalue::Closed(_) => self.heap[upvalue] = Upvalue::Closed(value),
                        }
                    }
                    Op::GetField(name) => {
                        let value = self.field(self.state.stack.peek(0), name)?;
                        self.state.stack.replace(1, value);
                    }
                    Op::GetMethod(name) => {
                        let this = self.state.stack.peek(0);
                        let method = self.field(this, name)?;
                        self.state.stack.replace(1, method);
                        self.state.stack.push(this)?;
                    }
                    Op::SetField(name) => {
                        self.set_field(self.state.stack.peek(1), name)?;
                        let value = self.state.stack.peek(0);
                        self.state.stack.replace(2, value);
                    }
                    Op::InitField(name) => {
                        self.set_field(self.state.stack.peek(1), name)?;
                        self.state.stack.pop();
                    }
                    Op::GetIndex => {
                        let value = match self.state.stack.top(2) {
                            &[Value::Array(array), Value::Number(at)] if at >= 0.0 => {
                                let items = array.as_slice(&self.heap);
                                match items.get(at as usize) {
                                    Some(item) => *item,
                                    None => {
                                        return wrong(format!("an array of {} items has none at {at}", items.len()));
                                    }
                                }
                            }
                            _ => self.property(self.state.stack.peek(1), self.state.stack.peek(0))?,
                        };
                        self.state.stack.replace(2, value);
                    }
                    Op::SetIndex => {
                        let &[target, at, value] = self.state.stack.top(3) else {
                            unreachable!("three were asked for")
                        };
                        self.set_index(target, at, value)?;
                        self.state.stack.replace(3, value);
                    }
                    Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder | Op::Less | Op::LessEqual => {
                        // Matched where they are: to copy a value whose halves were just written makes the processor wait.
                        let result = match self.state.stack.top(2) {
                            &[Value::Number(a), Value::Number(b)] => arithmetic(op, a, b),
                            _ => self.join(op)?,
                        };
                        self.state.stack.replace(2, result);
                    }
                    Op::Equal => {
                        let same = self.state.stack.peek(1).equals(self.state.stack.peek(0), &self.heap);
                        self.state.stack.replace(2, Value::Bool(same));
                    }
                    Op::Not => {
                        let is_true = self.state.stack.is_true();
                        self.state.stack.replace(1, Value::Bool(!is_true));
                    }
                    Op::Negate => match self.state.stack.peek(0) {
                        Value::Number(number) => self.state.stack.replace(1, Value::Number(-number)),
                        other => return wrong(format!("{} is no number", self.show(other))),
                    },
                    Op::Jump(to) => frame.at = to as usize,
                    Op::JumpIfFalse(to) => {
                        if !self.state.stack.is_true() {
                            frame.at = to as usize;
                        }
                        self.state.stack.len -= 1;
                    }
                    Op::AndJump(to) | Op::OrJump(to) => {
                        if self.state.stack.is_true() == matches!(op, Op::OrJump(_)) {
                            frame.at = to as usize;
                        } else {
                            self.state.stack.pop();
                        }
                    }
                    Op::Loop(to) => {
                        frame.at = to as usize;
                        self.heap.safepoint(&self.state);
                    }
                    Op::Call(count) => {
                        *self.frames.last_mut().expect("the one that runs") = frame;
                        self.call(count as usize)?;
                        continue 'frames;
                    }
                    Op::Closure(function) => {
                        let closure = self.closure(frame, function as usize)?;
                        self.state.stack.push(closure)?;
                    }
                    Op::CloseUpvalue => {
                        self.close_upvalues(self.state.stack.len - 1);
                        self.state.stack.pop();
                    }
                    Op::Return => {
                        let result = self.state.stack.pop();
                        self.close_upvalues(frame.base);
                        self.frames.pop();
                        while self.handlers.pop_if(|handler| handler.frames > self.frames.len()).is_some() {}
                        self.state.stack.len = frame.base;
                        if self.frames.is_empty() {
                            return Ok(result);
                        }
                        self.state.stack.push(result)?;
                        continue 'frames;
                    }
                    Op::Object => {
                        let object = self.make(|heap| Object::new(heap, None))?;
                        self.state.stack.push(Value::Object(object))?;
                    }
                    Op::Array(count) => {
                        let items = self.state.stack.top(count as usize).to_vec();
                        let array = self.make(|heap| {
                            let array = GcVec::try_from_slice(heap, &items)?;
                            Ok(heap.try_alloc(array)?)
                        })?;
                        self.state.stack.push(Value::Array(array))?;
                        self.state.stack.replace(count as usize + 1, Value::Array(array));
                    }
                    Op::Throw => return Err(Box::new(Fault::Thrown(self.state.stack.pop()))),
                    Op::Try(target) => {
                        let (frames, stack) = (self.frames.len(), self.state.stack.len);
                        self.handlers.push(Handler { frames, stack, target: target as usize });
                    }
                    Op::EndTry => drop(self.handlers.pop()),
                }
            }
        }
    }

    fn field(&self, value: Value, name: u32) -> Outcome {
        match value {
            Value::Object(object) => {
                let name = self.state.names[name as usize];
                Ok(Object::get(&self.heap, object, name).unwrap_or(Value::Nil))
            }
            other => {
                let name = self.program.fields.name(name);
                wrong(format!("{} has no field {name}", self.show(other)))
            }
        }
    }

    /// Sets a field to what is on top of the stack.
    fn set_field(&mut self, target: Value, name: u32) -> Outcome<()> {
        let (value, name) = (self.state.stack.peek(0), self.state.names[name as usize]);
        match target {
            Value::Object(object) => self.make(|heap| Object::set(heap, object, name, value)),
            other => wrong(format!("{} has no fields", self.show(other))),
        }
    }

    /// The property of an object whose name the guest has computed.
    fn property(&mut self, target: Value, at: Value) -> Outcome {
        match (target, at) {
            (Value::Object(object), Value::Text(name)) => {
                let name = self.interner.intern_gc(&mut self.heap, name);
                Ok(Object::get(&self.heap, object, name).unwrap_or(Value::Nil))
            }
            _ => wrong(format!("{} has nothing at {}", self.show(target), self.show(at))),
        }
    }

    fn set_index(&mut self, target: Value, at: Value, value: Value) -> Outcome<()> {
        match (target, at) {
            (Value::Array(array), Value::Number(at)) if at >= 0.0 => {
                if array.set(&mut self.heap, at as usize, value) {
                    return Ok(());
                }
                wrong(format!("the array has no item at {at}"))
            }
            (Value::Object(object), Value::Text(name)) => {
                // Known perhaps by an object alone that nobody has any more: a root, as it is not on the stack.
                let name = self.interner.intern_gc(&mut self.heap, name);
                Ok(self.heap.try_or_collect(&(&self.state, name), |heap| Object::set(heap, object, name, value))?)
            }
            _ => wrong(format!("{} has nothing at {}", self.show(target), self.show(at))),
        }
    }

    /// Adds the two strings on top of the stack. Other operations have no meaning for what is no number.
    #[inline(never)]
    fn join(&mut self, op: Op) -> Outcome {
        match *self.state.stack.top(2) {
            [Value::Text(a), Value::Text(b)] if op == Op::Add => {
                let both = [&self.heap[a], &self.heap[b]].concat();
                self.text(&both)
            }
            [left, right] => wrong(format!("{op:?} of {} and {}", self.show(left), self.show(right))),
            _ => unreachable!("two were asked for"),
        }
    }
}

#[inline]
fn arithmetic(op: Op, a: f64, b: f64) -> Value {
    match op {
        Op::Add => Value::Number(a + b),
        Op::Subtract => Value::Number(a - b),
        Op::Multiply => Value::Number(a * b),
        Op::Divide => Value::Number(a / b),
        Op::Remainder => Value::Number(a % b),
        Op::Less => Value::Bool(a < b),
        _ => Value::Bool(a <= b),
    }
}
