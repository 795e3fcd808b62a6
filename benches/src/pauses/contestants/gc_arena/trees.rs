//! The workloads of trees.

use gc_arena::{Arena, Collect, Gc, Rootable};

use super::{Link, Table};
use crate::pauses::forest::Forest;
use crate::pauses::watch::Watch;
use crate::trees;

#[derive(Collect)]
#[collect(no_drop)]
struct Tree<'gc> {
    left: Link<'gc, Tree<'gc>>,
    right: Link<'gc, Tree<'gc>>,
    value: u64,
}

type TreesRoot = Rootable![Table<'_, Tree<'_>>];

/// An arena with a table of trees.
pub struct Trees(Arena<TreesRoot>);

impl Trees {
    pub fn new(places: usize) -> Self {
        Trees(Arena::new(|mc| Table::new(mc, places)))
    }
}

impl Forest for Trees {
    fn replace(&mut self, place: usize, nodes: u64, value: u32, watch: &mut Watch) {
        let value = u64::from(value);
        self.0.mutate(|mc, table| {
            let tree = trees::balanced(nodes, &mut |left, right, _| Gc::new(mc, Tree { left, right, value }));
            table.set(mc, place, tree);
        });
        watch.pause(|| self.0.collect_debt());
    }

    fn sum(&mut self) -> u64 {
        fn sum(tree: &Tree<'_>) -> u64 {
            tree.value + tree.left.map_or(0, |left| sum(&left)) + tree.right.map_or(0, |right| sum(&right))
        }
        self.0.mutate(|_, table| table.values().map(|tree| sum(&tree)).sum())
    }
}
