//! A tree of elements as a browser has it, with listeners, and weak references from beside it.
//!
//! Elements refer to their parents, so that each subtree is one large cycle. Listeners are closures that hold their element
//! and the page's model. A page is rendered anew in parts: an element loses its children, which are garbage then, and gets
//! others. A table finds elements by a number, and holds them weakly; a finalization registry says which places of it are
//! of no use any more.

use super::numbers::{Checksum, Numbers, sum_of, text};
use super::shapes::{Words, put, put_slice, put_text};
use super::{Definition, Parameter, ParameterError, Workload};
use crate::session::{Session, Stop};
use tumulus_heap::{FinalizationRegistry, Gc, Heap, NativeFn, RegisterError, Trace, WeakRef};

pub(super) const DEFINITION: Definition = Definition {
    name: "dom",
    summary: "a tree of elements with listeners, and weak references from beside it",
    page: include_str!("../../pages/dom.md"),
    parameters: &[
        Parameter::count("levels", "levels of elements, each with four children", 7, 1..=10),
        Parameter::count("rendered", "levels that are made anew at a time; at most as many", 3, 1..=10),
        Parameter::count("steps", "how often a part is made anew", 70_000, 0..=1_000_000_000),
    ],
    make: |values| {
        let [levels, rendered, steps] = ["levels", "rendered", "steps"].map(|name| values.count(name) as u32);
        if rendered > levels {
            let words = format!(
                "a tree of {levels} levels cannot have {rendered} of them rendered; set \"rendered\" to {levels} or less"
            );
            return Err(ParameterError::Together(words));
        }
        Ok(Box::new(Dom { levels, rendered, steps }))
    },
};

/// How many children an element has.
const CHILDREN: u32 = 4;
/// Of so many elements one has a listener.
const LISTENING: u32 = 4;
/// How many elements are looked up by their number after each step.
const LOOKED_UP: u32 = 4;

/// What a listener's closure refers to.
type Captures = (Gc<Element>, Gc<Model>);
/// A listener, which is told the number of the event.
type Listener = NativeFn<Captures, Heap, u32, ()>;

#[derive(Debug)]
struct Dom {
    /// How many levels the tree has below its root.
    levels: u32,
    /// How many levels are rendered anew at a time.
    rendered: u32,
    /// How often a part is rendered anew.
    steps: u32,
}

#[derive(Debug, Trace)]
struct Element {
    words: Words,
    number: u64,
    text: Gc<str>,
    parent: Option<Gc<Element>>,
    first: Option<Gc<Element>>,
    sibling: Option<Gc<Element>>,
    listener: Option<Gc<Listener>>,
    is_attached: bool,
}

/// What listeners change.
#[derive(Debug, Trace)]
struct Model {
    words: Words,
    events: Checksum,
}

#[derive(Debug, Trace)]
struct Page {
    root: Option<Gc<Element>>,
    model: Gc<Model>,
    /// By their numbers, as far as they fit.
    elements: Gc<[Option<WeakRef<Element>>]>,
    /// Holds the place of each element in that table.
    registry: Gc<FinalizationRegistry<u64>>,
    next_number: u64,
}

impl Workload for Dom {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut numbers = Numbers::new(session.random().get_seed());
        let mut page = self.open(session)?;
        session.plan(u64::from(self.steps));

        session.phase("loading");
        let root = page.element(session, &mut numbers, None)?;
        page.root = Some(root);
        page.render(session, &mut numbers, root, self.levels)?;

        session.phase("rendering");
        let mut checksum = Checksum::default();
        for step in 0..self.steps {
            let mut at = root;
            for _ in 0..self.levels - self.rendered {
                at = child(session.heap(), at, &mut numbers);
            }
            detach_below(session.heap(), at);
            session.heap().get_mut(at).first = None;
            page.render(session, &mut numbers, at, self.rendered)?;
            for _ in 0..self.rendered {
                at = child(session.heap(), at, &mut numbers);
            }
            dispatch(session.heap(), at, step);
            for _ in 0..LOOKED_UP {
                checksum.add(page.look_up(session.heap(), numbers.next()));
            }
            // The end of a job: what weak references have shown may die, and what has died is cleaned up.
            session.heap().end_of_job();
            session.done(1);
            session.safepoint(&page)?;
            page.clean_up(session.heap());
        }
        checksum.add(session.heap()[page.model].events.get() as u32);
        Ok(checksum.get())
    }
}

