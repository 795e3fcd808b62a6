//! Chrome's trace-event format, with V8's names.
//!
//! A slice is a complete event (`"ph":"X"`), as a `MinorGC` or `MajorGC` is that stops V8; the size of the heap after it is an
//! instant `UpdateCounters`, which DevTools draws as a line. Times are microseconds since the log began.

use crate::events::{Kind, Pause};
use std::io::{self, Write};
use std::time::{Duration, Instant};

const THREAD: u32 = 1;

pub(super) fn begin(writer: &mut dyn Write) -> io::Result<()> {
    let pid = std::process::id();
    write!(
        writer,
        "[{{\"name\":\"thread_name\",\"cat\":\"__metadata\",\"ph\":\"M\",\"pid\":{pid},\"tid\":{THREAD},\"ts\":0,\
         \"args\":{{\"name\":\"CrRendererMain\"}}}}"
    )
}

pub(super) fn pause(writer: &mut dyn Write, pause: &Pause, began: Instant) -> io::Result<()> {
    let pid = std::process::id();
    let name = match pause.kind {
        Kind::Minor => "MinorGC",
        Kind::Full => "MajorGC",
    };
    // A slice that was under way when the log began is drawn from there.
    let start = us(pause.began.saturating_duration_since(began));
    let took = us(pause.took);
    let used = pause.used;
    write!(
        writer,
        ",\n{{\"name\":\"{name}\",\"cat\":\"devtools.timeline,v8\",\"ph\":\"X\",\"pid\":{pid},\"tid\":{THREAD},\
         \"ts\":{start:.3},\"dur\":{took:.3},\"args\":{{\"usedHeapSizeAfter\":{used}}}}}"
    )?;
    write!(
        writer,
        ",\n{{\"name\":\"UpdateCounters\",\"cat\":\"disabled-by-default-devtools.timeline\",\"ph\":\"I\",\"s\":\"t\",\
         \"pid\":{pid},\"tid\":{THREAD},\"ts\":{:.3},\"args\":{{\"data\":{{\"jsHeapSizeUsed\":{used}}}}}}}",
        start + took
    )
}

pub(super) fn end(writer: &mut dyn Write) -> io::Result<()> {
    writeln!(writer, "]")
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
