//! Row steps: what looks at every row by itself, and says whether it stays, what changes in it, and what is known of it.
//!
//! A step is pure: what it makes of a row depends on the row and the parameters alone. It is opened once, with its models, and
//! shared by all threads, each of which has a worker with buffers of its own. Steps that follow each other run in one pass
//! ([`fused`]), and what they say goes to a ledger, task by task ([`crate::runs::ledger`]).

pub mod edits;
pub(crate) mod evidence;
pub(crate) mod fused;
pub(crate) mod pass;
pub(crate) mod row;
pub(crate) mod signals;
mod values;

use std::ops::Range;

use arrow_schema::Field;
use serde_json::Value as Json;
use thresher_chat::RowError;
use thresher_core::json::FieldPath;

pub use edits::Edits;
pub use values::Value;

use crate::error::Result;
use crate::record::Reason;

/// What a step looks at.
#[derive(Clone, Debug)]
pub enum Sees {
    /// The text in a field; a row without one is set aside.
    Text(FieldPath),
    /// The whole row, as one JSON object.
    Row,
}

/// A step that looks at every row by itself.
pub trait RowStep: Send + Sync {
    /// What it looks at.
    fn sees(&self) -> Sees;

    /// The field that names a row in the evidence; without one it is `source:row`.
    fn id(&self) -> Option<&FieldPath> {
        None
    }

    /// The columns that it adds, with the types that their values will have: booleans, whole numbers of 32 and 64 bits, floats,
    /// UTF-8 texts, and lists of these. A column of the name that is there already is replaced.
    fn columns(&self) -> Vec<Field> {
        Vec::new()
    }

    /// The numbers that it keeps of every row that it sees, whether it stays or not, by name. They are in `signals/` of the result.
    fn signals(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// The chat format that it takes the rows for. If none of many rows has its fields, that is an error of its name.
    fn format(&self) -> Option<&str> {
        None
    }

    /// Whether it may remove rows.
    fn removes(&self) -> bool {
        true
    }

    /// Whether a row that cannot be used ends a run with `--strict`.
    fn is_strict(&self) -> bool {
        true
    }

    /// Whether it edits the text that it sees.
    fn edits(&self) -> bool {
        false
    }

    /// Bytes of what it holds for all threads, such as a model. They count against `--memory`.
    fn resident_bytes(&self) -> u64 {
        0
    }

    /// What one thread works with.
    fn worker(&self) -> Box<dyn RowWorker + '_>;

    /// What the step reports of all rows, from what its workers found in each unit, in order.
    ///
    /// # Errors
    /// `Error::Internal` for what no worker of it has found.
    fn summary(&self, inputs: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Json> {
        let _ = inputs;
        for found in found {
            found?;
        }
        Ok(Json::Null)
    }
}

/// What a worker found in the rows of a unit.
#[derive(Debug)]
pub struct Found {
    /// The place of the input among the inputs.
    pub input: usize,
    /// The row at which the unit begins.
    pub first_row: u64,
    /// What [`RowWorker::found`] gave.
    pub found: String,
}

/// One thread of a step.
pub trait RowWorker {
    /// Looks at a row, the text or the JSON that the step asked for, and notes in `marks` what becomes of it.
    fn row(&mut self, row: &str, marks: &mut Marks);

    /// What was found since the last call, for the report. It is asked for behind each unit, of at most a few MB of input.
    fn found(&mut self) -> String {
        String::new()
    }
}

/// Why nothing becomes of a row.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// A sentence more.
    pub detail: String,
}

impl From<RowError> for Refusal {
    fn from(error: RowError) -> Self {
        Self { reason: Reason::Chat(error.reason), detail: error.detail }
    }
}

/// What a step makes of a row: it stays as it is unless something is noted here.
#[derive(Debug, Default)]
pub struct Marks {
    slot: u32,
    removed: Vec<(&'static str, String)>,
    refused: Option<Refusal>,
    stopped: Option<String>,
    spans: Vec<(Range<usize>, String)>,
    values: Vec<Value>,
    signals: Vec<f64>,
}

impl Marks {
    /// The place of the row in its unit.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// The row goes, for this reason and any others. The first one counts in the books.
    pub fn remove(&mut self, reason: &'static str, detail: impl Into<String>) {
        self.removed.push((reason, detail.into()));
    }

    /// The row cannot be used, and goes to quarantine.
    pub fn set_aside(&mut self, reason: Reason, detail: impl Into<String>) {
        self.refused.get_or_insert(Refusal { reason, detail: detail.into() });
    }

    /// The run ends with this as its error: a sentence that goes on behind the place of the row.
    pub fn stop(&mut self, message: impl Into<String>) {
        self.stopped.get_or_insert(message.into());
    }

    /// `span`, in bytes of the text, is replaced. Spans come in order and lie apart.
    pub fn edit(&mut self, span: Range<usize>, new: impl Into<String>) {
        self.spans.push((span, new.into()));
    }

    /// The value of the next of the columns that the step adds; those that get none are null.
    pub fn value(&mut self, value: impl Into<Value>) {
        self.values.push(value.into());
    }

    /// The values of the signals that the step keeps, in their order; NaN where one is not defined.
    pub fn signals(&mut self, values: impl IntoIterator<Item = f64>) {
        self.signals.extend(values);
    }

    fn clear(&mut self, slot: u32) {
        self.slot = slot;
        self.removed.clear();
        self.refused = None;
        self.stopped = None;
        self.spans.clear();
        self.values.clear();
        self.signals.clear();
    }
}
