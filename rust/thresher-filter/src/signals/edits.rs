//! What DCLM-baseline makes of the lines of a page it keeps: seven edits, each over the whole text, in their order.
//!
//! They are those of `baselines/mappers/modifiers.py` of mlfoundations/dclm at 361714b with the parameters of
//! `dclm_baseline_refinedweb.yaml`. A text is copied only by an edit that changes it.

use std::borrow::Cow;

use memchr::{memchr2_iter, memmem};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::classes::{self, ALNUM, BLANK, DIGIT, UPPER};
use super::lines;

/// Lines of up to so many words lose a phrase of a shop or a login.
const PHRASE_LINE_WORDS: usize = 10;

/// What a line counts that is nothing but a counter.
const COUNTED: [&str; 12] = [
    "likes",
    "shares",
    "comments",
    "retweets",
    "reposts",
    "quotes",
    "bookmarks",
    "upvotes",
    "downvotes",
    "downloads",
    "views",
    "followers",
];

/// The text after the edits of its lines, in their order; empty as soon as one of them leaves nothing.
pub(crate) fn edit(text: &str) -> Cow<'_, str> {
    let text = collapse_newlines(text);
    let text = strip_cow(keep_lines(text, |line| line.is_empty() || share(line, UPPER) <= 0.5));
    let text = strip_cow(keep_lines(text, |line| line.is_empty() || share(line, DIGIT) <= 0.999_999));
    let text = strip_cow(keep_lines(text, |line| !is_counter(line)));
    let text = keep_lines(text, |line| line.is_empty() || has_words(line, 2));
    let text = strip_cow(cut_phrases(text, "items in cart", "cart", cut_anywhere));
    let text = strip_cow(cut_phrases(text, "read more", "more", cut_read_more));
    strip_cow(cut_phrases(text, "sign-in", "gn-", cut_front))
}

/// At most two `\n` in a row.
fn collapse_newlines(text: &str) -> Cow<'_, str> {
    let Some(mut at) = memmem::find(text.as_bytes(), b"\n\n\n") else { return Cow::Borrowed(text) };
    let mut edited = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let (kept, behind) = rest.split_at(at + 2);
        edited.push_str(kept);
        rest = behind.trim_start_matches('\n');
        match memmem::find(rest.as_bytes(), b"\n\n\n") {
            Some(next) => at = next,
            None => break,
        }
    }
    edited.push_str(rest);
    Cow::Owned(edited)
}

fn keep_lines(text: Cow<'_, str>, keep: impl Fn(&str) -> bool) -> Cow<'_, str> {
    if lines_of(&text).all(&keep) {
        return text;
    }
    Cow::Owned(join(lines_of(&text).filter(|line| keep(line))))
}

fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    lines::split(text).map(|line| line.text)
}

fn join<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    for (number, line) in lines.enumerate() {
        if number > 0 {
            joined.push('\n');
        }
        joined.push_str(line);
    }
    joined
}

fn strip_cow(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(strip(text)),
        Cow::Owned(text) if strip(&text).len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(strip(&text).to_owned()),
    }
}

/// The share of characters of a class in a line that has some.
fn share(line: &str, class: u8) -> f64 {
    let (found, of) = if line.is_ascii() {
        let bytes = line.as_bytes().iter();
        let found = match class {
            UPPER => bytes.filter(|byte| byte.is_ascii_uppercase()).count(),
            _ => bytes.filter(|byte| byte.is_ascii_digit()).count(),
        };
        (found, line.len())
    } else {
        (line.chars().filter(|&c| classes::is(c, class)).count(), line.chars().count())
    };
    found as f64 / of as f64
}

fn has_words(line: &str, count: usize) -> bool {
    let (mut words, mut blank_before) = (0, true);
    line.chars().any(|c| {
        let blank = if c.is_ascii() { matches!(c, '\t'..='\r' | '\u{1C}'..=' ') } else { is_blank(c) };
        words += usize::from(blank_before && !blank);
        blank_before = blank;
        words == count
    })
}

