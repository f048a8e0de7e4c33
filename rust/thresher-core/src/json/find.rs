//! Finds the values of a few fields in one line of JSON, and checks the whole line on the way.
//!
//! A line is walked once, without a tree and without recursion: the nesting is a stack of [`MAX_DEPTH`] bytes. Nearly
//! all bytes of a corpus sit inside strings, which `string` passes 64 at a time. Only the text field is unescaped, into
//! a buffer of the caller, and only if it has an escape; every other string is checked and skipped.

use super::string::Kernel;
use super::{FieldPath, Fields, MAX_DEPTH, Parsed, Scalar, SyntaxError, Unescaped};

/// The text field of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// No such field, or the path leads through something that is no object.
    Missing,
    /// The field is null.
    Null,
    /// The field is a number, a bool, an array or an object.
    NotString,
    /// The field is a string with half of a surrogate pair.
    LoneSurrogate,
    /// The text, unescaped.
    Value(&'a str),
}

/// The wanted fields of one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    /// The text field.
    pub text: Text<'a>,
    /// The id field, if it is a number or a string that UTF-8 can carry.
    pub id: Option<Scalar<'a>>,
    /// The rank field, if it is a number or a string that UTF-8 can carry.
    pub rank: Option<Scalar<'a>>,
}

const TEXT: usize = 0;
const ID: usize = 1;
const RANK: usize = 2;

/// The wanted fields of a run, ready to be looked for in many lines.
#[derive(Debug)]
pub struct Scanner<'f> {
    /// The parts of the text, id and rank path.
    paths: [&'f [String]; 3],
    /// One bit for each path that was asked for.
    asked: u8,
    kernel: Kernel,
    levels: [u8; MAX_DEPTH],
    key: Vec<u8>,
}

impl<'f> Scanner<'f> {
    /// Prepares the search for `fields`.
    #[must_use]
    pub fn new(fields: &'f Fields) -> Self {
        Self::with_kernel(fields, Kernel::detect())
    }

    pub(super) fn with_kernel(fields: &'f Fields, kernel: Kernel) -> Self {
        let parts = |path: &'f Option<FieldPath>| path.as_ref().map_or(&[][..], FieldPath::parts);
        let paths = [parts(&fields.text), parts(&fields.id), parts(&fields.rank)];
        let asked = (0..3).filter(|&w| !paths[w].is_empty()).map(|w| 1 << w).sum();
        Self { paths, asked, kernel, levels: [0; MAX_DEPTH], key: Vec::new() }
    }

    /// Checks `line` and finds the fields in it. `scratch` holds what had to be unescaped; it grows to the length
    /// of the longest line and its content means nothing between calls.
    ///
    /// # Errors
    /// [`SyntaxError`] if the line is not one JSON object.
    pub fn scan<'a>(
        &mut self,
        line: &'a str,
        scratch: &'a mut Vec<u8>,
    ) -> std::result::Result<Found<'a>, SyntaxError> {
        let mut walk = Walk {
            scanner: self,
            bytes: line.as_bytes(),
            pos: 0,
            depth: 0,
            values: [Value::Missing; 3],
            unescaped: Unescaped::default(),
        };
        walk.object(scratch)?;
        let Walk { values, unescaped: text, .. } = walk;
        let id = self.unescape(line, values[ID], text.end, scratch)?;
        let rank = self.unescape(line, values[RANK], id.end, scratch)?;
        let scratch: &'a [u8] = scratch;
        Ok(Found {
            text: match values[TEXT] {
                Value::Missing => Text::Missing,
                Value::Null => Text::Null,
                Value::Number { .. } | Value::Other => Text::NotString,
                Value::String { start, end, escaped: false } => Text::Value(&line[start..end]),
                Value::String { .. } => text.get(scratch).map_or(Text::LoneSurrogate, Text::Value),
            },
            id: scalar(line, values[ID], id, scratch),
            rank: scalar(line, values[RANK], rank, scratch),
        })
    }

    /// Unescapes the string `value` into `scratch[at..]`; other values and plain strings need no room.
    fn unescape(&self, line: &str, value: Value, at: usize, scratch: &mut Vec<u8>) -> Parsed<Unescaped> {
        match value {
            Value::String { start, escaped: true, .. } => {
                Ok(self.kernel.unescape(line.as_bytes(), start, scratch, at)?.1)
            }
            _ => Ok(Unescaped { start: at, end: at, lone_surrogate: false }),
        }
    }
}

