//! A trained vocabulary as tokenizer.json, and the `tokenizer_config.json` beside it by which transformers loads a folder.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::bpe::Bpe;
use super::cut::{BLANK, Cut};
use super::unigram::{BYTES, UNKNOWN, Unigram};
use crate::{Error, Result};

/// Tokens that begin and end a text, by the names that they have in published models.
const BEGINS: [&str; 3] = ["<s>", "<|begin_of_text|>", "<bos>"];
/// The score of what no text is cut into.
const NEVER: f64 = -1.0e4;
const ENDS: [&str; 4] = ["<|endoftext|>", "</s>", "<|end_of_text|>", "<eos>"];

/// The tokenizer.json of a byte-level BPE. It loads with `tokenizers` and transformers, and its text comes back byte for byte.
///
/// # Errors
/// `Error::Tokenizer` if it cannot be written as JSON.
pub fn bpe_json(bpe: &Bpe, cut: &Cut) -> Result<Vec<u8>> {
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false});
    let model = BpeModel {
        r#type: "BPE",
        dropout: None,
        unk_token: None,
        continuing_subword_prefix: None,
        end_of_word_suffix: None,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Vocabulary(&bpe.tokens),
        merges: bpe
            .merges
            .iter()
            .map(|&(left, right, _)| [&*bpe.tokens[left as usize], &*bpe.tokens[right as usize]])
            .collect(),
    };
    written(&File {
        version: "1.0",
        truncation: None,
        padding: None,
        added_tokens: added(&bpe.tokens[..bpe.special_tokens]),
        normalizer: None,
        pre_tokenizer: cut.json().clone(),
        post_processor: Some(byte_level.clone()),
        decoder: byte_level,
        model,
    })
}

/// The tokenizer.json of a Unigram, whose text comes back but for U+2581, which becomes a blank.
///
/// Special tokens and bytes have a score by which no text is ever cut into them: what spells one is text.
///
/// # Errors
/// `Error::Tokenizer` if it cannot be written as JSON.
pub fn unigram_json(unigram: &Unigram, cut: &Cut) -> Result<Vec<u8>> {
    let special = unigram.special_tokens.iter().cloned();
    let bytes = (0..BYTES).map(|byte| format!("<0x{byte:02X}>"));
    let blanks = |piece: &str| piece.replace(' ', &BLANK.to_string());
    let mut vocab: Vec<(String, f64)> = special.chain(bytes).map(|token| (token, NEVER)).collect();
    vocab.extend(unigram.pieces.iter().map(|(piece, score)| (blanks(piece), *score)));
    let unknown = unigram.special_tokens.iter().position(|token| token == UNKNOWN);
    written(&File {
        version: "1.0",
        truncation: None,
        padding: None,
        added_tokens: added(&unigram.special_tokens),
        normalizer: None,
        pre_tokenizer: cut.json().clone(),
        post_processor: None,
        decoder: json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": BLANK}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
        ]}),
        model: json!({"type": "Unigram", "unk_id": unknown, "vocab": vocab, "byte_fallback": true}),
    })
}

/// The `tokenizer_config.json` of a vocabulary with these special tokens.
///
/// # Errors
/// `Error::Tokenizer` if it cannot be written as JSON.
pub fn config_json(special: &[String]) -> Result<Vec<u8>> {
    let first = |names: &[&str]| special.iter().find(|token| names.contains(&token.as_str()));
    let mut config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": false,
        "model_max_length": 1_000_000_000_000_u64,
    });
    for (name, token) in
        [("bos_token", first(&BEGINS)), ("eos_token", first(&ENDS)), ("unk_token", first(&["<unk>"]))]
    {
        if let Some(token) = token {
            config[name] = Value::from(token.as_str());
        }
    }
    written(&config)
}

pub(super) fn written(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut json = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::Tokenizer(format!("the tokenizer cannot be written: {error}")))?;
    json.push(b'\n');
    Ok(json)
}

/// Special tokens, whose ids are the first.
pub(super) fn added(special: &[String]) -> Vec<Value> {
    let token = |(id, content): (u32, &String)| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    (0..).zip(special).map(token).collect()
}

/// The members of a tokenizer.json, in their order.
#[derive(serde::Serialize)]
pub(super) struct File<M> {
    pub(super) version: &'static str,
    pub(super) truncation: Option<()>,
    pub(super) padding: Option<()>,
    pub(super) added_tokens: Vec<Value>,
    pub(super) normalizer: Option<Value>,
    pub(super) pre_tokenizer: Value,
    pub(super) post_processor: Option<Value>,
    pub(super) decoder: Value,
    pub(super) model: M,
}

#[derive(serde::Serialize)]
struct BpeModel<'b> {
    r#type: &'static str,
    dropout: Option<f32>,
    unk_token: Option<&'static str>,
    continuing_subword_prefix: Option<&'static str>,
    end_of_word_suffix: Option<&'static str>,
    fuse_unk: bool,
    byte_fallback: bool,
    ignore_merges: bool,
    vocab: Vocabulary<'b>,
    merges: Vec<[&'b str; 2]>,
}

/// Tokens to ids, in the order of ids.
struct Vocabulary<'b>(&'b [String]);

impl Serialize for Vocabulary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (id, token) in self.0.iter().enumerate() {
            map.serialize_entry(token, &id)?;
        }
        map.end()
    }
}
