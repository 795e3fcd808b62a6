//! Snapshots are read strictly, and what is said of them is what others say.

use fastrand::Rng;
use std::collections::HashSet;
use std::fmt::Write;
use std::process::Command;
use tumulus_heap::{EphemeronMap, Gc, Heap, Trace};
use tumulus_snapshot::{Edge, EdgeType, Ephemerons, Flaw, Node, NodeType, Snapshot};
use tumulus_tests::{calm_heap, expect_error, scaled};

const HEAD: &str = r#"{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],"node_types":[["hidden","array","string","object","code","closure","regexp","number","native","synthetic","concatenated string","sliced string","symbol","bigint","object shape"],"string","number","number","number","number","number"],"edge_fields":["type","name_or_index","to_node"],"edge_types":[["context","element","property","internal","hidden","shortcut","weak"],"string_or_number","node"],"trace_function_info_fields":[],"trace_node_fields":[],"sample_fields":[],"location_fields":[]},"#;

/// A graph: for each node its type and size, and its edges with their types.
#[derive(Clone, Debug, Default)]
struct Graph {
    nodes: Vec<(u32, u64)>,
    edges: Vec<Vec<(u32, usize)>>,
}

const OBJECT: u32 = 3;
const SYNTHETIC: u32 = 9;
const ELEMENT: u32 = 1;
const PROPERTY: u32 = 2;
const SHORTCUT: u32 = 5;
const WEAK: u32 = 6;

impl Graph {
    /// Every node can be reached by edges that are not weak.
    fn random(random: &mut Rng, count: usize) -> Graph {
        let mut graph = Graph { nodes: vec![(SYNTHETIC, 0)], edges: vec![Vec::new(); count] };
        for node in 1..count {
            graph.nodes.push((OBJECT, random.usize(..1000) as u64));
            let from = random.usize(..node);
            graph.edges[from].push((PROPERTY, node));
        }
        let more = random.usize(..=count * 2);
        let shortcuts = random.usize(..3) * random.usize(..3);
        for at in 0..more + shortcuts {
            let to = 1 + random.usize(..count - 1);
            let (from, kind) = match at {
                _ if at < shortcuts => (0, SHORTCUT),
                _ => (random.usize(..count), [ELEMENT, PROPERTY, 0, 3, SHORTCUT, WEAK][random.usize(..6)]),
            };
            // The other crate has no room for two ways of the root's to one node.
            if kind != SHORTCUT || !graph.edges[from].contains(&(kind, to)) {
                graph.edges[from].push((kind, to));
            }
        }
        graph
    }

    fn text(&self) -> String {
        let edges: usize = self.edges.iter().map(Vec::len).sum();
        let mut text = format!(
            "{HEAD}\"node_count\":{},\"edge_count\":{edges},\"trace_function_count\":0}},\n\"nodes\":[",
            self.nodes.len()
        );
        for (at, ((kind, size), edges)) in self.nodes.iter().zip(&self.edges).enumerate() {
            let comma = if at > 0 { "\n," } else { "" };
            write!(text, "{comma}{kind},{at},{},{size},{},0,0", 2 * at + 1, edges.len()).unwrap();
        }
        text += "],\n\"edges\":[";
        let all = self.edges.iter().flatten().enumerate();
        for (at, (kind, to)) in all {
            let comma = if at > 0 { "\n," } else { "" };
            write!(text, "{comma}{kind},{},{}", at % self.nodes.len(), to * 7).unwrap();
        }
        text +=
            "],\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n\"locations\":[],\n\"strings\":[";
        for at in 0..self.nodes.len() {
            let comma = if at > 0 { "," } else { "" };
            write!(text, "{comma}\"n{at}\"").unwrap();
        }
        text + "]}\n"
    }
}

/// What the root's shortcuts lead to, which is not kept by what they do not lead to.
fn of_page(snapshot: &Snapshot) -> HashSet<u32> {
    let root = snapshot.node(snapshot.root());
    let mut todo: Vec<u32> = root.edges().filter(|edge| edge.kind() == EdgeType::Shortcut).map(Edge::to).collect();
    let mut page: HashSet<u32> = todo.iter().copied().collect();
    while let Some(node) = todo.pop() {
        let edges = snapshot.node(node).edges().filter(|edge| edge.kind() != EdgeType::Weak);
        todo.extend(edges.map(Edge::to).filter(|&to| page.insert(to)));
    }
    page
}