fn scalar<'a>(line: &'a str, value: Value, unescaped: Unescaped, scratch: &'a [u8]) -> Option<Scalar<'a>> {
    match value {
        Value::Missing | Value::Null | Value::Other => None,
        Value::Number { start, end } => Some(Scalar::Number(&line[start..end])),
        Value::String { start, end, escaped: false } => Some(Scalar::Text(&line[start..end])),
        Value::String { .. } => unescaped.get(scratch).map(Scalar::Text),
    }
}

/// Checks that `text` is one JSON value, of any kind.
///
/// # Errors
/// [`SyntaxError`] if it is not.
pub(super) fn check(text: &str) -> Parsed<()> {
    let nothing = Fields::default();
    let mut scanner = Scanner::new(&nothing);
    let (bytes, values) = (text.as_bytes(), [Value::Missing; 3]);
    let mut walk =
        Walk { scanner: &mut scanner, bytes, pos: 0, depth: 0, values, unescaped: Unescaped::default() };
    walk.whole(&mut Vec::new())
}

/// Where a wanted value stands in the line. Strings are without their quotes.
#[derive(Clone, Copy, Debug)]
enum Value {
    Missing,
    Null,
    Other,
    Number { start: usize, end: usize },
    String { start: usize, end: usize, escaped: bool },
}

/// Which wanted paths a value ends (`target`) and which lead through it (`inner`), one bit a path.
#[derive(Clone, Copy, Debug, Default)]
struct Hits {
    target: u8,
    inner: u8,
}

#[derive(Clone, Copy, Debug)]
enum State {
    FirstKey,
    Key,
    FirstItem,
    Value(Hits),
    After,
}

/// Marks an object in the stack of levels; the low bits are the paths that lead through it.
const OBJECT: u8 = 1 << 7;

/// One pass over one line.
struct Walk<'w, 'f> {
    scanner: &'w mut Scanner<'f>,
    bytes: &'w [u8],
    pos: usize,
    depth: usize,
    values: [Value; 3],
    unescaped: Unescaped,
}

impl Walk<'_, '_> {
    fn object(&mut self, scratch: &mut Vec<u8>) -> Parsed<()> {
        self.space();
        if self.peek() != Some(b'{') {
            return Err(self.error("expected a JSON object"));
        }
        self.whole(scratch)
    }

    fn whole(&mut self, scratch: &mut Vec<u8>) -> Parsed<()> {
        self.space();
        let hits = Hits { target: 0, inner: self.scanner.asked };
        let mut state = self.value(hits, scratch)?;
        while self.depth > 0 {
            self.space();
            let byte = self.peek();
            state = match (state, byte) {
                (State::FirstKey, Some(b'}')) | (State::FirstItem, Some(b']')) => self.close(),
                (State::FirstKey | State::Key, Some(b'"')) => {
                    let hits = self.key()?;
                    self.space();
                    if self.peek() != Some(b':') {
                        return Err(self.error("expected `:` after a key"));
                    }
                    self.pos += 1;
                    State::Value(hits)
                }
                (State::FirstKey, _) => return Err(self.error("expected a key in double quotes or `}`")),
                (State::Key, _) => return Err(self.error("expected a key in double quotes")),
                (State::FirstItem, _) => self.value(Hits::default(), scratch)?,
                (State::Value(hits), _) => self.value(hits, scratch)?,
                (State::After, _) => self.after(byte)?,
            };
        }
        self.space();
        if self.pos < self.bytes.len() { Err(self.error("more after the value")) } else { Ok(()) }
    }

    fn after(&mut self, byte: Option<u8>) -> Parsed<State> {
        let object = self.level() & OBJECT != 0;
        match byte {
            Some(b',') => {
                self.pos += 1;
                Ok(if object { State::Key } else { State::Value(Hits::default()) })
            }
            Some(b'}') if object => Ok(self.close()),
            Some(b']') if !object => Ok(self.close()),
            _ if object => Err(self.error("expected `,` or `}`")),
            _ => Err(self.error("expected `,` or `]`")),
        }
    }

