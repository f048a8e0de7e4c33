//! Chat formats from the outside: generated rows, mappings, detection, and the examples of the documentation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod detection;
mod examples;
mod laws;
mod mappings;
mod meaning;
mod strategies;
mod variants;
