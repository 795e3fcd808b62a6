//! The guest's values, and its objects with their prototypes.

use super::natives::Native;
use std::fmt::Write;
use tumulus_heap::{AllocError, Gc, GcVec, Heap, Trace};

/// A value of the guest's. Its tag takes a word: a smaller one makes the compiler copy values in pieces, and the processor
/// waits when it reads the whole.
#[derive(Copy, Clone, Debug, Default, PartialEq, Trace)]
#[repr(u64)]
pub enum Value {
    /// `nil`.
    #[default]
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A function of the host's.
    Native(#[trace(skip)] Native),
    /// A string.
    Text(Gc<str>),
    /// A function of the guest's.
    Closure(Gc<Closure>),
    /// An array.
    Array(Gc<GcVec<Value>>),
    /// An object.
    Object(Gc<Object>),
}

const _: () = assert!(size_of::<Value>() == 16);

/// A function with the variables that it has captured.
#[derive(Copy, Clone, Debug, Trace)]
pub struct Closure {
    /// Its number in the program.
    pub function: usize,
    /// What it has captured.
    pub upvalues: Gc<[Gc<Upvalue>]>,
}

/// A captured variable: a slot of the stack while its function runs, and a place of its own afterwards.
#[derive(Copy, Clone, Debug, Trace)]
pub enum Upvalue {
    /// This slot. The stack keeps what is in it alive.
    Open(usize),
    /// This value.
    Closed(Value),
}

/// An object: a hash table of its properties, and a prototype that has the others. Their names are interned: two that have the
/// same text are one object, so that comparing their handles is enough.
#[derive(Copy, Clone, Debug, Trace)]
pub struct Object {
    prototype: Option<Gc<Object>>,
    /// As many as a power of two; a property lies where its name's hash says, or in the next place that was free.
    fields: Gc<[Option<Field>]>,
    used: usize,
}

#[derive(Copy, Clone, Debug, Trace)]
struct Field {
    name: Gc<str>,
    value: Value,
}

/// The name of a property: an interned string, with its hash.
#[derive(Copy, Clone, Debug, Trace)]
pub struct Name {
    text: Gc<str>,
    hash: usize,
}

impl Name {
    /// A name, if the string is interned.
    pub fn new(text: Gc<str>) -> Name {
        Name { text, hash: text.identity_hash() as usize }
    }
}

impl Object {
    /// An object without properties of its own.
    ///
    /// # Errors
    ///
    /// If there is no room.
    pub fn new(heap: &mut Heap, prototype: Option<Gc<Object>>) -> Result<Gc<Object>, AllocError> {
        let fields = heap.try_alloc_slice(&[None; 4])?;
        Ok(heap.try_alloc(Object { prototype, fields, used: 0 })?)
    }

    /// A property, its own or that of a prototype.
    #[inline]
    pub fn get(heap: &Heap, object: Gc<Object>, name: Name) -> Option<Value> {
        let mut next = Some(object);
        while let Some(object) = next {
            let Object { prototype, fields, .. } = heap[object];
            let fields = &heap[fields];
            if let Some(field) = fields[place(fields, name)] {
                return Some(field.value);
            }
            next = prototype;
        }
        None
    }

    /// Gives it a property of its own.
    ///
    /// # Errors
    ///
    /// If there is no room. The object is as it was.
    pub fn set(heap: &mut Heap, object: Gc<Object>, name: Name, value: Value) -> Result<(), AllocError> {
        let Object { fields, used, .. } = heap[object];
        let table = &heap[fields];
        let at = place(table, name);
        if table[at].is_none() {
            if used + 1 == table.len() {
                Object::grow(heap, object)?;
                return Object::set(heap, object, name, value);
            }
            heap[object].used = used + 1;
        }
        heap.set(fields, at, Some(Field { name: name.text, value }));
        Ok(())
    }

    /// Doubles the table.
    #[inline(never)]
    fn grow(heap: &mut Heap, object: Gc<Object>) -> Result<(), AllocError> {
        let fields = heap[object].fields;
        let len = 2 * heap[fields].len();
        let larger = heap.try_alloc_slice_with(len, |_| None).map_err(AllocError::without_value)?;
        let [old, new] = heap.get_disjoint_mut([fields, larger]);
        for field in old.iter().flatten() {
            new[place(new, Name::new(field.name))] = Some(*field);
        }
        heap[object].fields = larger;
        Ok(())
    }

    /// How many properties it has of its own.
    pub fn count(self) -> usize {
        self.used
    }
}

fn place(fields: &[Option<Field>], name: Name) -> usize {
    let mask = fields.len() - 1;
    let mut at = name.hash & mask;
    while fields[at].is_some_and(|field| field.name != name.text) {
        at = (at + 1) & mask;
    }
    at
}

impl Value {
    /// Equality: of strings by their contents, of objects by identity.
    pub fn equals(self, other: Value, heap: &Heap) -> bool {
        match (self, other) {
            (Value::Text(a), Value::Text(b)) => heap[a] == heap[b],
            (a, b) => a == b,
        }
    }

    /// The value as text. Of an object that is the number of its properties: it may lead back to itself.
    pub fn show(self, heap: &Heap) -> String {
        let mut text = String::new();
        self.write(heap, &mut text, 0).expect("a string takes all");
        text
    }

    fn write(self, heap: &Heap, text: &mut String, depth: u32) -> std::fmt::Result {
        match self {
            _ if depth > 20 => text.write_str("..."),
            Value::Nil => text.write_str("nil"),
            Value::Bool(bool) => write!(text, "{bool}"),
            Value::Number(number) => write!(text, "{number}"),
            Value::Native(native) => write!(text, "<{native:?}>"),
            Value::Text(gc) => text.write_str(&heap[gc]),
            Value::Closure(_) => text.write_str("<function>"),
            Value::Object(object) => write!(text, "<object of {}>", heap[object].used),
            Value::Array(array) => {
                text.push('[');
                for (at, item) in array.as_slice(heap).iter().enumerate().take(100) {
                    text.push_str(if at > 0 { ", " } else { "" });
                    item.write(heap, text, depth + 1)?;
                }
                text.write_char(']')
            }
        }
    }
}
