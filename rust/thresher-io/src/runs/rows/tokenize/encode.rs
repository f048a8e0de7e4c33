//! The encoding of every row, as a step that makes new rows and as one that adds columns.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, RecordBatch, UInt8Array, UInt32Array};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use serde_json::Value as Json;
use thresher_chat::Format;
use thresher_chat::template::{RenderOptions, Template};
use thresher_core::json::{FieldPath, Fields};
use thresher_tokens::tokenizer::{self, Options, Tokenizer};

use super::report::{TokenCounts, TokenizerReport};
use crate::error::Result;
use crate::record::{Reason, Record};
use crate::runs::rows::write::{KnownColumns, KnownFormat};
use crate::runs::rows::{NewRows, Reshape, ReshapeWorker};
use crate::runs::steps::{Found, Marks, Refusal, RowStep, RowWorker, Sees, Value};
use crate::writers::tokens::INPUT_IDS;

/// The other columns.
const LENGTH: &str = "length";
const ASSISTANT_MASKS: &str = "assistant_masks";
const OFFSETS: &str = "offsets";

/// A tokenizer, and what is asked of it.
pub(crate) struct Encoding {
    pub(super) tokenizer: Tokenizer,
    pub(super) options: Options,
    /// Where the tokenizer came from.
    pub(super) path: PathBuf,
    /// The fields of text and id; of chat rows all is read.
    pub(super) text: Option<FieldPath>,
    pub(super) id: Option<FieldPath>,
    pub(super) chat: Option<Chat>,
    pub(super) offsets: bool,
    pub(super) format: Option<KnownFormat>,
}

/// How chat rows become texts.
pub(crate) struct Chat {
    pub(super) template: Template,
    pub(super) options: RenderOptions,
    pub(super) format: Format,
}

impl Encoding {
    fn items(kind: DataType) -> FieldRef {
        Arc::new(Field::new("item", kind, false))
    }

    /// Start and end.
    fn pair() -> DataType {
        DataType::List(Self::items(DataType::UInt32))
    }

    /// The columns that there are of each row.
    fn fields(&self) -> Vec<Field> {
        let list = |kind| DataType::List(Self::items(kind));
        let mut fields = vec![
            Field::new(INPUT_IDS, list(DataType::UInt32), false),
            Field::new(LENGTH, DataType::UInt32, false),
        ];
        if self.chat.is_some() {
            fields.push(Field::new(ASSISTANT_MASKS, list(DataType::UInt8), false));
        }
        if self.offsets {
            fields.push(Field::new(OFFSETS, list(Self::pair()), false));
        }
        fields
    }

    fn worker(&self) -> Worker<'_> {
        Worker {
            encoding: self,
            encoder: self.tokenizer.worker(&self.options),
            columns: Columns::default(),
            counts: TokenCounts::default(),
        }
    }

    fn resident(&self) -> u64 {
        self.tokenizer.resident_bytes()
    }

    fn report(&self, found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Json> {
        TokenCounts::summary(found, &TokenizerReport::of(self))
    }
}

impl Reshape for Encoding {
    fn format(&self) -> Option<&str> {
        self.chat.as_ref().map(|chat| chat.format.name())
    }

    fn fields(&self) -> Fields {
        Fields { text: self.text.clone(), id: self.id.clone(), rank: None }
    }

    fn columns(&self) -> Option<KnownColumns> {
        Some(KnownColumns { schema: Arc::new(Schema::new(self.fields())), format: self.format })
    }

    fn resident_bytes(&self) -> u64 {
        self.resident()
    }

    fn worker(&self) -> Box<dyn ReshapeWorker + '_> {
        Box::new(self.worker())
    }

    fn summary(&self, _: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Json> {
        self.report(found)
    }
}

impl RowStep for Encoding {
    fn sees(&self) -> Sees {
        self.text.clone().map_or(Sees::Row, Sees::Text)
    }

    fn id(&self) -> Option<&FieldPath> {
        self.id.as_ref()
    }

    fn columns(&self) -> Vec<Field> {
        self.fields()
    }

    fn format(&self) -> Option<&str> {
        Reshape::format(self)
    }

    fn removes(&self) -> bool {
        false
    }

    fn resident_bytes(&self) -> u64 {
        self.resident()
    }

    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(self.worker())
    }

    fn summary(&self, _: &[String], found: &mut dyn Iterator<Item = Result<Found>>) -> Result<Json> {
        self.report(found)
    }
}

/// One thread of it.
struct Worker<'e> {
    encoding: &'e Encoding,
    encoder: tokenizer::Worker<'e>,
    columns: Columns,
    counts: TokenCounts,
}

/// The rows so far, one behind the other.
#[derive(Default)]
struct Columns {
    ids: Vec<u32>,
    /// Where each row ends.
    ends: Vec<i32>,
    masks: Vec<u8>,
    offsets: Vec<(u32, u32)>,
}

