//! Layouts of files of tokens: what stands where, as pure functions over bytes.
//!
//! ```text
//! megatron   NAME.bin: tokens    NAME.idx: head, lengths, pointers, documents, modes     (what Megatron-LM trains from)
//! npy        NAME-00000.npy ...: tokens    NAME.documents.npy: where each document begins     (what numpy maps)
//! ```
//!
//! Both hold tokens as numbers of one width, little-endian, one behind the other. Files may hold more tokens than memory does, so
//! everything here works on blocks, and what depends on blocks before is a small state.

mod dtype;
pub mod megatron;
pub mod npy;

pub use dtype::Dtype;
