//! Runs: what drives the core over files. Deduplication is the first.

pub mod dedup;
mod pipeline;
pub mod plan;
pub mod progress;
mod source;

pub use progress::Progress;
