//! The matches of a [`Pattern`], found by hand: what its alternatives would match at a place, in their order.
//!
//! A match is decided by looking at runs of characters of some classes, so a text costs linear time. What backtracking
//! would find is worked out: `\s+(?!\S)` is a run of blanks without its last one; `\s*[\r\n]+` ends at the last line break of
//! a run; `[UB]*[DB]+`, with `U` capitals, `D` lower case and `B` what is both, ends behind the lower-case letters that follow
//! the run of `[UB]`, or, where none follow, behind its last `B`.

use super::classes::{
    Char, Classes, LETTER, LETTERS, LOWER, MARK, MODIFIER, NUMBER, PUNCTUATION, SPACE, SYMBOL, Set, TITLE,
    UPPER, set,
};
use super::pattern::{Contractions, Letters, Meant, Numbers, Pattern, Tail};

const NUMBERS: Set = set([NUMBER]);
const SPACES: Set = set([SPACE]);
const MARKS: Set = set([MARK]);
const WORDS: Set = LETTERS | MARKS;
const CAPITALS: Set = set([UPPER, TITLE, MODIFIER, LETTER, MARK]);
const SMALLS: Set = set([LOWER, MODIFIER, LETTER, MARK]);
const BOTH: Set = CAPITALS & SMALLS;
const ALL: Set = (1 << 11) - 1;

/// One text and what is needed to read it.
#[derive(Clone, Copy)]
pub(crate) struct Scanner<'t> {
    text: &'t [u8],
    classes: &'static Classes,
    pattern: Pattern,
    /// What `[^\s\p{L}\p{N}]` or its like is.
    others: Set,
}

impl<'t> Scanner<'t> {
    /// Of a text in UTF-8.
    #[inline]
    pub(crate) fn new(pattern: Pattern, text: &'t str) -> Self {
        let others = match pattern.others.meant {
            Meant::All => ALL & !(SPACES | LETTERS | NUMBERS),
            Meant::NoMarks => ALL & !(SPACES | LETTERS | NUMBERS | MARKS),
            Meant::Punctuation => set([PUNCTUATION, SYMBOL]),
        };
        Self { text: text.as_bytes(), classes: Classes::get(), pattern, others }
    }

    /// Where the pre-token that begins at `at` ends. Characters that no alternative matches are one pre-token until the next match.
    #[inline(never)]
    pub(crate) fn end_from(&self, at: usize) -> usize {
        if let Some(end) = self.match_at(at) {
            return end;
        }
        let mut end = at;
        loop {
            end += self.classes.at(self.text, end).len;
            if end >= self.text.len() || self.match_at(end).is_some() {
                return end;
            }
        }
    }

