//! Bytecode: what the compiler makes and the machine runs. It is not in the heap, and has no handles.

use std::collections::HashMap;

/// What the machine does.
#[derive(Copy, Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Op {
    Constant(u32),
    Number(f64),
    Nil,
    True,
    False,
    Pop,
    GetLocal(u32),
    SetLocal(u32),
    GetGlobal(u32),
    SetGlobal(u32),
    GetUpvalue(u32),
    SetUpvalue(u32),
    /// Replaces an object by its property.
    GetField(u32),
    /// Object and value become the value.
    SetField(u32),
    /// Takes the value of a field of a new object, which stays.
    InitField(u32),
    /// Replaces an object by its method, and the object as `this`.
    GetMethod(u32),
    GetIndex,
    SetIndex,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    Less,
    LessEqual,
    Not,
    Negate,
    Jump(u32),
    /// Takes the condition.
    JumpIfFalse(u32),
    /// Leaves the condition where it jumps, and takes it where it does not: `&&`.
    AndJump(u32),
    /// The same for `||`.
    OrJump(u32),
    /// A jump backward.
    Loop(u32),
    /// Function, `this` and so many arguments become the result.
    Call(u32),
    Closure(u32),
    /// Takes a local that a closure may have captured.
    CloseUpvalue,
    Return,
    /// An object, whose fields are set by what follows.
    Object,
    /// An array of so many values.
    Array(u32),
    Throw,
    /// From here to `EndTry`, errors go there.
    Try(u32),
    EndTry,
}

/// A function.
#[derive(Debug, Default)]
pub struct Function {
    /// For messages.
    pub name: String,
    /// How many arguments it takes.
    pub parameters: u32,
    /// What it does.
    pub ops: Vec<Op>,
    /// The variables that its closures capture.
    pub captures: Vec<Capture>,
}

/// Where a captured variable is, seen from the function around.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Capture {
    /// One of its locals.
    Local(u32),
    /// One that it has captured itself.
    Upvalue(u32),
}

/// All that was ever compiled for a machine.
#[derive(Debug, Default)]
pub struct Program {
    /// The functions.
    pub functions: Vec<Function>,
    /// The strings, which the machine has to make.
    pub texts: Vec<String>,
    /// The global variables.
    pub globals: Names,
    /// The names of properties.
    pub fields: Names,
}

/// Names with numbers.
#[derive(Debug, Default)]
pub struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    /// The number of a name.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        self.numbers.insert(name.into(), self.names.len() as u32);
        self.names.push(name.into());
        self.names.len() as u32 - 1
    }

    /// The name of a number.
    pub fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }
}
