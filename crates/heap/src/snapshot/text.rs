//! The text of a snapshot on its way to a writer.

use std::io::{self, Write};

const BUFFERED: usize = 64 << 10;

/// Writes numbers and strings of JSON. What goes wrong is told at the end, as it happens inside of callbacks.
pub(super) struct Text<W> {
    writer: W,
    buffer: Vec<u8>,
    error: Option<io::Error>,
}

impl<W: Write> Text<W> {
    pub(super) fn new(writer: W) -> Text<W> {
        Text { writer, buffer: Vec::with_capacity(BUFFERED + 4096), error: None }
    }

    fn make_room(&mut self) {
        if self.buffer.len() >= BUFFERED {
            if self.error.is_none() {
                self.error = self.writer.write_all(&self.buffer).err();
            }
            self.buffer.clear();
        }
    }

    /// Writes what is JSON already.
    pub(super) fn raw(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
        self.make_room();
    }

    /// Writes numbers, with commas between them.
    #[inline]
    pub(super) fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        for (at, number) in numbers.into_iter().enumerate() {
            if at > 0 {
                self.buffer.push(b',');
            }
            self.number(number);
        }
        self.make_room();
    }

    #[inline]
    fn number(&mut self, mut number: u64) {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.buffer.extend_from_slice(&digits[at..]);
    }

    /// Writes a string, in quotes.
    pub(super) fn string(&mut self, text: &str) {
        self.buffer.push(b'"');
        for &byte in text.as_bytes() {
            match byte {
                b'"' | b'\\' => self.buffer.extend([b'\\', byte]),
                b'\n' => self.buffer.extend(b"\\n"),
                0..0x20 | 0x7f => {
                    let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
                    self.buffer.extend(*b"\\u00");
                    self.buffer.extend([hex(byte >> 4), hex(byte & 15)]);
                }
                _ => self.buffer.push(byte),
            }
        }
        self.buffer.push(b'"');
        self.make_room();
    }

    /// Whether nothing has gone wrong so far.
    pub(super) fn is_well(&self) -> bool {
        self.error.is_none()
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.writer.write_all(&self.buffer)?;
        self.writer.flush()
    }
}
