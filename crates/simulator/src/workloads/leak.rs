//! A leak: views of an application, of which now and then one forgets to end its subscription.
//!
//! Each navigation makes a view with rows, and subscribes it to a bus. When the view is left, it should be taken off the bus.
//! Those that are forgotten stay there, with their rows. [`Bus`], [`Subscription`] and [`View`] are what a heap snapshot
//! names.

use super::numbers::{Checksum, Numbers, sum_of, text};
use super::shapes::{Words, put, put_slice, put_text};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use tumulus_heap::{Gc, Heap, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "leak",
    summary: "views that forget to end their subscription, now and then",
    page: include_str!("../../pages/leak.md"),
    parameters: &[
        Parameter::count("navigations", "how often another view is shown", 600_000, 1..=1_000_000_000),
        Parameter::count("rows", "rows of a view", 64, 0..=100_000),
        Parameter::count("forgetful", "of so many views one forgets; 0 for none", 100, 0..=1_000_000),
    ],
    make: |values| {
        Ok(Box::new(Leak {
            navigations: values.count("navigations") as u32,
            rows: values.count("rows") as u32,
            forgetful: values.count("forgetful") as u32,
        }))
    },
};

/// How many subscriptions hear of an event: the latest.
const HEARING: usize = 64;

#[derive(Debug)]
struct Leak {
    /// How often another view is shown.
    navigations: u32,
    /// How many rows a view has.
    rows: u32,
    /// Of so many views one forgets to end its subscription; 0 for none.
    forgetful: u32,
}

/// Who is told of events: a list, the latest first.
#[derive(Debug, Trace)]
struct Bus {
    words: Words,
    first: Option<Gc<Subscription>>,
}

#[derive(Debug, Trace)]
struct Subscription {
    words: Words,
    view: Gc<View>,
    next: Option<Gc<Subscription>>,
}

#[derive(Debug, Trace)]
struct View {
    words: Words,
    title: Gc<str>,
    rows: Gc<[Option<Gc<Row>>]>,
    events: u64,
}

#[derive(Debug, Trace)]
struct Row {
    words: Words,
    number: u64,
    text: Gc<str>,
}

#[derive(Debug, Trace)]
struct Roots {
    bus: Gc<Bus>,
    view: Option<Gc<View>>,
}

impl Workload for Leak {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut numbers = Numbers::new(session.random().get_seed());
        let mut checksum = Checksum::default();
        let bus = put(session.heap(), &(), Bus { words: Words::default(), first: None })?;
        let mut roots = Roots { bus, view: None };
        session.plan(u64::from(self.navigations));
        session.phase("navigating");
        for _ in 0..self.navigations {
            let view = self.show(session, &mut roots, &mut numbers)?;
            checksum.add(publish(session.heap(), bus));
            checksum.add(read(session.heap(), view));
            if self.forgetful == 0 || numbers.below(self.forgetful) != 0 {
                unsubscribe(session.heap(), bus, view);
            }
            session.done(1);
            session.safepoint(&roots)?;
        }
        Ok(checksum.get())
    }
}

impl Leak {
    /// Makes a view in the place of the last one, and subscribes it.
    fn show(&self, session: &mut Session, roots: &mut Roots, numbers: &mut Numbers) -> Result<Gc<View>, Stop> {
        let title = put_text(session.heap(), roots, text(numbers.next()))?;
        let rows = put_slice(session.heap(), &(&*roots, title), self.rows as usize, |_| None)?;
        let view = View { words: Words::default(), title, rows, events: 0 };
        let view = put(session.heap(), roots, view)?;
        roots.view = Some(view);
        for at in 0..self.rows as usize {
            let number = numbers.next();
            let text = put_text(session.heap(), roots, text(number))?;
            let row = Row { words: Words::default(), number: u64::from(number >> 16), text };
            let row = put(session.heap(), roots, row)?;
            session.heap().slice_mut(rows, at..=at)[0] = Some(row);
            session.safepoint(roots)?;
        }
        let next = session.heap()[roots.bus].first;
        let subscription = put(session.heap(), roots, Subscription { words: Words::default(), view, next })?;
        session.heap().get_mut(roots.bus).first = Some(subscription);
        Ok(view)
    }
}

/// Tells the latest subscriptions of an event. How many have heard of it.
fn publish(heap: &mut Heap, bus: Gc<Bus>) -> u32 {
    let mut heard = 0;
    let mut at = heap[bus].first;
    for _ in 0..HEARING {
        let Some(subscription) = at else { break };
        let Subscription { view, next, .. } = heap[subscription];
        heap.get_mut(view).events += 1;
        heard += 1;
        at = next;
    }
    heard
}

/// Takes a view off the bus.
fn unsubscribe(heap: &mut Heap, bus: Gc<Bus>, view: Gc<View>) {
    let mut before = None;
    let mut at = heap[bus].first;
    while let Some(subscription) = at {
        let next = heap[subscription].next;
        if heap[subscription].view == view {
            match before {
                Some(before) => heap.get_mut::<Subscription>(before).next = next,
                None => heap.get_mut(bus).first = next,
            }
            return;
        }
        before = at;
        at = next;
    }
}

fn read(heap: &Heap, view: Gc<View>) -> u32 {
    let View { title, rows, events, .. } = &heap[view];
    let rows = heap[*rows].iter().flatten();
    rows.fold(sum_of(&heap[*title]) + *events as u32, |sum, &row| {
        sum.wrapping_mul(31).wrapping_add(heap[row].number as u32).wrapping_add(sum_of(&heap[heap[row].text]))
    })
}
