//! Rows that are about to be written, with new texts and added columns.
//!
//! Rows are copied first, as they are without changes, and changed then: of JSON every byte stays beside the text and the
//! members; of columns only the text is swapped. Columns of a name that is added are replaced.

use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StructArray};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, FieldRef, Schema};
use thresher_core::json::FieldPath;

use crate::error::{Error, Result};
use crate::input::{Piece, SlotMask};
use crate::runs::steps::row::{edited_row, objects};

/// What is changed in the rows of one unit.
#[derive(Debug, Default)]
pub(crate) struct Changes<'c> {
    /// The field of the texts.
    pub(crate) field: Option<&'c FieldPath>,
    /// New texts by slot, ascending, of slots that are kept.
    pub(crate) texts: Vec<(u32, String)>,
    /// Added columns: one row for each kept slot.
    pub(crate) added: Option<RecordBatch>,
}

/// A piece of the rows in `keep`, changed.
///
/// # Errors
/// `Error::Internal` for rows that are not those.
pub(crate) fn changed(piece: Piece, keep: &SlotMask, changes: Changes<'_>) -> Result<Piece> {
    let Changes { field, texts, added } = changes;
    // By the place among the kept rows.
    let (mut place, mut next) = (0, texts.into_iter().peekable());
    let mut by_place = Vec::new();
    for (slot, _) in (0..).zip(keep).filter(|(_, kept)| **kept) {
        if let Some((_, text)) = next.next_if(|(of, _)| *of == slot) {
            by_place.push((place, text));
        }
        place += 1;
    }
    let rows = Rows { field, texts: by_place, added, len: place };
    match piece {
        Piece::Bytes(lines) => rows.of_lines(&lines).map(Piece::Bytes),
        Piece::Elements { bytes, ends } => rows.of_elements(&bytes, &ends),
        Piece::Batches(batches) => rows.of_batches(batches).map(Piece::Batches),
        Piece::Group(input, group, batches) => Ok(Piece::Group(input, group, rows.of_batches(batches)?)),
        Piece::Files(_) => Err(Error::Internal("documents of a folder are not changed".into())),
    }
}

/// The changes by the place of a row among those that are written.
struct Rows<'c> {
    field: Option<&'c FieldPath>,
    texts: Vec<(usize, String)>,
    added: Option<RecordBatch>,
    len: usize,
}

