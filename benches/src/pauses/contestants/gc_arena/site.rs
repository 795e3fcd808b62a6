//! The workload `bursts`.

use gc_arena::{Arena, Collect, Gc, RefLock, Rootable};

use super::Link;
use crate::pauses::bursts::{self, CART, Server};
use crate::pauses::random::{Random, sum_of, text};
use crate::pauses::watch::Watch;

#[derive(Collect)]
#[collect(no_drop)]
struct Element<'gc> {
    first: Link<'gc, Element<'gc>>,
    sibling: Link<'gc, Element<'gc>>,
    text: Box<str>,
    tag: u32,
}

#[derive(Collect)]
#[collect(no_drop)]
struct Session<'gc> {
    text: Box<str>,
    cart: Link<'gc, Item<'gc>>,
    visits: u32,
}

#[derive(Collect)]
#[collect(no_drop)]
struct Item<'gc> {
    next: Link<'gc, Item<'gc>>,
    number: u32,
}

type Sessions<'gc> = Vec<Gc<'gc, RefLock<Session<'gc>>>>;
/// The vector does not change, and is behind a `Gc` so that it is traced once in a cycle.
type SiteRoot = Rootable![Gc<'_, Sessions<'_>>];

/// An arena with a table of sessions.
pub struct Site(Arena<SiteRoot>);

impl Site {
    pub fn new(sessions: usize) -> Self {
        Site(Arena::new(|mc| {
            let session = || RefLock::new(Session { text: Box::default(), cart: None, visits: 0 });
            Gc::new(mc, (0..sessions).map(|_| Gc::new(mc, session())).collect())
        }))
    }
}

impl Server for Site {
    fn document(&mut self, random: &mut Random, _watch: &mut Watch) -> u64 {
        fn sum(element: &Element<'_>) -> u64 {
            let mut total = 0;
            let mut next = Some(element);
            while let Some(element) = next {
                total += u64::from(element.tag) + sum_of(&element.text);
                total += element.first.as_ref().map_or(0, |first| sum(first));
                next = element.sibling.as_deref();
            }
            total
        }
        self.0.mutate(|mc, _| {
            let document = bursts::element(0, None, random, &mut |tag, text, first, sibling| {
                Gc::new(mc, Element { first, sibling, text: text.into(), tag })
            });
            sum(&document)
        })
    }

    fn visit(&mut self, session: usize, number: u32, _watch: &mut Watch) {
        self.0.mutate(|mc, sessions| {
            let mut session = sessions[session].borrow_mut(mc);
            let next = if session.visits % CART == CART - 1 { None } else { session.cart };
            session.visits += 1;
            session.text = text(number).into();
            session.cart = Some(Gc::new(mc, Item { next, number }));
        });
    }

    fn rest(&mut self, watch: &mut Watch) {
        watch.pause(|| self.0.collect_debt());
    }

    fn sum(&mut self) -> u64 {
        self.0.mutate(|_, sessions| {
            let mut total = 0;
            for session in sessions.iter().map(|session| session.borrow()) {
                total += sum_of(&session.text);
                let mut next = session.cart;
                while let Some(item) = next {
                    total += u64::from(item.number);
                    next = item.next;
                }
            }
            total
        })
    }
}
