//! The reader: text to data. It knows nothing of the heap.

use super::Error;
use indexmap::IndexSet;

/// A name, as a number. Two symbols are the same if their numbers are.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Symbol(pub u32);

/// All names that were ever read. They are part of programs: no guest can make one while it runs.
pub type Symbols = IndexSet<String>;

/// The symbol of a name.
pub fn intern(symbols: &mut Symbols, name: &str) -> Symbol {
    let number = symbols.get_index_of(name).unwrap_or_else(|| symbols.insert_full(name.to_string()).0);
    Symbol(number as u32)
}

/// What the reader reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// `#t` and `#f`.
    Bool(bool),
    /// `1`, `-2.5`.
    Number(f64),
    /// `"text"`, with `\n` for a new line.
    Text(String),
    /// `name`.
    Symbol(Symbol),
    /// `(a b c)`.
    List(Vec<Datum>),
}

/// How deep lists may be nested: the reader recurses.
const MAX_NESTING: u32 = 500;

/// Reads all data in a text.
///
/// # Errors
///
/// If a bracket or a quotation mark has no partner, or lists are nested too deep.
pub fn read(text: &str, symbols: &mut Symbols) -> Result<Vec<Datum>, Error> {
    let mut reader = Reader { rest: text, symbols };
    let mut data = Vec::new();
    while reader.skip_blanks() {
        data.push(reader.datum(0)?);
    }
    Ok(data)
}

struct Reader<'t, 's> {
    rest: &'t str,
    symbols: &'s mut Symbols,
}

impl Reader<'_, '_> {
    /// Goes to the next datum; false at the end.
    fn skip_blanks(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        while self.rest.starts_with(';') {
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        }
        !self.rest.is_empty()
    }

    fn takes(&mut self, mark: char) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn datum(&mut self, depth: u32) -> Result<Datum, Error> {
        if depth == MAX_NESTING {
            return Err(Error::Syntax(format!("lists are nested deeper than {MAX_NESTING}")));
        }
        if self.takes('(') {
            let mut items = Vec::new();
            while self.skip_blanks() {
                if self.takes(')') {
                    return Ok(Datum::List(items));
                }
                items.push(self.datum(depth + 1)?);
            }
            Err(Error::Incomplete("a list"))
        } else if self.takes('\'') {
            self.skip_blanks();
            Ok(Datum::List(vec![Datum::Symbol(intern(self.symbols, "quote")), self.datum(depth + 1)?]))
        } else if self.takes('"') {
            let (text, rest) = self.rest.split_once('"').ok_or(Error::Incomplete("a string"))?;
            self.rest = rest;
            Ok(Datum::Text(text.replace("\\n", "\n")))
        } else {
            self.atom()
        }
    }

    fn atom(&mut self) -> Result<Datum, Error> {
        let end = self.rest.find(|char: char| char.is_whitespace() || "()'\";".contains(char));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let is_number = word.trim_start_matches('-').starts_with(|char: char| char.is_ascii_digit());
        match (word, word.parse()) {
            ("", _) if rest.is_empty() => Err(Error::Incomplete("a list")),
            ("", _) => Err(Error::Syntax("there is a `)` without a `(`".into())),
            ("#t" | "#f", _) => Ok(Datum::Bool(word == "#t")),
            (_, Ok(number)) if is_number => Ok(Datum::Number(number)),
            _ => Ok(Datum::Symbol(intern(self.symbols, word))),
        }
    }
}
