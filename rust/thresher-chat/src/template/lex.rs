//! Cuts a template into text and tokens, by the rules of jinja2's lexer with `trim_blocks` and `lstrip_blocks`.

use std::sync::Arc;

use super::error::{Failure, Outcome};

/// A token and the line it stands on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: u32,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Text between tags.
    Data(Arc<str>),
    BlockBegin,
    BlockEnd,
    VariableBegin,
    VariableEnd,
    Name(Arc<str>),
    Text(Arc<str>),
    Int(i128),
    Float(f64),
    Operator(&'static str),
    End,
}

/// Longest first, so that `**` is no `*`.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";",
];

/// What a tag is.
#[derive(Clone, Copy, PartialEq)]
enum Tag {
    Block,
    Variable,
    Comment,
}

/// The tokens of `source`.
pub(super) fn tokens(source: &str) -> Outcome<Vec<Token>> {
    // Line ends of all kinds are one, and the last one does not count.
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = source.strip_suffix('\n').unwrap_or(&source);
    let mut lexer = Lexer { source, at: 0, line_starting: true, out: Vec::new(), counted: (0, 1) };
    lexer.run()?;
    let line = lexer.line(source.len());
    lexer.out.push(Token { kind: Kind::End, line });
    Ok(lexer.out)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    /// Whether what was read last ended a line.
    line_starting: bool,
    out: Vec<Token>,
    /// A place and its line, to count lines once.
    counted: (usize, u32),
}

impl<'s> Lexer<'s> {
    fn line(&mut self, at: usize) -> u32 {
        let (from, line) = self.counted;
        let more = self.source[from.min(at)..at].matches('\n').count();
        self.counted = (at, line + more as u32);
        self.counted.1
    }

    fn push(&mut self, at: usize, kind: Kind) {
        let line = self.line(at);
        self.out.push(Token { kind, line });
    }

    fn fail<T>(&mut self, at: usize, what: &str) -> Outcome<T> {
        let line = self.line(at);
        Err(Failure::syntax(line, what))
    }

    fn run(&mut self) -> Outcome<()> {
        while self.at < self.source.len() {
            let rest = &self.source[self.at..];
            let Some((offset, tag)) = next_tag(rest) else {
                self.push(self.at, Kind::Data(rest.into()));
                return Ok(());
            };
            let text = &rest[..offset];
            let start = self.at + offset;
            let sign = self.source.as_bytes().get(start + 2).copied().filter(|sign| b"-+".contains(sign));
            let text = self.stripped(text, sign, tag != Tag::Variable);
            if !text.is_empty() {
                self.push(self.at, Kind::Data(text.into()));
            }
            let inside = start + 2 + usize::from(sign.is_some());
            match tag {
                Tag::Comment => self.comment(start, inside)?,
                Tag::Block => match self.raw_begin(inside) {
                    Some(after) => self.raw(start, after)?,
                    None => self.tag(start, inside, Kind::BlockBegin, Kind::BlockEnd, "%}")?,
                },
                Tag::Variable => self.tag(start, inside, Kind::VariableBegin, Kind::VariableEnd, "}}")?,
            }
        }
        Ok(())
    }

