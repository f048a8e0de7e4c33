//! Files for thresher: readers, writers, codecs, commit, and the runs that drive `thresher-core` over them.

pub mod error;
pub mod input;
pub mod record;

pub use error::{Error, Result};