    /// The end of the match that begins at `at`.
    #[inline(always)]
    fn match_at(&self, at: usize) -> Option<usize> {
        let Pattern { contractions, letters, numbers, breaks, .. } = self.pattern;
        let here = self.char(at)?;
        if here.code_point == u32::from('\'') && contractions != Contractions::No {
            let found = self.contraction(at, contractions == Contractions::AnyCase);
            if found.is_some() {
                return found;
            }
        }
        let found = match letters {
            Letters::Spaced => self.spaced(at, here, LETTERS),
            Letters::Prefixed => self.prefixed(at, here, LETTERS, LETTERS | NUMBERS),
            Letters::Marked => self.prefixed(at, here, WORDS, LETTERS | NUMBERS),
            Letters::Cased { contractions } => self.cased(at, here, contractions),
            Letters::Punctuated => self.punctuated(at, here),
        };
        if found.is_some() {
            return found;
        }
        let found = match numbers {
            Numbers::Spaced => self.spaced(at, here, NUMBERS),
            Numbers::UpTo(most) if here.is(NUMBERS) => Some(self.run_of(at, NUMBERS, most)),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
        if let Some(end) = self.spaced(at, here, self.others) {
            return Some(self.tail(end));
        }
        if !here.is(SPACES) {
            return None;
        }
        Some(self.blanks(at, breaks))
    }

    #[inline(always)]
    fn char(&self, at: usize) -> Option<Char> {
        if at < self.text.len() { Some(self.classes.at(self.text, at)) } else { None }
    }

    /// The end of the run of characters of `set` from `at` on.
    #[inline(always)]
    fn run(&self, mut at: usize, set: Set) -> usize {
        while let Some(next) = self.char(at).filter(|next| next.is(set)) {
            at += next.len;
        }
        at
    }

    /// The end of a run of at most `most` characters.
    fn run_of(&self, mut at: usize, set: Set, most: usize) -> usize {
        let mut left = most;
        while let Some(next) = self.char(at).filter(|next| left > 0 && next.is(set)) {
            at += next.len;
            left -= 1;
        }
        at
    }

    /// ` ?[set]+`.
    #[inline(always)]
    fn spaced(&self, at: usize, here: Char, set: Set) -> Option<usize> {
        if here.is(set) {
            return Some(self.run(at + here.len, set));
        }
        let next = at + 1;
        (here.code_point == u32::from(' ') && self.char(next)?.is(set)).then(|| self.run(next, set))
    }

    /// `[^\r\n not]?[set]+`.
    #[inline(always)]
    fn prefixed(&self, at: usize, here: Char, set: Set, not: Set) -> Option<usize> {
        let next = at + here.len;
        if !here.is(not) && !is_break(here) && self.char(next).is_some_and(|next| next.is(set)) {
            return Some(self.run(next, set));
        }
        here.is(set).then(|| self.run(next, set))
    }

    /// Both alternatives of words with case: first those that end in lower case, then those that begin with a capital.
    fn cased(&self, at: usize, here: Char, contractions: bool) -> Option<usize> {
        let prefix = (!here.is(LETTERS | NUMBERS) && !is_break(here)).then_some(at + here.len);
        let starts = [prefix, Some(at)];
        let lower = starts.iter().flatten().find_map(|&start| self.ends_lower(start));
        let end = lower.or_else(|| {
            starts.iter().flatten().find_map(|&start| {
                let end = self.run(start, CAPITALS);
                (end > start).then(|| self.run(end, SMALLS))
            })
        })?;
        Some(if contractions { self.contraction(end, true).unwrap_or(end) } else { end })
    }

    /// `[UB]*[DB]+`.
    fn ends_lower(&self, start: usize) -> Option<usize> {
        let (mut at, mut behind_both) = (start, None);
        while let Some(next) = self.char(at).filter(|next| next.is(CAPITALS)) {
            at += next.len;
            if next.is(BOTH) {
                behind_both = Some(at);
            }
        }
        let end = self.run(at, SMALLS);
        if end > at { Some(end) } else { behind_both }
    }

    /// Both alternatives of words with punctuation before them.
    fn punctuated(&self, at: usize, here: Char) -> Option<usize> {
        if here.len == 1 && self.text[at].is_ascii_punctuation() {
            let letters = self.text[at + 1..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            if letters > 0 {
                return Some(at + 1 + letters);
            }
        }
        self.prefixed(at, here, WORDS, LETTERS | set([PUNCTUATION, SYMBOL]))
    }

    /// The contraction at `at`, if there is an apostrophe with one.
    fn contraction(&self, at: usize, any_case: bool) -> Option<usize> {
        let rest = self.text.get(at..)?.strip_prefix(b"'")?;
        let lower = |place: usize| {
            rest.get(place).map(|byte| if any_case { byte.to_ascii_lowercase() } else { *byte })
        };
        let len = match (lower(0)?, lower(1)) {
            (b's' | b't' | b'm' | b'd', _) => 1,
            (b'r' | b'v', Some(b'e')) | (b'l', Some(b'l')) => 2,
            // The long s, which is an `s` where case does not count.
            (0xC5, Some(0xBF)) if any_case => 2,
            _ => return None,
        };
        Some(at + 1 + len)
    }

    /// Line breaks, and slashes if they count, behind other characters.
    #[inline(always)]
    fn tail(&self, at: usize) -> usize {
        let belongs: fn(&u8) -> bool = match self.pattern.others.tail {
            Tail::No => return at,
            Tail::Breaks => |byte| matches!(byte, b'\r' | b'\n'),
            Tail::BreaksAndSlashes => |byte| matches!(byte, b'\r' | b'\n' | b'/'),
        };
        at + self.text[at..].iter().take_while(|&byte| belongs(byte)).count()
    }

    /// `\s*[\r\n]+` if `breaks`, `\s+(?!\S)`, `\s+`.
    fn blanks(&self, start: usize, breaks: bool) -> usize {
        let (mut at, mut last, mut behind_break) = (start, start, None);
        while let Some(next) = self.char(at).filter(|next| next.is(SPACES)) {
            last = at;
            at += next.len;
            if is_break(next) {
                behind_break = Some(at);
            }
        }
        match behind_break {
            Some(end) if breaks => end,
            _ if at == self.text.len() || last == start => at,
            _ => last,
        }
    }
}

/// `[\r\n]`.
#[inline(always)]
fn is_break(c: Char) -> bool {
    c.code_point == u32::from('\n') || c.code_point == u32::from('\r')
}
