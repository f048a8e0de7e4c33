//! Rows whose dictionaries may differ, brought under common ones.
//!
//! A dictionary column of a batch is keys and a dictionary, and another batch may have another dictionary. Merging them
//! makes new keys, which a narrow key type cannot hold, and loses what a dictionary says beyond its values: their
//! order, and those that no row has. So dictionaries are never merged. Batches are joined as long as each dictionary
//! begins like the one before or continues it; where it does not, its writer has to begin anew.

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType};

/// The dictionaries in force: for each column those on every level, the outer before the inner.
#[derive(Debug, Default)]
pub(crate) struct Dictionaries {
    columns: Vec<Vec<ArrayData>>,
}

/// A column with a dictionary that contradicts the one in force.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contradiction {
    pub(crate) column: usize,
}

impl Dictionaries {
    /// Takes in the dictionaries of `batch`. After a contradiction nothing has changed.
    ///
    /// # Errors
    /// The first column whose dictionary neither begins like the one in force nor continues it.
    pub(crate) fn extend(&mut self, batch: &RecordBatch) -> Result<(), Contradiction> {
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (column, array) in batch.columns().iter().enumerate() {
            let mut found = Vec::new();
            if has_dictionary(array.data_type()) {
                collect(&array.to_data(), &mut found);
            }
            if let Some(known) = self.columns.get(column) {
                for (new, old) in found.iter_mut().zip(known) {
                    if !longer(new, old).ok_or(Contradiction { column })? {
                        *new = old.clone();
                    }
                }
            }
            columns.push(found);
        }
        self.columns = columns;
        Ok(())
    }

    /// Forgets them: what comes next begins anew.
    pub(crate) fn clear(&mut self) {
        self.columns.clear();
    }

    /// Gives rows that were taken in the dictionaries in force; their keys mean the same there.
    ///
    /// # Errors
    /// None that arrow should have a reason for.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns = batch.columns().to_vec();
        for (array, dictionaries) in columns.iter_mut().zip(&self.columns) {
            if !dictionaries.is_empty() {
                *array = replaced(array, dictionaries)?;
            }
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(batch.schema(), columns, &rows)
    }
}

pub(crate) fn has_dictionary(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(..) => true,
        DataType::Struct(fields) => fields.iter().any(|field| has_dictionary(field.data_type())),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => has_dictionary(field.data_type()),
        DataType::RunEndEncoded(_, values) => has_dictionary(values.data_type()),
        DataType::Union(fields, _) => fields.iter().any(|(_, field)| has_dictionary(field.data_type())),
        _ => false,
    }
}

fn collect(array: &ArrayData, found: &mut Vec<ArrayData>) {
    if matches!(array.data_type(), DataType::Dictionary(..)) {
        found.extend(array.child_data().first().cloned());
    }
    array.child_data().iter().for_each(|child| collect(child, found));
}

/// Whether `new` continues `old`, or else begins like it; nothing if they contradict each other.
fn longer(new: &ArrayData, old: &ArrayData) -> Option<bool> {
    if new.ptr_eq(old) {
        return Some(false);
    }
    let common = new.len().min(old.len());
    let alike = new.slice(0, common) == old.slice(0, common);
    alike.then_some(new.len() > old.len())
}

fn replaced(array: &ArrayRef, dictionaries: &[ArrayData]) -> Result<ArrayRef, ArrowError> {
    let data = array.to_data();
    let mut own = Vec::new();
    collect(&data, &mut own);
    if own.iter().zip(dictionaries).all(|(own, wanted)| own.ptr_eq(wanted)) {
        return Ok(array.clone());
    }
    Ok(make_array(with_dictionaries(data, &mut dictionaries.iter())?))
}

fn with_dictionaries<'a>(
    array: ArrayData,
    dictionaries: &mut impl Iterator<Item = &'a ArrayData>,
) -> Result<ArrayData, ArrowError> {
    if !has_dictionary(array.data_type()) {
        return Ok(array);
    }
    let wanted = matches!(array.data_type(), DataType::Dictionary(..)).then(|| dictionaries.next()).flatten();
    let mut children = Vec::with_capacity(array.child_data().len());
    for child in array.child_data() {
        children.push(with_dictionaries(wanted.unwrap_or(child).clone(), dictionaries)?);
    }
    array.into_builder().child_data(children).build()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{DictionaryArray, Int8Array, ListArray, StringArray, types::Int8Type};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::Field;
    use arrow_select::concat::concat;

    use super::*;

    fn batch(keys: &[i8], values: &[&str], nested: bool) -> RecordBatch {
        let values: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
        let array: ArrayRef =
            Arc::new(DictionaryArray::<Int8Type>::new(Int8Array::from(keys.to_vec()), values));
        let array = if nested {
            let item = Arc::new(Field::new("item", array.data_type().clone(), true));
            let ends = OffsetBuffer::from_lengths(std::iter::repeat_n(1, keys.len()));
            Arc::new(ListArray::new(item, ends, array, None))
        } else {
            array
        };
        RecordBatch::try_from_iter([("c", array)]).unwrap()
    }

    #[test]
    fn a_longer_dictionary_serves_both() {
        for nested in [false, true] {
            let (short, long) = (batch(&[0, 1], &["a", "b"], nested), batch(&[2], &["a", "b", "c"], nested));
            let mut dictionaries = Dictionaries::default();
            for part in [&short, &long, &short] {
                dictionaries.extend(part).unwrap();
            }
            let parts: Vec<RecordBatch> =
                [&short, &long].map(|part| dictionaries.apply(part).unwrap()).to_vec();
            let joined = concat(&[parts[0].column(0).as_ref(), parts[1].column(0).as_ref()]).unwrap();
            assert_eq!(&joined.slice(0, 2), short.column(0));
            assert_eq!(&joined.slice(2, 1), long.column(0));
        }
    }

    #[test]
    fn another_dictionary_is_a_contradiction_and_changes_nothing() {
        let mut dictionaries = Dictionaries::default();
        dictionaries.extend(&batch(&[0], &["a", "b"], true)).unwrap();
        let other = batch(&[0], &["b", "a"], true);
        assert_eq!(dictionaries.extend(&other), Err(Contradiction { column: 0 }));
        dictionaries.extend(&batch(&[0], &["a", "b", "c"], true)).unwrap();
        dictionaries.clear();
        dictionaries.extend(&other).unwrap();
    }
}
