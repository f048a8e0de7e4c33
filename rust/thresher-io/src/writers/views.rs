//! Views that hold what they need and nothing else.
//!
//! A view points into buffers that it shares with others: a few kept values can hold whole pages in memory, and a written
//! batch would take them along.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, cast::AsArray, make_array};
use arrow_schema::{ArrowError, DataType};

use super::regroup::content_bytes;

/// Gives views, on any level, buffers of their own where `wanted` says so, given the bytes of the buffers that an array
/// holds and those of its values.
///
/// # Errors
/// None that arrow should have a reason for.
pub(crate) fn compact(
    array: &ArrayRef,
    wanted: impl Fn(usize, usize) -> bool + Copy,
) -> Result<ArrayRef, ArrowError> {
    let held = |buffers: &[arrow_buffer::Buffer]| buffers.iter().map(arrow_buffer::Buffer::len).sum();
    let content = || content_bytes(array, 0..array.len()) as usize;
    match array.data_type() {
        DataType::Utf8View => {
            let views = array.as_string_view();
            let keep = !wanted(held(views.data_buffers()), content());
            return Ok(if keep { array.clone() } else { Arc::new(views.gc()) });
        }
        DataType::BinaryView => {
            let views = array.as_binary_view();
            let keep = !wanted(held(views.data_buffers()), content());
            return Ok(if keep { array.clone() } else { Arc::new(views.gc()) });
        }
        kind if !has_views(kind) => return Ok(array.clone()),
        _ => {}
    }
    let data = array.to_data();
    let mut children = Vec::new();
    for child in data.child_data() {
        children.push(compact(&make_array(child.clone()), wanted)?.to_data());
    }
    Ok(make_array(data.into_builder().child_data(children).build()?))
}

fn has_views(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::Struct(fields) => fields.iter().any(|f| has_views(f.data_type())),
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::ListView(f)
        | DataType::LargeListView(f)
        | DataType::FixedSizeList(f, _)
        | DataType::Map(f, _) => has_views(f.data_type()),
        DataType::Dictionary(_, values) => has_views(values),
        DataType::RunEndEncoded(_, values) => has_views(values.data_type()),
        DataType::Union(fields, _) => fields.iter().any(|(_, f)| has_views(f.data_type())),
        _ => false,
    }
}
