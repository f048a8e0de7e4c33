//! One writer a format; each implements [`Output`](crate::input::Output) and appears by one commit.

use std::sync::Arc;

use arrow_schema::{FieldRef, Schema, SchemaRef};

use crate::crew::Crew;

mod array;
pub(crate) mod conform;
pub(crate) mod dictionaries;
pub mod folder;
pub mod ipc;
pub mod lines;
pub mod parquet;
pub(crate) mod regroup;
pub mod tokens;
pub(crate) mod views;

/// Memory of an output, where nobody says how much.
const OUTPUT_MEMORY: u64 = 512 << 20;

/// What an output has to work with. It does not change its bytes.
#[derive(Clone)]
pub struct Means {
    /// The threads that encode.
    pub crew: Arc<Crew>,
    /// Memory for content on its way into the file, in bytes. The least that an output works with is two row groups of
    /// 64 MiB, or two blocks of 4 MiB.
    pub memory: u64,
    /// Whether checkpoints will be asked for.
    pub resumable: bool,
}

impl Means {
    /// What there is where nobody says more.
    #[must_use]
    pub fn new(crew: &Arc<Crew>) -> Self {
        Self { crew: crew.clone(), memory: OUTPUT_MEMORY, resumable: false }
    }
}

/// A schema with added columns at the end, which take the place of those of their names.
pub(crate) fn with_added(schema: &Schema, added: &[FieldRef]) -> SchemaRef {
    let is_added = |field: &&FieldRef| added.iter().any(|added| added.name() == field.name());
    let kept = schema.fields().iter().filter(|field| !is_added(field));
    let fields: Vec<FieldRef> = kept.chain(added).cloned().collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}
