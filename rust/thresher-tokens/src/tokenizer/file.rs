//! A tokenizer.json as it was written, checked for what it must not say.
//!
//! The crate `tokenizers` reads these files too, but it trusts them: of two tokens with one id it takes the last one, an added
//! token gets another id than the file says, a merge whose result is no token can end the process. Here such a
//! file is refused, with the value that is wrong.

use std::collections::{HashMap, HashSet};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use crate::{Error, Result};

/// The largest file that is read: fifteen times the largest published one.
const MAX_BYTES: usize = 512 << 20;

/// The largest id: tables are indexed by ids, so a file must not name any number.
pub(crate) const MAX_ID: u32 = (1 << 24) - 1;

/// What we need of a tokenizer.json.
#[derive(Debug, Deserialize)]
pub(crate) struct File {
    #[serde(default)]
    pub(crate) added_tokens: Vec<AddedToken>,
    #[serde(default)]
    pub(crate) normalizer: Option<Value>,
    #[serde(default)]
    pub(crate) pre_tokenizer: Option<Value>,
    pub(crate) model: ModelFile,
}

/// A token that is found in the text before the model sees it.
#[expect(clippy::struct_excessive_bools, reason = "they are what the file says")]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub(crate) struct AddedToken {
    pub(crate) id: u32,
    pub(crate) content: String,
    pub(crate) single_word: bool,
    pub(crate) lstrip: bool,
    pub(crate) rstrip: bool,
    pub(crate) normalized: bool,
    pub(crate) special: bool,
}

/// The model of any type; which fields it has depends on that.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ModelFile {
    #[serde(rename = "type", default)]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) vocab: Vocab,
    #[serde(default)]
    pub(crate) merges: Option<Vec<Merge>>,
    #[serde(default)]
    pub(crate) unk_token: Option<String>,
    #[serde(default)]
    pub(crate) unk_id: Option<u32>,
    #[serde(default)]
    pub(crate) dropout: Option<f32>,
    #[serde(default)]
    pub(crate) continuing_subword_prefix: Option<String>,
    #[serde(default)]
    pub(crate) end_of_word_suffix: Option<String>,
    #[serde(default)]
    pub(crate) fuse_unk: Option<bool>,
    #[serde(default)]
    pub(crate) byte_fallback: Option<bool>,
    #[serde(default)]
    pub(crate) ignore_merges: Option<bool>,
}

/// The tokens of a model, in the order of the file.
#[derive(Debug)]
pub(crate) enum Vocab {
    /// Each with its id: BPE, `WordPiece`, `WordLevel`.
    Ids(Vec<(String, u32)>),
    /// Each with its score; its place is its id: Unigram.
    Scores(Vec<(String, f64)>),
}

impl Default for Vocab {
    fn default() -> Self {
        Self::Ids(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Tokens;
        impl<'de> Visitor<'de> for Tokens {
            type Value = Vocab;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map from tokens to ids, or a list of tokens with scores")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Vocab, A::Error> {
                let mut tokens = Vec::new();
                while let Some(token) = map.next_entry()? {
                    tokens.push(token);
                }
                Ok(Vocab::Ids(tokens))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Vocab, A::Error> {
                let mut tokens = Vec::new();
                while let Some(token) = seq.next_element()? {
                    tokens.push(token);
                }
                Ok(Vocab::Scores(tokens))
            }
        }
        deserializer.deserialize_any(Tokens)
    }
}

/// Two tokens that become one; written as `["a", "b"]`, or as `"a b"` in older files.
#[derive(Debug, Clone)]
pub(crate) struct Merge(pub(crate) String, pub(crate) String);

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Sides;
        impl<'de> Visitor<'de> for Sides {
            type Value = Merge;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a merge: a list of two tokens, or two tokens with a blank between")
            }

            fn visit_str<E: serde::de::Error>(self, line: &str) -> std::result::Result<Merge, E> {
                match line.split_once(' ') {
                    Some((a, b)) if !b.contains(' ') || line.starts_with("#version") => {
                        Ok(Merge(a.to_owned(), b.to_owned()))
                    }
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(line), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Merge, A::Error> {
                let mut side = |at| seq.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &Sides));
                let merge = Merge(side(0)?, side(1)?);
                match seq.next_element::<serde::de::IgnoredAny>()? {
                    Some(_) => Err(A::Error::invalid_length(3, &self)),
                    None => Ok(merge),
                }
            }
        }
        deserializer.deserialize_any(Sides)
    }
}

impl File {
    /// Reads and checks a file.
    pub(crate) fn read(json: &[u8]) -> Result<Self> {
        if json.len() > MAX_BYTES {
            return Err(wrong(format!(
                "it has {} bytes; at most {MAX_BYTES} are read. Is it a tokenizer.json?",
                json.len()
            )));
        }
        let mut file: Self = serde_json::from_slice(json).map_err(|e| wrong(e.to_string()))?;
        // A version line that older files carry among their merges; the crate skips it too.
        if let Some(merges) = &mut file.model.merges {
            merges.retain(|merge| !merge.0.starts_with("#version"));
        }
        // Published files repeat some; the crate takes what it knows already no second time.
        let mut known = HashSet::new();
        file.added_tokens.retain(|token| known.insert(token.clone()));
        file.check()?;
        Ok(file)
    }

