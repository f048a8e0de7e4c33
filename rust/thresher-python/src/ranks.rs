//! The values behind the keep policies `max` and `min`: numbers or texts, from a list or an Arrow column.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType};
use arrow_schema::DataType;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt, PyString};
use thresher_core::Rank;
use thresher_core::column::{append_texts, is_text};
use thresher_io::{Error, Result};

use crate::boundary::{Stop, compute, here};
use crate::errors::{ColumnError, column};
use crate::import::Imported;
use crate::texts::FEW_ROWS;

/// One rank a document.
pub(crate) fn read(object: &Bound<'_, PyAny>) -> PyResult<Vec<Rank>> {
    if let Some(imported) = Imported::take(object)? {
        let few = imported.known_rows().is_some_and(|rows| rows <= FEW_ROWS);
        let read = |stop: &Stop| {
            let mut ranks = Vec::new();
            for chunk in imported.chunks(is_rank, stop)? {
                append(chunk.as_ref(), &mut ranks)?;
            }
            Ok(ranks)
        };
        return if few { here(object.py(), read) } else { compute(object.py(), read) };
    }
    let mut ranks = Vec::with_capacity(object.len().unwrap_or(0));
    for item in object.try_iter()? {
        ranks.push(rank_of(&item?, ranks.len())?);
    }
    Ok(ranks)
}

fn rank_of(item: &Bound<'_, PyAny>, index: usize) -> PyResult<Rank> {
    if item.is_none() {
        return Ok(Rank::Missing);
    }
    if item.is_instance_of::<PyInt>() {
        let too_large = |_| ColumnError::new_err(format!("rank `{index}` is an int beyond 128 bits"));
        return item.extract().map(Rank::Int).map_err(too_large);
    }
    if let Ok(float) = item.cast::<PyFloat>() {
        return Ok(Rank::Float(float.value()));
    }
    match item.cast::<PyString>() {
        Ok(text) => Ok(Rank::Text(text.to_str()?.into())),
        Err(_) => Err(ColumnError::new_err(format!(
            "rank `{index}` is of type `{}`, but a rank is an int, a float, a str, or None if missing",
            item.get_type().name()?
        ))),
    }
}

fn is_rank(data_type: &DataType) -> bool {
    data_type.is_integer() || matches!(data_type, DataType::Float32 | DataType::Float64) || is_text(data_type)
}

fn append(array: &dyn Array, ranks: &mut Vec<Rank>) -> Result<()> {
    match array.data_type() {
        DataType::Int8 => numbers::<Int8Type>(array, ranks, |x| Rank::Int(x.into())),
        DataType::Int16 => numbers::<Int16Type>(array, ranks, |x| Rank::Int(x.into())),
        DataType::Int32 => numbers::<Int32Type>(array, ranks, |x| Rank::Int(x.into())),
        DataType::Int64 => numbers::<Int64Type>(array, ranks, |x| Rank::Int(x.into())),
        DataType::UInt8 => numbers::<UInt8Type>(array, ranks, |x| Rank::Int(x.into())),
        DataType::UInt16 => numbers::<UInt16Type>(array, ranks, |x| Rank::Int(x.into())),
        DataType::UInt32 => numbers::<UInt32Type>(array, ranks, |x| Rank::Int(x.into())),
        DataType::UInt64 => numbers::<UInt64Type>(array, ranks, |x| Rank::Int(x.into())),
        DataType::Float32 => numbers::<Float32Type>(array, ranks, |x| Rank::Float(x.into())),
        DataType::Float64 => numbers::<Float64Type>(array, ranks, Rank::Float),
        data_type if is_text(data_type) => {
            let mut texts = Vec::with_capacity(array.len());
            append_texts(array, &mut texts).map_err(Error::from)?;
            ranks.extend(
                texts.into_iter().map(|text| text.map_or(Rank::Missing, |text| Rank::Text(text.into()))),
            );
        }
        other => return Err(column(format!("ranks are of type `{other}`, but they are numbers or strings"))),
    }
    Ok(())
}

fn numbers<T: ArrowPrimitiveType>(array: &dyn Array, ranks: &mut Vec<Rank>, rank: fn(T::Native) -> Rank) {
    ranks.extend(array.as_primitive::<T>().iter().map(|value| value.map_or(Rank::Missing, rank)));
}
