//! What is said of a snapshot, for people.

use super::answer::{Changes, Named, Reason, Reasons, Summary};
use crate::command::output::Output;
use crate::show::grid::grid;
use crate::show::{bytes, count};
use anstyle::Style;
use std::io::{self, Write};

const TITLE: Style = Style::new().bold();
/// How much of a name is shown.
const NAME: usize = 60;

pub(super) fn summary(of: &Summary<'_>, out: &mut Output) -> io::Result<()> {
    writeln!(out, "{} nodes, {} edges, {}\n", count(of.nodes), count(of.edges), bytes(of.bytes))?;
    let groups = of
        .by_name
        .iter()
        .map(|group| [shortened(group.name), count(group.objects), bytes(group.own), bytes(group.retained)]);
    writeln!(out, "{TITLE}by name{TITLE:#}\n\n{}\n", grid(["", "objects", "own", "retained"], groups))?;
    let largest = of
        .retain_most
        .iter()
        .map(|object| [named(&object.name), object.kind.clone(), bytes(object.own), bytes(object.retained)]);
    writeln!(out, "{TITLE}what retains most{TITLE:#}\n\n{}", grid(["", "kind", "own", "retained"], largest))
}

pub(super) fn reasons(of: &Reasons<'_>, out: &mut Output) -> io::Result<()> {
    for one in &of.objects {
        reason(one, out)?;
    }
    if of.more > 0 {
        writeln!(out, "and {} more of that name", of.more)?;
    }
    Ok(())
}

fn reason(Reason { object, path, referrers, referrer_count }: &Reason<'_>, out: &mut Output) -> io::Result<()> {
    let (own, retained) = (bytes(object.own), bytes(object.retained));
    writeln!(out, "{TITLE}{}{TITLE:#}  {own}, retains {retained}\n", named(&object.name))?;
    match path {
        None => writeln!(out, "  no way leads to it from the root by edges that keep alive")?,
        Some(path) => {
            writeln!(out, "  (root)")?;
            for (depth, step) in path.iter().enumerate() {
                let by = if step.edge.is_empty() { "·" } else { &step.edge };
                writeln!(out, "  {:indent$}{by} → {}", "", named(&step.to), indent = 2 * depth + 2)?;
            }
        }
    }
    let colon = if referrers.is_empty() { "" } else { ":" };
    writeln!(out, "\n  {} refer to it{colon}", count(*referrer_count as u64))?;
    for from in referrers {
        writeln!(out, "    {}", named(from))?;
    }
    writeln!(out)
}

pub(super) fn changes(of: &Changes<'_>, out: &mut Output) -> io::Result<()> {
    if of.changes.is_empty() && of.more == 0 {
        return writeln!(out, "nothing has come, and nothing has gone");
    }
    let rows = of.changes.iter().map(|change| {
        let sign = if change.own_delta < 0 { "−" } else { "+" };
        [
            shortened(change.name),
            format!("+{}", count(change.new as u64)),
            format!("−{}", count(change.gone as u64)),
            format!("{sign}{}", bytes(change.own_delta.unsigned_abs())),
        ]
    });
    writeln!(out, "{}", grid(["", "new", "gone", "own bytes"], rows))
}

fn named(object: &Named<'_>) -> String {
    format!("{} @{}", shortened(object.name), object.id)
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
