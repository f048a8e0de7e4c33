//! Text is cut into pre-tokens, which merges never cross.
//!
//! ```text
//! stretch ─ stage ─ pieces ─ stage ─ ... ─ pre-tokens       each stage cuts every piece of the one before
//! ```
//!
//! The stages are those of the tokenizer.json, recognised by their exact spelling: patterns ([`pattern`]), whose
//! matches a scanner finds ([`scan`]), and digits. What is not recognised is left to the crate `tokenizers`.

mod blocks;
mod categories;
mod classes;
mod pattern;
mod scan;
#[cfg(test)]
pub(crate) mod tests;
mod vectors;

use serde_json::Value;

pub(crate) use blocks::{AHEAD, WINDOW, begins_phrase};
use classes::{Classes, NUMBER};
pub(crate) use pattern::Pattern;
use scan::Scanner;
use vectors::{Plain, Set, Vectors};

/// Who is handed the pre-tokens of a text, in order.
pub(crate) trait Sink {
    /// Takes `text[start..end]`.
    fn take(&mut self, start: usize, end: usize);

    /// Takes pre-tokens of a window: the first one begins at its first byte, which is `text[base]`, each other one at a bit of
    /// `starts`, where the one before ends.
    #[inline(always)]
    fn take_each(&mut self, base: usize, mut starts: u64) {
        let mut start = base;
        while starts != 0 {
            let end = base + starts.trailing_zeros() as usize;
            self.take(start, end);
            start = end;
            starts &= starts - 1;
        }
    }

    /// The same of a window without Chinese and Japanese, with the bytes behind it.
    #[inline(always)]
    fn take_window(&mut self, _: &[u8; WINDOW + AHEAD], base: usize, starts: u64) {
        self.take_each(base, starts);
    }
}

impl<F: FnMut(usize, usize)> Sink for F {
    #[inline(always)]
    fn take(&mut self, start: usize, end: usize) {
        self(start, end);
    }
}

/// How a stretch of text is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PreTokenizer {
    /// The stages before the last one.
    first: Vec<Stage>,
    last: Stage,
    /// Whether a blank is put before a piece that does not begin with one.
    pub(crate) prefix_space: bool,
    /// What reports call it.
    pub(crate) name: String,
}

/// One cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The matches of a pattern of the family, and what is between them.
    Pattern(Pattern),
    /// Numbers by Rust's `char::is_numeric`, each alone or by runs, and what is between them.
    Digits { alone: bool },
    /// Groups of up to so many numbers, `\p{N}`, and what is between them.
    Numbers(usize),
    /// Runs of the characters that DeepSeek takes for Chinese and Japanese, and what is between them.
    Cjk,
    /// Nothing is cut.
    Whole,
}

/// The names of patterns as reports say them, by what they were published with first.
const NAMES: [(&str, &str); 5] = [
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "Llama 3",
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "Qwen 2",
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "o200k",
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "Mistral Tekken",
    ),
    (
        r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
        "DeepSeek V3",
    ),
];

impl PreTokenizer {
    /// Reads the member `pre_tokenizer` of a tokenizer.json with a byte-level model; the error says what is not known.
    pub(crate) fn read(value: Option<&Value>) -> Result<Self, String> {
        let value = value.ok_or("it has no pre-tokenizer, so its model is not of bytes")?;
        let single = std::slice::from_ref(value);
        let list = match kind(value) {
            "Sequence" => value["pretokenizers"].as_array().map_or(single, Vec::as_slice),
            _ => single,
        };
        let (mut stages, mut names, mut prefix_space, mut bytes) = (Vec::new(), Vec::new(), false, false);
        for part in list {
            if bytes {
                return Err("a pre-tokenizer stands behind `ByteLevel`".to_owned());
            }
            match kind(part) {
                "Split" => {
                    let (stage, name) = split(part)?;
                    stages.push(stage);
                    names.push(name);
                }
                "Digits" => {
                    let alone = part["individual_digits"].as_bool().unwrap_or(false);
                    stages.push(Stage::Digits { alone });
                    names.push(if alone { "single digits" } else { "digits" }.to_owned());
                }
                "ByteLevel" => {
                    bytes = true;
                    prefix_space = part["add_prefix_space"].as_bool().unwrap_or(true);
                    if part["use_regex"].as_bool().unwrap_or(true) {
                        stages.push(Stage::Pattern(Pattern::GPT2));
                        names.push("GPT-2".to_owned());
                    }
                }
                other => return Err(format!("its pre-tokenizer `{other}` has no scanner here")),
            }
        }
        if !bytes {
            return Err("its model is not of bytes: it has no pre-tokenizer `ByteLevel`".to_owned());
        }
        if prefix_space && stages.len() > 1 {
            return Err("its pre-tokenizer puts a blank before every piece".to_owned());
        }
        let last = stages.pop().unwrap_or(Stage::Whole);
        let name = if names.is_empty() { "whole text".to_owned() } else { names.join(", ") };
        Ok(Self { first: stages, last, prefix_space, name })
    }

