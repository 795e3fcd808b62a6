//! What a workload works with: the heap, random numbers, and somebody to tell how far it is.

use crate::Random;
use crate::options::HeapOptions;
use crate::outcome::Frames;
use crate::recorder::Recorder;
use crate::run::{Progress, Setup, Watch};
use std::cell::RefCell;
use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thiserror::Error;
use tumulus_heap::{AllocError, Heap, HeapBuilder, Trace};

/// How often a session looks around, about.
const BETWEEN_LOOKS: Duration = Duration::from_micros(200);
/// The most safepoints between two looks.
const MOST_BETWEEN_LOOKS: u32 = 1 << 16;
/// How often somebody is told how far the work is.
const BETWEEN_REPORTS: Duration = Duration::from_millis(50);

/// A run of a workload from the inside: what [`Workload::run`](crate::Workload::run) is given.
///
/// See [`Workload`](crate::Workload) for an example.
pub struct Session {
    heap: Heap,
    random: Random,
    pub(crate) recorder: Rc<RefCell<Recorder>>,
    operations: u64,
    planned: Option<u64>,
    phase: &'static str,
    looks: Looks,
    /// Where snapshots go, and the numbers of operations from which on they are made, the last first.
    snapshots: Vec<PathBuf>,
    snapshots_due: Vec<(u64, PathBuf)>,
    interrupt: Arc<AtomicBool>,
    deadline: Option<Instant>,
    watch: Option<Watch>,
    trace: Option<tumulus_trace::Recorder<Box<dyn Write>>>,
    trace_error: Option<String>,
    options: HeapOptions,
    frames: Option<Frames>,
}

/// When a session looks around next.
#[derive(Debug)]
struct Looks {
    /// In so many safepoints.
    left: u32,
    /// This many were to be between the last look and the next.
    stride: u32,
    last: Instant,
    last_report: Instant,
}

impl Session {
    pub(crate) fn new(mut heap: Heap, setup: Setup) -> Session {
        for (format, writer) in setup.logs {
            heap.log_to(format, writer);
        }
        let recorder = Recorder::listen(&mut heap);
        let start = |writer| tumulus_trace::Recorder::start_with(&mut heap, writer, setup.safepoints);
        let trace = setup.record.map(start).transpose();
        let (trace, trace_error) = trace.map_or_else(|error| (None, Some(error.to_string())), |trace| (trace, None));
        let now = Instant::now();
        Session {
            random: Random::with_seed(setup.seed),
            recorder,
            operations: 0,
            planned: None,
            phase: "",
            looks: Looks { left: 1, stride: 1, last: now, last_report: now },
            snapshots: setup.snapshots,
            snapshots_due: Vec::new(),
            interrupt: setup.interrupt,
            deadline: setup.time_limit.and_then(|limit| now.checked_add(limit)),
            watch: setup.watch,
            trace,
            trace_error,
            options: setup.options,
            frames: None,
            heap,
        }
    }

    /// The heap.
    #[inline]
    pub fn heap(&mut self) -> &mut Heap {
        &mut self.heap
    }

    /// The heap, to be read only.
    #[inline]
    pub fn heap_ref(&self) -> &Heap {
        &self.heap
    }

