//! What could not be recorded as it was.

use std::fmt;

/// Why a replay may differ from the program that was recorded. It is in the trace, and in what [`info`](crate::info) and a
/// replay say.
///
/// ```
/// use tumulus_trace::Caveat;
///
/// assert_eq!(Caveat::TimeBudget.to_string(), "the size of slices was set by the clock");
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Caveat {
    /// Recording began when the heap was in use, so that the replay has its objects in other places.
    BeganLate,
    /// There were weak tables. Their entries count as strong.
    WeakTables,
    /// Slices were as long as the clock said.
    TimeBudget,
    /// An object had an edge without a type to one that has no edges, which costs another amount of work.
    UntypedEdge,
    /// An object or a root had a handle that had gone stale.
    StaleEdge,
    /// A long slice of elements with destructors is replayed as one that is scanned at once.
    PartsWithDestructors,
    /// The process had other heaps, which have had a part of the page numbers.
    OtherHeaps,
    /// There was no memory to note all that happened, or a `Trace` unwound when it was asked for edges.
    Lost,
    /// A collection unwound, or something was done in its callbacks.
    Interrupted,
}

impl Caveat {
    pub(crate) const ALL: [Caveat; 9] = [
        Caveat::BeganLate,
        Caveat::WeakTables,
        Caveat::TimeBudget,
        Caveat::UntypedEdge,
        Caveat::StaleEdge,
        Caveat::PartsWithDestructors,
        Caveat::OtherHeaps,
        Caveat::Lost,
        Caveat::Interrupted,
    ];
}

impl fmt::Display for Caveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Caveat::BeganLate => "recording began when the heap was in use",
            Caveat::WeakTables => "there are weak tables, whose entries count as strong",
            Caveat::TimeBudget => "the size of slices was set by the clock",
            Caveat::UntypedEdge => "objects refer without a type to others that have no edges",
            Caveat::StaleEdge => "there are handles that had gone stale",
            Caveat::PartsWithDestructors => "there are long slices with destructors and edges",
            Caveat::OtherHeaps => "the process had other heaps",
            Caveat::Lost => "not all that happened could be noted",
            Caveat::Interrupted => "a collection was interrupted by a panic",
        })
    }
}
