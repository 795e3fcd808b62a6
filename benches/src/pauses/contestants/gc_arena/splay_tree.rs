//! The workload `splay`.

use gc_arena::barrier::unlock;
use gc_arena::{Arena, Collect, Gc, Lock, Mutation, Rootable};

use super::Link;
use crate::pauses::splay::{self, NUMBERS, Nodes, PAYLOAD_DEPTH, Step};
use crate::pauses::watch::Watch;

#[derive(Collect)]
#[collect(no_drop)]
pub struct SplayNode<'gc> {
    key: f64,
    left: Lock<Link<'gc, SplayNode<'gc>>>,
    right: Lock<Link<'gc, SplayNode<'gc>>>,
    payload: Option<Payload<'gc>>,
}

#[derive(Clone, Copy, Collect)]
#[collect(no_drop)]
pub enum Payload<'gc> {
    Branch(Gc<'gc, [Payload<'gc>; 2]>),
    Leaf(Gc<'gc, Leaf<'gc>>),
}

#[derive(Collect)]
#[collect(no_drop)]
pub struct Leaf<'gc> {
    numbers: Gc<'gc, [f64; NUMBERS]>,
    text: Box<str>,
}

type SplayRoot = Rootable![Lock<Link<'_, SplayNode<'_>>>];

/// An arena with a splay tree.
pub struct SplayTree(Arena<SplayRoot>);

impl SplayTree {
    pub fn new() -> Self {
        SplayTree(Arena::new(|_| Lock::new(None)))
    }
}

impl<'gc> Nodes for &Mutation<'gc> {
    type Link = Gc<'gc, SplayNode<'gc>>;
    type Payload = Payload<'gc>;

    fn payload(&mut self, number: u32) -> Payload<'gc> {
        fn grow<'gc>(mc: &Mutation<'gc>, depth: u32, number: u32, text: &str) -> Payload<'gc> {
            if depth == 0 {
                let numbers = Gc::new(mc, splay::numbers(number));
                return Payload::Leaf(Gc::new(mc, Leaf { numbers, text: text.into() }));
            }
            let left = grow(mc, depth - 1, number, text);
            let right = grow(mc, depth - 1, number, text);
            Payload::Branch(Gc::new(mc, [left, right]))
        }
        grow(self, PAYLOAD_DEPTH, number, &splay::text(number))
    }

    #[inline]
    fn node(&mut self, key: f64, payload: Option<Payload<'gc>>) -> Self::Link {
        Gc::new(self, SplayNode { key, left: Lock::new(None), right: Lock::new(None), payload })
    }

    #[inline]
    fn key(&self, node: &Self::Link) -> f64 {
        node.key
    }

    #[inline]
    fn left(&self, node: &Self::Link) -> Option<Self::Link> {
        node.left.get()
    }

    #[inline]
    fn right(&self, node: &Self::Link) -> Option<Self::Link> {
        node.right.get()
    }

    #[inline]
    fn set_left(&mut self, node: &Self::Link, to: Option<Self::Link>) {
        unlock!(Gc::write(self, *node), SplayNode, left).set(to);
    }

    #[inline]
    fn set_right(&mut self, node: &Self::Link, to: Option<Self::Link>) {
        unlock!(Gc::write(self, *node), SplayNode, right).set(to);
    }

    fn sum(&self, node: &Self::Link) -> u64 {
        fn sum(payload: Payload<'_>) -> u64 {
            match payload {
                Payload::Branch(children) => children.iter().map(|&child| sum(child)).sum(),
                Payload::Leaf(leaf) => splay::sum_of_leaf(&*leaf.numbers, &leaf.text),
            }
        }
        node.payload.map_or(0, sum)
    }
}

impl splay::Tree for SplayTree {
    fn step(&mut self, number: u32, step: Step, watch: &mut Watch) -> bool {
        let added = self.0.mutate_root(|mut mc, root| splay::step(&mut mc, root.get_mut(), number, step));
        watch.pause(|| self.0.collect_debt());
        added
    }

    fn checksum(&mut self) -> u64 {
        self.0.mutate(|mc, root| splay::checksum(&mc, root.get()))
    }
}
