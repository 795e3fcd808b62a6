//! Where memory is allocated: by samples, or of each allocation.

use crate::heap::Heap;
use crate::raw::{AnyGc, Born, Fresh, Policy, Store};
use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;

/// Where an object was allocated.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Heap, Place};
///
/// let mut heap = Heap::new();
/// heap.track_allocations();
/// heap.alloc([0_u64; 4]);          // this line of the host
/// heap.set_place(Some(17));        // what the guest is at, in a numbering of the host's
/// heap.alloc([0_u64; 4]);
/// let profile = heap.allocation_profile();
/// assert!(profile.rows().iter().any(|row| row.place == Place::Guest(17)));
/// assert!(profile.rows().iter().any(|row| matches!(row.place, Place::Host(_))));
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Place {
    /// What the program has given to [`Heap::set_place`].
    Guest(u64),
    /// The line of the host's source that has called [`Heap::alloc`], or another form of allocation.
    Host(&'static Location<'static>),
    /// Neither is known: no place was set, and the allocation was a value of more than 2 KiB, or by
    /// [`Heap::try_build_slice`].
    Unknown,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Guest(place) => write!(f, "guest {place}"),
            Place::Host(at) => write!(f, "{at}"),
            Place::Unknown => f.write_str("unknown place"),
        }
    }
}

/// What was allocated of one type at one place; a row of an [`AllocationProfile`].
///
/// ```
/// # let mut heap = tumulus_heap::Heap::new();
/// heap.track_allocations();
/// let kept: Vec<_> = (0..10).map(|n| heap.alloc([n, 0, 0_u64])).collect();
/// heap.collect(&kept[..4]);
/// let profile = heap.allocation_profile();
/// let row = &profile.rows()[0];
/// assert_eq!((row.seen, row.objects, row.bytes), (10, 10, 320));
/// assert_eq!((row.live_objects, row.live_bytes), (4, 128));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileRow {
    /// Where.
    pub place: Place,
    /// The name of the type, as the compiler writes it.
    pub type_name: &'static str,
    /// How many allocations were seen.
    pub seen: u64,
    /// How many there were, as estimated from those. The same, if each is seen.
    pub objects: u64,
    /// How many bytes of cells and blocks that were.
    pub bytes: u64,
    /// How many of the objects no collection has found dead yet, estimated in the same way.
    pub live_objects: u64,
    /// The bytes of these.
    pub live_bytes: u64,
}

/// Where memory was allocated; made by [`Heap::allocation_profile`]. It displays as a table.
///
/// ```
/// # let mut heap = tumulus_heap::Heap::new();
/// heap.sample_allocations(512 << 10);
/// for n in 0..100_000 {
///     heap.alloc([n, n, n]);
/// }
/// let profile = heap.allocation_profile();
/// println!("{profile}");
/// assert_eq!(profile.mean_bytes(), 512 << 10);
/// ```
#[derive(Clone, Debug)]
pub struct AllocationProfile {
    rows: Vec<ProfileRow>,
    mean_bytes: usize,
    lost: u64,
}

impl AllocationProfile {
    /// The rows, those with the most bytes first.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// assert!(heap.allocation_profile().rows().is_empty());
    /// ```
    pub fn rows(&self) -> &[ProfileRow] {
        &self.rows
    }

    /// How many bytes are allocated between two samples, on average; 0 if each allocation is seen.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// heap.track_allocations();
    /// assert_eq!(heap.allocation_profile().mean_bytes(), 0);
    /// ```
    pub fn mean_bytes(&self) -> usize {
        self.mean_bytes
    }

    /// Allocations that should be in the rows, and are not, as there was no memory to note them.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// heap.track_allocations();
    /// assert_eq!(heap.allocation_profile().lost(), 0);
    /// ```
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

impl fmt::Display for AllocationProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>14} {:>12} {:>14} {:>12}  type, place", "bytes", "objects", "live bytes", "live")?;
        for row in &self.rows {
            let ProfileRow { place, type_name, objects, bytes, live_objects, live_bytes, .. } = row;
            writeln!(f, "{bytes:>14} {objects:>12} {live_bytes:>14} {live_objects:>12}  {type_name}, {place}")?;
        }
        if self.lost > 0 {
            writeln!(f, "{} allocations were not noted for want of memory", self.lost)?;
        }
        Ok(())
    }
}