    /// One more than the highest id, added tokens included.
    pub(crate) fn vocab_size(&self) -> u32 {
        let model = match &self.model.vocab {
            Vocab::Ids(tokens) => tokens.iter().map(|(_, id)| id + 1).max().unwrap_or(0),
            Vocab::Scores(tokens) => tokens.len() as u32,
        };
        self.added_tokens.iter().map(|token| token.id + 1).max().unwrap_or(0).max(model)
    }

    /// About how many bytes the crate takes for it: each token twice by itself and in a table, each merge once.
    pub(crate) fn bytes_in_crate(&self) -> u64 {
        let (tokens, letters) = match &self.model.vocab {
            Vocab::Ids(tokens) => (tokens.len(), tokens.iter().map(|(token, _)| token.len()).sum::<usize>()),
            Vocab::Scores(tokens) => (tokens.len(), tokens.iter().map(|(token, _)| token.len()).sum()),
        };
        let merges = self.model.merges.as_ref().map_or(0, Vec::len);
        (tokens * 2 * (2 * 40 + 16) + letters * 2 + merges * 2 * 20) as u64
    }

    fn check(&self) -> Result<()> {
        let model = self.check_vocab()?;
        self.check_merges(&model)?;
        let by_id: HashMap<u32, &str> = model.iter().map(|(&token, &id)| (id, token)).collect();
        let (mut ids, mut contents) = (HashMap::new(), HashSet::new());
        for token in &self.added_tokens {
            let AddedToken { id, content, .. } = token;
            check_id(*id, content)?;
            if let Some(other) = ids.insert(*id, content) {
                return Err(wrong(format!(
                    "the added tokens `{other}` and `{content}` have the same id, `{id}`"
                )));
            }
            if !contents.insert(content) {
                return Err(wrong(format!("the added token `{content}` is there twice")));
            }
            match (model.get(content.as_str()), by_id.get(id)) {
                (Some(known), _) if known != id => {
                    return Err(wrong(format!(
                        "the added token `{content}` has the id `{id}`, but the model knows it by `{known}`"
                    )));
                }
                (None, Some(other)) => {
                    return Err(wrong(format!(
                        "the added token `{content}` has the id `{id}`, which is that of the model's token `{other}`"
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Every token has one id, every id one token.
    fn check_vocab(&self) -> Result<HashMap<&str, u32>> {
        let mut model = HashMap::new();
        match &self.model.vocab {
            Vocab::Ids(tokens) => {
                model.reserve(tokens.len());
                let mut ids = HashMap::with_capacity(tokens.len());
                for (token, id) in tokens {
                    check_id(*id, token)?;
                    if model.insert(token.as_str(), *id).is_some() {
                        return Err(wrong(format!("the token `{token}` is in the vocabulary twice")));
                    }
                    if let Some(other) = ids.insert(*id, token) {
                        return Err(wrong(format!(
                            "the tokens `{other}` and `{token}` have the same id, `{id}`"
                        )));
                    }
                }
            }
            Vocab::Scores(tokens) => {
                model.reserve(tokens.len());
                for (id, (token, score)) in tokens.iter().enumerate() {
                    check_id(u32::try_from(id).unwrap_or(u32::MAX), token)?;
                    if !score.is_finite() {
                        return Err(wrong(format!(
                            "the token `{token}` has the score `{score}`, which is no number"
                        )));
                    }
                    // The crate allows a piece twice; the later one counts.
                    model.insert(token.as_str(), id as u32);
                }
                if let Some(unk) = self.model.unk_id.filter(|&unk| unk as usize >= tokens.len()) {
                    return Err(wrong(format!(
                        "`unk_id` is `{unk}`, but the vocabulary has {} tokens",
                        tokens.len()
                    )));
                }
            }
        }
        Ok(model)
    }

    /// Both sides of a merge and what it makes are tokens.
    fn check_merges(&self, model: &HashMap<&str, u32>) -> Result<()> {
        let prefix = self.model.continuing_subword_prefix.as_deref().unwrap_or("");
        let mut made = String::new();
        for (rank, Merge(a, b)) in self.model.merges.iter().flatten().enumerate() {
            made.clear();
            made.push_str(a);
            let Some(rest) = b.get(prefix.len()..).filter(|_| !prefix.is_empty() || !b.is_empty()) else {
                return Err(wrong(format!(
                    "merge {rank}, `{a}` and `{b}`, has a side shorter than the prefix `{prefix}`"
                )));
            };
            made.push_str(rest);
            for token in [a, b, &made] {
                if !model.contains_key(token.as_str()) {
                    return Err(wrong(format!(
                        "merge {rank}, `{a}` and `{b}`, needs the token `{token}`, which is not in the vocabulary"
                    )));
                }
            }
        }
        Ok(())
    }
}

fn check_id(id: u32, token: &str) -> Result<()> {
    if id > MAX_ID {
        return Err(wrong(format!("the token `{token}` has the id `{id}`; ids up to {MAX_ID} are allowed")));
    }
    Ok(())
}

/// What is wrong with a file, and what to do.
pub(crate) fn wrong(what: impl std::fmt::Display) -> Error {
    Error::Tokenizer(format!(
        "the tokenizer cannot be used: {what}\nhint: save it again with the tool that made it, as `tokenizer.save(\"tokenizer.json\")` of Hugging Face's tokenizers does"
    ))
}
