//! Requests and responses: much that dies with its request, beside sessions that live.
//!
//! A request is parsed into a document, which is read, and answered with a text. Some sessions are visited: each keeps the
//! last answer, and gets one more item in its cart, which is emptied at every eighth visit.

use super::numbers::{Checksum, Numbers, sum_of, text};
use super::shapes::{Words, put, put_slice, put_text};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use tumulus_heap::{Gc, Heap, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "requests",
    summary: "requests that make much garbage, beside sessions that live",
    page: include_str!("../../pages/requests.md"),
    parameters: &[
        Parameter::count("requests", "requests that are answered", 40_000, 1..=1_000_000_000),
        Parameter::count("sessions", "sessions that live", 50_000, 1..=10_000_000),
        Parameter::count("levels", "levels of elements in a request, each with four children", 5, 0..=8),
    ],
    make: |values| {
        Ok(Box::new(Requests {
            count: values.count("requests") as u32,
            sessions: values.count("sessions") as u32,
            levels: values.count("levels") as u32,
        }))
    },
};

/// How many children an element has, down to the last level.
const CHILDREN: u32 = 4;
/// How many sessions a request visits.
const VISITED: u32 = 8;
/// At each of so many visits a cart is emptied.
const CART: u64 = 8;

#[derive(Debug)]
struct Requests {
    /// How many requests there are.
    count: u32,
    /// How many sessions there are.
    sessions: u32,
    /// How many levels of elements are below a document's first.
    levels: u32,
}

#[derive(Debug, Trace)]
struct Element {
    words: Words,
    tag: u64,
    text: Gc<str>,
    first: Option<Gc<Element>>,
    sibling: Option<Gc<Element>>,
}

#[derive(Debug, Trace)]
struct Visitor {
    words: Words,
    name: Gc<str>,
    visits: u64,
    answer: Option<Gc<str>>,
    cart: Option<Gc<Item>>,
}

#[derive(Debug, Trace)]
struct Item {
    words: Words,
    number: u64,
    next: Option<Gc<Item>>,
}

#[derive(Debug, Trace)]
struct Server {
    sessions: Gc<[Option<Gc<Visitor>>]>,
    /// For each element that is being parsed, the one before it, and then its own last child so far.
    parser: Vec<Option<Gc<Element>>>,
    answer: Option<Gc<str>>,
}

impl Workload for Requests {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut numbers = Numbers::new(session.random().get_seed());
        let mut checksum = Checksum::default();
        let sessions = put_slice(session.heap(), &(), self.sessions as usize, |_| None)?;
        let mut server = Server { sessions, parser: Vec::new(), answer: None };
        session.plan(u64::from(self.count));

        session.phase("opening sessions");
        for at in 0..self.sessions as usize {
            let name = put_text(session.heap(), &server, text(numbers.next()))?;
            let visitor = Visitor { words: Words::default(), name, visits: 0, answer: None, cart: None };
            let visitor = put(session.heap(), &server, visitor)?;
            session.heap().slice_mut(sessions, at..=at)[0] = Some(visitor);
            session.safepoint(&server)?;
        }

        session.phase("serving");
        for _ in 0..self.count {
            server.parser.push(None);
            self.parse(session, &mut server, &mut numbers, 0)?;
            let document = server.parser.pop().flatten();
            checksum.add(sum(session.heap(), document));
            let answer = answer(session.heap(), document);
            checksum.add(answer.len() as u32);
            server.answer = Some(put_text(session.heap(), &server, &answer)?);
            for _ in 0..VISITED {
                let at = numbers.below(self.sessions) as usize;
                server.visit(session, at, numbers.next())?;
                session.safepoint(&server)?;
            }
            session.done(1);
            session.safepoint(&server)?;
        }
        checksum.add(server.sum(session.heap()));
        Ok(checksum.get())
    }
}

impl Requests {
    /// Makes an element and all below it, and puts it in the place of the one before it on the parser's stack.
    fn parse(&self, session: &mut Session, server: &mut Server, numbers: &mut Numbers, level: u32) -> Result<(), Stop> {
        server.parser.push(None);
        if level < self.levels {
            for _ in 0..CHILDREN {
                self.parse(session, server, numbers, level + 1)?;
            }
        }
        let number = numbers.next();
        let text = put_text(session.heap(), server, text(number))?;
        let first = server.parser.pop().flatten();
        let sibling = server.parser.pop().flatten();
        let tag = u64::from(number >> 24);
        let element = put(session.heap(), server, Element { words: Words::default(), tag, text, first, sibling })?;
        server.parser.push(Some(element));
        session.safepoint(server)
    }
}

impl Server {
    fn visit(&self, session: &mut Session, at: usize, number: u32) -> Result<(), Stop> {
        let visitor = session.heap()[self.sessions][at].expect("all are open");
        let Visitor { visits, cart, .. } = session.heap()[visitor];
        let next = if visits % CART == 0 { None } else { cart };
        let item =
            put(session.heap(), self, Item { words: Words::default(), number: u64::from(number & 0xffff), next })?;
        let visitor = session.heap().get_mut(visitor);
        visitor.visits += 1;
        visitor.answer = self.answer;
        visitor.cart = Some(item);
        Ok(())
    }

    fn sum(&self, heap: &Heap) -> u32 {
        let mut sum = Checksum::default();
        for visitor in heap[self.sessions].iter().flatten() {
            let Visitor { name, visits, answer, cart, .. } = &heap[*visitor];
            sum.add(sum_of(&heap[*name]));
            sum.add(*visits as u32);
            sum.add(answer.map_or(0, |answer| heap[answer].len() as u32));
            let mut at = *cart;
            while let Some(item) = at {
                sum.add(heap[item].number as u32);
                at = heap[item].next;
            }
        }
        sum.get() as u32
    }
}

/// The sum over an element, its siblings and all below them.
fn sum(heap: &Heap, element: Option<Gc<Element>>) -> u32 {
    let (mut sum, mut at) = (0_u32, element);
    while let Some(element) = at {
        let Element { tag, text, first, sibling, .. } = &heap[element];
        sum = sum.wrapping_add(*tag as u32).wrapping_add(sum_of(&heap[*text])).wrapping_add(self::sum(heap, *first));
        at = *sibling;
    }
    sum
}

/// The texts along the way from an element to the last one below it.
fn answer(heap: &Heap, element: Option<Gc<Element>>) -> String {
    let (mut answer, mut at) = (String::new(), element);
    while let Some(element) = at {
        answer.push_str(&heap[heap[element].text]);
        at = heap[element].first;
    }
    answer
}