/// An object that was seen and may be alive.
#[derive(Copy, Clone, Debug)]
struct Sample {
    object: AnyGc,
    row: u32,
    bytes: usize,
}

/// What a row has counted.
#[derive(Clone, Debug, Default)]
struct Count {
    seen: u64,
    objects: f64,
    bytes: f64,
}

/// Counts allocations by place and type.
#[derive(Debug)]
pub(crate) struct Profiler {
    policy: Policy,
    /// For the draws that are made late, as long as each allocation is observed.
    late: Policy,
    numbers: HashMap<(Place, TypeId), u32>,
    rows: Vec<(Place, &'static str, Count)>,
    samples: Vec<Sample>,
    /// The list of samples is looked through for dead ones when it is so long.
    tidy_at: usize,
    lost: u64,
}

impl Profiler {
    fn new(policy: Policy) -> Profiler {
        Profiler {
            policy,
            late: policy,
            numbers: HashMap::new(),
            rows: Vec::new(),
            samples: Vec::new(),
            tidy_at: 1 << 10,
            lost: 0,
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        self.policy
    }

    /// Draws whether an object is a sample.
    pub(crate) fn takes(&mut self, bytes: usize) -> bool {
        self.late.takes(bytes)
    }

    pub(crate) fn note(&mut self, fresh: &Fresh, born: &Born) {
        let place = match (fresh.guest, fresh.host) {
            (Some(guest), _) => Place::Guest(guest),
            (None, Some(host)) => Place::Host(host),
            (None, None) => Place::Unknown,
        };
        let bytes = born.cell_bytes + born.block_bytes;
        let has_room = self.samples.try_reserve(1).is_ok()
            && self.numbers.try_reserve(1).is_ok()
            && self.rows.try_reserve(1).is_ok();
        if !has_room {
            self.lost += 1;
            return;
        }
        let next = self.rows.len() as u32;
        let row = *self.numbers.entry((place, born.info.id())).or_insert(next);
        if row == next {
            self.rows.push((place, born.info.name(), Count::default()));
        }
        let weight = 1.0 / self.policy.probability(bytes);
        let count = &mut self.rows[row as usize].2;
        count.seen += 1;
        count.objects += weight;
        count.bytes += weight * bytes as f64;
        self.samples.push(Sample { object: born.object, row, bytes });
    }

    /// Forgets what has died, now and then.
    pub(crate) fn tidy(&mut self, store: &Store) {
        if self.samples.len() >= self.tidy_at {
            self.samples.retain(|sample| store.contains(sample.object.handle()));
            self.tidy_at = (self.samples.len() * 2).max(1 << 10);
        }
    }

    #[allow(clippy::cast_sign_loss, reason = "counts are not negative")]
    fn profile(&self, store: &Store) -> AllocationProfile {
        let mut live = vec![Count::default(); self.rows.len()];
        for sample in self.samples.iter().filter(|sample| store.contains(sample.object.handle())) {
            let weight = 1.0 / self.policy.probability(sample.bytes);
            let count = &mut live[sample.row as usize];
            count.objects += weight;
            count.bytes += weight * sample.bytes as f64;
        }
        let rows = self.rows.iter().zip(&live).map(|((place, type_name, count), live)| ProfileRow {
            place: *place,
            type_name,
            seen: count.seen,
            objects: count.objects.round() as u64,
            bytes: count.bytes.round() as u64,
            live_objects: live.objects.round() as u64,
            live_bytes: live.bytes.round() as u64,
        });
        let mut rows: Vec<ProfileRow> = rows.collect();
        rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| (a.place, a.type_name).cmp(&(b.place, b.type_name))));
        let mean_bytes = match self.policy {
            Policy::Each => 0,
            Policy::Sampled { mean, .. } => mean as usize,
        };
        AllocationProfile { rows, mean_bytes, lost: self.lost + store.lost_notes() }
    }
}

