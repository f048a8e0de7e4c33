//! Byte-level BPE: pre-tokens become bytes, bytes become ids, ids are merged by rank.
//!
//! Most pre-tokens were met before, and their ids stand in a [`cache`]. The others are merged exactly ([`merges`]). The
//! symbols of such a model are written as characters, one for each byte (`Ġ` is a blank), and are turned back into bytes when it is
//! loaded.
//!
//! Sennrich, Haddow, Birch: Neural Machine Translation of Rare Words with Subword Units, 2016
//! (<https://arxiv.org/abs/1508.07909>); on bytes: Radford et al., Language Models are Unsupervised Multitask Learners, 2019.

mod cache;
mod merges;

use std::collections::HashMap;

use crate::{
    model::{Answer, Model, ModelWorker, Stretch},
    pretokenize::PreTokenizer,
    tokenizer::file::{File, Merge, ModelFile, Vocab},
};
use cache::{Cache, MEDIUM, SHORT, ShortKey};
use merges::{Merges, Scratch};

/// A byte that no token stands for.
const NO_TOKEN: u32 = u32::MAX;

/// A byte-level BPE.
#[derive(Debug)]
pub(crate) struct ByteLevelBpe {
    pre_tokenizer: PreTokenizer,
    /// The id of each byte.
    bytes: [u32; 256],
    merges: Merges,
    /// With `ignore_merges`, every token by its bytes: a pre-token that is one is not merged.
    whole: Option<HashMap<Box<[u8]>, u32>>,
    /// The longest of them.
    longest: usize,
}

impl ByteLevelBpe {
    /// Of a checked file; the error says what in it is not done here.
    pub(crate) fn read(file: &File) -> Result<Self, String> {
        let model = &file.model;
        let pre_tokenizer = PreTokenizer::read(file.pre_tokenizer.as_ref())?;
        unusual(model)?;
        let (Vocab::Ids(tokens), Some(merges)) = (&model.vocab, &model.merges) else {
            return Err("its BPE has no merges".to_owned());
        };
        let by_char = byte_of_chars();
        let ids: HashMap<&str, u32> = tokens.iter().map(|(token, id)| (token.as_str(), *id)).collect();
        let mut bytes = [NO_TOKEN; 256];
        for (&c, &byte) in &by_char {
            if let Some(&id) = ids.get(c.encode_utf8(&mut [0; 4]) as &str) {
                bytes[usize::from(byte)] = id;
            }
        }
        if model.unk_token.is_some() && bytes.contains(&NO_TOKEN) {
            return Err("some bytes have no token but the one for what is unknown".to_owned());
        }
        let mut made = String::new();
        let mut ranked = Vec::with_capacity(merges.len());
        for Merge(left, right) in merges {
            made.clear();
            made.push_str(left);
            made.push_str(right);
            let id = |token: &str| ids.get(token).copied().ok_or_else(|| format!("`{token}` is no token"));
            ranked.push((id(left)?, id(right)?, id(&made)?));
        }
        let in_bytes =
            |token: &str| -> Option<Box<[u8]>> { token.chars().map(|c| by_char.get(&c).copied()).collect() };
        let whole = (model.ignore_merges == Some(true)).then(|| {
            let tokens = tokens.iter().filter_map(|(token, id)| Some((in_bytes(token)?, *id)));
            tokens.collect::<HashMap<Box<[u8]>, u32>>()
        });
        let longest = whole.iter().flatten().map(|(token, _)| token.len()).max().unwrap_or(0);
        Ok(Self { pre_tokenizer, bytes, merges: Merges::new(&ranked), whole, longest })
    }

    /// What its text is cut by, as reports say it.
    pub(crate) fn cut_by(&self) -> &str {
        &self.pre_tokenizer.name
    }
}

/// What in a model is not done here.
fn unusual(model: &ModelFile) -> Result<(), String> {
    let set = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    if model.dropout.is_some_and(|dropout| dropout != 0.0) {
        return Err("its BPE drops merges by chance".to_owned());
    }
    if set(&model.continuing_subword_prefix) || set(&model.end_of_word_suffix) {
        return Err("its BPE marks where words go on or end".to_owned());
    }
    if model.byte_fallback == Some(true) {
        return Err("its BPE is of bytes and falls back to bytes".to_owned());
    }
    Ok(())
}

