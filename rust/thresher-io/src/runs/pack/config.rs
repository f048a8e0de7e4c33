//! What packing is asked for.

use thresher_tokens::pack::{MAX_CONTEXT, Overlong, Packer, Strategy};

use crate::error::Result;
use crate::runs::options::Config;
use crate::runs::parameters::{Kind, parameters};

const TOKEN: Kind = Kind::Whole { least: 0, most: u32::MAX as u64 };

parameters! {
    /// What packing is asked for.
    pub struct PackStep is "pack" {
        /// Tokens of a full bin.
        context: u64 = 0 => Kind::Whole { least: 1, most: MAX_CONTEXT as u64 }, required;
        /// How bins are filled: best fit decreasing, first fit decreasing, or all sequences behind each other and cut every
        /// `context` tokens.
        strategy: String = "best_fit".to_owned() => Kind::Choice(|| Strategy::NAMED.map(|(name, _)| name).to_vec());
        /// What becomes of a sequence longer than the context: cut into full bins and a remainder, cut off behind its first
        /// tokens, left out, or an error.
        overlong: String = "split".to_owned() => Kind::Choice(|| Overlong::NAMED.map(|(name, _)| name).to_vec());
        /// An id to put behind each sequence that has a token; it is to be learned if the token before it is.
        eos: Option<u32> = None => TOKEN;
        /// An id to fill bins up with; padding is a segment of its own with a mask of 0.
        pad: Option<u32> = None => TOKEN;
        /// Write the position of each token in its segment too, as list<uint32>.
        position_ids: bool = true => Kind::Flag;
        /// Write the bounds of segments too, as list<int32>.
        cu_seqlens: bool = false => Kind::Flag;
        /// The column that holds the lists of ids.
        tokens: String = "input_ids".to_owned() => Kind::Text("FIELD");
        /// The column that says for each token whether it is to be learned, where there is one.
        mask: String = "assistant_masks".to_owned() => Kind::Text("FIELD");
        /// The column that names the documents; where there is none, they are called `source:row`.
        id: String = "document".to_owned() => Kind::Text("FIELD");
    }
}

/// The parameters of a run.
pub type PackRun = Config<PackStep>;

impl PackStep {
    /// How sequences are packed.
    ///
    /// # Errors
    /// `Error::Parameter` for a value out of its range.
    pub fn packer(&self) -> Result<Packer> {
        let (strategy, overlong) = (Strategy::named(&self.strategy)?, Overlong::named(&self.overlong)?);
        Ok(Packer::try_new(self.context, strategy, overlong)?)
    }
}
