//! A line for each collection.
//!
//! What there is to tell of an event is taken from it in one place, [`each_figure`]; how it is written is up to each form.
//!
//! Every text in here is a fixed word, so that nothing has to be escaped.

use crate::events::{Event, Kind};
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn part(ppm: u32) -> f64 {
    f64::from(ppm) / 1e6
}

/// What V8 would call such a collection, if it had it.
fn v8_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Minor => "Minor Mark-Sweep",
        Kind::Full => "Mark-Sweep",
    }
}

/// As a sentence, without times.
pub(crate) fn plain(event: &Event, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sentence = match event {
        Event::Began { .. } => "#{number} {gc}: begins at {used} bytes ({committed} committed), {reason}",
        Event::Ended { .. } => {
            "#{number} {gc}: {used_before} -> {used_after} bytes ({committed_after} committed), {freed_objects} objects freed, \
             {work} units in {slices} slices, {reason}"
        }
        Event::Hurried { times: Some(_), .. } => {
            "{gc}: hurries, {times} times the budget; {used} bytes used of {bound}"
        }
        Event::Hurried { times: None, .. } => "{gc}: hurries, completed at once; {used} bytes used of {bound}",
        Event::Abandoned { .. } => "{gc}: abandoned",
    };
    let mut figures = Vec::new();
    each_figure(event, Duration::ZERO, &mut |name, figure| {
        figures.push((name, figure));
        Ok(())
    })
    .map_err(|_| fmt::Error)?;
    // Words, and names of figures in braces.
    for (at, part) in sentence.split(['{', '}']).enumerate() {
        match figures.iter().find(|(name, _)| at % 2 == 1 && *name == part) {
            Some((_, Figure::Word(word))) => f.write_str(word)?,
            Some((_, Figure::Count(count))) => write!(f, "{count}")?,
            _ => f.write_str(part)?,
        }
    }
    Ok(())
}

/// As V8's `--trace-gc`.
pub(super) fn trace_gc(writer: &mut dyn Write, event: &Event, at: Duration) -> io::Result<()> {
    let pid = std::process::id();
    match event {
        Event::Began { .. } => Ok(()),
        Event::Ended { kind, reason, slices, used_before, used_after, committed_before, committed, timing, .. } => {
            writeln!(
                writer,
                "[{pid}] {:8.0} ms: {} {:.1} ({:.1}) -> {:.1} ({:.1}) MB, {:.2} / {:.2} ms (in {slices} steps, walltime since \
             start of marking {:.0} ms) (average mu = {:.3}, current mu = {:.3}) {reason}",
                ms(at),
                v8_name(*kind),
                mb(*used_before),
                mb(*committed_before),
                mb(*used_after),
                mb(*committed),
                ms(timing.paused),
                ms(timing.longest),
                ms(timing.lasted),
                part(timing.average_mutator_ppm),
                part(timing.mutator_ppm),
            )
        }
        other => writeln!(writer, "[{pid}] {:8.0} ms: {other}", ms(at)),
    }
}

/// As V8's `--trace-gc-nvp`.
pub(super) fn name_value(writer: &mut dyn Write, event: &Event, at: Duration) -> io::Result<()> {
    each_figure(event, at, &mut |name, figure| match figure {
        Figure::First(word) => write!(writer, "{name}={word}"),
        Figure::Word(word) => write!(writer, " {name}={}", word.replace(' ', "_")),
        Figure::Count(count) => write!(writer, " {name}={count}"),
        Figure::Time(time) => write!(writer, " {name}={:.3}", ms(time)),
        Figure::Part(ppm) => write!(writer, " {name}={:.6}", part(ppm)),
        Figure::Nothing => write!(writer, " {name}=none"),
    })?;
    writeln!(writer)
}

/// As an object of JSON.
pub(super) fn json(writer: &mut dyn Write, event: &Event, at: Duration) -> io::Result<()> {
    each_figure(event, at, &mut |name, figure| match figure {
        Figure::First(word) => write!(writer, "{{\"{name}\":\"{word}\""),
        Figure::Word(word) => write!(writer, ",\"{name}\":\"{word}\""),
        Figure::Count(count) => write!(writer, ",\"{name}\":{count}"),
        Figure::Time(time) => write!(writer, ",\"{name}\":{:.3}", ms(time)),
        Figure::Part(ppm) => write!(writer, ",\"{name}\":{:.6}", part(ppm)),
        Figure::Nothing => write!(writer, ",\"{name}\":null"),
    })?;
    writeln!(writer, "}}")
}

enum Figure {
    First(&'static str),
    Word(String),
    Count(u64),
    /// Written in milliseconds.
    Time(Duration),
    Part(u32),
    Nothing,
}

type Take<'t> = dyn FnMut(&'static str, Figure) -> io::Result<()> + 't;

/// Calls `take` with each figure of an event, the kind of event first.
fn each_figure(event: &Event, at: Duration, take: &mut Take<'_>) -> io::Result<()> {
    match *event {
        Event::Began { number, kind, reason, used, committed } => {
            take("event", Figure::First("began"))?;
            take("at_ms", Figure::Time(at))?;
            take("number", Figure::Count(number))?;
            take("gc", Figure::Word(kind.to_string()))?;
            take("reason", Figure::Word(reason.to_string()))?;
            take("used", Figure::Count(used as u64))?;
            take("committed", Figure::Count(committed as u64))
        }
        Event::Ended {
            number,
            kind,
            reason,
            slices,
            work,
            used_before,
            used_after,
            committed_before,
            committed,
            freed_objects,
            freed_bytes,
            timing,
        } => {
            take("event", Figure::First("ended"))?;
            take("at_ms", Figure::Time(at))?;
            take("number", Figure::Count(number))?;
            take("gc", Figure::Word(kind.to_string()))?;
            take("reason", Figure::Word(reason.to_string()))?;
            take("pause_ms", Figure::Time(timing.paused))?;
            take("longest_ms", Figure::Time(timing.longest))?;
            take("lasted_ms", Figure::Time(timing.lasted))?;
            take("since_last_ms", Figure::Time(timing.since_last))?;
            take("current_mu", Figure::Part(timing.mutator_ppm))?;
            take("average_mu", Figure::Part(timing.average_mutator_ppm))?;
            take("slices", Figure::Count(slices))?;
            take("work", Figure::Count(work))?;
            take("used_before", Figure::Count(used_before as u64))?;
            take("used_after", Figure::Count(used_after as u64))?;
            take("committed_before", Figure::Count(committed_before as u64))?;
            take("committed_after", Figure::Count(committed as u64))?;
            take("freed_objects", Figure::Count(freed_objects))?;
            take("freed_bytes", Figure::Count(freed_bytes))
        }
        Event::Hurried { kind, times, used, bound } => {
            take("event", Figure::First("hurried"))?;
            take("at_ms", Figure::Time(at))?;
            take("gc", Figure::Word(kind.to_string()))?;
            take("times", times.map_or(Figure::Nothing, |times| Figure::Count(times.into())))?;
            take("used", Figure::Count(used as u64))?;
            take("bound", Figure::Count(bound as u64))
        }
        Event::Abandoned { kind } => {
            take("event", Figure::First("abandoned"))?;
            take("at_ms", Figure::Time(at))?;
            take("gc", Figure::Word(kind.to_string()))
        }
    }
}
