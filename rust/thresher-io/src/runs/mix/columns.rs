//! The columns that a mix adds to its rows: where each comes from. They are known from a row's place alone.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use thresher_tokens::mixing::{MixOrder, Placed};

use crate::error::{Error, Result};
use crate::runs::exchange::PlaceColumns;

/// `source`, and if they are asked for `epoch` and `phase`.
pub(super) struct MixColumns {
    fields: Vec<FieldRef>,
    order: MixOrder,
    /// The name of the source of each cell.
    sources: Vec<String>,
    /// The names of the phases.
    phases: Vec<String>,
}

impl MixColumns {
    pub(super) fn new(
        order: MixOrder,
        sources: Vec<String>,
        phases: Option<Vec<String>>,
        epochs: bool,
    ) -> Self {
        let mut fields = vec![Field::new("source", DataType::Utf8, false)];
        fields.extend(epochs.then(|| Field::new("epoch", DataType::UInt64, false)));
        fields.extend(phases.as_ref().map(|_| Field::new("phase", DataType::Utf8, false)));
        Self {
            fields: fields.into_iter().map(Arc::new).collect(),
            order,
            sources,
            phases: phases.unwrap_or_default(),
        }
    }
}

impl PlaceColumns for MixColumns {
    fn fields(&self) -> &[FieldRef] {
        &self.fields
    }

    fn of(&self, places: Range<u64>) -> Result<RecordBatch> {
        let missing = |place| Error::Internal(format!("nothing stands at place {place} of a mix"));
        let placed = places.map(|place| self.order.at(place).ok_or_else(|| missing(place)));
        let placed: Vec<Placed> = placed.collect::<Result<_>>()?;
        let columns = self.fields.iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                "source" => {
                    Arc::new(StringArray::from_iter_values(placed.iter().map(|at| &self.sources[at.cell])))
                }
                "phase" => {
                    Arc::new(StringArray::from_iter_values(placed.iter().map(|at| &self.phases[at.phase])))
                }
                _ => Arc::new(UInt64Array::from_iter_values(placed.iter().map(|at| at.epoch))),
            }
        });
        let schema = Arc::new(Schema::new(self.fields.clone()));
        RecordBatch::try_new(schema, columns.collect()).map_err(|error| Error::Internal(error.to_string()))
    }
}
