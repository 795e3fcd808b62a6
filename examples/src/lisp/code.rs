//! The compiler: data to trees that are quick to evaluate. Names have become places, and shorthands what they stand for.
//!
//! Code is not in the heap. It refers to constants by their number, so that it has no handles, and evaluators for heaps of
//! all kinds can share it.

use super::reader::{Datum, Symbol, Symbols, SyntaxError, read};
use std::collections::HashMap;

/// An expression.
#[derive(Debug)]
pub enum Code {
    /// A literal.
    Nil,
    /// A literal.
    Bool(bool),
    /// A literal.
    Number(f64),
    /// A literal of those that are made when the program is loaded, by its number in [`Program::quoted`].
    Quoted(usize),
    /// A built-in function that is not called, but passed around.
    Native(Native),
    /// A variable of the function itself.
    Local(usize),
    /// A variable of a function around it: how many functions outward, and its slot there.
    Outer(usize, usize),
    /// A global variable.
    Global(usize),
    /// `set!` and `define` of a global variable.
    SetGlobal(usize, Box<Code>),
    /// `set!` and `let` of others: as in `Outer`, with 0 for the function itself.
    SetVariable(usize, usize, Box<Code>),
    /// `(if test then else)`.
    If(Box<[Code; 3]>),
    /// `(begin a b c)`: not empty.
    Begin(Box<[Code]>),
    /// A function, by its number in [`Program::functions`].
    Lambda(usize),
    /// `(try body handler)`: the handler is called with what the body raised.
    Try(Box<[Code; 2]>),
    /// A call of a built-in function.
    CallNative {
        /// Which one.
        native: Native,
        /// As many as it wants, which is three at most.
        args: Box<[Code]>,
        /// How many of them have others behind them that may collect, or run guest code.
        exposed: usize,
        /// Whether nothing is collected before the result is there.
        quiet: bool,
        /// Whether no guest code runs before the result is there.
        direct: bool,
    },
    /// A call of what the first expression gives.
    Call(Box<Code>, Box<[Code]>),
}

impl Code {
    /// Whether to evaluate it takes no time to speak of, allocates nothing, and calls nobody.
    fn is_simple(&self) -> bool {
        use Code::{Bool, Global, Local, Native, Nil, Number, Outer, Quoted};
        matches!(self, Nil | Bool(_) | Number(_) | Quoted(_) | Native(_) | Local(_) | Outer(..) | Global(_))
    }

    /// Whether it is evaluated without running guest code.
    #[inline]
    pub fn is_direct(&self) -> bool {
        if let Code::CallNative { direct, .. } = self { *direct } else { self.is_simple() }
    }

    fn is_quiet(&self) -> bool {
        if let Code::CallNative { quiet, .. } = self { *quiet } else { self.is_simple() }
    }

    fn native(native: Native, args: Box<[Code]>) -> Code {
        let exposed = args.iter().rposition(|arg| !arg.is_quiet()).unwrap_or(0);
        let quiet = !native.allocates() && args.iter().all(Code::is_quiet);
        let direct = args.iter().all(Code::is_direct);
        Code::CallNative { native, args, exposed, quiet, direct }
    }
}

/// A function of the guest's.
#[derive(Debug)]
pub struct Function {
    /// For messages.
    pub name: Option<Symbol>,
    /// How many arguments it takes. Slot 0 of its frame is the frame around it, and they are the slots behind.
    pub parameters: usize,
    /// How many slots its frame has, those of `let` included.
    pub slots: usize,
    /// What it does.
    pub body: Code,
}

macro_rules! natives {
    ($($variant:ident $name:literal $arity:literal),* $(,)?) => {
        /// The built-in functions.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Native { $($variant),* }

        impl Native {
            /// All of them.
            const ALL: &[Native] = &[$(Native::$variant),*];

            /// Its name in programs.
            pub const fn name(self) -> &'static str {
                match self { $(Native::$variant => $name),* }
            }

            /// How many arguments it takes.
            pub const fn arity(self) -> usize {
                match self { $(Native::$variant => $arity),* }
            }
        }
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

impl Native {
    /// Whether it collects, or needs memory, and so may have to.
    fn allocates(self) -> bool {
        use Native::{
            Collect, Cons, ListToVector, MakeTable, MakeVector, MakeWeakTable, NumberToString, StringAppend, Substring,
            TableSet,
        };
        matches!(
            self,
            Cons | MakeVector
                | ListToVector
                | StringAppend
                | Substring
                | NumberToString
                | MakeTable
                | MakeWeakTable
                | TableSet
                | Collect
        )
    }
}

/// All that was ever compiled for an interpreter.
#[derive(Debug, Default)]
pub struct Program {
    /// Names.
    pub symbols: Symbols,
    /// The guest's functions.
    pub functions: Vec<Function>,
    /// The literals that an interpreter has to make. It looks at what is new each time before it runs something.
    pub quoted: Vec<Datum>,
    /// The names of the global variables.
    pub globals: Vec<Symbol>,
    global_numbers: HashMap<Symbol, usize>,
}

impl Program {
    /// Compiles a text to functions without parameters, one for each form on its top level. Gives their numbers.
    ///
    /// # Errors
    ///
    /// If it is no program; the program is as useful as before then.
    pub fn compile(&mut self, text: &str) -> Result<Vec<usize>, SyntaxError> {
        let data = read(text, &mut self.symbols)?;
        data.iter().map(|datum| Compiler { program: self, scopes: Vec::new() }.function(None, &[], &[datum])).collect()
    }

    fn global(&mut self, name: Symbol) -> usize {
        *self.global_numbers.entry(name).or_insert_with(|| {
            self.globals.push(name);
            self.globals.len() - 1
        })
    }
}

/// The variables of a function that is being compiled.
struct Scope {
    /// Those that can be seen, with their slots. The last of a name counts.
    visible: Vec<(Symbol, usize)>,
    slots: usize,
}

struct Compiler<'p> {
    program: &'p mut Program,
    scopes: Vec<Scope>,
}

