//! Writes down what a program does to a heap.

use crate::caveat::Caveat;
use crate::encode::{GROUPS, Writer, has_roots};
use crate::event::{Block, BufferChange, EdgeTo, Event};
use crate::safepoints::Safepoints;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::rc::Rc;
use std::{any::TypeId, fmt};
use tumulus_heap::hooks::{self, Edge, Newborn, Operation, Outcome, RootGroup, Settings, Touching, Witness};
use tumulus_heap::{AnyGc, Heap};

/// Records what a program does to a heap, from [`start`](Recorder::start) to [`finish`](Recorder::finish).
///
/// Start it before the first allocation: then the trace replays to the same collections in the same places. While it records,
/// each allocation and each first write to an object takes some tens of nanoseconds more; a heap that nobody records pays
/// nothing. No collection depends on it. One that is dropped, and not finished, writes no more: what it has written counts
/// as broken off.
///
/// # Examples
///
/// ```
/// use tumulus_heap::Heap;
/// use tumulus_trace::{Recorder, Replay, info};
///
/// let mut heap = Heap::builder().nursery(64 << 10).build();
/// let mut recorder = Recorder::start(&mut heap, Vec::new())?;
/// let mut kept = Vec::new();
/// for n in 0..10_000_u64 {
///     if n == 5_000 {
///         recorder.phase(&mut heap, "the second half")?;
///     }
///     kept.push(heap.alloc([n; 4]));
///     kept.truncate(100);
///     heap.safepoint(&kept);
/// }
/// let (file, summary) = recorder.finish(&mut heap)?;
/// assert_eq!(summary.objects, 10_000);
///
/// let replayed = Replay::new(&file[..])?.run()?;
/// assert_eq!(replayed.heap.statistics().collections, heap.statistics().collections);
/// assert_eq!(replayed.divergence, None);
/// println!("{}", info(&file[..])?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Recorder<W: Write> {
    state: Rc<RefCell<State<W>>>,
    heap: tumulus_heap::HeapId,
}

/// What was recorded, as [`Recorder::finish`] tells it.
///
/// ```
/// # let mut heap = tumulus_heap::Heap::new();
/// let recorder = tumulus_trace::Recorder::start(&mut heap, Vec::new())?;
/// let (file, summary) = recorder.finish(&mut heap)?;
/// assert_eq!(summary.file_bytes, file.len() as u64);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Events.
    pub events: u64,
    /// Objects that were made.
    pub objects: u64,
    /// Bytes of the trace.
    pub file_bytes: u64,
    /// What could not be recorded as it was.
    pub caveats: Vec<Caveat>,
}

struct State<W: Write> {
    /// None when it has been ended, or has failed.
    writer: Option<Writer<W>>,
    failed: Option<io::Error>,
    types: HashMap<TypeId, u32>,
    forms: HashMap<(u32, u8, bool), u32>,
    /// The number of each object that may be alive, and a hash of the edges that were recorded last.
    objects: HashMap<AnyGc, Known>,
    tidy_at: usize,
    roots: [Vec<EdgeTo>; GROUPS.len()],
    new_roots: [Option<Vec<EdgeTo>>; GROUPS.len()],
    caveats: HashSet<Caveat>,
    is_open: bool,
}

#[derive(Copy, Clone, Debug)]
struct Known {
    number: u64,
    edges: u64,
    is_leaf: bool,
}

/// The witness of a heap, which shares its state with the recorder.
struct Shared<W: Write> {
    state: Rc<RefCell<State<W>>>,
    safepoints: Safepoints,
}

