//! The workload `splay`, after the benchmark of V8 of that name: a tree that turns its root at each access.
//!
//! Each node has a payload: a tree of depth 5 whose 32 leaves are an array of ten numbers and a text. An operation adds
//! a node with a random key and removes the one with the greatest key below it. As in V8's program a key is a number
//! from 0 to 1, and each splaying allocates a node to hang the two sides on.

use super::measure::Measurement;
use super::random::Random;
use super::watch::Watch;
use super::workload::Sizes;

/// How deep a payload is.
pub const PAYLOAD_DEPTH: u32 = 5;
/// How many numbers are in one of its leaves.
pub const NUMBERS: usize = 10;

/// The numbers in all leaves of the payload of `number`.
#[inline]
pub fn numbers(number: u32) -> [f64; NUMBERS] {
    std::array::from_fn(|at| f64::from((number & 0xffff) + at as u32))
}

/// The text in all leaves of the payload of `number`.
pub fn text(number: u32) -> String {
    format!("String for key {number} in leaf node")
}

/// What a leaf adds to the checksum.
pub fn sum_of_leaf(numbers: &[f64], text: &str) -> u64 {
    #[allow(clippy::cast_sign_loss)] // They are small whole numbers.
    let sum = numbers.iter().sum::<f64>() as u64;
    sum + text.len() as u64
}

/// The key that belongs to a random number.
fn key_of(number: u32) -> f64 {
    f64::from(number) / 4_294_967_296.0
}

/// Nodes, in a contestant's hands. `Link` is what leads to one.
pub trait Nodes {
    /// What leads to a node.
    type Link: Clone;
    /// What leads to a payload.
    type Payload;

    /// A payload for that number.
    fn payload(&mut self, number: u32) -> Self::Payload;
    /// A node without links.
    fn node(&mut self, key: f64, payload: Option<Self::Payload>) -> Self::Link;
    /// The key of a node.
    fn key(&self, node: &Self::Link) -> f64;
    /// The link to the left, where keys are less.
    fn left(&self, node: &Self::Link) -> Option<Self::Link>;
    /// The link to the right, where keys are greater.
    fn right(&self, node: &Self::Link) -> Option<Self::Link>;
    /// Changes the link to the left.
    fn set_left(&mut self, node: &Self::Link, to: Option<Self::Link>);
    /// Changes the link to the right.
    fn set_right(&mut self, node: &Self::Link, to: Option<Self::Link>);
    /// The sum over a payload.
    fn sum(&self, node: &Self::Link) -> u64;
}

/// A whole tree, in a contestant's hands.
pub trait Tree {
    /// Does [`step`] to the tree, then lets the collector do what is due. Whether there was no such key.
    fn step(&mut self, number: u32, step: Step, watch: &mut Watch) -> bool;

    /// The [`checksum`].
    fn checksum(&mut self) -> u64;
}

/// What is done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A node is added.
    Add,
    /// A node is added, and the next lesser one removed.
    AddAndRemove,
}

/// One operation. Gives the new root, or nothing if the key is there already.
#[inline]
pub fn step<N: Nodes>(nodes: &mut N, root: &mut Option<N::Link>, number: u32, step: Step) -> bool {
    let key = key_of(number);
    if !add(nodes, root, key, number) {
        return false;
    }
    if step == Step::AddAndRemove {
        let lesser = greatest_below(nodes, root, key).unwrap_or(key);
        remove(nodes, root, lesser);
    }
    true
}

