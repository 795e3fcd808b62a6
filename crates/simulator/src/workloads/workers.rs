//! Workers: threads with a heap each, and one picture in a `SharedArrayBuffer` that all of them work on.
//!
//! The picture is cut into tiles, and each round changes all of them. A worker takes the next tile from a counter, by
//! `Atomics.compareExchange`, and sleeps with `Atomics.wait` when there is none. Tiles are counted through all rounds, so that
//! nothing is ever set back: who is late finds a number that was taken. What a tile becomes depends on its number and on what
//! it was, and the histogram that all add to is a sum; so it does not matter who does what.

use super::numbers::{Checksum, Numbers, scatter};
use super::shapes::{Array, Number, Words, or_collect, put, put_slice};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tumulus_arraybuffer::atomics::{access, notify, wait};
use tumulus_arraybuffer::{BackingStore, Element, ElementKind, Error, SharedArrayBuffer, TypedArray};
use tumulus_heap::{Gc, Heap, HeapBuilder, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "workers",
    summary: "threads that share a buffer",
    page: include_str!("../../pages/workers.md"),
    parameters: &[
        Parameter::count("workers", "threads, beside the main one", 2, 1..=64),
        Parameter::count("tiles", "tiles of the picture, of 16 KiB each", 64, 1..=4_096),
        Parameter::count("rounds", "how often all tiles are changed", 1_500, 1..=100_000),
    ],
    make: |values| {
        Ok(Box::new(Workers {
            threads: values.count("workers") as u32,
            tiles: values.count("tiles") as u32,
            rounds: values.count("rounds") as u32,
        }))
    },
};

/// Pixels of a tile, and of a row of it.
const TILE: usize = 4096;
const ROW: usize = 64;
/// How many numbers the histogram has.
const HISTOGRAM: usize = 64;
/// How many rounds' results are kept.
const KEPT: usize = 64;
/// Milliseconds after which somebody who waits looks whether the others are still there.
const PATIENCE: f64 = 20.0;

/// What is in the first words of the buffer, before the histogram and the pixels.
mod word {
    /// Tiles with a lower number may be taken.
    pub(super) const END: u64 = 0;
    /// The next tile to be taken.
    pub(super) const NEXT: u64 = 1;
    /// How many tiles are done.
    pub(super) const DONE: u64 = 2;
    /// The histogram begins here.
    pub(super) const HISTOGRAM: u64 = 16;
}

#[derive(Debug)]
struct Workers {
    /// How many workers there are.
    threads: u32,
    /// How many tiles the picture has.
    tiles: u32,
    /// How often all of it is changed.
    rounds: u32,
}

/// What the main thread keeps of a round.
#[derive(Debug, Trace)]
struct Message {
    words: Words,
    round: u64,
    histogram: Gc<Array<u64>>,
}

#[derive(Debug, Trace)]
struct Roots {
    shared: Shared,
    messages: VecDeque<Gc<Message>>,
}

/// The views that one heap has of the buffer.
#[derive(Copy, Clone, Debug, Trace)]
struct Shared {
    buffer: SharedArrayBuffer,
    /// All of it, for `Atomics`.
    control: TypedArray,
    pixels: TypedArray,
}

impl Workload for Workers {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let header = word::HISTOGRAM as usize + HISTOGRAM;
        let bytes = 4 * (header + TILE * self.tiles as usize) as u64;
        let buffer = SharedArrayBuffer::new_or_collect(session.heap(), &(), bytes)?;
        let shared = Shared::of(session.heap(), buffer)?;
        let mut numbers = Numbers::new(session.random().get_seed());
        for at in 0..TILE * self.tiles as usize {
            shared.pixels.set_as(session.heap(), at, numbers.next());
        }
        session.plan(u64::from(self.rounds) * u64::from(self.tiles));
        session.phase("rounds");

