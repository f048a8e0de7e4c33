//! Bins as rows of a table: tokens, positions that restart, and what says where a segment ends.
//!
//! | column | type | what |
//! |---|---|---|
//! | `input_ids` | list of uint32 | the tokens of the bin, one segment behind the other |
//! | `position_ids` | list of uint32 | unless left out: the position of each token in its segment: 0 where a segment begins |
//! | `seq_lengths` | list of uint32 | the tokens of each segment; TRL's collator reads this |
//! | `cu_seqlens` | list of int32 | on request: 0, and where each segment ends; what `FlashAttention` reads |
//! | `loss_mask` | list of uint8 | 1 for a token that is to be learned; there with a mask or with padding |
//! | `document_ids` | list of string | the document of each segment |
//!
//! Padding is a segment of its own behind the others, so that sums of lengths are lengths of rows, its positions restart, and
//! no token attends to it. It has no document and is not to be learned.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Int32Array, ListArray, RecordBatch, RecordBatchOptions, StringArray, UInt8Array, UInt32Array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use thresher_core::prefetch::with_room;

use super::Sum;
use super::tokens::Tokens;
use crate::error::{Error, Result};

/// Which columns bins have, and what is put into them that was not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column that is there or not")]
pub struct Form {
    /// Bins are filled up to this many tokens with this token.
    pub pad: Option<(u32, u32)>,
    /// Whether there is a column `position_ids`.
    pub positions: bool,
    /// Whether there is a column `cu_seqlens`.
    pub cu_seqlens: bool,
    /// Whether sequences have a mask of the tokens that are to be learned.
    pub masked: bool,
    /// Whether there is a column `document_ids`.
    pub documents: bool,
}

/// A piece of a sequence, with its tokens.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The sequence.
    pub sequence: u64,
    /// Where in the sequence it begins.
    pub start: u64,
    /// Its tokens, without what ends a document.
    pub tokens: Tokens<'a>,
    /// One for each token: whether it is to be learned.
    pub mask: Option<Tokens<'a>>,
    /// The token behind it, and whether it is to be learned, if the document ends here and is to be ended by one.
    pub end: Option<(u32, bool)>,
    /// The document.
    pub document: Option<&'a str>,
}

/// Bins under construction.
#[derive(Debug)]
pub struct Bins {
    form: Form,
    tokens: Vec<u32>,
    positions: Vec<u32>,
    mask: Vec<u8>,
    /// Where each bin begins, in tokens and in segments, and at last where the next one will.
    rows: Vec<i32>,
    segments: Vec<i32>,
    lengths: Vec<u32>,
    documents: Vec<u8>,
    document_ends: Vec<i32>,
    document_rows: Vec<i32>,
    /// What was written, as it lies there.
    packed: Sum,
    masked: Sum,
}

impl Form {
    /// The columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let list = |name: &str, item: DataType| Field::new(name, DataType::List(item_of(item)), false);
        let mut fields = vec![list("input_ids", DataType::UInt32)];
        if self.positions {
            fields.push(list("position_ids", DataType::UInt32));
        }
        fields.push(list("seq_lengths", DataType::UInt32));
        if self.cu_seqlens {
            fields.push(list("cu_seqlens", DataType::Int32));
        }
        if self.has_mask() {
            fields.push(list("loss_mask", DataType::UInt8));
        }
        if self.documents {
            fields.push(list("document_ids", DataType::Utf8));
        }
        Arc::new(Schema::new(fields))
    }

    fn has_mask(&self) -> bool {
        self.masked || self.pad.is_some()
    }
}

fn item_of(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new_list_field(data_type, false))
}

impl Bins {
    /// No bins, with room for some tokens.
    #[must_use]
    pub fn new(form: Form, tokens: usize) -> Self {
        Self {
            form,
            tokens: with_room(tokens),
            positions: with_room(if form.positions { tokens } else { 0 }),
            mask: with_room(if form.has_mask() { tokens } else { 0 }),
            rows: vec![0],
            segments: vec![0],
            lengths: Vec::new(),
            documents: Vec::new(),
            document_ends: vec![0],
            document_rows: vec![0],
            packed: Sum::default(),
            masked: Sum::default(),
        }
    }

    /// Tokens so far.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Puts a segment behind the others of the bin.
    ///
    /// # Errors
    /// `Error::Column` for a token that is no number of 32 bits, a mask of another length, or one with other numbers than 0 and 1.
    pub fn push(&mut self, segment: Segment<'_>) -> Result<()> {
        let Segment { sequence, start, tokens, mask, end, document } = segment;
        let from = self.tokens.len();
        if !tokens.append_to(&mut self.tokens) {
            return Err(Error::Column(format!(
                "sequence `{sequence}` has a token below 0 or above {}; ids of tokens are 32-bit numbers",
                u32::MAX
            )));
        }
        self.tokens.extend(end.map(|(token, _)| token));
        let length = self.tokens.len() - from;
        if self.form.positions {
            self.positions.extend(0..length as u32);
        }
        self.lengths.push(length as u32);
        self.packed.add(Tokens::U32(&self.tokens[from..]), sequence, start);
        if self.form.has_mask() {
            self.push_mask(mask, tokens.len(), sequence)?;
            self.mask.extend(end.map(|(_, learned)| u8::from(learned)));
            if self.form.masked {
                self.masked.add(Tokens::U8(&self.mask[from..from + tokens.len()]), sequence, start);
            }
        }
        if self.form.documents {
            self.documents.extend_from_slice(document.unwrap_or_default().as_bytes());
            self.document_ends.push(small(self.documents.len())?);
        }
        Ok(())
    }

