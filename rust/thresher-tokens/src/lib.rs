//! From text to packed sequences of tokens: pure functions over text and lengths, which know neither files nor Python.
//!
//! ```text
//! text -> added tokens -> normalised -> pre-tokens -> ids       lengths -> bins -> sequences, masks
//!         tokenizer       normalize     pretokenize   model     pack
//!
//! texts -> counts of pre-tokens -> merges or pieces -> tokenizer.json        ids -> .bin/.idx, .npy
//!          train                                                             layout
//!
//! row number -> row number (permutation)      sizes and weights -> what is taken of each source (mixing)
//! ```

pub mod alphabet;
mod bpe;
mod double_array;
pub mod error;
mod joints;
pub mod layout;
pub mod mixing;
mod model;
mod normalize;
pub mod pack;
pub mod permute;
mod pretokenize;
mod spm;
pub mod tokenizer;
pub mod train;

pub use error::{Error, Result};
