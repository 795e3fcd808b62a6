//! The splay tree of V8's benchmark of that name: a tree that turns what was asked for to its root.
//!
//! An operation adds a node with a random key and removes the one with the greatest key below it. Each node has a payload:
//! a binary tree whose leaves are an array of ten numbers and a text. As in V8's program a key is a fraction, an object of
//! its own, and each splaying allocates a node to hang the two sides on. So what dies is old.

use super::numbers::{Checksum, Numbers, sum_of, text};
use super::shapes::{Array, Number, Stack, Words, put, put_slice, put_text};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use tumulus_heap::{AnyGc, Gc, Heap, Object, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "splay",
    summary: "a splay tree of V8's: what dies is old",
    page: include_str!("../../pages/splay.md"),
    parameters: &[
        Parameter::count("nodes", "nodes of the tree", 8_000, 1..=10_000_000),
        Parameter::count("payload-depth", "depth of the payload of each node", 5, 0..=10),
        Parameter::count("operations", "how often a node is added and one removed", 150_000, 0..=1_000_000_000),
    ],
    make: |values| {
        Ok(Box::new(Splay {
            nodes: values.count("nodes") as u32,
            payload_depth: values.count("payload-depth") as u32,
            operations: values.count("operations") as u32,
        }))
    },
};

/// How many numbers are in a leaf of a payload.
const NUMBERS: usize = 10;

#[derive(Debug)]
struct Splay {
    /// How many nodes the tree has.
    nodes: u32,
    /// How deep a payload is.
    payload_depth: u32,
    /// How often a node is added and one removed.
    operations: u32,
}

#[derive(Debug, Trace)]
struct Node {
    words: Words,
    key: Option<Number>,
    payload: Option<Gc<Payload>>,
    left: Option<Gc<Node>>,
    right: Option<Gc<Node>>,
}

/// A payload, which has one shape or the other, as in a language without types.
#[derive(Copy, Clone, Debug, Trace)]
struct Payload {
    words: Words,
    first: AnyGc,
    second: AnyGc,
}

#[derive(Debug, Default, Trace)]
struct Roots {
    tree: Option<Gc<Node>>,
    /// What is apart from the tree while a node is removed.
    aside: Option<Gc<Node>>,
    payloads: Stack<Payload>,
}

/// What is done with a key.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Step {
    Add,
    AddAndRemove,
}

impl Workload for Splay {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut numbers = Numbers::new(session.random().get_seed());
        let mut roots = Roots::default();
        session.plan(u64::from(self.nodes) + u64::from(self.operations));
        for (phase, step, count) in
            [("planting", Step::Add, self.nodes), ("turning", Step::AddAndRemove, self.operations)]
        {
            session.phase(phase);
            for _ in 0..count {
                while !self.step(session, &mut roots, numbers.next(), step)? {}
                session.done(1);
                session.safepoint(&roots)?;
            }
        }
        Ok(sum(session.heap(), self.payload_depth, roots.tree))
    }
}

impl Splay {
    /// One operation, which does nothing and gives `false` if there is a node with that key.
    fn step(&self, session: &mut Session, roots: &mut Roots, number: u32, step: Step) -> Result<bool, Stop> {
        let key = f64::from(number) / 4_294_967_296.0;
        if !self.add(session, roots, key, number)? {
            return Ok(false);
        }
        if step == Step::AddAndRemove {
            let lesser = greatest_below(session, roots, key)?.unwrap_or(key);
            remove(session, roots, lesser)?;
        }
        Ok(true)
    }

    #[allow(clippy::float_cmp, reason = "a key is compared with itself")]
    fn add(&self, session: &mut Session, roots: &mut Roots, key: f64, number: u32) -> Result<bool, Stop> {
        let top = splay(session, roots, key)?;
        if top.is_some_and(|top| key_of(session.heap(), top) == key) {
            return Ok(false);
        }
        let payload = self.payload(session, roots, number)?;
        roots.payloads.push(payload);
        let number = put(session.heap(), roots, key)?;
        roots.payloads.pop();
        let mut node =
            Node { words: Words::default(), key: Some(number), payload: Some(payload), left: None, right: None };
        if let Some(top) = top {
            let heap = session.heap();
            if key > key_of(heap, top) {
                (node.left, node.right) = (Some(top), heap.get_mut(top).right.take());
            } else {
                (node.left, node.right) = (heap.get_mut(top).left.take(), Some(top));
            }
        }
        // What the node refers to is all of the tree.
        roots.tree = Some(put(session.heap(), &roots.payloads, node)?);
        Ok(true)
    }

    /// Builds the payload of a number from its leaves up.
    fn payload(&self, session: &mut Session, roots: &mut Roots, number: u32) -> Result<Gc<Payload>, Stop> {
        for leaf in 1..=1_u32 << self.payload_depth {
            let elements = put_slice(session.heap(), roots, NUMBERS, |at| u64::from(number & 0xffff) + at as u64)?;
            let array = put(session.heap(), roots, Array::of(elements, NUMBERS))?;
            let string = put_text(session.heap(), &(&*roots, array), text(number))?;
            let leaf_of = Payload { words: Words::default(), first: array.erase(), second: string.erase() };
            let mut payload = put(session.heap(), roots, leaf_of)?;
            for _ in 0..leaf.trailing_zeros() {
                let first = roots.payloads.pop().expect("a left one for each right one").erase();
                payload =
                    put(session.heap(), roots, Payload { words: Words::default(), first, second: payload.erase() })?;
            }
            roots.payloads.push(payload);
        }
        Ok(roots.payloads.pop().expect("a payload has a leaf"))
    }
}