/// Whether a line in lower case is `^\W*\d(?:,|\.|\d)*(?:K|k|M|m|B|b)?\s+(?:likes|...)\W*$`.
fn is_counter(line: &str) -> bool {
    let is_word = |c: char| c == '_' || classes::is(c, ALNUM);
    let is_decimal = |c: char| {
        c.is_ascii_digit() || !c.is_ascii() && c.general_category() == GeneralCategory::DecimalNumber
    };
    // What decides early is not changed by lower case: neither digits nor what is no part of a word.
    let line = line.trim_start_matches(|c| !is_word(c));
    if !line.starts_with(is_decimal) {
        return false;
    }
    let line = line.to_lowercase();
    let rest = line.trim_start_matches(|c| matches!(c, ',' | '.') || is_decimal(c));
    let rest = rest.strip_prefix(['k', 'm', 'b']).unwrap_or(rest);
    let noun = rest.trim_start_matches(is_blank);
    noun.len() < rest.len()
        && COUNTED
            .iter()
            .any(|counted| noun.strip_prefix(counted).is_some_and(|rest| !rest.contains(is_word)))
}

/// Takes `phrase` out of lines of up to ten words; a line of which nothing is left is dropped. `part` is a part of it that no
/// letter beyond ASCII stands for; few texts have one.
fn cut_phrases<'t>(
    text: Cow<'t, str>,
    phrase: &str,
    part: &str,
    cut: impl Fn(&str, &str) -> Option<String>,
) -> Cow<'t, str> {
    if !has_part(&text, part) {
        return text;
    }
    let mut found = Vec::new();
    for (number, line) in lines_of(&text).enumerate() {
        if !has_words(line, PHRASE_LINE_WORDS + 1)
            && let Some(rest) = cut(line, phrase)
        {
            found.push((number, rest));
        }
    }
    if found.is_empty() {
        return text;
    }
    let mut found = found.iter().peekable();
    let lines = lines_of(&text).enumerate().filter_map(|(number, line)| {
        match found.next_if(|(changed, _)| *changed == number) {
            Some((_, rest)) => (!strip(rest).is_empty()).then_some(rest.as_str()),
            None => Some(line),
        }
    });
    Cow::Owned(join(lines))
}

/// Whether a text has an ASCII part in it, in any case.
fn has_part(text: &str, part: &str) -> bool {
    let (bytes, part) = (text.as_bytes(), part.as_bytes());
    memchr2_iter(part[0], part[0].to_ascii_uppercase(), bytes)
        .any(|at| bytes.get(at..at + part.len()).is_some_and(|found| found.eq_ignore_ascii_case(part)))
}

/// The length of `phrase` at the start of `text`, as Python's `re.I` compares letters.
fn matches_at(text: &str, phrase: &str) -> Option<usize> {
    let mut chars = text.chars();
    for expected in phrase.chars() {
        let c = match chars.next()? {
            '\u{130}' | '\u{131}' => 'i',
            '\u{17F}' => 's',
            '\u{212A}' => 'k',
            c => c.to_ascii_lowercase(),
        };
        if c != expected {
            return None;
        }
    }
    Some(text.len() - chars.as_str().len())
}

/// `\s?phrase` anywhere.
fn cut_anywhere(line: &str, phrase: &str) -> Option<String> {
    let (mut rest, mut from) = (String::new(), 0);
    let mut at = 0;
    while let Some(c) = line.get(at..).and_then(|rest| rest.chars().next()) {
        let behind = at + if is_blank(c) { c.len_utf8() } else { 0 };
        let found = line.get(behind..).and_then(|rest| matches_at(rest, phrase)).map(|len| behind + len);
        match found {
            Some(end) => {
                rest.push_str(line.get(from..at).unwrap_or_default());
                (from, at) = (end, end);
            }
            None => at += c.len_utf8(),
        }
    }
    rest.push_str(line.get(from..).unwrap_or_default());
    (from > 0).then_some(rest)
}

/// `\s?read more...$`, where each dot stands for any character, as it does in a pattern.
fn cut_read_more(line: &str, phrase: &str) -> Option<String> {
    let (dots, _) = line.char_indices().rev().nth(2)?;
    let (at, _) = line.get(..dots)?.char_indices().rev().nth(phrase.chars().count() - 1)?;
    if matches_at(line.get(at..dots)?, phrase)? != dots - at {
        return None;
    }
    let before = line.get(..at)?;
    let before = before.strip_suffix(is_blank).unwrap_or(before);
    Some(before.to_owned())
}

/// `^phrase\s?`.
fn cut_front(line: &str, phrase: &str) -> Option<String> {
    let rest = line.get(matches_at(line, phrase)?..)?;
    Some(rest.strip_prefix(is_blank).unwrap_or(rest).to_owned())
}

fn is_blank(c: char) -> bool {
    classes::is(c, BLANK)
}

/// As `str.strip`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_blank)
}
