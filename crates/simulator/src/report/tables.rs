//! Tables: collections by reason, types, places; and how to do it again.

use super::page::{Esc, Page};
use crate::outcome::{End, Outcome};
use crate::show::{bytes, count, percent, time};

/// Rows of a table at most; the rest is one.
const MOST: usize = 20;

pub(super) fn collections(page: &mut Page, outcome: &Outcome) {
    if outcome.totals.is_empty() {
        return;
    }
    page.section("collections", "Collections by reason", "", |page| {
        let rows = outcome.totals.iter().map(|row| {
            vec![
                row.kind.to_string(),
                row.reason.to_string(),
                count(row.collections),
                count(row.slices),
                time(row.paused),
                time(row.longest),
                bytes(row.freed_bytes),
                percent(row.survival),
            ]
        });
        page.table(&["kind", "why", "#number", "#slices", "#paused", "#longest", "#freed", "#survived"], rows);
        let mut more = Vec::new();
        if outcome.hurried > 0 {
            more.push(format!(
                "Slices were larger than the budget {} times, as the program allocated too fast.",
                count(outcome.hurried)
            ));
        }
        if outcome.abandoned > 0 {
            more.push(format!("{} collections were abandoned.", count(outcome.abandoned)));
        }
        if !more.is_empty() {
            page.raw(format_args!("<p class=\"about\" style=\"margin-top:10px\">{}</p>\n", Esc(more.join(" "))));
        }
    });
}

pub(super) fn types(page: &mut Page, outcome: &Outcome) {
    let census = &outcome.census;
    if census.types.is_empty() {
        return;
    }
    let all: u64 = census.types.iter().map(|row| row.used_bytes).sum();
    page.section("types", "In the heap, by type", &format!("{}.", census.when), |page| {
        let row = |name: String, objects: u64, used: u64, waste: u64, pages: u64| {
            vec![
                name,
                count(objects),
                bytes(used),
                percent(used as f64 / all.max(1) as f64),
                bytes(waste),
                count(pages),
            ]
        };
        let rows = census.types.iter().take(MOST);
        let mut rows: Vec<Vec<String>> =
            rows.map(|of| row(of.name.clone(), of.objects, of.used_bytes, of.waste_bytes, of.pages)).collect();
        if census.types.len() > MOST {
            let rest = &census.types[MOST..];
            let sum = |figure: fn(&crate::outcome::TypeRow) -> u64| rest.iter().map(figure).sum();
            let name = format!("{} more types", rest.len());
            rows.push(row(
                name,
                sum(|of| of.objects),
                sum(|of| of.used_bytes),
                sum(|of| of.waste_bytes),
                sum(|of| of.pages),
            ));
        }
        page.table(&["type", "#objects", "#bytes", "#share", "#waste", "#pages"], rows);
    });
}

pub(super) fn allocations(page: &mut Page, outcome: &Outcome) {
    let Some(allocations) = outcome.allocations.as_ref().filter(|allocations| !allocations.rows.is_empty()) else {
        return;
    };
    let all: u64 = allocations.rows.iter().map(|row| row.bytes).sum();
    let about = format!(
        "Estimated from {} samples, one for {} on average; and what of it no collection had found dead in the end.",
        count(allocations.rows.iter().map(|row| row.samples).sum()),
        bytes(allocations.mean_bytes)
    );
    page.section("allocations", "What was allocated, by the place", &about, |page| {
        let rows = allocations.rows.iter().take(MOST).map(|row| {
            let share = percent(row.bytes as f64 / all.max(1) as f64);
            let (made, live) = (bytes(row.bytes), bytes(row.live_bytes));
            vec![row.place.clone(), row.name.clone(), count(row.samples), count(row.objects), made, share, live]
        });
        page.table(&["place", "type", "#samples", "#objects", "#bytes", "#share", "#alive"], rows);
    });
}

pub(super) fn places(page: &mut Page, outcome: &Outcome) {
    if outcome.places.is_empty() && outcome.memory.peak_external == 0 {
        return;
    }
    let about = format!(
        "Bytes that objects keep alive outside of the heap: {} at most. Each place is shown at its own peak.",
        bytes(outcome.memory.peak_external)
    );
    page.section("places", "External memory, by the place where it was made", &about, |page| {
        let rows = outcome.places.iter().take(MOST);
        let rows = rows.map(|of| vec![of.place.clone(), count(of.stores), bytes(of.bytes), bytes(of.held_bytes)]);
        page.table(&["place", "#stores", "#bytes", "#held by others"], rows);
    });
}

/// Facts as a list of names and values.
pub(super) fn facts<'f>(page: &mut Page, facts: impl IntoIterator<Item = (&'f str, String)>) {
    page.raw("<dl class=\"facts\">");
    for (name, value) in facts {
        page.raw(format_args!("<dt>{}</dt><dd>{}</dd>\n", Esc(name), Esc(value)));
    }
    page.raw("</dl>\n");
}

pub(super) fn again(page: &mut Page, outcome: &Outcome) {
    page.section("again", "To do it again", "", |page| {
        command(page, &outcome.command);
        let end = match &outcome.end {
            End::Completed => "all work was done".to_owned(),
            End::Interrupted => "interrupted".to_owned(),
            End::TimedOut => "out of time".to_owned(),
            End::OutOfMemory(words) => format!("out of memory: {words}"),
            End::Failed(words) => format!("failed: {words}"),
        };
        let machine = &outcome.machine;
        let list = |pairs: Vec<String>| if pairs.is_empty() { "as by default".to_owned() } else { pairs.join(", ") };
        let parameters = named(&outcome.parameters);
        let environment = outcome.environment.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let all = [
            ("workload", outcome.workload.clone()),
            ("seed", outcome.seed.to_string()),
            ("parameters", list(parameters)),
            ("heap options", list(named(&outcome.options))),
            (
                "environment",
                if environment.is_empty() { "nothing that the heap reads".into() } else { environment.join(", ") },
            ),
            ("end", end),
            ("checksum", outcome.checksum.clone().unwrap_or_else(|| "none, as it was not completed".into())),
            ("machine", format!("{} {}, {} threads at once", machine.os, machine.arch, machine.cores)),
            ("version", outcome.version.clone()),
        ];
        facts(page, all);
    });
}

/// What something is written as, as `name=value`.
fn named(value: &impl serde::Serialize) -> Vec<String> {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(value) else { return Vec::new() };
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    fields.into_iter().map(|(name, value)| format!("{name}={}", text(value))).collect()
}

/// A command, as a shell wants it.
pub(super) fn command(page: &mut Page, words: &[String]) {
    if words.is_empty() {
        return;
    }
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    page.raw(format_args!("<pre id=\"command\">{}</pre>\n", Esc(words.join(" "))));
}

fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=+.,/:@%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_words_as_they_were() {
        for (word, text) in
            [("--limit=64m", "--limit=64m"), ("", "''"), ("a b", "'a b'"), ("it's $HOME", r"'it'\''s $HOME'")]
        {
            assert_eq!(quoted(word), text);
        }
    }
}
