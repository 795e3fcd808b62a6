//! Reading objects: through an array of handles, and through the links from one to the other.

use std::hint::black_box;

use crate::compare::graph;
use crate::compare::measure::{Measurement, timed};
use crate::compare::workload::Reading;

/// Allocates the nodes with `make`, in order, and shuffles their handles.
#[inline]
pub fn handles<H>(reading: Reading, make: impl FnMut(u64) -> H) -> Vec<H> {
    let mut handles: Vec<H> = (0..reading.nodes).map(make).collect();
    graph::shuffle(&mut handles);
    handles
}

/// Measures reading the nodes of all handles over and over; `read` gives a node's first word.
#[inline]
pub fn measure<H>(reading: Reading, handles: &[H], read: impl Fn(&H) -> u64) -> Measurement {
    let (span, sum) = timed(|| {
        let mut sum = 0_u64;
        for _ in 0..reading.passes {
            for handle in black_box(handles) {
                sum = sum.wrapping_add(read(handle));
            }
        }
        sum
    });
    Measurement::of_time(span, reading.nodes * reading.passes, sum)
}

/// Measures summing the values of a tree of `reading.nodes` nodes over and over; `sum` walks the tree once.
#[inline]
pub fn measure_walk(reading: Reading, sum: impl Fn() -> u64) -> Measurement {
    let (span, total) = timed(|| (0..reading.passes).fold(0_u64, |total, _| total.wrapping_add(black_box(sum()))));
    Measurement::of_time(span, reading.nodes * reading.passes, total)
}