impl<W: Write + 'static> Recorder<W> {
    /// Begins to record what happens to `heap`, for replays on heaps like it: [`start_with`](Recorder::start_with), with the
    /// safepoints at which something is [due](Safepoints::Due).
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn start(heap: &mut Heap, writer: W) -> io::Result<Recorder<W>> {
        Recorder::start_with(heap, writer, Safepoints::Due)
    }

    /// Begins to record what happens to `heap`. For replays on other heaps, ask for [`Safepoints::USUAL`]. What is collected, and
    /// where, does not depend on it.
    ///
    /// A heap in use is recorded with all objects that there are, and a [`Caveat::BeganLate`]: the replay has them in other
    /// places, so that collections can come elsewhere. A recorder that was there before records no more.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn start_with(heap: &mut Heap, writer: W, safepoints: Safepoints) -> io::Result<Recorder<W>> {
        let settings = Settings { quiet_every: safepoints.quiet_every(), ..hooks::settings(heap) };
        let state = State {
            writer: Some(Writer::new(writer)?),
            failed: None,
            types: HashMap::new(),
            forms: HashMap::new(),
            objects: HashMap::new(),
            tidy_at: 1 << 12,
            roots: Default::default(),
            new_roots: Default::default(),
            caveats: HashSet::new(),
            is_open: false,
        };
        let state = Rc::new(RefCell::new(state));
        {
            let mut state = state.borrow_mut();
            state.write(&Event::Settings(settings.clone()));
            if hooks::budget_parts(settings.pause).1.is_some() {
                state.warn(Caveat::TimeBudget);
            }
            if settings.is_used {
                state.warn(Caveat::BeganLate);
            }
        }
        hooks::set_witness(heap, Some(Box::new(Shared { state: Rc::clone(&state), safepoints })));
        if settings.is_used {
            hooks::tell_all(heap);
        }
        Ok(Recorder { state, heap: heap.id() })
    }

    /// Notes that a phase of the program begins.
    ///
    /// # Errors
    ///
    /// What the writer has failed with. Nothing is recorded since then.
    ///
    /// # Panics
    ///
    /// If it is not the heap that is recorded. So for the other methods.
    pub fn phase(&mut self, heap: &mut Heap, name: &str) -> io::Result<()> {
        self.note(heap, &Event::Phase { name: name.into() })
    }

    /// Notes that something has happened to a buffer, which has so many bytes now. For people who read the trace: what matters
    /// to collections are the bytes outside of the heap, which are recorded in any case.
    ///
    /// # Errors
    ///
    /// As for [`phase`](Recorder::phase).
    pub fn buffer(&mut self, heap: &mut Heap, change: BufferChange, bytes: u64) -> io::Result<()> {
        self.note(heap, &Event::Buffer { change, bytes })
    }

    fn note(&mut self, heap: &mut Heap, event: &Event) -> io::Result<()> {
        self.tell(heap);
        let mut state = self.state.borrow_mut();
        state.write(event);
        state.failed.take().map_or(Ok(()), Err)
    }

    /// Has the heap tell what happened by now.
    fn tell(&self, heap: &mut Heap) {
        assert_eq!(heap.id(), self.heap, "this recorder records another heap");
        hooks::tell(heap, &());
    }

    /// Ends the trace, and gives the writer back.
    ///
    /// # Errors
    ///
    /// What the writer has failed with, now or before.
    pub fn finish(self, heap: &mut Heap) -> io::Result<(W, Summary)> {
        self.tell(heap);
        // If there has been another recorder since, the witness is its.
        if Rc::strong_count(&self.state) > 1 {
            hooks::set_witness(heap, None);
        }
        let mut state = self.state.borrow_mut();
        if hooks::heaps_made() > 1 {
            state.warn(Caveat::OtherHeaps);
        }
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        let Some(mut writer) = state.writer.take() else {
            return Err(io::Error::other("the recorder has failed before"));
        };
        if state.is_open {
            // The last operation unwound, and has left nothing that was told.
            writer.write(&Event::Outcome(Outcome::default()))?;
        }
        let mut caveats: Vec<Caveat> = state.caveats.iter().copied().collect();
        caveats.sort_unstable();
        let (events, objects) = (writer.events(), writer.objects());
        let (writer, file_bytes) = writer.end_counted()?;
        Ok((writer, Summary { events, objects, file_bytes, caveats }))
    }
}

impl<W: Write> Drop for Recorder<W> {
    /// The witness stays with the heap, and finds nothing to write to.
    fn drop(&mut self) {
        if let Ok(mut state) = self.state.try_borrow_mut() {
            let writer = state.writer.take();
            // It may be dropped by code of the user's.
            drop(state);
            drop(writer);
        }
    }
}

impl<W: Write> State<W> {
    fn write(&mut self, event: &Event) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.write(event)
        {
            self.failed = Some(error);
            self.writer = None;
        }
    }

    fn warn(&mut self, caveat: Caveat) {
        if self.caveats.insert(caveat) {
            self.write(&Event::Caveat(caveat));
        }
    }

    /// What a trace says of an edge.
    fn edge(&mut self, edge: &Edge) -> EdgeTo {
        let to = self.objects.get(&edge.to).map(|known| known.number);
        if to.is_none() {
            self.warn(Caveat::StaleEdge);
        }
        EdgeTo { to, untyped: edge.untyped }
    }

    /// The same for the edges of an object, which are replayed with types.
    fn edges_of_object(&mut self, edges: &[Edge]) -> Vec<EdgeTo> {
        if edges.iter().any(|edge| edge.untyped && self.objects.get(&edge.to).is_some_and(|known| known.is_leaf)) {
            self.warn(Caveat::UntypedEdge);
        }
        edges.iter().map(|edge| self.edge(edge)).collect()
    }

    fn form(&mut self, object: &Newborn) -> u32 {
        let next = self.types.len() as u32;
        let of = *self.types.entry(object.type_id).or_insert(next);
        if of == next {
            self.write(&Event::Type { name: object.type_name.into(), kind: object.kind });
            if object.kind.is_weak {
                self.warn(Caveat::WeakTables);
            }
        }
        let (granules, has_block) = (object.granules, object.block.is_some());
        let next = self.forms.len() as u32;
        let form = *self.forms.entry((of, granules, has_block)).or_insert(next);
        if form == next {
            self.write(&Event::Form { of, granules, has_block });
        }
        form
    }

    /// Writes what is different about a group of roots.
    fn update_roots(&mut self, at: usize, new: Vec<EdgeTo>) {
        let old = std::mem::take(&mut self.roots[at]);
        if old != new {
            let keep = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
            let behind = old[keep..].iter().rev().zip(new[keep..].iter().rev()).take_while(|(a, b)| a == b).count();
            let insert = new[keep..new.len() - behind].to_vec();
            let remove = (old.len() - keep - behind) as u64;
            self.write(&Event::Roots { group: GROUPS[at], keep: keep as u64, remove, insert });
        }
        self.roots[at] = new;
    }
}

