//! Properties of objects and items of arrays, and the operators that are not arithmetic.

use super::code::{Op, Program};
use super::fault::{Outcome, wrong};
use super::machine::Engine;
use super::value::{Name, Object, Value};

impl Engine {
    /// A field of an object, or of its prototypes.
    #[inline]
    pub fn field(&self, program: &Program, value: Value, name: u32) -> Outcome {
        match value {
            Value::Object(object) => {
                let name = self.state.names[name as usize];
                Ok(Object::get(&self.heap, object, name).unwrap_or(Value::Nil))
            }
            other => {
                let name = program.fields.name(name);
                wrong(format!("{} has no field {name}", other.show(&self.heap)))
            }
        }
    }

    /// Sets a field to what is on top of the stack.
    #[inline]
    pub fn set_field(&mut self, target: Value, name: u32) -> Outcome<()> {
        let (value, name) = (self.state.stack.peek(0), self.state.names[name as usize]);
        match target {
            Value::Object(object) => self.make(|heap| Object::set(heap, object, name, value)),
            other => wrong(format!("{} has no fields", other.show(&self.heap))),
        }
    }

    /// The property of an object whose name the guest has computed.
    pub fn property(&mut self, target: Value, at: Value) -> Outcome {
        match (target, at) {
            (Value::Object(object), Value::Text(name)) => {
                let name = Name::new(self.interner.intern_gc(&mut self.heap, name));
                Ok(Object::get(&self.heap, object, name).unwrap_or(Value::Nil))
            }
            _ => wrong(format!("{} has nothing at {}", target.show(&self.heap), at.show(&self.heap))),
        }
    }

    /// Sets an item of an array, or the property of an object whose name the guest has computed.
    pub fn set_index(&mut self, target: Value, at: Value, value: Value) -> Outcome<()> {
        match (target, at) {
            (Value::Array(array), Value::Number(at)) if at >= 0.0 => {
                if array.set(&mut self.heap, at as usize, value) {
                    return Ok(());
                }
                wrong(format!("the array has no item at {at}"))
            }
            (Value::Object(object), Value::Text(name)) => {
                // Known perhaps by an object alone that nobody has any more: a root, as it is not on the stack.
                let name = Name::new(self.interner.intern_gc(&mut self.heap, name));
                Ok(self.heap.try_or_collect(&(&self.state, name), |heap| Object::set(heap, object, name, value))?)
            }
            _ => wrong(format!("{} has nothing at {}", target.show(&self.heap), at.show(&self.heap))),
        }
    }

    /// Adds the two strings on top of the stack. Other operations have no meaning for what is no number.
    #[inline(never)]
    pub fn join(&mut self, op: Op) -> Outcome {
        match *self.state.stack.top(2) {
            [Value::Text(a), Value::Text(b)] if op == Op::Add => {
                let both = [&self.heap[a], &self.heap[b]].concat();
                self.text(&both)
            }
            [left, right] => wrong(format!("{op:?} of {} and {}", left.show(&self.heap), right.show(&self.heap))),
            _ => unreachable!("two were asked for"),
        }
    }
}
