//! What the guest's variables hold, and what can go wrong.

use super::code::{NATIVES, Native, Program};
use super::reader::Symbol;
use super::table::Table;
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
    /// A function that returns from a `call/cc`, and whether that has not returned yet.
    Escape(Gc<bool>),
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
#[derive(Copy, Clone, Debug, PartialEq, Trace)]
pub enum Fault {
    /// The guest raised it, or the interpreter did: a text where something was used wrongly, or [`OUT_OF_MEMORY`].
    Raised(Value),
    /// The guest called the function of a `call/cc`, with this value.
    Escaped(Gc<bool>, Value),
}

/// What is raised when the heap's limit is reached: a symbol, as there is no memory for a text.
pub const OUT_OF_MEMORY: Value = Value::Symbol(Symbol(0));

/// What is raised when calls are nested too deep.
pub const TOO_DEEP: Value = Value::Symbol(Symbol(1));

/// A result of the guest's. The fault is boxed, so that this is no larger than a value.
pub type Outcome<T = Value> = Result<T, Box<Fault>>;

impl<V> From<AllocError<V>> for Box<Fault> {
    fn from(_: AllocError<V>) -> Box<Fault> {
        Box::new(Fault::Raised(OUT_OF_MEMORY))
    }
}

/// The outcome of a guest that raises a value.
#[cold]
pub fn raise<T>(value: Value) -> Outcome<T> {
    Err(Box::new(Fault::Raised(value)))
}

/// The outcome of a guest that uses something wrongly.
#[cold]
pub fn wrong<T>(heap: &mut Heap, message: &str) -> Outcome<T> {
    raise(heap.try_alloc_str(message).map_or(OUT_OF_MEMORY, Value::Text))
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
        use Piece::{Item, Items, Rest};
        let (mut text, mut pieces) = (String::new(), vec![Item(self)]);
        while let Some(piece) = pieces.pop() {
            match piece {
                _ if text.len() > 2_000 => return text + "...",
                Item(Value::Pair(pair)) | Rest(Value::Pair(pair)) => {
                    text += if let Item(_) = piece { "(" } else { " " };
                    pieces.extend([Rest(heap[pair].tail), Item(heap[pair].head)]);
                }
                Item(Value::Vector(items)) => {
                    text += "#(";
                    pieces.push(Items(items, 0));
                }
                Item(Value::Bool(bool)) => text += if bool { "#t" } else { "#f" },
                Item(Value::Number(number)) => text += &number.to_string(),
                Item(Value::Symbol(symbol)) => text += program.name(symbol),
                Item(Value::Text(gc)) => text += &heap[gc],
                Item(Value::Native(native)) => text += &["<", NATIVES[native as usize].1, ">"].concat(),
                Item(Value::Closure(_) | Value::Escape(_)) => text += "<function>",
                Item(Value::Table(_) | Value::WeakTable(_)) => text += "<table>",
                Item(Value::Nil | Value::Frame(_)) => text += "()",
                Items(items, at) if at < heap[items].len() => {
                    text += if at > 0 { " " } else { "" };
                    pieces.extend([Items(items, at + 1), Item(heap[items][at])]);
                }
                Rest(Value::Nil) | Items(..) => text += ")",
                Rest(other) => {
                    text += " . ";
                    pieces.extend([Rest(Value::Nil), Item(other)]);
                }
            }
        }
        text
    }
}

/// What of a value is still to be shown.
enum Piece {
    /// A value.
    Item(Value),
    /// What follows behind an item of a list.
    Rest(Value),
    /// The items of a vector from this one on.
    Items(Gc<[Value]>, usize),
}