impl Dom {
    fn open(&self, session: &mut Session) -> Result<Page, Stop> {
        // As many places as there are elements, and as many again: most of those that are attached have one of their own.
        let places = 2 * (CHILDREN.pow(self.levels + 1) / (CHILDREN - 1)) as usize;
        let elements = put_slice(session.heap(), &(), places, |_| None)?;
        let registry = put(session.heap(), &elements, FinalizationRegistry::new())?;
        let model = Model { words: Words::default(), events: Checksum::default() };
        let model = put(session.heap(), &(elements, registry), model)?;
        Ok(Page { root: None, model, elements, registry, next_number: 0 })
    }
}

impl Page {
    /// Gives an element so many levels of children.
    fn render(
        &mut self,
        session: &mut Session,
        numbers: &mut Numbers,
        parent: Gc<Element>,
        levels: u32,
    ) -> Result<(), Stop> {
        if levels == 0 {
            return Ok(());
        }
        for _ in 0..CHILDREN {
            let element = self.element(session, numbers, Some(parent))?;
            self.render(session, numbers, element, levels - 1)?;
        }
        Ok(())
    }

    /// Makes an element, as the first child of its parent.
    fn element(
        &mut self,
        session: &mut Session,
        numbers: &mut Numbers,
        parent: Option<Gc<Element>>,
    ) -> Result<Gc<Element>, Stop> {
        let random = numbers.next();
        let number = self.next_number;
        self.next_number += 1;
        let text = put_text(session.heap(), self, text(random))?;
        let sibling = parent.and_then(|parent| session.heap()[parent].first);
        let words = Words::default();
        let element = Element { words, number, text, parent, first: None, sibling, listener: None, is_attached: true };
        let element = put(session.heap(), self, element)?;
        match parent {
            Some(parent) => session.heap().get_mut(parent).first = Some(element),
            None => self.root = Some(element),
        }
        if random.is_multiple_of(LISTENING) {
            let listener = put(session.heap(), self, Listener::new((element, self.model), on_event))?;
            session.heap().get_mut(element).listener = Some(listener);
        }
        self.note(session, element, number)?;
        Ok(element)
    }

    /// Puts an element into the table, and sees to it that it leaves it.
    fn note(&self, session: &mut Session, element: Gc<Element>, number: u64) -> Result<(), Stop> {
        let heap = session.heap();
        let place = number as usize % heap[self.elements].len();
        heap.slice_mut(self.elements, place..=place)[0] = Some(WeakRef::new(heap, element));
        heap.try_or_collect(self, |heap| match self.registry.register(heap, element, number, None) {
            Err(RegisterError::Alloc(error)) => Err(error),
            result => Ok(result),
        })?
        .expect("the element is alive, and a number does not hold it");
        Ok(())
    }

    /// The text of an element, if the one with that number is on the page. Whether one that is not was collected does not
    /// show.
    fn look_up(&self, heap: &mut Heap, random: u32) -> u32 {
        let place = random as usize % heap[self.elements].len();
        let Some(element) = heap[self.elements][place].and_then(|element| element.deref(heap)) else { return 0 };
        let Element { is_attached, text, number, .. } = heap[element];
        if is_attached { sum_of(&heap[text]).wrapping_add(number as u32) } else { 0 }
    }

    /// Empties the places of elements that have died, unless another element has them by now.
    fn clean_up(&self, heap: &mut Heap) {
        while let Some(number) = self.registry.take_dead(heap) {
            let place = number as usize % heap[self.elements].len();
            if heap[self.elements][place].is_some_and(|element| element.deref(heap).is_none()) {
                heap.slice_mut(self.elements, place..=place)[0] = None;
            }
        }
    }
}

/// Marks all elements below one as no longer on the page.
fn detach_below(heap: &mut Heap, parent: Gc<Element>) {
    let mut at = heap[parent].first;
    while let Some(element) = at {
        heap.get_mut(element).is_attached = false;
        detach_below(heap, element);
        at = heap[element].sibling;
    }
}

/// A listener's body.
fn on_event(heap: &mut Heap, &(element, model): &Captures, arguments: &[u32]) {
    let number = heap[element].number as u32;
    heap.get_mut(model).events.add(number ^ arguments[0]);
}

/// Tells the listeners of an element, and of all that it is in, from the inside out.
fn dispatch(heap: &mut Heap, target: Gc<Element>, event: u32) {
    let mut at = Some(target);
    while let Some(element) = at {
        if let Some(listener) = heap[element].listener {
            let listener = heap[listener];
            listener.call(heap, &[event]);
        }
        at = heap[element].parent;
    }
}

/// A child of an element that has some, at random.
fn child(heap: &Heap, parent: Gc<Element>, numbers: &mut Numbers) -> Gc<Element> {
    let mut child = heap[parent].first.expect("all but the last level have children");
    for _ in 0..numbers.below(CHILDREN) {
        child = heap[child].sibling.expect("there are four");
    }
    child
}
