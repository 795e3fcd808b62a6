//! A stack machine whose stack and globals are roots, run under a limit that its garbage would break a hundred times.
//!
//! `cargo run -p tumulus-heap --example stack_machine`

use std::error::Error;
use std::fmt;
use tumulus_heap::{AllocError, Gc, Heap, Trace};

#[derive(Clone, Copy, Debug, Trace)]
enum Value {
    Number(i64),
    Text(Gc<str>),
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Push(i64),
    Load(usize),
    Store(usize),
    Add,
    /// Turns a number into text.
    Show,
    /// Joins two texts.
    Join,
    /// Jumps back to the first operation if the number on top is less than this.
    LoopBelow(i64),
}

struct Machine {
    heap: Heap,
    stack: Vec<Value>,
    globals: Vec<Value>,
}

#[derive(Debug)]
enum Fault {
    OutOfMemory(AllocError),
    Type(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::OutOfMemory(error) => error.fmt(f),
            Fault::Type(problem) => f.write_str(problem),
        }
    }
}

impl Error for Fault {}

impl Machine {
    fn run(&mut self, program: &[Op]) -> Result<(), Fault> {
        let mut at = 0;
        while let Some(&op) = program.get(at) {
            at += 1;
            match op {
                Op::Push(n) => self.stack.push(Value::Number(n)),
                Op::Load(global) => self.stack.push(self.globals[global]),
                Op::Store(global) => self.globals[global] = self.pop()?,
                Op::Add => {
                    let sum = self.pop_number()? + self.pop_number()?;
                    self.stack.push(Value::Number(sum));
                }
                Op::Show => {
                    let text = self.pop_number()?.to_string();
                    self.push_text(&text)?;
                }
                Op::Join => {
                    let (right, left) = (self.pop_text()?, self.pop_text()?);
                    let text = format!("{}{}", &self.heap[left], &self.heap[right]);
                    self.push_text(&text[text.len().saturating_sub(40)..])?;
                }
                Op::LoopBelow(end) => {
                    if self.pop_number()? < end {
                        at = 0;
                        // The back edge of a loop is where every handle is on the stack or in a global.
                        self.heap.safepoint(&(&self.stack, &self.globals));
                    }
                }
            }
        }
        Ok(())
    }

    fn push_text(&mut self, text: &str) -> Result<(), Fault> {
        let text = self.heap.try_alloc_str(text).map_err(Fault::OutOfMemory)?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, Fault> {
        self.stack.pop().ok_or(Fault::Type("the stack is empty"))
    }

    fn pop_number(&mut self) -> Result<i64, Fault> {
        match self.pop()? {
            Value::Number(n) => Ok(n),
            Value::Text(_) => Err(Fault::Type("a text where a number should be")),
        }
    }

    fn pop_text(&mut self) -> Result<Gc<str>, Fault> {
        match self.pop()? {
            Value::Text(text) => Ok(text),
            Value::Number(_) => Err(Fault::Type("a number where a text should be")),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut heap = Heap::builder().limit(256 << 10).build();
    let empty = heap.alloc_str("");
    let mut machine = Machine { heap, stack: Vec::new(), globals: vec![Value::Number(0), Value::Text(empty)] };
    // global 0 counts; global 1 collects the digits, of which the last forty are kept.
    machine.run(&[
        Op::Load(1),
        Op::Load(0),
        Op::Show,
        Op::Join,
        Op::Store(1),
        Op::Load(0),
        Op::Push(1),
        Op::Add,
        Op::Store(0),
        Op::Load(0),
        Op::LoopBelow(300_000),
    ])?;
    let Value::Text(text) = machine.globals[1] else { return Err("global 1 is no text".into()) };
    let statistics = machine.heap.statistics();
    println!("{}", &machine.heap[text]);
    println!(
        "{} collections; {} KiB allocated, at most {} KiB committed",
        statistics.collections,
        statistics.allocated_bytes >> 10,
        statistics.peak_committed_bytes >> 10
    );
    assert!(machine.heap[text].ends_with("299999"));
    assert!(statistics.allocated_bytes > 100 * statistics.peak_committed_bytes as u64 / 2);
    Ok(())
}
