//! The intermediate form as JSON, for programs that hold conversations themselves: nothing is lost either way.
//!
//! ```text
//! {"thresher_conversation": 1,
//!  "messages": [{"role", "content", "input", "reasoning", "calls", "call_id", "name", "weight", "extra", "written"}],
//!  "ending": {"kind": "completion", "messages"} | {"kind": "labelled", "messages", "label"}
//!          | {"kind": "preference", "chosen", "rejected"},
//!  "tools", "extra": {}, "written": {"format", "keys", "body", "tools"}}
//! ```
//! A call is `{"id", "type", "name", "arguments", "extra", "function_extra"}`; its arguments are as they came, a string
//! or JSON. What has no value is left out, and null is taken for that, but for `content`, where null is a value of its
//! own. `written` says how the row was spelled; without it the row is written as usual.

mod read;
mod write;

use thresher_core::json::Json;

use crate::conversation::Conversation;
use crate::error::Result;

pub(crate) use read::read;
pub(crate) use write::write;

/// The name of the format.
pub(crate) const NAME: &str = "conversation";
/// The field that tells these rows from others, and the version of the layout in it.
const MARK: &str = "thresher_conversation";
const VERSION: &str = "1";

pub(crate) fn fits(row: Json<'_>) -> bool {
    row.get(MARK).is_some()
}

impl<'a> Conversation<'a> {
    /// The conversation in a JSON object that [`Self::to_json`] wrote, or that has the same fields.
    ///
    /// # Errors
    /// What is wrong with which field.
    pub fn from_json(row: Json<'a>) -> Result<Self> {
        read(row)
    }
}

impl Conversation<'_> {
    /// As one JSON object that says everything, also how the row was written. Its fields are listed at the format
    /// `conversation`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        write(self, &mut out);
        out
    }
}
