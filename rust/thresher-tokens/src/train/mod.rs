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

pub use counts::Counts;