impl Heap {
    /// Begins to sample allocations: one for every `mean_bytes`, on average, is noted with its place and type.
    ///
    /// Large objects are noted with a higher probability, and an [`AllocationProfile`] is scaled accordingly: the samples
    /// are a Poisson process over the bytes. With 512 KiB, as V8 has it, a program does not notice. The draws are the same
    /// in each run of a program. A profile that was begun before is thrown away.
    ///
    /// A heap whose allocations nobody observes pays nothing for the possibility. No collection depends on it.
    ///
    /// # Panics
    ///
    /// If `mean_bytes` is 0; for all allocations there is [`track_allocations`](Heap::track_allocations).
    ///
    /// # Examples
    ///
    /// ```
    /// let mut heap = tumulus_heap::Heap::new();
    /// heap.sample_allocations(4096);
    /// for n in 0..100_000_u64 {
    ///     heap.alloc([n; 3]);
    ///     heap.safepoint(&());
    /// }
    /// let profile = heap.allocation_profile();
    /// let row = &profile.rows()[0];
    /// assert!(row.seen < 2_000);
    /// assert!(row.bytes.abs_diff(3_200_000) < 640_000); // about what was allocated
    /// heap.stop_observing_allocations();
    /// ```
    pub fn sample_allocations(&mut self, mean_bytes: usize) {
        assert!(mean_bytes > 0, "samples need a distance: use track_allocations for each allocation");
        self.begin_profile(Policy::Sampled { mean: mean_bytes as f64, random: 1 });
    }

    /// Begins to note the place and type of each allocation. A profile that was begun before is thrown away.
    ///
    /// It takes some tens of nanoseconds and 16 to 64 bytes for each object, and is meant for tests and for the search of
    /// a leak.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut heap = tumulus_heap::Heap::new();
    /// heap.track_allocations();
    /// heap.alloc_str("not kept");
    /// let profile = heap.allocation_profile();
    /// assert_eq!((profile.rows()[0].type_name, profile.rows()[0].objects), ("str", 1));
    /// ```
    pub fn track_allocations(&mut self) {
        self.begin_profile(Policy::Each);
    }

    /// What was allocated since sampling or tracking began, by place and type, and what of it still lives. Empty if neither
    /// did.
    ///
    /// # Examples
    ///
    /// What a test can ask, for a leak:
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// heap.track_allocations();
    /// heap.alloc(vec![1]);
    /// heap.collect(&());
    /// assert!(heap.allocation_profile().rows().iter().all(|row| row.live_objects == 0));
    /// ```
    pub fn allocation_profile(&mut self) -> AllocationProfile {
        if self.observers.profiler.is_none() {
            return AllocationProfile { rows: Vec::new(), mean_bytes: 0, lost: 0 };
        }
        self.tell_born();
        let profiler = self.observers.profiler.as_ref();
        profiler.map(|profiler| profiler.profile(&self.store)).expect("asked above")
    }

    /// Ends sampling or tracking, and forgets what was noted. The profile that there is now is the result.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// heap.track_allocations();
    /// heap.alloc(1);
    /// assert_eq!(heap.stop_observing_allocations().rows().len(), 1);
    /// heap.alloc(1);
    /// assert!(heap.allocation_profile().rows().is_empty());
    /// ```
    pub fn stop_observing_allocations(&mut self) -> AllocationProfile {
        let profile = self.allocation_profile();
        self.observers.profiler = None;
        self.set_watch_again();
        profile
    }

    /// Says where the guest's program is, in numbers that mean something to the host: a position in its source, or of its
    /// bytecode. Allocations from here on have this [`Place`] in profiles, until another is set; `None` for the host's own.
    ///
    /// It is a store to memory, and looked at only when an allocation is noted. An interpreter that knows its position
    /// calls it where that changes, such as at calls.
    ///
    /// ```
    /// # let mut heap = tumulus_heap::Heap::new();
    /// heap.track_allocations();
    /// for line in 1..=3 {
    ///     heap.set_place(Some(line));
    ///     heap.alloc_slice(&[line; 10]);
    /// }
    /// assert_eq!(heap.allocation_profile().rows().len(), 3);
    /// ```
    #[inline]
    pub fn set_place(&mut self, place: Option<u64>) {
        self.store.guest_place = place;
    }

