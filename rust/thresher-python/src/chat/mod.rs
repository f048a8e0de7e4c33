//! Chat data: rows of JSON in, rows of JSON or a report out.

pub(crate) mod convert;
pub(crate) mod fit;
pub(crate) mod template;
pub(crate) mod validate;
