//! Lists of numbers and lists, as a Lisp has them: recursive functions that allocate, each in a scope of its own.
//!
//! `cargo run -p tumulus-heap --example cons`

use tumulus_heap::{Gc, Heap, Trace};

#[derive(Clone, Copy, Debug, Trace)]
enum Value {
    Nil,
    Number(i64),
    Pair(Gc<Pair>),
}

#[derive(Debug, Trace)]
struct Pair {
    head: Value,
    tail: Value,
}

fn cons(heap: &mut Heap, head: Value, tail: Value) -> Value {
    Value::Pair(heap.alloc(Pair { head, tail }))
}

/// The numbers below `end`, in order.
fn range(heap: &mut Heap, end: i64) -> Value {
    heap.scope(|heap| {
        let mut list = Value::Nil;
        for n in (0..end).rev() {
            list = cons(heap, Value::Number(n), list);
            heap.safepoint(&()); // the scope keeps every pair that was made in it
        }
        list
    })
}

/// The squares of a list of numbers. Each call has its own scope, so that the recursion can collect at any depth.
fn squares(heap: &mut Heap, list: Value) -> Value {
    let Value::Pair(pair) = list else { return Value::Nil };
    heap.scope(|heap| {
        let Pair { head, tail } = heap[pair];
        let tail = squares(heap, tail);
        heap.safepoint(&list);
        let Value::Number(n) = head else { panic!("not a number: {head:?}") };
        cons(heap, Value::Number(n * n), tail)
    })
}

fn sum(heap: &Heap, mut list: Value) -> i64 {
    let mut sum = 0;
    while let Value::Pair(pair) = list {
        if let Value::Number(n) = heap[pair].head {
            sum += n;
        }
        list = heap[pair].tail;
    }
    sum
}

fn main() {
    // Small enough that there are collections to see.
    let mut heap = Heap::builder().nursery(16 << 10).limit(1 << 20).build();
    let mut total = 0;
    for _ in 0..200 {
        total += heap.scope(|heap| {
            let numbers = range(heap, 100);
            let squares = squares(heap, numbers);
            sum(heap, squares)
        });
        heap.safepoint(&());
    }
    let statistics = heap.statistics();
    println!("sum of squares, 200 times: {total}");
    println!("{} collections freed {} pairs", statistics.collections, statistics.freed_objects);
    assert_eq!(total, 200 * 328_350);
}