/// Turns the node with the key, or one beside it, to the root: from the top down, after Sleator and Tarjan.
#[inline]
fn splay<N: Nodes>(nodes: &mut N, root: &N::Link, key: f64) -> N::Link {
    let hook = nodes.node(0.0, None);
    let (mut left, mut right) = (hook.clone(), hook.clone());
    let mut current = root.clone();
    loop {
        let here = nodes.key(&current);
        if key < here {
            let Some(mut child) = nodes.left(&current) else { break };
            if key < nodes.key(&child) {
                let inner = nodes.right(&child);
                nodes.set_left(&current, inner);
                nodes.set_right(&child, Some(current));
                current = child;
                let Some(next) = nodes.left(&current) else { break };
                child = next;
            }
            nodes.set_left(&right, Some(current.clone()));
            right = current;
            current = child;
        } else if key > here {
            let Some(mut child) = nodes.right(&current) else { break };
            if key > nodes.key(&child) {
                let inner = nodes.left(&child);
                nodes.set_right(&current, inner);
                nodes.set_left(&child, Some(current));
                current = child;
                let Some(next) = nodes.right(&current) else { break };
                child = next;
            }
            nodes.set_right(&left, Some(current.clone()));
            left = current;
            current = child;
        } else {
            break;
        }
    }
    let inner = nodes.left(&current);
    nodes.set_right(&left, inner);
    let inner = nodes.right(&current);
    nodes.set_left(&right, inner);
    let lesser = nodes.right(&hook);
    nodes.set_left(&current, lesser);
    let greater = nodes.left(&hook);
    nodes.set_right(&current, greater);
    current
}

#[inline]
#[allow(clippy::float_cmp)] // A key is compared with itself.
fn add<N: Nodes>(nodes: &mut N, root: &mut Option<N::Link>, key: f64, number: u32) -> bool {
    if let Some(old) = root.take() {
        let top = splay(nodes, &old, key);
        if nodes.key(&top) == key {
            *root = Some(top);
            return false;
        }
        let payload = nodes.payload(number);
        let node = nodes.node(key, Some(payload));
        if key > nodes.key(&top) {
            let greater = nodes.right(&top);
            nodes.set_right(&node, greater);
            nodes.set_right(&top, None);
            nodes.set_left(&node, Some(top));
        } else {
            let lesser = nodes.left(&top);
            nodes.set_left(&node, lesser);
            nodes.set_left(&top, None);
            nodes.set_right(&node, Some(top));
        }
        *root = Some(node);
    } else {
        let payload = nodes.payload(number);
        *root = Some(nodes.node(key, Some(payload)));
    }
    true
}

#[inline]
fn greatest_below<N: Nodes>(nodes: &mut N, root: &mut Option<N::Link>, key: f64) -> Option<f64> {
    let top = splay(nodes, &root.take()?, key);
    let here = nodes.key(&top);
    *root = Some(top.clone());
    if here < key {
        return Some(here);
    }
    let mut greatest = nodes.left(&top)?;
    while let Some(next) = nodes.right(&greatest) {
        greatest = next;
    }
    Some(nodes.key(&greatest))
}

#[inline]
fn remove<N: Nodes>(nodes: &mut N, root: &mut Option<N::Link>, key: f64) {
    let Some(old) = root.take() else { return };
    let top = splay(nodes, &old, key);
    let greater = nodes.right(&top);
    *root = match nodes.left(&top) {
        None => greater,
        Some(lesser) => {
            let top = splay(nodes, &lesser, key);
            nodes.set_right(&top, greater);
            Some(top)
        }
    };
}

/// Sums over all nodes in the order of their keys, and is wrong for a tree that is out of order.
pub fn checksum<N: Nodes>(nodes: &N, root: Option<N::Link>) -> u64 {
    let mut sum = 0_u64;
    let mut before = -1.0;
    let mut pending = Vec::new();
    let mut next = root;
    loop {
        while let Some(node) = next {
            next = nodes.left(&node);
            pending.push(node);
        }
        let Some(node) = pending.pop() else { return sum };
        let key = nodes.key(&node);
        assert!(before < key, "the tree is out of order");
        before = key;
        #[allow(clippy::cast_sign_loss)] // A key is not negative.
        let number = (key * 4_294_967_296.0) as u64;
        sum += number + nodes.sum(&node);
        next = nodes.right(&node);
    }
}

/// Runs the workload on an empty tree.
pub fn run(sizes: &Sizes, mut tree: impl Tree) -> Measurement {
    let mut random = Random::new();
    let mut unseen = Watch::begin(sizes.pass);
    for _ in 0..sizes.splay_nodes {
        while !tree.step(random.next(), Step::Add, &mut unseen) {}
    }
    let mut watch = Watch::begin(sizes.pass);
    for _ in 0..sizes.splay_operations {
        while !tree.step(random.next(), Step::AddAndRemove, &mut watch) {}
    }
    watch.end(u64::from(sizes.splay_operations)).checked(tree.checksum())
}