        let left = AtomicBool::new(false);
        thread::scope(|scope| {
            let work = || {
                let (store, builder) = (buffer.backing_store(session.heap_ref()), session.heap_builder());
                let left = &left;
                scope.spawn(move || {
                    let _leaving = Leaving(left);
                    work(&store, builder, left)
                })
            };
            let workers: Vec<_> = (0..self.threads).map(|_| work()).collect();
            let mut roots = Roots { shared, messages: VecDeque::new() };
            let result = {
                let _leaving = Leaving(&left);
                self.rounds(session, &mut roots, &left)
            };
            let mut failed = None;
            for worker in workers {
                match worker.join() {
                    Ok(Ok(())) => {}
                    Ok(Err(stop)) => failed = Some(stop),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            match (failed, result) {
                (Some(stop), _) | (None, Err(stop)) => Err(stop),
                (None, Ok(checksum)) => Ok(checksum),
            }
        })
    }
}

impl Workers {
    /// The main thread: opens a round, waits until it is done, and takes its histogram.
    fn rounds(&self, session: &mut Session, roots: &mut Roots, left: &AtomicBool) -> Result<u64, Stop> {
        let mut checksum = Checksum::default();
        let shared = roots.shared;
        for round in 0..self.rounds {
            let heap = session.heap();
            let end = Element::from((round + 1) * self.tiles);
            access(heap, shared.control, word::END)?.store(heap, end)?;
            notify(heap, shared.control, word::END, f64::INFINITY)?;
            loop {
                let done = access(heap, shared.control, word::DONE)?.load(heap)?;
                if done == end {
                    break;
                }
                if left.load(Ordering::Acquire) {
                    // What the worker has to say goes before this.
                    return Err(Stop::Failed("a worker has stopped".into()));
                }
                wait(heap, shared.control, word::DONE, done, PATIENCE)?;
            }
            let message = roots.message(session, round)?;
            let heap = session.heap_ref();
            for &count in &heap[heap[heap[message].histogram].elements] {
                checksum.add(count as u32);
            }
            session.done(u64::from(self.tiles));
            session.safepoint(roots)?;
        }
        for at in 0..TILE * self.tiles as usize {
            checksum.add(shared.pixels.get_as(session.heap(), at).expect("as many as were made"));
        }
        Ok(checksum.get())
    }
}

impl Roots {
    /// What a round has left in the histogram, as a message of its own. The oldest one goes for it.
    fn message(&mut self, session: &mut Session, round: u32) -> Result<Gc<Message>, Stop> {
        let heap = session.heap();
        let mut counts = [0; HISTOGRAM];
        for (at, count) in counts.iter_mut().enumerate() {
            let cell = access(heap, self.shared.control, word::HISTOGRAM + at as u64)?;
            *count = number(cell.exchange(heap, Element::from(0))?).cast_unsigned().into();
        }
        let elements = put_slice(heap, self, HISTOGRAM, |at| counts[at])?;
        let histogram = put(heap, self, Array::of(elements, HISTOGRAM))?;
        let message = put(heap, self, Message { words: Words::default(), round: u64::from(round), histogram })?;
        self.messages.push_back(message);
        if self.messages.len() > KEPT {
            self.messages.pop_front();
        }
        Ok(message)
    }
}

impl Shared {
    fn of(heap: &mut Heap, buffer: SharedArrayBuffer) -> Result<Shared, Error> {
        let pixels_at = 4 * (word::HISTOGRAM + HISTOGRAM as u64);
        let control = or_collect(heap, &buffer, |heap| TypedArray::new(heap, ElementKind::Int32, buffer, 0, None))?;
        let pixels = |heap: &mut Heap| TypedArray::new(heap, ElementKind::Uint32, buffer, pixels_at, None);
        let pixels = or_collect(heap, &(buffer, control), pixels)?;
        Ok(Shared { buffer, control, pixels })
    }
}

/// Says when it is dropped that somebody has left, be it at the end or by a panic.
struct Leaving<'a>(&'a AtomicBool);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A worker: takes tiles until somebody has left.
fn work(store: &BackingStore, builder: HeapBuilder, left: &AtomicBool) -> Result<(), Stop> {
    let mut heap = builder.try_build().map_err(|error| Stop::Failed(error.to_string()))?;
    let heap = &mut heap;
    let buffer = or_collect(heap, &(), |heap| SharedArrayBuffer::from_store(heap, store.clone()))?;
    let shared = Shared::of(heap, buffer)?;
    let cell = |heap: &Heap, at| access(heap, shared.control, at);
    let tiles = shared.pixels.length(heap) / TILE;
    while !left.load(Ordering::Acquire) {
        let end = cell(heap, word::END)?.load(heap)?;
        let next = cell(heap, word::NEXT)?.load(heap)?;
        if number(next) >= number(end) {
            wait(heap, shared.control, word::END, end, PATIENCE)?;
            continue;
        }
        let after = Element::from(number(next) + 1);
        if cell(heap, word::NEXT)?.compare_exchange(heap, next, after)? != next {
            continue;
        }
        let tile = number(next).cast_unsigned();
        paint(heap, shared, tile, tile as usize % tiles)?;
        let done = cell(heap, word::DONE)?.add(heap, Element::from(1))?;
        if number(done) + 1 == number(end) {
            notify(heap, shared.control, word::DONE, f64::INFINITY)?;
        }
        heap.safepoint(&shared);
    }
    Ok(())
}

/// Changes a tile, a row at a time, and adds to the histogram. A row's mean is an object of the worker's heap.
fn paint(heap: &mut Heap, shared: Shared, number: u32, tile: usize) -> Result<(), Stop> {
    let mut means: Vec<Number> = Vec::new();
    for row in (tile * TILE..(tile + 1) * TILE).step_by(ROW) {
        let mut sum = 0_u64;
        for at in row..row + ROW {
            let old: u32 = shared.pixels.get_as(heap, at).expect("a pixel of the picture");
            let new = scatter(old.rotate_left(5) ^ number);
            shared.pixels.set_as(heap, at, new);
            sum += u64::from(new);
        }
        means.push(put(heap, &(shared, &means), sum as f64 / ROW as f64)?);
    }
    for &mean in &means {
        #[allow(clippy::cast_sign_loss, reason = "a mean of what is not negative")]
        let bin = (heap[mean] / (f64::from(u32::MAX) + 1.0) * HISTOGRAM as f64) as u64;
        access(heap, shared.control, word::HISTOGRAM + bin)?.add(heap, Element::from(1))?;
    }
    Ok(())
}

/// An element as a whole number.
fn number(element: Element) -> i32 {
    match element {
        Element::Number(number) => number as i32,
        Element::BigInt(_) => unreachable!("the views are of numbers"),
    }
}
