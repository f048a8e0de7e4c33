//! Byte-level BPE: pre-tokens become bytes, bytes become ids, ids are merged by rank.
//!
//! Most pre-tokens were met before, and their ids stand in a [`cache`]. The others are merged exactly ([`merges`], [`longest`]).
//! Scripts without blanks have whole phrases as pre-tokens, which do not come again; they are cut where no token reaches over
//! ([`crate::joints`]), and their parts come again. The symbols of such a model are written as characters, one for each byte (`Ġ` is a blank), and are turned back into bytes when it is
//! loaded.
//!
//! Sennrich, Haddow, Birch: Neural Machine Translation of Rare Words with Subword Units, 2016
//! (<https://arxiv.org/abs/1508.07909>); on bytes: Radford et al., Language Models are Unsupervised Multitask Learners, 2019.

pub(crate) mod batch;
pub(crate) mod cache;
pub(crate) mod longest;
pub(crate) mod merges;

use std::collections::HashMap;

use crate::{
    alphabet,
    joints::Joints,
    model::{Answer, Model, ModelWorker, Stretch},
    pretokenize::{AHEAD, PreTokenizer, Sink, WINDOW, begins_phrase},
    tokenizer::file::{File, Merge, ModelFile, Vocab},
};
use batch::{Batch, Caches};
use cache::MEDIUM;
use longest::{LONGEST, Longest, Places};
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
    /// Where the merges allow it, a faster way to the same ids.
    longest: Option<Longest>,
    /// Where a phrase may be cut, if it may be cut at all.
    joints: Option<Joints>,
    /// Tokens by their bytes: a pre-token that is one needs no merges. Those that their own bytes are merged to are here if
    /// `longest` does not find them, and the others with `ignore_merges`.
    whole: HashMap<Box<[u8]>, u32>,
    /// Bytes of the longest of them.
    longest_token: usize,
    caches: Caches,
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
        let in_bytes =
            |token: &str| -> Option<Box<[u8]>> { token.chars().map(|c| by_char.get(&c).copied()).collect() };
        let (mut ranked, mut crossed) = (Vec::with_capacity(merges.len()), Vec::new());
        for Merge(left, right) in merges {
            made.clear();
            made.push_str(left);
            made.push_str(right);
            let id = |token: &str| ids.get(token).copied().ok_or_else(|| format!("`{token}` is no token"));
            ranked.push((id(left)?, id(right)?, id(&made)?));
            crossed.extend(in_bytes(&made));
        }
        let merges = Merges::new(&ranked);
        let (mut whole, mut canonical, mut is_long) = (HashMap::new(), Vec::new(), false);
        let mut others = false;
        for (token, id) in tokens {
            let Some(token) = in_bytes(token) else { continue };
            let symbols: Vec<u32> =
                token.iter().map(|&byte| bytes[usize::from(byte)]).filter(|&id| id != NO_TOKEN).collect();
            is_long |= token.len() > LONGEST;
            let is_known = symbols.len() == token.len() && token.len() <= LONGEST;
            let parts = is_known.then(|| merges.last_merge(symbols, *id)).flatten();
            let is_canonical = token.len() == 1 || parts.is_some();
            if is_canonical {
                canonical.push((token.to_vec(), *id, parts));
            } else if model.ignore_merges == Some(true) {
                others = true;
                whole.insert(token, *id);
            }
        }
        let all_bytes = !bytes.contains(&NO_TOKEN);
        let longest = if all_bytes && !is_long { Longest::new(&canonical, &merges) } else { None };
        if longest.is_none() {
            whole.extend(canonical.into_iter().map(|(token, id, _)| (token.into(), id)));
        }
        let longest_token = whole.keys().map(|token| token.len()).max().unwrap_or(0);
        // Around a byte that is dropped its neighbours meet; and what is a token only as a whole pre-token is none as a part.
        let may_be_cut = all_bytes && !others;
        let joints = may_be_cut.then(|| Joints::new(crossed.iter().map(|token| &**token)));
        let caches = Caches::default();
        Ok(Self { pre_tokenizer, bytes, merges, longest, joints, whole, longest_token, caches })
    }

    /// Puts the ids of a pre-token into `symbols`, which is empty.
    #[inline(never)]
    fn merge(&self, piece: &[u8], symbols: &mut Vec<u32>, scratch: &mut Scratch, places: &mut Places) {
        if piece.len() <= self.longest_token
            && let Some(&id) = self.whole.get(piece)
        {
            symbols.push(id);
            return;
        }
        if let Some(longest) = &self.longest {
            longest.encode(&self.merges, piece, places, symbols);
            return;
        }
        let bytes = piece.iter().map(|&byte| self.bytes[usize::from(byte)]);
        // The crate drops a byte without a token, and what stands around it meets.
        symbols.extend(bytes.filter(|&id| id != NO_TOKEN));
        self.merges.apply(symbols, scratch);
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

/// The byte that each character of a byte-level vocabulary stands for.
fn byte_of_chars() -> HashMap<char, u8> {
    alphabet::characters().into_iter().zip(0..=255).collect()
}

impl Model for ByteLevelBpe {
    fn resident_bytes(&self) -> u64 {
        let whole: usize = self.whole.keys().map(|token| token.len() + 48).sum();
        let longest = self.longest.as_ref().map_or(0, Longest::bytes);
        let joints = self.joints.as_ref().map_or(0, Joints::bytes);
        (size_of::<Self>() + self.merges.bytes() + longest + joints + whole) as u64
    }

    fn worker(&self, cache_bytes: usize) -> Box<dyn ModelWorker + '_> {
        Box::new(Worker {
            model: self,
            batch: Batch::new(&self.caches, cache_bytes),
            scratch: Scratch::default(),
            places: Places::default(),
            spaced: String::new(),
        })
    }
}

