//! Runs: what drives the core over files.
//!
//! `dedup` reads its inputs three times; `rows` once, row by row. Both stand on the same parts: `plan` (names to inputs),
//! `pipeline` (units on all threads, in order), `output` (where results go), `aside` and `books` (nothing is lost).

mod aside;
pub mod benchmarks;
mod books;
mod changed;
mod clock;
pub mod dedup;
pub mod estimate;
pub(crate) mod evidence;
mod exchange;
mod fields;
mod find;
pub mod flow;
pub(crate) mod gather;
mod ledger;
mod lens;
mod memory;
pub mod mix;
mod names;
pub mod options;
pub(crate) mod output;
pub mod pack;
pub mod parameters;
mod pipeline;
pub mod plan;
pub mod progress;
pub mod quality;
mod resume;
pub mod rows;
pub mod shuffle;
mod sniff;
mod source;
mod space;
mod spill;
mod stdin;
pub mod steps;
mod survey;
pub mod train;
pub mod what_if;
pub mod within;
mod worksite;
mod writing;

pub use books::{Accounting, Count, InputReport};
pub use evidence::explain;
pub use options::{Config, RunOptions};
pub use output::{FileEntry, Files, MadeOutput, Marker, verify};
pub use progress::Progress;
