//! The outputs of a run, owned from one place: data files, evidence of removals, quarantine, report.
//!
//! ```text
//! decide   standing   may a result go there?          the lock is held from here on, and what an
//! take     state      lock and folder of the run      earlier run had begun to publish is completed
//! stage    stage      every file is made in the state folder and is complete and on disk under its name there
//! publish  publish    all of them go to their places at once; a result that was there stays whole until then
//! ```
//!
//! `made` does all of that for a result whose files are made on the other side of a binding.
//!
//! Afterwards, `verify` compares a result with its `run.json`.
//!
//! A run that fails or is stopped leaves what was there before, and nothing of its own. Standard output is a stream: data
//! goes out as it comes, and there is no evidence.

mod files;
mod made;
mod marker;
mod place;
mod publish;
mod stage;
mod standing;
mod state;
mod tokenizer;
pub mod verify;

pub(crate) use files::DataFiles;
pub use made::MadeOutput;
pub(crate) use marker::is_our_output;
pub use marker::{FileEntry, Files, Marker};
pub(crate) use stage::RunOutput;

#[cfg(test)]
mod tests;
