//! Files for thresher: readers, writers, codecs, commit, and the runs that drive `thresher-core` over them.
//!
//! ```text
//! blob, codec, commit, sink, crew, exhibits -> readers, writers, quarantine -> evidence (clusters, removed, signals) -> runs
//! ```
//!
//! A format is a reader that implements [`input::Input`] and a writer that implements [`input::Output`]; a run
//! knows nothing else of it. Whatever is wrong with the content of a file reaches the run as a bad record, never as
//! a panic and never unseen.

pub mod blob;
pub mod clusters;
pub mod codec;
pub mod commit;
pub mod crew;
pub mod error;
mod evidence;
mod exhibits;
pub mod fasttext;
pub mod input;
pub mod machine;
pub mod quarantine;
pub mod readers;
pub mod record;
pub mod removed;
pub mod runs;
pub mod secret;
mod signals;
mod sink;
mod suggest;
pub mod tokenizer;
pub mod tokens;
pub mod writers;

pub use error::{Error, Result};
pub use readers::guard::{panic_message, quiet_guarded_panics};
