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

/// How deep lists may be nested: reader, compiler and evaluator recurse.
const MAX_NESTING: u32 = 200;

/// Reads all data in a text.
///
/// # Errors
///
/// If a bracket or a quotation mark has no partner, or lists are nested too deep.
pub fn read(text: &str, symbols: &mut Symbols) -> Result<Vec<Datum>, Error> {
    let mut reader = Reader { rest: text, symbols };
    let mut data = Vec::new();
    while let Some(token) = reader.token()? {
        data.push(reader.datum(token, 0)?);
    }
    Ok(data)
}

struct Reader<'t, 's> {
    rest: &'t str,
    symbols: &'s mut Symbols,
}

impl<'t> Reader<'t, '_> {
    /// Takes the next token: a mark, a string with its quotation marks, or a word. None at the end.
    fn token(&mut self) -> Result<Option<&'t str>, Error> {
        self.rest = self.rest.trim_start();
        while self.rest.starts_with(';') {
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        }
        let is_end = |char: char| char.is_whitespace() || "()'\";".contains(char);
        let len = match self.rest.chars().next() {
            None => return Ok(None),
            Some('(' | ')' | '\'') => 1,
            Some('"') => self.rest[1..].find('"').ok_or(Error::Incomplete("a string"))? + 2,
            Some(_) => self.rest.find(is_end).unwrap_or(self.rest.len()),
        };
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(Some(token))
    }

    /// The datum that begins with a token.
    fn datum(&mut self, token: &str, depth: u32) -> Result<Datum, Error> {
        match token {
            "(" if depth == MAX_NESTING => Err(Error::Syntax(format!("lists are nested deeper than {MAX_NESTING}"))),
            "(" => {
                let mut items = Vec::new();
                loop {
                    match self.token()?.ok_or(Error::Incomplete("a list"))? {
                        ")" => return Ok(Datum::List(items)),
                        token => items.push(self.datum(token, depth + 1)?),
                    }
                }
            }
            ")" => Err(Error::Syntax("there is a `)` without a `(`".into())),
            "'" => {
                let quoted = self.token()?.ok_or(Error::Incomplete("a quotation"))?;
                Ok(Datum::List(vec![Datum::Symbol(intern(self.symbols, "quote")), self.datum(quoted, depth)?]))
            }
            "#t" | "#f" => Ok(Datum::Bool(token == "#t")),
            text if text.starts_with('"') => Ok(Datum::Text(text[1..text.len() - 1].replace("\\n", "\n"))),
            word if word.trim_start_matches('-').starts_with(|char: char| char.is_ascii_digit()) => {
                word.parse().map(Datum::Number).map_err(|_| Error::Syntax(format!("{word} is no number")))
            }
            word => Ok(Datum::Symbol(intern(self.symbols, word))),
        }
    }
}
