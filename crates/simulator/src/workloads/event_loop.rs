//! An event loop that draws 60 frames a second: work, and then idle time to the end of the frame's 16.6 milliseconds.
//!
//! A frame moves some of the particles of a scene, each by a new position, as programs do that do not change their values in
//! place; sorts what it has moved into cells of a grid, which dies with the frame; and replaces some particles. What is left
//! of the frame may be the collector's.

use super::numbers::{Checksum, Numbers, sum_of, text};
use super::shapes::{Number, Words, put, put_slice, put_text};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use std::time::{Duration, Instant};
use tumulus_heap::{Budget, Gc, Heap, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "event-loop",
    summary: "frames of 16.6 ms, with idle time that the collector may use",
    page: include_str!("../../pages/event-loop.md"),
    parameters: &[
        Parameter::count("frames", "frames that are drawn", 1_200, 1..=100_000_000),
        Parameter::count("particles", "particles of the scene", 50_000, 1..=10_000_000),
        Parameter::count("moved", "particles that move in a frame", 4_000, 0..=10_000_000),
        Parameter::count("replaced", "particles that are replaced in a frame", 100, 0..=10_000_000),
        Parameter::choice(
            "idle",
            "what the collector gets of the rest of a frame: nothing, units of work, or the time that the clock says is left",
            "work",
            &["none", "work", "clock"],
        ),
        Parameter::count("idle-units", "units of work, if it gets those", 200_000, 0..=1_000_000_000),
    ],
    make: |values| {
        Ok(Box::new(EventLoop {
            frames: values.count("frames") as u32,
            particles: values.count("particles") as u32,
            moved: values.count("moved") as u32,
            replaced: values.count("replaced") as u32,
            idle: match values.word("idle") {
                "none" => Idle::None,
                "clock" => Idle::Clock,
                _ => Idle::Work(values.count("idle-units")),
            },
        }))
    },
};

/// A sixtieth of a second.
const FRAME: Duration = Duration::from_nanos(16_666_667);
/// What is kept free at the end of a frame, for work that cannot be divided.
const RESERVE: Duration = Duration::from_micros(500);
/// How many cells the grid has, in each direction.
const CELLS: usize = 16;
/// How large the scene is, in each direction.
const EXTENT: f64 = 1024.0;

/// What becomes of the time that a frame has left.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Idle {
    /// The loop does not wait, and the collector gets nothing.
    None,
    /// The loop does not wait, and the collector gets so many units of work: the same in each run.
    Work(u64),
    /// The loop waits for the end of the frame, and the collector gets the time until then.
    Clock,
}

#[derive(Debug)]
struct EventLoop {
    /// How many frames are drawn.
    frames: u32,
    /// How many particles there are.
    particles: u32,
    /// How many of them move in a frame.
    moved: u32,
    /// How many are replaced in a frame.
    replaced: u32,
    /// What becomes of the rest of a frame.
    idle: Idle,
}

#[derive(Debug, Trace)]
struct Particle {
    words: Words,
    label: Gc<str>,
    place: Gc<Vector>,
    speed: Gc<Vector>,
}

#[derive(Copy, Clone, Debug, Trace)]
struct Vector {
    words: Words,
    x: Number,
    y: Number,
}

/// A particle in a cell of the grid.
#[derive(Debug, Trace)]
struct Link {
    words: Words,
    particle: Gc<Particle>,
    next: Option<Gc<Link>>,
}

#[derive(Debug, Trace)]
struct Scene {
    particles: Gc<[Option<Gc<Particle>>]>,
    /// Of the frame that is being made.
    grid: Option<Gc<[Option<Gc<Link>>]>>,
}

impl Workload for EventLoop {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut numbers = Numbers::new(session.random().get_seed());
        let mut checksum = Checksum::default();
        let particles = put_slice(session.heap(), &(), self.particles as usize, |_| None)?;
        let mut scene = Scene { particles, grid: None };
        session.plan(u64::from(self.frames));
        session.phase("loading");
        for at in 0..self.particles {
            scene.replace(session, at, &mut numbers)?;
            session.safepoint(&scene)?;
        }
        session.phase("frames");
        let mut end = Instant::now();
        for _ in 0..self.frames {
            end += FRAME;
            let began = Instant::now();
            checksum.add(self.frame(session, &mut scene, &mut numbers)?);
            session.done(1);
            session.safepoint(&scene)?;
            match self.idle {
                Idle::None => {}
                Idle::Work(units) => {
                    let _ = session.heap().step(&scene, Budget::work(units));
                }
                Idle::Clock => use_up_to(session, &scene, end),
            }
            session.frame(began.elapsed(), FRAME);
            if self.idle == Idle::Clock {
                end = wait_for(end);
            }
        }
        Ok(checksum.get())
    }
}

