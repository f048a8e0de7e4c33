//! What the fuzz targets share: a file that is rewritten for each input, and what a reader hands over.
//!
//! A target checks laws, not only that nothing panics: what is read twice is the same, what was kept can be read
//! again. Every target is a few lines over the public functions of the crates.

#[cfg(feature = "files")]
pub mod codecs;
#[cfg(feature = "files")]
pub mod file;
#[cfg(feature = "files")]
pub mod records;
