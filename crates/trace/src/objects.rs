//! The objects of a replay, by their numbers.
//!
//! An edge leads to an object that was made lately, as a rule, so that those are found by their place in a list. The others
//! are few, as most objects die young: a sorted list of those that were alive when it was made.

use tumulus_heap::AnyGc;

/// The fewest new objects after which the dead are looked for.
const FEW: usize = 1 << 12;

/// See the file's header.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    /// With their numbers, ascending.
    old: Vec<(u64, AnyGc)>,
    /// The number of the first of the new ones.
    first_new: u64,
    new: Vec<AnyGc>,
}

impl Objects {
    /// Adds one; its number is the next.
    pub(crate) fn push(&mut self, object: AnyGc) {
        self.new.push(object);
    }

    /// How many were added.
    pub(crate) fn count(&self) -> u64 {
        self.first_new + self.new.len() as u64
    }

    /// The one of that number; it may be dead. `None` if it is known to be.
    pub(crate) fn get(&self, number: u64) -> Option<AnyGc> {
        match number.checked_sub(self.first_new) {
            Some(at) => self.new.get(usize::try_from(at).ok()?).copied(),
            None => self.old.binary_search_by_key(&number, |&(known, _)| known).ok().map(|at| self.old[at].1),
        }
    }

    /// Those that were added from this number on, as far as they are not known to be dead.
    pub(crate) fn since(&self, number: u64) -> impl Iterator<Item = AnyGc> {
        let old = self.old.partition_point(|&(known, _)| known < number);
        let new = usize::try_from(number.saturating_sub(self.first_new)).map_or(self.new.len(), |new| new);
        let new = &self.new[new.min(self.new.len())..];
        self.old[old..].iter().map(|&(_, object)| object).chain(new.iter().copied())
    }

    /// Forgets the dead, if it is worth looking for them.
    pub(crate) fn tidy(&mut self, is_alive: impl Fn(AnyGc) -> bool) {
        if self.new.len() < self.old.len().max(FEW) {
            return;
        }
        let next = self.count();
        self.old.retain(|&(_, object)| is_alive(object));
        let numbered = (self.first_new..).zip(self.new.drain(..));
        self.old.extend(numbered.filter(|&(_, object)| is_alive(object)));
        self.first_new = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tumulus_heap::{Heap, Zeal};

    #[test]
    fn objects_keep_their_numbers_when_others_are_forgotten() {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        let made: Vec<AnyGc> = (0..2 * FEW as u64 + 7).map(|n| heap.alloc(n).erase()).collect();
        let is_alive = |object: AnyGc| made.iter().position(|&known| known == object).unwrap().is_multiple_of(500);
        let mut objects = Objects::default();
        for &object in &made[..FEW - 1] {
            objects.push(object);
            objects.tidy(|_| unreachable!("too few to look"));
        }
        objects.push(made[FEW - 1]);
        objects.tidy(is_alive);
        assert!(objects.new.is_empty() && objects.old.len() == FEW.div_ceil(500));
        made[FEW..].iter().for_each(|&object| objects.push(object));
        for round in 0..2 {
            assert_eq!(objects.count(), made.len() as u64);
            for (number, &object) in made.iter().enumerate() {
                let is_known = number.is_multiple_of(500) || (round == 0 && number >= FEW);
                assert_eq!(objects.get(number as u64), is_known.then_some(object), "{number}");
            }
            assert_eq!(objects.get(made.len() as u64), None);
            let since: Vec<AnyGc> = objects.since(FEW as u64 - 100).collect();
            let expected = made[FEW - 100..].iter().filter(|&&object| is_alive(object)).count();
            let old = (FEW - 100..FEW).filter(|number| number.is_multiple_of(500)).count();
            assert_eq!(since.len(), if round == 0 { old + FEW + 7 } else { expected });
            objects.tidy(is_alive);
        }
    }
}
