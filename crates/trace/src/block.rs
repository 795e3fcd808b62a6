//! The file: a stream of events, packed in blocks.
//!
//! ```text
//! file    | head | block | block | ... | end |
//! head    | 0x184d2a50: u32 | 12: u32 | "TUMTRACE" | format: u16 | 0: u16 |
//! block   | 0x184d2a51: u32 | 12: u32 | bytes of events: u32 | bytes when packed: u32 | crc-32 of these: u32 | zstd frame |
//! end     | 0x184d2a52: u32 | 12: u32 | number of events: u64 | crc-32 of all events: u32 |
//! ```
//!
//! Numbers are little-endian. Each head is a *skippable frame* of zstd, so that the whole file is one for its tools: `zstd -dc`
//! gives the events. A block is unpacked only when its checksum is right, and never to more than [`MOST_BYTES`].

use crate::error::{Flaw, TraceError};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::{self, Read, Write};

/// The format that is written.
pub(crate) const FORMAT: u16 = 2;
/// The oldest that is read.
const OLDEST: u16 = 1;
/// The first that can have quiet safepoints.
pub(crate) const QUIET_SAFEPOINTS: u16 = 2;
const NAME: [u8; 8] = *b"TUMTRACE";
const HEAD: u32 = 0x184d_2a50;
const BLOCK: u32 = 0x184d_2a51;
const END: u32 = 0x184d_2a52;
/// Bytes of events in a block, but for the last.
const USUAL_BYTES: usize = 256 << 10;
/// The most bytes of events in a block, and of what they are packed in.
const MOST_BYTES: u32 = 1 << 20;

/// Packs a stream of events.
#[derive(Debug)]
pub(crate) struct Packer<W> {
    writer: W,
    events: Vec<u8>,
    checksum: crc32fast::Hasher,
    /// Bytes of the file so far.
    file_bytes: u64,
}

impl<W: Write> Packer<W> {
    pub(crate) fn new(writer: W) -> io::Result<Packer<W>> {
        let checksum = crc32fast::Hasher::new();
        let mut packer = Packer { writer, events: Vec::new(), checksum, file_bytes: 0 };
        let mut head = [0; 12];
        head[..8].copy_from_slice(&NAME);
        head[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        packer.frame(HEAD, head)?;
        Ok(packer)
    }

    /// Adds the bytes of an event.
    pub(crate) fn push(&mut self, event: &[u8]) -> io::Result<()> {
        for part in event.chunks(USUAL_BYTES) {
            self.events.extend_from_slice(part);
            if self.events.len() >= USUAL_BYTES {
                self.flush_block()?;
            }
        }
        Ok(())
    }

    fn flush_block(&mut self) -> io::Result<()> {
        if self.events.is_empty() {
            return Ok(());
        }
        self.checksum.update(&self.events);
        let packed = compress_to_vec(&self.events[..], CompressionLevel::Fastest);
        let mut head = [0; 12];
        head[..4].copy_from_slice(&(self.events.len() as u32).to_le_bytes());
        head[4..8].copy_from_slice(&(packed.len() as u32).to_le_bytes());
        head[8..].copy_from_slice(&crc32fast::hash(&packed).to_le_bytes());
        self.frame(BLOCK, head)?;
        self.writer.write_all(&packed)?;
        self.file_bytes += packed.len() as u64;
        self.events.clear();
        Ok(())
    }

    fn frame(&mut self, magic: u32, head: [u8; 12]) -> io::Result<()> {
        self.writer.write_all(&magic.to_le_bytes())?;
        self.writer.write_all(&12_u32.to_le_bytes())?;
        self.writer.write_all(&head)?;
        self.file_bytes += 20;
        Ok(())
    }

    /// Ends the trace. Without that it counts as broken off.
    pub(crate) fn end(mut self, events: u64) -> io::Result<(W, u64)> {
        self.flush_block()?;
        let mut head = [0; 12];
        head[..8].copy_from_slice(&events.to_le_bytes());
        head[8..].copy_from_slice(&self.checksum.clone().finalize().to_le_bytes());
        self.frame(END, head)?;
        self.writer.flush()?;
        Ok((self.writer, self.file_bytes))
    }
}

/// Unpacks a stream of events.
#[derive(Debug)]
pub(crate) struct Unpacker<R> {
    reader: R,
    block: Vec<u8>,
    at: usize,
    checksum: crc32fast::Hasher,
    /// Bytes of the file that were read.
    read: u64,
    /// Where the block begins that is being read.
    offset: u64,
    /// The end has been met, and says how many events there are.
    end: Option<u64>,
    /// Bytes of events in the blocks so far.
    pub(crate) event_bytes: u64,
    format: u16,
}

impl<R: Read> Unpacker<R> {
    pub(crate) fn new(reader: R) -> Result<Unpacker<R>, TraceError> {
        let mut unpacker = Unpacker {
            reader,
            block: Vec::new(),
            at: 0,
            checksum: crc32fast::Hasher::new(),
            read: 0,
            offset: 0,
            end: None,
            event_bytes: 0,
            format: FORMAT,
        };
        let Some((HEAD, head)) = unpacker.frame()? else { return Err(unpacker.error(Flaw::NotATrace)) };
        let version = u16::from_le_bytes([head[8], head[9]]);
        unpacker.format = version;
        match version {
            _ if head[..8] != NAME => Err(unpacker.error(Flaw::NotATrace)),
            ..OLDEST => Err(unpacker.error(Flaw::Older { version, understood: OLDEST })),
            OLDEST..=FORMAT if head[10..] == [0, 0] => Ok(unpacker),
            OLDEST..=FORMAT => Err(unpacker.error(Flaw::Damaged { what: "its head has unknown marks" })),
            _ => Err(unpacker.error(Flaw::Newer { version, understood: FORMAT })),
        }
    }

