//! The loop that runs bytecode.

use super::code::{Op, Program};
use super::fault::{Fault, Outcome, wrong};
use super::machine::{Engine, Frame, Handler};
use super::value::{Object, Upvalue, Value};
use tumulus_heap::GcVec;

impl Engine {
    /// Runs to the end, with a detour for each fault that is caught.
    pub fn run(&mut self, program: &Program) -> Outcome {
        loop {
            match self.run_to_fault(program) {
                Ok(value) => return Ok(value),
                Err(fault) => {
                    let Some(handler) = self.handlers.pop() else { return Err(fault) };
                    let value = self.value_of(*fault);
                    self.unwind(handler.frames, handler.stack);
                    self.frames.last_mut().expect("the handler's own").at = handler.target;
                    self.state.stack.push(value)?;
                }
            }
        }
    }

    /// Runs until the first frame returns, or something goes wrong.
    #[allow(clippy::too_many_lines)]
    fn run_to_fault(&mut self, program: &Program) -> Outcome {
        'frames: loop {
            let Frame { function, closure, base, mut at } = *self.frames.last().expect("one that runs");
            let ops = program.functions[function].ops.as_slice();
            loop {
                // Looked at where it is: to copy it first makes the processor wait for what is written.
                let op = &ops[at];
                at += 1;
                match *op {
                    Op::Number(number) => self.state.stack.push(Value::Number(number))?,
                    Op::Constant(number) => self.state.stack.push(self.state.texts[number as usize])?,
                    Op::Nil => self.state.stack.push(Value::Nil)?,
                    Op::True => self.state.stack.push(Value::Bool(true))?,
                    Op::False => self.state.stack.push(Value::Bool(false))?,
                    Op::Pop => drop(self.state.stack.pop()),
                    Op::GetLocal(slot) => {
                        let value = self.state.stack.slots[base + slot as usize];
                        self.state.stack.push(value)?;
                    }
                    Op::SetLocal(slot) => {
                        self.state.stack.slots[base + slot as usize] = self.state.stack.peek(0);
                    }
                    Op::GetGlobal(number) => match self.state.globals[number as usize] {
                        Some(value) => self.state.stack.push(value)?,
                        None => {
                            let name = program.globals.name(number);
                            return wrong(format!("{name} is not defined"));
                        }
                    },
                    Op::SetGlobal(number) => self.state.globals[number as usize] = Some(self.state.stack.peek(0)),
                    Op::GetUpvalue(number) => {
                        let upvalue = self.heap[self.heap[closure].upvalues][number as usize];
                        let value = match self.heap[upvalue] {
                            Upvalue::Open(slot) => self.state.stack.slots[slot],
                            Upvalue::Closed(value) => value,
                        };
                        self.state.stack.push(value)?;
                    }
                    Op::SetUpvalue(number) => {
                        let value = self.state.stack.peek(0);
                        let upvalue = self.heap[self.heap[closure].upvalues][number as usize];
                        match self.heap[upvalue] {
                            Upvalue::Open(slot) => self.state.stack.slots[slot] = value,
                            Upvalue::Closed(_) => self.heap[upvalue] = Upvalue::Closed(value),
                        }
                    }
                    Op::GetField(name) => {
                        let value = self.field(program, self.state.stack.peek(0), name)?;
                        self.state.stack.replace(1, value);
                    }
                    Op::GetMethod(name) => {
                        let this = self.state.stack.peek(0);
                        let method = self.field(program, this, name)?;
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
                            &[Value::Array(array), Value::Number(index)] if index >= 0.0 => {
                                let items = array.as_slice(&self.heap);
                                match items.get(index as usize) {
                                    Some(item) => *item,
                                    None => {
                                        return wrong(format!("an array of {} items has none at {index}", items.len()));
                                    }
                                }
                            }
                            _ => self.property(self.state.stack.peek(1), self.state.stack.peek(0))?,
                        };
                        self.state.stack.replace(2, value);
                    }
                    Op::SetIndex => {
                        let &[target, index, value] = self.state.stack.top(3) else {
                            unreachable!("three were asked for")
                        };
                        self.set_index(target, index, value)?;
                        self.state.stack.replace(3, value);
                    }
                    Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder | Op::Less | Op::LessEqual => {
                        // Matched where they are: to copy a value whose halves were just written makes the processor wait.
                        let result = match self.state.stack.top(2) {
                            &[Value::Number(a), Value::Number(b)] => arithmetic(*op, a, b),
                            _ => self.join(*op)?,
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
                        other => return wrong(format!("{} is no number", other.show(&self.heap))),
                    },
                    Op::Jump(to) => at = to as usize,
                    Op::JumpIfFalse(to) => {
                        if !self.state.stack.is_true() {
                            at = to as usize;
                        }
                        self.state.stack.len -= 1;
                    }
                    Op::AndJump(to) | Op::OrJump(to) => {
                        if self.state.stack.is_true() == matches!(*op, Op::OrJump(_)) {
                            at = to as usize;
                        } else {
                            self.state.stack.pop();
                        }
                    }
                    Op::Loop(to) => {
                        at = to as usize;
                        self.heap.safepoint(&self.state);
                    }
                    Op::Call(count) => {
                        self.frames.last_mut().expect("the one that runs").at = at;
                        self.call(program, count as usize)?;
                        continue 'frames;
                    }
                    Op::Closure(function) => {
                        let closure = self.closure(program, function as usize)?;
                        self.state.stack.push(closure)?;
                    }
                    Op::CloseUpvalue => {
                        self.close_upvalues(self.state.stack.len - 1);
                        self.state.stack.pop();
                    }
                    Op::Return => {
                        let result = self.state.stack.pop();
                        self.close_upvalues(base);
                        self.frames.pop();
                        while self.handlers.pop_if(|handler| handler.frames > self.frames.len()).is_some() {}
                        self.state.stack.len = base;
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