impl Worker<'_> {
    /// Appends the tokens of a row, a text or a chat row as JSON.
    fn encode(&mut self, row: &str) -> std::result::Result<(), Refusal> {
        let Self { encoding, encoder, columns, counts } = self;
        let start = columns.ids.len();
        let rendered = match &encoding.chat {
            Some(chat) => {
                let conversation = chat.format.read(thresher_core::json::Json::checked(row))?;
                Some(chat.template.render(&conversation, &chat.options)?)
            }
            None => None,
        };
        let text = rendered.as_ref().map_or(row, |rendered| &rendered.text);
        let worked = if rendered.is_some() || encoding.offsets {
            encoder.encode_with_offsets(text, &mut columns.ids, &mut columns.offsets)
        } else {
            encoder.encode(text, &mut columns.ids)
        };
        let worked = worked.map_err(|error| error.to_string()).and_then(|()| {
            i32::try_from(columns.ids.len())
                .map_err(|_| "rows of a unit have more than 2^31 tokens".to_owned())
        });
        let end = match worked {
            Ok(end) => end,
            Err(detail) => {
                columns.ids.truncate(start);
                columns.offsets.truncate(start);
                return Err(Refusal { reason: Reason::NoToken, detail });
            }
        };
        if let Some(rendered) = &rendered {
            mask(&columns.offsets[start..], &rendered.spans, &mut columns.masks);
        }
        columns.ends.push(end);
        counts.add(text.len(), columns.ids.len() - start);
        Ok(())
    }

    /// The last row, which is taken out again.
    fn take_last(&mut self) -> (Vec<u32>, Vec<u8>, Vec<(u32, u32)>) {
        let Columns { ids, ends, masks, offsets } = &mut self.columns;
        ends.clear();
        (std::mem::take(ids), std::mem::take(masks), std::mem::take(offsets))
    }

    fn take_found(&mut self) -> String {
        std::mem::take(&mut self.counts).to_json()
    }
}

/// Appends which tokens the model is to learn, by the bytes that they stand for: those that lie in a span with at least one
/// byte and with all of them. What the model sees a part of before is not for it to say.
fn mask(offsets: &[(u32, u32)], spans: &[(usize, usize)], masks: &mut Vec<u8>) {
    let mut next = 0;
    masks.extend(offsets.iter().map(|&(start, end)| {
        let (start, end) = (start as usize, end as usize);
        while spans.get(next).is_some_and(|span| span.1 <= start) && end > start {
            next += 1;
        }
        u8::from(end > start && spans.get(next).is_some_and(|span| span.0 <= start && end <= span.1))
    }));
}

impl Columns {
    fn into_batch(self, encoding: &Encoding) -> Option<RecordBatch> {
        let Self { ids, ends, masks, offsets } = self;
        let lengths: Vec<u32> =
            ends.iter().scan(0, |before, &end| Some((end - std::mem::replace(before, end)) as u32)).collect();
        let places = OffsetBuffer::new(std::iter::once(0).chain(ends).collect::<ScalarBuffer<_>>());
        let list = |kind: DataType, values: ArrayRef| -> ArrayRef {
            Arc::new(ListArray::new(Encoding::items(kind), places.clone(), values, None))
        };
        let mut arrays: Vec<ArrayRef> = vec![
            list(DataType::UInt32, Arc::new(UInt32Array::from(ids))),
            Arc::new(UInt32Array::from(lengths)),
        ];
        if encoding.chat.is_some() {
            arrays.push(list(DataType::UInt8, Arc::new(UInt8Array::from(masks))));
        }
        if encoding.offsets {
            let flat: UInt32Array = offsets.into_iter().flat_map(|(start, end)| [start, end]).collect();
            let places = OffsetBuffer::from_repeated_length(2, flat.len() / 2);
            let pairs = ListArray::new(Encoding::items(DataType::UInt32), places, Arc::new(flat), None);
            arrays.push(list(Encoding::pair(), Arc::new(pairs)));
        }
        RecordBatch::try_new(Arc::new(Schema::new(encoding.fields())), arrays).ok()
    }
}

impl ReshapeWorker for Worker<'_> {
    fn row(&mut self, row: &Record<'_>, new: &mut NewRows) -> std::result::Result<(), Refusal> {
        self.encode(row.text)?;
        new.in_columns(row);
        Ok(())
    }

    fn columns(&mut self) -> Option<RecordBatch> {
        std::mem::take(&mut self.columns).into_batch(self.encoding)
    }

    fn found(&mut self) -> String {
        self.take_found()
    }
}

impl RowWorker for Worker<'_> {
    fn row(&mut self, row: &str, marks: &mut Marks) {
        if let Err(Refusal { reason, detail }) = self.encode(row) {
            marks.set_aside(reason, detail);
            return;
        }
        let (ids, masks, offsets) = self.take_last();
        let length = ids.len() as i64;
        marks.value(Value::Ids(ids));
        marks.value(length);
        if self.encoding.chat.is_some() {
            marks.value(Value::List(masks.into_iter().map(|mask| Value::Int(mask.into())).collect()));
        }
        if self.encoding.offsets {
            let pair = |(start, end)| Value::Ids(vec![start, end]);
            marks.value(Value::List(offsets.into_iter().map(pair).collect()));
        }
    }

    fn found(&mut self) -> String {
        self.take_found()
    }
}
