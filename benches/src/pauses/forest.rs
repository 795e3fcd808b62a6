//! The workloads of trees: some are alive, and one after the other is replaced.
//!
//! A tree is balanced and of depth 6 or 7: 64 to 190 nodes, at random, of two links and a number, 24 bytes. A table holds
//! the trees that are alive.

use std::time::Duration;

use super::measure::Measurement;
use super::random::Random;
use super::watch::Watch;
use super::workload::{Churn, Sizes};

/// The idle time after each frame: an eighth of what 60 frames a second have.
pub const IDLE: Duration = Duration::from_millis(2);

/// The nodes of the smallest tree, and of the largest.
const SMALLEST: u32 = 64;
const LARGEST: u32 = 190;

/// A table of trees, in a contestant's hands.
pub trait Forest {
    /// Builds a tree of so many nodes with `value` in each of them and puts it in the place of another, then lets the
    /// collector do what is due.
    fn replace(&mut self, place: usize, nodes: u64, value: u32, watch: &mut Watch);

    /// Lets the collector use time that is left; for those that cannot be told, nothing.
    fn idle(&mut self, _budget: Duration, _watch: &mut Watch) {}

    /// The sum of the values of all nodes.
    fn sum(&mut self) -> u64;
}

/// The trees that a workload replaces, one after the other.
#[derive(Debug)]
struct Planter<F> {
    forest: F,
    random: Random,
    trees: u32,
    planted: u32,
    nodes: u64,
}

impl<F: Forest> Planter<F> {
    /// A forest with a tree in each place, outside of the region of interest.
    fn full(trees: u32, sizes: &Sizes, new: impl FnOnce(usize) -> F) -> Self {
        let mut planter = Planter::empty(trees, new);
        let mut unseen = Watch::begin(sizes.pass);
        for place in 0..trees {
            planter.plant(place, &mut unseen);
        }
        planter.nodes = 0;
        planter
    }

    /// A forest with no tree.
    fn empty(trees: u32, new: impl FnOnce(usize) -> F) -> Self {
        Planter { forest: new(trees as usize), random: Random::new(), trees, planted: 0, nodes: 0 }
    }

    fn plant(&mut self, place: u32, watch: &mut Watch) {
        let nodes = u64::from(SMALLEST + self.random.below(LARGEST + 1 - SMALLEST));
        self.planted += 1;
        self.nodes += nodes;
        self.forest.replace(place as usize, nodes, self.planted, watch);
    }

    fn replace_any(&mut self, watch: &mut Watch) {
        let place = self.random.below(self.trees);
        self.plant(place, watch);
    }

    fn end(mut self, watch: Watch) -> Measurement {
        watch.end(self.nodes).checked(self.forest.sum())
    }
}

/// Trees are replaced while a number of them is alive. `new` makes a table with so many empty places.
pub fn churn<F: Forest>(sizes: &Sizes, churn: Churn, new: impl FnOnce(usize) -> F) -> Measurement {
    let mut planter = Planter::full(churn.trees, sizes, new);
    let mut watch = Watch::begin(sizes.pass);
    for _ in 0..churn.replaced {
        planter.replace_any(&mut watch);
    }
    planter.end(watch)
}

/// Trees are planted, and none goes.
pub fn growing<F: Forest>(sizes: &Sizes, new: impl FnOnce(usize) -> F) -> Measurement {
    let mut planter = Planter::empty(sizes.growing_trees, new);
    let mut watch = Watch::begin(sizes.pass);
    for place in 0..sizes.growing_trees {
        planter.plant(place, &mut watch);
    }
    planter.end(watch)
}

/// Trees are replaced in frames, and after each frame the collector may use the time that is left.
pub fn event_loop<F: Forest>(sizes: &Sizes, new: impl FnOnce(usize) -> F) -> Measurement {
    let mut planter = Planter::full(sizes.event_loop.trees, sizes, new);
    let mut watch = Watch::begin(sizes.pass);
    for replaced in 1..=sizes.event_loop.replaced {
        planter.replace_any(&mut watch);
        if replaced.is_multiple_of(sizes.frame) {
            planter.forest.idle(IDLE, &mut watch);
        }
    }
    planter.end(watch)
}
