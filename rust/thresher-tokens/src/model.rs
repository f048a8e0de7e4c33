//! Where models meet: what turns a stretch of text without added tokens into ids.
//!
//! A model is loaded once and shared by all threads; each thread has a worker with scratch and a bounded cache. A worker
//! may meet a text that it does not encode exactly as the crate `tokenizers` would. Then it says so, and the whole text goes to
//! the crate: an encoder of ours need not know every corner to be exact.

use std::fmt::Debug;

/// A stretch of a text between added tokens, normalised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch<'t> {
    /// What is to be encoded.
    pub(crate) text: &'t str,
    /// Whether the text begins here.
    pub(crate) first: bool,
}

/// Whether a worker did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Answer {
    /// All ids were appended.
    Done,
    /// The crate has to encode the text; what was appended for it is dropped.
    Unusual,
}

/// A model of ours, read-only.
pub(crate) trait Model: Send + Sync + Debug {
    /// Bytes of its tables.
    fn resident_bytes(&self) -> u64;

    /// What one thread needs; its cache takes up to about `cache_bytes`.
    fn worker(&self, cache_bytes: usize) -> Box<dyn ModelWorker + '_>;
}

/// What one thread encodes with.
pub(crate) trait ModelWorker: Send {
    /// Appends the ids of a stretch.
    fn encode(&mut self, stretch: Stretch<'_>, ids: &mut Vec<u32>) -> Answer;

    /// Bytes of its scratch and its cache.
    fn bytes(&self) -> usize;
}
