//! Packing: which piece of which sequence goes into which bin, and at which offset.
//!
//! ```text
//! lengths ─survey─> counts by length ─best fit, first fit─> strips ─assign─> pieces, in the order of the sequences
//! ```
//!
//! A *bin* is a training sequence of at most `context` tokens. Lengths are small integers, so nothing has to look at a
//! sequence to decide: of each length it is enough to know how often it comes. The decreasing strategies place all
//! sequences of one length at once. Bins that are alike (as much space left, opened one after the other) are a *run*; a
//! length fills whole runs, and what it took of each is a *strip*: so many bins, so many sequences in each, from this
//! offset on. A run is cut by a length in at most three, so there are O(D) runs and O(min(n, D²)) strips for D different
//! lengths, and planning takes that time however many sequences there are. A second pass over the lengths gives every
//! sequence its place from the strips of its length: some nanoseconds each, and nothing is kept of it.
//!
//! Best fit decreasing needs at most 11/9 of the bins of an optimal packing, plus one (Johnson, Demers, Ullman, Garey,
//! Graham, *Worst-case performance bounds for simple one-dimensional packing algorithms*, 1974), and a bin or two more
//! than the sum of the lengths asks for where short sequences abound. For language models: Ding et al., *Fewer
//! truncations improve language modeling*, 2024 (<https://arxiv.org/abs/2404.10830>).
//!
//! **Order.** The plan depends on the lengths and their order alone. Lengths are placed from the longest to the shortest;
//! sequences of one length in their order. Best fit takes the bin with the least space that is enough, of several the
//! one that has had that space for longest; first fit the one opened first. Within a bin, pieces lie in the order in which
//! they were placed, the longest first. Bins are numbered by their first member: the bin of sequence 0 is bin 0, the next
//! number goes to the first sequence that lies elsewhere. So the bins come about as the sequences do, and their order
//! says nothing of how full they are.

mod assign;
mod best_fit;
mod bins;
mod conserve;
mod counts;
mod first_fit;
mod lengths;
mod materialise;
mod plan;
mod strips;
mod tokens;

pub use assign::{Assigner, Piece};
pub use bins::{Bins, Form, Segment};
pub use conserve::{Sum, check};
pub use counts::{Accounts, Survey, Tally};
pub use lengths::{Block, LengthColumn, Lengths};
pub use materialise::{Material, materialise};
pub use plan::{Members, Plan, plan};
pub use tokens::{TokenLists, Tokens, is_token_lists};

use crate::error::{Error, Result};

/// The longest context: positions and bounds of segments are 32-bit integers with a sign.
pub const MAX_CONTEXT: u32 = i32::MAX as u32;

/// How bins are filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Best fit decreasing: into the fullest bin that has room.
    #[default]
    BestFit,
    /// First fit decreasing: into the first bin that has room.
    FirstFit,
    /// All sequences behind each other, cut every `context` tokens.
    Wrapped,
}

/// What becomes of a sequence that is longer than a bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlong {
    /// It is cut into full bins and a remainder.
    #[default]
    Split,
    /// Its first `context` tokens stay.
    Truncate,
    /// It is left out.
    Drop,
    /// It is an error.
    Error,
}

impl Strategy {
    /// All of them, by name.
    pub const NAMED: [(&'static str, Self); 3] =
        [("best_fit", Self::BestFit), ("first_fit", Self::FirstFit), ("wrapped", Self::Wrapped)];

    /// The one of this name.
    ///
    /// # Errors
    /// `Error::Parameter` if there is none.
    pub fn named(name: &str) -> Result<Self> {
        named("strategy", name, &Self::NAMED)
    }
}

impl Overlong {
    /// All of them, by name.
    pub const NAMED: [(&'static str, Self); 4] =
        [("split", Self::Split), ("truncate", Self::Truncate), ("drop", Self::Drop), ("error", Self::Error)];

    /// The one of this name.
    ///
    /// # Errors
    /// `Error::Parameter` if there is none.
    pub fn named(name: &str) -> Result<Self> {
        named("overlong", name, &Self::NAMED)
    }
}

fn named<T: Copy>(parameter: &str, name: &str, all: &[(&str, T)]) -> Result<T> {
    all.iter().find(|(known, _)| *known == name).map(|&(_, value)| value).ok_or_else(|| {
        let known: Vec<String> = all.iter().map(|(known, _)| format!("`{known}`")).collect();
        Error::Parameter(format!("{parameter} is `{name}`, but it is one of {}", known.join(", ")))
    })
}

/// How sequences are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packer {
    context: u32,
    strategy: Strategy,
    overlong: Overlong,
}

/// What of a sequence is packed: `full` pieces of a whole bin each, one of `rest` tokens if there are any; `lost` tokens
/// are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cut {
    full: u64,
    rest: u32,
    lost: u64,
}

impl Cut {
    /// Whether all is left out.
    fn is_nothing(self) -> bool {
        self.full == 0 && self.rest == 0
    }
}

impl Packer {
    /// Bins of `context` tokens.
    ///
    /// # Errors
    /// `Error::Parameter` unless `1 <= context <= 2^31 - 1`.
    pub fn try_new(context: u64, strategy: Strategy, overlong: Overlong) -> Result<Self> {
        match u32::try_from(context) {
            Ok(context) if (1..=MAX_CONTEXT).contains(&context) => Ok(Self { context, strategy, overlong }),
            _ => Err(Error::Parameter(format!(
                "context is `{context}`, but a packed sequence has 1 to {MAX_CONTEXT} tokens"
            ))),
        }
    }

    /// Tokens of a bin.
    #[must_use]
    pub fn context(self) -> u32 {
        self.context
    }

    /// How many of the first tokens of a sequence of `length` tokens are packed; `index` names it in an error.
    ///
    /// # Errors
    /// `Error::Parameter` for one longer than the context, if that is an error.
    pub fn kept(self, length: u64, index: u64) -> Result<u64> {
        Ok(length - self.cut(length, index)?.lost)
    }

    /// What is packed of a sequence of `length` tokens; `index` names it in an error.
    fn cut(self, length: u64, index: u64) -> Result<Cut> {
        let context = u64::from(self.context);
        if length <= context {
            return Ok(Cut { rest: length as u32, ..Cut::default() });
        }
        match self.overlong {
            Overlong::Split => Ok(Cut { full: length / context, rest: (length % context) as u32, lost: 0 }),
            Overlong::Truncate => Ok(Cut { full: 0, rest: self.context, lost: length - context }),
            Overlong::Drop => Ok(Cut { full: 0, rest: 0, lost: length }),
            Overlong::Error => Err(Error::Parameter(format!(
                "sequence `{index}` has `{length}` tokens, but the context is {context}; choose a longer context, or \
                 overlong `split`, `truncate` or `drop`"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