impl Rows<'_> {
    fn text_of(&self, place: usize) -> Option<&str> {
        let found = self.texts.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&self.texts[found].1)
    }

    fn lost(&self, rows: usize) -> Error {
        Error::Internal(format!("{rows} rows were copied where {} are to be changed", self.len))
    }

    /// Changes rows of JSON, each with what stands behind it.
    fn of_json<'j>(
        &self,
        rows: impl Iterator<Item = (&'j [u8], &'j [u8])>,
        mut take: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let objects = self.added.as_ref().map(objects).transpose()?;
        let names = self.added.as_ref().map(|added| added.schema().fields().to_vec()).unwrap_or_default();
        let mut place = 0;
        for (row, end) in rows {
            let text = self.field.zip(self.text_of(place));
            let added = objects.as_ref().map(|objects| objects.get(place).ok_or_else(|| self.lost(place)));
            let added = added.transpose()?.map(|object| (&names[..], object.as_str()));
            if text.is_none() && added.is_none() {
                take(row, end);
            } else {
                let row = std::str::from_utf8(row).map_err(|error| Error::Internal(error.to_string()))?;
                take(edited_row(row, text, added)?.as_bytes(), end);
            }
            place += 1;
        }
        if place == self.len { Ok(()) } else { Err(self.lost(place)) }
    }

    fn of_lines(&self, lines: &[u8]) -> Result<Vec<u8>> {
        let mut changed = Vec::with_capacity(lines.len());
        let rows = lines.split_inclusive(|byte| *byte == b'\n').map(|line| {
            let row = line.strip_suffix(b"\n").unwrap_or(line);
            line.split_at(row.strip_suffix(b"\r").unwrap_or(row).len())
        });
        self.of_json(rows, |row, end| {
            changed.extend_from_slice(row);
            changed.extend_from_slice(end);
        })?;
        Ok(changed)
    }

    fn of_elements(&self, bytes: &[u8], ends: &[usize]) -> Result<Piece> {
        let (mut changed, mut changed_ends) = (Vec::with_capacity(bytes.len()), Vec::new());
        let starts = [0].iter().chain(ends);
        let rows = starts.zip(ends).map(|(start, end)| (&bytes[*start..*end], &[][..]));
        self.of_json(rows, |row, _| {
            changed.extend_from_slice(row);
            changed_ends.push(changed.len());
        })?;
        Ok(Piece::Elements { bytes: changed, ends: changed_ends })
    }

    fn of_batches(&self, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
        let failed = |error: ArrowError| Error::Internal(format!("columns that are changed: {error}"));
        let mut first = 0;
        let mut changed = Vec::with_capacity(batches.len());
        for batch in batches {
            let rows = batch.num_rows();
            if first + rows > self.len {
                return Err(self.lost(first + rows));
            }
            changed.push(self.of_batch(&batch, first).map_err(failed)?);
            first += rows;
        }
        if first == self.len { Ok(changed) } else { Err(self.lost(first)) }
    }

    fn of_batch(&self, batch: &RecordBatch, first: usize) -> std::result::Result<RecordBatch, ArrowError> {
        let rows = first..first + batch.num_rows();
        let from = self.texts.partition_point(|(place, _)| *place < rows.start);
        let to = self.texts.partition_point(|(place, _)| *place < rows.end);
        let texts = &self.texts[from..to];
        let schema = batch.schema();
        let added = self.added.as_ref().map(RecordBatch::schema);
        let added: &[FieldRef] = added.as_ref().map_or(&[], |schema| schema.fields());
        let (mut fields, mut columns): (Vec<FieldRef>, Vec<ArrayRef>) = Default::default();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if added.iter().any(|added| added.name() == field.name()) {
                continue;
            }
            let path = self.field.map(FieldPath::parts).filter(|path| path[0] == *field.name());
            fields.push(field.clone());
            columns.push(match path {
                Some(path) if !texts.is_empty() => swapped(column, &path[1..], texts, first)?,
                _ => column.clone(),
            });
        }
        if let Some(batch) = &self.added {
            let part = batch.slice(rows.start, rows.len());
            fields.extend(added.iter().cloned());
            columns.extend(part.columns().iter().cloned());
        }
        let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(schema, columns, &options)
    }
}

