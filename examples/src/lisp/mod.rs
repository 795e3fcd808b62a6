//! A Lisp: closures, tail calls, strings, vectors, hash tables, weak tables, `call/cc`, and errors that can be caught.
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

pub use value::Value;

use code::{NATIVES, Program};
use eval::{Guest, State, new_frame, run};
use reader::Datum;
use tumulus_heap::{Heap, HeapBuilder};
use value::{Fault, Outcome, Pair};

/// An interpreter with its heap.
///
/// Guest functions that call each other recurse in the host. They may take a megabyte of its stack, or what you set in
/// [`State`]; the thread should have as much again. `bin/lisp.rs` makes one with 256 MiB, of which only what is used becomes
/// memory.
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
    /// The heap, to be asked how it is.
    pub heap: Heap,
    /// What lives beside it: what was displayed, and how deep calls may be nested.
    pub state: State,
    program: Program,
}

/// Why a program did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It ends too early: more text could complete it.
    #[error("{0} is not closed")]
    Incomplete(&'static str),
    /// It is none.
    #[error("{0}")]
    Syntax(String),
    /// Nobody caught what it raised, or did wrong. This is the text of it.
    #[error("{0}")]
    Uncaught(String),
}

impl Lisp {
    /// An interpreter with a heap of these options.
    pub fn new(options: HeapBuilder) -> Lisp {
        let state = State {
            globals: NATIVES.iter().map(|&(native, ..)| Some(Value::Native(native))).collect(),
            max_stack: 1 << 20,
            ..State::default()
        };
        Lisp { heap: options.build(), program: Program::default(), state }
    }

    /// Runs a program, and gives the value of its last form. It is good until the next run.
    ///
    /// # Errors
    ///
    /// If the text is no program, or the guest raises something that it does not catch. What was defined before stays.
    pub fn run(&mut self, text: &str) -> Result<Value, Error> {
        let forms = self.program.compile(text)?;
        self.state.stack_start = std::ptr::from_ref(&forms).addr();
        forms.into_iter().try_fold(Value::Nil, |_, form| self.run_form(form)).map_err(|fault| {
            let (Fault::Raised(value) | Fault::Escaped(_, value)) = *fault;
            Error::Uncaught(self.show(value))
        })
    }

    fn run_form(&mut self, form: usize) -> Outcome {
        let Lisp { heap, program, state } = self;
        state.globals.resize(program.globals.len(), None);
        while let Some(datum) = program.literals.get(state.literals.len()) {
            let value = heap.scope(|heap| make(heap, state, datum))?;
            state.literals.push(value);
        }
        let frame = new_frame(heap, state, 0, Value::Nil)?;
        run(heap, &mut Guest { program, state }, form, frame)
    }

    /// A value as the guest would write it.
    pub fn show(&self, value: Value) -> String {
        value.show(&self.heap, &self.program)
    }
}

/// Makes a literal, in a scope that keeps its parts.
fn make(heap: &mut Heap, state: &State, datum: &Datum) -> Outcome {
    Ok(match datum {
        Datum::Bool(bool) => Value::Bool(*bool),
        Datum::Number(number) => Value::Number(*number),
        Datum::Symbol(symbol) => Value::Symbol(*symbol),
        Datum::Text(text) => Value::Text(heap.try_or_collect(state, |heap| heap.try_alloc_str(text))?),
        Datum::List(items) => items.iter().rev().try_fold(Value::Nil, |tail, item| {
            let head = make(heap, state, item)?;
            Outcome::Ok(Value::Pair(heap.alloc_or_collect(state, Pair { head, tail })?))
        })?,
    })
}
