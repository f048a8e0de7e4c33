//! What a run shows of its work beside the data: figures that are counted on the way, in bounded memory.

pub(crate) mod figures;
