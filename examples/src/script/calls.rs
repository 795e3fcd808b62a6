//! Calls, closures and the variables that they capture, and the way of an error.

use super::code::{Capture, Program};
use super::fault::{Outcome, wrong};
use super::machine::{Engine, Frame};
use super::natives;
use super::value::{Closure, Upvalue, Value};
use tumulus_heap::Gc;

const MAX_FRAMES: usize = 8_000;

impl Engine {
    /// Calls what is on the stack below `this` and so many arguments.
    pub fn call(&mut self, program: &Program, count: usize) -> Outcome<()> {
        self.heap.safepoint(&self.state);
        match self.state.stack.peek(count + 1) {
            Value::Closure(closure) => {
                let function = self.heap[closure].function;
                let expected = program.functions[function].parameters as usize;
                if count != expected {
                    let name = &program.functions[function].name;
                    return wrong(format!("{name} takes {expected} arguments, not {count}"));
                }
                if self.frames.len() == MAX_FRAMES {
                    return wrong("calls are nested too deep");
                }
                let base = self.state.stack.len - count - 2;
                self.frames.push(Frame { function, closure, base, at: 0 });
                Ok(())
            }
            Value::Native(native) => {
                let result = natives::call(self, native, count)?;
                self.state.stack.replace(count + 2, result);
                Ok(())
            }
            other => wrong(format!("{} cannot be called", other.show(&self.heap))),
        }
    }

    /// Forgets the frames above the first so many, and the slots.
    pub fn unwind(&mut self, frames: usize, slots: usize) {
        self.close_upvalues(slots);
        self.frames.truncate(frames);
        self.state.stack.len = slots;
    }

    /// Gives the captured variables at this slot and above places of their own.
    #[inline]
    pub fn close_upvalues(&mut self, from: usize) {
        while let Some((slot, upvalue)) = self.state.open.pop_if(|(slot, _)| *slot >= from) {
            self.heap[upvalue] = Upvalue::Closed(self.state.stack.slots[slot]);
        }
    }

    /// The captured variable that is in a slot. Closures that capture the same one share it.
    fn open_upvalue(&mut self, slot: usize) -> Outcome<Gc<Upvalue>> {
        match self.state.open.binary_search_by_key(&slot, |(slot, _)| *slot) {
            Ok(at) => Ok(self.state.open[at].1),
            Err(at) => {
                let upvalue = self.heap.alloc_or_collect(&self.state, Upvalue::Open(slot))?;
                self.state.open.insert(at, (slot, upvalue));
                Ok(upvalue)
            }
        }
    }

    /// A closure that is made in the call that runs.
    pub fn closure(&mut self, program: &Program, function: usize) -> Outcome {
        let frame = *self.frames.last().expect("one that runs");
        let count = program.functions[function].captures.len();
        let mut upvalues = Vec::with_capacity(count);
        for at in 0..count {
            // Those on the stack are roots once they are open, and those of this closure are its own.
            upvalues.push(match program.functions[function].captures[at] {
                Capture::Local(slot) => self.open_upvalue(frame.base + slot as usize)?,
                Capture::Upvalue(number) => self.heap[self.heap[frame.closure].upvalues][number as usize],
            });
        }
        let closure = self.make(|heap| {
            let upvalues = heap.try_alloc_slice(&upvalues)?;
            Ok(heap.try_alloc(Closure { function, upvalues })?)
        })?;
        Ok(Value::Closure(closure))
    }
}