/// A column with other texts at some places, in the type that it has; `path` leads into structs.
fn swapped(
    column: &ArrayRef,
    path: &[String],
    texts: &[(usize, String)],
    first: usize,
) -> std::result::Result<ArrayRef, ArrowError> {
    if let [name, path @ ..] = path {
        let inner = column.as_struct_opt();
        let inner = inner.ok_or_else(|| ArrowError::SchemaError(format!("`{name}` is in no struct")))?;
        let (fields, mut columns, nulls) = inner.clone().into_parts();
        let at = fields.iter().position(|field| field.name() == name);
        let at = at.ok_or_else(|| ArrowError::SchemaError(format!("there is no `{name}`")))?;
        columns[at] = swapped(&columns[at], path, texts, first)?;
        return Ok(Arc::new(StructArray::try_new(fields, columns, nulls)?));
    }
    let strings = cast(column, &DataType::Utf8View)?;
    let strings = strings.as_string_view();
    let mut swapped = StringViewBuilder::with_capacity(strings.len());
    let mut texts = texts.iter().peekable();
    for at in 0..strings.len() {
        match texts.next_if(|(place, _)| *place == first + at) {
            Some((_, text)) => swapped.append_value(text),
            None if strings.is_null(at) => swapped.append_null(),
            None => swapped.append_value(strings.value(at)),
        }
    }
    cast(&swapped.finish(), column.data_type())
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int32Type;
    use arrow_array::{DictionaryArray, Int64Array, LargeStringArray};

    use super::*;

    fn added(values: &[i64]) -> Option<RecordBatch> {
        let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        RecordBatch::try_from_iter([("n", column)]).ok()
    }

    #[test]
    fn lines_change_in_the_rows_that_are_kept_and_nowhere_else() {
        let field = FieldPath::parse("t").unwrap();
        let lines = b"{\"t\":\"a\"}\n {\"n\":0, \"\\u0074\":\"b\"} \r\n{\"t\":\"c\",\"t\":\"d\"}\n".to_vec();
        let changes =
            |added| Changes { field: Some(&field), texts: vec![(2, "B\"".into()), (5, "D".into())], added };
        let keep = [true, false, true, false, false, true];
        let Piece::Bytes(changed_lines) = changed(Piece::Bytes(lines.clone()), &keep, changes(None)).unwrap()
        else {
            panic!()
        };
        let wanted = "{\"t\":\"a\"}\n {\"n\":0, \"\\u0074\":\"B\\\"\"} \r\n{\"t\":\"c\",\"t\":\"D\"}\n";
        assert_eq!(String::from_utf8(changed_lines).unwrap(), wanted);
        let piece = changed(Piece::Bytes(lines.clone()), &keep, changes(added(&[7, 8, 9]))).unwrap();
        let Piece::Bytes(changed_lines) = piece else { panic!() };
        let wanted = "{\"t\":\"a\",\"n\":7}\n { \"\\u0074\":\"B\\\"\",\"n\":8} \r\n{\"t\":\"c\",\"t\":\"D\",\"n\":9}\n";
        assert_eq!(String::from_utf8(changed_lines).unwrap(), wanted);
        assert!(changed(Piece::Bytes(lines), &[true, true], Changes::default()).is_err());
    }

    #[test]
    fn elements_change_like_lines() {
        let piece = Piece::Elements { bytes: b"{\"a\":1}{}".to_vec(), ends: vec![7, 9] };
        let changes = Changes { added: added(&[1, 2]), ..Changes::default() };
        let Piece::Elements { bytes, ends } = changed(piece, &[true, true], changes).unwrap() else {
            panic!()
        };
        assert_eq!(
            (String::from_utf8(bytes).unwrap().as_str(), ends),
            ("{\"a\":1,\"n\":1}{\"n\":2}", vec![13, 20])
        );
    }

    #[test]
    fn columns_keep_their_types_and_all_values_beside_the_text() {
        let field = FieldPath::parse("t").unwrap();
        for kind in 0..3 {
            let values = ["a", "b", "c", "d"];
            let texts: ArrayRef = match kind {
                0 => Arc::new(LargeStringArray::from(values.to_vec())),
                1 => Arc::new(values.into_iter().collect::<DictionaryArray<Int32Type>>()),
                _ => cast(&LargeStringArray::from(values.to_vec()), &DataType::Utf8View).unwrap(),
            };
            let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
            let batch = RecordBatch::try_from_iter([("n", numbers), ("t", texts.clone())]).unwrap();
            let changes = || Changes {
                field: Some(&field),
                texts: vec![(1, "B".into()), (4, "D".into())],
                added: added(&[5, 6, 7, 8]),
            };
            let keep = [true, true, false, true, true];
            let cut = |at: usize| vec![batch.slice(0, at), batch.slice(at, 4 - at)];
            for at in 0..=4 {
                let piece = changed(Piece::Batches(cut(at)), &keep, changes()).unwrap();
                let Piece::Batches(batches) = piece else { panic!() };
                let whole = arrow_select::concat::concat_batches(&batches[0].schema(), &batches).unwrap();
                assert_eq!(whole.schema().field(0).data_type(), texts.data_type());
                let plain = cast(whole.column(0), &DataType::LargeUtf8).unwrap();
                assert_eq!(plain.as_string::<i64>(), &LargeStringArray::from(vec!["a", "B", "c", "D"]));
                assert_eq!(whole.schema().field(1).name(), "n");
                assert_eq!(whole.column(1).as_ref(), &Int64Array::from(vec![5, 6, 7, 8]) as &dyn Array);
            }
        }
    }
}
