//! The host's functions.

use super::fault::{Outcome, wrong};
use super::machine::Engine;
use super::value::{Object, Value};

macro_rules! natives {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// A function of the host's.
        #[derive(Copy, Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Native { $($variant),* }

        impl Native {
            /// All of them, with the names of the global variables that hold them.
            pub const ALL: &[(&str, Native)] = &[$(($name, Native::$variant)),*];
        }
    };
}

natives! { Print "print", Text "str", Len "len", Push "push", Extend "extend", Count "count", Collect "collect", Slice "slice" }

/// Calls a function with the `count` values on top of the stack, which stay there meanwhile and so are roots.
///
/// # Errors
///
/// If the guest uses it wrongly, or memory is lacking.
pub fn call(engine: &mut Engine, native: Native, count: usize) -> Outcome {
    let args = engine.state.stack.top(count);
    match (native, args) {
        (Native::Print, &[value]) => {
            let line = value.show(&engine.heap);
            engine.output += &line;
            engine.output.push('\n');
            Ok(Value::Nil)
        }
        (Native::Text, &[value]) => {
            let text = value.show(&engine.heap);
            engine.text(&text)
        }
        (Native::Len, &[Value::Text(text)]) => Ok(Value::Number(engine.heap[text].len() as f64)),
        (Native::Len, &[Value::Array(array)]) => Ok(Value::Number(array.len(&engine.heap) as f64)),
        (Native::Push, &[Value::Array(array), value]) => {
            engine.make(|heap| Ok(array.try_push(heap, value)?))?;
            Ok(value)
        }
        (Native::Extend, &[Value::Object(prototype)]) => {
            Ok(Value::Object(engine.make(|heap| Object::new(heap, Some(prototype)))?))
        }
        (Native::Count, &[Value::Object(object)]) => Ok(Value::Number(engine.heap[object].count() as f64)),
        (Native::Slice, &[Value::Text(text), Value::Number(from), Value::Number(to)]) => {
            let Some(part) = engine.heap[text].get(from as usize..to as usize) else {
                return wrong(format!("there is no part from {from} to {to}"));
            };
            let part = part.to_string();
            engine.text(&part)
        }
        (Native::Collect, &[]) => {
            engine.heap.collect(&engine.state);
            Ok(Value::Nil)
        }
        _ => wrong(format!("{native:?} cannot be called like this")),
    }
}
