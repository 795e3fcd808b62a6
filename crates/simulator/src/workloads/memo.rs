//! Memoisation with weak maps: what was computed about an object is kept for as long as the object is.
//!
//! Records are replaced now and then. A first map has a summary for each record that was asked for, a second one a report
//! for each summary: so whether an entry of the second counts depends on an entry of the first. A summary refers to its own
//! record, which in a map with strong values would keep it for ever.

use super::numbers::{Checksum, Numbers};
use super::shapes::{Words, put, put_slice};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use tumulus_heap::{EphemeronMap, Gc, Heap, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "memo",
    summary: "memoisation with weak maps",
    page: include_str!("../../pages/memo.md"),
    parameters: &[
        Parameter::count("records", "records that live", 100_000, 1..=10_000_000),
        Parameter::count("calls", "how often one is asked for its report", 3_000_000, 0..=1_000_000_000),
        Parameter::count("replaced", "before so many calls in a hundred a record is replaced", 25, 0..=100),
    ],
    make: |values| {
        Ok(Box::new(Memo {
            records: values.count("records") as u32,
            calls: values.count("calls") as u32,
            replaced: values.count("replaced") as u32,
        }))
    },
};

/// How many numbers a record has.
const NUMBERS: usize = 16;

#[derive(Debug)]
struct Memo {
    /// How many records there are.
    records: u32,
    /// How often one is asked for its report.
    calls: u32,
    /// Before so many calls of a hundred a record is replaced.
    replaced: u32,
}

#[derive(Debug, Trace)]
struct Record {
    words: Words,
    numbers: [u64; NUMBERS],
}

#[derive(Debug, Trace)]
struct Summary {
    words: Words,
    of: Gc<Record>,
    total: u64,
}

#[derive(Debug, Trace)]
struct Report {
    words: Words,
    about: Gc<Summary>,
    least: u64,
    total: u64,
}

#[derive(Debug, Trace)]
struct Roots {
    records: Gc<[Option<Gc<Record>>]>,
    summaries: Gc<EphemeronMap<Gc<Record>, Gc<Summary>>>,
    reports: Gc<EphemeronMap<Gc<Summary>, Gc<Report>>>,
}

impl Workload for Memo {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut numbers = Numbers::new(session.random().get_seed());
        let records = put_slice(session.heap(), &(), self.records as usize, |_| None)?;
        let summaries = put(session.heap(), &records, EphemeronMap::new())?;
        let reports = put(session.heap(), &(records, summaries), EphemeronMap::new())?;
        let roots = Roots { records, summaries, reports };
        session.plan(u64::from(self.records) + u64::from(self.calls));

        session.phase("records");
        for at in 0..self.records {
            roots.replace(session, at, &mut numbers)?;
            session.done(1);
            session.safepoint(&roots)?;
        }

        session.phase("calls");
        let (mut checksum, mut computed) = (Checksum::default(), 0_u32);
        for _ in 0..self.calls {
            if numbers.below(100) < self.replaced {
                let at = numbers.below(self.records);
                roots.replace(session, at, &mut numbers)?;
            }
            let at = numbers.skewed(self.records);
            let report = roots.report(session, at, &mut computed)?;
            let heap = session.heap();
            let Report { about, least, total, .. } = heap[report];
            checksum.add((least + total) as u32);
            checksum.add(heap[heap[about].of].numbers[0] as u32);
            session.done(1);
            session.safepoint(&roots)?;
        }
        // How often the maps had nothing. A collector that loses an entry, or keeps one for the wrong key, changes it.
        checksum.add(computed);
        Ok(checksum.get())
    }
}

impl Roots {
    fn replace(&self, session: &mut Session, at: u32, numbers: &mut Numbers) -> Result<(), Stop> {
        let numbers = std::array::from_fn(|_| u64::from(numbers.next() & 0xffff));
        let record = put(session.heap(), self, Record { words: Words::default(), numbers })?;
        let at = at as usize;
        session.heap().slice_mut(self.records, at..=at)[0] = Some(record);
        Ok(())
    }

    /// The report for a record, which is computed if nobody has asked for it before.
    fn report(&self, session: &mut Session, at: u32, computed: &mut u32) -> Result<Gc<Report>, Stop> {
        let record = session.heap()[self.records][at as usize].expect("all places are filled");
        let summary = self.summary(session, record, computed)?;
        if let Some(&report) = self.reports.get(session.heap(), summary) {
            return Ok(report);
        }
        *computed += 1;
        let least = session.heap()[record].numbers.iter().copied().min().expect("a record has numbers");
        let total = session.heap()[summary].total;
        let report = put(session.heap(), self, Report { words: Words::default(), about: summary, least, total })?;
        keep(session.heap(), self, self.reports, summary, report)?;
        Ok(report)
    }

    fn summary(&self, session: &mut Session, record: Gc<Record>, computed: &mut u32) -> Result<Gc<Summary>, Stop> {
        if let Some(&summary) = self.summaries.get(session.heap(), record) {
            return Ok(summary);
        }
        *computed += 1;
        let total = session.heap()[record].numbers.iter().sum();
        let summary = put(session.heap(), self, Summary { words: Words::default(), of: record, total })?;
        keep(session.heap(), self, self.summaries, record, summary)?;
        Ok(summary)
    }
}

/// Puts an entry into a weak map; where there is no room, after a collection.
fn keep<K: Trace + 'static, V: Trace + 'static>(
    heap: &mut Heap,
    roots: &Roots,
    map: Gc<EphemeronMap<Gc<K>, Gc<V>>>,
    key: Gc<K>,
    value: Gc<V>,
) -> Result<(), Stop> {
    heap.try_or_collect(&(roots, key, value), |heap| map.try_insert(heap, key, value))?;
    Ok(())
}
