//! What a generation asks of the core: whether answers are of a JSON Schema.

use pyo3::prelude::*;
use thresher_chat::Schema as ChatSchema;

use crate::boundary::here;
use crate::errors::{parameter, to_py};

/// A compiled JSON Schema.
#[pyclass(frozen, module = "thresher._core.generate")]
pub(crate) struct Schema(ChatSchema);

#[pymethods]
impl Schema {
    #[new]
    fn new(schema_json: &str) -> PyResult<Self> {
        ChatSchema::parse(schema_json).map(Self).map_err(|refusal| to_py(parameter(refusal.to_string())))
    }

    /// What is wrong with a text that is to be JSON of this schema.
    fn errors(&self, py: Python<'_>, instance_json: &str) -> PyResult<Vec<String>> {
        here(py, |_| Ok(self.0.errors(instance_json)))
    }
}
