//! Chat formats of training data: one intermediate form, conversion without silent loss.
//!
//! ```text
//! row -> Format::read -> Conversation -> Format::write -> row, and what it could not carry
//! ```
//!
//! Rows are slices of JSON: a string that is only passed on is never decoded, so a conversion is little more than a copy.

mod calls;
pub mod conversation;
pub mod convert;
pub mod detect;
pub mod error;
pub mod format;
pub mod loss;
pub mod mapping;
mod out;
pub mod schema;
mod shown;
pub mod template;
mod text;
mod tools;
pub mod validate;

pub use conversation::{Call, Content, Conversation, Ending, Message, Role};
pub use convert::Converter;
pub use detect::{Ambiguous, Fit, choose, detect};
pub use error::{Reason, Result, RowError};
pub use format::{Format, NAMES};
pub use loss::{Loss, Losses, RowLosses};
pub use mapping::MappingError;
pub use schema::Schema;
pub use validate::{Options, Problem, Report, Validator};
