//! Whether the heap and the model agree.

use crate::model::{Id, Model, Registry, Shadow};
use std::collections::HashSet;
use tumulus_heap::{AnyGc, Gc, Heap};
use tumulus_tests::expect_sound;

impl Model {
    pub fn roots(&self) -> Vec<AnyGc> {
        self.gcs(&self.stack)
    }

    /// Takes all that a registry hands out.
    pub fn take_dead(&mut self, heap: &mut Heap, id: Id, gc: Gc<Registry>) {
        let mut last = 0;
        while let Some(value) = gc.take_dead(heap) {
            let Some(Shadow::Registry { records, .. }) = self.objects.get_mut(&id) else { unreachable!() };
            let at = records.iter().position(|record| record.held == value.token.id());
            let record =
                records.remove(at.expect("what is handed out was registered, and neither cancelled nor taken"));
            let died = record.died.expect("the target of what is handed out is dead");
            assert!(died >= last, "first in, first out");
            last = died;
        }
    }

    /// Compares the heap with the model.
    pub fn check(&mut self, heap: &mut Heap, full: bool) {
        self.steps += 1;
        let steps = self.steps;
        let reachable = self.reachable();
        for (&id, shadow) in &self.objects {
            let alive = heap.contains(shadow.handle());
            assert!(alive || !reachable.contains(&id), "object {id} can be reached and is dead");
            assert!(!(full && alive) || reachable.contains(&id), "object {id} cannot be reached and is alive");
            if let Shadow::Map { gc, entries } = shadow
                && reachable.contains(&id)
            {
                let shown: Vec<(AnyGc, Id)> = gc.iter(heap).map(|(key, value)| (key, value.token.id())).collect();
                let expected: Vec<(AnyGc, Id)> = entries
                    .iter()
                    .map(|&(key, value)| (self.handles[&key], value))
                    .filter(|&(key, _)| heap.contains(key))
                    .collect();
                assert_eq!(shown, expected, "map {id}");
                for &(key, value) in entries {
                    let found = gc.get(heap, self.handles[&key]);
                    let expected = heap.contains(self.handles[&key]).then_some(value);
                    assert_eq!(found.map(|found| found.token.id()), expected);
                    if let Some(found) = found {
                        assert_eq!(found.edges, self.gcs(&self.values[&value]));
                    }
                }
            }
        }
        for &(id, weak) in &self.weak {
            assert_eq!(weak.is_alive(heap), heap.contains(self.handles[&id]));
        }
        for (&id, shadow) in &mut self.objects {
            match shadow {
                // The model forgets the entries of the dead; a map that is alive has forgotten them, too.
                Shadow::Map { entries, .. } => entries.retain(|(key, _)| heap.contains(self.handles[key])),
                Shadow::Registry { records, .. } => {
                    for record in records.iter_mut().filter(|record| record.died.is_none()) {
                        record.died = (!heap.contains(self.handles[&record.target])).then_some(steps);
                    }
                    // A dead token can cancel nothing.
                    for record in records.iter_mut() {
                        record.token = record.token.filter(|token| heap.contains(self.handles[token]));
                    }
                }
                Shadow::Node { gc, edges } => {
                    if reachable.contains(&id) {
                        let node = &heap[*gc];
                        assert_eq!(node.token.id(), id);
                        let expected: Vec<AnyGc> = edges.iter().map(|edge| self.handles[edge]).collect();
                        assert_eq!(node.edges, expected);
                    }
                }
            }
        }
        while let Some(token) = heap.take_dead() {
            let (id, taken) = &mut self.deaths[token as usize];
            assert!(!*taken, "token {token} is handed out twice");
            *taken = true;
            assert!(!heap.contains(self.handles[id]), "token {token} is of an object that is alive");
        }
        self.objects.retain(|_, shadow| heap.contains(shadow.handle()));
        if full {
            self.check_exactly(heap, &reachable);
        }
    }

    /// After a full collection everything has been dropped and handed out that can be.
    pub fn check_exactly(&mut self, heap: &mut Heap, reachable: &HashSet<Id>) {
        for &(id, taken) in &self.deaths {
            assert_eq!(taken, !heap.contains(self.handles[&id]), "the token of object {id}");
        }
        let registries: Vec<(Id, Gc<Registry>)> = self
            .objects
            .iter()
            .filter_map(|(&id, shadow)| match shadow {
                Shadow::Registry { gc, .. } => Some((id, *gc)),
                _ => None,
            })
            .collect();
        for (id, gc) in registries {
            self.take_dead(heap, id, gc);
            let Some(Shadow::Registry { records, .. }) = self.objects.get(&id) else { unreachable!() };
            assert!(records.iter().all(|record| record.died.is_none()), "{records:?}");
        }
        let ledger = &self.ledger;
        let taken = |id: &Id| !self.objects.contains_key(id) && ledger.is_dropped(*id);
        for id in reachable {
            let is_object = self.objects.contains_key(id);
            if self.values.contains_key(id) {
                let in_registry = self.objects.values().any(|shadow| match shadow {
                    Shadow::Registry { records, .. } => records.iter().any(|record| record.held == *id),
                    _ => false,
                });
                let in_map = self.objects.values().any(|shadow| match shadow {
                    Shadow::Map { entries, .. } => entries.iter().any(|entry| entry.1 == *id),
                    _ => false,
                });
                assert_eq!(ledger.is_dropped(*id), !(in_registry || in_map), "value {id}");
            } else {
                assert!(is_object && !taken(id));
            }
        }
        // What is not reachable is not there.
        let objects: HashSet<Id> = self.objects.keys().copied().collect();
        self.values.retain(|id, _| !ledger.is_dropped(*id));
        let alive_values = self.values.len();
        let in_tables: usize = self
            .objects
            .values()
            .map(|shadow| match shadow {
                Shadow::Map { entries, .. } => entries.len(),
                Shadow::Registry { records, .. } => records.len(),
                Shadow::Node { .. } => 0,
            })
            .sum();
        assert_eq!(alive_values, in_tables, "values that were not dropped, and those in tables");
        assert!(objects.is_subset(reachable));
        expect_sound(heap);
    }
}