/// The size of what cannot be reached without a node, and can be with it.
fn retained_by_definition(snapshot: &Snapshot, page: &HashSet<u32>, without: u32) -> u64 {
    let reached = |without: Option<u32>| {
        let mut reached = HashSet::from([0]);
        let mut todo = vec![0];
        while let Some(node) = todo.pop() {
            let counts = |to: u32| node == 0 || page.contains(&node) || !page.contains(&to);
            let edges = snapshot.node(node).edges().filter(|edge| edge.is_strong() && counts(edge.to()));
            todo.extend(edges.map(Edge::to).filter(|&to| Some(to) != without && reached.insert(to)));
        }
        reached
    };
    let (with, without) = (reached(None), reached(Some(without)));
    with.difference(&without).map(|&node| snapshot.node(node).self_size()).sum()
}

/// Panics unless v8-heap-parser says the same of each node. It has the old algorithm of DevTools, which does not always come to
/// the end: a node of which it says something else has to retain by definition what we say. How many these are is told as well.
#[track_caller]
fn expect_same_as_v8_heap_parser(text: &[u8]) -> (Snapshot, usize) {
    let snapshot = Snapshot::parse(text).expect("a snapshot");
    let theirs = v8_heap_parser::decode_slice(text).expect("a snapshot");
    assert_eq!(theirs.nodes().len(), snapshot.len() as usize);
    let dominators = snapshot.dominators(Ephemerons::OfBoth);
    let of = |node: u32| (dominators.retained_size(node), theirs.retained_size(node as usize));
    let others: Vec<u32> = (0..snapshot.len()).filter(|&node| of(node).0 != of(node).1).collect();
    let page = of_page(&snapshot);
    for &node in &others {
        let (ours, theirs) = of(node);
        let true_size = retained_by_definition(&snapshot, &page, node);
        assert_eq!(ours, true_size, "{:?}, of which they say {theirs}", snapshot.node(node));
    }
    (snapshot, others.len())
}

#[test]
#[cfg_attr(miri, ignore = "the other crate is slow")]
fn retained_sizes_are_those_of_v8_heap_parser_on_random_graphs() {
    let mut random = Rng::with_seed(0x2545_f491_4f6c_dd1d);
    let (mut nodes, mut others) = (0, 0);
    for round in 0..1000 {
        let count = 2 + random.usize(..if round % 50 == 0 { 2000 } else { 60 });
        let graph = Graph::random(&mut random, count);
        nodes += count;
        others += expect_same_as_v8_heap_parser(graph.text().as_bytes()).1;
    }
    println!("v8-heap-parser is wrong about {others} of {nodes} nodes");
    assert!(others * 100 < nodes, "{others} of {nodes}");
}

/// What would be reached without a node, by the edges that count where nothing belongs to a page.
fn reached_without(graph: &Graph, without: usize) -> HashSet<usize> {
    let mut reached = HashSet::from([0]);
    let mut todo = vec![0];
    while let Some(node) = todo.pop() {
        for &(kind, to) in &graph.edges[node] {
            let counts = kind != WEAK && (kind != SHORTCUT || node == 0);
            if counts && to != without && reached.insert(to) {
                todo.push(to);
            }
        }
    }
    reached
}

#[test]
fn what_a_node_retains_is_what_is_lost_without_it() {
    let mut random = Rng::with_seed(77);
    for _ in 0..scaled(200, 5) {
        let count = 2 + random.usize(..40);
        let mut graph = Graph::random(&mut random, count);
        for edges in &mut graph.edges {
            edges.retain(|&(kind, _)| kind != SHORTCUT);
        }
        let snapshot = Snapshot::parse(graph.text().as_bytes()).expect("a snapshot");
        let dominators = snapshot.dominators(Ephemerons::OfKeys);
        for node in 1..count {
            let reached = reached_without(&graph, node);
            let lost = (0..count).filter(|at| !reached.contains(at));
            let size: u64 = lost.map(|at| graph.nodes[at].1).sum();
            assert_eq!(dominators.retained_size(node as u32), size, "node {node} of {graph:?}");
        }
        let largest = dominators.largest(5);
        assert!(largest.is_sorted_by_key(|&node| std::cmp::Reverse(dominators.retained_size(node))));
        let all: HashSet<u64> = (1..count as u32).map(|node| dominators.retained_size(node)).collect();
        assert_eq!(dominators.retained_size(largest[0]), all.into_iter().max().unwrap());
    }
}

