//! What collections have cost, by kind and by reason.

use super::Pauses;
use super::clock::Timing;
use crate::events::{Kind, Reason};
use crate::heap::Heap;
use crate::raw::Extent;
use crate::schedule::Cycle;
use std::time::Duration;

/// What the collections of one kind, begun for one reason, have cost together.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Heap, Kind};
///
/// let mut heap = Heap::new();
/// let kept = heap.alloc([0_u64; 3]);
/// heap.alloc([0_u64; 3]);
/// heap.collect(&kept);
///
/// let totals = heap.collection_statistics().of_kind(Kind::Full);
/// assert_eq!((totals.collections, totals.freed_objects), (1, 1));
/// assert_eq!(totals.survival(), 0.5);
/// ```
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectionTotals {
    /// Collections that were completed.
    pub collections: u64,
    /// Slices in which they were done.
    pub slices: u64,
    /// Units of work.
    pub work: u64,
    /// Bytes of the objects that they could have freed: for a minor one what was allocated since the collection before, for a
    /// full one all.
    pub candidate_bytes: u64,
    /// Bytes of cells and blocks that were freed.
    pub freed_bytes: u64,
    /// Objects that were freed.
    pub freed_objects: u64,
    /// The time of all slices together.
    pub paused: Duration,
    /// The longest slice.
    pub longest: Duration,
}

impl CollectionTotals {
    /// The part of the candidates' bytes that survived, from 0 to 1; 1 if there were none.
    ///
    /// ```
    /// assert_eq!(tumulus_heap::CollectionTotals::default().survival(), 1.0);
    /// ```
    pub fn survival(&self) -> f64 {
        if self.candidate_bytes == 0 {
            return 1.0;
        }
        1.0 - self.freed_bytes as f64 / self.candidate_bytes as f64
    }

    fn add(&mut self, other: &CollectionTotals) {
        self.collections += other.collections;
        self.slices += other.slices;
        self.work += other.work;
        self.candidate_bytes += other.candidate_bytes;
        self.freed_bytes += other.freed_bytes;
        self.freed_objects += other.freed_objects;
        self.paused += other.paused;
        self.longest = self.longest.max(other.longest);
    }
}

const KINDS: [Kind; 2] = [Kind::Minor, Kind::Full];
const REASONS: [Reason; 6] =
    [Reason::Asked, Reason::Nursery, Reason::Growth, Reason::Limit, Reason::Failure, Reason::Zeal];

/// What has been counted.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    totals: [[CollectionTotals; REASONS.len()]; KINDS.len()],
    pauses: [Pauses; KINDS.len()],
    pauses_by_reason: [[Pauses; REASONS.len()]; KINDS.len()],
}

impl Ledger {
    pub(crate) fn note(&mut self, cycle: &Cycle, freed_objects: u64, freed_bytes: u64, timing: Timing) {
        let candidate_bytes = match cycle.extent {
            Extent::Young => cycle.young_bytes,
            Extent::Full => cycle.used_before as u64,
        };
        self.totals[place_of(cycle.extent)][cycle.reason as usize].add(&CollectionTotals {
            collections: 1,
            slices: cycle.slices,
            work: cycle.work,
            candidate_bytes,
            freed_bytes,
            freed_objects,
            paused: timing.paused,
            longest: timing.longest,
        });
    }

    pub(crate) fn note_slice(&mut self, extent: Extent, reason: Reason, took: Duration) {
        let place = place_of(extent);
        self.pauses[place].note(took);
        self.pauses_by_reason[place][reason as usize].note(took);
    }
}

fn place_of(extent: Extent) -> usize {
    match extent {
        Extent::Young => Kind::Minor as usize,
        Extent::Full => Kind::Full as usize,
    }
}

/// What the collections of a heap have cost; from [`Heap::collection_statistics`].
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Heap, Kind, Reason};
///
/// let mut heap = Heap::new();
/// heap.collect(&());
/// heap.collect_minor(&());
///
/// let statistics = heap.collection_statistics();
/// for (kind, reason, totals) in statistics.by_reason() {
///     println!("{kind}, {reason}: {} collections in {:?}", totals.collections, totals.paused);
/// }
/// assert_eq!(statistics.of_kind(Kind::Minor).collections, 1);
/// assert!(statistics.mutator_utilisation() <= 1.0);
/// ```
#[derive(Debug)]
pub struct CollectionStatistics<'h> {
    heap: &'h Heap,
}

