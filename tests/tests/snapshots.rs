//! Snapshots are what V8 would write of such a heap, and making one changes nothing.

use serde_json::Value;
use std::collections::{HashMap, HashSet};
use tumulus_arraybuffer::{ArrayBuffer, SharedArrayBuffer};
use tumulus_heap::{
    AnyGc, Describer, EphemeronMap, Gc, Heap, Native, NativeFn, NodeKind, Trace, Tracer, Weak, WeakRef, Zeal,
};
use tumulus_tests::{calm_heap, catch, expect_sound};

/// A snapshot, read by the plainest means.
struct Shot {
    file: Value,
    nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
struct Node {
    kind: String,
    name: String,
    id: u64,
    self_size: u64,
    edges: Vec<Edge>,
}

#[derive(Clone, Debug, PartialEq)]
struct Edge {
    kind: String,
    name: String,
    to: usize,
}

impl Shot {
    fn of<R: Trace + ?Sized>(heap: &mut Heap, roots: &R) -> Shot {
        let mut text = Vec::new();
        let summary = heap.write_snapshot(roots, &mut text).expect("a snapshot");
        let shot = Shot::read(&text);
        assert_eq!(shot.nodes.len() as u64, summary.nodes);
        assert_eq!(shot.nodes.iter().map(|node| node.edges.len() as u64).sum::<u64>(), summary.edges);
        assert_eq!(shot.nodes.iter().map(|node| node.self_size).sum::<u64>(), summary.self_bytes);
        shot
    }

    fn read(text: &[u8]) -> Shot {
        let file: Value = serde_json::from_slice(text).expect("JSON");
        let numbers = |name: &str| -> Vec<u64> {
            file[name].as_array().expect(name).iter().map(|number| number.as_u64().expect("a number")).collect()
        };
        let words = |value: &Value| -> Vec<String> {
            value.as_array().expect("words").iter().map(|word| word.as_str().expect("a word").to_string()).collect()
        };
        let meta = &file["snapshot"]["meta"];
        assert_eq!(words(&meta["node_fields"]).len(), 7);
        let (node_types, edge_types) = (words(&meta["node_types"][0]), words(&meta["edge_types"][0]));
        let strings = words(&file["strings"]);
        let (nodes, edges) = (numbers("nodes"), numbers("edges"));
        assert_eq!(nodes.len() as u64, 7 * file["snapshot"]["node_count"].as_u64().unwrap());
        assert_eq!(edges.len() as u64, 3 * file["snapshot"]["edge_count"].as_u64().unwrap());
        let mut edges = edges.chunks(3).map(|edge| {
            let kind = edge_types[edge[0] as usize].clone();
            let name = if kind == "element" { edge[1].to_string() } else { strings[edge[1] as usize].clone() };
            assert_eq!(edge[2] % 7, 0);
            Edge { kind, name, to: edge[2] as usize / 7 }
        });
        let nodes: Vec<Node> = nodes
            .chunks(7)
            .map(|node| Node {
                kind: node_types[node[0] as usize].clone(),
                name: strings[node[1] as usize].clone(),
                id: node[2],
                self_size: node[3],
                edges: edges.by_ref().take(node[4] as usize).collect(),
            })
            .collect();
        assert_eq!(edges.next(), None);
        assert!(nodes.iter().flat_map(|node| &node.edges).all(|edge| edge.to < nodes.len()));
        Shot { file, nodes }
    }

    /// The one node with a name.
    #[track_caller]
    fn named(&self, name: &str) -> &Node {
        let mut found = self.nodes.iter().filter(|node| node.name == name);
        let node = found.next().unwrap_or_else(|| panic!("no node {name}"));
        assert!(found.next().is_none(), "two nodes {name}");
        node
    }

    /// `name -> name` of what it refers to, by kind.
    fn edges(&self, node: &Node, kind: &str) -> Vec<(String, String)> {
        let edges = node.edges.iter().filter(|edge| edge.kind == kind);
        edges.map(|edge| (edge.name.clone(), self.nodes[edge.to].name.clone())).collect()
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_string(), (*b).to_string())).collect()
}

#[derive(Trace)]
enum Term {
    Nil,
    Text(Gc<str>),
    Pair(Gc<Term>, Gc<Term>),
    Call { callee: Gc<Term>, args: Vec<Gc<Term>> },
}

#[derive(Trace)]
struct Frame {
    locals: [Option<Gc<Term>>; 2],
    r#return: Option<Box<Term>>,
    #[trace(skip)]
    _hidden: u8,
}

