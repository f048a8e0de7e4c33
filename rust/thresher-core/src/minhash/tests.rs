//! Signatures against the definition.