    /// A builder with the run's options, for heaps of a workload's own beside the one that is measured.
    ///
    /// ```
    /// # use tumulus_simulator::{HeapOptions, Session, Setup, Stop, Workload, run};
    /// # struct Two;
    /// # impl Workload for Two {
    /// fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
    ///     let builder = session.heap_builder(); // may go to another thread
    ///     let other = std::thread::spawn(move || builder.build().limit());
    ///     Ok(other.join().expect("no panic") as u64)
    /// }
    /// # }
    /// # let options = HeapOptions { limit: Some("1m".parse()?), ..HeapOptions::default() };
    /// let outcome = run(&mut Two, Setup { options, ..Setup::default() })?;
    /// assert_eq!(outcome.checksum.as_deref(), Some("0000000000100000"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn heap_builder(&self) -> HeapBuilder {
        self.options.builder()
    }

    /// Random numbers: the same for the same seed.
    #[inline]
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// A [safepoint](Heap::safepoint) of the heap, at which the session looks around now and then: it takes a sample of the
    /// heap's size, and finds out whether the run was interrupted.
    ///
    /// # Errors
    ///
    /// [`Stop::Interrupted`] and [`Stop::TimedOut`]; pass them on.
    #[inline]
    pub fn safepoint<R: Trace + ?Sized>(&mut self, roots: &R) -> Result<(), Stop> {
        self.heap.safepoint(roots);
        self.looks.left -= 1;
        if self.looks.left == 0 { self.look(roots) } else { Ok(()) }
    }

    /// Looks around, as a safepoint does, where something else has had the heap do its work.
    pub(crate) fn passed<R: Trace>(&mut self, roots: impl FnOnce() -> R) -> Result<(), Stop> {
        self.looks.left -= 1;
        if self.looks.left == 0 { self.look(&roots()) } else { Ok(()) }
    }

    /// A full [collection](Heap::collect), asked for by the program, after which it is known exactly what is alive.
    ///
    /// # Errors
    ///
    /// As [`safepoint`](Session::safepoint).
    pub fn collect<R: Trace + ?Sized>(&mut self, roots: &R) -> Result<(), Stop> {
        self.heap.collect(roots);
        self.look(roots)
    }

    /// A mark on the time line: what is done from now on.
    pub fn phase(&mut self, name: &'static str) {
        if self.phase != name {
            self.phase = name;
            self.recorder.borrow_mut().phase(name, self.operations);
            if let Some(trace) = &mut self.trace
                && let Err(error) = trace.phase(&mut self.heap, name)
            {
                self.trace_error = Some(error.to_string());
            }
        }
    }

    /// How many operations the workload is going to do, if it knows.
    pub fn plan(&mut self, operations: u64) {
        self.planned = Some(operations);
        // Those that are due by an earlier plan as well.
        let waiting = self.snapshots_due.drain(..).rev().map(|(_, path)| path);
        let paths: Vec<PathBuf> = waiting.chain(self.snapshots.drain(..)).collect();
        let parts = paths.len() as u64 + 1;
        let due = (1..parts).map(|part| (operations / parts * part).max(1));
        self.snapshots_due = due.zip(paths).collect();
        self.snapshots_due.reverse();
    }

    /// So many operations are done.
    #[inline]
    pub fn done(&mut self, operations: u64) {
        self.operations += operations;
        if self.snapshots_due.last().is_some_and(|(at, _)| self.operations >= *at) {
            self.looks.left = 1;
        }
    }

    /// A frame is done that took so long and should have taken no longer than `within`. They are counted, for the outcome.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// # use tumulus_simulator::{Session, Setup, Stop, Workload, run};
    /// # struct Loop;
    /// # impl Workload for Loop {
    /// fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
    ///     for _ in 0..10 {
    ///         let began = Instant::now();
    ///         session.safepoint(&())?;
    ///         session.frame(began.elapsed(), Duration::from_secs(60));
    ///     }
    ///     Ok(0)
    /// }
    /// # }
    /// let frames = run(&mut Loop, Setup::default())?.frames.expect("there were some");
    /// assert_eq!((frames.count, frames.late), (10, 0));
    /// # Ok::<(), tumulus_heap::HeapError>(())
    /// ```
    pub fn frame(&mut self, took: Duration, within: Duration) {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let frames = self.frames.get_or_insert_default();
        frames.count += 1;
        frames.late += u64::from(took > within);
        frames.longest = frames.longest.max(nanoseconds(took));
        frames.within = nanoseconds(within);
    }

    pub(crate) fn frames(&self) -> Option<Frames> {
        self.frames
    }

    /// How many operations are done.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    pub(crate) fn planned(&self) -> Option<u64> {
        self.planned
    }

    #[cold]
    #[inline(never)]
    fn look<R: Trace + ?Sized>(&mut self, roots: &R) -> Result<(), Stop> {
        let now = Instant::now();
        self.plan_next_look(now);
        self.recorder.borrow_mut().look(&self.heap, now);
        if now.duration_since(self.looks.last_report) >= BETWEEN_REPORTS {
            self.looks.last_report = now;
            if let Some(watch) = &mut self.watch {
                watch(&Progress { done: self.operations, planned: self.planned, phase: self.phase });
            }
        }
        while self.snapshots_due.last().is_some_and(|(at, _)| self.operations >= *at) {
            let (_, path) = self.snapshots_due.pop().expect("there is a last one");
            self.write_snapshot(roots, &path)?;
        }
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        match self.deadline {
            Some(deadline) if now >= deadline => Err(Stop::TimedOut),
            _ => Ok(()),
        }
    }

    /// Adapts the number of safepoints between two looks to how long they take.
    fn plan_next_look(&mut self, now: Instant) {
        let looks = &mut self.looks;
        let took = now.duration_since(looks.last);
        looks.last = now;
        looks.stride = if took < BETWEEN_LOOKS {
            (looks.stride * 2).min(MOST_BETWEEN_LOOKS)
        } else {
            let wanted = f64::from(looks.stride) * BETWEEN_LOOKS.as_secs_f64() / took.as_secs_f64();
            (wanted as u32).max(1)
        };
        looks.left = looks.stride;
    }

    /// Writes a snapshot, in time that does not count.
    fn write_snapshot<R: Trace + ?Sized>(&mut self, roots: &R, path: &PathBuf) -> Result<(), Stop> {
        let began = Instant::now();
        let failed = |error: std::io::Error| Stop::Failed(format!("{}: {error}", path.display()));
        let file = std::fs::File::create(path).map_err(failed)?;
        self.heap.write_snapshot(roots, file).map_err(failed)?;
        let took = began.elapsed();
        self.recorder.borrow_mut().skip(took);
        self.deadline = self.deadline.and_then(|deadline| deadline.checked_add(took));
        Ok(())
    }

    /// Ends the logs and the trace, and gives the heap, the recorder, the snapshots that were not made, and what the trace has
    /// failed with.
    pub(crate) fn end(mut self) -> (Heap, Rc<RefCell<Recorder>>, Vec<PathBuf>, Option<String>) {
        if let Some(trace) = self.trace.take()
            && let Err(error) = trace.finish(&mut self.heap)
        {
            self.trace_error.get_or_insert(error.to_string());
        }
        self.heap.end_logs();
        let missed =
            self.snapshots.into_iter().chain(self.snapshots_due.into_iter().rev().map(|(_, path)| path)).collect();
        (self.heap, self.recorder, missed, self.trace_error)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("heap", &self.heap)
            .field("operations", &self.operations)
            .finish_non_exhaustive()
    }
}

