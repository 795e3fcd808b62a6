//! Words of JSON, with their offsets.

use crate::error::{Flaw, ReadError};

/// A place in a text of JSON.
#[derive(Clone, Debug)]
pub(super) struct Scan<'t> {
    text: &'t [u8],
    pub(super) at: usize,
}

pub(super) type Result<T> = std::result::Result<T, ReadError>;

/// How deep values that nobody asks for may be nested.
const DEEPEST: u32 = 100_000;

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t [u8], at: usize) -> Scan<'t> {
        Scan { text, at }
    }

    pub(super) fn fail<T>(&self, flaw: Flaw) -> Result<T> {
        fail(self.at, flaw)
    }

    /// What is wrong here: the file has ended, or is something else.
    fn unexpected<T>(&self, expected: &'static str) -> Result<T> {
        if self.at >= self.text.len() { self.fail(Flaw::End) } else { self.fail(Flaw::Unexpected { expected }) }
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    /// Takes a byte after space, if it is this one.
    #[inline]
    pub(super) fn take(&mut self, wanted: u8) -> bool {
        self.skip_space();
        let is_here = self.byte() == Some(wanted);
        self.at += usize::from(is_here);
        is_here
    }

    pub(super) fn expect(&mut self, wanted: u8, expected: &'static str) -> Result<()> {
        if self.take(wanted) { Ok(()) } else { self.unexpected(expected) }
    }

    /// A number without a sign or a fraction.
    #[inline]
    pub(super) fn number(&mut self) -> Result<u64> {
        self.skip_space();
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            let more = number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit - b'0')));
            let Some(more) = more else { return fail(start, Flaw::Unexpected { expected: "a number below 2^64" }) };
            number = more;
            self.at += 1;
        }
        if self.at == start || matches!(self.byte(), Some(b'.' | b'e' | b'E')) {
            self.at = start.max(self.at.min(self.text.len()));
            return if self.at >= self.text.len() {
                self.fail(Flaw::End)
            } else {
                fail(start, Flaw::Unexpected { expected: "a whole number" })
            };
        }
        Ok(number)
    }

    /// Calls `each` with the items of a list, in front of each.
    pub(super) fn list(&mut self, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.expect(b'[', "a list")?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of the list")?;
        }
    }

    /// Calls `each` with the names of an object, in front of the value of each.
    pub(super) fn object(&mut self, mut each: impl FnMut(&mut Self, &str, usize) -> Result<()>) -> Result<()> {
        self.expect(b'{', "an object")?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.skip_space();
            let place = self.at;
            let name = self.string()?;
            self.expect(b':', "a colon")?;
            self.skip_space();
            each(self, &name, place)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of the object")?;
        }
    }

    /// A string. Halves of surrogate pairs, which V8 writes where a program has cut a text, become U+FFFD.
    pub(super) fn string(&mut self) -> Result<String> {
        self.expect(b'"', "a string")?;
        let mut text = String::new();
        loop {
            let start = self.at;
            while !matches!(self.byte(), None | Some(b'"' | b'\\' | 0..0x20)) {
                self.at += 1;
            }
            match std::str::from_utf8(&self.text[start..self.at]) {
                Ok(part) => text.push_str(part),
                Err(error) => return fail(start + error.valid_up_to(), Flaw::Unexpected { expected: "UTF-8" }),
            }
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return self.unexpected("the end of the string"),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let start = self.at;
        self.at += 1;
        let letter = self.byte();
        self.at += 1;
        Ok(match letter {
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => {
                let first = self.hex()?;
                let is_high = (0xd800..0xdc00).contains(&first);
                if is_high && self.text[self.at..].starts_with(b"\\u") {
                    let before = self.at;
                    self.at += 2;
                    let second = self.hex()?;
                    if (0xdc00..0xe000).contains(&second) {
                        let letter = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        return Ok(char::from_u32(letter).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = before;
                }
                char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            None => return fail(self.text.len(), Flaw::End),
            Some(_) => return fail(start, Flaw::Unexpected { expected: "an escape" }),
        })
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let Some(digits) = digits else { return fail(self.text.len(), Flaw::End) };
        let digits =
            std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(number) = number else { return self.fail(Flaw::Unexpected { expected: "four hexadecimal digits" }) };
        self.at += 4;
        Ok(number)
    }

    /// Goes over a value that nobody asks for. It is not looked at closely.
    pub(super) fn skip_value(&mut self) -> Result<()> {
        let mut depth = 0_u32;
        loop {
            self.skip_space();
            match self.byte() {
                None => return self.fail(Flaw::End),
                Some(b'"') => drop(self.string()?),
                Some(b'[' | b'{') => {
                    self.at += 1;
                    depth += 1;
                    if depth > DEEPEST {
                        return self.fail(Flaw::Unexpected { expected: "less nesting" });
                    }
                    continue;
                }
                Some(b']' | b'}') if depth > 0 => {
                    self.at += 1;
                    depth -= 1;
                }
                Some(b',' | b':') if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') => {
                    while let Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z') = self.byte() {
                        self.at += 1;
                    }
                }
                Some(_) => return self.fail(Flaw::Unexpected { expected: "a value" }),
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Whether nothing but space is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.at >= self.text.len()
    }
}

pub(super) fn fail<T>(offset: usize, flaw: Flaw) -> Result<T> {
    Err(ReadError { offset, flaw })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_as_json_has_them() {
        let read = |text: &str| Scan::new(text.as_bytes(), 0).string();
        assert_eq!(read(r#""a\"\\\/\n\t\u00e9λ\ud83d\ude00""#).unwrap(), "a\"\\/\n\té\u{3bb}\u{1f600}");
        assert_eq!(read(r#""\ud83dx\ude00""#).unwrap(), "\u{fffd}x\u{fffd}");
        for (wrong, offset) in
            [("\"a", 2), ("\"\\x\"", 1), ("\"\\u12g4\"", 3), ("\"a\nb\"", 2), ("\"\\u12", 5), ("x", 0)]
        {
            assert_eq!(read(wrong).unwrap_err().offset, offset, "{wrong:?}");
        }
        let error = Scan::new(b"\"ab\xff\"", 0).string().unwrap_err();
        assert_eq!((error.offset, error.flaw), (3, Flaw::Unexpected { expected: "UTF-8" }));
    }

    #[test]
    fn numbers_are_whole() {
        let read = |text: &str| Scan::new(text.as_bytes(), 0).number();
        assert_eq!(read(" 18446744073709551615,").unwrap(), u64::MAX);
        for wrong in ["-1", "1.5", "1e3", "18446744073709551616", "x"] {
            assert_eq!(read(wrong).unwrap_err().offset, 0, "{wrong}");
        }
        assert_eq!(read("").unwrap_err().flaw, Flaw::End);
    }

    #[test]
    fn values_that_nobody_asks_for_are_skipped() {
        let text = br#"{"a":[1,-2.5e3,"]",null],"b":{}} ,"#;
        let mut scan = Scan::new(text, 0);
        scan.skip_value().unwrap();
        assert_eq!(scan.at, 32);
        assert!(Scan::new(b"[1,", 0).skip_value().is_err());
        assert!(Scan::new(b"]", 0).skip_value().is_err());
    }
}
