//! A recorded program is done again: the log of the replay is that of the program, byte for byte.

use proptest::prelude::*;
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use tumulus_heap::{AnyGc, Budget, Gc, Heap, HeapBuilder, LogFormat, Root, Trace, Weak, Zeal};
use tumulus_trace::{
    BufferChange, Caveat, EdgeTo, Event, Flaw, Kind, Operation, Outcome, Part, Recorder, Replay, Replayed, RootGroup,
    Safepoints, Writer, check, cut, info,
};

/// A writer that somebody else reads.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

fn replay(file: &[u8]) -> (Replayed, String) {
    let log = Shared::default();
    let sink = log.clone();
    let replayed = Replay::new(file).unwrap().run_with(|heap| heap.log_to(LogFormat::Plain, sink), |_, _| ()).unwrap();
    (replayed, log.text())
}

/// Records a program, replays it, and compares the logs; then the same with quiet safepoints.
fn same_log(builder: &HeapBuilder, program: impl Fn(&mut Heap, &mut Recorder<Vec<u8>>)) -> (Vec<u8>, String) {
    let usual = recorded(builder, Safepoints::Due, &program);
    let (_, log) = recorded(builder, Safepoints::USUAL, &program);
    assert_eq!(log, usual.1);
    usual
}

fn recorded(
    builder: &HeapBuilder,
    safepoints: Safepoints,
    program: &impl Fn(&mut Heap, &mut Recorder<Vec<u8>>),
) -> (Vec<u8>, String) {
    let mut heap = builder.clone().build();
    let log = Shared::default();
    heap.log_to(LogFormat::Plain, log.clone());
    let mut recorder = Recorder::start_with(&mut heap, Vec::new(), safepoints).unwrap();
    program(&mut heap, &mut recorder);
    let (file, summary) = recorder.finish(&mut heap).unwrap();
    assert!(summary.caveats.iter().all(|&caveat| caveat == Caveat::OtherHeaps), "{:?}", summary.caveats);
    assert_eq!(check(&file[..]).unwrap(), summary.events);
    heap.verify().unwrap();
    let (replayed, again) = replay(&file);
    assert_eq!(replayed.divergence, None);
    assert_eq!((log.text(), replayed.misplaced_edges), (again.clone(), 0));
    assert_eq!(replayed.objects, summary.objects);
    replayed.heap.verify().unwrap();
    (file, again)
}

#[derive(Trace)]
struct Node {
    left: Option<Gc<Node>>,
    right: Option<Gc<Node>>,
    text: Option<Gc<str>>,
    numbers: [u64; 3],
}

#[derive(Trace)]
struct Table {
    rows: Vec<Gc<Node>>,
}