/// What one thread encodes with.
struct Worker<'m> {
    model: &'m ByteLevelBpe,
    batch: Batch<'m>,
    scratch: Scratch,
    places: Places,
    /// A stretch with a blank before it.
    spaced: String,
}

impl ModelWorker for Worker<'_> {
    fn encode(&mut self, stretch: Stretch<'_>, ids: &mut Vec<u32>) -> Answer {
        if self.model.pre_tokenizer.prefix_space && !stretch.text.starts_with(' ') {
            let mut spaced = std::mem::take(&mut self.spaced);
            spaced.clear();
            spaced.push(' ');
            spaced.push_str(stretch.text);
            self.encode_text(&spaced, ids);
            if spaced.capacity() <= Scratch::KEPT {
                self.spaced = spaced;
            }
        } else {
            self.encode_text(stretch.text, ids);
        }
        Answer::Done
    }

    fn bytes(&self) -> usize {
        let scratch = self.scratch.bytes() + Longest::scratch_bytes(&self.places);
        self.batch.bytes() + scratch + self.spaced.capacity()
    }
}

/// A text whose pre-tokens are taken.
struct Taking<'a, 'm> {
    worker: &'a mut Worker<'m>,
    text: &'a [u8],
    ids: &'a mut Vec<u32>,
}

impl Sink for Taking<'_, '_> {
    #[inline(always)]
    fn take(&mut self, start: usize, end: usize) {
        self.worker.append(self.text, start, end, self.ids);
    }

    #[inline(always)]
    fn take_window(&mut self, window: &[u8; WINDOW + AHEAD], base: usize, mut starts: u64) {
        let mut from = 0;
        while starts != 0 {
            if !self.worker.batch.has_room() {
                self.worker.look_up(self.text, self.ids);
            }
            (from, starts) = self.worker.batch.push_window(window, base, from, starts);
            if starts != 0 {
                let to = starts.trailing_zeros() as usize;
                self.take(base + from, base + to);
                from = to;
                starts &= starts - 1;
            }
        }
    }
}

impl Worker<'_> {
    fn encode_text(&mut self, text: &str, ids: &mut Vec<u32>) {
        let (model, text_bytes) = (self.model, text.as_bytes());
        model.pre_tokenizer.cut(text, Taking { worker: self, text: text_bytes, ids });
        self.look_up(text_bytes, ids);
    }

    /// Appends the ids of the pre-token `text[start..end]`, a little later.
    #[inline(always)]
    fn append(&mut self, text: &[u8], start: usize, end: usize, ids: &mut Vec<u32>) {
        let len = end - start;
        let begin = start + usize::from(text[start] == b' ' && len > 1);
        if len > MEDIUM || begins_phrase(text[begin]) {
            return self.append_phrase(text, start, end, ids);
        }
        self.wait(text, start, end, ids);
    }

    /// Appends the ids of a long pre-token, part by part.
    #[inline(never)]
    fn append_phrase(&mut self, text: &[u8], start: usize, end: usize, ids: &mut Vec<u32>) {
        let Some(joints) = &self.model.joints else { return self.wait(text, start, end, ids) };
        let mut from = start;
        while from < end {
            let to = joints.part_end(text, from, end);
            self.wait(text, from, to, ids);
            from = to;
        }
    }

    #[inline(always)]
    fn wait(&mut self, text: &[u8], start: usize, end: usize, ids: &mut Vec<u32>) {
        if self.batch.push(text, start, end) {
            self.look_up(text, ids);
        }
    }

    /// Appends the ids of all that is waiting.
    #[inline(never)]
    fn look_up(&mut self, text: &[u8], ids: &mut Vec<u32>) {
        let Self { model, batch, scratch, places, .. } = self;
        // A model of bytes knows every text.
        let _ = batch.look_up(text, ids, |start, end, symbols| {
            model.merge(&text[start..end], symbols, scratch, places);
            Answer::Done
        });
    }
}
