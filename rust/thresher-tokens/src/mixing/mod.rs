//! What is taken of each source: sizes and wishes in, amounts and copies of rows out.
//!
//! ```text
//! sizes of sources, wishes ─> wished shares ─> amounts ─> whole documents ─> copies of a row, and their places
//!                             weights          solve      cut                order
//! ```
//!
//! The corpus is divided into *cells*: the rows of a source that have the same values of the fields that the wishes name.
//! A plan says for each cell how much of it each phase takes. Where nothing but the caps binds, that is water-filling:
//! every source gets its weight times one level, or its cap. Floors and ceilings of fields move the mix no further than they
//! must: of all mixes that obey them, the plan is the one with the least Kullback-Leibler divergence from the weights.
//! A wish that cannot be met is an error that names it and says what would do; nothing is given up in silence.
//!
//! Amounts are `f64`, so they are whole up to 2^53 tokens. All arithmetic is in one order on one thread: the same sizes and
//! wishes give the same plan.

mod cut;
mod fill;
mod order;
mod plan;
mod refusals;
mod solve;
mod weights;
mod wishes;

pub use cut::{Cuts, Cutting};
pub use order::{Arrangement, MixOrder, Placed, Taken, stream_of};
pub use plan::{Bound, PhasePlan, Plan, plan};
pub use wishes::{FieldWish, PhaseWish, Short, SourceWish, ValueWish, Weighting, Wishes};

/// The rows of a source that have the same values of the fields that the wishes name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The place of the source in [`Wishes::sources`].
    pub source: usize,
    /// For each of [`Wishes::fields`], the place of the value that the rows have; none if it is another one, or missing.
    pub values: Vec<Option<usize>>,
    /// The size of the rows, in the unit of the wishes.
    pub size: u64,
    /// How many rows there are.
    pub documents: u64,
}

#[cfg(test)]
mod tests;