#[test]
fn the_derive_names_fields_variants_and_indices() {
    let mut heap = calm_heap();
    let text = heap.alloc_str("a \"text\"\nof\tλ");
    let term = heap.alloc(Term::Text(text));
    let nil = heap.alloc(Term::Nil);
    let pair = heap.alloc(Term::Pair(term, nil));
    let call = heap.alloc(Term::Call { callee: pair, args: vec![nil, term] });
    let frame = Frame { locals: [None, Some(call)], r#return: Some(Box::new(Term::Pair(nil, pair))), _hidden: 0 };
    let frame = heap.alloc(frame);
    let shot = Shot::of(&mut heap, &frame);

    let node = shot.named("Frame");
    assert_eq!(node.kind, "object");
    let expected = pairs(&[("locals[1]", "Term"), ("return.Pair.0", "Term"), ("return.Pair.1", "Term")]);
    assert_eq!(shot.edges(node, "property"), expected);
    let call = &shot.nodes[node.edges[0].to];
    let expected = pairs(&[("Call.callee", "Term"), ("Call.args[0]", "Term"), ("Call.args[1]", "Term")]);
    assert_eq!(shot.edges(call, "property"), expected);
    let text = shot.named("a \"text\"\nof\tλ");
    assert_eq!((text.kind.as_str(), text.self_size), ("string", 32));
    assert!(shot.nodes.iter().any(|node| shot.edges(node, "property") == pairs(&[("Text", &text.name)])));
    assert_eq!(shot.file["snapshot"]["trace_function_count"], 0);
}

#[test]
fn collections_and_functions_are_what_they_are_called() {
    let mut heap = calm_heap();
    let one = heap.alloc(1.5_f64);
    let array = heap.alloc_slice(&[Some(one), None, Some(one)]);
    let vector = heap.alloc(vec![array]);
    let function: NativeFn<(u8, Gc<f64>)> = NativeFn::new((0, one), |_, _, _| ());
    let function = heap.alloc(function);
    let map = heap.alloc(HashMap::from([(7, one)]));
    let wide = heap.alloc([0_u8; 5000]);
    let shot = Shot::of(&mut heap, &(vector, function, map, wide));

    let array = shot.named("[Option<Gc<f64>>]");
    assert_eq!(array.kind, "array");
    assert_eq!(shot.edges(array, "element"), pairs(&[("0", "f64"), ("2", "f64")]));
    assert_eq!(shot.named("Vec<Gc<[Option<Gc<f64>>]>>").kind, "array");
    assert_eq!(shot.named("f64").kind, "number");
    let function = shot.nodes.iter().find(|node| node.kind == "closure").expect("a closure");
    assert_eq!(shot.edges(function, "property"), pairs(&[("captures[1]", "f64")]));
    let map = shot.nodes.iter().find(|node| node.name.starts_with("HashMap")).expect("a map");
    assert_eq!(shot.edges(map, "element"), pairs(&[("0", "f64")]));
    // The block counts, and the cell that leads to it.
    assert_eq!(shot.named("[u8; 5000]").self_size, 5032);
}

#[test]
fn each_group_of_roots_is_a_node() {
    let mut heap = calm_heap();
    let handle = heap.alloc_str("by a handle");
    let root = heap.root(handle);
    let passed = heap.alloc_str("passed");
    let kept = heap.alloc_str("kept");
    WeakRef::new(&mut heap, kept);
    heap.on_death(kept, 1);
    heap.alloc_str("garbage");
    heap.scope(|heap| {
        heap.alloc_str("in a scope");
        let shot = Shot::of(heap, &passed);
        let top = &shot.nodes[0];
        assert_eq!((top.kind.as_str(), top.name.as_str(), top.id), ("synthetic", "", 1));
        assert_eq!(shot.edges(top, "element"), pairs(&[("1", "(GC roots)")]));
        assert_eq!(shot.edges(top, "shortcut"), pairs(&[("", "passed")]));
        for (group, member) in [
            ("(Embedder roots)", "passed"),
            ("(Global handles)", "by a handle"),
            ("(Handle scopes)", "in a scope"),
            ("(Kept alive)", "kept"),
            ("(Finalization registry)", "FinalizationRegistry<u64>"),
        ] {
            assert_eq!(shot.edges(shot.named(group), "element"), pairs(&[("0", member)]), "{group}");
        }
        assert!(!shot.nodes.iter().any(|node| node.name == "garbage"));
    });
    drop(root);
}

#[derive(Trace)]
struct Cache {
    strong: Gc<str>,
    last: Weak<str>,
    gone: Option<Weak<str>>,
}

#[test]
fn weak_handles_are_weak_edges_to_what_is_there_for_other_reasons() {
    let mut heap = calm_heap();
    let (text, gone, unreachable) = (heap.alloc_str("text"), heap.alloc_str("gone"), heap.alloc_str("unreachable"));
    heap.collect(&(text, unreachable));
    let cache = heap.alloc(Cache { strong: text, last: text.downgrade(), gone: Some(gone.downgrade()) });
    let other = heap.alloc(Cache { strong: text, last: unreachable.downgrade(), gone: None });
    let shot = Shot::of(&mut heap, &(cache, other));
    let caches: Vec<&Node> = shot.nodes.iter().filter(|node| node.name == "Cache").collect();
    assert_eq!(shot.edges(caches[0], "property"), pairs(&[("strong", "text")]));
    assert_eq!(shot.edges(caches[0], "weak"), pairs(&[("last", "text")]));
    assert_eq!(shot.edges(caches[1], "weak"), []);
    assert!(!shot.nodes.iter().any(|node| node.name == "unreachable"));
    // It was not kept by being looked at.
    heap.collect(&(cache, other));
    assert!(!heap.contains(unreachable));
}

#[test]
fn entries_of_weak_maps_are_named_as_devtools_want_them() {
    let mut heap = calm_heap();
    let map = heap.alloc(EphemeronMap::<Gc<str>, Gc<str>>::new());
    let keys: Vec<Gc<str>> = ["first", "second", "third"].map(|text| heap.alloc_str(text)).to_vec();
    // The value of the first is the key of the second; the third is not reachable.
    let last = heap.alloc_str("last");
    map.insert(&mut heap, keys[1], last);
    map.insert(&mut heap, keys[0], keys[1]);
    let lost = heap.alloc_str("lost");
    map.insert(&mut heap, keys[2], lost);
    let shot = Shot::of(&mut heap, &(map, keys[0]));
    assert!(!shot.nodes.iter().any(|node| node.name == "third" || node.name == "lost"));

    let table = shot.nodes.iter().find(|node| node.name.starts_with("[Entry<")).expect("the entries");
    let (first, second, last) = (shot.named("first"), shot.named("second"), shot.named("last"));
    let name = |n: u32, key: &Node, value: &Node| {
        let (k, v, t) = ((&key.name, key.id), (&value.name, value.id), table.id);
        format!("{n} / part of key ({} @{}) -> value ({} @{}) pair in WeakMap (table @{t})", k.0, k.1, v.0, v.1)
    };
    assert_eq!(shot.edges(first, "internal"), [(name(2, first, second), "second".to_string())]);
    assert_eq!(shot.edges(second, "internal"), [(name(1, second, last), "last".to_string())]);
    let mut from_table = shot.edges(table, "internal");
    from_table.sort();
    assert_eq!(
        from_table,
        [(name(1, second, last), "last".to_string()), (name(2, first, second), "second".to_string())]
    );
    // The weak edges to the keys.
    let shown: HashSet<String> = shot.edges(table, "weak").into_iter().map(|(_, name)| name).collect();
    assert_eq!(shown, HashSet::from(["first".to_string(), "second".to_string()]));
}

/// An object with memory outside of the heap.
struct Buffer {
    address: u64,
    name: &'static str,
}

impl Trace for Buffer {
    const HAS_EDGES: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.kind(NodeKind::Object);
        describer.name(self.name);
        describer.more_bytes(100);
        describer.native("backing_store", Native { name: "bytes", identity: self.address, bytes: 4096 });
    }
}

