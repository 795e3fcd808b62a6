//! A heap beside a model: each step is done on both, and they are compared at every collection.

use super::model::{Model, Node, SLOTS};
use super::step::Step;
use crate::probe::DeleterProbe;
use std::collections::BTreeMap;
use tumulus_arraybuffer::{ArrayBuffer, BackingStore, DetachKey, Error, NoMemory, release};
use tumulus_heap::{AllocError, AllocErrorKind, Budget, EphemeronMap, Gc, Heap, HeapBuilder, Root, Trace, Weak};

type Table = EphemeronMap<Gc<Object>, Gc<Object>>;

/// The heap's counterpart of a node.
#[derive(Trace)]
struct Object {
    number: usize,
    edges: [Option<Gc<Object>>; SLOTS],
    table: Option<Gc<Table>>,
    buffer: Option<ArrayBuffer>,
}

/// A heap and a naive model of it, which run the same program: objects with handles to each other, roots, weak handles, ephemeron
/// tables, buffers and stores, and collections of all kinds.
///
/// At each collection, in slices or whole, everything that the model reaches has to be alive and as it was written. After a full
/// one nothing else is; the heap's account of bytes outside is that of the stores that live buffers have; and a store's deleter
/// has been called once if nobody has it, and not if anybody does.
///
/// # Panics
///
/// All functions, if heap and model differ.
///
/// # Examples
///
/// ```
/// use tumulus_testing::reference::{Machine, decode};
/// use tumulus_testing::zeal::Mode;
///
/// for mode in Mode::all().filter(|mode| mode.frees()) {
///     let mut machine = Machine::new(mode.builder());
///     machine.run(&decode(b"any bytes are a program, such as a fuzzer finds"));
///     machine.finish();
/// }
/// ```
#[derive(Debug)]
pub struct Machine {
    heap: Heap,
    model: Model,
    /// The handles of the model's nodes, and of those that were lost since the last full collection.
    handles: BTreeMap<usize, Gc<Object>>,
    lost: Vec<(usize, Gc<Object>)>,
    roots: Vec<Root<Object>>,
    weak: Vec<(usize, Weak<Object>)>,
    held: Vec<BackingStore>,
    probes: Vec<DeleterProbe>,
    /// The most bytes that the heap may have: its limit, or what it had when the limit was set.
    most_bytes: usize,
    steps: u64,
}

impl Machine {
    /// An empty heap and an empty model.
    ///
    /// ```
    /// let machine = tumulus_testing::reference::Machine::new(tumulus_heap::Heap::builder());
    /// ```
    pub fn new(builder: HeapBuilder) -> Machine {
        Machine {
            heap: builder.build(),
            model: Model::default(),
            handles: BTreeMap::new(),
            lost: Vec::new(),
            roots: Vec::new(),
            weak: Vec::new(),
            held: Vec::new(),
            probes: Vec::new(),
            most_bytes: usize::MAX,
            steps: 0,
        }
    }

    /// How many steps were done.
    ///
    /// ```
    /// # use tumulus_testing::reference::{Machine, Step};
    /// let mut machine = Machine::new(tumulus_heap::Heap::builder());
    /// machine.run(&[Step::New, Step::Collect]);
    /// assert_eq!(machine.steps(), 2);
    /// ```
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Runs a program, or more of it.
    ///
    /// ```
    /// # use tumulus_testing::reference::{Machine, Step};
    /// let mut machine = Machine::new(tumulus_heap::Heap::builder());
    /// machine.run(&[Step::New, Step::Weaken(0), Step::Pop]);
    /// machine.run(&[Step::Collect]);
    /// ```
    #[track_caller]
    pub fn run(&mut self, steps: &[Step]) {
        for &step in steps {
            self.steps += 1;
            // A step for which there is nothing.
            let _ = self.step(step);
            if self.most_bytes != usize::MAX {
                let bytes = self.bytes();
                assert!(bytes <= self.most_bytes, "step {}: {bytes} bytes, of {}", self.steps, self.most_bytes);
            }
        }
    }

