//! Which encoder of ours does what a file says, if any.

use serde_json::Value;

use super::{
    EncodePath,
    added::AddedTokens,
    file::{AddedToken, File},
    nfc,
};
use crate::{bpe::ByteLevelBpe, model::Model};

/// An encoder of ours, with what stands before it.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) model: Box<dyn Model>,
    /// Whether stretches are brought into Unicode's form NFC.
    pub(crate) nfc: bool,
    /// Added tokens that are found in the text as it came, and those that are found once it is normalised.
    pub(crate) raw: Option<AddedTokens>,
    pub(crate) normalized: Option<AddedTokens>,
}

impl Own {
    /// The encoder for a checked file, with its name; or why there is none.
    pub(crate) fn choose(file: &File) -> Result<(Self, EncodePath), String> {
        let (model, nfc, path) = byte_level(file)?;
        let (normalized, raw): (Vec<AddedToken>, Vec<AddedToken>) = file
            .added_tokens
            .iter()
            .filter(|token| !token.content.is_empty())
            .cloned()
            .partition(|token| token.normalized);
        let normalized = normalized.into_iter().map(|mut token| {
            if nfc {
                token.content = nfc::normalize(&token.content).into_owned();
            }
            token
        });
        let normalized = AddedTokens::new(normalized.collect())?;
        Ok((Self { model, nfc, raw: AddedTokens::new(raw)?, normalized }, path))
    }

    /// Bytes of its tables.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let added: usize = [&self.raw, &self.normalized].into_iter().flatten().map(AddedTokens::bytes).sum();
        self.model.resident_bytes() + added as u64
    }
}

/// The encoder of a byte-level BPE.
fn byte_level(file: &File) -> Result<(Box<dyn Model>, bool, EncodePath), String> {
    let kind = file.model.kind.as_deref().unwrap_or("without a type");
    if kind != "BPE" {
        return Err(format!("its model `{kind}` has no encoder here"));
    }
    let bpe = ByteLevelBpe::read(file)?;
    let nfc = needs_nfc(file.normalizer.as_ref())?;
    let pre_tokenizer = bpe.cut_by().to_owned();
    Ok((Box::new(bpe), nfc, EncodePath::Own { model: "byte-level BPE", pre_tokenizer }))
}

/// Whether the normalizer is NFC; the error names one that is neither that nor nothing.
fn needs_nfc(normalizer: Option<&Value>) -> Result<bool, String> {
    let Some(normalizer) = normalizer else { return Ok(false) };
    match normalizer["type"].as_str().unwrap_or("") {
        "NFC" => Ok(true),
        "Sequence" => {
            let parts = normalizer["normalizers"].as_array().map_or(&[][..], Vec::as_slice);
            parts.iter().try_fold(false, |nfc, part| Ok(needs_nfc(Some(part))? || nfc))
        }
        other => Err(format!("its normalizer `{other}` is not done here for a byte-level BPE")),
    }
}
