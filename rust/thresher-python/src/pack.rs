//! Packing: the plan for lengths, and bins with their tokens.

use std::sync::Arc;

use arrow_array::{Int64Array, LargeListArray, RecordBatch, StructArray, UInt32Array};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use thresher_core::Observer;
use thresher_core::column::{append_texts, is_text};
use thresher_io::{Error, Result};
use thresher_tokens::pack::{
    Accounts, Form, LengthColumn, Material, Members, Overlong, Packer, Strategy, Tally, TokenLists,
    is_token_lists, materialise,
};

use crate::arrow_out::ArrowArray;
use crate::boundary::{compute, pooled, thread_count};
use crate::errors::{ColumnError, parameter, to_py};
use crate::import::Imported;

/// Where every piece lies; columns with one entry a piece.
#[pyclass(frozen, module = "thresher._core.tokens")]
pub(crate) struct PackPlan {
    bin: UInt32Array,
    offset: UInt32Array,
    length: UInt32Array,
    sequence: Option<UInt32Array>,
    start: Option<Int64Array>,
    bins: u32,
    accounts: Py<PyDict>,
}

#[pymethods]
impl PackPlan {
    /// uint32: the bin of each piece.
    #[getter]
    fn bin(&self) -> ArrowArray {
        ArrowArray(Arc::new(self.bin.clone()))
    }

    /// uint32: where in its bin each piece begins.
    #[getter]
    fn offset(&self) -> ArrowArray {
        ArrowArray(Arc::new(self.offset.clone()))
    }

    /// uint32: the tokens of each piece.
    #[getter]
    fn length(&self) -> ArrowArray {
        ArrowArray(Arc::new(self.length.clone()))
    }

    /// uint32: the sequence that each piece is of; None where piece i is sequence i.
    #[getter]
    fn sequence(&self) -> Option<ArrowArray> {
        self.sequence.clone().map(|array| ArrowArray(Arc::new(array)))
    }

    /// int64: where in its sequence each piece begins; None where all begin at 0.
    #[getter]
    fn start(&self) -> Option<ArrowArray> {
        self.start.clone().map(|array| ArrowArray(Arc::new(array)))
    }

    /// Number of bins.
    #[getter]
    fn bins(&self) -> u32 {
        self.bins
    }

    /// What was given, and where it went.
    #[getter]
    fn accounts(&self, py: Python<'_>) -> Py<PyDict> {
        self.accounts.clone_ref(py)
    }

    /// `large_list<uint32>`: the pieces of each bin, by their offsets.
    fn members(&self, py: Python<'_>) -> PyResult<ArrowArray> {
        compute(py, |_| {
            let Members { starts, pieces } =
                Members::of_pieces(self.bin.values(), self.offset.values(), self.bins);
            let item = Arc::new(Field::new_list_field(DataType::UInt32, false));
            let starts: Vec<i64> = starts.into_iter().map(i64::from).collect();
            let list = LargeListArray::try_new(
                item,
                OffsetBuffer::new(starts.into()),
                Arc::new(UInt32Array::from(pieces)),
                None,
            );
            Ok(ArrowArray(Arc::new(list.map_err(|error| Error::Internal(error.to_string()))?)))
        })
    }
}

/// Plans packing by lengths alone.
#[pyfunction]
#[pyo3(signature = (lengths, *, context, strategy, overlong))]
pub(crate) fn plan(
    lengths: &Bound<'_, PyAny>,
    context: i64,
    strategy: &str,
    overlong: &str,
) -> PyResult<PackPlan> {
    let py = lengths.py();
    let packer = packer(context, strategy, overlong).map_err(to_py)?;
    let imported = taken(lengths, "lengths")?;
    let plan = compute(py, |stop| {
        let chunks = imported.chunks(is_lengths, stop)?;
        Ok(thresher_tokens::pack::plan(&LengthColumn::try_new(&chunks)?, packer, stop)?)
    })?;
    let is_whole = plan.sequence.is_empty() && !plan.bin.is_empty();
    Ok(PackPlan {
        bin: plan.bin.into(),
        offset: plan.offset.into(),
        length: plan.length.into(),
        sequence: (!is_whole).then(|| plan.sequence.into()),
        start: (!is_whole).then(|| signed(plan.start)),
        bins: plan.bins,
        accounts: accounts(py, &plan.accounts)?,
    })
}

