//! The built-in functions. But for `collect` none of them reaches a safepoint, so that none has to root anything.

use super::code::Native;
use super::eval::State;
use super::reader::Symbols;
use super::table::Table;
use super::value::{Fault, Outcome, Pair, Value, wrong};
use tumulus_heap::{AllocError, EphemeronMap, Gc, Heap};

/// The arguments of a built-in function: as many of them as it takes.
pub type Args = [Value; 3];

/// Calls a built-in function. Where memory is lacking it has changed nothing, and can be called again.
///
/// # Errors
///
/// What the guest raised or did wrong.
#[inline(always)]
pub fn call(heap: &mut Heap, state: &mut State, symbols: &Symbols, native: Native, args: Args) -> Outcome {
    match (native, args) {
        (Native::Add, [Value::Number(a), Value::Number(b), _]) => Ok(Value::Number(a + b)),
        (Native::Subtract, [Value::Number(a), Value::Number(b), _]) => Ok(Value::Number(a - b)),
        (Native::Equals, [Value::Number(a), Value::Number(b), _]) => Ok(Value::Bool(a == b)),
        (Native::Less, [Value::Number(a), Value::Number(b), _]) => Ok(Value::Bool(a < b)),
        (Native::Head, [Value::Pair(pair), ..]) => Ok(heap[pair].head),
        (Native::Tail, [Value::Pair(pair), ..]) => Ok(heap[pair].tail),
        (Native::IsNull, [value, ..]) => Ok(Value::Bool(value == Value::Nil)),
        (Native::Cons, [head, tail, _]) => Ok(Value::Pair(alloc(heap, Pair { head, tail })?)),
        (Native::VectorRef, [Value::Vector(items), Value::Number(at), _]) => match index(at, heap[items].len()) {
            Some(at) => Ok(heap[items][at]),
            None => no_item(heap[items].len(), at),
        },
        (Native::VectorSet, [Value::Vector(items), Value::Number(at), item]) => {
            let Some(place) = index(at, heap[items].len()) else { return no_item(heap[items].len(), at) };
            heap.slice_mut(items, place..=place)[0] = item;
            Ok(Value::Nil)
        }
        _ => call_other(heap, state, symbols, native, args),
    }
}

/// A number as an index into so many items. It may be negative, or not even a number.
#[inline]
fn index(at: f64, len: usize) -> Option<usize> {
    (at >= 0.0 && (at as usize) < len).then_some(at as usize)
}

#[cold]
fn no_item(len: usize, at: f64) -> Outcome {
    wrong(format!("a vector of {len} items has none at {at}"))
}

/// Those that take longer than a call.
#[inline(never)]
fn call_other(heap: &mut Heap, state: &mut State, symbols: &Symbols, native: Native, args: Args) -> Outcome {
    use Value::{Nil, Number, Table as Strong, Text, Vector, WeakTable};
    let value = match (native, args) {
        (Native::Multiply, [Number(a), Number(b), _]) => Number(a * b),
        (Native::Quotient, [Number(a), Number(b), _]) => Number((a / b).trunc()),
        (Native::Remainder, [Number(a), Number(b), _]) => Number(a % b),
        (Native::Greater, [Number(a), Number(b), _]) => Value::Bool(a > b),
        (Native::Not, [value, ..]) => Value::Bool(!value.is_true()),
        (Native::IsSame, [a, b, _]) => Value::Bool(a == b),
        (Native::IsEqual, [a, b, _]) => Value::Bool(a.is_equal(b, heap)),
        (Native::IsPair, [value, ..]) => Value::Bool(matches!(value, Value::Pair(_))),
        (Native::SetHead, [Value::Pair(pair), head, _]) => {
            heap[pair].head = head;
            Nil
        }
        (Native::SetTail, [Value::Pair(pair), tail, _]) => {
            heap[pair].tail = tail;
            Nil
        }
        (Native::MakeVector, [Number(len), fill, _]) if len >= 0.0 => {
            Vector(heap.try_alloc_slice_with(len as usize, |_| fill).map_err(AllocError::without_value)?)
        }
        (Native::ListToVector, [list, ..]) => {
            let mut items = Vec::new();
            let mut rest = list;
            while let Value::Pair(pair) = rest {
                items.push(heap[pair].head);
                rest = heap[pair].tail;
            }
            Vector(heap.try_alloc_slice(&items)?)
        }
        (Native::VectorLength, [Vector(items), ..]) => Number(heap[items].len() as f64),
        (Native::StringAppend, [Text(a), Text(b), _]) => {
            let both = [&heap[a], &heap[b]].concat();
            Text(heap.try_alloc_str(&both)?)
        }
        (Native::StringLength, [Text(text), ..]) => Number(heap[text].len() as f64),
        (Native::Substring, [Text(text), Number(from), Number(to)]) => {
            let Some(part) = heap[text].get(from as usize..to as usize) else {
                return wrong(format!("a string of {} bytes has no part from {from} to {to}", heap[text].len()));
            };
            let part = part.to_string();
            Text(heap.try_alloc_str(&part)?)
        }
        (Native::NumberToString, [Number(number), ..]) => Text(heap.try_alloc_str(&number.to_string())?),
        (Native::MakeTable, _) => Strong(Table::new(heap)?),
        (Native::MakeWeakTable, _) => WeakTable(alloc(heap, EphemeronMap::new())?),
        (Native::TableRef, [Strong(table), key, absent]) => heap[table].get(heap, key).unwrap_or(absent),
        (Native::TableRef, [WeakTable(table), key, absent]) => {
            key.object().and_then(|object| table.get(heap, object).copied()).unwrap_or(absent)
        }
        (Native::TableSet, [Strong(table), key, value]) => {
            Table::set(heap, table, key, value)?;
            Nil
        }
        (Native::TableSet, [WeakTable(table), key, value]) => {
            let Some(object) = key.object() else { return wrong("the keys of a weak table are objects") };
            table.try_insert(heap, object, value).map_err(AllocError::without_value)?;
            Nil
        }
        (Native::TableCount, [Strong(table), ..]) => Number(heap[table].len() as f64),
        (Native::TableCount, [WeakTable(table), ..]) => Number(table.iter(heap).count() as f64),
        (Native::Raise, [value, ..]) => return Err(Box::new(Fault::Raised(value))),
        (Native::Display, [value, ..]) => {
            let text = value.show(heap, symbols);
            state.output.push_str(&text);
            Nil
        }
        (Native::Collect, _) => {
            heap.collect(&*state); // the one built-in function that collects: its caller has kept what it holds
            Nil
        }
        _ => {
            let given: Vec<String> = args[..native.arity()].iter().map(|arg| arg.show(heap, symbols)).collect();
            return wrong(format!("{} cannot be used with {}", native.name(), given.join(" and ")));
        }
    };
    Ok(value)
}

#[inline(always)]
fn alloc<T: tumulus_heap::Trace + 'static>(heap: &mut Heap, value: T) -> Outcome<Gc<T>> {
    Ok(heap.try_alloc(value).map_err(AllocError::without_value)?)
}
