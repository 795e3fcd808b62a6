//! The built-in functions. But for `collect` none of them reaches a safepoint, so that none has to root anything.

use super::code::{NATIVES, Native};
use super::eval::Guest;
use super::table::Table;
use super::value::{Outcome, Pair, Value, raise, wrong};
use tumulus_heap::{EphemeronMap, Heap};

/// The arguments of a built-in function: as many of them as it takes.
pub type Args = [Value; 3];

/// Calls a built-in function. Where memory is lacking it has changed nothing, and can be called again.
#[inline(always)]
pub fn call(heap: &mut Heap, guest: &mut Guest<'_>, native: Native, args: Args) -> Outcome {
    use Value::{Bool, Nil, Number, Vector};
    match (native, args) {
        (Native::Add, [Number(a), Number(b), _]) => Ok(Number(a + b)),
        (Native::Subtract, [Number(a), Number(b), _]) => Ok(Number(a - b)),
        (Native::Equals, [Number(a), Number(b), _]) => Ok(Bool(a == b)),
        (Native::Less, [Number(a), Number(b), _]) => Ok(Bool(a < b)),
        (Native::Head, [Value::Pair(pair), ..]) => Ok(heap[pair].head),
        (Native::Tail, [Value::Pair(pair), ..]) => Ok(heap[pair].tail),
        (Native::IsNull, [value, ..]) => Ok(Bool(value == Nil)),
        (Native::Cons, [head, tail, _]) => Ok(Value::Pair(heap.try_alloc(Pair { head, tail })?)),
        (Native::VectorRef, [Vector(items), Number(at), _]) if let Some(item) = heap[items].get(index(at)) => Ok(*item),
        (Native::VectorSet, [Vector(items), Number(at), item]) if index(at) < heap[items].len() => {
            heap.set(items, index(at), item);
            Ok(Nil)
        }
        _ => call_other(heap, guest, native, args),
    }
}

/// A number as an index. What is none is one that no vector has.
fn index(at: f64) -> usize {
    if at >= 0.0 { at as usize } else { usize::MAX }
}

/// Those that take longer than a call.
#[inline(never)]
fn call_other(heap: &mut Heap, guest: &mut Guest<'_>, native: Native, args: Args) -> Outcome {
    use Value::{Nil, Number, Text, Vector};
    Ok(match (native, args) {
        (Native::Multiply, [Number(a), Number(b), _]) => Number(a * b),
        (Native::Quotient, [Number(a), Number(b), _]) => Number((a / b).trunc()),
        (Native::Remainder, [Number(a), Number(b), _]) => Number(a % b),
        (Native::Greater, [Number(a), Number(b), _]) => Value::Bool(a > b),
        (Native::Not, [value, ..]) => Value::Bool(!value.is_true()),
        (Native::IsSame, [a, b, _]) => Value::Bool(a == b),
        (Native::IsEqual, [a, b, _]) => Value::Bool(a.is_equal(b, heap)),
        (Native::IsPair, [value, ..]) => Value::Bool(matches!(value, Value::Pair(_))),
        (Native::SetHead | Native::SetTail, [Value::Pair(pair), value, _]) => {
            let Pair { head, tail } = heap.get_mut(pair);
            *(if native == Native::SetHead { head } else { tail }) = value;
            Nil
        }
        (Native::MakeVector, [Number(len), fill, _]) if len >= 0.0 => {
            Vector(heap.try_alloc_slice_with(len as usize, |_| fill)?)
        }
        (Native::ListToVector, [list, ..]) => {
            let (mut items, mut rest, mut seen) = (Vec::new(), list, Nil);
            while let Value::Pair(pair) = rest {
                if rest == seen {
                    return wrong(heap, "a list that leads back into itself cannot be made a vector");
                }
                if items.len().is_power_of_two() {
                    seen = rest;
                }
                items.push(heap[pair].head);
                rest = heap[pair].tail;
            }
            Vector(heap.try_alloc_slice(&items)?)
        }
        (Native::VectorLength, [Vector(items), ..]) => Number(heap[items].len() as f64),
        (Native::VectorRef | Native::VectorSet, [Vector(items), Number(at), _]) => {
            return wrong(heap, &format!("a vector of {} items has none at {at}", heap[items].len()));
        }
        (Native::StringAppend, [Text(a), Text(b), _]) => {
            let both = &mut guest.state.scratch;
            both.clear();
            both.extend([&heap[a], &heap[b]]);
            Text(heap.try_alloc_str(both)?)
        }
        (Native::StringLength, [Text(text), ..]) => Number(heap[text].len() as f64),
        (Native::Substring, [Text(text), Number(from), Number(to)]) => {
            let Some(part) = heap[text].get(index(from)..index(to)).map(str::to_string) else {
                return wrong(heap, &format!("a string of {} bytes has no part from {from} to {to}", heap[text].len()));
            };
            Text(heap.try_alloc_str(&part)?)
        }
        (Native::NumberToString, [Number(number), ..]) => Text(heap.try_alloc_str(&number.to_string())?),
        (Native::MakeTable, _) => Value::Table(Table::new(heap)?),
        (Native::MakeWeakTable, _) => Value::WeakTable(heap.try_alloc(EphemeronMap::new())?),
        (Native::TableRef, [Value::Table(table), key, absent]) => heap[table].get(heap, key).unwrap_or(absent),
        (Native::TableRef, [Value::WeakTable(table), key, absent]) => {
            key.object().and_then(|object| table.get(heap, object).copied()).unwrap_or(absent)
        }
        (Native::TableSet, [Value::Table(table), key, value]) => Table::set(heap, table, key, value)?,
        (Native::TableSet, [Value::WeakTable(table), key, value]) => match key.object() {
            Some(object) => table.try_insert(heap, object, value).map(|_| Nil)?,
            None => return wrong(heap, "the keys of a weak table are objects"),
        },
        (Native::TableCount, [Value::Table(table), ..]) => Number(heap[table].used as f64),
        (Native::TableCount, [Value::WeakTable(table), ..]) => Number(table.iter(heap).count() as f64),
        (Native::Raise, [value, ..]) => return raise(value),
        (Native::Display, [value, ..]) => {
            guest.state.output += &value.show(heap, guest.program);
            Nil
        }
        (Native::Collect, _) => {
            heap.collect(&*guest.state); // the one built-in function that collects: its caller has kept what it holds
            Nil
        }
        _ => {
            let (_, name, arity) = NATIVES[native as usize];
            let given: Vec<String> = args[..arity].iter().map(|arg| arg.show(heap, guest.program)).collect();
            return wrong(heap, &format!("{name} cannot be used with {}", given.join(" and ")));
        }
    })
}