    /// Hands every pre-token of `text` to `sink`, in order.
    #[inline]
    pub(crate) fn cut(&self, text: &str, sink: impl Sink) {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn avx2(way: &PreTokenizer, text: &str, sink: impl Sink) {
            way.cut_with::<vectors::Avx2>(text, sink);
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn avx512(way: &PreTokenizer, text: &str, sink: impl Sink) {
            way.cut_with::<vectors::Avx512>(text, sink);
        }
        match Set::best() {
            Set::Plain => self.cut_with::<Plain>(text, sink),
            // SAFETY: the processor has the instruction set.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2(self, text, sink) },
            // SAFETY: the processor has the instruction set.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512(self, text, sink) },
        }
    }

    #[inline(always)]
    fn cut_with<V: Vectors>(&self, text: &str, mut sink: impl Sink) {
        match self.first.as_slice() {
            [] => self.last.cut::<V>(text, sink),
            first => cut_by(first, self.last, text, 0, &mut |start, end| sink.take(start, end)),
        }
    }
}

/// Cuts by one stage after the other; `base` is where `text` lies.
fn cut_by(stages: &[Stage], last: Stage, text: &str, base: usize, take: &mut dyn FnMut(usize, usize)) {
    match stages {
        [] => last.cut::<Plain>(text, |start, end| take(base + start, base + end)),
        [stage, rest @ ..] => stage.cut::<Plain>(text, |start, end| {
            cut_by(rest, last, &text[start..end], base + start, take);
        }),
    }
}

impl Stage {
    #[inline(always)]
    fn cut<V: Vectors>(self, text: &str, mut sink: impl Sink) {
        let mut take = |start, end| sink.take(start, end);
        match self {
            Self::Pattern(pattern) => cut_by_pattern::<V>(pattern, text, sink),
            Self::Digits { alone } => {
                runs(text, if alone { 1 } else { usize::MAX }, |c, _| c.is_numeric(), take);
            }
            Self::Numbers(most) => runs(text, most, |_, class| class == NUMBER, take),
            Self::Cjk => {
                runs(text, usize::MAX, |c, _| matches!(c, '一'..='龥' | '\u{3040}'..='\u{30FF}'), take);
            }
            Self::Whole => {
                if !text.is_empty() {
                    take(0, text.len());
                }
            }
        }
    }
}

/// The shortest window that pays.
const LEAST: u32 = 16;

/// The matches of a pattern and what is between them: a window at a time where masks can tell, else one by one.
#[inline(always)]
fn cut_by_pattern<V: Vectors>(pattern: Pattern, text: &str, mut sink: impl Sink) {
    let scanner = Scanner::new(pattern, text);
    let bytes = text.as_bytes();
    let (mut at, mut windows_from) = (0, if pattern.has_blocks() { 0 } else { usize::MAX });
    while at < bytes.len() {
        if at >= windows_from
            && let Some(window) = bytes[at..].first_chunk()
        {
            // SAFETY: this is compiled into a function of its instruction set.
            let mut masks = unsafe { V::masks(window) };
            let limit = masks.complete(pattern, Classes::get(), window);
            let starts = if limit >= LEAST { pattern.starts(window, &masks, limit) } else { 0 };
            if starts != 0 {
                match bytes[at..].first_chunk() {
                    Some(chunk) if !masks.has_phrases(window) => sink.take_window(chunk, at, starts),
                    _ => sink.take_each(at, starts),
                }
                at += (u64::BITS - 1 - starts.leading_zeros()) as usize;
                continue;
            }
            windows_from = at + limit.max(1) as usize;
        }
        let end = scanner.end_from(at);
        sink.take(at, end);
        at = end;
    }
}

/// Runs of up to `most` characters that `is`, and the runs between them.
fn runs(text: &str, most: usize, is: impl Fn(char, u8) -> bool, mut take: impl FnMut(usize, usize)) {
    let classes = Classes::get();
    let (mut start, mut inside, mut len) = (0, false, 0);
    for (at, c) in text.char_indices() {
        let belongs = is(c, classes.of(c as u32));
        if at > start && (belongs != inside || inside && len == most) {
            take(start, at);
            (start, len) = (at, 0);
        }
        inside = belongs;
        len += 1;
    }
    if start < text.len() {
        take(start, text.len());
    }
}

/// The type of a part.
fn kind(value: &Value) -> &str {
    value["type"].as_str().unwrap_or("")
}

/// A `Split` by a pattern that we know, and its name.
fn split(part: &Value) -> Result<(Stage, String), String> {
    let Some(pattern) = part["pattern"]["Regex"].as_str() else {
        return Err("its pre-tokenizer splits by a string, not by a pattern".to_owned());
    };
    let unknown = || format!("the pattern `{pattern}` has no scanner here");
    let (behavior, invert) =
        (part["behavior"].as_str().unwrap_or(""), part["invert"].as_bool().unwrap_or(false));
    let isolated = behavior == "Isolated";
    match pattern {
        r"\p{N}{1,3}" if isolated => return Ok((Stage::Numbers(3), "three digits".to_owned())),
        r"\p{N}" | r"\d" if isolated && pattern == r"\p{N}" => {
            return Ok((Stage::Numbers(1), "single digits".to_owned()));
        }
        "[一-龥\u{3040}-ゟ゠-ヿ]+" if isolated => {
            return Ok((Stage::Cjk, "Chinese and Japanese".to_owned()));
        }
        _ => {}
    }
    let known = Pattern::read(pattern).ok_or_else(unknown)?;
    // Of a pattern that matches everything it is the same to keep matches or to drop what is between them.
    if !(isolated || known.is_total() && behavior == "Removed" && invert) {
        return Err(format!("the behavior `{behavior}` of its pattern has no scanner here"));
    }
    let name = NAMES.iter().find(|(spelling, _)| *spelling == pattern).map_or(pattern, |(_, name)| name);
    Ok((Stage::Pattern(known), name.to_owned()))
}
