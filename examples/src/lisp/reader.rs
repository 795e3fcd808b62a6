//! The reader: text to data. It knows nothing of the heap.

use std::collections::HashMap;
use std::fmt;
use std::iter::Peekable;
use std::rc::Rc;
use std::str::Chars;

/// A name, as a number. Two symbols are the same if their numbers are.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Symbol(pub u32);

/// All names that were ever read.
#[derive(Debug, Default)]
pub struct Symbols {
    names: Vec<Rc<str>>,
    numbers: HashMap<Rc<str>, Symbol>,
}

impl Symbols {
    /// The symbol of a name.
    pub fn intern(&mut self, name: &str) -> Symbol {
        if let Some(&symbol) = self.numbers.get(name) {
            return symbol;
        }
        let symbol = Symbol(self.names.len() as u32);
        let name: Rc<str> = name.into();
        self.names.push(Rc::clone(&name));
        self.numbers.insert(name, symbol);
        symbol
    }

    /// The name of a symbol.
    pub fn name(&self, symbol: Symbol) -> &str {
        &self.names[symbol.0 as usize]
    }
}

/// What the reader reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// `#t` and `#f`.
    Bool(bool),
    /// `1`, `-2.5`.
    Number(f64),
    /// `"text"`.
    Text(String),
    /// `name`.
    Symbol(Symbol),
    /// `(a b c)`.
    List(Vec<Datum>),
}

/// Why a text is no program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError(pub String);

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SyntaxError {}

/// Whether more text could complete it: there is a list or a string that is not closed.
pub fn is_incomplete(error: &SyntaxError) -> bool {
    error.0 == UNCLOSED_LIST || error.0 == UNCLOSED_TEXT
}

const UNCLOSED_LIST: &str = "a list is not closed";
const UNCLOSED_TEXT: &str = "a string is not closed";
/// How deep lists may be nested: the reader recurses.
const MAX_NESTING: u32 = 500;

/// Reads all data in a text.
///
/// # Errors
///
/// If a bracket or a quotation mark has no partner, or lists are nested too deep.
pub fn read(text: &str, symbols: &mut Symbols) -> Result<Vec<Datum>, SyntaxError> {
    let mut reader = Reader { text: text.chars().peekable(), symbols };
    let mut data = Vec::new();
    while reader.skip_blanks() {
        data.push(reader.datum(0)?);
    }
    Ok(data)
}

struct Reader<'t, 's> {
    text: Peekable<Chars<'t>>,
    symbols: &'s mut Symbols,
}

impl Reader<'_, '_> {
    /// Goes to the next datum; false at the end.
    fn skip_blanks(&mut self) -> bool {
        while let Some(&next) = self.text.peek() {
            match next {
                ';' => while self.text.next_if(|&char| char != '\n').is_some() {},
                next if next.is_whitespace() => drop(self.text.next()),
                _ => return true,
            }
        }
        false
    }

    fn datum(&mut self, depth: u32) -> Result<Datum, SyntaxError> {
        if depth == MAX_NESTING {
            return Err(SyntaxError(format!("lists are nested deeper than {MAX_NESTING}")));
        }
        match self.text.next() {
            None => Err(SyntaxError(UNCLOSED_LIST.into())),
            Some('(') => {
                let mut items = Vec::new();
                loop {
                    if !self.skip_blanks() {
                        return Err(SyntaxError(UNCLOSED_LIST.into()));
                    }
                    if self.text.next_if_eq(&')').is_some() {
                        return Ok(Datum::List(items));
                    }
                    items.push(self.datum(depth + 1)?);
                }
            }
            Some(')') => Err(SyntaxError("there is a `)` without a `(`".into())),
            Some('\'') => {
                self.skip_blanks();
                let quoted = self.datum(depth + 1)?;
                Ok(Datum::List(vec![Datum::Symbol(self.symbols.intern("quote")), quoted]))
            }
            Some('"') => self.string(),
            Some(first) => Ok(self.atom(first)),
        }
    }

    fn string(&mut self) -> Result<Datum, SyntaxError> {
        let mut text = String::new();
        loop {
            match self.text.next() {
                Some('"') => return Ok(Datum::Text(text)),
                Some('\\') => match self.text.next() {
                    Some('n') => text.push('\n'),
                    Some(escaped) => text.push(escaped),
                    None => return Err(SyntaxError(UNCLOSED_TEXT.into())),
                },
                Some(char) => text.push(char),
                None => return Err(SyntaxError(UNCLOSED_TEXT.into())),
            }
        }
    }

    fn atom(&mut self, first: char) -> Datum {
        let mut word = String::from(first);
        while let Some(char) = self.text.next_if(|&char| !char.is_whitespace() && !"()'\";".contains(char)) {
            word.push(char);
        }
        let is_number = word.starts_with(|char: char| char.is_ascii_digit())
            || word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_digit()));
        match (word.as_str(), word.parse::<f64>()) {
            ("#t", _) => Datum::Bool(true),
            ("#f", _) => Datum::Bool(false),
            (_, Ok(number)) if is_number => Datum::Number(number),
            _ => Datum::Symbol(self.symbols.intern(&word)),
        }
    }
}
