//! When the next slice or collection is due, and how large that slice is.
//!
//! The answers are the schedule's (`schedule/`); this file asks the questions and keeps the bound that a safepoint compares
//! with.

use super::Collector;
use super::cycle::{Accounts, kind};
use crate::budget::Budget;
use crate::events::{Event, Reason};
use crate::heap::Heap;
use crate::raw::{Extent, PAGE_BYTES};
use crate::schedule::{Fullness, Pace, Stage};

/// A slice whose safepoint comes late, as there are few, is so many times larger, at most.
const LATEST: u64 = 4;

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
        let Accounts { planned, step, .. } = self.accounts;
        // A page is taken as a whole, which is no delay.
        let late = self.store.taken_bytes().saturating_sub(planned).saturating_sub(PAGE_BYTES as u64);
        let missed = (late / step.max(1)).min(LATEST - 1);
        if missed > 0 {
            // What was planned was for a smaller heap.
            self.reschedule();
        }
        let Some(times) = self.accounts.hurry else { return Budget::unlimited() };
        self.schedule.pause.times(times.saturating_mul(1 + missed as u32))
    }

    /// Has the next safepoint do what is due.
    pub(super) fn due_at_once(&mut self) {
        self.pressure.due = self.pressure.due.min(self.store.taken_bytes());
    }

    /// Sets when the next slice or collection is due, by what is in the heap now.
    pub(crate) fn reschedule(&mut self) {
        if self.schedule.collector == Collector::None {
            self.pressure.due = u64::MAX;
            return;
        }
        let now = self.fullness();
        let before = self.accounts.hurry;
        let step = match &self.accounts.cycle {
            None if self.accounts.releasing.is_some() => 2 * PAGE_BYTES,
            None => self.schedule.bytes_to_next(now, self.young_bytes()),
            Some(cycle) => {
                let stage = match (self.store.is_marking(), self.store.is_pruning()) {
                    (true, _) => Stage::Marking,
                    (false, true) => Stage::Pruning,
                    (false, false) => Stage::Sweeping,
                };
                let pace = self.schedule.pace(cycle, stage, now, self.young_bytes(), self.accounts.last_slice);
                let (step, hurry) = match pace {
                    Pace::Step { bytes, times } => (bytes, Some(times)),
                    Pace::AtOnce => (0, None),
                };
                self.accounts.hurry = hurry;
                step
            }
        };
        self.accounts.step = step as u64;
        self.accounts.planned = self.store.taken_bytes().saturating_add(step as u64);
        // One that was asked for goes on at each safepoint, also where the program allocates nothing.
        let asked =
            self.schedule.major_wanted || self.accounts.cycle.is_some_and(|cycle| cycle.reason == Reason::Asked);
        let at_once = self.zeal.forces_collections() || self.pressure.failed || asked;
        self.pressure.due = if at_once { 0 } else { self.accounts.planned };

        // Last, as the callback may panic.
        if let Some(cycle) = &self.accounts.cycle
            && self.accounts.hurry != Some(1)
            && self.accounts.hurry != before
        {
            let (kind, times, bound) = (kind(cycle.extent), self.accounts.hurry, self.schedule.bound());
            self.listener.tell(|| Event::Hurried { kind, times, used: now.used, bound });
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
