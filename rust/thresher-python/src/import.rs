//! Foreign Arrow memory as arrays that are safe to read.
//!
//! The C interfaces hand over pointers and a promise. Lengths of buffers cannot be checked; everything else
//! that a later read relies on is: offsets ascend inside their buffer, text is UTF-8, keys of a dictionary
//! are in range. Only the slice at hand is looked at, so a column in a thousand slices of one buffer costs
//! one pass over it.

use std::ffi::CStr;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::{ArrayReader, ArrayRef, make_array};
use arrow_schema::{ArrowError, DataType};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use thresher_core::Observer;
use thresher_io::{Error, Result};

use crate::errors::{ColumnError, column};
use crate::validate::Validator;

/// An Arrow object of any library, taken over but not looked at yet.
pub(crate) enum Imported {
    /// A stream of chunks.
    Stream(FFI_ArrowArrayStream),
    /// One array with its schema.
    Array(FFI_ArrowArray, FFI_ArrowSchema),
}

impl Imported {
    /// Takes over what `object` exports through the Arrow `PyCapsule` interface; none if it does not export.
    pub(crate) fn take(object: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if object.hasattr("__arrow_c_stream__")? {
            let capsule = object.call_method0("__arrow_c_stream__")?;
            let stream = pointer::<FFI_ArrowArrayStream>(&capsule, c"arrow_array_stream")?;
            // SAFETY: the name says what the pointer points at, the capsule keeps it alive, and we hold the
            // GIL, so nobody else moves it out. It is marked as released, so the capsule's destructor leaves
            // it alone.
            return Ok(Some(Self::Stream(unsafe { FFI_ArrowArrayStream::from_raw(stream) })));
        }
        if !object.hasattr("__arrow_c_array__")? {
            return Ok(None);
        }
        let pair = object.call_method0("__arrow_c_array__")?;
        let (schema, array) = pair
            .extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()
            .map_err(|_| ColumnError::new_err("`__arrow_c_array__` did not return a pair of capsules"))?;
        let schema = pointer::<FFI_ArrowSchema>(&schema, c"arrow_schema")?;
        let array = pointer::<FFI_ArrowArray>(&array, c"arrow_array")?;
        // SAFETY: as for a stream, for both pointers.
        let (array, schema) = unsafe { (FFI_ArrowArray::from_raw(array), FFI_ArrowSchema::from_raw(schema)) };
        Ok(Some(Self::Array(array, schema)))
    }

    /// Rows, where that is known before anything is computed: not of a stream.
    pub(crate) fn known_rows(&self) -> Option<usize> {
        match self {
            Self::Stream(_) => None,
            Self::Array(array, _) => Some(array.len()),
        }
    }

    /// The chunks, validated. Not to be called with the GIL held: a stream may compute, on threads that need
    /// the GIL.
    pub(crate) fn chunks(
        self,
        allowed: fn(&DataType) -> bool,
        observer: &dyn Observer,
    ) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Array(array, schema) => {
                if array.is_released() || schema.release().is_none() {
                    return Err(column("the array was consumed before; export it anew"));
                }
                check_type(&DataType::try_from(&schema).map_err(|e| refused(&e))?, allowed)?;
                // SAFETY: that the pointers agree with the schema is the promise of the C data interface.
                let data = unsafe { from_ffi(array, &schema) }.map_err(|e| refused(&e))?;
                Ok(vec![Validator::default().validated(make_array(data))?])
            }
            Self::Stream(stream) => {
                if stream.release().is_none() || stream.get_next().is_none() {
                    return Err(column("the stream was consumed before; a stream can be read once"));
                }
                let reader = ArrayStreamReader::try_new(stream).map_err(|e| refused(&e))?;
                check_type(reader.field().data_type(), allowed)?;
                let (mut chunks, mut validator) = (Vec::new(), Validator::default());
                for chunk in reader {
                    if observer.cancelled() {
                        return Err(Error::Cancelled);
                    }
                    chunks.push(validator.validated(chunk.map_err(|e| refused(&e))?)?);
                }
                Ok(chunks)
            }
        }
    }
}

/// The pointer in a capsule of this name, not null.
fn pointer<T>(object: &Bound<'_, PyAny>, name: &CStr) -> PyResult<*mut T> {
    let pointer =
        object.cast::<PyCapsule>().ok().and_then(|capsule| capsule.pointer_checked(Some(name)).ok());
    pointer.map(|pointer| pointer.cast().as_ptr()).ok_or_else(|| {
        ColumnError::new_err(format!(
            "the Arrow export is not a capsule with the name `{}`",
            name.to_string_lossy()
        ))
    })
}

/// Refuses a type before anything of it is read.
fn check_type(data_type: &DataType, allowed: fn(&DataType) -> bool) -> Result<()> {
    match data_type {
        data_type if allowed(data_type) => Ok(()),
        DataType::Struct(fields) => {
            let names: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name())).collect();
            Err(column(format!("a table was given, not a column; choose one of {}", names.join(", "))))
        }
        other => {
            Err(column(format!("the column is of type `{other}`, which cannot be used here; cast it first")))
        }
    }
}

fn refused(error: &ArrowError) -> Error {
    column(format!("the Arrow data cannot be read: {error}"))
}
