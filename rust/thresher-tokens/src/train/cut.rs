//! How texts are cut into pre-tokens before a byte-level model is trained: the published patterns by name.
//!
//! What is trained with is what is written to tokenizer.json, and what the encoder reads there: one spelling for all three.

use serde_json::{Value, json};

use crate::pretokenize::PreTokenizer;
use crate::{Error, Result};

/// Patterns by name, each with the place of its numbers.
///
/// Sources: GPT-2, `encoder.py` (2019); cl100k and o200k, `tiktoken_ext/openai_public.py`; Llama 3 and Qwen 2, the tokenizer.json
/// of the models. Llama 3 spells cl100k's pattern in another way; Qwen 2 cuts numbers into digits.
const PATTERNS: [(&str, &str, &str); 5] = [
    ("gpt2", r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|NUMBERS| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", r" ?\p{N}+"),
    ("cl100k", LLAMA3, r"\p{N}{1,3}"),
    ("llama3", LLAMA3, r"\p{N}{1,3}"),
    ("qwen2", LLAMA3, r"\p{N}"),
    (
        "o200k",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|NUMBERS| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"\p{N}{1,3}",
    ),
];
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|NUMBERS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The names of patterns.
pub const PATTERN_NAMES: [&str; 5] = ["gpt2", "cl100k", "llama3", "qwen2", "o200k"];
/// What numbers are cut into: as the pattern says, single digits, or groups of up to three.
pub const DIGITS: [&str; 3] = ["pattern", "one", "three"];

/// What stands for a blank in the pieces of a Unigram.
pub(super) const BLANK: char = '\u{2581}';

/// A way to cut texts.
#[derive(Debug, Clone)]
pub struct Cut {
    json: Value,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    /// By a pattern.
    Pattern(PreTokenizer),
    /// Before every blank, around every line break, and around every digit if they are alone.
    Words { digits_alone: bool },
}

impl Cut {
    /// By the pattern of a name, with numbers cut as one of [`DIGITS`] says.
    ///
    /// # Errors
    /// `Error::Parameter` for a name that there is not.
    pub fn named(pattern: &str, digits: &str) -> Result<Self> {
        let known = PATTERNS.iter().find(|(name, ..)| *name == pattern).ok_or_else(|| {
            Error::Parameter(format!("pattern is `{pattern}`, but it is one of {}", PATTERN_NAMES.join(", ")))
        })?;
        let numbers = match digits {
            "pattern" => known.2,
            "one" => r"\p{N}",
            "three" => r"\p{N}{1,3}",
            other => {
                return Err(Error::Parameter(format!(
                    "digits is `{other}`, but it is one of {}",
                    DIGITS.join(", ")
                )));
            }
        };
        let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
        let json = if pattern == "gpt2" && digits == "pattern" {
            byte_level(true)
        } else {
            let regex = known.1.replace("NUMBERS", numbers);
            json!({"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false},
                byte_level(false),
            ]})
        };
        let pre_tokenizer = PreTokenizer::read(Some(&json)).map_err(Error::Tokenizer)?;
        Ok(Self { json, way: Way::Pattern(pre_tokenizer) })
    }

    /// Into words that begin with their blank, as a Unigram takes them, with numbers cut as one of [`DIGITS`] says, but
    /// `three`.
    ///
    /// # Errors
    /// `Error::Parameter` for another way to cut numbers.
    pub fn words(digits: &str) -> Result<Self> {
        let digits_alone = match digits {
            "pattern" => false,
            "one" => true,
            other => {
                return Err(Error::Parameter(format!(
                    "digits is `{other}`, but a Unigram cuts numbers as `pattern` (not at all) or `one` says"
                )));
            }
        };
        let blanks =
            json!({"type": "Metaspace", "replacement": BLANK, "prepend_scheme": "never", "split": true});
        let json = if digits_alone {
            json!({"type": "Sequence", "pretokenizers": [blanks, {"type": "Digits", "individual_digits": true}]})
        } else {
            blanks
        };
        Ok(Self { json, way: Way::Words { digits_alone } })
    }

    /// The member `pre_tokenizer` of the tokenizer.json.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Hands every pre-token of `text` to `take`: where it begins and ends.
    #[inline]
    pub fn each(&self, text: &str, take: impl FnMut(usize, usize)) {
        match &self.way {
            Way::Pattern(pre_tokenizer) => pre_tokenizer.cut(text, take),
            Way::Words { digits_alone } => words(text, *digits_alone, take),
        }
    }
}

/// Words that begin with their blank; line breaks, and digits if they are alone, are words of their own. What stands for
/// a blank in pieces is left out: no piece could tell it from one.
fn words(text: &str, digits_alone: bool, mut take: impl FnMut(usize, usize)) {
    let mut start = 0;
    let mut end_at = |start: &mut usize, end: usize, next: usize| {
        if end > *start {
            take(*start, end);
        }
        *start = next;
    };
    for (at, c) in text.char_indices() {
        let behind = at + c.len_utf8();
        if c == ' ' {
            end_at(&mut start, at, at);
        } else if c == BLANK {
            end_at(&mut start, at, behind);
        } else if c == '\n' || digits_alone && c.is_numeric() {
            end_at(&mut start, at, at);
            end_at(&mut start, behind, behind);
        }
    }
    end_at(&mut start, text.len(), text.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pattern: &str, digits: &str, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        Cut::named(pattern, digits).unwrap().each(text, |start, end| found.push(text[start..end].to_owned()));
        found
    }

    #[test]
    fn every_pattern_has_a_scanner_with_every_way_to_cut_numbers() {
        let text = "Let's pay 12345\u{664}\u{665} €";
        for pattern in PATTERN_NAMES {
            for digits in DIGITS {
                assert_eq!(cut(pattern, digits, text).concat(), text, "{pattern} {digits}");
            }
            assert!(cut(pattern, "one", "12345").iter().all(|piece| piece.len() == 1), "{pattern}");
            assert_eq!(cut(pattern, "three", "12345"), ["123", "45"], "{pattern}");
        }
        assert_eq!(cut("gpt2", "pattern", "a 12345"), ["a", " 12345"]);
        assert_eq!(cut("qwen2", "pattern", "123"), ["1", "2", "3"]);
    }

    #[test]
    fn words_begin_with_their_blank() {
        let cut = |digits: &str, text: &str| {
            let mut found = Vec::new();
            Cut::words(digits).unwrap().each(text, |start, end| found.push(text[start..end].to_owned()));
            found
        };
        assert_eq!(cut("pattern", "to  be\n12 or▁not "), ["to", " ", " be", "\n", "12", " or", "not", " "]);
        assert_eq!(cut("one", "a12 3"), ["a", "1", "2", " ", "3"]);
        assert!(cut("pattern", "").is_empty());
        assert!(Cut::words("three").unwrap_err().to_string().contains("`three`"));
    }

    #[test]
    fn a_name_that_there_is_not_is_refused_with_those_that_there_are() {
        let said = Cut::named("gpt5", "one").unwrap_err().to_string();
        assert!(said.contains("`gpt5`") && said.contains("o200k"), "{said}");
        assert!(Cut::named("gpt2", "two").unwrap_err().to_string().contains("`two`"));
    }
}
