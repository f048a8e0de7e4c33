//! What a text is cut into.

use thresher_core::words::for_each_word;
use thresher_core::{Error, Result};

/// What a text is cut into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tokens {
    /// As rouge-score 0.1.2 cuts without a stemmer: the text is lower-cased, and every run of characters other than
    /// `a` to `z` and `0` to `9` separates tokens. Of most languages but English little or nothing is left.
    #[default]
    Rouge,
    /// The words of [`thresher_core::words`], for all languages.
    Word,
}

impl Tokens {
    /// Tokens that a text may have.
    pub const MAX: usize = u32::MAX as usize;

    /// Calls `take` with each token of `text`, in order.
    pub fn each(self, text: &str, take: impl FnMut(&str)) {
        match self {
            Self::Rouge => rouge(text, take),
            Self::Word => for_each_word(text, take),
        }
    }

    /// The number of each token, into `numbers`.
    pub(crate) fn numbers(
        self,
        text: &str,
        mut number: impl FnMut(&str) -> u32,
        numbers: &mut Vec<u32>,
    ) -> Result<()> {
        numbers.clear();
        self.each(text, |token| numbers.push(number(token)));
        if numbers.len() <= Self::MAX {
            return Ok(());
        }
        let tokens = numbers.len();
        Err(Error::Parameter(format!("a text has `{tokens}` tokens, but it may have up to {}", Self::MAX)))
    }
}

/// Characters are lower-cased one by one, where Python's `str.lower` looks at the neighbours of a sigma; neither form of
/// it is ASCII. Two characters beyond ASCII have ASCII in their lower case: U+212A (`k`) and U+0130 (`i` and a dot).
fn rouge(text: &str, mut take: impl FnMut(&str)) {
    let mut token = String::new();
    let mut push = |c: char| {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            token.push(c);
        } else if !token.is_empty() {
            take(&token);
            token.clear();
        }
    };
    for c in text.chars() {
        if c.is_ascii() {
            push(c.to_ascii_lowercase());
        } else {
            c.to_lowercase().for_each(&mut push);
        }
    }
    // What ends the last token.
    push(' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(tokens: Tokens, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        tokens.each(text, |token| found.push(token.to_owned()));
        found
    }

    #[test]
    fn capitals_whose_lower_case_is_ascii_are_part_of_tokens() {
        assert_eq!(
            cut(Tokens::Rouge, "Write 3 CO\u{212A}E cans, isn't_it?"),
            ["write", "3", "coke", "cans", "isn", "t", "it"]
        );
        assert_eq!(cut(Tokens::Rouge, "\u{130}stanbul D\u{130}\u{130}R"), ["i", "stanbul", "di", "i", "r"]);
        assert_eq!(cut(Tokens::Rouge, "ΟΔΥΣΣΕΥΣ 数据 naïve"), ["na", "ve"]);
        assert_eq!(cut(Tokens::Rouge, " \0 "), Vec::<String>::new());
        let with_ascii = |c: &char| !c.is_ascii() && c.to_lowercase().any(|c| c.is_ascii_alphanumeric());
        assert!(('\0'..=char::MAX).filter(with_ascii).eq(['\u{130}', '\u{212A}']));
    }

    #[test]
    fn words_are_those_of_the_core() {
        assert_eq!(
            cut(Tokens::Word, "\u{130}stanbul, ΟΔΥΣΣΕΥΣ 数据"),
            ["i\u{307}stanbul", "οδυσσευσ", "数", "据"]
        );
    }
}