#[test]
fn shared_memory_outside_is_one_node() {
    let mut heap = calm_heap();
    let buffers = [(1, "a"), (1, "b"), (2, "c")].map(|(address, name)| heap.alloc(Buffer { address, name }));
    let shot = Shot::of(&mut heap, &buffers);
    let stores: Vec<usize> = (0..shot.nodes.len()).filter(|&at| shot.nodes[at].kind == "native").collect();
    assert_eq!(stores.len(), 2);
    assert!(stores.iter().all(|&at| (shot.nodes[at].name.as_str(), shot.nodes[at].self_size) == ("bytes", 4096)));
    let to = |name: &str| {
        let [ref edge] = shot.named(name).edges[..] else { panic!("{name}") };
        assert_eq!((edge.kind.as_str(), edge.name.as_str()), ("internal", "backing_store"));
        edge.to
    };
    assert!(to("a") == to("b") && to("a") != to("c"));
    assert_eq!(shot.named("a").self_size, 32 + 100);
    let again = Shot::of(&mut heap, &buffers);
    let ids = |shot: &Shot| stores.iter().map(|&at| shot.nodes[at].id).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&shot));
}

#[test]
fn ids_last_from_snapshot_to_snapshot_and_are_never_given_twice() {
    let mut heap = calm_heap();
    let mut seen: HashMap<AnyGc, u64> = HashMap::new();
    let mut given: HashMap<u64, AnyGc> = HashMap::new();
    let mut list: Vec<Gc<str>> = Vec::new();
    for round in 0..8 {
        // Half of them die, others take their cells.
        list.retain(|gc| gc.identity_hash() % 2 == 0);
        if round % 3 != 0 {
            heap.collect(&list);
        }
        list.extend((0..100).map(|n| heap.alloc_str(&format!("{round}.{n}"))));
        let shot = Shot::of(&mut heap, &list);
        let by_name: HashMap<&str, u64> = shot.nodes.iter().map(|node| (node.name.as_str(), node.id)).collect();
        for &gc in &list {
            let id = by_name[&heap[gc]];
            assert_eq!(id % 2, 1);
            assert_eq!(*seen.entry(gc.erase()).or_insert(id), id, "{}", &heap[gc]);
            assert_eq!(*given.entry(id).or_insert(gc.erase()), gc.erase(), "{}", &heap[gc]);
        }
        let ids: HashSet<u64> = shot.nodes.iter().map(|node| node.id).collect();
        assert_eq!(ids.len(), shot.nodes.len());
    }
}

