//! Pieces that interpreters want, each beside what one does without it: `cargo bench -p tumulus-examples --bench pieces`.
//!
//! What came of it is in the guide, in the chapter on the design: `Interner`, `GcVec` and `Heap::set` went into the library, the
//! others did not.

use cpu_time::ThreadTime;
use std::collections::HashMap;
use std::hint::black_box;
use tumulus_heap::{Gc, GcVec, Heap, Interner, Trace};

/// The values of the example interpreters, made small.
#[derive(Copy, Clone, Default, Trace)]
#[repr(u64)]
enum Value {
    #[default]
    Nil,
    Number(f64),
    Pair(Gc<[Value; 2]>),
}

impl Value {
    fn number(self) -> f64 {
        if let Value::Number(number) = self { number } else { 0.0 }
    }
}

/// Seconds of one run, the median of eleven.
fn seconds(mut run: impl FnMut()) -> f64 {
    let rounds = if std::env::args().any(|arg| arg == "--bench") { 11 } else { 1 };
    run();
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = ThreadTime::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn report(what: &str, operations: u32, without: (&str, f64), with: (&str, f64)) {
    let nanoseconds = |seconds: f64| seconds * 1e9 / f64::from(operations);
    println!("{what}");
    for (name, time) in [without, with] {
        println!("  {name:<52} {:>8.2} ns ({:.2})", nanoseconds(time), time / without.1);
    }
}

fn main() {
    names();
    name_comparisons();
    values_of_a_word();
    elements();
    arrays();
    stacks();
    shapes();
}

const NAMES: u32 = 1_000;

fn names() {
    let texts: Vec<String> = (0..NAMES).map(|n| format!("property {n}")).collect();
    let mut numbers: HashMap<Box<str>, u32> = (0..).zip(&texts).map(|(n, text)| (text.as_str().into(), n)).collect();
    let map = seconds(|| texts.iter().for_each(|text| _ = black_box(numbers.get(text.as_str()))));
    numbers.clear();

    let (mut heap, mut interner) = (Heap::new(), Interner::new());
    let kept: Vec<Gc<str>> = texts.iter().map(|text| interner.intern(&mut heap, text)).collect();
    let interned = seconds(|| texts.iter().for_each(|text| _ = black_box(interner.intern(&mut heap, text))));
    assert!(kept.iter().all(|&name| heap.contains(name)));
    report("to look a name up", NAMES, ("HashMap<Box<str>, u32>, which keeps all", map), ("Interner", interned));
}

fn name_comparisons() {
    const TURNS: u32 = 1_000;
    let mut heap = Heap::new();
    let mut interner = Interner::new();
    let fields: Vec<Gc<str>> = (0..8).map(|n| interner.intern(&mut heap, &format!("property {n}"))).collect();
    let wanted: Vec<Gc<str>> = (0..8).map(|n| heap.alloc_str(&format!("property {n}"))).collect();
    let texts = seconds(|| {
        for turn in 0..TURNS as usize {
            let name = black_box(wanted[turn % 8]);
            black_box(fields.iter().position(|&field| heap[field] == heap[name]));
        }
    });
    let handles = seconds(|| {
        for turn in 0..TURNS as usize {
            let name = black_box(fields[turn % 8]);
            black_box(fields.iter().position(|&field| field == name));
        }
    });
    report("to find a property among eight", TURNS, ("by its text", texts), ("by its interned name", handles));
}

#[derive(Trace)]
struct Word {
    left: Option<Gc<Word>>,
    right: Option<Gc<Word>>,
}

const DEPTH: u32 = 16;

/// What values of one word could gain at most: here they are handles and nothing else, which no interpreter could live with.
fn values_of_a_word() {
    fn wide(heap: &mut Heap, depth: u32) -> Value {
        let children = if depth == 0 { [Value::Nil; 2] } else { [wide(heap, depth - 1), wide(heap, depth - 1)] };
        Value::Pair(heap.alloc(children))
    }
    fn narrow(heap: &mut Heap, depth: u32) -> Gc<Word> {
        let [left, right] =
            if depth == 0 { [None; 2] } else { [Some(narrow(heap, depth - 1)), Some(narrow(heap, depth - 1))] };
        heap.alloc(Word { left, right })
    }
    fn wide_nodes(heap: &Heap, tree: Value) -> u32 {
        let Value::Pair(pair) = tree else { return 0 };
        1 + wide_nodes(heap, heap[pair][0]) + wide_nodes(heap, heap[pair][1])
    }
    fn narrow_nodes(heap: &Heap, tree: Option<Gc<Word>>) -> u32 {
        tree.map_or(0, |it| 1 + narrow_nodes(heap, heap[it].left) + narrow_nodes(heap, heap[it].right))
    }
    let mut heap = Heap::new();
    let sixteen = seconds(|| {
        let tree = wide(&mut heap, DEPTH);
        assert_eq!(wide_nodes(&heap, tree), (2 << DEPTH) - 1);
        heap.collect(&tree);
    });
    let mut heap = Heap::new();
    let eight = seconds(|| {
        let tree = narrow(&mut heap, DEPTH);
        assert_eq!(narrow_nodes(&heap, Some(tree)), (2 << DEPTH) - 1);
        heap.collect(&tree);
    });
    let what = "a node of a tree: made, looked at, marked, freed";
    report(what, (2 << DEPTH) - 1, ("values of 16 bytes, 48 a node", sixteen), ("of 8 bytes, 32 a node", eight));
}

const ELEMENTS: u32 = 10_000;

fn elements() {
    let mut heap = Heap::new();
    let items = heap.alloc_slice(&[Value::Nil; ELEMENTS as usize]);
    heap.collect(&items); // it is old, as what is written to mostly is
    let ranges =
        seconds(|| (0..ELEMENTS as usize).for_each(|at| heap.slice_mut(items, at..=at)[0] = Value::Number(1.0)));
    let set = seconds(|| (0..ELEMENTS as usize).for_each(|at| heap.set(items, at, Value::Number(1.0))));
    report("to write an element of a slice", ELEMENTS, ("slice_mut of one element", ranges), ("set", set));
}

const PUSHES: u32 = 100;
const ARRAYS: u32 = 100;

fn arrays() {
    let mut heap = Heap::new();
    let vecs = seconds(|| {
        for _ in 0..ARRAYS {
            let array: Gc<Vec<Value>> = heap.alloc(Vec::new());
            (0..PUSHES).for_each(|n| heap.get_mut(array).push(Value::Number(f64::from(n))));
            black_box((0..PUSHES as usize).map(|at| heap[array][at].number()).sum::<f64>());
            heap.safepoint(&array);
        }
    });
    let slices = seconds(|| {
        for _ in 0..ARRAYS {
            let array: Gc<GcVec<Value>> = heap.alloc(GcVec::new());
            (0..PUSHES).for_each(|n| array.push(&mut heap, Value::Number(f64::from(n))));
            black_box((0..PUSHES as usize).map(|at| array.as_slice(&heap)[at].number()).sum::<f64>());
            heap.safepoint(&array);
        }
    });
    let with = ("GcVec", slices);
    report("to push an element, and to read it", ARRAYS * PUSHES, ("Gc<Vec<Value>>, beside the limit", vecs), with);
}

/// A stack that traces what is below its top, as that of the bytecode machine.
struct Stack {
    slots: Box<[Value]>,
    len: usize,
}

impl Trace for Stack {
    fn trace(&self, tracer: &mut tumulus_heap::Tracer<'_>) {
        self.slots[..self.len].trace(tracer);
    }
}

impl Stack {
    fn push(&mut self, value: Value) -> Result<(), ()> {
        *self.slots.get_mut(self.len).ok_or(())? = value;
        self.len += 1;
        Ok(())
    }

    fn pop(&mut self) -> Value {
        self.len -= 1;
        self.slots[self.len]
    }
}

/// `1 + 2 + 3 + ...` on a stack.
fn stacks() {
    let mut vec: Vec<Value> = Vec::with_capacity(1 << 16);
    let plain = seconds(|| {
        vec.push(Value::Number(0.0));
        for n in 0..ELEMENTS {
            vec.push(black_box(Value::Number(f64::from(n))));
            let (b, a) = (vec.pop().expect("two are there"), vec.pop().expect("one is"));
            vec.push(Value::Number(a.number() + b.number()));
        }
        black_box(vec.pop());
    });
    let mut stack = Stack { slots: vec![Value::Nil; 1 << 16].into(), len: 0 };
    let own = seconds(|| {
        stack.push(Value::Number(0.0)).expect("there is room");
        for n in 0..ELEMENTS {
            stack.push(black_box(Value::Number(f64::from(n)))).expect("there is room");
            let (b, a) = (stack.pop(), stack.pop());
            stack.push(Value::Number(a.number() + b.number())).expect("there is room");
        }
        black_box(stack.pop());
    });
    report("to add two numbers on a stack", ELEMENTS, ("Vec<Value>", plain), ("a stack of its own", own));
}

/// The names of an object's properties, in the order of its slots. Objects that got the same ones in the same order share it.
#[derive(Trace)]
struct Shape {
    slots: Vec<Gc<str>>,
    next: Vec<(Gc<str>, Gc<Shape>)>,
}

#[derive(Copy, Clone, Trace)]
struct Shaped {
    shape: Gc<Shape>,
    slots: Gc<[Value]>,
}

type Field = Option<(Gc<str>, Value)>;

#[derive(Copy, Clone, Trace)]
struct Hashed {
    fields: Gc<[Field]>,
}

/// What is remembered at a place in the program: the shape that was seen there last, the one that came of it, and the slot.
type Transition = (Gc<Shape>, Gc<Shape>, usize);

const OBJECTS: u32 = 1_000;

/// Four properties are given to an object, and read again: with a hash table for each, and with shapes and inline caches.
fn shapes() {
    fn place(fields: &[Field], name: Gc<str>) -> usize {
        let mask = fields.len() - 1;
        let mut at = name.identity_hash() as usize & mask;
        while fields[at].is_some_and(|(other, _)| other != name) {
            at = (at + 1) & mask;
        }
        at
    }
    fn extended(heap: &mut Heap, shape: Gc<Shape>, name: Gc<str>) -> Gc<Shape> {
        if let Some(&(_, next)) = heap[shape].next.iter().find(|(other, _)| *other == name) {
            return next;
        }
        let slots = [heap[shape].slots.as_slice(), &[name]].concat();
        let next = heap.alloc(Shape { slots, next: Vec::new() });
        heap.get_mut(shape).next.push((name, next));
        next
    }
    let (mut heap, mut interner) = (Heap::new(), Interner::new());
    let names = ["x", "y", "width", "height"].map(|name| interner.intern(&mut heap, name));
    let number = Value::Number(1.0);

    let mut last = None;
    let made_hashed = seconds(|| {
        for _ in 0..OBJECTS {
            let fields = heap.alloc_slice(&[None; 8]);
            let object = heap.alloc(Hashed { fields });
            for name in names {
                let fields = heap[object].fields;
                let at = place(&heap[fields], name);
                heap.set(fields, at, Some((name, number)));
            }
            last = Some(object);
            heap.safepoint(&(names, last));
        }
    });
    let object = heap.root(last.expect("they were made"));
    let read_hashed = seconds(|| {
        for _ in 0..OBJECTS {
            let object = black_box(object.get());
            for name in names {
                let fields = &heap[heap[object].fields];
                black_box(fields[place(fields, name)]);
            }
        }
    });

    let empty = heap.alloc(Shape { slots: Vec::new(), next: Vec::new() });
    let mut writes: [Option<Transition>; 4] = [None; 4];
    let mut last = None;
    let made_shaped = seconds(|| {
        for _ in 0..OBJECTS {
            let slots = heap.alloc_slice(&[Value::Nil; 4]);
            let object = heap.alloc(Shaped { shape: empty, slots });
            for (name, cache) in names.into_iter().zip(&mut writes) {
                let (shape, slots) = (heap[object].shape, heap[object].slots);
                if cache.is_none_or(|(seen, ..)| seen != shape) {
                    *cache = Some((shape, extended(&mut heap, shape, name), heap[shape].slots.len()));
                }
                let (_, next, slot) = cache.expect("it was filled");
                heap.get_mut(object).shape = next;
                heap.set(slots, slot, number);
            }
            last = Some(object);
            heap.safepoint(&(names, empty, last));
        }
    });
    let object = heap.root(last.expect("they were made"));
    let mut reads: [Option<(Gc<Shape>, usize)>; 4] = [None; 4];
    let read_shaped = seconds(|| {
        for _ in 0..OBJECTS {
            let object = black_box(object.get());
            for (name, cache) in names.into_iter().zip(&mut reads) {
                let (shape, slots) = (heap[object].shape, heap[object].slots);
                if cache.is_none_or(|(seen, _)| seen != shape) {
                    let slot = heap[shape].slots.iter().position(|&other| other == name);
                    *cache = slot.map(|slot| (shape, slot));
                }
                black_box(heap[slots][cache.expect("it was filled").1]);
            }
        }
    });
    let (hashed, shaped) = ("a hash table each", "shapes, with inline caches");
    report("an object is made with four properties", OBJECTS, (hashed, made_hashed), (shaped, made_shaped));
    report("four properties are read", OBJECTS, (hashed, read_hashed), (shaped, read_shaped));
}
