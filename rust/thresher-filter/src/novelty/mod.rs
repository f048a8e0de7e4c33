//! Novelty by ROUGE-L: whether a text is unlike all texts of a growing pool, decided as rouge-score 0.1.2 decides it.
//!
//! Self-Instruct (Wang et al. 2022) takes an instruction into its pool unless the F of ROUGE-L with some member is
//! greater than 0.7. Its code computes all F; here few are computed, and the outcome is the same to the last bit:
//!
//! 1. A text is cut ([`tokens`]), and its tokens become numbers in the order in which the pool first had them; so rare
//!    tokens have great numbers as a rule.
//! 2. An F above the threshold needs a common subsequence, and so a number of common tokens, that follows from the lengths of
//!    both ([`score`]). Few texts have so many in common. To find them it is enough to look up the rarer tokens of a text in
//!    the inverted index ([`index`]): a text that shares too few of those is ruled out by however many it shares of the
//!    others (prefix filter: Chaudhuri, Ganti, Kaushik 2006; taken further than needed: Wang, Li, Feng 2012). Tokens that
//!    occur several times count as often.
//! 3. What is left is compared bit-parallel, 64 tokens at a time ([`lcs`]).
//!
//! Bounds are compared a little below their value, so that rounding never loses a text; what decides is the F itself, in
//! doubles. Looking up and comparing take time linear in the pool, so a run of n texts takes O(n^2) with a small constant.

mod index;
mod lcs;
mod pool;
mod score;
mod tokens;

pub use pool::{Pool, Similar, Verdict};
pub use score::f_measure;
pub use tokens::Tokens;

use thresher_core::{Observer, Result};

use self::index::Vocabulary;
use self::lcs::Lcs;

/// The F of ROUGE-L of two texts, from 0 to 1; it does not depend on which comes first. 0 if one has no token.
///
/// Takes a step for each token of one and each 64 of the other, and memory for the tokens of both.
///
/// # Errors
/// `Error::Parameter` for a text of 2^32 tokens or more, `Error::Cancelled` if the observer wants to stop.
///
/// ```
/// use thresher_core::Unobserved;
/// use thresher_filter::{Tokens, rouge_l};
/// let f = rouge_l("Write a poem.", "Write a short poem!", Tokens::Rouge, &Unobserved)?;
/// assert_eq!(f, 2.0 * 0.75 * 1.0 / (0.75 + 1.0));
/// # Ok::<(), thresher_core::Error>(())
/// ```
pub fn rouge_l(a: &str, b: &str, tokens: Tokens, observer: &dyn Observer) -> Result<f64> {
    let (mut vocabulary, mut numbers) = (Vocabulary::default(), [Vec::new(), Vec::new()]);
    for (text, numbers) in [a, b].into_iter().zip(&mut numbers) {
        tokens.numbers(text, |token| vocabulary.number(token), numbers)?;
    }
    let [a, b] = numbers;
    let mut lcs = Lcs::default();
    lcs.make_room(vocabulary.len());
    let length = lcs.of_long(&a, &b, 0, observer)?;
    Ok(length.map_or(0.0, |length| f_measure(length, a.len(), b.len())))
}

#[cfg(test)]
mod tests;
