//! The workload `weak-map`: a map of a million objects that it does not keep, with a value for each.
//!
//! The objects are in a table, and the map has grown to its size: an insertion that finds a map full moves all its entries, as
//! in any hash table, which is not what this measures. One after the other, a random place of it gets a new object, for which the map gets a new
//! value; with the object that was there goes its entry. Before that, the value of another is read.

use super::measure::Measurement;
use super::random::Random;
use super::watch::Watch;
use super::workload::Sizes;

/// Objects and a map of values for them, in a contestant's hands.
pub trait Notes {
    /// Puts a new object in a place of the table, with a value that has this number.
    fn replace(&mut self, at: usize, number: u32, watch: &mut Watch);

    /// The number of the value for the object in a place.
    fn number(&mut self, at: usize) -> u32;
}

/// Runs the workload. `new` makes a table of so many places, and an empty map.
pub fn run<N: Notes>(sizes: &Sizes, new: impl FnOnce(usize) -> N) -> Measurement {
    let mut notes = new(sizes.weak_entries as usize);
    let mut random = Random::new();
    let mut unseen = Watch::begin(sizes.pass);
    for at in 0..sizes.weak_entries {
        notes.replace(at as usize, random.next(), &mut unseen);
    }
    // Until the map is as large as what is alive and what is not known to be dead.
    for _ in 0..sizes.weak_operations {
        notes.replace(random.below(sizes.weak_entries) as usize, random.next(), &mut unseen);
    }
    let mut sum = 0;
    let mut watch = Watch::begin(sizes.pass);
    for _ in 0..sizes.weak_operations {
        sum += u64::from(notes.number(random.below(sizes.weak_entries) as usize) & 0xff);
        let at = random.below(sizes.weak_entries) as usize;
        notes.replace(at, random.next(), &mut watch);
    }
    watch.end(u64::from(sizes.weak_operations)).checked(sum)
}