fn error<T>(message: impl Into<String>) -> Result<T, SyntaxError> {
    Err(SyntaxError(message.into()))
}

impl Compiler<'_> {
    fn function(
        &mut self,
        name: Option<Symbol>,
        parameters: &[Symbol],
        body: &[impl std::borrow::Borrow<Datum>],
    ) -> Result<usize, SyntaxError> {
        let visible = parameters.iter().copied().zip(1..).collect();
        self.scopes.push(Scope { visible, slots: parameters.len() + 1 });
        let body = self.sequence(body);
        let scope = self.scopes.pop().expect("pushed above");
        self.program.functions.push(Function { name, parameters: parameters.len(), slots: scope.slots, body: body? });
        Ok(self.program.functions.len() - 1)
    }

    fn sequence(&mut self, body: &[impl std::borrow::Borrow<Datum>]) -> Result<Code, SyntaxError> {
        match body {
            [] => Ok(Code::Nil),
            [single] => self.code(single.borrow()),
            several => {
                Ok(Code::Begin(several.iter().map(|datum| self.code(datum.borrow())).collect::<Result<_, _>>()?))
            }
        }
    }

    fn code(&mut self, datum: &Datum) -> Result<Code, SyntaxError> {
        match datum {
            Datum::Bool(bool) => Ok(Code::Bool(*bool)),
            Datum::Number(number) => Ok(Code::Number(*number)),
            Datum::Text(_) => Ok(self.quoted(datum)),
            Datum::Symbol(name) => Ok(self.variable(*name)),
            Datum::List(items) => match items.as_slice() {
                [] => Ok(Code::Nil),
                [Datum::Symbol(name), rest @ ..] if self.place(*name).is_none() => self.form(*name, rest),
                [callee, args @ ..] => {
                    let callee = self.code(callee)?;
                    self.call(callee, args)
                }
            },
        }
    }

    fn quoted(&mut self, datum: &Datum) -> Code {
        match datum {
            Datum::List(items) if items.is_empty() => Code::Nil,
            Datum::Bool(bool) => Code::Bool(*bool),
            Datum::Number(number) => Code::Number(*number),
            datum => {
                self.program.quoted.push(datum.clone());
                Code::Quoted(self.program.quoted.len() - 1)
            }
        }
    }

    /// Where a variable is that is not global: how many functions outward, and its slot.
    fn place(&self, name: Symbol) -> Option<(usize, usize)> {
        self.scopes.iter().rev().enumerate().find_map(|(outward, scope)| {
            let (_, slot) = scope.visible.iter().rev().find(|(visible, _)| *visible == name)?;
            Some((outward, *slot))
        })
    }

    fn native(&self, name: Symbol) -> Option<Native> {
        let name = self.program.symbols.name(name);
        Native::ALL.iter().copied().find(|native| native.name() == name)
    }

    fn variable(&mut self, name: Symbol) -> Code {
        match (self.place(name), self.native(name)) {
            (Some((0, slot)), _) => Code::Local(slot),
            (Some((outward, slot)), _) => Code::Outer(outward, slot),
            (None, Some(native)) => Code::Native(native),
            (None, None) => Code::Global(self.program.global(name)),
        }
    }

    fn call(&mut self, callee: Code, args: &[Datum]) -> Result<Code, SyntaxError> {
        let args: Box<[Code]> = args.iter().map(|arg| self.code(arg)).collect::<Result<_, _>>()?;
        let Code::Native(native) = callee else { return Ok(Code::Call(Box::new(callee), args)) };
        if args.len() != native.arity() {
            return error(format!("{} takes {} arguments, not {}", native.name(), native.arity(), args.len()));
        }
        Ok(Code::native(native, args))
    }

    /// A list that begins with a name which is not that of a local variable.
    fn form(&mut self, name: Symbol, rest: &[Datum]) -> Result<Code, SyntaxError> {
        let word = self.program.symbols.name(name).to_string();
        match (word.as_str(), rest) {
            ("quote", [datum]) => Ok(self.quoted(datum)),
            ("if", [test, then]) => Ok(Code::If(Box::new([self.code(test)?, self.code(then)?, Code::Nil]))),
            ("if", [test, then, other]) => {
                Ok(Code::If(Box::new([self.code(test)?, self.code(then)?, self.code(other)?])))
            }
            ("begin", body) => self.sequence(body),
            ("try", [body, handler]) => Ok(Code::Try(Box::new([self.code(body)?, self.code(handler)?]))),
            ("define", [Datum::List(head), body @ ..]) if !head.is_empty() => {
                let names = names(head)?;
                let function = self.function(Some(names[0]), &names[1..], body)?;
                self.define(names[0], Code::Lambda(function))
            }
            ("define", [Datum::Symbol(name), value]) => {
                let value = self.code(value)?;
                self.define(*name, value)
            }
            ("set!", [Datum::Symbol(name), value]) => {
                let value = Box::new(self.code(value)?);
                match self.variable(*name) {
                    Code::Local(slot) => Ok(Code::SetVariable(0, slot, value)),
                    Code::Outer(outward, slot) => Ok(Code::SetVariable(outward, slot, value)),
                    Code::Global(number) => Ok(Code::SetGlobal(number, value)),
                    _ => error("a built-in function cannot be set"),
                }
            }
            ("lambda", [Datum::List(parameters), body @ ..]) => {
                Ok(Code::Lambda(self.function(None, &names(parameters)?, body)?))
            }
            ("let", [Datum::List(bindings), body @ ..]) => self.bind(bindings, body),
            ("list", items) => self.fold_right(Native::Cons, items),
            ("vector", items) => {
                let list = self.fold_right(Native::Cons, items)?;
                Ok(Code::native(Native::ListToVector, Box::new([list])))
            }
            ("and", []) => Ok(Code::Bool(true)),
            ("and" | "or", [single]) => self.code(single),
            ("and", [first, rest @ ..]) => {
                Ok(Code::If(Box::new([self.code(first)?, self.form(name, rest)?, Code::Bool(false)])))
            }
            // The shorthand for truth values: what is true becomes `#t`.
            ("or", [first, rest @ ..]) => {
                Ok(Code::If(Box::new([self.code(first)?, Code::Bool(true), self.form(name, rest)?])))
            }
            ("+" | "*" | "string-append", [rest @ .., last]) if rest.len() > 1 => {
                let both = [Datum::List([&[Datum::Symbol(name)], rest].concat()), last.clone()];
                self.form(name, &both)
            }
            ("quote" | "if" | "try" | "define" | "set!" | "lambda" | "let" | "or", _) => {
                error(format!("this is no proper use of `{word}`"))
            }
            _ => {
                let callee = self.variable(name);
                self.call(callee, rest)
            }
        }
    }

    fn fold_right(&mut self, native: Native, items: &[Datum]) -> Result<Code, SyntaxError> {
        items.iter().rev().try_fold(Code::Nil, |list, item| {
            let item = self.code(item)?;
            Ok(Code::native(native, Box::new([item, list])))
        })
    }

    fn define(&mut self, name: Symbol, value: Code) -> Result<Code, SyntaxError> {
        if self.scopes.len() > 1 {
            return error("`define` stands on the top level only; use `let` inside of functions");
        }
        if self.native(name).is_some() {
            return error(format!("`{}` is built in", self.program.symbols.name(name)));
        }
        Ok(Code::SetGlobal(self.program.global(name), Box::new(value)))
    }

    /// `(let ((name value) ...) body)`. The values see the names that come before them. The variables are slots of the
    /// function around, which is right as no expression is evaluated twice in one call.
    fn bind(&mut self, bindings: &[Datum], body: &[Datum]) -> Result<Code, SyntaxError> {
        let scope = self.scopes.len() - 1;
        let visible = self.scopes[scope].visible.len();
        let mut steps = Vec::new();
        for binding in bindings {
            let Datum::List(pair) = binding else { return error("a `let` binds pairs of a name and a value") };
            let [Datum::Symbol(name), value] = pair.as_slice() else {
                return error("a `let` binds pairs of a name and a value");
            };
            let value = self.code(value)?;
            let slot = self.scopes[scope].slots;
            self.scopes[scope].slots += 1;
            self.scopes[scope].visible.push((*name, slot));
            steps.push(Code::SetVariable(0, slot, Box::new(value)));
        }
        steps.push(self.sequence(body)?);
        self.scopes[scope].visible.truncate(visible);
        Ok(Code::Begin(steps.into()))
    }
}

fn names(data: &[Datum]) -> Result<Vec<Symbol>, SyntaxError> {
    let name = |datum: &Datum| match datum {
        Datum::Symbol(symbol) => Ok(*symbol),
        _ => error("parameters are names"),
    };
    data.iter().map(name).collect()
}
