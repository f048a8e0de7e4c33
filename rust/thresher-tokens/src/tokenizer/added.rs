//! Added tokens, found in a text before anything else sees it.
//!
//! The longest one at the leftmost place wins. Those that are not `normalized` are looked for in the text as it came, the others
//! in what lies between them once it is normalised. With `lstrip` and `rstrip` a token takes the blanks beside it. A special token
//! that is to be text is found all the same, and then passed over: what it covers is no other token either.

use aho_corasick::{AhoCorasick, MatchKind};

use super::file::AddedToken;

/// The added tokens of one kind.
#[derive(Debug)]
pub(crate) struct AddedTokens {
    tokens: Vec<AddedToken>,
    finder: AhoCorasick,
    all_special: bool,
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// No added token: where it begins and ends.
    Text(usize, usize),
    /// The id of an added token.
    Token(u32),
}

impl AddedTokens {
    /// Of some tokens, each found by its content; `None` if there are none, and a message if they cannot be searched for.
    pub(crate) fn new(tokens: Vec<AddedToken>) -> Result<Option<Self>, String> {
        if let Some(token) = tokens.iter().find(|token| token.single_word) {
            return Err(format!("its added token `{}` is found as a single word only", token.content));
        }
        if tokens.is_empty() {
            return Ok(None);
        }
        let contents = tokens.iter().map(|token| token.content.as_bytes());
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(contents);
        let finder = finder.map_err(|e| format!("its added tokens cannot be searched for: {e}"))?;
        let all_special = tokens.iter().all(|token| token.special);
        Ok(Some(Self { tokens, finder, all_special }))
    }

    /// Bytes of its tables.
    pub(crate) fn bytes(&self) -> usize {
        self.finder.memory_usage()
            + self.tokens.iter().map(|token| size_of_val(token) + token.content.len()).sum::<usize>()
    }

    /// Hands all parts of `text` to `take`, in order; none for an empty one.
    #[inline]
    pub(crate) fn split(&self, text: &str, special_in_text: bool, mut take: impl FnMut(Part)) {
        let mut done = 0;
        if special_in_text || !self.all_special {
            for found in self.finder.find_iter(text) {
                let token = &self.tokens[found.pattern().as_usize()];
                if token.special && !special_in_text {
                    continue;
                }
                let (mut start, mut end) = (found.start(), found.end());
                if token.lstrip {
                    start = text[..start].trim_end().len().max(done);
                }
                if token.rstrip {
                    end = text.len() - text[end..].trim_start().len();
                }
                if done < start {
                    take(Part::Text(done, start));
                }
                take(Part::Token(token.id));
                done = end;
            }
        }
        if done < text.len() {
            take(Part::Text(done, text.len()));
        }
    }
}
