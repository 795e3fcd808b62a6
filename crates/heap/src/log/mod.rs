//! Logs: what happens in a heap, written in forms that people and tools know.
//!
//! A log is a writer and a form. The lines are in `lines.rs`, the trace in `chrome.rs`. The [`Event`]s that are written are
//! those that the callback of [`Heap::on_event`] is told of; a trace draws each slice as well.

mod chrome;
mod lines;

pub(crate) use lines::plain;

use crate::events::{Event, Pause};
use crate::heap::Heap;
use std::fmt;
use std::io::{self, Write};
use std::time::Instant;

/// The form of a log; see [`Heap::log_to`].
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Heap, LogFormat};
///
/// let mut heap = Heap::new();
/// heap.log_to(LogFormat::TraceGc, std::io::stderr());
/// heap.collect(&());
/// // [10894]        3 ms: Mark-Sweep 0.3 (0.3) -> 0.0 (0.3) MB, 0.06 / 0.06 ms (in 1 steps, walltime since start ...
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// The line that an [`Event`] displays. It has no times in it, so that it is the same in each run of the same program.
    Plain,
    /// A line for each collection in the manner of V8's `--trace-gc`: the time since the log began, the kind, used and
    /// committed megabytes before and after, the time of all slices and of the longest, the part of the time in which the
    /// program ran, the slices, and the reason.
    TraceGc,
    /// A line for each collection in the manner of V8's `--trace-gc-nvp`: `name=value`, separated by spaces.
    NameValue,
    /// An object of JSON for each event, one on a line.
    JsonLines,
    /// Chrome's trace-event format, as DevTools' Performance panel and Perfetto read it: an array of JSON that is closed when
    /// the heap is dropped, or by [`Heap::end_logs`]. Each slice is a `MinorGC` or a `MajorGC`, and after each the size of the
    /// heap is drawn as an `UpdateCounters`.
    ChromeTrace,
}

/// A writer that is told what happens.
pub(crate) struct Log {
    format: LogFormat,
    writer: Box<dyn Write>,
    began: Instant,
    /// A trace has begun.
    has_begun: bool,
}

impl Log {
    pub(crate) fn event(&mut self, event: &Event) -> io::Result<()> {
        let Log { format, writer, began, .. } = self;
        match format {
            LogFormat::Plain if !matches!(event, Event::Began { .. }) => writeln!(writer, "{event}"),
            LogFormat::TraceGc => lines::trace_gc(writer, event, began.elapsed()),
            LogFormat::NameValue => lines::name_value(writer, event, began.elapsed()),
            LogFormat::JsonLines => lines::json(writer, event, began.elapsed()),
            LogFormat::Plain | LogFormat::ChromeTrace => Ok(()),
        }
    }

    pub(crate) fn pause(&mut self, pause: &Pause) -> io::Result<()> {
        if self.format != LogFormat::ChromeTrace {
            return Ok(());
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            chrome::begin(&mut self.writer)?;
        }
        chrome::pause(&mut self.writer, pause, self.began)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if self.format == LogFormat::ChromeTrace {
            if !self.has_begun {
                // It is a trace all the same.
                let _ = chrome::begin(&mut self.writer);
            }
            let _ = chrome::end(&mut self.writer);
        }
        let _ = self.writer.flush();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Heap {
    /// Writes what happens in the heap to `writer`, from now on. There can be any number of logs.
    ///
    /// A log is written inside of safepoints, so that a slow writer makes pauses longer. One whose writer fails is given up.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::fs::File;
    /// use tumulus_heap::{Heap, LogFormat};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = std::env::temp_dir();
    /// let mut heap = Heap::new();
    /// # let path = folder.join(format!("tumulus-{}.json", std::process::id()));
    /// # /*
    /// let path = "trace.json";
    /// # */
    /// let file = std::io::BufWriter::new(File::create(&path)?);
    /// heap.log_to(LogFormat::ChromeTrace, file);
    /// heap.log_to(LogFormat::Plain, std::io::stderr());
    /// heap.collect(&());
    /// drop(heap); // the trace is complete
    /// # assert!(std::fs::read_to_string(&path)?.contains("MajorGC"));
    /// # std::fs::remove_file(&path)
    /// # }
    /// ```
    pub fn log_to(&mut self, format: LogFormat, writer: impl Write + 'static) {
        let log = Log { format, writer: Box::new(writer), began: Instant::now(), has_begun: false };
        self.listener.logs.push(log);
    }

    /// Ends all logs: they are completed and flushed, and their writers dropped.
    ///
    /// ```
    /// # use tumulus_heap::{Heap, LogFormat};
    /// let mut heap = Heap::new();
    /// heap.log_to(LogFormat::Plain, std::io::stderr());
    /// heap.end_logs();
    /// heap.collect(&()); // nothing is written
    /// ```
    pub fn end_logs(&mut self) {
        self.listener.logs.clear();
    }
}

/// The span of a slice, for subscribers of `tracing`. Outside of a collection memory is given back.
#[cfg(feature = "tracing")]
pub(crate) fn span(cycle: Option<(crate::events::Kind, crate::events::Reason)>) -> tracing::span::EnteredSpan {
    let span = cycle.map(|(kind, reason)| tracing::debug_span!("gc_slice", %kind, %reason));
    span.unwrap_or_else(|| tracing::debug_span!("gc_slice", kind = "release")).entered()
}