    /// A key, and what it means for the wanted paths. A path that it matches forgets what it found before.
    fn key(&mut self) -> Parsed<Hits> {
        let start = self.pos + 1;
        let scanner = &mut *self.scanner;
        let body = scanner.kernel.skip(self.bytes, start)?;
        self.pos = body.end + 1;
        let part = self.depth - 1;
        let alive = scanner.levels[part] & !OBJECT;
        let mut hits = Hits::default();
        if alive == 0 {
            return Ok(hits);
        }
        let mut name = &self.bytes[start..body.end];
        if body.escaped {
            let (_, plain) = scanner.kernel.unescape(self.bytes, start, &mut scanner.key, 0)?;
            if plain.lone_surrogate {
                return Ok(hits);
            }
            name = &scanner.key[plain.start..plain.end];
        }
        for (wanted, path) in scanner.paths.iter().enumerate() {
            let bit = 1 << wanted;
            if alive & bit != 0 && path[part].as_bytes() == name {
                self.values[wanted] = Value::Missing;
                if path.len() == part + 1 {
                    hits.target |= bit;
                } else {
                    hits.inner |= bit;
                }
            }
        }
        Ok(hits)
    }

    fn value(&mut self, hits: Hits, scratch: &mut Vec<u8>) -> Parsed<State> {
        let start = self.pos;
        let value = match self.peek() {
            Some(b'"') => {
                let (bytes, kernel) = (self.bytes, self.scanner.kernel);
                let body = if hits.target & 1 << TEXT == 0 {
                    kernel.skip(bytes, start + 1)?
                } else {
                    let (body, text) = kernel.unescape(bytes, start + 1, scratch, 0)?;
                    self.unescaped = text;
                    body
                };
                self.pos = body.end + 1;
                Value::String { start: start + 1, end: body.end, escaped: body.escaped }
            }
            Some(b'{') => {
                self.set(hits.target, Value::Other);
                return self.open(OBJECT | hits.inner);
            }
            Some(b'[') => {
                self.set(hits.target, Value::Other);
                return self.open(0);
            }
            Some(b't') => self.literal(b"true", Value::Other)?,
            Some(b'f') => self.literal(b"false", Value::Other)?,
            Some(b'n') => self.literal(b"null", Value::Null)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return Err(self.error("expected a value")),
        };
        self.set(hits.target, value);
        Ok(State::After)
    }

    #[inline]
    fn set(&mut self, target: u8, value: Value) {
        if target != 0 {
            (0..3).filter(|wanted| target & 1 << wanted != 0).for_each(|wanted| self.values[wanted] = value);
        }
    }

    fn open(&mut self, level: u8) -> Parsed<State> {
        if self.depth == MAX_DEPTH {
            return Err(self.error("nested deeper than 128 levels"));
        }
        self.scanner.levels[self.depth] = level;
        self.depth += 1;
        self.pos += 1;
        Ok(if level & OBJECT == 0 { State::FirstItem } else { State::FirstKey })
    }

    fn close(&mut self) -> State {
        self.depth -= 1;
        self.pos += 1;
        State::After
    }

    fn level(&self) -> u8 {
        self.scanner.levels[self.depth - 1]
    }

    fn literal(&mut self, name: &[u8], value: Value) -> Parsed<Value> {
        let rest = &self.bytes[self.pos..];
        let same = rest.iter().zip(name).take_while(|(a, b)| a == b).count();
        self.pos += same;
        if same == name.len() { Ok(value) } else { Err(self.error("expected `true`, `false` or `null`")) }
    }

    fn number(&mut self) -> Parsed<Value> {
        let start = self.pos;
        self.pos += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.pos += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.pos += 1;
            self.pos += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(Value::Number { start, end: self.pos })
    }

    fn digits(&mut self) -> Parsed<()> {
        let count = self.bytes[self.pos..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.pos += count;
        if count == 0 { Err(self.error("expected a digit")) } else { Ok(()) }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.pos += 1;
        }
    }

    #[cold]
    fn error(&self, message: &'static str) -> SyntaxError {
        SyntaxError { offset: self.pos, message }
    }
}
