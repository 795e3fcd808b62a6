//! A recorded trace as a workload.

use crate::options::{Bytes, HeapOptions};
use crate::session::{Session, Stop};
use crate::workloads::Workload;
use std::cell::RefCell;
use std::io::Read;
use std::rc::Rc;
use tumulus_heap::Collector;
use tumulus_trace::{Caveat, Divergence, Event, Replay, Settings, TraceError};

/// What a replay has to tell beside the figures of its run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Where it began to differ from the program that was recorded.
    pub(crate) divergence: Option<Divergence>,
    /// What could not be recorded as it was.
    pub(crate) caveats: Vec<Caveat>,
}

/// A trace that is to be replayed, once.
pub(crate) struct Replayed<R: Read> {
    replay: Option<Replay<R>>,
    told: Rc<RefCell<Told>>,
}

impl<R: Read> Replayed<R> {
    pub(crate) fn new(replay: Replay<R>) -> Replayed<R> {
        Replayed { replay: Some(replay), told: Rc::default() }
    }

    /// Where it tells what there is to tell, when it has run.
    pub(crate) fn told(&self) -> Rc<RefCell<Told>> {
        Rc::clone(&self.told)
    }
}

impl<R: Read> Workload for Replayed<R> {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let Some(replay) = self.replay.take() else {
            return Err(Stop::Failed("a trace is read once".into()));
        };
        let mut player = replay.player();
        let failed = |error: TraceError| Stop::Failed(error.to_string());
        while let Some(event) = player.step(session.heap()).map_err(failed)? {
            match event {
                // A phase is named for as long as the program runs.
                Event::Phase { name } => session.phase(Box::leak(name.into_boxed_str())),
                Event::Outcome(_) => {
                    session.done(1);
                    session.passed(|| player.roots())?;
                }
                _ => {}
            }
        }
        *self.told.borrow_mut() = Told { divergence: player.divergence().cloned(), caveats: player.caveats().to_vec() };
        Ok(player.objects())
    }
}

/// The options that a trace was recorded with.
pub(crate) fn options_of(settings: &Settings) -> HeapOptions {
    let bytes = |bytes: usize| Some(Bytes(bytes as u64));
    let zeal = settings.zeal;
    let numbers = [("every", zeal.collect_every), ("slice", zeal.slice)];
    let numbers = numbers.into_iter().filter_map(|(name, number)| Some(format!("{name}={}", number?)));
    let flags = [
        ("minor", zeal.minor),
        ("poison", zeal.poison),
        ("verify", zeal.verify),
        ("no-reuse", zeal.no_reuse),
        ("recheck", zeal.recheck),
    ];
    let flags = flags.into_iter().filter(|&(_, is_set)| is_set).map(|(name, _)| name.to_string());
    let words: Vec<String> = numbers.chain(flags).collect();
    let words = if words.is_empty() { "none".into() } else { words.join(",") };
    HeapOptions {
        limit: bytes(settings.limit).filter(|_| settings.limit != usize::MAX),
        growth: Some(settings.growth),
        min_heap: bytes(settings.min_heap),
        nursery: bytes(settings.nursery),
        pause_budget: tumulus_trace::budget_text(settings.pause).parse().ok(),
        page_retention: settings.page_retention.and_then(bytes),
        collector: (settings.collector == Collector::None).then_some(crate::options::Which::None),
        zeal: words.parse().ok(),
    }
}
