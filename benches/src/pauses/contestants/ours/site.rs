//! The workload `bursts`.

use tumulus_heap::{Gc, Heap, Trace};

use super::Options;
use crate::pauses::bursts::{self, CART, Server};
use crate::pauses::random::{Random, sum_of, text};
use crate::pauses::watch::Watch;

#[derive(Trace)]
struct Element {
    first: Option<Gc<Element>>,
    sibling: Option<Gc<Element>>,
    text: Gc<str>,
    tag: u32,
}

#[derive(Trace)]
struct Session {
    text: Option<Gc<str>>,
    cart: Option<Gc<Item>>,
    visits: u32,
}

#[derive(Trace)]
struct Item {
    next: Option<Gc<Item>>,
    number: u32,
}

/// A heap with a table of sessions.
pub struct Site {
    heap: Heap,
    sessions: Gc<[Gc<Session>]>,
}

impl Site {
    pub fn new<O: Options>(sessions: usize) -> Self {
        let mut heap = O::heap();
        let sessions: Vec<Gc<Session>> =
            (0..sessions).map(|_| heap.alloc(Session { text: None, cart: None, visits: 0 })).collect();
        let sessions = heap.alloc_slice(&sessions);
        Site { heap, sessions }
    }
}

impl Server for Site {
    fn document(&mut self, random: &mut Random, _watch: &mut Watch) -> u64 {
        fn sum(heap: &Heap, element: Gc<Element>) -> u64 {
            let mut total = 0;
            let mut next = Some(element);
            while let Some(element) = next {
                let element = &heap[element];
                total += u64::from(element.tag) + sum_of(&heap[element.text]);
                total += element.first.map_or(0, |first| sum(heap, first));
                next = element.sibling;
            }
            total
        }
        let heap = &mut self.heap;
        let document = bursts::element(0, None, random, &mut |tag, text, first, sibling| {
            let text = heap.alloc_str(text);
            heap.alloc(Element { first, sibling, text, tag })
        });
        sum(heap, document)
    }

    fn visit(&mut self, session: usize, number: u32, _watch: &mut Watch) {
        let heap = &mut self.heap;
        let session = heap[self.sessions][session];
        let next = if heap[session].visits % CART == CART - 1 { None } else { heap[session].cart };
        let item = heap.alloc(Item { next, number });
        let text = heap.alloc_str(text(number));
        let session = heap.get_mut(session);
        session.visits += 1;
        session.text = Some(text);
        session.cart = Some(item);
    }

    fn rest(&mut self, watch: &mut Watch) {
        watch.pause(|| self.heap.safepoint(&self.sessions));
    }

    fn sum(&mut self) -> u64 {
        let heap = &self.heap;
        let mut total = 0;
        for &session in &heap[self.sessions] {
            total += heap[session].text.map_or(0, |text| sum_of(&heap[text]));
            let mut next = heap[session].cart;
            while let Some(item) = next {
                total += u64::from(heap[item].number);
                next = heap[item].next;
            }
        }
        total
    }
}
