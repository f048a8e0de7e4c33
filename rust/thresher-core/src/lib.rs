//! The algorithms of thresher, and nothing else: no file, no Python, no printing, no environment, no global state.
//!
//! ```text
//! text -> words -> shingles -> signature -> bands -> buckets -> clusters -> exact resolution
//!         text     shingle     minhash      lsh                 cluster     resolve
//! ```
//!
//! Each stage is a function over borrowed data: of one document (sign), of one partition of band keys (group), of one
//! cluster (resolve). [`dedup`] runs them over texts in memory; a run over files calls the same ones.

pub mod cluster;
pub mod column;
pub mod content;
pub mod dedup;
pub mod error;
pub mod exact;
pub mod hash;
pub mod json;
mod kernels;
pub mod lsh;
pub mod minhash;
pub mod observe;
pub mod outcome;
pub mod parallel;
pub mod params;
pub mod precedence;
pub mod prefetch;
pub mod resolve;
pub mod screen;
pub mod secret;
pub mod shingle;
pub mod signatures;
mod text;
pub mod words;

pub use dedup::dedup;
pub use error::{Error, Result};
pub use kernels::{instruction_set, instruction_sets};
pub use minhash::{Signer, sign_all};
pub use observe::{Observer, Unobserved};
pub use outcome::{Evidence, Outcome, RemovalReason, Summary, Tally, Timings};
pub use params::{Banding, DedupConfig, Keep, NumHashes, ShingleSpec, ShingleUnit, Threshold};
pub use precedence::{Precedence, Rank};
pub use screen::Screen;
pub use secret::Secret;
pub use shingle::Shingler;
pub use signatures::SignatureMatrix;
