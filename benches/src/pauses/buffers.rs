//! The workload `buffers`: a million small buffers in a table, of which half die at once.
//!
//! Every second place of the table is emptied, and then gets a new buffer, one place after the other. Then the other half. So
//! while the collector finds and drops half a million buffers, whose bytes are outside of its heap, the program makes as many.

use super::measure::Measurement;
use super::random::scatter;
use super::watch::Watch;
use super::workload::Sizes;

/// The size of a buffer.
pub const BYTES: usize = 64;

/// A table of buffers, in a contestant's hands.
pub trait Table {
    /// Empties a place.
    fn empty(&mut self, at: usize, watch: &mut Watch);

    /// Puts a new buffer of [`BYTES`] zeros in a place, and writes its first byte.
    fn fill(&mut self, at: usize, first: u8, watch: &mut Watch);

    /// The sum of the bytes of a buffer, which is there.
    fn sum(&self, at: usize) -> u64;
}

/// Runs the workload. `new` makes a table with so many places, all empty.
pub fn run<T: Table>(sizes: &Sizes, new: impl FnOnce(usize) -> T) -> Measurement {
    let places = sizes.buffers as usize;
    let mut table = new(places);
    let mut unseen = Watch::begin(sizes.pass);
    let first = |at: usize, round: u32| (scatter(at as u32) + round) as u8;
    (0..places).for_each(|at| table.fill(at, first(at, 0), &mut unseen));
    let mut watch = Watch::begin(sizes.pass);
    for half in [0, 1] {
        (half..places).step_by(2).for_each(|at| table.empty(at, &mut watch));
        (half..places).step_by(2).for_each(|at| table.fill(at, first(at, 1), &mut watch));
    }
    let measurement = watch.end(u64::from(sizes.buffers));
    measurement.checked((0..places).map(|at| table.sum(at)).sum())
}
