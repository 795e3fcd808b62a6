//! The file itself, part by part.

use super::SnapshotSummary;
use super::edges::{About, Count, EdgeType, Ephemeron, NODE_FIELDS, Places, Put, Take, Walk};
use super::ids::Ids;
use super::names::{Names, short_type_name};
use super::reach::{Reached, Search};
use super::roots::{Group, Roots};
use super::text::Text;
use crate::raw::{AnyGc, Store, TypeInfo};
use crate::trace::{Describer, NodeKind, Trace};
use std::any::TypeId;
use std::cell::Cell;
use std::collections::HashSet;
use std::io::{self, Write};

const META: &str = concat!(
    r#"{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],"#,
    r#""node_types":[["hidden","array","string","object","code","closure","regexp","number","native","synthetic","#,
    r#""concatenated string","sliced string","symbol","bigint","object shape","wasm object"],"#,
    r#""string","number","number","number","number","number"],"#,
    r#""edge_fields":["type","name_or_index","to_node"],"edge_types":[["context","element","property","internal","#,
    r#""hidden","shortcut","weak"],"string_or_number","node"],"#,
    r#""trace_function_info_fields":["function_id","name","script_name","script_id","line","column"],"#,
    r#""trace_node_fields":["id","function_info_index","count","size","children"],"#,
    r#""sample_fields":["timestamp_us","last_assigned_id"],"#,
    r#""location_fields":["object_index","script_id","line","column"]},"#,
);

/// Types of nodes that are not kinds of objects, as numbers of the format.
const NATIVE: u8 = 8;
const SYNTHETIC: u8 = 9;

/// Nodes before those of the groups: the root, and what DevTools call the roots of the collector.
const BEFORE_GROUPS: u32 = 2;
/// Nodes before those of objects.
const BEFORE_OBJECTS: u32 = BEFORE_GROUPS + Group::ALL.len() as u32;

fn number_of(kind: NodeKind) -> u8 {
    match kind {
        NodeKind::Hidden => 0,
        NodeKind::Array => 1,
        NodeKind::String => 2,
        NodeKind::Object => 3,
        NodeKind::Code => 4,
        NodeKind::Closure => 5,
        NodeKind::Number => 7,
        NodeKind::Native => NATIVE,
        NodeKind::Symbol => 12,
        NodeKind::BigInt => 13,
        NodeKind::Shape => 14,
    }
}

/// Everything that the parts of the file are written from.
struct Source<'s, R: ?Sized> {
    store: &'s Store,
    roots: &'s Roots<'s, R>,
    reached: &'s Reached,
    ids: &'s Ids,
    /// By key.
    by_key: Vec<Ephemeron>,
    places: Places,
}

/// Writes a snapshot; the ids are those to be kept for the next.
pub(super) fn write<R: Trace + ?Sized>(
    store: &Store,
    roots: &Roots<'_, R>,
    ids: &Ids,
    writer: impl Write,
) -> io::Result<(SnapshotSummary, Ids)> {
    let mut search = Search::new(store);
    for group in Group::ALL {
        roots.describe(group, &mut Describer::new(&mut search));
    }
    let mut reached = search.run();
    let next_ids = ids.next(store, std::mem::take(&mut reached.census), &reached.natives);
    let mut next_ids = next_ids.ok_or_else(|| io::Error::other("all ids of snapshots are used up"))?;
    // Lent for as long as it takes.
    reached.census = next_ids.take_census();
    let written = write_reached(store, roots, &reached, &next_ids, writer);
    next_ids.return_census(reached.census);
    Ok((written?, next_ids))
}

