//! What each step does, to the heap and to the model.

use crate::model::{Id, Map, Model, Record, Registry, Shadow};
use crate::steps::Step;
use tumulus_heap::{Budget, Heap, Progress, WeakRef};

impl Model {
    #[allow(clippy::too_many_lines, reason = "an arm for each kind of step")]
    pub fn run(&mut self, heap: &mut Heap, step: &Step) {
        match step {
            Step::Node { edges } => {
                let edges = self.picked(edges);
                self.node(heap, edges);
            }
            Step::Map => {
                let (id, gc) = (self.id(), heap.alloc(Map::new()));
                self.add(id, Shadow::Map { gc, entries: Vec::new() });
            }
            Step::Registry => {
                let (id, gc) = (self.id(), heap.alloc(Registry::new()));
                self.add(id, Shadow::Registry { gc, records: Vec::new() });
            }
            Step::Link { from, to } => {
                if let (Some((from, gc)), Some(to)) = (self.pick_node(*from), self.pick_any(*to)) {
                    heap.get_mut(gc).edges.push(self.handles[&to]);
                    let Some(Shadow::Node { edges, .. }) = self.objects.get_mut(&from) else { unreachable!() };
                    edges.push(to);
                }
            }
            Step::Unlink { from } => {
                if let Some((from, gc)) = self.pick_node(*from) {
                    heap.get_mut(gc).edges.clear();
                    let Some(Shadow::Node { edges, .. }) = self.objects.get_mut(&from) else { unreachable!() };
                    edges.clear();
                }
            }
            Step::Insert { map, key, edges } => {
                if let (Some(map), Some(key)) = (self.pick_map(*map), self.pick_any(*key)) {
                    let edges = self.picked(edges);
                    self.insert(heap, map, key, edges);
                }
            }
            Step::Chain { map, first, len, reversed } => {
                if let (Some(map), Some(first)) = (self.pick_map(*map), self.pick_any(*first)) {
                    let depth = self.stack.len();
                    let mut keys = vec![first];
                    keys.extend((0..*len).map(|_| self.node(heap, Vec::new())));
                    let mut links: Vec<[Id; 2]> = keys.windows(2).map(|pair| [pair[0], pair[1]]).collect();
                    if *reversed {
                        links.reverse();
                    }
                    for [key, value] in links {
                        self.insert(heap, map, key, vec![value]);
                    }
                    self.stack.truncate(depth);
                }
            }
            Step::Remove { map, key } => {
                if let (Some((id, map)), Some(key)) = (self.pick_map(*map), self.pick_any(*key)) {
                    let removed = map.remove(heap, self.handles[&key]);
                    let Some(Shadow::Map { entries, .. }) = self.objects.get_mut(&id) else { unreachable!() };
                    let at = entries.iter().position(|entry| entry.0 == key);
                    let known = at.map(|at| entries.remove(at).1);
                    assert_eq!(removed.map(|value| value.token.id()), known);
                }
            }
            Step::Change { map, key, to } => {
                if let (Some((id, map)), Some(key), Some(to)) =
                    (self.pick_map(*map), self.pick_any(*key), self.pick_any(*to))
                {
                    let Some(Shadow::Map { entries, .. }) = self.objects.get(&id) else { unreachable!() };
                    let known = entries.iter().find(|entry| entry.0 == key).map(|entry| entry.1);
                    let found = map.get_mut(heap, self.handles[&key]);
                    assert_eq!(found.as_ref().map(|value| value.token.id()), known);
                    if let (Some(value), Some(known)) = (found, known) {
                        value.edges = vec![self.handles[&to]];
                        self.values.insert(known, vec![to]);
                    }
                }
            }
            Step::Shrink { map } => {
                if let Some((_, map)) = self.pick_map(*map) {
                    map.shrink_to_fit(heap).unwrap();
                }
            }
            Step::Clear { map } => {
                if let Some((id, map)) = self.pick_map(*map) {
                    map.clear(heap);
                    let Some(Shadow::Map { entries, .. }) = self.objects.get_mut(&id) else { unreachable!() };
                    entries.clear();
                }
            }
            Step::Forget { count } => {
                self.stack.drain(..(*count).min(self.stack.len()));
            }
            Step::Downgrade { of } => {
                if let Some((id, gc)) = self.pick_node(*of) {
                    self.weak.push((id, gc.downgrade()));
                }
            }
            Step::Upgrade { which, keep } => {
                if let Some(at) = which.checked_rem(self.weak.len()) {
                    let (id, weak) = self.weak[at];
                    let is_alive = weak.is_alive(heap);
                    let found = weak.upgrade(heap);
                    assert_eq!(found.is_some(), is_alive);
                    if let Some(gc) = found {
                        assert_eq!(heap[gc].token.id(), id);
                        if *keep {
                            self.stack.push(id);
                        }
                    }
                }
            }
            Step::MakeRef { of } => {
                if let Some((id, gc)) = self.pick_node(*of) {
                    self.refs.push((id, WeakRef::new(heap, gc)));
                    self.kept.push(id);
                }
            }
            Step::Deref { which } => {
                if let Some(at) = which.checked_rem(self.refs.len()) {
                    let (id, weak) = self.refs[at];
                    if let Some(gc) = weak.deref(heap) {
                        assert_eq!(heap[gc].token.id(), id);
                        self.kept.push(id);
                    }
                }
            }
            Step::EndOfJob => {
                heap.end_of_job();
                self.kept.clear();
            }
            Step::Register { registry, target, edges, token } => {
                if let (Some((id, gc)), Some(target)) = (self.pick_registry(*registry), self.pick_any(*target)) {
                    let token = token.and_then(|which| self.pick_any(which));
                    let edges = self.picked(edges);
                    let holds_target = edges.contains(&target);
                    let (held, value) = self.value(edges);
                    let token_gc = token.map(|token| self.handles[&token]);
                    let registered = gc.register(heap, self.handles[&target], value, token_gc);
                    assert_eq!(registered.is_err(), holds_target);
                    if !holds_target {
                        let Some(Shadow::Registry { records, .. }) = self.objects.get_mut(&id) else { unreachable!() };
                        records.push(Record { target, token, held, died: None });
                    }
                }
            }
            Step::Unregister { registry, token } => {
                if let (Some((id, gc)), Some(token)) = (self.pick_registry(*registry), self.pick_any(*token)) {
                    let cancelled = gc.unregister(heap, self.handles[&token]);
                    let Some(Shadow::Registry { records, .. }) = self.objects.get_mut(&id) else { unreachable!() };
                    let before = records.len();
                    records.retain(|record| record.token != Some(token));
                    assert_eq!(cancelled, records.len() < before);
                }
            }
            Step::TakeDead { registry } => {
                if let Some((id, gc)) = self.pick_registry(*registry) {
                    self.take_dead(heap, id, gc);
                }
            }
            Step::OnDeath { of } => {
                if let Some(id) = self.pick_any(*of) {
                    heap.on_death(self.handles[&id], self.deaths.len() as u64);
                    self.deaths.push((id, false));
                }
            }
            Step::Collect => {
                heap.collect(&self.roots());
                self.check(heap, true);
            }
            Step::CollectMinor => heap.collect_minor(&self.roots()),
            Step::StartMajor => heap.start_major(),
            Step::Safepoint => heap.safepoint(&self.roots()),
            Step::Slice { units } => {
                let _: Progress = heap.step(&self.roots(), Budget::work(*units));
            }
        }
        self.check(heap, false);
    }
}