impl CollectionStatistics<'_> {
    /// The kinds and reasons of which there were collections, with what these have cost.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Kind, Reason};
    /// # if std::env::var_os("TUMULUS_ZEAL").is_none() {
    /// let mut heap = Heap::new();
    /// heap.collect(&());
    /// let statistics = heap.collection_statistics();
    /// let (kind, reason, totals) = statistics.by_reason().next().unwrap();
    /// assert_eq!((kind, reason, totals.collections), (Kind::Full, Reason::Asked, 1));
    /// # }
    /// ```
    pub fn by_reason(&self) -> impl Iterator<Item = (Kind, Reason, CollectionTotals)> + '_ {
        KINDS.into_iter().flat_map(|kind| {
            let of_kind = self.heap.accounts.ledger.totals[kind as usize];
            let of_reasons = REASONS.into_iter().map(move |reason| (kind, reason, of_kind[reason as usize]));
            of_reasons.filter(|(_, _, totals)| totals.collections > 0)
        })
    }

    /// What the collections of a kind have cost.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Kind};
    /// let mut heap = Heap::new();
    /// heap.collect(&());
    /// assert_eq!(heap.collection_statistics().of_kind(Kind::Full).collections, 1);
    /// ```
    pub fn of_kind(&self, kind: Kind) -> CollectionTotals {
        let mut sum = CollectionTotals::default();
        self.heap.accounts.ledger.totals[kind as usize].iter().for_each(|totals| sum.add(totals));
        sum
    }

    /// How long the slices of collections of a kind took, that of one under way among them.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Kind};
    /// let mut heap = Heap::new();
    /// heap.collect(&());
    /// assert_eq!(heap.collection_statistics().pauses(Kind::Full).count(), 1);
    /// ```
    pub fn pauses(&self, kind: Kind) -> &Pauses {
        &self.heap.accounts.ledger.pauses[kind as usize]
    }

    /// The same of collections that began for one reason. What a program asks for while a collection is under way is for that
    /// reason from then on.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Kind, Reason};
    /// let mut heap = Heap::new();
    /// heap.collect(&());
    /// let statistics = heap.collection_statistics();
    /// let asked = statistics.pauses_by_reason(Kind::Full, Reason::Asked);
    /// println!("99 of 100 slices took at most {:?}", asked.percentile(99.0));
    /// # if std::env::var_os("TUMULUS_ZEAL").is_none() {
    /// assert_eq!(asked.count(), 1);
    /// assert_eq!(statistics.pauses_by_reason(Kind::Full, Reason::Growth).count(), 0);
    /// # }
    /// ```
    pub fn pauses_by_reason(&self, kind: Kind, reason: Reason) -> &Pauses {
        &self.heap.accounts.ledger.pauses_by_reason[kind as usize][reason as usize]
    }

    /// Bytes that the program allocates in a second of its own time, since the heap was made.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::new();
    /// heap.alloc([0_u64; 100]);
    /// println!("{:.1} MB/s", heap.collection_statistics().allocation_rate() / 1e6);
    /// # assert!(heap.collection_statistics().allocation_rate() > 0.0);
    /// ```
    pub fn allocation_rate(&self) -> f64 {
        let time = self.heap.accounts.clock.of_program().as_secs_f64();
        if time > 0.0 { self.heap.store.allocated_bytes() as f64 / time } else { 0.0 }
    }

    /// The part of the time since the heap was made in which the program ran and not the collector, from 0 to 1.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// assert!(Heap::new().collection_statistics().mutator_utilisation() > 0.0);
    /// ```
    pub fn mutator_utilisation(&self) -> f64 {
        self.heap.accounts.clock.mutator_utilisation()
    }
}

impl Heap {
    /// What collections have cost, by kind and by reason, and how long their slices took. It is counted in any case; this
    /// reads it.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, Kind};
    /// let mut heap = Heap::new();
    /// heap.collect(&());
    /// println!("{}", heap.collection_statistics().pauses(Kind::Full));
    /// ```
    pub fn collection_statistics(&self) -> CollectionStatistics<'_> {
        CollectionStatistics { heap: self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_reasons_stand_where_their_numbers_say() {
        assert!(KINDS.iter().enumerate().all(|(at, &kind)| kind as usize == at));
        assert!(REASONS.iter().enumerate().all(|(at, &reason)| reason as usize == at));
    }
}