    /// Collects until nothing is left, drops the heap and all holders, and checks that every deleter was called once.
    ///
    /// ```
    /// # use tumulus_testing::reference::Machine;
    /// Machine::new(tumulus_heap::Heap::builder()).finish();
    /// ```
    #[track_caller]
    pub fn finish(mut self) {
        self.limit(u8::MAX);
        self.collect();
        self.model.stack.clear();
        self.model.roots.clear();
        self.roots.clear();
        self.collect();
        assert_eq!(self.heap.statistics().live_objects, 0, "something is alive that nothing leads to");
        drop(self.heap);
        for (store, held) in self.model.held.iter().zip(&self.held) {
            let same = held.with_bytes(|bytes| bytes == self.model.stores[*store]);
            assert_eq!(same, Ok(true), "store {store} after the heap");
        }
        drop(self.held);
        self.probes.iter().for_each(DeleterProbe::verify);
    }

    /// One of the objects whose handles are good.
    fn pick(&self, number: u8) -> Option<usize> {
        let count = self.handles.len();
        self.handles.keys().nth(usize::from(number) % count.max(1)).copied()
    }

    fn node(&mut self, number: usize) -> &mut Node {
        self.model.nodes.get_mut(&number).expect("it was picked")
    }

    fn object(&mut self, number: usize) -> &mut Object {
        self.heap.get_mut(self.handles[&number])
    }

    fn step(&mut self, step: Step) -> Option<()> {
        match step {
            Step::New => {
                let number = self.model.made;
                let made = self.heap.try_alloc(Object { number, edges: [None; SLOTS], table: None, buffer: None });
                let gc = self.room(made.map_err(AllocError::without_value))?;
                self.model.made += 1;
                self.model.nodes.insert(number, Node::default());
                self.model.stack.push(number);
                self.handles.insert(number, gc);
            }
            Step::Push(of) => self.model.stack.push(self.pick(of)?),
            Step::Pop => drop(self.model.stack.pop()?),
            Step::Link { from, slot, to } => self.link(from, slot, Some(to))?,
            Step::Unlink { from, slot } => self.link(from, slot, None)?,
            Step::Root(of) => {
                let of = self.pick(of)?;
                self.roots.push(self.heap.root(self.handles[&of]));
                self.model.roots.push(of);
            }
            Step::Unroot(which) => {
                let at = index(which, self.roots.len())?;
                self.roots.swap_remove(at);
                self.model.roots.swap_remove(at);
            }
            Step::Weaken(of) => {
                let of = self.pick(of)?;
                self.weak.push((of, self.handles[&of].downgrade()));
            }
            Step::Insert { table, key, value } => self.insert(table, key, value)?,
            Step::Remove { table, key } => self.remove(table, key)?,
            Step::MakeBuffer { .. }
            | Step::Hold(_)
            | Step::LetGo(_)
            | Step::Share { .. }
            | Step::Write { .. }
            | Step::WriteOutside { .. }
            | Step::Detach(_) => self.buffer_step(step)?,
            Step::Collect => self.collect(),
            Step::CollectMinor => self.safepoint(Heap::collect_minor),
            Step::StartMajor => self.heap.start_major(),
            Step::Slice(units) => self.safepoint(|heap, stack| {
                let _ = heap.step(stack, Budget::work(u64::from(units) + 1));
            }),
            Step::Safepoint => self.safepoint(Heap::safepoint),
            Step::Limit(room) => self.limit(room),
        }
        Some(())
    }

    /// What the limit counts.
    fn bytes(&self) -> usize {
        let now = self.heap.statistics();
        now.committed_bytes + now.external_bytes
    }

    fn limit(&mut self, room: u8) {
        let bytes = self.bytes();
        let limit = if room < 200 { bytes + usize::from(room) * 512 } else { usize::MAX };
        self.heap.set_limit(limit);
        self.most_bytes = limit;
    }

    /// What was made, if there was room; only a limit is a reason why there is none.
    fn room<T>(&self, made: Result<T, AllocError>) -> Option<T> {
        made.inspect_err(|error| {
            assert_eq!(error.kind, AllocErrorKind::Limit, "step {}: {error}", self.steps);
            assert_ne!(self.most_bytes, usize::MAX, "step {}: {error}, and there is no limit", self.steps);
        })
        .ok()
    }

