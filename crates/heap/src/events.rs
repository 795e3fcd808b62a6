//! What a heap tells of its collections while they happen.
//!
//! A callback of the program's is told in this file; logs, which are told of each slice as well, are in `log/`.

use crate::heap::Heap;
use crate::log::{Log, plain};
use crate::stats::{Lap, Timing};
use std::fmt;
use std::time::{Duration, Instant};

/// How much of the heap a collection looks at.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// What was allocated since the last collection.
    Minor,
    /// Everything.
    Full,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Minor => "minor",
            Kind::Full => "full",
        })
    }
}

/// Why a collection happened.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The program asked for it.
    Asked,
    /// As much was allocated as the [`nursery`](crate::HeapBuilder::nursery) says.
    Nursery,
    /// The heap, and what it keeps alive outside, has grown as far as the [`growth`](crate::HeapBuilder::growth) says.
    Growth,
    /// The heap comes near its [`limit`](crate::HeapBuilder::limit).
    Limit,
    /// An allocation has failed.
    Failure,
    /// A [`Zeal`](crate::Zeal) mode forces it.
    Zeal,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Asked => "asked for",
            Reason::Nursery => "nursery full",
            Reason::Growth => "heap has grown",
            Reason::Limit => "near the limit",
            Reason::Failure => "an allocation failed",
            Reason::Zeal => "zeal",
        })
    }
}

/// Something that happened in a heap; given to the callback of [`Heap::on_event`]. Its `Display` is one line of a log.
///
/// # Examples
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use tumulus_heap::{Event, Heap, Kind, Reason};
///
/// let log = Rc::new(RefCell::new(Vec::new()));
/// let mut heap = Heap::new();
/// let sink = Rc::clone(&log);
/// heap.on_event(move |event| sink.borrow_mut().push(event.clone()));
///
/// heap.alloc([0_u8; 100]);
/// heap.collect(&());
/// let [Event::Began { .. }, Event::Ended { kind: Kind::Full, reason: Reason::Asked, freed_objects: 1, .. }] =
///     log.borrow()[..]
/// else {
///     panic!("{log:?}");
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A collection begins. It is not complete before the next [`Ended`](Event::Ended).
    #[non_exhaustive]
    Began {
        /// The number that it will have if it is completed, from 1.
        number: u64,
        /// What it looks at.
        kind: Kind,
        /// Why it begins. One that is under way when the program asks for one is told to have been asked for when it ends.
        reason: Reason,
        /// Bytes of objects.
        used: usize,
        /// Bytes that the heap has committed.
        committed: usize,
    },
    /// A collection is complete.
    #[non_exhaustive]
    Ended {
        /// The number of the collection, from 1.
        number: u64,
        /// What it looked at.
        kind: Kind,
        /// Why it began.
        reason: Reason,
        /// In how many slices it was done.
        slices: u64,
        /// How much work it was, in the units of a [`Budget`](crate::Budget).
        work: u64,
        /// Bytes of objects when it began, those that turned out to be dead among them.
        used_before: usize,
        /// Bytes of objects when it ended.
        used_after: usize,
        /// Bytes that the heap had committed when it began.
        committed_before: usize,
        /// Bytes that the heap has committed.
        committed: usize,
        /// Objects that it has freed.
        freed_objects: u64,
        /// Bytes of their cells and blocks.
        freed_bytes: u64,
        /// How long it took. This differs from run to run, and is not in the line that `Display` writes.
        timing: Timing,
    },
    /// The program allocates faster than a collection in slices goes on, so that its next slice is larger than the budget
    /// says, and than those before it.
    #[non_exhaustive]
    Hurried {
        /// What the collection looks at.
        kind: Kind,
        /// How many times the budget is used; `None` when the collection is completed at once.
        times: Option<u32>,
        /// Bytes of objects now.
        used: usize,
        /// Bytes by which the collection should have ended.
        bound: usize,
    },
    /// A collection was abandoned: a `Trace` panicked, or [`collect`](Heap::collect) began another. It has freed nothing.
    #[non_exhaustive]
    Abandoned {
        /// What it looked at.
        kind: Kind,
    },
}

