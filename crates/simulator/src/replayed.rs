//! A recorded trace as a workload.

use crate::options::{Bytes, HeapOptions};
use crate::session::{Session, Stop};
use crate::subject::{Subject, SubjectError};
use crate::workloads::{Values, Workload};
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::rc::Rc;
use tumulus_heap::Collector;
use tumulus_trace::{Caveat, Divergence, Event, Flaw, Replay, Settings, TraceError, info};

/// What a replay has to tell beside the figures of its run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Where it began to differ from the program that was recorded.
    pub(crate) divergence: Option<Divergence>,
    /// What could not be recorded as it was.
    pub(crate) caveats: Vec<Caveat>,
}

/// A trace that is to be replayed, once.
struct Replayed<R: Read> {
    replay: Option<Replay<R>>,
    told: Rc<RefCell<Told>>,
}

/// Opens a trace, to be replayed on a heap with these options, and as it was recorded where none is set. The second result is
/// where it tells what there is to tell, when it has run.
pub(crate) fn open(path: &Path, heap: &HeapOptions) -> Result<(Subject, Rc<RefCell<Told>>), SubjectError> {
    let shown = || path.display().to_string();
    let broken = |reason: String| SubjectError::Trace { path: shown(), reason };
    let file = File::open(path).map_err(|error| broken(error.to_string()))?;
    let mut replay = Replay::new(BufReader::new(file)).map_err(|error| broken(error.to_string()))?;
    let options = options_of(replay.settings());
    if *heap != HeapOptions::default() {
        if replay.settings().quiet_every.is_none() {
            return Err(SubjectError::NoSafepoints { path: shown() });
        }
        replay = replay.with_options(heap.clone().or(options.clone()).builder());
    }
    let told: Rc<RefCell<Told>> = Rc::default();
    let workload = Box::new(Replayed { replay: Some(replay), told: Rc::clone(&told) });
    let name = path.file_name().map_or_else(|| "trace".into(), |name| name.to_string_lossy().into_owned());
    let summary = "a recorded program, replayed".into();
    Ok((Subject { name, summary, parameters: Values::default(), workload, options }, told))
}

/// What a reader of figures of replays should know. It reads the whole trace, so that one that is broken is found before
/// anything is run.
pub(crate) fn notes(path: &Path) -> Result<Vec<String>, SubjectError> {
    let broken = |reason: String| SubjectError::Trace { path: path.display().to_string(), reason };
    let file = File::open(path).map_err(|error| broken(error.to_string()))?;
    let info = info(BufReader::new(file)).map_err(|error| broken(error.to_string()))?;
    let mut notes = vec![
        "A trace is replayed without its program: the time beside the collector's is that of reading it and making objects."
            .to_string(),
    ];
    if info.peak_external > 0 {
        notes.push(
            "Bytes outside of the heap are as many at each moment as they were in the recorded program, whatever has become of \
             their objects since."
                .into(),
        );
    }
    // Heaps that are compared are others in any case.
    let matters = |caveat: &&Caveat| !matches!(caveat, Caveat::OtherHeaps | Caveat::TimeBudget);
    notes.extend(info.caveats.iter().filter(matters).map(|caveat| format!("Not as it was: {caveat}.")));
    Ok(notes)
}

impl<R: Read> Workload for Replayed<R> {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let Some(replay) = self.replay.take() else {
            return Err(Stop::Failed("a trace is read once".into()));
        };
        let mut player = replay.player();
        let failed = |error: TraceError| match error.flaw {
            Flaw::Limit { .. } => Stop::OutOfMemory(error.to_string()),
            _ => Stop::Failed(error.to_string()),
        };
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
fn options_of(settings: &Settings) -> HeapOptions {
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
