//! What is known of a text, and whether it may stay: pure functions over text, which know neither files nor Python.
//!
//! ```text
//! text -> tokens -> candidates of the pool -> longest common subsequence -> F of ROUGE-L -> new, or like which one
//!                                             novelty
//! ```

pub mod novelty;

pub use novelty::{Pool, Similar, Tokens, Verdict, rouge_l};
