//! Models of `SentencePiece`'s kind, as Hugging Face writes them: BPE and Unigram over characters, with blanks as `▁`.
//!
//! ```text
//! stretch ─ words: blanks put where they belong ─ cut ─ cache ─ ids
//!                                                  └ parts that no token reaches over (joints) ─ cache ─ merges or best path
//! ```
//!
//! To such a model a whole text may be one word. It is cut where that cannot change a token ([`crate::joints`]), so that its parts
//! are found in a bounded cache and a long text costs linear time.
//!
//! Kudo, Richardson: `SentencePiece`, 2018 (<https://arxiv.org/abs/1808.06226>).

mod bpe;
mod front;
#[cfg(test)]
mod tests;
mod unigram;
mod words;

use crate::{
    model::Model,
    normalize::Normalizer,
    tokenizer::file::{File, Vocab},
};

/// The encoder for a checked file behind its normaliser, the name of its model, and how it cuts; or why there is none.
pub(crate) fn choose(
    file: &File,
    normalizer: &Normalizer,
) -> Result<(Box<dyn Model>, &'static str, &'static str), String> {
    let words = words::Words::read(file.pre_tokenizer.as_ref(), normalizer)?;
    let cut_by = words.name;
    Ok(match &file.model.vocab {
        Vocab::Ids(_) => {
            let model = bpe::SentenceBpe::read(&file.model)?;
            (Box::new(front::Front::new(words, model)), "SentencePiece BPE", cut_by)
        }
        Vocab::Scores(pieces) => {
            let model = unigram::Unigram::read(&file.model, pieces)?;
            (Box::new(front::Front::new(words, model)), "Unigram", cut_by)
        }
    })
}

/// A token as our tables know it: with blanks for `▁`. `None` if it holds a blank, which no text does any more.
fn with_blanks(token: &str) -> Option<String> {
    (!token.contains(' ')).then(|| token.replace(crate::normalize::META, " "))
}

/// The ids of tokens for bytes, `<0x00>` to `<0xFF>`.
fn byte_tokens(id_of: impl Fn(&str) -> Option<u32>) -> [Option<u32>; 256] {
    std::array::from_fn(|byte| id_of(&format!("<0x{byte:02X}>")))
}