    /// The format of the file.
    pub(crate) fn format(&self) -> u16 {
        self.format
    }

    pub(crate) fn error(&self, flaw: Flaw) -> TraceError {
        TraceError { offset: self.offset, flaw }
    }

    /// Bytes of the file that were read.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.read
    }

    /// Fills the buffer; false when the file ended before its first byte.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<bool, TraceError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.reader.read(&mut bytes[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(self.error(Flaw::End)),
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(Flaw::Read { message: error.to_string() })),
            }
        }
        self.read += filled as u64;
        Ok(true)
    }

    /// The head of the next block, and what it is; none, if it is no head at all.
    fn frame(&mut self) -> Result<Option<(u32, [u8; 12])>, TraceError> {
        self.offset = self.read;
        let mut magic = [0; 4];
        if !self.fill(&mut magic)? {
            return Err(self.error(Flaw::End));
        }
        let magic = u32::from_le_bytes(magic);
        if !(HEAD..=END).contains(&magic) {
            return Ok(None);
        }
        let mut rest = [0; 16];
        if !self.fill(&mut rest)? {
            return Err(self.error(Flaw::End));
        }
        let (size, head) = rest.split_at(4);
        if size != 12_u32.to_le_bytes() {
            return Ok(None);
        }
        Ok(Some((magic, head.try_into().expect("sixteen less four"))))
    }

    /// Whether there is another byte of events.
    pub(crate) fn has_more(&mut self) -> Result<bool, TraceError> {
        while self.at == self.block.len() {
            if self.end.is_some() {
                return Ok(false);
            }
            self.next_block()?;
        }
        Ok(true)
    }

    fn next_block(&mut self) -> Result<(), TraceError> {
        let word =
            |head: &[u8; 12], at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        match self.frame()? {
            Some((BLOCK, head)) => {
                let (raw, packed, checksum) = (word(&head, 0), word(&head, 4), word(&head, 8));
                if raw == 0 || raw > MOST_BYTES || packed == 0 || packed > MOST_BYTES {
                    return Err(self.error(Flaw::Damaged { what: "its size is out of bounds" }));
                }
                let mut bytes = vec![0; packed as usize];
                if !self.fill(&mut bytes)? {
                    return Err(self.error(Flaw::End));
                }
                if crc32fast::hash(&bytes) != checksum {
                    return Err(self.error(Flaw::Damaged { what: "its checksum is wrong" }));
                }
                self.block.clear();
                self.at = 0;
                let offset = self.offset;
                let garbled = || TraceError { offset, flaw: Flaw::Damaged { what: "it cannot be unpacked" } };
                let decoder = StreamingDecoder::new(&bytes[..]).map_err(|_| garbled())?;
                let unpacked = decoder.take(u64::from(raw) + 1).read_to_end(&mut self.block);
                unpacked.map_err(|_| garbled())?;
                if self.block.len() != raw as usize {
                    return Err(self.error(Flaw::Damaged { what: "it has another size than it says" }));
                }
                self.checksum.update(&self.block);
                self.event_bytes += u64::from(raw);
                Ok(())
            }
            Some((END, head)) => {
                if word(&head, 8) != self.checksum.clone().finalize() {
                    return Err(self.error(Flaw::Damaged { what: "the checksum of all events is wrong" }));
                }
                self.end = Some(u64::from(word(&head, 0)) | u64::from(word(&head, 4)) << 32);
                let mut more = [0];
                if self.fill(&mut more)? {
                    return Err(self.error(Flaw::Trailing));
                }
                Ok(())
            }
            _ => Err(self.error(Flaw::Damaged { what: "it does not begin as blocks do" })),
        }
    }

    /// How many events the end of the file says that there are, when it has been met.
    pub(crate) fn expected_events(&self) -> Option<u64> {
        self.end
    }

    /// The next byte of events.
    pub(crate) fn byte(&mut self) -> Result<u8, TraceError> {
        if !self.has_more()? {
            return Err(self.error(Flaw::Damaged { what: "it ends within an event" }));
        }
        self.at += 1;
        Ok(self.block[self.at - 1])
    }
}