#[test]
fn a_long_chain_and_a_wide_fan_are_no_trouble() {
    let count = scaled(200_000, 500);
    let mut chain = Graph { nodes: vec![(SYNTHETIC, 0)], edges: vec![vec![(PROPERTY, 1)]] };
    for node in 1..count {
        chain.nodes.push((OBJECT, 1));
        chain.edges.push(if node + 1 < count { vec![(PROPERTY, node + 1), (PROPERTY, 1)] } else { vec![] });
    }
    let snapshot = Snapshot::parse(chain.text().as_bytes()).expect("a snapshot");
    let dominators = snapshot.dominators(Ephemerons::OfKeys);
    assert_eq!(dominators.retained_size(1), count as u64 - 1);
    assert_eq!(dominators.immediate(count as u32 - 1), Some(count as u32 - 2));
    let path = snapshot.shortest_path(count as u32 - 1).expect("a way");
    assert_eq!(path.edges().len(), count - 1);
    assert_eq!(snapshot.summary(&dominators)[0].retained_size, count as u64 - 1);
}

#[derive(Trace)]
struct Tree {
    left: Option<Gc<Tree>>,
    right: Option<Gc<Tree>>,
    name: Gc<str>,
    payload: Gc<[u8]>,
}

fn tree(heap: &mut Heap, depth: u32, shared: &mut Vec<Gc<str>>, random: &mut Rng) -> Option<Gc<Tree>> {
    if depth == 0 || random.usize(..8) == 0 {
        return None;
    }
    let left = tree(heap, depth - 1, shared, random);
    let right = tree(heap, depth - 1, shared, random);
    if random.usize(..3) == 0 {
        shared.push(heap.alloc_str(&format!("name {}", random.usize(..1000))));
    }
    let name = shared[random.usize(..shared.len())];
    let payload = heap.alloc_slice(&vec![0; random.usize(..3000)]);
    Some(heap.alloc(Tree { left, right, name, payload }))
}

/// A heap with a graph of several kinds of references, and its root.
fn some_heap(seed: u64) -> (Heap, Gc<Tree>) {
    let mut heap = calm_heap();
    let mut random = Rng::with_seed(seed | 1);
    let mut shared = vec![heap.alloc_str("shared")];
    let root = (0..).find_map(|_| tree(&mut heap, 8, &mut shared, &mut random)).expect("a tree, at last");
    (heap, root)
}

#[test]
#[cfg_attr(miri, ignore = "the other crate is slow")]
fn retained_sizes_of_live_heaps_are_those_of_v8_heap_parser() {
    for seed in 0..20 {
        let (mut heap, root) = some_heap(seed * 1_000_003 + 5);
        let handle = heap.root(root);
        let map = heap.alloc(EphemeronMap::<Gc<Tree>, Gc<str>>::new());
        let value = heap.alloc_str("value");
        map.insert(&mut heap, root, value);
        let map = heap.root(map);
        let passed: Option<Gc<Tree>> = Some(root).filter(|_| seed % 2 == 0);
        let mut text = Vec::new();
        heap.write_snapshot(&passed, &mut text).expect("a snapshot");
        assert_eq!(expect_same_as_v8_heap_parser(&text).1, 0);
        drop((handle, map));
    }
}

#[test]
fn what_a_weak_map_holds_is_retained_by_its_key() {
    let mut heap = calm_heap();
    let key = heap.alloc_str("key");
    let map = heap.alloc(EphemeronMap::<Gc<str>, Gc<[u8; 1000]>>::new());
    let value = heap.alloc([0; 1000]);
    map.insert(&mut heap, key, value);
    let snapshot = Snapshot::of_heap(&mut heap, &(map, key)).expect("a snapshot");
    let [key] = snapshot.named("key").collect::<Vec<_>>()[..] else { panic!("no key") };
    assert_eq!(snapshot.dominators(Ephemerons::OfKeys).retained_size(key), 16 + 1008);
    assert_eq!(snapshot.dominators(Ephemerons::OfBoth).retained_size(key), 16);
}

