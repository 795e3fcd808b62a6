//! Streams: data that goes through in chunks, each an `ArrayBuffer` whose bytes are outside of the heap.
//!
//! A source fills chunks. Each is framed: the header is cut off by `slice`, which copies. A decoder writes what it makes of
//! the bytes in place, and a collector of blocks gathers them in a resizable buffer that is handed on when it is full. The
//! objects are small and their bytes are many, so that it is the bytes that make collections due.

use super::numbers::{Checksum, Numbers};
use super::shapes::{Words, or_collect, put};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use std::collections::VecDeque;
use tumulus_arraybuffer::{ArrayBuffer, DetachKey, ElementKind, Layout, TypedArray};
use tumulus_heap::{Gc, Heap, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "streams",
    summary: "data that goes through in chunks, each an ArrayBuffer",
    page: include_str!("../../pages/streams.md"),
    parameters: &[
        Parameter::count("chunks", "chunks in all", 24_000, 1..=1_000_000_000),
        Parameter::bytes("chunk", "bytes of a chunk", 64 << 10, 64..=64 << 20),
        Parameter::count("window", "chunks that are on their way at a time", 64, 0..=1_000_000),
        Parameter::choice("done", "what becomes of a chunk that was read", "forgotten", &["forgotten", "detached"]),
    ],
    make: |values| {
        Ok(Box::new(Streams {
            chunks: values.count("chunks") as u32,
            chunk_bytes: values.count("chunk") as usize,
            window: values.count("window") as usize,
            done: if values.word("done") == "detached" { Done::Detached } else { Done::Forgotten },
        }))
    },
};

/// Bytes in front of each chunk that say what is in it.
const HEADER: usize = 16;
/// How many chunks make a block.
const BLOCK: usize = 4;

/// What becomes of a chunk that was read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Done {
    /// Nothing: the collector finds out.
    Forgotten,
    /// It is detached, and its bytes are released at once.
    Detached,
}

#[derive(Debug)]
struct Streams {
    /// How many chunks there are.
    chunks: u32,
    /// How many bytes each has.
    chunk_bytes: usize,
    /// How many are on their way at a time.
    window: usize,
    /// What becomes of them.
    done: Done,
}

/// A chunk on its way.
#[derive(Debug, Trace)]
struct Chunk {
    words: Words,
    number: u64,
    buffer: ArrayBuffer,
}

#[derive(Debug, Default, Trace)]
struct Pipe {
    window: VecDeque<Gc<Chunk>>,
    gathered: Option<ArrayBuffer>,
    /// The block that was handed on last.
    block: Option<ArrayBuffer>,
}

impl Workload for Streams {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut numbers = Numbers::new(session.random().get_seed());
        let mut checksum = Checksum::default();
        let mut pipe = Pipe::default();
        session.plan(u64::from(self.chunks));
        session.phase("streaming");
        for number in 0..self.chunks {
            let chunk = self.receive(session, &pipe, number, &mut numbers)?;
            pipe.window.push_back(chunk);
            if pipe.window.len() > self.window {
                self.read(session, &mut pipe, &mut checksum)?;
            }
            session.done(1);
            session.safepoint(&pipe)?;
        }
        session.phase("draining");
        while !pipe.window.is_empty() {
            self.read(session, &mut pipe, &mut checksum)?;
            session.safepoint(&pipe)?;
        }
        Ok(checksum.get())
    }
}

impl Streams {
    /// The source: a buffer is filled.
    fn receive(
        &self,
        session: &mut Session,
        pipe: &Pipe,
        number: u32,
        numbers: &mut Numbers,
    ) -> Result<Gc<Chunk>, Stop> {
        let heap = session.heap();
        let buffer = ArrayBuffer::new_or_collect(heap, pipe, self.chunk_bytes as u64)?;
        fill(buffer.as_mut_slice(heap)?, number, numbers);
        put(session.heap(), pipe, Chunk { words: Words::default(), number: u64::from(number), buffer })
    }

    /// The other end: the oldest chunk is unpacked, decoded and gathered.
    fn read(&self, session: &mut Session, pipe: &mut Pipe, checksum: &mut Checksum) -> Result<(), Stop> {
        let Some(&chunk) = pipe.window.front() else { return Ok(()) };
        let heap = session.heap();
        let Chunk { number, buffer, .. } = heap[chunk];
        checksum.add(number as u32 ^ word_at(buffer.as_slice(heap)?, 0));

        let frame = or_collect(heap, pipe, |heap| buffer.slice(heap, HEADER as f64, None))?;
        for word in frame.as_mut_slice(heap)?.chunks_exact_mut(4) {
            let decoded = word_at(word, 0).rotate_left(7) ^ number as u32;
            word.copy_from_slice(&decoded.to_le_bytes());
        }
        if self.done == Done::Detached {
            buffer.detach(heap, DetachKey::Undefined)?;
        }
        pipe.window.pop_front();
        self.gather(heap, pipe, frame, checksum)?;
        if self.done == Done::Detached {
            frame.detach(heap, DetachKey::Undefined)?;
        }
        Ok(())
    }

    /// Appends a frame to the block, which is handed on when it is full.
    fn gather(
        &self,
        heap: &mut Heap,
        pipe: &mut Pipe,
        frame: ArrayBuffer,
        checksum: &mut Checksum,
    ) -> Result<(), Stop> {
        let room = (BLOCK * self.chunk_bytes) as u64;
        let gathered = match pipe.gathered {
            Some(gathered) => gathered,
            None => ArrayBuffer::new_or_collect(heap, &(&*pipe, frame), Layout::new(0).max(room))?,
        };
        pipe.gathered = Some(gathered);
        let (start, length) = (gathered.byte_length(heap), frame.byte_length(heap));
        or_collect(heap, &(&*pipe, frame), |heap| gathered.resize(heap, (start + length) as u64))?;
        let [source, target] = [frame, gathered].map(|buffer| {
            or_collect(heap, &(&*pipe, frame), |heap| TypedArray::new(heap, ElementKind::Uint8, buffer, 0, None))
        });
        target?.set_from_array(heap, source?, start as f64)?;

        if (start + 2 * length) as u64 > room {
            let full = or_collect(heap, &(&*pipe, frame), |heap| gathered.transfer_to_fixed_length(heap, None))?;
            pipe.gathered = None;
            if self.done == Done::Detached
                && let Some(before) = pipe.block
            {
                before.detach(heap, DetachKey::Undefined)?;
            }
            pipe.block = Some(full);
            let bytes = full.as_slice(heap)?;
            for at in (0..bytes.len() - 4).step_by(4096) {
                checksum.add(word_at(bytes, at));
            }
        }
        Ok(())
    }
}

/// Fills a chunk: its header, and then random numbers.
fn fill(bytes: &mut [u8], number: u32, numbers: &mut Numbers) {
    let (header, rest) = bytes.split_at_mut(HEADER);
    header.fill(number as u8);
    for word in rest.chunks_exact_mut(4) {
        word.copy_from_slice(&numbers.next().to_le_bytes());
    }
}

/// The four bytes from there on, as a number.
fn word_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
