//! BPE over characters: a part becomes the ids of its characters, which are merged by rank.
//!
//! A character without a token becomes the tokens of its bytes, if the model has them, or the one for what is unknown.

use std::collections::HashMap;

use super::{
    byte_tokens,
    front::{Cuts, WordModel},
    with_blanks,
};
use crate::{
    bpe::{
        longest::{Canonical, LONGEST, Longest, Places},
        merges::{Merges, Scratch},
    },
    joints::Joints,
    model::Answer,
    normalize::META,
    tokenizer::file::{Merge, ModelFile, Vocab},
};

/// A character that no token stands for.
const NO_TOKEN: u32 = u32::MAX;

/// What a character without a token becomes.
#[derive(Debug)]
enum Unknown {
    /// The tokens of its bytes.
    Bytes(Box<[u32; 256]>),
    /// One token, or one for several in a row.
    Token { id: u32, fuse: bool },
}

/// A BPE over characters.
#[derive(Debug)]
pub(super) struct SentenceBpe {
    /// The ids of characters up to U+FFFF, and of those beyond.
    plane: Vec<u32>,
    beyond: HashMap<char, u32>,
    unknown: Unknown,
    merges: Merges,
    /// Where the merges allow it, a faster way to the same ids.
    longest: Option<Longest>,
    joints: Joints,
    /// With `ignore_merges`, every token: a word that is one is not merged.
    whole: Option<HashMap<Box<str>, u32>>,
}

impl SentenceBpe {
    /// Of a checked model; the error says what in it is not done here.
    pub(super) fn read(model: &ModelFile) -> Result<Self, String> {
        let set = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        if model.dropout.is_some_and(|dropout| dropout != 0.0) {
            return Err("its BPE drops merges by chance".to_owned());
        }
        if set(&model.continuing_subword_prefix) || set(&model.end_of_word_suffix) {
            return Err("its BPE marks where words go on or end".to_owned());
        }
        let (Vocab::Ids(tokens), Some(merges)) = (&model.vocab, &model.merges) else {
            return Err("its BPE has no merges".to_owned());
        };
        let written: HashMap<&str, u32> = tokens.iter().map(|(token, id)| (token.as_str(), *id)).collect();
        let (mut plane, mut beyond) = (vec![NO_TOKEN; 1 << 16], HashMap::new());
        for (token, id) in tokens.iter().filter_map(|(token, id)| Some((with_blanks(token)?, *id))) {
            let mut chars = token.chars();
            if let (Some(c), None) = (chars.next(), chars.next()) {
                match plane.get_mut(c as usize) {
                    Some(place) => *place = id,
                    None => drop(beyond.insert(c, id)),
                }
            }
        }
        let unknown = read_unknown(model, &written, plane[usize::from(b' ')] != NO_TOKEN)?;
        let id = |token: &str| written.get(token).copied().ok_or_else(|| format!("`{token}` is no token"));
        let (mut made, mut ranked) = (Vec::new(), Vec::with_capacity(merges.len()));
        for Merge(left, right) in merges {
            let (first, second) = (id(left)?, id(right)?);
            if unknown.makes(first) || unknown.makes(second) {
                return Err(format!(
                    "its BPE merges `{left}` and `{right}`, which stand for what is unknown"
                ));
            }
            let result = [left.as_str(), right].concat();
            ranked.push((first, second, id(&result)?));
            made.extend(with_blanks(&result));
        }
        let joints = Joints::new(made.iter().map(String::as_bytes));
        let whole = (model.ignore_merges == Some(true)).then(|| {
            let tokens = tokens.iter().filter_map(|(token, id)| Some((with_blanks(token)?.into(), *id)));
            tokens.collect::<HashMap<Box<str>, u32>>()
        });
        let merges = Merges::new(&ranked);
        let mut read = Self { plane, beyond, unknown, merges, longest: None, joints, whole };
        read.longest = read.canonical(tokens).and_then(|found| Longest::new(&found, &read.merges));
        Ok(read)
    }

    /// The tokens that their own characters are merged to; none if one of all is too long.
    fn canonical(&self, tokens: &[(String, u32)]) -> Option<Vec<Canonical>> {
        let mut canonical = Vec::new();
        for (token, id) in tokens.iter().filter_map(|(token, id)| Some((with_blanks(token)?, *id))) {
            let symbols: Vec<u32> = token.chars().map(|c| self.id_of(c)).collect();
            if symbols.contains(&NO_TOKEN) {
                continue;
            }
            if symbols == [id] {
                canonical.push((token.into_bytes(), id, None));
                continue;
            }
            if token.len() > LONGEST {
                return None;
            }
            if let Some(parts) = self.merges.last_merge(symbols, id) {
                canonical.push((token.into_bytes(), id, Some(parts)));
            }
        }
        Some(canonical)
    }