fn write_reached<R: Trace + ?Sized>(
    store: &Store,
    roots: &Roots<'_, R>,
    reached: &Reached,
    ids: &Ids,
    writer: impl Write,
) -> io::Result<SnapshotSummary> {
    let count = count_edges(store, roots, reached);
    let by_key = {
        let mut ephemerons = count.ephemerons.unwrap_or_default();
        ephemerons.sort_unstable();
        ephemerons
    };
    let edges = count.edges + by_key.len() as u64;
    let (objects, natives) = (reached.census.len(), reached.natives.len() as u32);
    // The first string means nothing. The texts of objects come before names that are shared.
    let ephemeron_names = 1 + reached.texts;
    let places = Places {
        objects: BEFORE_OBJECTS,
        natives: BEFORE_OBJECTS + objects,
        ephemeron_names,
        shared_names: ephemeron_names + by_key.len() as u32,
    };
    let nodes = u64::from(BEFORE_OBJECTS + objects + natives);
    let source = Source { store, roots, reached, ids, by_key, places };
    let mut names = Names::default();
    let mut text = Text::new(writer);
    text.raw(META);
    text.raw(&format!("\"node_count\":{nodes},\"edge_count\":{edges},\"trace_function_count\":0}},\n\"nodes\":["));
    let (self_bytes, text_types) = source.write_nodes(&mut text, &mut names);
    text.raw("],\n\"edges\":[");
    let written = source.write_edges(&mut text, &mut names);
    text.raw("],\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n\"locations\":[],\n\"strings\":[");
    let strings = source.write_strings(&mut text, &names, &text_types);
    text.raw("]}\n");
    text.finish()?;
    if written != edges || strings != places.shared_names {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a `describe` of the program's says something else each time",
        ));
    }
    Ok(SnapshotSummary { objects: u64::from(objects), nodes, edges, self_bytes })
}

/// Counts the edges of all nodes, but those from the keys of ephemerons, which it notes.
fn count_edges<R: Trace + ?Sized>(store: &Store, roots: &Roots<'_, R>, reached: &Reached) -> Count {
    let count = Count { edges: 1 + Group::ALL.len() as u64, ephemerons: Some(Vec::new()) };
    let mut walk = Walk::new(store, reached, count);
    for group in Group::ALL.into_iter().chain([Group::Passed]) {
        roots.describe(group, &mut Describer::new(&mut walk));
    }
    for (rank, index) in reached.census.indices().enumerate() {
        walk.begin(rank as u32);
        if let Some(view) = store.object_at(index) {
            store.describe(view.handle, &mut Describer::new(&mut walk));
        }
    }
    walk.take
}