fn key_of(heap: &Heap, node: Gc<Node>) -> f64 {
    heap[heap[node].key.expect("only the node to hang sides on has none")]
}

/// Turns the node with the key, or one beside it, to the root: from the top down, after Sleator and Tarjan.
fn splay(session: &mut Session, roots: &mut Roots, key: f64) -> Result<Option<Gc<Node>>, Stop> {
    let Some(mut current) = roots.tree else { return Ok(None) };
    let none = Node { words: Words::default(), key: None, payload: None, left: None, right: None };
    let hook = put(session.heap(), roots, none)?;
    let (mut left, mut right) = (hook, hook);
    let heap = session.heap();
    loop {
        let here = key_of(heap, current);
        if key < here {
            let Some(mut child) = heap[current].left else { break };
            if key < key_of(heap, child) {
                heap.get_mut(current).left = heap[child].right;
                heap.get_mut(child).right = Some(current);
                current = child;
                let Some(next) = heap[current].left else { break };
                child = next;
            }
            heap.get_mut(right).left = Some(current);
            right = current;
            current = child;
        } else if key > here {
            let Some(mut child) = heap[current].right else { break };
            if key > key_of(heap, child) {
                heap.get_mut(current).right = heap[child].left;
                heap.get_mut(child).left = Some(current);
                current = child;
                let Some(next) = heap[current].right else { break };
                child = next;
            }
            heap.get_mut(left).right = Some(current);
            left = current;
            current = child;
        } else {
            break;
        }
    }
    let Node { left: inner_left, right: inner_right, .. } = heap[current];
    heap.get_mut(left).right = inner_left;
    heap.get_mut(right).left = inner_right;
    let Node { left: greater, right: lesser, .. } = heap[hook];
    let top = heap.get_mut(current);
    (top.left, top.right) = (lesser, greater);
    roots.tree = Some(current);
    Ok(roots.tree)
}

fn greatest_below(session: &mut Session, roots: &mut Roots, key: f64) -> Result<Option<f64>, Stop> {
    let Some(top) = splay(session, roots, key)? else { return Ok(None) };
    let heap = session.heap();
    if key_of(heap, top) < key {
        return Ok(Some(key_of(heap, top)));
    }
    let Some(mut greatest) = heap[top].left else { return Ok(None) };
    while let Some(next) = heap[greatest].right {
        greatest = next;
    }
    Ok(Some(key_of(heap, greatest)))
}

/// Removes the node with that key, which is there.
fn remove(session: &mut Session, roots: &mut Roots, key: f64) -> Result<(), Stop> {
    let Some(top) = splay(session, roots, key)? else { return Ok(()) };
    let Node { left, right, .. } = session.heap()[top];
    let Some(left) = left else {
        roots.tree = right;
        return Ok(());
    };
    // The greater ones hang on the old root meanwhile: what is kept has to hold on to both sides.
    roots.aside = right;
    roots.tree = Some(left);
    let top = splay(session, roots, key)?.expect("there is one");
    session.heap().get_mut(top).right = roots.aside.take();
    Ok(())
}

/// The sum over all nodes in the order of their keys, which is wrong for a tree out of order.
fn sum(heap: &Heap, depth: u32, tree: Option<Gc<Node>>) -> u64 {
    let mut sum = Checksum::default();
    let (mut pending, mut at) = (Vec::new(), tree);
    while at.is_some() || !pending.is_empty() {
        while let Some(node) = at {
            pending.push(node);
            at = heap[node].left;
        }
        let node = pending.pop().expect("the loop's condition");
        // A fraction of 32 bits times 2^32 is the number that it was made of.
        #[allow(clippy::cast_sign_loss, reason = "keys are not negative")]
        sum.add((key_of(heap, node) * 4_294_967_296.0) as u32);
        if let Some(payload) = heap[node].payload {
            sum_of_payload(heap, payload.erase(), depth, &mut sum);
        }
        at = heap[node].right;
    }
    sum.get()
}

fn sum_of_payload(heap: &Heap, payload: AnyGc, depth: u32, sum: &mut Checksum) {
    let Payload { first, second, .. } = heap[object(heap, payload)];
    if depth > 0 {
        sum_of_payload(heap, first, depth - 1, sum);
        sum_of_payload(heap, second, depth - 1, sum);
        return;
    }
    let array: Gc<Array<u64>> = object(heap, first);
    for &number in &heap[heap[array].elements] {
        sum.add(number as u32);
    }
    let string: Gc<str> = object(heap, second);
    sum.add(sum_of(&heap[string]));
}

/// A reference whose type is known by its place.
fn object<T: Object + ?Sized>(heap: &Heap, any: AnyGc) -> Gc<T> {
    any.downcast(heap).expect("an object of the type that was put there")
}