    /// Appends the ids of a part by longest tokens.
    fn encode_longest(
        &self,
        longest: &Longest,
        part: &str,
        places: &mut Places,
        ids: &mut Vec<u32>,
    ) -> Answer {
        let mut rest = part;
        while !rest.is_empty() {
            let known = longest.encode(&self.merges, rest.as_bytes(), places, ids);
            rest = &rest[known..];
            let mut is_first = true;
            while let Some(c) = rest.chars().next().filter(|&c| self.id_of(c) == NO_TOKEN) {
                self.unknown.append(c, is_first, ids);
                rest = &rest[c.len_utf8()..];
                is_first = false;
            }
            if known == 0 && is_first {
                return Answer::Unusual;
            }
        }
        Answer::Done
    }

    #[inline(always)]
    fn id_of(&self, c: char) -> u32 {
        match self.plane.get(c as usize) {
            Some(&id) => id,
            None => self.beyond.get(&c).copied().unwrap_or(NO_TOKEN),
        }
    }
}

/// What a model does with a character that has no token.
fn read_unknown(model: &ModelFile, ids: &HashMap<&str, u32>, knows_blank: bool) -> Result<Unknown, String> {
    let bytes = byte_tokens(|token| ids.get(token).copied());
    let known = bytes.iter().flatten().count();
    if model.byte_fallback == Some(true) && known == 256 {
        return Ok(Unknown::Bytes(Box::new(bytes.map(|id| id.unwrap_or(NO_TOKEN)))));
    }
    if model.byte_fallback == Some(true) && known > 0 {
        return Err("its BPE falls back to bytes, some of which have no token".to_owned());
    }
    // The crate drops such a character, and what stands around it meets.
    let Some(token) = model.unk_token.as_deref() else {
        return Err("its BPE has no token for what is unknown".to_owned());
    };
    let Some(&id) = ids.get(token) else {
        return Err(format!("its token `{token}` for what is unknown is not in the vocabulary"));
    };
    let fuse = model.fuse_unk == Some(true);
    if fuse && !knows_blank {
        return Err("its BPE makes one token of unknown characters, and blanks are unknown".to_owned());
    }
    Ok(Unknown::Token { id, fuse })
}

impl Unknown {
    /// Appends what a character becomes that no token stands for; `is_first` if the one before it has a token.
    #[inline(always)]
    fn append(&self, c: char, is_first: bool, ids: &mut Vec<u32>) {
        match self {
            Self::Bytes(bytes) => {
                let mut written = [0; 4];
                let written = if c == ' ' { META } else { c.encode_utf8(&mut written) };
                ids.extend(written.bytes().map(|byte| bytes[usize::from(byte)]));
            }
            Self::Token { id, fuse } if is_first || !fuse => ids.push(*id),
            Self::Token { .. } => {}
        }
    }

    /// Whether a token may stand for another text than it spells.
    fn makes(&self, token: u32) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.contains(&token),
            Self::Token { id, .. } => *id == token,
        }
    }
}

/// What one thread needs.
#[derive(Debug, Default)]
pub(super) struct BpeScratch {
    symbols: Vec<u32>,
    merges: Scratch,
    places: Places,
}

impl WordModel for SentenceBpe {
    type Scratch = BpeScratch;

    fn joints(&self) -> &Joints {
        &self.joints
    }

    fn whole(&self, word: &str) -> Option<u32> {
        self.whole.as_ref()?.get(word).copied()
    }

    /// Unknown characters in a row stay together where they are one token: between them there is no joint. A word that may
    /// be a token as a whole is not cut.
    fn cuts(&self, split: bool) -> Cuts {
        let fuse = matches!(self.unknown, Unknown::Token { fuse: true, .. });
        if fuse || split && self.whole.is_some() { Cuts::Blanks } else { Cuts::Joints }
    }

    fn encode(&self, part: &str, scratch: &mut BpeScratch, ids: &mut Vec<u32>) -> Answer {
        let BpeScratch { symbols, merges, places } = scratch;
        if let Some(longest) = &self.longest {
            return self.encode_longest(longest, part, places, ids);
        }
        symbols.clear();
        let mut after_unknown = false;
        for c in part.chars() {
            let id = self.id_of(c);
            if id != NO_TOKEN {
                symbols.push(id);
                after_unknown = false;
                continue;
            }
            self.unknown.append(c, !after_unknown, symbols);
            after_unknown = true;
        }
        self.merges.apply(symbols, merges);
        ids.extend_from_slice(symbols);
        if symbols.capacity() > Scratch::KEPT {
            *symbols = Vec::new();
        }
        Answer::Done
    }

    fn resident_bytes(&self) -> usize {
        let whole: usize = self.whole.iter().flatten().map(|(token, _)| token.len() + 48).sum();
        size_of::<Self>()
            + self.plane.len() * 4
            + self.beyond.len() * 16
            + self.merges.bytes()
            + self.longest.as_ref().map_or(0, Longest::bytes)
            + self.joints.bytes()
            + whole
    }

    fn scratch_bytes(scratch: &BpeScratch) -> usize {
        let places = Longest::scratch_bytes(&scratch.places);
        scratch.symbols.capacity() * 4 + scratch.merges.bytes() + places
    }
}
