//! The names of edges and of types, each of them once.

use crate::trace::{Path, Step};
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::fmt::Write;

/// In a name that has more than a number, numbers from here on are not told apart. A vector of millions would otherwise fill
/// the table of names.
const MOST_NUMBERS: u32 = 1000;

/// A table of names. A path that was seen before is found by the addresses of its words.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_path: FxHashMap<PathKey, u32>,
    by_text: HashMap<String, u32>,
    texts: Vec<String>,
}

type PathKey = Vec<(usize, usize)>;

impl Names {
    /// The number of the name of a path.
    pub(super) fn of_path(&mut self, path: &Path, key: &mut Vec<(usize, usize)>) -> u32 {
        key.clear();
        key.extend(path.steps().iter().map(|step| match *step {
            Step::Field(name) => (name.as_ptr().addr(), name.len()),
            Step::Index(index) => (0, index.min(MOST_NUMBERS) as usize),
        }));
        if let Some(&number) = self.by_path.get(key.as_slice()) {
            return number;
        }
        let number = self.of_text(&text_of(path.steps()));
        self.by_path.insert(key.clone(), number);
        number
    }

    /// The number of a name.
    pub(super) fn of_text(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.by_text.get(text) {
            return number;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.to_string());
        self.by_text.insert(text.to_string(), number);
        number
    }

    /// All names, in the order of their numbers.
    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }
}

fn text_of(steps: &[Step]) -> String {
    let mut text = String::new();
    for (at, step) in steps.iter().enumerate() {
        match *step {
            Step::Field(name) if at == 0 => text.push_str(name),
            Step::Field(name) => {
                text.push('.');
                text.push_str(name);
            }
            // Writing to a string does not fail.
            Step::Index(index) if index >= MOST_NUMBERS => drop(write!(text, "[{MOST_NUMBERS}..]")),
            Step::Index(index) => drop(write!(text, "[{index}]")),
        }
    }
    text
}

/// The name of a type without the paths in it: `alloc::vec::Vec<script::Value>` is `Vec<Value>`.
pub(super) fn short_type_name(name: &str) -> String {
    let mut short = String::new();
    // Where the word that is being read began.
    let mut word = 0;
    let mut rest = name;
    while let Some(letter) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix("::") {
            // What the path of a type in angle brackets leads to is kept as it is.
            if short.ends_with('>') || short.ends_with('}') {
                short.push_str("::");
                word = short.len();
            } else {
                short.truncate(word);
            }
            rest = behind;
            continue;
        }
        short.push(letter);
        if !(letter.is_alphanumeric() || letter == '_') {
            word = short.len();
        }
        rest = &rest[letter.len_utf8()..];
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_lose_their_paths() {
        for (name, short) in [
            ("u8", "u8"),
            ("alloc::vec::Vec<script::Value>", "Vec<Value>"),
            ("[core::option::Option<a::b::Gc<c::Pair>>]", "[Option<Gc<Pair>>]"),
            ("(alloc::string::String, &str)", "(String, &str)"),
            ("a::main::{{closure}}", "{{closure}}"),
            ("<a::B as c::D>::E", "<B as D>::E"),
        ] {
            assert_eq!(short_type_name(name), short);
        }
    }

    #[test]
    fn a_path_is_written_as_one_would_in_a_program() {
        let steps = [Step::Field("slots"), Step::Index(3), Step::Field("Pair"), Step::Index(5000)];
        assert_eq!(text_of(&steps), "slots[3].Pair[1000..]");
        assert_eq!(text_of(&[Step::Index(0)]), "[0]");
    }
}
