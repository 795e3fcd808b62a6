//! Buffers that live for a while: made, written to at both ends, and dropped when as many newer ones are alive.

use serde::Serialize;

use super::measure::{Measurement, Span, timed};
use super::workload::Sizes;

/// How many buffers are made, how many of them are alive at a time, and how large they are.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Buffers {
    /// How many are made.
    pub made: u64,
    /// How many are alive.
    pub kept: u64,
    /// The size of each.
    pub bytes: u64,
}

/// Who makes buffers.
pub trait Maker {
    /// A buffer.
    type Buffer;

    /// A new one of zeros. These are alive.
    fn make(&mut self, bytes: usize, kept: &[Self::Buffer]) -> Self::Buffer;

    /// The bytes, of which the first and the last are written to.
    fn ends<'m>(&'m mut self, buffer: &'m mut Self::Buffer) -> &'m mut [u8];
}

/// Makes all of them, and adds up the ends of those that are left.
pub fn measure<M: Maker>(buffers: &Buffers, maker: &mut M) -> Measurement {
    let (bytes, limit) = (buffers.bytes as usize, buffers.kept as usize);
    let (span, checksum) = timed(|| {
        let mut kept = Vec::new();
        for n in 0..buffers.made {
            let mut buffer = maker.make(bytes, &kept);
            let [low, high, ..] = n.to_le_bytes();
            let ends = maker.ends(&mut buffer);
            (ends[0], ends[bytes - 1]) = (low, high);
            if kept.len() < limit {
                kept.push(buffer);
            } else {
                kept[n as usize % limit] = buffer;
            }
        }
        let sum_of_ends = |buffer| {
            let ends = maker.ends(buffer);
            u64::from(ends[0]) + u64::from(ends[bytes - 1])
        };
        kept.iter_mut().map(sum_of_ends).sum()
    });
    Measurement::of_time(span, buffers.made, checksum)
}

/// The measurement of the workload about elements: it adds up their highest bytes.
pub fn typed_measurement(sizes: &Sizes, span: Span, elements: impl Iterator<Item = i32>) -> Measurement {
    let checksum = elements.map(|value| u64::from(value.cast_unsigned() >> 24)).sum();
    Measurement::of_time(span, sizes.hot.nodes * sizes.hot.passes, checksum)
}
