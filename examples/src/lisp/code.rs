//! The compiler: data to trees that are quick to evaluate. Names have become places, and shorthands what they stand for.
//!
//! Code is not in the heap. It refers to its literals by number and so has no handles, and evaluators over heaps of all
//! kinds can share it.

use super::Error;
use super::reader::{Datum, Symbol, Symbols, intern, read};
use indexmap::IndexSet;
use std::slice;

/// An expression.
#[derive(Debug)]
pub enum Code {
    /// By its number in [`Program::literals`].
    Literal(usize),
    /// A variable of a function: how many functions outward, with 0 for the function itself, and its slot there.
    Variable(usize, usize),
    /// A global variable, by its number in [`Program::globals`].
    Global(usize),
    /// `set!` of one.
    SetVariable(usize, usize, Box<Code>),
    /// `set!` and `define` of a global variable.
    SetGlobal(usize, Box<Code>),
    /// `(if test then else)`.
    If(Box<[Code; 3]>),
    /// `(begin a b c)`: not empty.
    Begin(Box<[Code]>),
    /// A function, by its number in [`Program::functions`].
    Lambda(usize),
    /// `(try body handler)`: the handler is called with what the body raised.
    Try(Box<[Code; 2]>),
    /// `(call/cc receiver)`: the receiver is called with a function that returns from here.
    CallCc(Box<Code>),
    /// A built-in function, with as many arguments as it wants, and whether no guest code runs while they are evaluated.
    CallNative(Native, Box<[Code]>, bool),
    /// A call of what the first expression gives.
    Call(Box<Code>, Box<[Code]>),
}

impl Code {
    /// Whether to evaluate it is only to look somewhere.
    pub fn is_simple(&self) -> bool {
        matches!(self, Code::Literal(_) | Code::Variable(..) | Code::Global(_))
    }

    /// Whether it is evaluated without running guest code.
    pub fn is_direct(&self) -> bool {
        if let Code::CallNative(_, _, is_direct) = self { *is_direct } else { self.is_simple() }
    }
}

/// A function of the guest's.
#[derive(Debug)]
pub struct Function {
    /// For messages.
    pub name: Symbol,
    /// How many arguments it takes. Slot 0 of its frame is the frame around it, and they are the slots behind.
    pub parameters: usize,
    /// What it does.
    pub body: Code,
}

macro_rules! natives {
    ($($variant:ident $name:literal $arity:literal),* $(,)?) => {
        /// The built-in functions.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum Native { $($variant),* }

        /// All of them, with the names that they have in programs, and how many arguments they take.
        pub const NATIVES: &[(Native, &str, usize)] = &[$((Native::$variant, $name, $arity)),*];
    };
}

natives! {
    Add "+" 2, Subtract "-" 2, Multiply "*" 2, Quotient "quotient" 2, Remainder "remainder" 2, Equals "=" 2, Less "<" 2,
    Greater ">" 2, Not "not" 1, IsSame "eq?" 2, IsEqual "equal?" 2, Cons "cons" 2, Head "car" 1, Tail "cdr" 1,
    SetHead "set-car!" 2, SetTail "set-cdr!" 2, IsNull "null?" 1, IsPair "pair?" 1, MakeVector "make-vector" 2,
    ListToVector "list->vector" 1, VectorRef "vector-ref" 2, VectorSet "vector-set!" 3, VectorLength "vector-length" 1,
    StringAppend "string-append" 2, StringLength "string-length" 1, Substring "substring" 3,
    NumberToString "number->string" 1, MakeTable "make-table" 0, MakeWeakTable "make-weak-table" 0,
    TableRef "table-ref" 3, TableSet "table-set!" 3, TableCount "table-count" 1, Raise "raise" 1, Display "display" 1,
    Collect "collect" 0,
}

/// The names of the first symbols, those that the interpreter itself raises.
pub const RAISED: [&str; 2] = ["out-of-memory", "too-deep"];

/// How many values a shorthand takes.
const MAX_ITEMS: usize = 100;