/// Packs sequences. The bins come in batches, as arrays of structs; behind them an empty one, and the accounts.
#[pyfunction]
#[pyo3(signature = (tokens, *, masks, documents, context, strategy, overlong, end, pad, position_ids, cu_seqlens, threads))]
#[expect(
    clippy::too_many_arguments,
    reason = "they are the parameters of packing; in Python each has a name"
)]
pub(crate) fn pack(
    tokens: &Bound<'_, PyAny>,
    masks: Option<&Bound<'_, PyAny>>,
    documents: Option<&Bound<'_, PyAny>>,
    context: i64,
    strategy: &str,
    overlong: &str,
    end: Option<u32>,
    pad: Option<u32>,
    position_ids: bool,
    cu_seqlens: bool,
    threads: Option<i64>,
) -> PyResult<(Vec<ArrowArray>, ArrowArray, Py<PyDict>)> {
    let py = tokens.py();
    let (packer, threads) = (packer(context, strategy, overlong).map_err(to_py)?, thread_count(threads)?);
    let form = Form {
        pad: pad.map(|pad| (packer.context(), pad)),
        positions: position_ids,
        cu_seqlens,
        masked: masks.is_some(),
        documents: documents.is_some(),
    };
    let tokens = taken(tokens, "tokens")?;
    let masks = masks.map(|masks| taken(masks, "masks")).transpose()?;
    let documents = documents.map(|documents| taken(documents, "documents")).transpose()?;
    let (plan, batches) = compute(py, |stop| {
        let tokens = lists(tokens, "input_ids", stop)?;
        let masks = masks.map(|masks| lists(masks, "the mask", stop)).transpose()?;
        let chunks = documents.map(|documents| documents.chunks(is_text, stop)).transpose()?;
        let mut texts = Vec::new();
        for chunk in chunks.iter().flatten() {
            append_texts(chunk.as_ref(), &mut texts)?;
        }
        let material = Material {
            tokens: &tokens,
            masks: masks.as_ref(),
            documents: chunks.is_some().then_some(&texts[..]),
            end,
        };
        pooled(threads, || Ok(materialise(&material, packer, form, stop)?))
    })?;
    let arrays = batches.into_iter().map(|batch| ArrowArray(Arc::new(StructArray::from(batch)))).collect();
    let none = StructArray::from(RecordBatch::new_empty(form.schema()));
    let accounts = accounts(py, &plan.accounts)?;
    accounts.bind(py).set_item("bins", plan.bins)?;
    Ok((arrays, ArrowArray(Arc::new(none)), accounts))
}

fn lists(imported: Imported, name: &str, observer: &dyn Observer) -> Result<TokenLists> {
    Ok(TokenLists::try_new(&imported.chunks(is_token_lists, observer)?, name)?)
}

fn taken(object: &Bound<'_, PyAny>, name: &str) -> PyResult<Imported> {
    Imported::take(object)?.ok_or_else(|| ColumnError::new_err(format!("{name} is no Arrow column")))
}

fn is_lengths(data_type: &DataType) -> bool {
    data_type.is_integer() || matches!(data_type, DataType::Null)
}

fn packer(context: i64, strategy: &str, overlong: &str) -> Result<Packer> {
    let refused = |_| parameter(format!("context is `{context}`, but it is at least 1 token"));
    let context = u64::try_from(context).map_err(refused)?;
    Ok(Packer::try_new(context, Strategy::named(strategy)?, Overlong::named(overlong)?)?)
}

/// Positions as numbers with a sign, which numpy adds to others without making floats of them; none is near 2^63.
fn signed(positions: Vec<u64>) -> Int64Array {
    let len = positions.len();
    Int64Array::new(ScalarBuffer::new(Buffer::from_vec(positions), 0, len), None)
}

fn accounts(py: Python<'_>, accounts: &Accounts) -> PyResult<Py<PyDict>> {
    let dict = PyDict::new(py);
    let tally = |tally: Tally| (tally.sequences, tally.tokens);
    for (name, value) in [
        ("given", tally(accounts.given)),
        ("packed", tally(accounts.packed)),
        ("truncated", tally(accounts.truncated)),
        ("dropped", tally(accounts.dropped)),
    ] {
        dict.set_item(name, value)?;
    }
    for (name, count) in [("split", accounts.split), ("empty", accounts.empty), ("missing", accounts.missing)]
    {
        dict.set_item(name, count)?;
    }
    Ok(dict.unbind())
}
