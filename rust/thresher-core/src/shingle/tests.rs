//! The fused pass against a naive one built from the definition.
