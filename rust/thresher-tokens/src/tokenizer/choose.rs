//! Which encoder of ours does what a file says, if any.

use super::{
    EncodePath,
    added::AddedTokens,
    file::{AddedToken, File},
};
use crate::{bpe::ByteLevelBpe, model::Model, normalize::Normalizer, spm};

/// An encoder of ours, with what stands before it.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) model: Box<dyn Model>,
    pub(crate) normalizer: Normalizer,
    /// Added tokens that are found in the text as it came, and those that are found once it is normalised.
    pub(crate) raw: Option<AddedTokens>,
    pub(crate) normalized: Option<AddedTokens>,
}

impl Own {
    /// The encoder for a checked file, with its name; or why there is none.
    pub(crate) fn choose(file: &File) -> Result<(Self, EncodePath), String> {
        let normalizer = Normalizer::read(file.normalizer.as_ref())?;
        let (model, path) = choose_model(file, &normalizer)?;
        let (normalized, raw): (Vec<AddedToken>, Vec<AddedToken>) = file
            .added_tokens
            .iter()
            .filter(|token| !token.content.is_empty())
            .cloned()
            .partition(|token| token.normalized);
        let normalized = normalized.into_iter().map(|mut token| {
            token.content = normalizer.normalize(&token.content).into_owned();
            match token.content.as_str() {
                "" => Err(format!("nothing is left of its added token {} once it is normalised", token.id)),
                _ if normalizer.blanks && (token.lstrip || token.rstrip) => {
                    Err(format!("its added token `{}` takes blanks that are normalised", token.content))
                }
                _ => Ok(token),
            }
        });
        let normalized = AddedTokens::new(normalized.collect::<Result<_, _>>()?)?;
        Ok((Self { model, normalizer, raw: AddedTokens::new(raw)?, normalized }, path))
    }

    /// Bytes of its tables.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let added: usize = [&self.raw, &self.normalized].into_iter().flatten().map(AddedTokens::bytes).sum();
        self.model.resident_bytes() + (self.normalizer.bytes() + added) as u64
    }
}

/// The encoder of a model and its name.
fn choose_model(file: &File, normalizer: &Normalizer) -> Result<(Box<dyn Model>, EncodePath), String> {
    match file.model.kind.as_deref().unwrap_or("without a type") {
        "BPE" if is_byte_level(file) => {
            if normalizer.blanks {
                return Err("its BPE is of bytes, and its blanks are written as `▁`".to_owned());
            }
            let bpe = ByteLevelBpe::read(file)?;
            let pre_tokenizer = bpe.cut_by().to_owned();
            Ok((Box::new(bpe), EncodePath::Own { model: "byte-level BPE", pre_tokenizer }))
        }
        "BPE" | "Unigram" => {
            let (model, name, cut_by) = spm::choose(file, normalizer)?;
            Ok((model, EncodePath::Own { model: name, pre_tokenizer: cut_by.to_owned() }))
        }
        kind => Err(format!("its model `{kind}` has no encoder here")),
    }
}

/// Whether the pre-tokenizer turns bytes into characters.
fn is_byte_level(file: &File) -> bool {
    let Some(pre_tokenizer) = &file.pre_tokenizer else { return false };
    let parts = pre_tokenizer["pretokenizers"].as_array().into_iter().flatten();
    parts.chain([pre_tokenizer]).any(|part| part["type"] == "ByteLevel")
}