    /// The text before a tag, by its sign and by `lstrip_blocks`.
    fn stripped<'t>(&self, text: &'t str, sign: Option<u8>, lstrip: bool) -> &'t str {
        match sign {
            Some(b'-') => text.trim_end_matches(is_space),
            None if lstrip => {
                let line = text.rfind('\n').map_or(0, |at| at + 1);
                if (line > 0 || self.line_starting) && text[line..].chars().all(is_space) {
                    &text[..line]
                } else {
                    text
                }
            }
            _ => text,
        }
    }

    /// Goes on behind a tag that ends with `close`: `-` takes all white space, no sign one line end.
    fn behind(&mut self, close_at: usize, close: &str, trim_line: bool) {
        let sign = self.source.as_bytes()[close_at];
        let mut after = close_at + close.len() + usize::from(sign == b'-' || sign == b'+');
        let rest = &self.source[after..];
        if sign == b'-' {
            after += rest.len() - rest.trim_start_matches(is_space).len();
        } else if sign != b'+' && trim_line && rest.starts_with('\n') {
            after += 1;
        }
        self.line_starting = self.source[..after].ends_with('\n');
        self.at = after;
    }

    fn comment(&mut self, start: usize, inside: usize) -> Outcome<()> {
        if inside == self.source.len() {
            self.at = inside;
            return Ok(());
        }
        let Some(end) = self.source.get(inside..).and_then(|rest| rest.find("#}")).map(|at| inside + at)
        else {
            return self.fail(start, "a comment does not end");
        };
        let signed = end > inside && b"-+".contains(&self.source.as_bytes()[end - 1]);
        self.behind(end - usize::from(signed), "#}", true);
        Ok(())
    }

    /// One past the tag, if it opens text that is taken as it is.
    fn raw_begin(&self, inside: usize) -> Option<usize> {
        let rest = self.source.get(inside..)?.trim_start_matches(is_space).strip_prefix("raw")?;
        let rest = rest.trim_start_matches(is_space);
        let rest = match rest.strip_prefix("-%}") {
            Some(rest) => rest.trim_start_matches(is_space),
            None => rest.strip_prefix("%}")?,
        };
        Some(self.source.len() - rest.len())
    }

    fn raw(&mut self, start: usize, inside: usize) -> Outcome<()> {
        if inside == self.source.len() {
            self.at = inside;
            return Ok(());
        }
        let mut from = inside;
        while let Some(open) = self.source[from..].find("{%").map(|at| from + at) {
            from = open + 2;
            let sign = self.source.as_bytes().get(from).copied().filter(|sign| b"-+".contains(sign));
            let rest = self.source[from + usize::from(sign.is_some())..].trim_start_matches(is_space);
            let Some(rest) = rest.strip_prefix("endraw") else { continue };
            let rest = rest.trim_start_matches(is_space);
            let close = self.source.len() - rest.len();
            if rest.starts_with("%}") || rest.starts_with("-%}") || rest.starts_with("+%}") {
                self.line_starting = self.source[..inside].ends_with('\n');
                let text = self.stripped(&self.source[inside..open], sign, true).to_owned();
                if !text.is_empty() {
                    self.push(inside, Kind::Data(text.into()));
                }
                self.behind(close, "%}", true);
                return Ok(());
            }
        }
        self.fail(start, "`raw` has no `endraw`")
    }

    fn tag(&mut self, start: usize, inside: usize, begin: Kind, end: Kind, close: &str) -> Outcome<()> {
        self.push(start, begin);
        let block = end == Kind::BlockEnd;
        let mut at = inside;
        let mut open: Vec<char> = Vec::new();
        loop {
            let rest = &self.source[at..];
            let rest = rest.trim_start_matches(is_space);
            at = self.source.len() - rest.len();
            if rest.is_empty() {
                return self.fail(start, "a tag does not end");
            }
            let signed = rest.starts_with('-') || (block && rest.starts_with('+'));
            if open.is_empty() && (rest.starts_with(close) || (signed && rest[1..].starts_with(close))) {
                self.push(at, end);
                self.behind(at, close, block);
                return Ok(());
            }
            at += self.token(at, rest, &mut open)?;
        }
    }

    /// Reads one token and gives its length.
    fn token(&mut self, at: usize, rest: &'s str, open: &mut Vec<char>) -> Outcome<usize> {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_ascii_digit() {
            let after_dot = self.source[..at].ends_with('.');
            let Some((len, kind)) = number(rest, after_dot) else {
                return self.fail(at, "a number is not of a form that templates know, or too large");
            };
            self.push(at, kind);
            return Ok(len);
        }
        if first == '_' || first.is_alphabetic() {
            let len = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
            self.push(at, Kind::Name(rest[..len].into()));
            return Ok(len);
        }
        if first == '\'' || first == '"' {
            let Some(len) = string_len(rest) else { return self.fail(at, "a string does not end") };
            let Some(text) = unescape(&rest[1..len - 1]) else {
                return self.fail(at, "a string has an escape that means nothing");
            };
            self.push(at, Kind::Text(text.into()));
            return Ok(len);
        }
        let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) else {
            return self.fail(at, &format!("`{first}` means nothing in a tag"));
        };
        match first {
            '(' | '[' | '{' => open.push(first),
            ')' | ']' | '}' => {
                let fits =
                    matches!((open.pop(), first), (Some('('), ')') | (Some('['), ']') | (Some('{'), '}'));
                if !fits {
                    return self.fail(at, &format!("`{first}` closes what is not open"));
                }
            }
            _ => {}
        }
        self.push(at, Kind::Operator(operator));
        Ok(operator.len())
    }
}