/// All that was ever compiled for an interpreter.
#[derive(Debug)]
pub struct Program {
    /// Names.
    pub symbols: Symbols,
    /// The guest's functions.
    pub functions: Vec<Function>,
    /// What an interpreter has to make. It looks at what is new each time before it runs something. The first is `()`.
    pub literals: Vec<Datum>,
    /// The names of the global variables. The first are those of [`NATIVES`].
    pub globals: IndexSet<Symbol>,
    /// The parameters of the functions that are being compiled, one inside of the other.
    scopes: Vec<Vec<Symbol>>,
}

impl Default for Program {
    fn default() -> Program {
        let mut symbols = Symbols::from(RAISED.map(String::from));
        let globals = NATIVES.iter().map(|(_, name, _)| intern(&mut symbols, name)).collect();
        Program { symbols, functions: vec![], literals: vec![Datum::List(vec![])], globals, scopes: vec![] }
    }
}

fn error<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::Syntax(message.into()))
}

impl Program {
    /// Compiles a text to functions without parameters, one for each form on its top level. Gives their numbers.
    ///
    /// # Errors
    ///
    /// If it is no program; this one is as useful as before then.
    pub fn compile(&mut self, text: &str) -> Result<Vec<usize>, Error> {
        let data = read(text, &mut self.symbols)?;
        self.scopes.clear();
        let name = intern(&mut self.symbols, "the program");
        data.iter().map(|datum| self.function(name, &[], slice::from_ref(datum))).collect()
    }

    /// The text of a symbol.
    pub fn name(&self, symbol: Symbol) -> &str {
        &self.symbols[symbol.0 as usize]
    }

    fn function(&mut self, name: Symbol, parameters: &[Symbol], body: &[Datum]) -> Result<usize, Error> {
        self.scopes.push(parameters.to_vec());
        let body = self.sequence(body)?;
        self.scopes.pop();
        self.functions.push(Function { name, parameters: parameters.len(), body });
        Ok(self.functions.len() - 1)
    }

    fn all(&mut self, data: &[Datum]) -> Result<Box<[Code]>, Error> {
        data.iter().map(|datum| self.code(datum)).collect()
    }

    fn sequence(&mut self, body: &[Datum]) -> Result<Code, Error> {
        match body {
            [] => Ok(Code::Literal(0)),
            [single] => self.code(single),
            several => Ok(Code::Begin(self.all(several)?)),
        }
    }

    fn code(&mut self, datum: &Datum) -> Result<Code, Error> {
        match datum {
            Datum::Symbol(name) => Ok(self.variable(*name)),
            Datum::List(items) => match items.as_slice() {
                [] => Ok(Code::Literal(0)),
                [Datum::Symbol(name), rest @ ..] if let Code::Global(_) = self.variable(*name) => {
                    self.form(*name, rest)
                }
                [callee, args @ ..] => Ok(Code::Call(Box::new(self.code(callee)?), self.all(args)?)),
            },
            literal => Ok(self.literal(literal)),
        }
    }

    fn literal(&mut self, datum: &Datum) -> Code {
        self.literals.push(datum.clone());
        Code::Literal(self.literals.len() - 1)
    }

    /// The variable of a name: that of the innermost function that has one, or else a global one.
    fn variable(&mut self, name: Symbol) -> Code {
        let local = self.scopes.iter().rev().enumerate().find_map(|(outward, parameters)| {
            let at = parameters.iter().rposition(|&parameter| parameter == name)?;
            Some(Code::Variable(outward, at + 1))
        });
        local.unwrap_or_else(|| Code::Global(self.globals.insert_full(name).0))
    }