    fn begin_profile(&mut self, policy: Policy) {
        // A witness may not have been told yet what was made before.
        self.tell_born();
        self.observers.profiler = Some(Profiler::new(policy));
        self.set_watch_again();
    }

    /// Observes as before, where there is a witness, whose notes are not lost.
    fn set_watch_again(&mut self) {
        if self.observers.witness.is_none() {
            self.set_watch();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zeal::Zeal;

    /// The same program, observed in any way.
    fn run(begin: impl FnOnce(&mut Heap)) -> (Heap, Vec<String>) {
        use std::{cell::RefCell, rc::Rc};
        let lines = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&lines);
        // Slices that are timed would end elsewhere each time.
        let mut heap = Heap::builder()
            .zeal(Zeal { verify: true, ..Zeal::none() })
            .nursery(32 << 10)
            .pause_budget(crate::Budget::work(1000))
            .build();
        heap.on_event(move |event| sink.borrow_mut().push(event.to_string()));
        begin(&mut heap);
        let mut kept = Vec::new();
        for n in 0..if cfg!(miri) { 150 } else { 6000_u64 } {
            let text = heap.alloc_str(&"x".repeat((n % 90) as usize));
            heap.alloc([n; 3]);
            if n % 3 == 0 {
                kept.push(text);
            }
            if n % 50 == 0 {
                heap.alloc_slice(&[n; 400]);
            }
            if kept.len() > 500 {
                kept.drain(..250);
            }
            heap.safepoint(&kept);
        }
        heap.collect(&kept);
        drop(kept);
        let lines = lines.borrow().clone();
        (heap, lines)
    }

    #[test]
    fn collections_are_the_same_whoever_observes() {
        let (_, plain) = run(|_| {});
        for begin in [|heap: &mut Heap| heap.track_allocations(), |heap: &mut Heap| heap.sample_allocations(1000)] {
            assert_eq!(run(begin).1, plain);
        }
        assert!(cfg!(miri) || plain.len() > 20);
    }

    #[test]
    fn each_is_counted_once_and_what_lives_is_known() {
        let (mut heap, _) = run(Heap::track_allocations);
        let profile = heap.allocation_profile();
        let statistics = heap.statistics();
        assert_eq!(profile.rows().iter().map(|row| row.bytes).sum::<u64>(), statistics.allocated_bytes);
        assert_eq!(profile.rows().iter().map(|row| row.live_bytes).sum::<u64>(), statistics.used_bytes as u64);
        assert_eq!(profile.rows().iter().map(|row| row.live_objects).sum::<u64>(), statistics.live_objects);
    }

    #[test]
    fn it_can_begin_and_end_anywhere() {
        let (mut heap, _) = run(|_| {});
        for turn in 0..20_u64 {
            heap.track_allocations();
            for n in 0..turn * 7 {
                heap.alloc([n; 3]);
            }
            heap.verify().unwrap();
            let profile = heap.stop_observing_allocations();
            assert_eq!(profile.rows().iter().map(|row| row.seen).sum::<u64>(), turn * 7);
            heap.alloc([turn; 3]);
            heap.verify().unwrap();
            if turn % 5 == 0 {
                heap.collect(&());
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "many allocations")]
    fn samples_of_all_sizes_estimate_what_was_allocated() {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        heap.sample_allocations(1 << 10);
        let mut expected = HashMap::new();
        for n in 0..40_000_u64 {
            heap.alloc(n);
            heap.alloc([n; 20]);
            *expected.entry("u64").or_insert(0) += 16;
            *expected.entry("[u64; 20]").or_insert(0) += 176;
            if n % 20 == 0 {
                heap.alloc_slice(&[n; 1000]);
                *expected.entry("[u64]").or_insert(0) += 8032;
            }
            heap.safepoint(&());
        }
        let profile = heap.allocation_profile();
        for (name, bytes) in expected {
            let row = profile.rows().iter().find(|row| row.type_name == name).unwrap();
            // Six hundred samples or more, so that a quarter is six times the deviation.
            let share = row.bytes as f64 / f64::from(bytes);
            assert!((0.75..1.25).contains(&share), "{name}: {share}");
        }
    }

    #[test]
    fn places_of_all_forms_that_know_them() {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        heap.track_allocations();
        let first = line!();
        heap.alloc(1_u64);
        heap.alloc_with(|| 1_u64);
        heap.try_alloc(1_u64).unwrap();
        heap.try_alloc_with(|| 1_u64).unwrap();
        heap.alloc_slice(&[1_u64; 4]);
        heap.alloc_slice(&[1_u64; 4000]);
        heap.alloc_slice_with(4, |n| n);
        heap.alloc_str("text");
        heap.alloc_slice_from_iter(0..4_u8);
        heap.try_alloc_slice(&[1_u64; 4]).unwrap();
        heap.try_alloc_slice_with(4, |n| n).unwrap();
        heap.try_alloc_slice_from_iter(0..4_u8).unwrap();
        heap.try_alloc_str("text").unwrap();
        heap.alloc_or_collect(&(), 1_u64).unwrap();
        let profile = heap.allocation_profile();
        let mut lines: Vec<u32> = profile
            .rows()
            .iter()
            .map(|row| match row.place {
                Place::Host(at) if at.file() == file!() => at.line(),
                other => panic!("{other}"),
            })
            .collect();
        lines.sort_unstable();
        assert!(lines.into_iter().eq(first + 1..first + 15));
        heap.track_allocations();
        heap.try_build_slice(1, |_| Ok::<u8, ()>(1)).unwrap();
        heap.alloc([0_u8; 5000]);
        heap.set_place(Some(9));
        heap.try_alloc_slice(&[1_u8]).unwrap();
        let profile = heap.allocation_profile();
        let unknown: Vec<_> = profile.rows().iter().filter(|row| row.place == Place::Unknown).collect();
        assert_eq!((unknown.len(), profile.rows().len()), (2, 3));
    }

    #[test]
    fn an_allocation_that_unwinds_is_none() {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        heap.track_allocations();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            heap.alloc_with(|| -> u64 { panic!("in the making") });
        }));
        assert!(caught.is_err() && heap.allocation_profile().rows().is_empty());
        heap.alloc(1_u64);
        assert_eq!(heap.allocation_profile().rows()[0].seen, 1);
    }

    #[test]
    fn what_is_written_to_while_a_collection_marks_lives_however_observing_changes() {
        use crate::budget::Budget;
        let changes: [fn(&mut Heap); 2] = [Heap::track_allocations, |heap| drop(heap.stop_observing_allocations())];
        for (change, slices) in changes.into_iter().flat_map(|change| (1..12).map(move |slices| (change, slices))) {
            let mut heap = Heap::builder().zeal(Zeal::none()).build();
            heap.sample_allocations(1 << 20);
            let holder = heap.alloc(None);
            let others: Vec<_> = (0..100).map(|_| heap.alloc(Some(holder))).collect();
            let roots = (holder, others);
            heap.start_major();
            for _ in 0..slices {
                let _ = heap.step(&roots, Budget::work(30));
            }
            change(&mut heap);
            let young = heap.alloc(7_u64);
            *heap.get_mut(holder) = Some(young);
            while heap.statistics().collections == 0 {
                let _ = heap.step(&roots, Budget::work(30));
            }
            assert!(heap.contains(young), "after {slices} slices");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "many allocations")]
    fn samples_of_a_heap_full_of_holes_estimate_what_was_allocated() {
        let mut heap = Heap::builder().zeal(Zeal::none()).build();
        let all: Vec<_> = (0..200_000_u64).map(|n| heap.alloc(n)).collect();
        let every_other: Vec<_> = all.into_iter().step_by(2).collect();
        heap.collect(&every_other);
        heap.sample_allocations(1_000);
        for n in 0..90_000_u64 {
            heap.alloc(n);
        }
        let bytes = heap.allocation_profile().rows()[0].bytes;
        assert!(bytes.abs_diff(90_000 * 16) < 90_000 * 16 / 5, "{bytes}");
    }
}