    fn push_mask(&mut self, mask: Option<Tokens<'_>>, tokens: usize, sequence: u64) -> Result<()> {
        let Some(mask) = mask else {
            self.mask.extend(std::iter::repeat_n(1, tokens));
            return Ok(());
        };
        if mask.append_mask_to(&mut self.mask) && mask.len() == tokens {
            return Ok(());
        }
        Err(no_mask(sequence))
    }

    /// The bin is complete.
    ///
    /// # Errors
    /// `Error::Internal` for more tokens than one batch can hold.
    pub fn end_bin(&mut self) -> Result<()> {
        let from = self.rows.last().copied().unwrap_or_default() as usize;
        if let Some((context, pad)) = self.form.pad {
            let missing = (context as usize).saturating_sub(self.tokens.len() - from);
            if missing > 0 {
                self.tokens.extend(std::iter::repeat_n(pad, missing));
                if self.form.positions {
                    self.positions.extend(0..missing as u32);
                }
                self.mask.extend(std::iter::repeat_n(0, missing));
                self.lengths.push(missing as u32);
            }
        }
        self.rows.push(small(self.tokens.len())?);
        self.segments.push(small(self.lengths.len())?);
        self.document_rows.push(small(self.document_ends.len() - 1)?);
        Ok(())
    }

    /// The bins as rows, and the sums of what was written: of tokens, and of their masks.
    ///
    /// # Errors
    /// `Error::Conservation` if the columns do not fit each other.
    pub fn finish(self) -> Result<(RecordBatch, Sum, Sum)> {
        let count = self.rows.len() - 1;
        let broken =
            |error: ArrowError| Error::Conservation(format!("the columns of a batch do not fit: {error}"));
        let by_token = OffsetBuffer::new(ScalarBuffer::from(self.rows));
        let by_segment = OffsetBuffer::new(ScalarBuffer::from(self.segments));
        let numbers = |values: Vec<u32>, bounds: &OffsetBuffer<i32>| -> Result<ArrayRef> {
            let values = Arc::new(UInt32Array::from(values));
            let list = ListArray::try_new(item_of(DataType::UInt32), bounds.clone(), values, None);
            Ok(Arc::new(list.map_err(broken)?))
        };
        let ends = self.form.cu_seqlens.then(|| ends(&by_segment, &self.lengths)).transpose()?;
        let mut columns = vec![numbers(self.tokens, &by_token)?];
        if self.form.positions {
            columns.push(numbers(self.positions, &by_token)?);
        }
        columns.push(numbers(self.lengths, &by_segment)?);
        columns.extend(ends);
        if self.form.has_mask() {
            let values = Arc::new(UInt8Array::from(self.mask));
            let list = ListArray::try_new(item_of(DataType::UInt8), by_token, values, None);
            columns.push(Arc::new(list.map_err(broken)?));
        }
        if self.form.documents {
            let ends = OffsetBuffer::new(ScalarBuffer::from(self.document_ends));
            let texts = StringArray::try_new(ends, self.documents.into(), None).map_err(broken)?;
            let bins = OffsetBuffer::new(ScalarBuffer::from(self.document_rows));
            let list = ListArray::try_new(item_of(DataType::Utf8), bins, Arc::new(texts), None);
            columns.push(Arc::new(list.map_err(broken)?));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch =
            RecordBatch::try_new_with_options(self.form.schema(), columns, &options).map_err(broken)?;
        Ok((batch, self.packed, self.masked))
    }
}

/// 0 and where each segment of its bin ends, for each bin.
fn ends(bins: &OffsetBuffer<i32>, lengths: &[u32]) -> Result<ArrayRef> {
    let mut values = Vec::with_capacity(lengths.len() + bins.len());
    let mut starts = Vec::with_capacity(bins.len());
    starts.push(0);
    for bin in bins.windows(2) {
        let mut end = 0;
        values.push(end);
        for &length in &lengths[bin[0] as usize..bin[1] as usize] {
            end += length as i32;
            values.push(end);
        }
        starts.push(small(values.len())?);
    }
    let bounds = OffsetBuffer::new(ScalarBuffer::from(starts));
    let list = ListArray::try_new(item_of(DataType::Int32), bounds, Arc::new(Int32Array::from(values)), None);
    Ok(Arc::new(
        list.map_err(|error| Error::Conservation(format!("the bounds of segments do not fit: {error}")))?,
    ))
}

/// A mask that does not fit.
pub(super) fn no_mask(sequence: u64) -> Error {
    Error::Column(format!("the mask of sequence `{sequence}` is not one 0 or 1 for each of its tokens"))
}

/// A number of 32-bit offsets.
fn small(number: usize) -> Result<i32> {
    i32::try_from(number)
        .map_err(|_| Error::Parameter(format!("a batch has `{number}` tokens or bytes, more than 2^31 - 1")))
}