    /// A list that begins with a name which is not that of a local variable.
    fn form(&mut self, name: Symbol, rest: &[Datum]) -> Result<Code, Error> {
        let word = self.name(name).to_string();
        match (word.as_str(), rest) {
            ("quote", [datum]) => Ok(self.literal(datum)),
            ("if", [test, then, other @ ..]) if other.len() < 2 => {
                Ok(Code::If(Box::new([self.code(test)?, self.code(then)?, self.sequence(other)?])))
            }
            ("begin", body) => self.sequence(body),
            ("try", [body, handler]) => Ok(Code::Try(Box::new([self.code(body)?, self.code(handler)?]))),
            ("call/cc", [receiver]) => Ok(Code::CallCc(Box::new(self.code(receiver)?))),
            ("define", _) if self.scopes.len() > 1 => {
                error("`define` stands on the top level only; use `let` inside of functions")
            }
            ("define", [Datum::List(head), body @ ..]) if !head.is_empty() => {
                let names = names(head)?;
                let function = self.function(names[0], &names[1..], body)?;
                self.set(names[0], Code::Lambda(function))
            }
            ("define" | "set!", [Datum::Symbol(name), value]) => {
                let value = self.code(value)?;
                self.set(*name, value)
            }
            ("lambda", [Datum::List(parameters), body @ ..]) => {
                Ok(Code::Lambda(self.function(name, &names(parameters)?, body)?))
            }
            // `(let ((name value) ...) body)` is `((lambda (name ...) body) value ...)`.
            ("let", [Datum::List(bindings), body @ ..]) => {
                let pair =
                    |binding: &Datum| if let Datum::List(pair) = binding { pair.clone().try_into().ok() } else { None };
                let Some(pairs) = bindings.iter().map(pair).collect::<Option<Vec<[Datum; 2]>>>() else {
                    return error("a `let` binds pairs of a name and a value");
                };
                let (parameters, values): (Vec<_>, Vec<_>) = pairs.into_iter().map(<(Datum, Datum)>::from).unzip();
                let function = self.function(name, &names(&parameters)?, body)?;
                Ok(Code::Call(Box::new(Code::Lambda(function)), self.all(&values)?))
            }
            // These become calls inside of each other, and the evaluator recurses.
            ("list" | "vector" | "and" | "or" | "+" | "*" | "string-append", items) if items.len() > MAX_ITEMS => {
                error(format!("`{word}` takes {MAX_ITEMS} values at most"))
            }
            ("list", items) => self.list(items),
            ("vector", items) => call_native(Native::ListToVector, Box::new([self.list(items)?])),
            ("and", []) => Ok(self.literal(&Datum::Bool(true))),
            ("and" | "or", [single]) => self.code(single),
            // `or` is a shorthand for truth values: what is true becomes `#t`.
            ("and" | "or", [first, rest @ ..]) => {
                let (first, rest) = (self.code(first)?, self.form(name, rest)?);
                let decided = self.literal(&Datum::Bool(word == "or"));
                Ok(Code::If(Box::new(if word == "or" { [first, decided, rest] } else { [first, rest, decided] })))
            }
            ("+" | "*" | "string-append", [rest @ .., last]) if rest.len() > 1 => {
                let both = [Datum::List([&[Datum::Symbol(name)], rest].concat()), last.clone()];
                self.form(name, &both)
            }
            ("quote" | "if" | "try" | "call/cc" | "define" | "set!" | "lambda" | "let" | "or", _) => {
                error(format!("this is no proper use of `{word}`"))
            }
            _ => {
                let args = self.all(rest)?;
                match self.variable(name) {
                    Code::Global(number) if number < NATIVES.len() => call_native(NATIVES[number].0, args),
                    callee => Ok(Code::Call(Box::new(callee), args)),
                }
            }
        }
    }

    fn list(&mut self, items: &[Datum]) -> Result<Code, Error> {
        let cons = |list, item| call_native(Native::Cons, Box::new([self.code(item)?, list]));
        items.iter().rev().try_fold(Code::Literal(0), cons)
    }

    fn set(&mut self, name: Symbol, value: Code) -> Result<Code, Error> {
        let value = Box::new(value);
        match self.variable(name) {
            Code::Variable(outward, slot) => Ok(Code::SetVariable(outward, slot, value)),
            Code::Global(number) if number >= NATIVES.len() => Ok(Code::SetGlobal(number, value)),
            _ => error(format!("`{}` is built in", self.name(name))),
        }
    }
}

fn call_native(native: Native, args: Box<[Code]>) -> Result<Code, Error> {
    let (_, name, arity) = NATIVES[native as usize];
    if args.len() != arity {
        return error(format!("{name} takes {arity} arguments, not {}", args.len()));
    }
    let is_direct = args.iter().all(Code::is_direct);
    Ok(Code::CallNative(native, args, is_direct))
}

fn names(data: &[Datum]) -> Result<Vec<Symbol>, Error> {
    let name = |datum: &Datum| if let Datum::Symbol(name) = datum { Ok(*name) } else { error("parameters are names") };
    data.iter().map(name).collect()
}