/// The byte that each character of a byte-level vocabulary stands for: itself if it can be printed, else those from U+0100 on
/// in order.
fn byte_of_chars() -> HashMap<char, u8> {
    let mut beyond = '\u{100}'..;
    let printed = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    (0..=255_u8)
        .filter_map(|byte| Some((if printed(byte) { byte as char } else { beyond.next()? }, byte)))
        .collect()
}

impl Model for ByteLevelBpe {
    fn resident_bytes(&self) -> u64 {
        let whole: usize = self.whole.iter().flatten().map(|(token, _)| token.len() + 48).sum();
        (size_of::<Self>() + self.merges.bytes() + whole) as u64
    }

    fn worker(&self, cache_bytes: usize) -> Box<dyn ModelWorker + '_> {
        Box::new(Worker {
            model: self,
            cache: Cache::new(cache_bytes),
            symbols: Vec::new(),
            scratch: Scratch::default(),
            spaced: String::new(),
        })
    }
}

/// What one thread encodes with.
struct Worker<'m> {
    model: &'m ByteLevelBpe,
    cache: Cache,
    symbols: Vec<u32>,
    scratch: Scratch,
    /// A stretch with a blank before it.
    spaced: String,
}

impl ModelWorker for Worker<'_> {
    fn encode(&mut self, stretch: Stretch<'_>, ids: &mut Vec<u32>) -> Answer {
        let pre_tokenizer = &self.model.pre_tokenizer;
        if pre_tokenizer.prefix_space && !stretch.text.starts_with(' ') {
            let mut spaced = std::mem::take(&mut self.spaced);
            spaced.clear();
            spaced.push(' ');
            spaced.push_str(stretch.text);
            pre_tokenizer.cut(&spaced, |start, end| self.append(spaced.as_bytes(), start, end, ids));
            if spaced.capacity() <= Scratch::KEPT {
                self.spaced = spaced;
            }
        } else {
            let text = stretch.text;
            pre_tokenizer.cut(text, |start, end| self.append(text.as_bytes(), start, end, ids));
        }
        Answer::Done
    }

    fn bytes(&self) -> usize {
        self.cache.bytes() + self.symbols.capacity() * 4 + self.scratch.bytes() + self.spaced.capacity()
    }
}

impl Worker<'_> {
    /// Appends the ids of the pre-token `text[start..end]`.
    #[inline(always)]
    fn append(&mut self, text: &[u8], start: usize, end: usize, ids: &mut Vec<u32>) {
        match end - start {
            1..=SHORT => {
                let key = ShortKey::new(text, start, end);
                if let Some((known, count)) = self.cache.short(key) {
                    ids.extend_from_slice(&known[..count.min(5)]);
                    return;
                }
                self.merge(&text[start..end]);
                self.cache.keep_short(key, &self.symbols);
            }
            len => {
                let piece = &text[start..end];
                if len <= MEDIUM && self.cache.medium(piece, ids) {
                    return;
                }
                self.merge(piece);
                if len <= MEDIUM {
                    self.cache.keep_medium(piece, &self.symbols);
                }
            }
        }
        ids.extend_from_slice(&self.symbols);
        if self.symbols.capacity() > Scratch::KEPT {
            self.symbols = Vec::new();
        }
    }

    /// Puts the ids of a pre-token into `symbols`.
    #[inline(never)]
    fn merge(&mut self, piece: &[u8]) {
        self.symbols.clear();
        if let Some(whole) = &self.model.whole
            && piece.len() <= self.model.longest
            && let Some(&id) = whole.get(piece)
        {
            self.symbols.push(id);
            return;
        }
        let bytes = piece.iter().map(|&byte| self.model.bytes[usize::from(byte)]);
        // The crate drops a byte without a token, and what stands around it meets.
        self.symbols.extend(bytes.filter(|&id| id != NO_TOKEN));
        self.model.merges.apply(&mut self.symbols, &mut self.scratch);
    }
}