/// White space as Python's `\s` and `str.isspace` know it.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

fn next_tag(text: &str) -> Option<(usize, Tag)> {
    let mut from = 0;
    while let Some(at) = text[from..].find('{').map(|at| from + at) {
        let tag = match text.as_bytes().get(at + 1) {
            Some(b'%') => Some(Tag::Block),
            Some(b'{') => Some(Tag::Variable),
            Some(b'#') => Some(Tag::Comment),
            _ => None,
        };
        match tag {
            Some(tag) => return Some((at, tag)),
            None => from = at + 1,
        }
    }
    None
}

/// Length and value of the number at the start of `text`.
fn number(text: &str, after_dot: bool) -> Option<(usize, Kind)> {
    let digits = |text: &str| -> usize {
        let mut len = 0;
        let bytes = text.as_bytes();
        while bytes.get(len).is_some_and(u8::is_ascii_digit)
            || (len > 0
                && bytes.get(len) == Some(&b'_')
                && bytes.get(len + 1).is_some_and(u8::is_ascii_digit))
        {
            len += 1;
        }
        len
    };
    let plain = |text: &str| text.replace('_', "");
    let lower = text.get(..2).map(str::to_ascii_lowercase);
    if let Some(radix) = lower.and_then(|prefix| match &*prefix {
        "0x" => Some(16),
        "0o" => Some(8),
        "0b" => Some(2),
        _ => None,
    }) {
        let len = 2 + text[2..].find(|c: char| c != '_' && !c.is_digit(radix)).unwrap_or(text.len() - 2);
        return i128::from_str_radix(&plain(&text[2..len]), radix).ok().map(|value| (len, Kind::Int(value)));
    }
    let whole = digits(text);
    let mut len = whole;
    if !after_dot {
        if text[len..].starts_with('.') {
            let more = digits(&text[len + 1..]);
            len += if more > 0 { 1 + more } else { 0 };
        }
        let rest = &text[len..];
        if rest.starts_with(['e', 'E']) {
            let sign = usize::from(rest[1..].starts_with(['+', '-']));
            let more = digits(&rest[1 + sign..]);
            len += if more > 0 { 1 + sign + more } else { 0 };
        }
    }
    if len > whole {
        return plain(&text[..len]).parse().ok().map(|value| (len, Kind::Float(value)));
    }
    plain(&text[..len]).parse().ok().map(|value| (len, Kind::Int(value)))
}

/// Length of the string literal at the start of `text`, quotes included.
fn string_len(text: &str) -> Option<usize> {
    let quote = text.as_bytes()[0];
    let mut at = 1;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'\\' => at += 2,
            _ if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Escapes as Python's `unicode-escape` reads them: one that means nothing stays as it is.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let mut chars = rest[at + 1..].chars();
        let letter = chars.next()?;
        rest = chars.as_str();
        let hex = |rest: &str, len: usize| u32::from_str_radix(rest.get(..len)?, 16).ok();
        let simple = match letter {
            'n' => "\n",
            't' => "\t",
            'r' => "\r",
            'a' => "\x07",
            'b' => "\x08",
            'f' => "\x0c",
            'v' => "\x0b",
            '\\' => "\\",
            '\'' => "'",
            '"' => "\"",
            '\n' => "",
            'x' | 'u' | 'U' => {
                let len = match letter {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                out.push(char::from_u32(hex(rest, len)?)?);
                rest = &rest[len..];
                continue;
            }
            '0'..='7' => {
                let more = rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let value = u32::from_str_radix(&format!("{letter}{}", &rest[..more]), 8).ok()?;
                out.push(char::from_u32(value)?);
                rest = &rest[more..];
                continue;
            }
            'N' => return None,
            other => {
                out.push('\\');
                out.push(other);
                continue;
            }
        };
        out.push_str(simple);
    }
    out.push_str(rest);
    Some(out)
}
