//! How many sentences a line has, by punctuation alone.
//!
//! A sentence ends with a run of `.`, `?` and `!`, and of quotes and brackets that close, if the line ends there or a blank
//! follows and then anything but a lower-case letter; or at a terminal punctuation mark beyond ASCII. What is left at the end of a
//! line is a sentence too, unless it is blank. The tools ask a model (Punkt in C4, spaCy or Punkt in datatrove), which knows
//! abbreviations.

use memchr::memchr3;

use super::classes::{self, BLANK, TERMINAL};

/// The sentences of a line.
pub(crate) fn count(line: &str) -> u64 {
    let (mut sentences, mut from) = (0, 0);
    let ascii = line.is_ascii();
    let mut next = next_mark(line, 0, ascii);
    while let Some((at, mark)) = next {
        let (end, ends) = if mark.is_ascii() { after_mark(line, at) } else { (at + mark.len_utf8(), true) };
        if ends {
            sentences += 1;
            from = end;
        }
        next = next_mark(line, end, ascii);
    }
    let rest = line.get(from..).unwrap_or_default();
    sentences + u64::from(rest.chars().any(|c| !classes::is(c, BLANK)))
}

/// The first mark from `from` on.
#[inline]
fn next_mark(line: &str, from: usize, ascii: bool) -> Option<(usize, char)> {
    let rest = line.get(from..)?;
    if ascii {
        let at = memchr3(b'.', b'?', b'!', rest.as_bytes())?;
        return Some((from + at, '.'));
    }
    rest.char_indices().find(|&(_, c)| classes::is(c, TERMINAL)).map(|(at, c)| (from + at, c))
}

/// The end of the run of marks that begins at `at`, and whether a sentence ends there.
#[inline]
fn after_mark(line: &str, at: usize) -> (usize, bool) {
    let rest = line.get(at..).unwrap_or_default();
    let run = |c: char| matches!(c, '.' | '?' | '!' | '"' | '\'' | ')' | ']' | '}' | '”' | '’' | '»');
    let behind = rest.trim_start_matches(run);
    let end = at + rest.len() - behind.len();
    let mut following = behind.chars();
    let ends = match following.next() {
        None => true,
        Some(c) if classes::is(c, BLANK) => {
            following.find(|&c| !classes::is(c, BLANK)).is_none_or(|c| !c.is_lowercase())
        }
        Some(_) => false,
    };
    (end, ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_at_marks_that_a_blank_follows() {
        let cases = [
            ("", 0),
            (" ", 0),
            ("no mark", 1),
            ("One. Two! Three?", 3),
            ("He said \"stop.\" Then he went (at last.) Home", 3),
            ("Version 1.2.3 of a.b, e.g. this one, etc.", 1),
            ("What?! ... And then... nothing", 3),
            ("一。二！三", 3),
            ("Они ушли. Дом пуст… «Да.» Нет", 3),
            (". . .", 3),
        ];
        for (line, expected) in cases {
            assert_eq!(count(line), expected, "{line}");
        }
    }

    #[test]
    fn a_line_of_marks_and_blanks_takes_linear_time() {
        let line = ".\u{a0}   a ".repeat(200_000);
        assert_eq!(count(&line), 1);
        let blanks = format!("{}{}", ". ".repeat(100_000), " ".repeat(100_000));
        assert_eq!(count(&blanks), 100_000);
    }
}
