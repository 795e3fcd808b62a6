//! The workload `bursts`: a server whose requests allocate much that dies at once, beside state that lives.
//!
//! A request builds a document of 1,365 elements with a text each, as a parser would, reads all of it, and changes
//! eight of the sessions in a table: each gets a new text and one more item in its cart, which is emptied at every
//! eighth visit.

use super::measure::Measurement;
use super::random::{Random, text};
use super::watch::Watch;
use super::workload::Sizes;

/// How many levels of elements are below the document's first.
pub const LEVELS: u32 = 5;
/// How many children an element has, down to the last level.
pub const CHILDREN: u32 = 4;
/// How many sessions a request changes.
pub const CHANGED: u32 = 8;
/// At each of so many visits a cart is emptied.
pub const CART: u32 = 8;

/// How many objects a document is made of.
const OBJECTS: u64 = {
    let (mut elements, mut level) = (0, 0);
    while level <= LEVELS {
        elements += (CHILDREN as u64).pow(level);
        level += 1;
    }
    2 * elements
};

/// A server, in a contestant's hands.
pub trait Server {
    /// Builds a document with [`element`], drops it, and gives the sum over all of its elements.
    fn document(&mut self, random: &mut Random, watch: &mut Watch) -> u64;

    /// A visit to a session: a text and an item are new.
    fn visit(&mut self, session: usize, number: u32, watch: &mut Watch);

    /// Lets the collector do what is due, where that is for the program to say.
    fn rest(&mut self, _watch: &mut Watch) {}

    /// The sum over all sessions.
    fn sum(&mut self) -> u64;
}

/// Builds an element and all below it; `make` allocates one from its tag, its text, its first child and its sibling.
#[inline]
pub fn element<E>(
    level: u32,
    sibling: Option<E>,
    random: &mut Random,
    make: &mut impl FnMut(u32, &str, Option<E>, Option<E>) -> E,
) -> E {
    let mut first = None;
    if level < LEVELS {
        for _ in 0..CHILDREN {
            first = Some(element(level + 1, first, random, make));
        }
    }
    let number = random.next();
    make(number >> 24, text(number), first, sibling)
}

/// Runs the workload. `new` makes a server with so many sessions that nobody has visited.
pub fn run<S: Server>(sizes: &Sizes, new: impl FnOnce(usize) -> S) -> Measurement {
    let mut random = Random::new();
    let mut server = new(sizes.sessions as usize);
    let mut unseen = Watch::begin(sizes.pass);
    for session in 0..sizes.sessions {
        server.visit(session as usize, random.next(), &mut unseen);
        server.rest(&mut unseen);
    }
    let mut sum = 0;
    let mut watch = Watch::begin(sizes.pass);
    for _ in 0..sizes.requests {
        sum += server.document(&mut random, &mut watch);
        for _ in 0..CHANGED {
            let session = random.below(sizes.sessions);
            server.visit(session as usize, random.next(), &mut watch);
        }
        server.rest(&mut watch);
    }
    watch.end(u64::from(sizes.requests) * OBJECTS).checked(sum + server.sum())
}
