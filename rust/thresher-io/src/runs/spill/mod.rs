//! Records on disk: what a run knows of its documents when that is more than memory should hold.
//!
//! ```text
//! file   one immutable, checksummed file of sections, each in parts that are read by themselves (ranges of keys)
//! tasks  files of consecutive tasks, up to the first one that is missing or damaged
//! sort   small records of any number, sorted and without repetition, by runs on disk and one merge
//! bits   a bit for each document, and how many are set before it
//! ```
//!
//! Numbers are stored in the byte order of the machine: the files are state of a run, and not for exchange.

pub(crate) mod bits;
pub(crate) mod file;
pub(crate) mod sort;
pub(crate) mod tasks;
