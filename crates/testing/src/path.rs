//! The path from a root to an object: what keeps it alive, taken from a snapshot of the heap.

use serde_json::Value;
use std::collections::VecDeque;
use tumulus_heap::{AnyGc, Describer, Heap, Trace, Tracer};

/// The name of the edge that leads to the object in question, which keeps nothing alive.
const MARK: &str = "(the object in question)";

/// The roots, and a weak edge to the object.
struct Asked<'r, R: ?Sized> {
    roots: &'r R,
    about: AnyGc,
}

/// That edge.
struct About(AnyGc);

impl Trace for About {
    const HAS_EDGES: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}

    fn describe(&self, describer: &mut Describer<'_>) {
        describer.weak_edge(self.0);
    }
}

impl<R: Trace + ?Sized> Trace for Asked<'_, R> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.roots.trace(tracer);
    }

    fn describe(&self, describer: &mut Describer<'_>) {
        self.roots.describe(describer);
        describer.field(MARK, &About(self.about));
    }
}

/// What keeps an object alive: a shortest path to it from a root, in names of types and fields; `None` if it cannot be reached.
///
/// The roots are `roots`, the heap's [`Root`](tumulus_heap::Root)s, and open scopes. It makes a
/// [snapshot](Heap::write_snapshot), which takes time and memory proportional to the heap.
///
/// # Examples
///
/// ```
/// use tumulus_heap::{Gc, Heap, Trace};
/// use tumulus_testing::path_to;
///
/// #[derive(Trace)]
/// struct Window {
///     title: Gc<str>,
///     inner: Option<Gc<Window>>,
/// }
///
/// let mut heap = Heap::new();
/// let title = heap.alloc_str("mound");
/// let inner = heap.alloc(Window { title, inner: None });
/// let outer = heap.alloc(Window { title: heap[inner].title, inner: Some(inner) });
/// heap.get_mut(outer).title = heap.alloc_str("outer");
///
/// let path = path_to(&mut heap, &outer, title).unwrap();
/// assert_eq!(path, "(Embedder roots) [0] -> Window .inner -> Window .title -> mound");
/// assert_eq!(path_to(&mut heap, &(), title), None);
/// ```
pub fn path_to<R: Trace + ?Sized>(heap: &mut Heap, roots: &R, object: impl Into<AnyGc>) -> Option<String> {
    let asked = Asked { roots, about: object.into() };
    let mut text = Vec::new();
    heap.write_snapshot(&asked, &mut text).ok()?;
    let graph = Graph::read(&serde_json::from_slice(&text).ok()?)?;
    let goal = graph.edges.iter().flatten().find(|edge| edge.is_weak && edge.name.contains(MARK))?.to;
    graph.path(goal)
}

struct Graph {
    names: Vec<String>,
    /// Of each node.
    edges: Vec<Vec<Edge>>,
}

struct Edge {
    name: String,
    to: usize,
    is_weak: bool,
    /// It is there for those who draw the graph.
    is_shortcut: bool,
}

impl Graph {
    /// Reads V8's format, as far as it is needed here.
    fn read(file: &Value) -> Option<Graph> {
        let list = |value: &Value| -> Option<Vec<usize>> {
            value.as_array()?.iter().map(|number| number.as_u64().map(|number| number as usize)).collect()
        };
        let word = |value: &Value| value.as_str().map(str::to_string);
        let strings: Vec<String> = file["strings"].as_array()?.iter().map(word).collect::<Option<_>>()?;
        let meta = &file["snapshot"]["meta"];
        let field = |fields: &Value, name: &str| fields.as_array()?.iter().position(|field| field == name);
        let kinds = meta["edge_types"][0].as_array()?;
        let (width, name_at) = (meta["node_fields"].as_array()?.len(), field(&meta["node_fields"], "name")?);
        let count_at = field(&meta["node_fields"], "edge_count")?;
        let (nodes, edges) = (list(&file["nodes"])?, list(&file["edges"])?);
        let mut all = edges.chunks_exact(3);
        let mut graph = Graph { names: Vec::new(), edges: Vec::new() };
        for node in nodes.chunks_exact(width) {
            graph.names.push(strings.get(node[name_at])?.clone());
            let own = all.by_ref().take(node[count_at]).map(|edge| {
                let kind = kinds.get(edge[0])?.as_str()?;
                let is_number = kind == "element" || kind == "hidden";
                let name = if is_number { format!(" [{}]", edge[1]) } else { strings.get(edge[1])?.clone() };
                let name = if is_number || name.is_empty() { name } else { format!(" .{name}") };
                Some(Edge { name, to: edge[2] / width, is_weak: kind == "weak", is_shortcut: kind == "shortcut" })
            });
            graph.edges.push(own.collect::<Option<_>>()?);
        }
        Some(graph)
    }

    /// A shortest path from the first node, which is not named, to another.
    fn path(&self, goal: usize) -> Option<String> {
        let mut came_from: Vec<Option<(usize, usize)>> = vec![None; self.names.len()];
        let mut todo = VecDeque::from([0]);
        while let Some(node) = todo.pop_front()
            && came_from[goal].is_none()
        {
            for (at, edge) in self.edges[node].iter().enumerate().filter(|(_, edge)| !edge.is_weak && !edge.is_shortcut)
            {
                if edge.to != 0 && came_from[edge.to].is_none() {
                    came_from[edge.to] = Some((node, at));
                    todo.push_back(edge.to);
                }
            }
        }
        let mut words = Vec::new();
        let mut node = goal;
        while let Some((before, at)) = came_from[node] {
            words.push(self.names[node].clone());
            words.push(format!("{}{}", self.names[before], self.edges[before][at].name));
            node = before;
        }
        // Each node but the last is named with the edge that leaves it.
        let steps = words.iter().enumerate().filter(|(at, _)| *at == 0 || at % 2 == 1).map(|(_, words)| words.as_str());
        let mut steps: Vec<&str> = steps.collect();
        steps.reverse();
        // The one above the groups of roots says nothing.
        let first = steps.iter().position(|step| step.starts_with('(') && !step.starts_with("(GC roots)")).unwrap_or(0);
        (!steps.is_empty()).then(|| steps[first..].join(" -> "))
    }
}