#[test]
fn writing_one_changes_nothing() {
    let mut heap = Heap::builder().zeal(Zeal { verify: true, ..Zeal::none() }).build();
    let mut list: Vec<Gc<(u64, Option<AnyGc>)>> = Vec::new();
    for n in 0..3000_u64 {
        let before = list.last().map(|gc| gc.erase());
        let gc = heap.alloc((n, before.filter(|_| n % 3 == 0)));
        if n % 2 == 0 {
            list.push(gc);
        }
        if n % 100 == 0 {
            heap.start_major();
        }
        // Also in the midst of a collection.
        heap.safepoint(&list);
        if n % 37 == 0 {
            let before = heap.statistics();
            let first = Shot::of(&mut heap, &list);
            assert_eq!(heap.statistics(), before);
            expect_sound(&heap);
            let second = Shot::of(&mut heap, &list);
            assert_eq!(first.file, second.file);
        }
    }
    // Everything that is there is shown, with its size.
    heap.collect(&list);
    let shot = Shot::of(&mut heap, &list);
    assert_eq!(shot.nodes.iter().map(|node| node.self_size).sum::<u64>(), heap.statistics().used_bytes as u64);
}

#[test]
fn a_type_that_says_nothing_is_described_by_what_it_traces() {
    struct Plain(Gc<str>, Gc<str>);
    impl Trace for Plain {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.edge(self.0);
            tracer.edge(self.1);
        }
    }
    let mut heap = calm_heap();
    let (a, b) = (heap.alloc_str("a"), heap.alloc_str("b"));
    let plain = heap.alloc(Plain(a, b));
    let shot = Shot::of(&mut heap, &plain);
    assert_eq!(shot.edges(shot.named("Plain"), "element"), pairs(&[("0", "a"), ("1", "b")]));
}

#[derive(Trace)]
#[trace(describe = "name_of_class")]
struct Class {
    name: String,
    parent: Option<Gc<Class>>,
}

fn name_of_class(class: &Class, describer: &mut Describer<'_>) {
    describer.kind(NodeKind::Shape);
    describer.name(&class.name);
}

#[test]
fn a_derived_type_can_name_its_objects() {
    let mut heap = calm_heap();
    let parent = heap.alloc(Class { name: "Object".into(), parent: None });
    let long = "x".repeat(1023) + "λλ";
    let child = heap.alloc(Class { name: long, parent: Some(parent) });
    let shot = Shot::of(&mut heap, &child);
    assert_eq!(shot.named("Object").kind, "object shape");
    // A name is cut between two letters.
    let child = shot.named(&"x".repeat(1023));
    assert_eq!(shot.edges(child, "property"), pairs(&[("parent", "Object")]));
}

