//! What the guest's variables hold, and what can go wrong.

use super::code::{NATIVES, Native, Program};
use super::reader::Symbol;
use super::table::Table;
use std::fmt::{Result as Written, Write};
use tumulus_heap::{AllocError, AnyGc, EphemeronMap, Gc, Heap, Trace};

/// A value of the guest's: 16 bytes, and copied freely. Its tag takes a word: a smaller one makes the compiler copy values in
/// pieces, and the processor waits when it reads the whole.
#[derive(Copy, Clone, Debug, PartialEq, Trace)]
#[repr(u64)]
pub enum Value {
    /// The empty list, and what has no other value.
    Nil,
    /// A truth value. All values but `#f` count as true.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A name.
    Symbol(#[trace(skip)] Symbol),
    /// A built-in function.
    Native(#[trace(skip)] Native),
    /// A function that returns from the `call/cc` of this number.
    Escape(u64),
    /// A string.
    Text(Gc<str>),
    /// A pair.
    Pair(Gc<Pair>),
    /// A vector.
    Vector(Gc<[Value]>),
    /// A function, with the variables around it.
    Closure(Gc<Closure>),
    /// A hash table.
    Table(Gc<Table>),
    /// A table that keeps neither its keys nor their values.
    WeakTable(Gc<EphemeronMap<AnyGc, Value>>),
    /// The variables of a function: never seen by the guest.
    Frame(Frame),
}

const _: () = assert!(size_of::<Value>() == 16 && size_of::<Outcome>() == 16);

/// The variables of a call. The first slot has the frame around it.
pub type Frame = Gc<[Value]>;

/// A pair.
#[derive(Copy, Clone, Debug, Trace)]
pub struct Pair {
    /// `car`.
    pub head: Value,
    /// `cdr`.
    pub tail: Value,
}

/// A function with the variables around it.
#[derive(Copy, Clone, Debug, Trace)]
pub struct Closure {
    /// Its number in the program.
    pub function: usize,
    /// The frame in which it was made.
    pub frame: Frame,
}

/// Why an evaluation ended early.
#[derive(Debug, Trace)]
pub enum Fault {
    /// The guest raised it.
    Raised(Value),
    /// The guest returned it from the `call/cc` of this number.
    Escaped(u64, Value),
    /// The heap's limit is reached, and a collection did not help.
    OutOfMemory,
    /// Something was used wrongly.
    Wrong(String),
}

/// A result of the guest's. The fault is boxed, so that this is no larger than a value.
pub type Outcome<T = Value> = Result<T, Box<Fault>>;

impl<V> From<AllocError<V>> for Box<Fault> {
    fn from(_: AllocError<V>) -> Box<Fault> {
        Box::new(Fault::OutOfMemory)
    }
}

/// The fault of a guest that used something wrongly.
#[cold]
pub fn wrong<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Box::new(Fault::Wrong(message.into())))
}

impl Value {
    /// Whether it counts as true.
    pub fn is_true(self) -> bool {
        self != Value::Bool(false)
    }

    /// The object that a value leads to, for what goes by identity.
    pub fn object(self) -> Option<AnyGc> {
        match self {
            Value::Text(gc) => Some(gc.erase()),
            Value::Pair(gc) => Some(gc.erase()),
            Value::Vector(gc) | Value::Frame(gc) => Some(gc.erase()),
            Value::Closure(gc) => Some(gc.erase()),
            Value::Table(gc) => Some(gc.erase()),
            Value::WeakTable(gc) => Some(gc.erase()),
            _ => None,
        }
    }

    /// Whether two values look the same: lists and strings by their contents, everything else by identity.
    pub fn is_equal(self, other: Value, heap: &Heap) -> bool {
        let mut open = vec![(self, other)]; // no recursion, which a long list would make deep
        while let Some(both) = open.pop() {
            match both {
                (Value::Text(a), Value::Text(b)) if heap[a] == heap[b] => {}
                (Value::Pair(a), Value::Pair(b)) => {
                    open.extend([(heap[a].tail, heap[b].tail), (heap[a].head, heap[b].head)]);
                }
                (a, b) if a == b => {}
                _ => return false,
            }
        }
        true
    }

    /// The value as the guest would write it, cut off where it gets long: a list may lead back into itself.
    pub fn show(self, heap: &Heap, program: &Program) -> String {
        let mut text = String::new();
        self.write(heap, program, &mut text, 0).expect("a string takes all");
        text
    }

    fn write(self, heap: &Heap, program: &Program, text: &mut String, depth: u32) -> Written {
        const LONG: usize = 2_000;
        match self {
            _ if text.len() > LONG || depth > 50 => text.write_str("..."),
            Value::Nil => text.write_str("()"),
            Value::Bool(bool) => text.write_str(if bool { "#t" } else { "#f" }),
            Value::Number(number) => write!(text, "{number}"),
            Value::Symbol(symbol) => text.write_str(program.name(symbol)),
            Value::Text(gc) => text.write_str(&heap[gc]),
            Value::Native(native) => write!(text, "<{}>", NATIVES[native as usize].1),
            Value::Closure(_) | Value::Escape(_) => text.write_str("<function>"),
            Value::Table(_) | Value::WeakTable(_) => text.write_str("<table>"),
            Value::Frame(_) => text.write_str("<frame>"),
            Value::Vector(_) | Value::Pair(_) => {
                let (mut items, mut rest) = (Vec::new(), self);
                text.write_str(if let Value::Vector(_) = self { "#(" } else { "(" })?;
                while let Value::Pair(pair) = rest
                    && items.len() < LONG
                {
                    items.push(heap[pair].head);
                    rest = heap[pair].tail;
                }
                if let Value::Vector(vector) = rest
                    && items.is_empty()
                {
                    (items, rest) = (heap[vector].iter().copied().take(LONG).collect(), Value::Nil);
                }
                for (at, item) in items.into_iter().enumerate() {
                    text.write_str(if at > 0 { " " } else { "" })?;
                    item.write(heap, program, text, depth + 1)?;
                }
                if rest != Value::Nil {
                    text.write_str(" . ")?;
                    rest.write(heap, program, text, depth + 1)?;
                }
                text.write_str(")")
            }
        }
    }
}
