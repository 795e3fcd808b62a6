//! A Lisp: closures, tail calls, strings, vectors, hash tables, weak tables, and errors that can be caught.
//!
//! | file | what is there | knows the heap |
//! |---|---|---|
//! | `reader` | text to data | no |
//! | `code` | data to code | no |
//! | `value` | the guest's values, and their printing | yes |
//! | `table` | hash tables in the heap | yes |
//! | `natives` | the built-in functions | yes |
//! | `eval` | the evaluator: what roots what is explained there | yes |

pub mod code;
pub mod eval;
mod natives;
pub mod reader;
pub mod table;
mod value;

pub use value::{Closure, Fault, Frame, Outcome, Pair, Value};

use code::Program;
use eval::{Guest, State, new_frame, run};
use reader::{Datum, SyntaxError};
use std::fmt;
use tumulus_heap::{AllocError, Heap, HeapBuilder};

/// An interpreter with its heap.
///
/// Guest functions that call each other recurse in the host, up to a depth of 4,000 or [what you set](Lisp::set_max_depth).
/// The stack of the thread that runs it has to have room for that: some kilobytes for each call, and tens of them in a build
/// without optimisation. `bin/lisp.rs` makes a thread with 256 MiB, of which only what is used becomes memory.
///
/// ```
/// use tumulus_examples::lisp::Lisp;
/// use tumulus_heap::Heap;
///
/// let mut lisp = Lisp::new(Heap::builder().limit(16 << 20));
/// let six = lisp.run("(define (square x) (* x x)) (+ (square 1) (square 2) 1)")?;
/// assert_eq!(lisp.show(six), "6");
/// # Ok::<(), tumulus_examples::lisp::Error>(())
/// ```
#[derive(Debug)]
pub struct Lisp {
    heap: Heap,
    program: Program,
    state: State,
}

/// Why a program did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is none.
    Syntax(SyntaxError),
    /// Nobody caught what it raised, or did wrong. This is the text of it.
    Uncaught(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Syntax(error) => error.fmt(f),
            Error::Uncaught(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

impl From<SyntaxError> for Error {
    fn from(error: SyntaxError) -> Error {
        Error::Syntax(error)
    }
}

impl Lisp {
    /// An interpreter with a heap of these options.
    ///
    /// # Panics
    ///
    /// As [`HeapBuilder::build`].
    pub fn new(options: HeapBuilder) -> Lisp {
        let mut program = Program::default();
        let (out_of_memory, too_deep) = (program.symbols.intern("out-of-memory"), program.symbols.intern("too-deep"));
        let state = State {
            globals: Vec::new(),
            quoted: Vec::new(),
            output: String::new(),
            depth: 0,
            max_depth: 4_000,
            out_of_memory,
            too_deep,
        };
        Lisp { heap: options.build(), program, state }
    }

    /// Runs a program, and gives the value of its last form. It is good until the next run.
    ///
    /// # Errors
    ///
    /// If the text is no program, or the guest raises something that it does not catch. What was defined before stays.
    pub fn run(&mut self, text: &str) -> Result<Value, Error> {
        let forms = self.program.compile(text)?;
        let mut last = Value::Nil;
        for form in forms {
            last = self.run_form(form).map_err(|fault| self.explain(&fault))?;
        }
        Ok(last)
    }

    fn run_form(&mut self, form: usize) -> Outcome {
        let Lisp { heap, program, state } = self;
        state.globals.resize(program.globals.len(), None);
        while let Some(datum) = program.quoted.get(state.quoted.len()) {
            let value = literal(heap, datum)?;
            state.quoted.push(value);
        }
        let frame = new_frame(heap, state, program.functions[form].slots, Value::Nil)?;
        run(heap, &mut Guest { program, state }, form, frame)
    }

    fn explain(&self, fault: &Fault) -> Error {
        Error::Uncaught(match fault {
            Fault::Raised(value) => self.show(*value),
            Fault::OutOfMemory => "out of memory".into(),
            Fault::TooDeep => "calls are nested too deep".into(),
            Fault::Wrong(message) => message.clone(),
        })
    }

    /// A value as the guest would write it.
    pub fn show(&self, value: Value) -> String {
        value.show(&self.heap, &self.program.symbols)
    }

    /// Takes what the guest has displayed.
    pub fn take_output(&mut self) -> String {
        std::mem::take(&mut self.state.output)
    }

    /// How many calls may be open at a time, tail calls not counted. It is 4,000 at first.
    pub fn set_max_depth(&mut self, depth: usize) {
        self.state.max_depth = depth;
    }

    /// The heap, to be asked how it is.
    pub fn heap(&self) -> &Heap {
        &self.heap
    }
}

/// Makes a literal. No collection comes between its parts.
fn literal(heap: &mut Heap, datum: &Datum) -> Outcome {
    Ok(match datum {
        Datum::Bool(bool) => Value::Bool(*bool),
        Datum::Number(number) => Value::Number(*number),
        Datum::Symbol(symbol) => Value::Symbol(*symbol),
        Datum::Text(text) => Value::Text(heap.try_alloc_str(text)?),
        Datum::List(items) => {
            let mut list = Value::Nil;
            for item in items.iter().rev() {
                let head = literal(heap, item)?;
                let pair = heap.try_alloc(Pair { head, tail: list }).map_err(AllocError::without_value)?;
                list = Value::Pair(pair);
            }
            list
        }
    })
}