/// One line of a log, without times: the same in each run of the same program.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        plain(self, f)
    }
}

/// A pause: a slice of a collection that is done. Given to the callback of [`Heap::on_pause`].
///
/// # Examples
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use tumulus_heap::{Heap, Kind};
///
/// let mut heap = Heap::new();
/// let pauses = Rc::new(RefCell::new(Vec::new()));
/// let sink = Rc::clone(&pauses);
/// heap.on_pause(move |pause| sink.borrow_mut().push(pause.kind));
/// heap.collect(&());
/// assert_eq!(*pauses.borrow(), [Kind::Full]);
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pause {
    /// What its collection looks at.
    pub kind: Kind,
    /// When it began.
    pub began: Instant,
    /// How long it took, on the wall.
    pub took: Duration,
    /// How long the thread was on a processor meanwhile: what is missing, the machine had something else to do. `None` where
    /// the system does not tell.
    pub cpu: Option<Duration>,
    /// Bytes of objects when it ended.
    pub used: usize,
}

impl Pause {
    pub(crate) fn new(kind: Kind, lap: Lap, used: usize) -> Pause {
        Pause { kind, began: lap.began, took: lap.took, cpu: lap.cpu, used }
    }
}

type Callback = Box<dyn FnMut(&Event)>;
type PauseCallback = Box<dyn FnMut(&Pause)>;

/// Who is told.
#[derive(Default)]
pub(crate) struct Listener {
    callback: Option<Callback>,
    pause_callback: Option<PauseCallback>,
    pub(crate) logs: Vec<Log>,
}

impl Listener {
    /// Tells of an event, which is made only if somebody listens. The heap has to be in order, as the callback may panic.
    pub(crate) fn tell(&mut self, event: impl FnOnce() -> Event) {
        if self.callback.is_none() && self.logs.is_empty() {
            return;
        }
        let event = event();
        // A log whose writer fails is given up.
        self.logs.retain_mut(|log| log.event(&event).is_ok());
        if let Some(callback) = &mut self.callback {
            callback(&event);
        }
    }

    /// Tells of a pause, which is made only if somebody listens.
    pub(crate) fn tell_pause(&mut self, pause: impl FnOnce() -> Pause) {
        if self.pause_callback.is_none() && self.logs.is_empty() {
            return;
        }
        let pause = pause();
        self.logs.retain_mut(|log| log.pause(&pause).is_ok());
        if let Some(callback) = &mut self.pause_callback {
            callback(&pause);
        }
    }
}

impl Heap {
    /// Sets a callback that is told what happens in the heap: when a collection begins, ends, hurries, or is abandoned.
    ///
    /// [`log_to`](Heap::log_to) writes lines or traces of the same events.
    ///
    /// It is called at safepoints and by [`set_limit`](Heap::set_limit), and takes the place of the one before. It has no access to the heap.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::new();
    /// heap.on_event(|event| eprintln!("{event}"));
    /// heap.collect(&());
    /// // #1 full: begins at 0 bytes (0 committed), asked for
    /// // #1 full: 0 -> 0 bytes (0 committed), 0 objects freed, 1 units in 1 slices, asked for
    /// ```
    pub fn on_event(&mut self, callback: impl FnMut(&Event) + 'static) {
        self.listener.callback = Some(Box::new(callback));
    }

    /// Sets a callback that is told of each pause, which is a slice of a collection: when it began, and how long it took.
    ///
    /// [`collection_statistics`](Heap::collection_statistics) counts them in any case; this is for programs that want to know
    /// where in time each of them lies. It is called at the end of a slice, and takes the place of the one before. It has no
    /// access to the heap.
    ///
    /// ```
    /// # use tumulus_heap::Heap;
    /// let mut heap = Heap::new();
    /// heap.on_pause(|pause| eprintln!("{}: {:?}", pause.kind, pause.took));
    /// heap.collect(&());
    /// ```
    pub fn on_pause(&mut self, callback: impl FnMut(&Pause) + 'static) {
        self.listener.pause_callback = Some(Box::new(callback));
        self.accounts.clock.reads_cpu = true;
    }
}
