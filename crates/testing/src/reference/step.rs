//! Programs, as steps.

/// One step of a program that runs beside a model. Numbers pick among what there is, by the remainder, so that every step can be
/// done at any time; one for which there is nothing is skipped.
///
/// ```
/// use tumulus_testing::reference::{Machine, Step};
///
/// let mut machine = Machine::new(tumulus_heap::Heap::builder());
/// machine.run(&[Step::New, Step::MakeBuffer { of: 0, bytes: 117 }, Step::Pop, Step::Collect]);
/// machine.finish();
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Step {
    /// Makes an object, and pushes it on the stack.
    New,
    /// Pushes an object on the stack.
    Push(u8),
    /// Takes the last object off the stack.
    Pop,
    /// Stores a handle in an object.
    Link {
        /// The object.
        from: u8,
        /// Which of its fields.
        slot: u8,
        /// What it refers to from then on.
        to: u8,
    },
    /// Empties a field.
    Unlink {
        /// The object.
        from: u8,
        /// Which of its fields.
        slot: u8,
    },
    /// Makes a root.
    Root(u8),
    /// Drops a root.
    Unroot(u8),
    /// Makes a weak handle.
    Weaken(u8),
    /// Puts an entry into an object's ephemeron table.
    Insert {
        /// The object, which gets a table if it has none.
        table: u8,
        /// The key.
        key: u8,
        /// The value.
        value: u8,
    },
    /// Takes an entry out.
    Remove {
        /// The object.
        table: u8,
        /// The key.
        key: u8,
    },
    /// Gives an object a buffer with a store of its own.
    MakeBuffer {
        /// The object.
        of: u8,
        /// How many bytes.
        bytes: u8,
    },
    /// Holds the store of an object's buffer from outside.
    Hold(u8),
    /// Lets a store go.
    LetGo(u8),
    /// Gives an object a buffer with a store that is held.
    Share {
        /// The object.
        of: u8,
        /// The store.
        store: u8,
    },
    /// Writes to an object's buffer.
    Write {
        /// The object.
        of: u8,
        /// Where.
        at: u8,
        /// What.
        value: u8,
    },
    /// Writes to a held store that no heap has.
    WriteOutside {
        /// The store.
        store: u8,
        /// Where.
        at: u8,
        /// What.
        value: u8,
    },
    /// Detaches an object's buffer.
    Detach(u8),
    /// A full collection.
    Collect,
    /// A minor one.
    CollectMinor,
    /// Lets a full collection begin.
    StartMajor,
    /// A slice, of so many units of work.
    Slice(u8),
    /// A safepoint.
    Safepoint,
    /// Sets a limit that leaves so many times 512 bytes to what there is; from 200 on, takes the limit away.
    Limit(u8),
}

/// Reads bytes as a program: for fuzzers, and for generators of bytes. All bytes are one.
///
/// ```
/// use tumulus_testing::reference::{Step, decode};
///
/// assert_eq!(decode(&[0, 2]), [Step::New, Step::Pop]);
/// assert_eq!(decode(b"tumulus").len(), 4);
/// ```
pub fn decode(bytes: &[u8]) -> Vec<Step> {
    let mut bytes = bytes.iter().copied();
    let mut steps = Vec::new();
    while let Some(code) = bytes.next() {
        let mut next = || bytes.next().unwrap_or(0);
        steps.push(match code % 27 {
            0 | 1 => Step::New,
            2 => Step::Pop,
            3 => Step::Push(next()),
            4 | 5 => Step::Link { from: next(), slot: next(), to: next() },
            6 => Step::Unlink { from: next(), slot: next() },
            7 => Step::Root(next()),
            8 => Step::Unroot(next()),
            9 => Step::Weaken(next()),
            10 | 11 => Step::Insert { table: next(), key: next(), value: next() },
            12 => Step::Remove { table: next(), key: next() },
            13 | 14 => Step::MakeBuffer { of: next(), bytes: next() },
            15 => Step::Hold(next()),
            16 => Step::LetGo(next()),
            17 => Step::Share { of: next(), store: next() },
            18 => Step::Write { of: next(), at: next(), value: next() },
            19 => Step::WriteOutside { store: next(), at: next(), value: next() },
            20 => Step::Detach(next()),
            21 => Step::Collect,
            22 => Step::CollectMinor,
            23 => Step::StartMajor,
            24 => Step::Slice(next()),
            25 => Step::Limit(next()),
            _ => Step::Safepoint,
        });
    }
    steps
}
