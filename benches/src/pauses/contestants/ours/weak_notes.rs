//! The workload `weak-map`.

use tumulus_heap::{EphemeronMap, Gc, Heap, Trace};

use super::{Options, set};
use crate::pauses::watch::Watch;
use crate::pauses::weak_map::Notes;

#[derive(Trace)]
pub struct Object {
    number: u32,
}

#[derive(Trace)]
pub struct Note {
    about: Gc<Object>,
    number: u32,
}

/// A heap with a table of objects, and a map with notes about them.
pub struct WeakNotes {
    heap: Heap,
    objects: Gc<[Option<Gc<Object>>]>,
    notes: Gc<EphemeronMap<Gc<Object>, Gc<Note>>>,
}

impl WeakNotes {
    pub fn new<O: Options>(places: usize) -> Self {
        let mut heap = O::heap();
        let objects = heap.alloc_slice_with(places, |_| None);
        let notes = heap.alloc(EphemeronMap::new());
        WeakNotes { heap, objects, notes }
    }
}

impl Notes for WeakNotes {
    fn replace(&mut self, at: usize, number: u32, watch: &mut Watch) {
        let heap = &mut self.heap;
        let object = heap.alloc(Object { number });
        let note = heap.alloc(Note { about: object, number });
        self.notes.insert(heap, object, note);
        set(heap, self.objects, at, Some(object));
        watch.pause(|| heap.safepoint(&(self.objects, self.notes)));
    }

    fn number(&mut self, at: usize) -> u32 {
        let object = self.heap[self.objects][at].expect("the table is full");
        let note = &self.heap[*self.notes.get(&self.heap, object).expect("each object has a note")];
        assert_eq!(self.heap[note.about].number, note.number);
        note.number
    }
}