struct Dropper(#[allow(dead_code)] u64);
impl Drop for Dropper {
    fn drop(&mut self) {}
}
impl Trace for Dropper {
    const HAS_EDGES: bool = false;

    fn trace(&self, _: &mut tumulus_heap::Tracer<'_>) {}
}

fn plain() -> HeapBuilder {
    Heap::builder().zeal(Zeal::none()).nursery(64 << 10).min_heap(512 << 10)
}

const fn turns(many: u64, few: u64) -> u64 {
    if cfg!(miri) { few } else { many }
}

/// Trees that change, tables, destructors, texts and large slices.
fn mixed(heap: &mut Heap, recorder: &mut Recorder<Vec<u8>>) {
    let mut roots: Vec<Gc<Node>> = Vec::new();
    let mut held: Vec<Root<Table>> = Vec::new();
    let empty = heap.alloc_slice(&vec![None::<Gc<Node>>; 5000]);
    let big = heap.root(empty);
    let mut random = 12345_u64;
    for turn in 0..turns(16_000, 300) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (random >> 33) as usize;
        let text = (at.is_multiple_of(3)).then(|| heap.alloc_str(&"x".repeat(at % 200)));
        let node = heap.alloc(Node { left: None, right: roots.get(at % 97).copied(), text, numbers: [turn; 3] });
        if let Some(&old) = roots.get(at % 61) {
            heap.get_mut(old).left = Some(node);
        }
        if at.is_multiple_of(4) {
            roots.push(node);
        }
        if roots.len() > 600 {
            roots.drain(..300);
        }
        if at.is_multiple_of(50) {
            let rows = roots.iter().rev().take(at % 40).copied().collect();
            let table = heap.alloc(Table { rows });
            held.push(heap.root(table));
            if held.len() > 20 {
                held.swap_remove(at % 20);
            }
        }
        if at.is_multiple_of(7) {
            heap.alloc(Dropper(turn));
            heap.slice_mut(big.get(), at % 5000..=at % 5000)[0] = roots.last().copied();
        }
        if at.is_multiple_of(900) {
            heap.alloc_slice(&vec![turn; 700]);
            heap.get_mut(big.get())[at % 5000] = None;
        }
        if at.is_multiple_of(3000) {
            heap.alloc_slice_with(3000, |n| roots.get(n).copied());
        }
        if turn == turns(8_000, 100) {
            recorder.phase(heap, "later").unwrap();
            heap.adjust_external_bytes(400 << 10);
        }
        heap.safepoint(&roots);
    }
    recorder.buffer(heap, BufferChange::Detach, 7).unwrap();
    heap.collect(&roots);
}

#[test]
fn a_program_of_all_kinds_of_objects() {
    let (file, log) = same_log(&plain(), mixed);
    assert!(cfg!(miri) || log.lines().count() > 20, "{log}");
    let info = info(&file[..]).unwrap();
    assert_eq!(info.phases.len(), 2);
    assert_eq!(info.phases[1].name, "later");
    assert_eq!(info.buffers[&BufferChange::Detach], 1);
    let page = info.to_string();
    for name in ["Node", "Table", "Dropper", "str", "later"] {
        assert!(page.contains(name), "{name} is not in\n{page}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "long")]
fn with_other_options() {
    same_log(&plain().pause_budget(Budget::work(500)), mixed);
    same_log(&plain().nursery(0), mixed);
    same_log(&plain().pause_budget(Budget::unlimited()).growth(1.3), mixed);
    same_log(&plain().limit(8 << 20).page_retention(0), mixed);
    same_log(&plain().zeal("slice=97,verify,poison".parse().unwrap()), |heap, recorder| {
        let mut kept = Vec::new();
        for n in 0..600 {
            let next = heap.alloc(Node { left: kept.last().copied(), right: None, text: None, numbers: [n; 3] });
            if let Some(&first) = kept.first() {
                heap.get_mut(first).right = Some(next);
            }
            kept.push(next);
            if n % 100 == 99 {
                kept.clear();
                recorder.phase(heap, "cleared").unwrap();
            }
            heap.safepoint(&kept);
        }
    });
}

#[test]
fn scopes_steps_and_requests() {
    same_log(&plain(), |heap, _| {
        let mut kept: Vec<Gc<Node>> = Vec::new();
        for turn in 0..turns(300, 20) {
            let made = heap.scope(|heap| {
                let mut last = None;
                for n in 0..50 {
                    last = Some(heap.alloc(Node {
                        left: last,
                        right: kept.first().copied(),
                        text: None,
                        numbers: [n; 3],
                    }));
                    heap.safepoint(&kept);
                }
                last
            });
            kept.extend(made);
            match turn % 5 {
                0 => heap.collect_minor(&kept),
                1 => heap.start_major(),
                2 => {
                    let _ = heap.step(&kept, Budget::work(700));
                }
                3 => heap.set_limit((64 << 20) + turn as usize),
                _ => kept.truncate(40),
            }
        }
    });
}

#[test]
fn weak_handles_that_are_upgraded_while_a_collection_marks() {
    same_log(&plain().pause_budget(Budget::work(200)), |heap, _| {
        let mut kept: Vec<Gc<Node>> = Vec::new();
        let mut weak: Vec<Weak<Node>> = Vec::new();
        for turn in 0..turns(20_000, 200) {
            let node = heap.alloc(Node { left: kept.last().copied(), right: None, text: None, numbers: [turn; 3] });
            weak.push(node.downgrade());
            if turn.is_multiple_of(3) {
                kept.push(node);
            }
            if turn.is_multiple_of(17) {
                let at = (turn * 7) as usize % weak.len();
                if let Some(found) = weak[at].upgrade(heap) {
                    heap.get_mut(found).right = Some(node);
                    kept.push(found);
                }
            }
            if kept.len() > 300 {
                kept.drain(..200);
            }
            heap.safepoint(&kept);
        }
    });
}

#[test]
fn objects_that_take_external_bytes_off_when_they_die() {
    struct Buffer(tumulus_heap::ExternalBytes, usize);
    impl Drop for Buffer {
        fn drop(&mut self) {
            self.0.sub(self.1);
        }
    }
    impl Trace for Buffer {
        const HAS_EDGES: bool = false;

        fn trace(&self, _: &mut tumulus_heap::Tracer<'_>) {}
    }
    let (_, log) = same_log(&plain(), |heap, _| {
        let mut kept = Vec::new();
        for turn in 0..turns(5000, 50) as usize {
            let bytes = 1000 + turn % 977;
            heap.adjust_external_bytes(bytes.cast_signed());
            kept.push(heap.alloc(Buffer(heap.external_bytes(), bytes)));
            if kept.len() > 100 {
                kept.drain(..90);
            }
            heap.safepoint(&kept);
        }
    });
    assert!(cfg!(miri) || log.contains("heap has grown"), "{log}");
}

#[test]
fn what_cannot_be_recorded_is_said() {
    // Weak tables.
    let mut heap = plain().build();
    let recorder = Recorder::start(&mut heap, Vec::new()).unwrap();
    let map = heap.alloc(tumulus_heap::EphemeronMap::new());
    let (key, value) = (heap.alloc(1_u8), heap.alloc(2_u16));
    map.insert(&mut heap, key, value);
    heap.collect(&(map, key));
    let (file, summary) = recorder.finish(&mut heap).unwrap();
    assert!(summary.caveats.contains(&Caveat::WeakTables));
    assert!(replay(&file).0.caveats.contains(&Caveat::WeakTables));
    assert!(info(&file[..]).unwrap().to_string().contains("not as it was: there are weak tables"));

    // Budgets of time, and a heap that is in use.
    let mut heap = plain().pause_budget(Budget::time(std::time::Duration::from_millis(1))).build();
    let text = heap.alloc_str("before");
    let holder = heap.alloc(vec![text]);
    let recorder = Recorder::start(&mut heap, Vec::new()).unwrap();
    heap.collect(&holder);
    let (file, summary) = recorder.finish(&mut heap).unwrap();
    assert!(summary.caveats.contains(&Caveat::TimeBudget) && summary.caveats.contains(&Caveat::BeganLate));
    assert_eq!(replay(&file).0.heap.statistics().live_objects, 2);

    // Edges without types, and stale ones.
    let mut heap = plain().build();
    let recorder = Recorder::start(&mut heap, Vec::new()).unwrap();
    let leaf: AnyGc = heap.alloc(1_u8).into();
    let holder = heap.alloc(vec![leaf]);
    heap.collect(&holder);
    let stale = heap.alloc(5_u32);
    heap.collect(&holder);
    heap.collect(&(holder, stale));
    let (_, summary) = recorder.finish(&mut heap).unwrap();
    assert!(summary.caveats.contains(&Caveat::UntypedEdge), "{summary:?}");
}

#[test]
fn a_panic_in_trace_is_survived_and_said() {
    struct Bomb(std::cell::Cell<bool>);
    impl Trace for Bomb {
        fn trace(&self, tracer: &mut tumulus_heap::Tracer<'_>) {
            let _ = tracer;
            assert!(!self.0.get(), "while it is traced");
        }
    }
    let mut heap = plain().build();
    let recorder = Recorder::start(&mut heap, Vec::new()).unwrap();
    let bomb = Bomb(std::cell::Cell::new(true));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| heap.collect(&bomb)));
    assert!(caught.is_err());
    bomb.0.set(false);
    heap.alloc(1);
    heap.collect(&bomb);
    let (file, _) = recorder.finish(&mut heap).unwrap();
    check(&file[..]).unwrap();
    assert_eq!(replay(&file).0.objects, 1);
}

#[test]
fn edges_that_were_not_told_as_a_trace_unwound_are_a_caveat() {
    struct Bomb(Rc<std::cell::Cell<bool>>, Gc<u8>);
    impl Trace for Bomb {
        fn trace(&self, tracer: &mut tumulus_heap::Tracer<'_>) {
            assert!(!self.0.get(), "while it is traced");
            self.1.trace(tracer);
        }
    }
    let mut heap = plain().build();
    let recorder = Recorder::start(&mut heap, Vec::new()).unwrap();
    let is_armed = Rc::new(std::cell::Cell::new(true));
    let child = heap.alloc(1);
    let bomb = heap.alloc(Bomb(Rc::clone(&is_armed), child));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| heap.collect(&bomb)));
    assert!(caught.is_err());
    is_armed.set(false);
    heap.collect(&bomb);
    assert!(heap.contains(child));
    let (_, summary) = recorder.finish(&mut heap).unwrap();
    assert!(summary.caveats.contains(&Caveat::Lost), "{summary:?}");
}

#[test]
#[cfg_attr(miri, ignore = "many types")]
fn behind_an_error_there_are_no_more_events() {
    let heap = plain().build();
    let settings = tumulus_heap::hooks::settings(&heap);
    let mut writer = Writer::new(Vec::new()).unwrap();
    writer.write(&Event::Settings(settings)).unwrap();
    for number in 0..5_000 {
        writer.write(&Event::Type { name: number.to_string(), kind: Kind::default() }).unwrap();
    }
    writer.write(&Event::Form { of: 4_999, granules: 1, has_block: false }).unwrap();
    writer.write(&Event::Alloc { form: 0, block: None }).unwrap();
    let file = writer.end().unwrap();
    let replay = Replay::new(&file[..]).unwrap();
    let mut heap = replay.options().build();
    let mut player = replay.player();
    let error = std::iter::from_fn(|| player.step(&mut heap).transpose()).find_map(Result::err).unwrap();
    assert!(error.to_string().ends_with("cannot be replayed: it has too many types"), "{error}");
    assert!(matches!(player.step(&mut heap), Ok(None)));
}

#[test]
fn a_wrong_program_that_was_verified_replays() {
    let zeal = Zeal { verify: true, recheck: true, ..Zeal::none() };
    let settings = tumulus_heap::hooks::settings(&plain().zeal(zeal).build());
    let edge = |object| vec![EdgeTo { to: Some(object), untyped: false }];
    let done = |operation| {
        let begins = Event::Operation { operation, external: 0, limit: usize::MAX, failed: false };
        [begins, Event::Outcome(Outcome::default())]
    };
    let mut writer = Writer::new(Vec::new()).unwrap();
    let alloc = Event::Alloc { form: 0, block: None };
    let kind = Kind { has_edges: true, ..Kind::default() };
    let made = [
        Event::Settings(settings),
        Event::Type { name: "words".into(), kind },
        Event::Form { of: 0, granules: 1, has_block: false },
        alloc.clone(),
        Event::Roots { group: RootGroup::Given, keep: 0, remove: 0, insert: edge(0) },
    ];
    // Written to when it is old, of which the collector was not told.
    let written = [alloc, Event::Edges { object: 0, edges: edge(1) }];
    let minor = || done(Operation::CollectMinor);
    for event in made.into_iter().chain(done(Operation::Collect)).chain(written).chain(minor()).chain(minor()) {
        writer.write(&event).unwrap();
    }
    let replayed = replay(&writer.end().unwrap()).0;
    assert_eq!(replayed.heap.statistics().live_objects, 1);
}

#[test]
fn a_recorder_that_is_dropped_writes_no_more() {
    let sink = Shared::default();
    let mut heap = plain().build();
    drop(Recorder::start(&mut heap, sink.clone()).unwrap());
    assert_eq!(Rc::strong_count(&sink.0), 1);
    let kept = heap.alloc(vec![1]);
    heap.collect(&kept);
    assert!(heap.contains(kept));
}

#[test]
fn the_end_of_a_recorder_is_not_that_of_the_one_behind_it() {
    let mut heap = plain().build();
    let first = Recorder::start(&mut heap, Vec::new()).unwrap();
    heap.alloc(1);
    let second = Recorder::start(&mut heap, Vec::new()).unwrap();
    heap.alloc(2);
    assert_eq!(first.finish(&mut heap).unwrap().1.objects, 1);
    heap.alloc(3);
    assert_eq!(second.finish(&mut heap).unwrap().1.objects, 3);
    heap.alloc(4);
    assert!(tumulus_heap::hooks::set_witness(&mut heap, None).is_none());
}

#[test]
fn a_failing_writer_is_an_error_and_no_more() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or_else(|| io::Error::other("no space"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    assert!(Recorder::start(&mut plain().build(), Full(5)).is_err());
    let mut heap = plain().build();
    let recorder = Recorder::start(&mut heap, Full(100)).unwrap();
    for n in 0..turns(10_000, 200) {
        heap.alloc(n);
        heap.safepoint(&());
    }
    assert_eq!(recorder.finish(&mut heap).map(|_| ()).unwrap_err().to_string(), "no space");
    heap.verify().unwrap();
}

#[test]
fn a_phase_can_be_cut_out() {
    let (file, _) = same_log(&plain(), mixed);
    let part = cut(&file[..], Vec::new(), &Part::Phase("later".into())).unwrap();
    check(&part[..]).unwrap();
    let (whole, part_info) = (info(&file[..]).unwrap(), info(&part[..]).unwrap());
    assert!(part_info.caveats.contains(&Caveat::BeganLate));
    assert_eq!(part_info.phases[1].operations, whole.phases[1].operations);
    // What can be reached in the end is the same.
    let (all, some) = (replay(&file).0, replay(&part).0);
    assert_eq!(all.heap.statistics().live_objects, some.heap.statistics().live_objects);
    assert_eq!(all.heap.statistics().used_bytes, some.heap.statistics().used_bytes);

    let middle = whole.events / 2;
    let first = cut(&file[..], Vec::new(), &Part::Events(0..middle)).unwrap();
    let second = cut(&file[..], Vec::new(), &Part::Events(middle..u64::MAX)).unwrap();
    check(&first[..]).unwrap();
    assert_eq!(replay(&second).0.heap.statistics().live_objects, all.heap.statistics().live_objects);
    let nowhere = cut(&file[..], Vec::new(), &Part::Phase("never".into())).unwrap_err();
    assert!(nowhere.to_string().ends_with("the trace has no phase \"never\""), "{nowhere}");
}

#[test]
fn other_options_make_other_collections() {
    let (file, _) = same_log(&plain(), mixed);
    let replay = Replay::new(&file[..]).unwrap();
    let options = replay.options().nursery(0).pause_budget(Budget::unlimited());
    let replayed = replay.with_options(options).run().unwrap();
    assert_eq!(replayed.heap.statistics().minor_collections, 0);
    replayed.heap.verify().unwrap();
}

/// What another heap does, and what it does with a recording of the same program.
fn beside(recorded_on: &HeapBuilder, other: &HeapBuilder, safepoints: Safepoints) -> (Replayed, Heap) {
    let (file, _) = recorded(recorded_on, safepoints, &mixed);
    let (_, elsewhere) = recorded(other, Safepoints::Due, &mixed);
    assert!(elsewhere.lines().count() >= 6, "{elsewhere}");
    let replayed = Replay::new(&file[..]).unwrap().with_options(other.clone()).run().unwrap();
    replayed.heap.verify().unwrap();
    let mut heap = other.clone().build();
    let mut recorder = Recorder::start(&mut heap, Vec::new()).unwrap();
    mixed(&mut heap, &mut recorder);
    (replayed, heap)
}

#[test]
#[cfg_attr(miri, ignore = "long")]
fn with_quiet_safepoints_another_heap_does_what_it_would_have_done_with_the_program() {
    let lazy = plain().nursery(0).min_heap(64 << 20);
    let others =
        [plain(), plain().nursery(0), plain().pause_budget(Budget::unlimited()).growth(1.3), plain().limit(3 << 20)];
    for other in &others {
        let (replayed, heap) = beside(&lazy, other, Safepoints::USUAL);
        let (again, was) = (replayed.heap.statistics(), heap.statistics());
        assert_eq!(again.used_bytes, was.used_bytes);
        assert!(again.collections.abs_diff(was.collections) * 4 <= was.collections, "{again:?}, and was {was:?}");
    }
    let (replayed, heap) = beside(&lazy, &others[0], Safepoints::All);
    let counts = |heap: &Heap| {
        let statistics = heap.statistics();
        (statistics.collections, statistics.minor_collections, statistics.freed_objects)
    };
    assert_eq!(counts(&replayed.heap), counts(&heap));
}

#[test]
#[cfg_attr(miri, ignore = "long")]
fn quiet_safepoints_leave_a_trace_small() {
    let size = |safepoints| recorded(&plain(), safepoints, &mixed).0.len();
    let (due, usual) = (size(Safepoints::Due), size(Safepoints::USUAL));
    assert!(usual > due && usual < 2 * due, "{due}, and {usual} with quiet safepoints");
}

#[test]
fn a_limit_that_is_too_low_for_a_recording_is_said() {
    let (file, _) = recorded(&plain(), Safepoints::USUAL, &mixed);
    let replay = Replay::new(&file[..]).unwrap();
    let options = replay.options().limit(100 << 10);
    let error = replay.with_options(options).run().unwrap_err();
    assert!(matches!(error.flaw, Flaw::Limit { limit: 102_400, .. }), "{error}");
    assert!(error.to_string().ends_with("the heap's limit of 102400 bytes is reached"), "{error}");
}

#[test]
fn a_file_of_the_first_format_is_read() {
    let file = include_bytes!("files/format-1.trace");
    let replay = Replay::new(&file[..]).unwrap();
    assert_eq!((replay.settings().quiet_every, replay.settings().limit), (None, 8 << 20));
    let (replayed, log) = crate::replay(file);
    assert_eq!((replayed.divergence, replayed.objects), (None, 8159));
    let last =
        "#6 minor: 82560 -> 24624 bytes (98304 committed), 1207 objects freed, 968 units in 1 slices, nursery full";
    assert_eq!(log.lines().last(), Some(last));
}

/// A step of a random program.
#[derive(Clone, Debug)]
enum Step {
    Node(u8, u8),
    Text(u16),
    Slice(u16),
    Vec(u8),
    Drops,
    Link(u8, u8),
    Fill(u16, u8),
    Forget(u8),
    Root(u8),
    Unroot(u8),
    External(i16),
    Collect,
    Minor,
    Major,
    Idle(u16),
    Safepoint,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Step::Node(a, b)),
        4 => (0..5000_u16).prop_map(Step::Text),
        2 => (0..3000_u16).prop_map(Step::Slice),
        2 => any::<u8>().prop_map(Step::Vec),
        2 => Just(Step::Drops),
        8 => (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Step::Link(a, b)),
        4 => (any::<u16>(), any::<u8>()).prop_map(|(a, b)| Step::Fill(a, b)),
        4 => any::<u8>().prop_map(Step::Forget),
        2 => any::<u8>().prop_map(Step::Root),
        2 => any::<u8>().prop_map(Step::Unroot),
        1 => any::<i16>().prop_map(Step::External),
        1 => Just(Step::Collect),
        1 => Just(Step::Minor),
        1 => Just(Step::Major),
        2 => (1..2000_u16).prop_map(Step::Idle),
        12 => Just(Step::Safepoint),
    ]
}

