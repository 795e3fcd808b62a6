//! Numbers that name an object in every snapshot of its heap.
//!
//! An object keeps the number that it was given in the first snapshot that it was in, and no number is given twice. So two
//! snapshots can be compared. The numbers are odd, as V8's are.
//!
//! They are kept from one snapshot to the next, in the order of the objects, in four bytes each. Whether the object in a cell
//! is the one that was there at the last snapshot is seen from its stamp: if a cell was in use then, another object can only
//! have come into it after a sweep, which has brought a newer stamp.

use super::census::Census;
use super::reach::NativeNode;
use crate::raw::Store;
use std::collections::HashMap;

/// The first number that is not one of the nodes for the roots.
const FIRST: u32 = 101;

/// The numbers of the last snapshot.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    census: Census,
    of_objects: Vec<u32>,
    of_natives: HashMap<u64, u32>,
    /// The newest stamp that an object of that snapshot can have.
    stamp: u32,
    given: u32,
}

impl Ids {
    /// The numbers for the objects of a census, and for memory outside; `None` when there are no more numbers.
    pub(super) fn next(&self, store: &Store, census: Census, natives: &[NativeNode]) -> Option<Ids> {
        let mut given = self.given;
        let mut give = || {
            given = given.checked_add(1)?;
            given.checked_mul(2)?.checked_add(FIRST - 2)
        };
        let mut of_objects = Vec::with_capacity(census.len() as usize);
        for index in census.indices() {
            let before = self
                .census
                .rank(index)
                .filter(|_| store.object_at(index).is_some_and(|view| view.handle.handle().stamp() <= self.stamp));
            of_objects.push(match before {
                Some(rank) => self.of_objects[rank as usize],
                None => give()?,
            });
        }
        let mut of_natives = HashMap::with_capacity(natives.len());
        for native in natives {
            let known = self.of_natives.get(&native.identity).copied();
            of_natives.insert(native.identity, known.or_else(&mut give)?);
        }
        Some(Ids { census, of_objects, of_natives, stamp: store.current_stamp(), given })
    }

    /// Takes the census out, which has to be [returned](Ids::return_census).
    pub(super) fn take_census(&mut self) -> Census {
        std::mem::take(&mut self.census)
    }

    pub(super) fn return_census(&mut self, census: Census) {
        self.census = census;
    }

    /// The number of the object with a rank.
    pub(super) fn of_object(&self, rank: u32) -> u32 {
        self.of_objects[rank as usize]
    }

    pub(super) fn of_native(&self, native: &NativeNode) -> u32 {
        self.of_natives.get(&native.identity).copied().unwrap_or(0)
    }
}