    fn link(&mut self, from: u8, slot: u8, to: Option<u8>) -> Option<()> {
        let (from, slot) = (self.pick(from)?, usize::from(slot) % SLOTS);
        let to = to.and_then(|to| self.pick(to));
        self.node(from).edges[slot] = to;
        let handle = to.map(|to| self.handles[&to]);
        self.object(from).edges[slot] = handle;
        Some(())
    }

    fn insert(&mut self, table: u8, key: u8, value: u8) -> Option<()> {
        let (owner, key, value) = (self.pick(table)?, self.pick(key)?, self.pick(value)?);
        let table = if let Some(table) = self.object(owner).table {
            table
        } else {
            let made = self.heap.try_alloc(Table::new()).map_err(AllocError::without_value);
            let table = self.room(made)?;
            self.object(owner).table = Some(table);
            self.node(owner).table = Some(BTreeMap::new());
            table
        };
        let inserted = table.try_insert(&mut self.heap, self.handles[&key], self.handles[&value]);
        let replaced = self.room(inserted.map_err(AllocError::without_value))?;
        let before = self.node(owner).table.get_or_insert_default().insert(key, value);
        assert_eq!(replaced.is_some(), before.is_some(), "step {}: an entry of {owner}", self.steps);
        Some(())
    }

    fn remove(&mut self, table: u8, key: u8) -> Option<()> {
        let (owner, key) = (self.pick(table)?, self.pick(key)?);
        let before = self.node(owner).table.as_mut()?.remove(&key);
        let table = self.object(owner).table.expect("it was made");
        let removed = table.remove(&mut self.heap, self.handles[&key]);
        assert_eq!(removed.is_some(), before.is_some(), "step {}: an entry of {owner}", self.steps);
        Some(())
    }

    fn buffer_step(&mut self, step: Step) -> Option<()> {
        match step {
            Step::MakeBuffer { of, bytes } => {
                let of = self.pick(of)?;
                let probe = DeleterProbe::expect_once();
                let bytes = vec![bytes; usize::from(bytes) + 1];
                let store = probe.store(bytes.clone());
                let number = self.model.stores.len();
                self.model.stores.push(bytes);
                self.probes.push(probe);
                self.give_buffer(of, number, store);
            }
            Step::Share { of, store } => {
                let (of, at) = (self.pick(of)?, index(store, self.held.len())?);
                self.give_buffer(of, self.model.held[at], self.held[at].clone());
            }
            Step::Hold(of) => {
                let of = self.pick(of)?;
                let store = self.node(of).store?;
                let buffer = self.object(of).buffer.expect("it was made");
                self.held.push(buffer.externalize(&mut self.heap));
                self.model.held.push(store);
            }
            Step::LetGo(which) => {
                let at = index(which, self.held.len())?;
                self.held.swap_remove(at);
                self.model.held.swap_remove(at);
            }
            Step::Write { of, at, value } => {
                let of = self.pick(of)?;
                let store = self.node(of).store?;
                let bytes = &mut self.model.stores[store];
                let at = usize::from(at) % bytes.len();
                bytes[at] = value;
                let buffer = self.object(of).buffer.expect("it was made");
                buffer.as_mut_slice(&mut self.heap).expect("it is attached")[at] = value;
            }
            Step::WriteOutside { store, at, value } => {
                let which = index(store, self.held.len())?;
                let bytes = &mut self.model.stores[self.model.held[which]];
                let at = usize::from(at) % bytes.len();
                match self.held[which].with_bytes_mut(|bytes| bytes[at] = value) {
                    Ok(()) => bytes[at] = value,
                    // The heap has it, or has not found yet that its buffers are dead.
                    Err(Error::InUse { .. }) => {}
                    Err(error) => panic!("step {}: {error}", self.steps),
                }
            }
            Step::Detach(of) => {
                let of = self.pick(of)?;
                self.node(of).store.take()?;
                let buffer = self.object(of).buffer.expect("it was made");
                buffer.detach(&mut self.heap, DetachKey::Undefined).expect("nothing forbids it");
            }
            _ => unreachable!("the others have nothing to do with buffers"),
        }
        Some(())
    }

    fn give_buffer(&mut self, of: usize, number: usize, store: BackingStore) {
        let buffer = match ArrayBuffer::from_store(&mut self.heap, store) {
            Ok(buffer) => buffer,
            Err(Error::OutOfMemory { reason: NoMemory::Heap(error), .. }) => {
                self.room::<()>(Err(error));
                return;
            }
            Err(error) => panic!("step {}: no other heap has it: {error}", self.steps),
        };
        self.object(of).buffer = Some(buffer);
        self.node(of).store = Some(number);
    }

