//! Signatures of many documents: one row of `num_hashes` lanes each.

use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{FixedSizeListArray, PrimitiveArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field};

use crate::hash::SCHEME_VERSION;
use crate::params::NumHashes;

/// Row-major `u32` lanes, shape `(n_docs, num_hashes)`, and which documents had a text at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureMatrix {
    num_hashes: NumHashes,
    seed: u64,
    lanes: Vec<u32>,
    valid: Vec<bool>,
}

impl SignatureMatrix {
    pub(crate) fn new(num_hashes: NumHashes, seed: u64, lanes: Vec<u32>, valid: Vec<bool>) -> Self {
        debug_assert_eq!(lanes.len(), valid.len() * num_hashes.get());
        Self { num_hashes, seed, lanes, valid }
    }

    /// Number of documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.valid.len()
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.valid.is_empty()
    }

    /// The hash scheme of these signatures; to be stored beside them.
    #[must_use]
    pub fn scheme_version(&self) -> u32 {
        SCHEME_VERSION
    }

    /// The seed of their family, without which they compare with nothing; to be stored beside them too.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The lanes of one document; none for a null text.
    #[must_use]
    pub fn row(&self, doc: usize) -> Option<&[u32]> {
        let k = self.num_hashes.get();
        self.valid.get(doc)?.then(|| &self.lanes[doc * k..(doc + 1) * k])
    }

    /// As an Arrow array, `FixedSizeList<uint32>[n_docs]`, without copying the lanes.
    #[must_use]
    pub fn into_arrow(self) -> FixedSizeListArray {
        let field = Arc::new(Field::new_list_field(DataType::UInt32, false));
        let values = Arc::new(PrimitiveArray::<UInt32Type>::from(self.lanes));
        let nulls = self.valid.contains(&false).then(|| NullBuffer::from(self.valid));
        FixedSizeListArray::new(field, self.num_hashes.get() as i32, values, nulls)
    }
}