/// Why a workload has stopped before its end.
///
/// ```
/// use tumulus_simulator::Stop;
///
/// fn fill(heap: &mut tumulus_heap::Heap) -> Result<(), Stop> {
///     loop {
///         heap.try_alloc([0_u8; 1000])?;
///     }
/// }
///
/// let mut heap = tumulus_heap::Heap::builder().limit(1 << 20).build();
/// assert!(matches!(fill(&mut heap), Err(Stop::OutOfMemory(_))));
/// ```
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum Stop {
    /// Somebody pressed Ctrl-C, or the like.
    #[error("interrupted")]
    Interrupted,
    /// It took longer than it was given.
    #[error("it took longer than it was given")]
    TimedOut,
    /// The heap has no room.
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    /// Something else.
    #[error("{0}")]
    Failed(String),
}

impl<T> From<AllocError<T>> for Stop {
    fn from(error: AllocError<T>) -> Stop {
        Stop::OutOfMemory(error.to_string())
    }
}

impl From<tumulus_arraybuffer::Error> for Stop {
    fn from(error: tumulus_arraybuffer::Error) -> Stop {
        match error {
            tumulus_arraybuffer::Error::OutOfMemory { .. } => Stop::OutOfMemory(error.to_string()),
            _ => Stop::Failed(error.to_string()),
        }
    }
}

impl From<tumulus_heap::HandleError> for Stop {
    fn from(error: tumulus_heap::HandleError) -> Stop {
        Stop::Failed(error.to_string())
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Stop {
        Stop::Failed(error.to_string())
    }
}