impl<R: Trace + ?Sized> Source<'_, R> {
    /// Writes all nodes, and says how large they are together, and which types have objects with texts of their own.
    fn write_nodes<W: Write>(&self, text: &mut Text<W>, names: &mut Names) -> (u64, HashSet<TypeId>) {
        let mut text_types = HashSet::new();
        let shared = |names: &mut Names, name: &str| u64::from(self.places.shared_names + names.of_text(name));
        let mut walk = Walk::new(self.store, self.reached, Count::default());

        // The root leads to the groups by way of another node, and has shortcuts to what the program has passed.
        let count_of = |walk: &mut Walk<'_, Count>, group: Group| {
            walk.take.edges = 0;
            self.roots.describe(group, &mut Describer::new(walk));
            walk.take.edges
        };
        let shortcuts = count_of(&mut walk, Group::Passed);
        let empty = shared(names, "");
        text.numbers([SYNTHETIC.into(), empty, 1, 0, 1 + shortcuts, 0, 0]);
        let gc_roots = shared(names, "(GC roots)");
        text.raw("\n,");
        text.numbers([SYNTHETIC.into(), gc_roots, 3, 0, Group::ALL.len() as u64, 0, 0]);
        for (at, group) in Group::ALL.into_iter().enumerate() {
            let edges = count_of(&mut walk, group);
            let name = shared(names, group.name());
            text.raw("\n,");
            text.numbers([SYNTHETIC.into(), name, 5 + 2 * at as u64, 0, edges, 0, 0]);
        }

        let mut texts = 0;
        let mut self_bytes = 0;
        let mut keys = self.by_key.iter().peekable();
        // Objects of a type lie side by side.
        let mut last_type: Option<(&'static TypeInfo, u64)> = None;
        for (rank, index) in self.reached.census.indices().enumerate() {
            let rank = rank as u32;
            let Some(view) = self.store.object_at(index) else { continue };
            let type_name = match last_type {
                Some((info, name)) if std::ptr::eq(info, view.info) => name,
                _ => shared(names, &short_type_name(view.info.name())),
            };
            last_type = Some((view.info, type_name));
            walk.begin(rank);
            walk.take.edges = 0;
            self.store.describe(view.handle, &mut Describer::new(&mut walk));
            while keys.next_if(|ephemeron| ephemeron.key == rank).is_some() {
                walk.take.edges += 1;
            }
            let bytes = self.store.bytes_of(view.handle) as u64 + walk.about.more_bytes;
            self_bytes += bytes;
            let name = if walk.about.is_text() {
                text_types.insert(view.info.id());
                texts += 1;
                texts
            } else if walk.about.is_named {
                shared(names, &walk.about.name)
            } else {
                type_name
            };
            let kind = number_of(walk.about.kind).into();
            text.raw("\n,");
            text.numbers([kind, name, self.ids.of_object(rank).into(), bytes, walk.take.edges, 0, 0]);
        }
        for native in &self.reached.natives {
            self_bytes += native.bytes;
            text.raw("\n,");
            let name = shared(names, &native.name);
            text.numbers([NATIVE.into(), name, self.ids.of_native(native).into(), native.bytes, 0, 0, 0]);
        }
        (self_bytes, text_types)
    }

    /// Writes all edges, and says how many that were.
    fn write_edges<W: Write>(&self, text: &mut Text<W>, names: &mut Names) -> u64 {
        let put = Put { text, names, places: self.places, written: 0, key: Vec::new() };
        let mut walk = Walk::new(self.store, self.reached, put);
        walk.take.put(EdgeType::Element, 1, 1);
        walk.edge_type = EdgeType::Shortcut;
        self.roots.describe(Group::Passed, &mut Describer::new(&mut walk));
        walk.edge_type = EdgeType::Property;
        for at in 0..Group::ALL.len() as u32 {
            walk.take.put(EdgeType::Element, at + 1, BEFORE_GROUPS + at);
        }
        for group in Group::ALL {
            self.roots.describe(group, &mut Describer::new(&mut walk));
        }
        let mut keys = self.by_key.iter().peekable();
        for (rank, index) in self.reached.census.indices().enumerate() {
            let rank = rank as u32;
            walk.begin(rank);
            if let Some(view) = self.store.object_at(index) {
                self.store.describe(view.handle, &mut Describer::new(&mut walk));
            }
            while let Some(ephemeron) = keys.next_if(|ephemeron| ephemeron.key == rank) {
                walk.take.put_ephemeron(ephemeron);
            }
            if !walk.take.text.is_well() {
                break;
            }
        }
        walk.take.written
    }

    /// Writes all strings, in the order of their numbers, and says the number of the first one that is shared.
    fn write_strings<W: Write>(&self, text: &mut Text<W>, names: &Names, text_types: &HashSet<TypeId>) -> u32 {
        let count = Cell::new(1);
        text.string("<dummy>");
        let string = |text: &mut Text<W>, string: &str| {
            text.raw(",\n");
            text.string(string);
            count.set(count.get() + 1);
        };
        let mut walk = Walk::new(self.store, self.reached, Count::default());
        let mut last_type: Option<(&'static TypeInfo, bool)> = None;
        for index in self.reached.census.indices() {
            let Some(view) = self.store.object_at(index) else { continue };
            let has_texts = match last_type {
                Some((info, has_texts)) if std::ptr::eq(info, view.info) => has_texts,
                _ => text_types.contains(&view.info.id()),
            };
            last_type = Some((view.info, has_texts));
            if has_texts {
                let about = self.about(&mut walk, view.handle);
                if about.is_text() {
                    string(text, &about.name);
                }
            }
        }
        let mut by_number: Vec<&Ephemeron> = self.by_key.iter().collect();
        by_number.sort_unstable_by_key(|ephemeron| ephemeron.number);
        for ephemeron in by_number {
            let [key, value] = [ephemeron.key, ephemeron.value].map(|rank| self.name_and_id(&mut walk, rank));
            let (number, table) = (ephemeron.number + 1, self.ids.of_object(ephemeron.table));
            let name = format!("{number} / part of key ({key}) -> value ({value}) pair in WeakMap (table @{table})");
            string(text, &name);
        }
        let first_shared = count.get();
        for name in names.texts() {
            string(text, name);
        }
        first_shared
    }

    fn about<'a, T: Take>(&self, walk: &'a mut Walk<'_, T>, object: AnyGc) -> &'a About {
        walk.begin(0);
        self.store.describe(object, &mut Describer::new(walk));
        &walk.about
    }

    /// `Name @id` of the object with a rank.
    fn name_and_id<T: Take>(&self, walk: &mut Walk<'_, T>, rank: u32) -> String {
        let view = self.reached.census.index_of(rank).and_then(|index| self.store.object_at(index));
        let Some(view) = view else { return String::new() };
        let about = self.about(walk, view.handle);
        let name = if about.is_named { about.name.clone() } else { short_type_name(view.info.name()) };
        format!("{name} @{}", self.ids.of_object(rank))
    }
}

const _: () = assert!(NODE_FIELDS == 7);