fn run_steps(heap: &mut Heap, steps: &[Step]) {
    let mut nodes: Vec<Gc<Node>> = Vec::new();
    let mut slices: Vec<Gc<[Option<Gc<Node>>]>> = Vec::new();
    let mut tables: Vec<Gc<Table>> = Vec::new();
    let mut held: Vec<Root<Node>> = Vec::new();
    let pick = |list: &[Gc<Node>], at: u8| (!list.is_empty()).then(|| list[usize::from(at) % list.len()]);
    for (turn, step) in steps.iter().enumerate() {
        match *step {
            Step::Node(left, right) => {
                let text = (left.is_multiple_of(5)).then(|| heap.alloc_str("a text of a node"));
                let (left, right) = (pick(&nodes, left), pick(&nodes, right));
                nodes.push(heap.alloc(Node { left, right, text, numbers: [turn as u64; 3] }));
            }
            Step::Text(len) => {
                heap.alloc_str(&"t".repeat(usize::from(len)));
            }
            Step::Slice(len) => slices.push(heap.alloc_slice_with(usize::from(len), |n| pick(&nodes, n as u8))),
            Step::Vec(len) => {
                let rows = nodes.iter().take(usize::from(len)).copied().collect();
                tables.push(heap.alloc(Table { rows }));
            }
            Step::Drops => {
                heap.alloc(Dropper(turn as u64));
            }
            Step::Link(from, to) => {
                if let (Some(from), Some(to)) = (pick(&nodes, from), pick(&nodes, to)) {
                    heap.get_mut(from).left = Some(to);
                }
            }
            Step::Fill(at, with) => {
                if let Some(&slice) = slices.last()
                    && !heap[slice].is_empty()
                {
                    let at = usize::from(at) % heap[slice].len();
                    heap.slice_mut(slice, at..=at)[0] = pick(&nodes, with);
                }
            }
            Step::Forget(count) => {
                nodes.truncate(nodes.len().saturating_sub(usize::from(count) / 8));
                slices.truncate(3);
                tables.truncate(usize::from(count) % 5);
            }
            Step::Root(at) => held.extend(pick(&nodes, at).map(|node| heap.root(node))),
            Step::Unroot(at) => {
                if !held.is_empty() {
                    held.swap_remove(usize::from(at) % held.len());
                }
            }
            Step::External(change) => heap.adjust_external_bytes(isize::from(change) * 64),
            Step::Collect => heap.collect(&(&nodes, &slices, &tables)),
            Step::Minor => heap.collect_minor(&(&nodes, &slices, &tables)),
            Step::Major => heap.start_major(),
            Step::Idle(units) => {
                let _ = heap.step(&(&nodes, &slices, &tables), Budget::work(u64::from(units)));
            }
            Step::Safepoint => heap.safepoint(&(&nodes, &slices, &tables)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 64 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_replay_to_the_same_log(
        steps in proptest::collection::vec(step(), 1..if cfg!(miri) { 40 } else { 600 }),
        units in 20..3000_u64,
        nursery in prop_oneof![Just(0_usize), 1..40_000_usize],
        slices in proptest::option::of(50..2000_u32),
        safepoints in prop_oneof![Just(Safepoints::All), (1..9_000_u64).prop_map(Safepoints::Every)],
    ) {
        let zeal = Zeal { slice: slices.and_then(std::num::NonZeroU32::new), verify: true, ..Zeal::none() };
        let builder = Heap::builder().zeal(zeal).nursery(nursery).min_heap(32 << 10).pause_budget(Budget::work(units));
        let program = |heap: &mut Heap, _: &mut Recorder<Vec<u8>>| run_steps(heap, &steps);
        let (_, log) = recorded(&builder, Safepoints::Due, &program);
        prop_assert_eq!(recorded(&builder, safepoints, &program).1, log);
    }
}
