//! Programs made at random, run beside a naive model of what can be reached: objects with handles to each other, roots,
//! scopes, writes, and collections of both kinds. After a full collection exactly what the model reaches is alive; after
//! a minor one everything that it reaches is; every object is dropped once, when it dies.

use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use tumulus_heap::{Gc, Heap, Root, Trace, Zeal};
use tumulus_tests::{Ledger, Token, cases, expect_sound, scaled};

#[derive(Trace)]
struct Node {
    token: Token,
    edges: Vec<Option<Gc<Node>>>,
    rest: Option<Gc<[Option<Gc<Node>>]>>,
}

/// One step of a program. Numbers pick among what there is, by the remainder.
#[derive(Clone, Debug)]
enum Step {
    Alloc {
        edges: Vec<usize>,
    },
    AllocMany {
        count: usize,
    },
    Link {
        from: usize,
        at: usize,
        to: usize,
    },
    Unlink {
        from: usize,
        at: usize,
    },
    /// Gives an object a slice of its own, with a handle in it.
    LinkSlice {
        from: usize,
        len: usize,
        to: usize,
    },
    Swap {
        a: usize,
        b: usize,
    },
    Root {
        of: usize,
    },
    Unroot {
        which: usize,
    },
    Forget {
        count: usize,
    },
    Collect,
    CollectMinor,
    Safepoint,
    /// Runs these steps in a scope, and hands out what it allocated last.
    Scope {
        body: Vec<Step>,
    },
    /// The same, and it panics at its end.
    Unwind {
        body: Vec<Step>,
    },
    Keep {
        of: usize,
    },
}

