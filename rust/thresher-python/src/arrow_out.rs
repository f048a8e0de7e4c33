//! Results as Arrow arrays that any library can take over without a copy.

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::{Array, ArrayRef};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};
use thresher_io::Error;

use crate::errors::to_py;

/// An Arrow array that pyarrow, polars and others take over without a copy: `pyarrow.array(this)`.
#[pyclass(frozen, module = "thresher._core")]
pub(crate) struct ArrowArray(pub(crate) ArrayRef);

impl ArrowArray {
    fn schema(&self) -> PyResult<FFI_ArrowSchema> {
        FFI_ArrowSchema::try_from(self.0.data_type())
            .map_err(|error| to_py(Error::Internal(error.to_string())))
    }
}

#[pymethods]
impl ArrowArray {
    /// A capsule with the type of the array.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        PyCapsule::new_with_value(py, self.schema()?, c"arrow_schema")
    }

    /// Capsules with the type and the data; a wish for another type is left to the consumer, as the protocol
    /// allows.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        drop(requested_schema);
        let array = PyCapsule::new_with_value(py, FFI_ArrowArray::new(&self.0.to_data()), c"arrow_array")?;
        PyTuple::new(py, [self.__arrow_c_schema__(py)?, array])
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}
