//! The machine's stack.

use super::fault::{Outcome, wrong};
use super::value::Value;
use tumulus_heap::{Trace, Tracer};

/// The stack of values. It does not grow, so that its slots need no check but that of their index.
#[derive(Debug)]
pub struct Stack {
    /// All slots.
    pub slots: Box<[Value]>,
    /// How many of them count.
    pub len: usize,
}

/// What is above the top is garbage, and is not traced.
impl Trace for Stack {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.slots[..self.len].trace(tracer);
    }
}

impl Stack {
    /// Puts a value on top.
    ///
    /// # Errors
    ///
    /// If there is no slot left.
    #[inline]
    pub fn push(&mut self, value: Value) -> Outcome<()> {
        let Some(slot) = self.slots.get_mut(self.len) else { return wrong("calls are nested too deep") };
        *slot = value;
        self.len += 1;
        Ok(())
    }

    /// Takes the value on top.
    #[inline]
    pub fn pop(&mut self) -> Value {
        self.len -= 1;
        self.slots[self.len]
    }

    /// Whether what is on top counts as true, seen where it is.
    #[inline]
    pub fn is_true(&self) -> bool {
        !matches!(self.slots[self.len - 1], Value::Nil | Value::Bool(false))
    }

    /// The value so many places below the top.
    #[inline]
    pub fn peek(&self, below: usize) -> Value {
        self.slots[self.len - 1 - below]
    }

    /// Takes `count` values and pushes one.
    #[inline]
    pub fn replace(&mut self, count: usize, value: Value) {
        self.len -= count - 1;
        self.slots[self.len - 1] = value;
    }

    /// The `count` values on top.
    pub fn top(&self, count: usize) -> &[Value] {
        &self.slots[self.len - count..self.len]
    }
}
