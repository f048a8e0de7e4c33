//! Which leaf columns a run needs of a file, and where its fields are among them.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields as ArrowFields, Schema};

use crate::readers::{columns::Places, strings};

/// The types in which fields are read: byte strings as views, whether they are text or not, and without dictionaries, which
/// views do not need.
pub(super) fn reading_types(fields: &ArrowFields) -> ArrowFields {
    strings::map(fields, &|kind| byte_string(kind).map(|_| DataType::BinaryView))
}

/// The types in which what was read is looked at: strings are strings.
pub(super) fn looking_types(fields: &ArrowFields) -> ArrowFields {
    strings::map(fields, &|kind| {
        byte_string(kind).map(|text| if text { DataType::Utf8View } else { DataType::BinaryView })
    })
}

/// Whether byte strings of this type are text; nothing for other types.
fn byte_string(kind: &DataType) -> Option<bool> {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(true),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(false),
        DataType::Dictionary(_, values) => byte_string(values),
        _ => None,
    }
}

/// The fields that `places` lead to, without those beside them.
pub(super) fn pruned(fields: &ArrowFields, places: &[&[usize]]) -> ArrowFields {
    let kept = fields.iter().enumerate().filter_map(|(at, field)| {
        let below: Vec<&[usize]> =
            places.iter().filter(|place| place.first() == Some(&at)).map(|place| &place[1..]).collect();
        match field.data_type() {
            _ if below.is_empty() => None,
            DataType::Struct(children) if below.iter().all(|place| !place.is_empty()) => {
                let kind = DataType::Struct(pruned(children, &below));
                Some(Arc::new(Field::clone(field).with_data_type(kind)))
            }
            _ => Some(field.clone()),
        }
    });
    kept.collect()
}

/// How many leaf columns a field has in Parquet.
pub(crate) fn leaf_count(kind: &DataType) -> usize {
    match kind {
        DataType::Struct(fields) => fields.iter().map(|f| leaf_count(f.data_type())).sum(),
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => leaf_count(f.data_type()),
        _ => 1,
    }
}

/// The leaf that `place` leads to.
pub(super) fn leaf_index(schema: &Schema, place: &[usize]) -> usize {
    let mut index = 0;
    let mut fields = schema.fields();
    for &at in place {
        index += fields.iter().take(at).map(|f| leaf_count(f.data_type())).sum::<usize>();
        if let Some(DataType::Struct(children)) = fields.get(at).map(|f| f.data_type()) {
            fields = children;
        }
    }
    index
}

/// Where `places` end up in a batch that has only them: columns keep their order, the others are gone.
pub(super) fn projected(places: &Places) -> Places {
    let Some(all) = places.all() else { return places.clone() };
    let all: Vec<&[usize]> = all.collect();
    let among = |place: &[usize]| -> Vec<usize> {
        (0..place.len())
            .map(|depth| {
                let mut seen: Vec<usize> = all
                    .iter()
                    .filter(|other| other.len() > depth && other[..depth] == place[..depth])
                    .map(|other| other[depth])
                    .filter(|&at| at < place[depth])
                    .collect();
                seen.sort_unstable();
                seen.dedup();
                seen.len()
            })
            .collect()
    };
    Places {
        text: places.text.as_deref().map(among),
        id: places.id.as_deref().map(among),
        rank: places.rank.as_deref().map(among),
    }
}