    fn collect(&mut self) {
        self.safepoint(Heap::collect);
        self.check_exactly();
    }

    /// Does what may collect, and compares.
    fn safepoint(&mut self, collect: impl FnOnce(&mut Heap, &Vec<Gc<Object>>)) {
        let stack: Vec<_> = self.model.stack.iter().map(|number| self.handles[number]).collect();
        for number in self.model.forget_unreachable() {
            let gc = self.handles.remove(&number).expect("each node has a handle");
            self.lost.push((number, gc));
        }
        collect(&mut self.heap, &stack);
        self.check();
    }

    /// What is reachable is alive, and as it was written.
    fn check(&self) {
        let Machine { heap, model, steps, .. } = self;
        for (number, node) in &model.nodes {
            let object = heap.try_get(self.handles[number]);
            let object = object.unwrap_or_else(|error| panic!("step {steps}: {number} should be alive: {error}"));
            assert_eq!(object.number, *number, "step {steps}: another object");
            assert_eq!(
                object.edges,
                node.edges.map(|to| to.map(|to| self.handles[&to])),
                "step {steps}: edges of {number}"
            );
            if let (Some(table), Some(entries)) = (object.table, &node.table) {
                for (key, value) in entries {
                    let found = table.get(heap, self.handles[key]);
                    assert_eq!(found, Some(&self.handles[value]), "step {steps}: entry {key} of the table of {number}");
                }
            }
            match (object.buffer, node.store) {
                (Some(buffer), Some(store)) => {
                    let bytes = buffer.as_slice(heap).expect("it is attached");
                    assert_eq!(bytes, model.stores[store], "step {steps}: bytes of store {store}");
                }
                (buffer, None) => assert!(buffer.is_none_or(|buffer| buffer.detached(heap)), "step {steps}: {number}"),
                (None, Some(store)) => panic!("step {steps}: {number} has lost store {store}"),
            }
        }
        for (number, weak) in &self.weak {
            assert!(
                weak.is_alive(heap) || !model.nodes.contains_key(number),
                "step {steps}: a weak handle to {number}"
            );
        }
    }

    /// After a full collection nothing else is alive, and all is accounted for.
    fn check_exactly(&mut self) {
        let Machine { heap, model, steps, .. } = self;
        for (number, gc) in self.lost.drain(..) {
            assert!(!heap.contains(gc), "step {steps}: {number} should have been freed");
        }
        self.weak.retain(|(number, weak)| {
            assert_eq!(
                weak.is_alive(heap),
                model.nodes.contains_key(number),
                "step {steps}: a weak handle to {number}"
            );
            weak.is_alive(heap)
        });
        // A table has objects of its own, as many as it likes.
        if model.nodes.values().all(|node| node.table.is_none()) {
            let buffers = model.nodes.keys().filter(|number| heap[self.handles[number]].buffer.is_some()).count();
            let expected = (model.nodes.len() + buffers) as u64;
            assert_eq!(heap.statistics().live_objects, expected, "step {steps}: objects alive");
        }

        let in_use = model.stores_in_use();
        let bytes: usize = in_use.iter().map(|store| model.stores[*store].len()).sum();
        assert_eq!(heap.statistics().external_bytes, bytes, "step {steps}: bytes outside");
        release::flush();
        for (store, probe) in self.probes.iter().enumerate() {
            let has_one = in_use.contains(&store) || model.held.contains(&store);
            assert_eq!(probe.count(), usize::from(!has_one), "step {steps}: calls of the deleter of store {store}");
        }
        for (store, held) in model.held.iter().zip(&self.held).filter(|(store, _)| !in_use.contains(store)) {
            let same = held.with_bytes(|bytes| bytes == model.stores[*store]);
            assert_eq!(same, Ok(true), "step {steps}: store {store}, which nobody has but its holder");
        }
        heap.verify().unwrap_or_else(|error| panic!("step {steps}: {error}"));
    }
}

fn index(number: u8, count: usize) -> Option<usize> {
    (count > 0).then(|| usize::from(number) % count)
}
