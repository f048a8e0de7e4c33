//! From bytes to words: what a word is, and the scanner that finds words at memory speed.
//!
//! A **word** is a maximal run of characters that are Alphabetic, Numeric or Mark, in lower case. In scripts
//! written without blanks (Han, Hiragana, Katakana, Thai, Lao, Khmer, Myanmar) each character is a word. Lower
//! case is Unicode's full mapping of each character by itself, so a final sigma is `σ` like any other. No other
//! normalisation takes place. The Unicode version is fixed with the hash scheme.

pub(crate) mod pages;
pub(crate) mod scan;
pub(crate) mod tables;

/// The version of Unicode that the word classes of the hash scheme follow.
pub const UNICODE_VERSION: (u8, u8, u8) = tables::UNICODE_VERSION;
