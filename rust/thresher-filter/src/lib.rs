//! What is known of a text, and whether it may stay: pure functions over text, which know neither files nor Python.
//!
//! ```text
//! text -> words, lines, n-grams -> signals, one number each -> rules: all thresholds that the text fails
//!                                  signals                     rules
//! text -> tokens -> candidates of the pool -> longest common subsequence -> F of ROUGE-L -> new, or like which one
//!                                             novelty
//! text -> n-grams of words -> those that benchmarks have -> matches and spans, by the rules of the field
//!                             contamination
//! text -> letters by script, n-grams -> costs by language -> the language and its score
//!                                       language (or a model of fasttext)
//! text -> triggers -> checks of each standard -> spans of personal data and secrets -> tag, pseudonym
//!                                                pii
//! ```

pub mod contamination;
pub mod fasttext;
pub mod language;
pub mod novelty;
pub mod pii;
pub mod quality;
pub mod rules;
pub mod signals;

pub use novelty::{Pool, Similar, Tokens, Verdict, rouge_l};
