//! What the guest's variables hold, and what can go wrong.

use super::code::Native;
use super::reader::{Symbol, Symbols};
use super::table::Table;
use std::fmt::Write;
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
    /// The variables of a function: never seen by the guest. Slot 0 of a frame has the frame around it.
    Frame(Frame),
}

/// The variables of a call.
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

const _: () = assert!(size_of::<Value>() == 16);

/// Why an evaluation ended early.
#[derive(Debug, Trace)]
pub enum Fault {
    /// The guest raised it.
    Raised(Value),
    /// The heap's limit is reached, and a collection did not help.
    OutOfMemory,
    /// Functions called functions that called functions.
    TooDeep,
    /// A built-in function was used wrongly.
    Wrong(String),
}

/// A result of the guest's. The fault is boxed, so that this is no larger than a value.
pub type Outcome<T = Value> = Result<T, Box<Fault>>;

const _: () = assert!(size_of::<Outcome>() == 16);

impl From<AllocError> for Box<Fault> {
    fn from(_: AllocError) -> Box<Fault> {
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
            Value::Nil | Value::Bool(_) | Value::Number(_) | Value::Symbol(_) | Value::Native(_) => None,
            Value::Text(gc) => Some(gc.erase()),
            Value::Pair(gc) => Some(gc.erase()),
            Value::Vector(gc) | Value::Frame(gc) => Some(gc.erase()),
            Value::Closure(gc) => Some(gc.erase()),
            Value::Table(gc) => Some(gc.erase()),
            Value::WeakTable(gc) => Some(gc.erase()),
        }
    }

    /// Whether two values look the same: lists and strings by their contents, everything else by identity.
    pub fn is_equal(self, other: Value, heap: &Heap) -> bool {
        let mut open = vec![(self, other)]; // no recursion, which a long list would make deep
        while let Some(both) = open.pop() {
            match both {
                (Value::Text(a), Value::Text(b)) if heap[a] == heap[b] => {}
                (Value::Pair(a), Value::Pair(b)) => {
                    open.push((heap[a].tail, heap[b].tail));
                    open.push((heap[a].head, heap[b].head));
                }
                (a, b) if a == b => {}
                _ => return false,
            }
        }
        true
    }

    /// The value as the guest would write it, cut off where it gets long: a list may lead back into itself.
    pub fn show(self, heap: &Heap, symbols: &Symbols) -> String {
        let mut text = String::new();
        self.write(heap, symbols, &mut text, 0);
        text
    }

    fn write(self, heap: &Heap, symbols: &Symbols, text: &mut String, depth: u32) {
        const LONG: usize = 2_000;
        match self {
            _ if text.len() > LONG || depth > 50 => text.push_str("..."),
            Value::Nil => text.push_str("()"),
            Value::Bool(bool) => text.push_str(if bool { "#t" } else { "#f" }),
            Value::Number(number) => write!(text, "{number}").expect("a string takes all"),
            Value::Symbol(symbol) => text.push_str(symbols.name(symbol)),
            Value::Native(native) => write!(text, "<{}>", native.name()).expect("a string takes all"),
            Value::Text(gc) => text.push_str(&heap[gc]),
            Value::Closure(_) => text.push_str("<function>"),
            Value::Table(_) | Value::WeakTable(_) => text.push_str("<table>"),
            Value::Frame(_) => text.push_str("<frame>"),
            Value::Vector(items) => {
                text.push_str("#(");
                for (at, item) in heap[items].iter().enumerate().take(LONG) {
                    text.push_str(if at > 0 { " " } else { "" });
                    item.write(heap, symbols, text, depth + 1);
                }
                text.push(')');
            }
            Value::Pair(pair) => {
                text.push('(');
                heap[pair].head.write(heap, symbols, text, depth + 1);
                let mut rest = heap[pair].tail;
                while let Value::Pair(pair) = rest
                    && text.len() <= LONG
                {
                    text.push(' ');
                    heap[pair].head.write(heap, symbols, text, depth + 1);
                    rest = heap[pair].tail;
                }
                if rest != Value::Nil {
                    text.push_str(" . ");
                    rest.write(heap, symbols, text, depth + 1);
                }
                text.push(')');
            }
        }
    }
}
