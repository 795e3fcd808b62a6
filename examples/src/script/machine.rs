//! The machine as its embedder sees it, and what keeps what alive in it.
//!
//! # What keeps what alive
//!
//! Everything that the guest can reach is in [`State`], and every safepoint is given that. The stack traces what is below
//! its top. An operation leaves its operands on the stack until its result is there; so one that runs out of memory
//! can collect and try again, and need not think of rooting.
//!
//! Safepoints are at calls and at the back edges of loops: no guest runs for long without one.

use super::code::Program;
use super::compiler::compile;
use super::fault::{Error, Fault, Outcome};
use super::natives::Native;
use super::stack::Stack;
use super::value::{Closure, Name, Upvalue, Value};
use tumulus_heap::{AllocError, Gc, Heap, HeapBuilder, Interner, Trace};

/// Everything from which the guest's objects are reached.
#[derive(Debug, Trace)]
pub struct State {
    /// The stack.
    pub stack: Stack,
    /// The global variables, by their numbers.
    pub globals: Vec<Option<Value>>,
    /// The strings of programs, by their numbers.
    pub texts: Vec<Value>,
    /// The names of properties that are in programs, by their numbers.
    pub names: Vec<Name>,
    /// The captured variables that are still on the stack, in the order of their slots.
    pub open: Vec<(usize, Gc<Upvalue>)>,
    /// Made in advance, as there is no room for it when it is needed.
    out_of_memory: Value,
}

/// A call of the guest's. Its closure is in the first of its slots.
#[derive(Copy, Clone, Debug)]
pub struct Frame {
    /// The number of its function.
    pub function: usize,
    /// The closure.
    pub closure: Gc<Closure>,
    /// Its first slot.
    pub base: usize,
    /// The operation that is next.
    pub at: usize,
}

/// Where errors go.
#[derive(Copy, Clone, Debug)]
pub struct Handler {
    /// How many frames there were.
    pub frames: usize,
    /// How many slots.
    pub stack: usize,
    /// The operation to go on with.
    pub target: usize,
}

/// What runs the code, apart from the code: so that it can change while it refers to that.
#[derive(Debug)]
pub struct Engine {
    /// The heap, beside the state and not in it, as it is borrowed while the state is traced.
    pub heap: Heap,
    /// What the guest can reach.
    pub state: State,
    /// What it has printed.
    pub output: String,
    /// All names of properties that there are. Those that only an object has go with it.
    pub interner: Interner,
    /// The calls that are open.
    pub frames: Vec<Frame>,
    /// The `try` blocks that are.
    pub handlers: Vec<Handler>,
}

/// A machine with its heap.
///
/// ```
/// use tumulus_examples::script::Machine;
/// use tumulus_heap::Heap;
///
/// let mut machine = Machine::new(Heap::builder().limit(16 << 20));
/// let twelve = machine.run("fn square(x) { return x * x; } let nine = square(3); return nine + 3;")?;
/// assert_eq!(machine.show(twelve), "12");
/// # Ok::<(), tumulus_examples::script::Error>(())
/// ```
#[derive(Debug)]
pub struct Machine {
    program: Program,
    engine: Engine,
}

const SLOTS: usize = 1 << 16;

impl Machine {
    /// A machine with a heap of these options.
    ///
    /// # Panics
    ///
    /// As [`HeapBuilder::build`], and if the limit leaves no room for a short text.
    pub fn new(options: HeapBuilder) -> Machine {
        let mut heap = options.build();
        let mut program = Program::default();
        let mut globals = Vec::new();
        for &(name, native) in Native::ALL {
            program.globals.number(name);
            globals.push(Some(Value::Native(native)));
        }
        let stack = Stack { slots: vec![Value::Nil; SLOTS].into(), len: 0 };
        let out_of_memory = Value::Text(heap.alloc_str("out of memory"));
        let state = State { stack, globals, texts: Vec::new(), names: Vec::new(), open: Vec::new(), out_of_memory };
        let (output, interner, frames, handlers) = (String::new(), Interner::new(), Vec::new(), Vec::new());
        Machine { program, engine: Engine { heap, state, output, interner, frames, handlers } }
    }

    /// Runs a program, and gives what it returns. That is good until the next run.
    ///
    /// # Errors
    ///
    /// If the text is no program, or throws something that it does not catch. What was defined before stays.
    pub fn run(&mut self, text: &str) -> Result<Value, Error> {
        let Machine { program, engine } = self;
        let function = compile(program, text).map_err(Error::Syntax)?;
        let outcome = engine.load(program).and_then(|()| engine.start(program, function));
        outcome.map_err(|fault| {
            engine.unwind(0, 0);
            engine.handlers.clear();
            let value = engine.value_of(*fault);
            Error::Uncaught(value.show(&engine.heap))
        })
    }

    /// A value as text.
    pub fn show(&self, value: Value) -> String {
        value.show(&self.engine.heap)
    }

    /// Takes what the guest has printed.
    pub fn take_output(&mut self) -> String {
        std::mem::take(&mut self.engine.output)
    }

    /// The heap, to be asked how it is.
    pub fn heap(&self) -> &Heap {
        &self.engine.heap
    }

    /// How many names of properties there is room for.
    pub fn names(&self) -> usize {
        self.engine.interner.capacity()
    }
}

impl Engine {
    /// Makes what is new in a program: its strings and names.
    fn load(&mut self, program: &Program) -> Outcome<()> {
        let Engine { heap, state, interner, .. } = self;
        state.globals.resize(program.globals.count(), None);
        while let Some(text) = program.texts.get(state.texts.len()) {
            let text = heap.try_or_collect(&*state, |heap| heap.try_alloc_str(text))?;
            state.texts.push(Value::Text(text));
        }
        for number in state.names.len()..program.fields.count() {
            let name = program.fields.name(number as u32);
            let name = heap.try_or_collect(&*state, |heap| interner.try_intern(heap, name))?;
            state.names.push(Name::new(name));
        }
        Ok(())
    }

    /// Runs a function without parameters.
    fn start(&mut self, program: &Program, function: usize) -> Outcome {
        let closure = self.make(|heap| {
            let upvalues = heap.try_alloc_slice(&[])?;
            Ok(heap.try_alloc(Closure { function, upvalues })?)
        })?;
        self.state.stack.push(Value::Closure(closure))?;
        self.state.stack.push(Value::Nil)?;
        self.call(program, 0)?;
        self.run(program)
    }

    /// Makes something, if need be after a collection. What it is made of is on the stack.
    pub fn make<T>(&mut self, make: impl FnMut(&mut Heap) -> Result<T, AllocError>) -> Outcome<T> {
        Ok(self.heap.try_or_collect(&self.state, make)?)
    }

    /// A string of the guest's.
    pub fn text(&mut self, text: &str) -> Outcome {
        Ok(Value::Text(self.make(|heap| heap.try_alloc_str(text))?))
    }

    /// What a handler is given.
    pub fn value_of(&mut self, fault: Fault) -> Value {
        match fault {
            Fault::Thrown(value) => value,
            Fault::OutOfMemory => self.state.out_of_memory,
            Fault::Wrong(text) => self.text(&text).unwrap_or(self.state.out_of_memory),
        }
    }
}