/// Gives the time until then to the collector, as far as it has use for it.
fn use_up_to(session: &mut Session, scene: &Scene, end: Instant) {
    let left = end.saturating_duration_since(Instant::now());
    if let Some(time) = left.checked_sub(RESERVE) {
        let _ = session.heap().step(scene, Budget::time(time));
    }
}

/// Sleeps until then. When the frame has ended, which is later if it is over already: frames that were missed are not made up
/// for.
fn wait_for(end: Instant) -> Instant {
    std::thread::sleep(end.saturating_duration_since(Instant::now()));
    end.max(Instant::now())
}

impl EventLoop {
    /// Makes a frame, and gives something of it.
    fn frame(&self, session: &mut Session, scene: &mut Scene, numbers: &mut Numbers) -> Result<u32, Stop> {
        let grid = put_slice(session.heap(), scene, CELLS * CELLS, |_| None)?;
        scene.grid = Some(grid);
        for _ in 0..self.moved {
            let at = numbers.below(self.particles) as usize;
            let particle = session.heap()[scene.particles][at].expect("all places are filled");
            let Particle { place, speed, .. } = session.heap()[particle];
            let heap = session.heap();
            let (x, y) = (wrapped(heap, place, speed, |of| of.x), wrapped(heap, place, speed, |of| of.y));
            let place = vector(session, scene, [x, y])?;
            session.heap().get_mut(particle).place = place;

            let cell = cell(x) + CELLS * cell(y);
            let next = session.heap()[grid][cell];
            let link = put(session.heap(), scene, Link { words: Words::default(), particle, next })?;
            session.heap().slice_mut(grid, cell..=cell)[0] = Some(link);
            session.safepoint(scene)?;
        }
        let sum = draw(session.heap(), grid);
        scene.grid = None;
        for _ in 0..self.replaced {
            scene.replace(session, numbers.below(self.particles), numbers)?;
            session.safepoint(scene)?;
        }
        Ok(sum)
    }
}

impl Scene {
    fn replace(&self, session: &mut Session, at: u32, numbers: &mut Numbers) -> Result<(), Stop> {
        // Fractions with few digits, so that sums of them are exact.
        let mut number = |extent: f64| f64::from(numbers.next() >> 8) / f64::from(1 << 24) * extent;
        let (place, speed) = ([number(EXTENT), number(EXTENT)], [number(4.0), number(4.0)]);
        let place = vector(session, self, place)?;
        let speed = vector(session, &(self, place), speed)?;
        let label = put_text(session.heap(), &(self, place, speed), text(numbers.next()))?;
        let particle = put(session.heap(), self, Particle { words: Words::default(), label, place, speed })?;
        let at = at as usize;
        session.heap().slice_mut(self.particles, at..=at)[0] = Some(particle);
        Ok(())
    }
}

/// A vector with its two numbers, which are objects as well.
fn vector(session: &mut Session, roots: &impl Trace, [x, y]: [f64; 2]) -> Result<Gc<Vector>, Stop> {
    let x = put(session.heap(), roots, x)?;
    let y = put(session.heap(), &(roots, x), y)?;
    put(session.heap(), roots, Vector { words: Words::default(), x, y })
}

/// One coordinate of a place, moved; who leaves the scene comes in again on the other side.
fn wrapped(heap: &Heap, place: Gc<Vector>, speed: Gc<Vector>, coordinate: fn(&Vector) -> Number) -> f64 {
    let moved = heap[coordinate(&heap[place])] + heap[coordinate(&heap[speed])];
    if moved >= EXTENT { moved - EXTENT } else { moved }
}

fn cell(coordinate: f64) -> usize {
    #[allow(clippy::cast_sign_loss, reason = "coordinates are not negative")]
    let cell = (coordinate / EXTENT * CELLS as f64) as usize;
    cell.min(CELLS - 1)
}

/// Reads the grid, cell by cell.
fn draw(heap: &Heap, grid: Gc<[Option<Gc<Link>>]>) -> u32 {
    let mut sum = Checksum::default();
    for &cell in &heap[grid] {
        let mut at = cell;
        while let Some(link) = at {
            let Link { particle, next, .. } = heap[link];
            let place = &heap[heap[particle].place];
            #[allow(clippy::cast_sign_loss, reason = "coordinates are not negative")]
            sum.add((heap[place.x] * 64.0) as u32 ^ (heap[place.y] * 64.0) as u32);
            sum.add(sum_of(&heap[heap[particle].label]));
            at = next;
        }
    }
    sum.get() as u32
}
