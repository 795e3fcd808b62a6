//! `tumulus inspect` and `tumulus check`: what is in a heap snapshot.

use super::output::Output;
use super::{Code, Failure};
use crate::show::grid::grid;
use crate::show::{bytes, count};
use anstyle::Style;
use clap::Args;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tumulus_snapshot::{Diff, Dominators, Ephemerons, Label, Node, Snapshot};

const TITLE: Style = Style::new().bold();
/// How much of a name is shown.
const NAME: usize = 60;
/// How many objects of one name are told of.
const SAME_NAME: usize = 3;

/// The arguments of `inspect`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// A heap snapshot, of this project or of V8
    file: PathBuf,
    /// How many rows each table has
    #[arg(long, value_name = "N", default_value_t = 15)]
    top: usize,
    /// Shows why an object is alive, by its id (@123) or its name: the way from the root to it, and who else refers to it
    #[arg(long, value_name = "@ID|NAME")]
    path: Option<String>,
    /// Shows what has come and what has gone since an earlier snapshot of the same heap
    #[arg(long, value_name = "EARLIER", conflicts_with = "path")]
    diff: Option<PathBuf>,
}

/// The arguments of `check`.
#[derive(Args, Debug)]
pub(super) struct CheckArguments {
    /// Heap snapshots
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, out: &mut Output) -> Result<Code, Failure> {
    let snapshot = read(&arguments.file)?;
    if let Some(wanted) = &arguments.path {
        return tell_paths(&snapshot, wanted, out);
    }
    if let Some(earlier) = &arguments.diff {
        let before = read(earlier)?;
        return tell_diff(&Diff::between(&before, &snapshot), arguments.top, out);
    }
    let dominators = snapshot.dominators(Ephemerons::OfKeys);
    tell_size(&snapshot, out)?;
    tell_groups(&snapshot, &dominators, arguments.top, out)?;
    tell_largest(&snapshot, &dominators, arguments.top, out)?;
    Ok(Code::Done)
}

/// Reads each file, with all checks that the format allows.
pub(super) fn run_check(arguments: &CheckArguments, out: &mut Output) -> Result<Code, Failure> {
    let mut code = Code::Done;
    for path in &arguments.files {
        match File::open(path).and_then(Snapshot::read) {
            Ok(snapshot) => {
                let (nodes, edges) = (count(snapshot.len().into()), count(snapshot.edge_count() as u64));
                writeln!(out, "{}: sound; {nodes} nodes, {edges} edges", path.display())?;
            }
            Err(error) => {
                writeln!(out, "{}: {error}", path.display())?;
                code = Code::Failed;
            }
        }
    }
    Ok(code)
}

fn read(path: &Path) -> Result<Snapshot, Failure> {
    File::open(path).and_then(Snapshot::read).map_err(Failure::at(path))
}

fn tell_size(snapshot: &Snapshot, out: &mut Output) -> io::Result<()> {
    let size: u64 = snapshot.nodes().map(Node::self_size).sum();
    let (nodes, edges) = (count(snapshot.len().into()), count(snapshot.edge_count() as u64));
    writeln!(out, "{nodes} nodes, {edges} edges, {}\n", bytes(size))
}

fn tell_groups(snapshot: &Snapshot, dominators: &Dominators, top: usize, out: &mut Output) -> io::Result<()> {
    let groups = snapshot.summary(dominators);
    // The roots are not what somebody asks for.
    let real = groups.iter().filter(|group| group.self_size > 0).take(top);
    let rows = real.map(|group| {
        let name = shortened(group.name);
        [name, count(group.count), bytes(group.self_size), bytes(group.retained_size)]
    });
    writeln!(out, "{TITLE}by name{TITLE:#}\n\n{}\n", grid(["", "objects", "own", "retained"], rows))
}