#[test]
fn a_describe_that_panics_or_lies_is_told_of() {
    use std::cell::Cell;
    struct Liar(Gc<str>, Cell<u32>, u32);
    impl Trace for Liar {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            tracer.edge(self.0);
        }
        fn describe(&self, describer: &mut Describer<'_>) {
            self.1.set(self.1.get() + 1);
            assert!(self.2 != 0, "no description");
            for _ in 0..self.1.get() {
                describer.edge(self.0);
            }
        }
    }
    let mut heap = calm_heap();
    let text = heap.alloc_str("text");
    let panics = heap.alloc(Liar(text, Cell::new(0), 0));
    let lies = heap.alloc(Liar(text, Cell::new(0), 1));
    assert!(catch(|| heap.write_snapshot(&panics, std::io::sink())).is_err());
    let error = heap.write_snapshot(&lies, std::io::sink()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    expect_sound(&heap);
    Shot::of(&mut heap, &text);
}

#[test]
fn a_writer_that_fails_is_told_of() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut heap = calm_heap();
    let list: Vec<Gc<u64>> = (0..20_000).map(|n| heap.alloc(n)).collect();
    for room in [0, 100_000, 300_000] {
        let error = heap.write_snapshot(&list, Full(room)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
}

#[derive(Trace)]
struct Wrapper(Vec<Gc<str>>);

#[derive(Trace)]
struct Holder {
    inside: Wrapper,
}

#[derive(Trace)]
struct Named(String);

#[test]
fn a_wrapper_has_no_name_in_those_of_its_edges_and_keeps_its_own() {
    let mut heap = calm_heap();
    let text = heap.alloc_str("text");
    let wrapper = heap.alloc(Wrapper(vec![text]));
    let holder = heap.alloc(Holder { inside: Wrapper(vec![text]) });
    let named = heap.alloc(Named("name".into()));
    let shot = Shot::of(&mut heap, &(wrapper, holder, named));
    assert_eq!(shot.edges(shot.named("Wrapper"), "element"), pairs(&[("0", "text")]));
    assert_eq!(shot.edges(shot.named("Holder"), "property"), pairs(&[("inside[0]", "text")]));
    assert_eq!(shot.named("Named").kind, "object");
}

#[test]
fn buffers_that_share_a_store_lead_to_one_node() {
    let mut heap = calm_heap();
    let first = SharedArrayBuffer::new(&mut heap, 5000).expect("room");
    let store = first.backing_store(&heap);
    let second = SharedArrayBuffer::from_store(&mut heap, store.clone()).expect("a shared store");
    let other = ArrayBuffer::new(&mut heap, 100).expect("room");
    let shot = Shot::of(&mut heap, &(first, second, other));
    let mut stores: Vec<u64> =
        shot.nodes.iter().filter(|node| node.kind == "native").map(|node| node.self_size).collect();
    stores.sort_unstable();
    assert_eq!(stores, [100, 5000]);
    let shared: Vec<&Node> = shot.nodes.iter().filter(|node| node.name == "SharedArrayBuffer").collect();
    assert_eq!(shared.len(), 2);
    assert!(shared.iter().all(|node| node.edges.len() == 1 && node.edges == shared[0].edges));
    assert_eq!(shot.edges(shared[0], "internal").len(), 1);
    assert_eq!(shared[0].edges[0].name, "backing_store");
}

#[test]
fn objects_that_call_themselves_alike_have_one_name() {
    let mut heap = calm_heap();
    let first = heap.alloc(Class { name: "Point".into(), parent: None });
    let second = heap.alloc(Class { name: "Point".into(), parent: None });
    let buffers: Vec<ArrayBuffer> = (0..3).map(|_| ArrayBuffer::new(&mut heap, 10).expect("room")).collect();
    let mut file = Vec::new();
    heap.write_snapshot(&(first, second, buffers), &mut file).expect("a snapshot");
    let file: Value = serde_json::from_slice(&file).expect("JSON");
    let strings: Vec<&str> =
        file["strings"].as_array().expect("a list").iter().filter_map(|text| text.as_str()).collect();
    for name in ["Point", "ArrayBuffer"] {
        // DevTools count objects by the number of their name, and lose those whose name is there twice.
        assert_eq!(strings.iter().filter(|&&text| text == name).count(), 1, "{name} in {strings:?}");
    }
}
