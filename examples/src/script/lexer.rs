//! Text to tokens.

/// A piece of a program.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// A literal.
    Number(f64),
    /// A literal.
    Text(String),
    /// A name or a keyword.
    Word(String),
    /// An operator or a bracket.
    Mark(&'static str),
    /// The end of the program.
    End,
}

/// Longer ones first, so that `==` is not read as `=` twice.
const MARKS: [&str; 25] = [
    "==", "!=", "<=", ">=", "&&", "||", "(", ")", "{", "}", "[", "]", ",", ".", ";", ":", "=", "<", ">", "+", "-", "*",
    "/", "%", "!",
];

/// Cuts a text into tokens, each with the number of its line.
///
/// # Errors
///
/// Where something is no token.
pub fn tokens(text: &str) -> Result<Vec<(Token, u32)>, String> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let taken = if first == '\n' {
            line += 1;
            1
        } else if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first.is_ascii_digit() {
            let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(rest.len());
            let number = rest[..end].parse().map_err(|_| format!("line {line}: `{}` is no number", &rest[..end]))?;
            tokens.push((Token::Number(number), line));
            end
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
            tokens.push((Token::Word(rest[..end].into()), line));
            end
        } else if first == '"' {
            let end = rest[1..].find('"').ok_or_else(|| format!("line {line}: a string is not closed"))? + 1;
            tokens.push((Token::Text(rest[1..end].replace("\\n", "\n")), line));
            line += rest[..end].matches('\n').count() as u32;
            end + 1
        } else if let Some(&mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            tokens.push((Token::Mark(mark), line));
            mark.len()
        } else {
            return Err(format!("line {line}: `{first}` begins nothing that is known"));
        };
        rest = &rest[taken..];
    }
    tokens.push((Token::End, line));
    Ok(tokens)
}