/// A snapshot that node has written, if there is a node.
fn snapshot_of_node() -> Option<Vec<u8>> {
    let path = std::env::temp_dir().join(format!("tumulus-node-{}.heapsnapshot", std::process::id()));
    let script = "const map = new WeakMap(), key = {}; map.set(key, new Uint8Array(100)); globalThis.kept = [map, key]; \
                  require('v8').writeHeapSnapshot(process.argv[1])";
    let ran = Command::new("node").arg("-e").arg(script).arg(&path).output();
    if !ran.is_ok_and(|output| output.status.success()) {
        eprintln!("no node here: its snapshots are not looked at");
        return None;
    }
    let text = std::fs::read(&path).expect("what node has written");
    std::fs::remove_file(path).expect("a file to remove");
    Some(text)
}

#[test]
#[cfg_attr(miri, ignore = "needs a process")]
fn a_snapshot_of_nodes_own_is_read_and_asked_alike() {
    let Some(text) = snapshot_of_node() else { return };
    let (snapshot, others) = expect_same_as_v8_heap_parser(&text);
    println!("v8-heap-parser is wrong about {others} of {} nodes", snapshot.len());
    assert!(snapshot.len() > 10_000 && others < 100);
    assert!(snapshot.nodes().any(|node| node.kind() == NodeType::Closure));
    let dominators = snapshot.dominators(Ephemerons::OfKeys);
    let all: u64 = snapshot.nodes().map(Node::self_size).sum();
    assert_eq!(dominators.retained_size(snapshot.root()), all);

    let mut heap = calm_heap();
    let rebuilt = snapshot.rebuild(&mut heap).expect("room");
    heap.collect(&());
    let mut strong = HashSet::from([snapshot.root()]);
    let mut todo = vec![snapshot.root()];
    while let Some(node) = todo.pop() {
        let edges = snapshot.node(node).edges().filter(|edge| edge.is_strong());
        todo.extend(edges.map(Edge::to).filter(|&to| strong.insert(to)));
    }
    assert_eq!(heap.statistics().live_objects, strong.len() as u64);
    drop(rebuilt);
}

#[test]
fn a_heap_is_rebuilt_in_its_shape() {
    let (mut heap, root) = some_heap(42);
    let snapshot = Snapshot::of_heap(&mut heap, &root).expect("a snapshot");
    let mut other = calm_heap();
    let rebuilt = snapshot.rebuild(&mut other).expect("room");
    other.collect(&());
    assert_eq!(other.statistics().live_objects, u64::from(snapshot.len()));
    for node in snapshot.nodes() {
        let places = &other[rebuilt.nodes[node.place() as usize]];
        for (at, edge) in node.edges().enumerate() {
            assert_eq!(places[at].to(), Some(rebuilt.nodes[edge.to() as usize]).filter(|_| edge.is_strong()));
        }
        assert!(places[node.edges().len()..].iter().all(|place| place.to().is_none()));
    }
    // About as large as the one that it was made from.
    let (ours, theirs) = (heap.statistics().used_bytes as f64, other.statistics().used_bytes as f64);
    assert!((ours / theirs - 1.0).abs() < 0.2, "{ours} and {theirs}");
    other.verify().expect("a sound heap");
}

/// A small snapshot with something of everything.
fn small() -> String {
    let graph = Graph {
        nodes: vec![(SYNTHETIC, 0), (OBJECT, 10), (OBJECT, 20), (OBJECT, 30)],
        edges: vec![vec![(ELEMENT, 1)], vec![(PROPERTY, 2), (PROPERTY, 3)], vec![(WEAK, 3)], vec![]],
    };
    graph.text()
}

