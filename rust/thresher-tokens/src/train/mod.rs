//! Training of tokenizers: counts of pre-tokens in, a vocabulary out.
//!
//! ```text
//! texts ─ pre-tokens ─> counts (one table a thread, joined) ─┬─ bpe ──────> merges ─┐
//!                                                            └─ unigram ─> pieces ─┴─> tokenizer.json, report
//! ```
//!
//! What is learned depends on the counts alone: not on the order of the texts, on threads, or on hashes.

pub mod bpe;
mod counts;
mod cut;
mod file;
mod findings;
mod special;
pub mod unigram;

pub use counts::Counts;
pub use cut::{Cut, DIGITS, PATTERN_NAMES};
pub use file::{bpe_json, config_json, unigram_json};
pub use findings::{Findings, Token};
pub use special::{CHAT_NAMES, special_tokens};