fn hash_of(edges: &[EdgeTo]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for edge in edges {
        (edge.to, edge.untyped).hash(&mut hasher);
    }
    hasher.finish()
}

impl<W: Write> Witness for Shared<W> {
    fn quiet_every(&self) -> Option<u64> {
        self.safepoints.quiet_every()
    }

    fn born(&mut self, object: &Newborn) {
        let mut state = self.state.borrow_mut();
        let form = state.form(object);
        let Some(number) = state.writer.as_ref().map(Writer::objects) else { return };
        if object.kind.has_edges && object.kind.needs_drop && object.block.is_some() && object.is_long_slice {
            state.warn(Caveat::PartsWithDestructors);
        }
        let block = object.block.map(|bytes| Block { bytes, long: object.long });
        state.write(&Event::Alloc { form, block });
        let known = Known { number, edges: hash_of(&[]), is_leaf: !object.kind.has_edges };
        state.objects.insert(object.object, known);
    }

    fn touched(&mut self, object: AnyGc, what: &Touching) {
        let mut state = self.state.borrow_mut();
        if let Some(known) = state.objects.get(&object).copied() {
            state.write(&Event::Touch { object: known.number, what: what.clone() });
        }
    }

    fn edges(&mut self, object: AnyGc, edges: &[Edge]) {
        let mut state = self.state.borrow_mut();
        let edges = state.edges_of_object(edges);
        let hash = hash_of(&edges);
        if let Some(known) = state.objects.get_mut(&object)
            && std::mem::replace(&mut known.edges, hash) != hash
        {
            let object = known.number;
            state.write(&Event::Edges { object, edges });
        }
    }

    fn elements(&mut self, object: AnyGc, first: u32, edges: &[Edge], ends: &[u32]) {
        let mut state = self.state.borrow_mut();
        let edges = state.edges_of_object(edges);
        let Some(known) = state.objects.get_mut(&object) else { return };
        if edges.is_empty() && known.edges == hash_of(&[]) {
            // A new slice without edges.
            return;
        }
        known.edges = 0;
        let known = *known;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let elements = starts.zip(ends).map(|(start, &end)| edges[start as usize..end as usize].to_vec()).collect();
        state.write(&Event::Elements { object: known.number, first, elements });
    }

    fn roots(&mut self, group: RootGroup, roots: &[Edge]) {
        let mut state = self.state.borrow_mut();
        let roots = roots.iter().map(|root| state.edge(root)).collect();
        if let Some(at) = GROUPS.iter().position(|&known| known == group) {
            state.new_roots[at] = Some(roots);
        }
    }

    fn before(&mut self, operation: Operation, external: usize, limit: usize, failed: bool) {
        let mut state = self.state.borrow_mut();
        if state.is_open {
            state.warn(Caveat::Interrupted);
            state.write(&Event::Outcome(Outcome::default()));
        }
        for at in 0..GROUPS.len() {
            if let Some(roots) = state.new_roots[at].take()
                && has_roots(operation)
            {
                state.update_roots(at, roots);
            }
        }
        state.is_open = operation != Operation::Nothing;
        if state.is_open {
            state.write(&Event::Operation { operation, external, limit, failed });
        }
    }

    fn after(&mut self, outcome: &Outcome, is_alive: &dyn Fn(AnyGc) -> bool) {
        let mut state = self.state.borrow_mut();
        if outcome.lost > 0 {
            state.warn(Caveat::Lost);
        }
        if std::mem::take(&mut state.is_open) {
            state.write(&Event::Outcome(*outcome));
        }
        if state.objects.len() >= state.tidy_at {
            state.objects.retain(|&object, _| is_alive(object));
            state.tidy_at = (state.objects.len() * 2).max(1 << 12);
        }
    }
}

impl<W: Write> fmt::Debug for Recorder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("heap", &self.heap).finish_non_exhaustive()
    }
}