#[test]
fn each_corruption_is_told_with_its_offset() {
    let good = small();
    Snapshot::parse(good.as_bytes()).expect("a snapshot");
    let at = |words: &str| good.find(words).unwrap_or_else(|| panic!("no {words:?} in {good}"));
    let range = |of, value, bound| Flaw::Range { of, value, bound };
    let count = |of, found, expected| Flaw::Count { of, found, expected };
    // What is replaced, by what, where the flaw is from the start of it, and what it is.
    let ends = |part: &str| at(part) + good[at(part)..].find(']').unwrap();
    let cases: Vec<(&str, &str, usize, Flaw)> = vec![
        ("\"node_count\":4", "\"node_count\":5", ends("\"nodes\":["), count("nodes", 4, 5)),
        ("\"edge_count\":4", "\"edge_count\":3", ends("\"nodes\":["), count("edges of nodes", 4, 3)),
        ("\n,6,3,21]", "\n]", ends("\"edges\":[") - 7, count("edges", 3, 4)),
        ("9,0,1,0,1,0,0", "99,0,1,0,1,0,0", at("9,0,1,0"), range("types of nodes", 99, 15)),
        ("3,1,3,10,2,0,0", "3,7,3,10,2,0,0", at("3,1,3,10") + 2, range("strings", 7, 4)),
        ("3,2,5,20,1,0,0", "3,2,3,20,1,0,0", at("3,2,5,20") + 4, Flaw::SameId { id: 3 }),
        ("3,3,7,30,0,0,0", "3,3,7,-1,0,0,0", at("3,3,7,30") + 6, Flaw::Unexpected { expected: "a whole number" }),
        ("\n,2,1,14", "\n,7,1,14", at("\n,2,1,14") + 2, range("types of edges", 7, 7)),
        ("\n,2,1,14", "\n,2,9,14", at("\n,2,1,14") + 4, range("strings", 9, 4)),
        ("\n,2,1,14", "\n,2,1,15", at("\n,2,1,14") + 6, Flaw::InsideNode { value: 15, fields: 7 }),
        ("\n,2,1,14", "\n,2,1,28", at("\n,2,1,14") + 6, range("numbers of nodes", 28, 28)),
        ("\n,2,1,14", "\n,2,1,21", at("3,2,5,20"), Flaw::Unreachable { node: 2 }),
        ("\"edges\":[", "\"edgez\":[", at("\"strings\""), Flaw::Missing { name: "edges" }),
        ("\"samples\":[]", "\"strings\":[]", at("\"strings\":["), Flaw::Twice { name: "strings" }),
        ("\"n3\"", "\"n\\x\"", at("\"n3\"") + 2, Flaw::Unexpected { expected: "an escape" }),
        ("\"self_size\"", "\"self_sise\"", at("{\"node_fields\""), Flaw::Format { name: "self_size" }),
        ("\"regexp\"", "\"regexq\"", at("\"regexp\""), Flaw::UnknownType { name: "regexq".into() }),
        ("]}\n", "]} x", good.len() - 1 + 1, Flaw::Trailing),
        ("\"nodes\":[", "\"nodes\":{", at("\"nodes\":[") + 8, Flaw::Unexpected { expected: "a list" }),
    ];
    for (what, by, offset, flaw) in cases {
        let bad = good.replacen(what, by, 1);
        assert_ne!(bad, good, "{what}");
        let error = expect_error(Snapshot::parse(bad.as_bytes()));
        assert_eq!(error.flaw, flaw, "{what} -> {by}");
        assert_eq!(error.offset, offset, "{what} -> {by}: {error}");
    }
}

#[test]
fn a_file_that_was_cut_off_anywhere_is_refused() {
    let good = small();
    let trimmed = good.trim_end();
    for len in (0..trimmed.len()).step_by(scaled(1, 41)) {
        let error = expect_error(Snapshot::parse(&trimmed.as_bytes()[..len]));
        assert!(error.offset <= len, "{len}: {error}");
    }
}

#[test]
fn bytes_that_were_changed_anywhere_do_no_harm() {
    let good = small();
    let mut random = Rng::with_seed(5);
    for _ in 0..scaled(20_000, 100) {
        let mut bad = good.clone().into_bytes();
        for _ in 0..=random.usize(..3) {
            let at = random.usize(..bad.len());
            bad[at] = b"0123456789,:[]{}\"\\ -\xff"[random.usize(..21)];
        }
        if let Ok(snapshot) = Snapshot::parse(&bad) {
            let dominators = snapshot.dominators(Ephemerons::OfKeys);
            let retainers = snapshot.retainers();
            assert!(snapshot.nodes().all(|node| retainers.of(node.place()).count() < 10));
            assert!(dominators.largest(10).len() < 10);
        }
    }
}