fn plain() -> impl Strategy<Value = Step> {
    let number = any::<usize>;
    prop_oneof![
        6 => prop::collection::vec(number(), 0..4).prop_map(|edges| Step::Alloc { edges }),
        1 => (1..scaled(200, 8)).prop_map(|count| Step::AllocMany { count }),
        6 => (number(), number(), number()).prop_map(|(from, at, to)| Step::Link { from, at, to }),
        2 => (number(), number()).prop_map(|(from, at)| Step::Unlink { from, at }),
        2 => (number(), 1..scaled(400, 300), number()).prop_map(|(from, len, to)| Step::LinkSlice { from, len, to }),
        1 => (number(), number()).prop_map(|(a, b)| Step::Swap { a, b }),
        2 => number().prop_map(|of| Step::Root { of }),
        2 => number().prop_map(|which| Step::Unroot { which }),
        2 => (1..8_usize).prop_map(|count| Step::Forget { count }),
        1 => Just(Step::Collect),
        3 => Just(Step::CollectMinor),
        1 => Just(Step::Safepoint),
        1 => number().prop_map(|of| Step::Keep { of }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    plain().prop_recursive(3, 60, 20, |inner| {
        let body = prop::collection::vec(inner, 1..scaled(20, 4));
        prop_oneof![
            2 => body.clone().prop_map(|body| Step::Scope { body }),
            1 => body.prop_map(|body| Step::Unwind { body }),
        ]
    })
}

/// What the model knows of an object.
#[derive(Clone)]
struct Shadow {
    gc: Gc<Node>,
    edges: Vec<Option<usize>>,
    rest: Vec<Option<usize>>,
}

/// The model: objects have the numbers of their tokens.
#[derive(Default)]
struct Model {
    ledger: Ledger,
    /// What is alive, or may be.
    objects: HashMap<usize, Shadow>,
    /// What the program holds outside of the heap.
    stack: Vec<usize>,
    roots: Vec<(usize, Root<Node>)>,
    scopes: Vec<Vec<usize>>,
}

impl Model {
    fn reachable(&self) -> HashSet<usize> {
        let mut reached = HashSet::new();
        let scoped = self.scopes.iter().flatten();
        let mut todo: Vec<usize> =
            self.stack.iter().chain(scoped).chain(self.roots.iter().map(|(id, _)| id)).copied().collect();
        while let Some(id) = todo.pop() {
            if reached.insert(id) {
                let shadow = &self.objects[&id];
                todo.extend(shadow.edges.iter().chain(&shadow.rest).flatten());
            }
        }
        reached
    }

    fn alloc(&mut self, heap: &mut Heap, edges: Vec<Option<usize>>) -> usize {
        let handles = edges.iter().map(|edge| edge.map(|id| self.objects[&id].gc)).collect();
        let token = self.ledger.token();
        let id = token.id();
        let gc = heap.alloc(Node { token, edges: handles, rest: None });
        self.objects.insert(id, Shadow { gc, edges, rest: Vec::new() });
        self.stack.push(id);
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(id);
        }
        id
    }

    /// One of the objects that the program can get at.
    fn pick(&self, heap: &Heap, number: usize) -> Option<usize> {
        // From the stack, and then along up to three edges.
        let mut id = *self.stack.get(number.checked_rem(self.stack.len())?)?;
        let mut path = number / 7;
        for _ in 0..path % 4 {
            let edges = &self.objects[&id].edges;
            assert_eq!(edges.len(), heap[self.objects[&id].gc].edges.len());
            match edges.get(path % edges.len().max(1)) {
                Some(Some(next)) => id = *next,
                _ => break,
            }
            path /= 3;
        }
        Some(id)
    }

    fn roots(&self) -> Vec<Gc<Node>> {
        self.stack.iter().map(|id| self.objects[id].gc).collect()
    }

    #[allow(clippy::too_many_lines, reason = "one arm per kind of step")]
    fn run(&mut self, heap: &mut Heap, step: &Step) {
        match step {
            Step::Alloc { edges } => {
                let edges = edges.iter().map(|&number| self.pick(heap, number)).collect();
                self.alloc(heap, edges);
            }
            Step::AllocMany { count } => {
                let depth = self.stack.len();
                for _ in 0..*count {
                    self.alloc(heap, Vec::new());
                }
                self.stack.truncate(depth + 1);
            }
            Step::Link { from, at, to } => {
                if let (Some(from), Some(to)) = (self.pick(heap, *from), self.pick(heap, *to)) {
                    self.set_edge(heap, from, *at, Some(to));
                }
            }
            Step::Unlink { from, at } => {
                if let Some(from) = self.pick(heap, *from) {
                    self.set_edge(heap, from, *at, None);
                }
            }
            Step::LinkSlice { from, len, to } => {
                if let (Some(from), Some(to)) = (self.pick(heap, *from), self.pick(heap, *to)) {
                    let to_gc = self.objects[&to].gc;
                    let slice = heap.alloc_slice_with(*len, |at| (at + 1 == *len).then_some(to_gc));
                    let shadow = self.objects.get_mut(&from).unwrap();
                    heap.get_mut(shadow.gc).rest = Some(slice);
                    shadow.rest = vec![Some(to)];
                    // A scope keeps the slice, and the slice what is in it.
                    if let Some(scope) = self.scopes.last_mut() {
                        scope.push(to);
                    }
                }
            }
            Step::Swap { a, b } => {
                if let (Some(a), Some(b)) = (self.pick(heap, *a), self.pick(heap, *b))
                    && a != b
                {
                    let [x, y] = heap.get_disjoint_mut([self.objects[&a].gc, self.objects[&b].gc]);
                    std::mem::swap(&mut x.edges, &mut y.edges);
                    let edges = std::mem::take(&mut self.objects.get_mut(&a).unwrap().edges);
                    let edges = std::mem::replace(&mut self.objects.get_mut(&b).unwrap().edges, edges);
                    self.objects.get_mut(&a).unwrap().edges = edges;
                }
            }
            Step::Root { of } => {
                if let Some(id) = self.pick(heap, *of) {
                    self.roots.push((id, heap.root(self.objects[&id].gc)));
                }
            }
            Step::Unroot { which } => {
                if let Some(at) = which.checked_rem(self.roots.len()) {
                    self.roots.swap_remove(at);
                }
            }
            Step::Forget { count } => {
                self.stack.drain(..(*count).min(self.stack.len()));
            }
            Step::Collect => {
                heap.collect(&self.roots());
                self.check(heap, true);
            }
            Step::CollectMinor => {
                heap.collect_minor(&self.roots());
                self.check(heap, false);
            }
            Step::Safepoint => {
                heap.safepoint(&self.roots());
                self.check(heap, false);
            }
            Step::Scope { body } => {
                let depth = self.stack.len();
                self.scopes.push(Vec::new());
                let result = heap.scope(|heap| {
                    for step in body {
                        self.run(heap, step);
                    }
                    self.scopes.last().unwrap().last().map(|id| self.objects[id].gc)
                });
                let scope = self.scopes.pop().unwrap();
                // What a scope leaves on the stack is what was there before: the rest is temporaries.
                self.stack.truncate(depth);
                if let (Some(gc), Some(&id)) = (result, scope.last()) {
                    assert_eq!(heap[gc].token.id(), id);
                    match self.scopes.last_mut() {
                        Some(outer) => outer.push(id),
                        None => self.stack.push(id),
                    }
                }
            }
            Step::Unwind { body } => {
                let depth = self.stack.len();
                let scopes = self.scopes.len();
                self.scopes.push(Vec::new());
                let words = tumulus_tests::panic_words(|| {
                    heap.scope::<()>(|heap| {
                        for step in body {
                            self.run(heap, step);
                        }
                        panic!("the end of the body");
                    });
                });
                assert_eq!(words, "the end of the body");
                self.scopes.truncate(scopes);
                self.stack.truncate(depth);
            }
            Step::Keep { of } => {
                if let Some(id) = self.pick(heap, *of)
                    && let Some(scope) = self.scopes.last_mut()
                {
                    heap.keep(self.objects[&id].gc);
                    scope.push(id);
                }
            }
        }
    }

    fn set_edge(&mut self, heap: &mut Heap, from: usize, at: usize, to: Option<usize>) {
        let to_gc = to.map(|id| self.objects[&id].gc);
        let shadow = self.objects.get_mut(&from).unwrap();
        let edges = &mut heap.get_mut(shadow.gc).edges;
        let at = at % (edges.len() + 1);
        if at == edges.len() {
            edges.push(to_gc);
            shadow.edges.push(to);
        } else {
            edges[at] = to_gc;
            shadow.edges[at] = to;
        }
    }

    /// Compares the heap with the model.
    fn check(&mut self, heap: &Heap, full: bool) {
        assert_eq!(heap.statistics().roots, self.roots.len());
        assert_eq!(heap.statistics().temporaries, self.scopes.iter().map(Vec::len).sum::<usize>());
        let reachable = self.reachable();
        for (&id, shadow) in &self.objects {
            let alive = heap.contains(shadow.gc);
            if reachable.contains(&id) {
                assert!(alive, "object {id} can be reached and is dead");
                let node = &heap[shadow.gc];
                assert_eq!(node.token.id(), id);
                let ids = |gcs: &[Option<Gc<Node>>]| -> Vec<Option<usize>> {
                    gcs.iter().map(|gc| gc.map(|gc| heap[gc].token.id())).collect()
                };
                assert_eq!(ids(&node.edges), shadow.edges);
                let last = node.rest.map_or(Vec::new(), |rest| ids(&heap[rest][heap[rest].len() - 1..]));
                assert_eq!(last, shadow.rest);
            } else {
                assert!(!(full && alive), "object {id} cannot be reached and is alive");
            }
            // While a collection in slices sweeps, what has been found dead waits for its drop.
            let dropped = self.ledger.is_dropped(id);
            assert!(if full { dropped != alive } else { !(dropped && alive) }, "object {id}");
        }
        let ledger = &self.ledger;
        self.objects.retain(|&id, _| !ledger.is_dropped(id));
        self.ledger.expect_dropped(self.ledger.made() - self.objects.len());
    }
}

fn run(steps: &[Step], zeal: Option<&str>) {
    let mut builder = Heap::builder().nursery(32 << 10).min_heap(128 << 10);
    if let Some(words) = zeal {
        builder = builder.zeal(words.parse::<Zeal>().unwrap());
    }
    let mut heap = builder.build();
    let mut model = Model::default();
    for step in steps {
        model.run(&mut heap, step);
        assert_eq!(heap.statistics().temporaries, 0);
    }
    expect_sound(&heap);
    heap.collect(&model.roots());
    model.check(&heap, true);
    model.stack.clear();
    model.roots.clear();
    heap.collect(&());
    model.check(&heap, true);
    assert_eq!((model.objects.len(), heap.statistics().live_objects, heap.statistics().used_bytes), (0, 0, 0));
    expect_sound(&heap);
    drop(heap);
    model.ledger.expect_all_dropped();
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn what_is_alive_is_what_can_be_reached(steps in prop::collection::vec(step(), 1..scaled(60, 10))) {
        run(&steps, None);
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn under_all_zeal_too(steps in prop::collection::vec(step(), 1..scaled(40, 5)), minor in any::<bool>()) {
        run(&steps, Some(if minor { "all,minor" } else { "all,no-reuse" }));
    }
}