fn tell_largest(snapshot: &Snapshot, dominators: &Dominators, top: usize, out: &mut Output) -> io::Result<()> {
    // Among the largest are the groups of roots, which have no size of their own.
    let largest = dominators.largest(top + 16);
    let real = largest.into_iter().map(|node| snapshot.node(node)).filter(|node| node.self_size() > 0).take(top);
    let rows = real.map(|node| {
        let retained = bytes(dominators.retained_size(node.place()));
        [
            format!("{} @{}", shortened(node.name()), node.id()),
            node.kind().to_string(),
            bytes(node.self_size()),
            retained,
        ]
    });
    writeln!(out, "{TITLE}what retains most{TITLE:#}\n\n{}", grid(["", "kind", "own", "retained"], rows))
}

fn tell_paths(snapshot: &Snapshot, wanted: &str, out: &mut Output) -> Result<Code, Failure> {
    let nodes: Vec<u32> = match wanted.strip_prefix('@').and_then(|id| id.parse().ok()) {
        Some(id) => snapshot.with_id(id).into_iter().collect(),
        None => snapshot.named(wanted).collect(),
    };
    if nodes.is_empty() {
        return Err(Failure::Other(format!("there is no node {wanted:?}; give a name in full, or an id such as @17")));
    }
    let dominators = snapshot.dominators(Ephemerons::OfKeys);
    let retainers = snapshot.retainers();
    for &place in nodes.iter().take(SAME_NAME) {
        let node = snapshot.node(place);
        let (own, retained) = (bytes(node.self_size()), bytes(dominators.retained_size(place)));
        writeln!(out, "{TITLE}{} @{}{TITLE:#}  {own}, retains {retained}\n", shortened(node.name()), node.id())?;
        match snapshot.shortest_path(place) {
            None => writeln!(out, "  no way leads to it from the root by edges that keep alive")?,
            Some(path) => {
                writeln!(out, "  (root)")?;
                for (depth, edge) in path.edges().iter().enumerate() {
                    let to = snapshot.node(edge.to());
                    let by =
                        if matches!(edge.label(), Label::Name("")) { "·".into() } else { edge.label().to_string() };
                    writeln!(
                        out,
                        "  {:indent$}{by} → {} @{}",
                        "",
                        shortened(to.name()),
                        to.id(),
                        indent = 2 * depth + 2
                    )?;
                }
            }
        }
        let others = retainers.nodes_of(place);
        writeln!(out, "\n  {} refer to it{}", count(others.len() as u64), if others.is_empty() { "" } else { ":" })?;
        for from in others.into_iter().take(SAME_NAME * 3).map(|from| snapshot.node(from)) {
            writeln!(out, "    {} @{}", shortened(from.name()), from.id())?;
        }
        writeln!(out)?;
    }
    if nodes.len() > SAME_NAME {
        writeln!(out, "and {} more of that name", nodes.len() - SAME_NAME)?;
    }
    Ok(Code::Done)
}

fn tell_diff(diff: &Diff<'_>, top: usize, out: &mut Output) -> Result<Code, Failure> {
    let mut changes: Vec<_> = diff.changes().iter().collect();
    if changes.is_empty() {
        writeln!(out, "nothing has come, and nothing has gone")?;
        return Ok(Code::Done);
    }
    changes.sort_by_key(|change| (std::cmp::Reverse(change.size_delta().unsigned_abs()), change.name));
    let rows = changes.iter().take(top).map(|change| {
        let delta = change.size_delta();
        let sign = if delta < 0 { "−" } else { "+" };
        [
            shortened(change.name),
            format!("+{}", count(change.new.len() as u64)),
            format!("−{}", count(change.gone.len() as u64)),
            format!("{sign}{}", bytes(delta.unsigned_abs())),
        ]
    });
    writeln!(out, "{}", grid(["", "new", "gone", "own bytes"], rows))?;
    Ok(Code::Done)
}

/// A name in one line, and not too long.
fn shortened(name: &str) -> String {
    let mut line: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(NAME + 1).collect();
    if let Some((end, _)) = line.char_indices().nth(NAME) {
        line.truncate(end);
        line.push('…');
    }
    if line.is_empty() { "(no name)".into() } else { line }
}
