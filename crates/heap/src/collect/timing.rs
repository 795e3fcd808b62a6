//! When the next slice or collection is due, and how large that slice is.
//!
//! The answers are the schedule's (`schedule/`); this file asks the questions and keeps the bound that a safepoint compares
//! with.

use super::Collector;
use super::cycle::kind;
use crate::budget::Budget;
use crate::events::{Event, Reason};
use crate::heap::Heap;
use crate::raw::{Extent, PAGE_BYTES};
use crate::schedule::{Fullness, Lateness, MOST_MISSING, Pace, Stage};

impl Heap {
    /// The collection that should begin now, if there is none.
    pub(super) fn due(&self) -> Option<(Extent, Reason)> {
        self.schedule.due(self.fullness(), self.young_bytes())
    }

    /// The collection that is worth doing when there is time.
    pub(super) fn due_in_idle_time(&self) -> Option<(Extent, Reason)> {
        let young_bytes = self.young_bytes();
        // Where nothing was allocated since the last collection, another one would find what that did.
        let is_worth_it = young_bytes > 0 || self.schedule.major_wanted;
        if is_worth_it { self.schedule.due_in_idle_time(self.fullness(), young_bytes) } else { None }
    }

    /// The budget of the slice that is due.
    pub(super) fn next_budget(&mut self) -> Budget {
        self.make_room_for_lumps();
        if self.is_between_cycles() {
            return self.schedule.pause;
        }
        let mut times = None;
        if let Pace::Step(bytes) = self.accounts.pace {
            let late = self.store.taken_bytes().saturating_sub(self.accounts.planned);
            if late >= bytes {
                // What was planned was for a smaller heap.
                self.accounts.pace = self.pace();
            }
            times = self.accounts.pace.times(late, self.accounts.lateness);
            self.accounts.lateness = Lateness { bytes: late, times: times.unwrap_or(1) };
            // The slice counts for as many.
            self.accounts.planned += bytes * u64::from(times.unwrap_or(1) - 1);
        }
        self.tell_hurry(times);
        times.map_or(Budget::unlimited(), |times| self.schedule.pause.times(times))
    }

    /// Moves the plan by the large objects that were made since it was made.
    fn make_room_for_lumps(&mut self) {
        let lumps = self.store.lump_bytes();
        let new = lumps - std::mem::replace(&mut self.accounts.planned_lumps, lumps);
        if new > 0
            && let Some(cycle) = &mut self.accounts.cycle
        {
            self.accounts.planned += self.schedule.make_room_for_lumps(cycle, new);
        }
    }

    /// Has the next safepoint do what is due.
    pub(super) fn due_at_once(&mut self) {
        self.pressure.due.hasten(self.store.taken_bytes());
    }

    /// How the collection that is under way should go on.
    pub(super) fn pace(&self) -> Pace {
        let Some(cycle) = &self.accounts.cycle else { return Pace::default() };
        let stage = match (self.store.is_marking(), self.store.is_pruning()) {
            (true, _) => Stage::Marking,
            (false, true) => Stage::Pruning,
            (false, false) => Stage::Sweeping,
        };
        self.schedule.pace(cycle, stage, self.fullness(), self.young_bytes(), self.accounts.last_slice)
    }

    /// Sets when the next slice or collection is due, by what is in the heap now.
    pub(crate) fn reschedule(&mut self) {
        if self.schedule.collector == Collector::None {
            self.pressure.due.set(u64::MAX, self.store.taken_bytes());
            return;
        }
        let taken = self.store.taken_bytes();
        self.make_room_for_lumps();
        if self.accounts.cycle.is_some() {
            self.accounts.pace = self.pace();
            self.accounts.planned = match self.accounts.pace {
                // What is missing is still to be done; what was done before its time is done.
                Pace::Step(bytes) => {
                    self.accounts.planned.clamp(taken.saturating_sub(bytes * MOST_MISSING), taken) + bytes
                }
                Pace::AtOnce => taken,
            };
        } else {
            let releases = self.accounts.releasing.is_some();
            let to_next = if releases {
                2 * PAGE_BYTES
            } else {
                self.schedule.bytes_to_next(self.fullness(), self.young_bytes())
            };
            self.accounts.planned = taken.saturating_add(to_next as u64);
        }
        // One that was asked for goes on at each safepoint, also where the program allocates nothing.
        let asked =
            self.schedule.major_wanted || self.accounts.cycle.is_some_and(|cycle| cycle.reason == Reason::Asked);
        let at_once = self.zeal.forces_collections() || self.pressure.failed || asked;
        self.pressure.due.set(if at_once { 0 } else { self.accounts.planned }, taken);
    }

    /// Tells that a slice is larger than any was in this collection, and than the budget.
    fn tell_hurry(&mut self, times: Option<u32>) {
        let largest = self.accounts.hurry;
        let is_larger = largest.is_some_and(|largest| times.is_none_or(|times| times > largest));
        if is_larger && let Some(cycle) = &self.accounts.cycle {
            self.accounts.hurry = times;
            let (kind, used, bound) = (kind(cycle.extent), self.fullness().used, self.schedule.bound());
            self.listener.tell(|| Event::Hurried { kind, times, used, bound });
        }
    }

    /// Takes a change of the limit into account.
    pub(crate) fn limit_changed(&mut self) {
        self.schedule.plan(self.fullness());
        self.reschedule();
    }

    /// Bytes of the cells and blocks that were allocated since the last sweep began.
    pub(super) fn young_bytes(&self) -> u64 {
        self.store.allocated_bytes() - self.accounts.young_since
    }

    pub(super) fn fullness(&self) -> Fullness {
        let external = self.external_bytes().get();
        Fullness {
            used: self.store.used_bytes().saturating_add(external),
            in_use: self.store.in_use_bytes().saturating_add(external),
            external,
            limit: self.store.limit,
        }
    }
}
