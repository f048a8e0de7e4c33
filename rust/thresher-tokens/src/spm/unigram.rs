//! Unigram: of all ways to cut a word into pieces the one with the best sum of scores.
//!
//! The sums are made exactly as the crate `tokenizers` makes them, in doubles and in the same order, so that a tie ends as it
//! does there: for each place in the word, the best way to it is known before the pieces that begin there are tried, the first
//! of equal ways stays. A character that is no piece is unknown, for 10 less than the worst score. This takes time linear in the word, bounded by
//! the longest piece.
//!
//! Where all ways meet, what lies before is settled: a word of megabytes needs no table of its length.
//!
//! Kudo: Subword Regularization, 2018 (<https://arxiv.org/abs/1804.10959>).

use std::collections::BTreeMap;

use super::{
    byte_tokens,
    front::{Cuts, WordModel},
    with_blanks,
};
use crate::{
    double_array::{DoubleArray, Node},
    joints::{Joints, len_of},
    model::Answer,
    normalize::META,
    tokenizer::file::ModelFile,
};

/// By how much an unknown character is worse than the worst piece.
const UNKNOWN_PENALTY: f64 = 10.0;

/// Bytes after which a place where all ways meet is looked for.
const SETTLE: usize = 256;

/// A Unigram model.
#[derive(Debug)]
pub(super) struct Unigram {
    trie: DoubleArray,
    scores: Vec<f64>,
    unknown: Option<u32>,
    unknown_score: f64,
    /// The tokens of bytes, with `byte_fallback`.
    bytes: Option<Box<[Option<u32>; 256]>>,
    joints: Joints,
}

impl Unigram {
    /// Of a checked model; the error says what in it is not done here.
    pub(super) fn read(model: &ModelFile, pieces: &[(String, f64)]) -> Result<Self, String> {
        // Of a piece that is there twice the later one counts.
        let ids: BTreeMap<&str, u32> =
            pieces.iter().enumerate().map(|(id, (piece, _))| (piece.as_str(), id as u32)).collect();
        let bytes = (model.byte_fallback == Some(true))
            .then(|| Box::new(byte_tokens(|token| ids.get(token).copied())));
        let known: BTreeMap<String, u32> = ids
            .iter()
            .filter(|(piece, _)| !piece.is_empty())
            .filter_map(|(piece, &id)| Some((with_blanks(piece)?, id)))
            .collect();
        let sorted: Vec<(&[u8], u32)> = known.iter().map(|(piece, &id)| (piece.as_bytes(), id)).collect();
        let trie = DoubleArray::new(&sorted).ok_or("its Unigram has too many pieces")?;
        let worst = pieces.iter().map(|&(_, score)| score).fold(f64::INFINITY, f64::min);
        Ok(Self {
            trie,
            scores: pieces.iter().map(|&(_, score)| score).collect(),
            unknown: model.unk_id,
            unknown_score: worst - UNKNOWN_PENALTY,
            bytes,
            joints: Joints::new(known.keys().map(String::as_bytes)),
        })
    }

    /// Appends the ids of a text that is unknown.
    fn append_unknown(&self, text: &str, unknown: u32, ids: &mut Vec<u32>) {
        // Several unknown characters in a row may be a piece that was too bad to be taken.
        let mut node = Some(self.trie.root());
        for &byte in text.as_bytes() {
            node = node.and_then(|node| self.trie.child(node, byte));
        }
        if let Some(id) = node.and_then(Node::value) {
            ids.push(id);
            return;
        }
        let before = ids.len();
        if let Some(bytes) = &self.bytes {
            for c in text.chars() {
                let mut written = [0; 4];
                let written = if c == ' ' { META } else { c.encode_utf8(&mut written) };
                ids.extend(written.bytes().map_while(|byte| bytes[usize::from(byte)]));
            }
            let blanks = text.bytes().filter(|&byte| byte == b' ').count();
            if ids.len() - before == text.len() + blanks * (META.len() - 1) {
                return;
            }
            ids.truncate(before);
        }
        ids.push(unknown);
    }
}

/// The best way to a place.
#[derive(Debug, Clone, Copy)]
struct Best {
    score: f64,
    /// Where its last piece begins.
    start: u32,
    id: u32,
}

/// The id of a place that no way leads to.
const UNREACHED: Best = Best { score: 0.0, start: 0, id: u32::MAX };

/// What one thread needs.
#[derive(Debug, Default)]
pub(super) struct UnigramScratch {
    /// The best ways to places from `base` on.
    best: Vec<Best>,
    base: usize,
    /// The pieces of the best way, last one first.
    pieces: Vec<(usize, u32)>,
    /// Where unknown characters began that go on.
    unknown_from: Option<usize>,
}

impl UnigramScratch {
    /// Notes a way to `end`.
    #[inline(always)]
    fn offer(&mut self, start: usize, end: usize, score: f64, id: u32) {
        let at = end - self.base;
        if at >= self.best.len() {
            self.best.resize(at + 1, UNREACHED);
        }
        let best = &mut self.best[at];
        if best.id == u32::MAX || score > best.score {
            *best = Best { score, start: (start - self.base) as u32, id };
        }
    }

    /// Appends the ids of the best way to `end`, where all ways meet; what follows begins there.
    fn settle(&mut self, model: &Unigram, text: &str, end: usize, ids: &mut Vec<u32>) {
        self.pieces.clear();
        let mut at = end - self.base;
        while at > 0 {
            let Best { start, id, .. } = self.best[at];
            at = start as usize;
            self.pieces.push((self.base + at, id));
        }
        for &(start, id) in self.pieces.iter().rev() {
            if Some(id) == model.unknown {
                self.unknown_from.get_or_insert(start);
                continue;
            }
            if let (Some(from), Some(unknown)) = (self.unknown_from.take(), model.unknown) {
                model.append_unknown(&text[from..start], unknown, ids);
            }
            ids.push(id);
        }
        let score = self.best[end - self.base].score;
        self.best.clear();
        self.best.push(Best { score, ..UNREACHED });
        self.base = end;
    }
}

impl WordModel for Unigram {
    type Scratch = UnigramScratch;

    fn joints(&self) -> &Joints {
        &self.joints
    }

    fn whole(&self, _: &str) -> Option<u32> {
        None
    }

    /// Sums in doubles depend on what was added before, so only what the file itself cuts is by itself.
    fn cuts(&self, split: bool) -> Cuts {
        if split { Cuts::Blanks } else { Cuts::None }
    }

    fn encode(&self, part: &str, scratch: &mut UnigramScratch, ids: &mut Vec<u32>) -> Answer {
        let text = part.as_bytes();
        scratch.best.clear();
        scratch.best.push(Best { score: 0.0, ..UNREACHED });
        scratch.base = 0;
        scratch.unknown_from = None;
        let mut at = 0;
        while at < text.len() {
            let here = at - scratch.base;
            if here >= SETTLE && here + 1 == scratch.best.len() {
                scratch.settle(self, part, at, ids);
            }
            let before = scratch.best[at - scratch.base].score;
            let next = at + len_of(text[at]);
            let mut node = self.trie.root();
            let mut single = false;
            for (end, &byte) in (at + 1..).zip(&text[at..]) {
                let Some(child) = self.trie.child(node, byte) else { break };
                node = child;
                if let Some(id) = node.value() {
                    scratch.offer(at, end, self.scores[id as usize] + before, id);
                    single |= end == next;
                }
            }
            if !single {
                let Some(unknown) = self.unknown else { return Answer::Unusual };
                scratch.offer(at, next, self.unknown_score + before, unknown);
            }
            at = next;
        }
        scratch.settle(self, part, text.len(), ids);
        if let (Some(from), Some(unknown)) = (scratch.unknown_from.take(), self.unknown) {
            self.append_unknown(&part[from..], unknown, ids);
        }
        if scratch.best.capacity() > 1 << 16 {
            *scratch = UnigramScratch::default();
        }
        Answer::Done
    }

    fn resident_bytes(&self) -> usize {
        size_of::<Self>() + self.trie.bytes() + self.scores.len() * 8 + self.joints.bytes()
    }

    fn scratch_bytes(scratch: &UnigramScratch) -> usize {
        scratch.best.capacity() * size_of::<Best>() + scratch.pieces.capacity() * size_of::<(usize, u32)>()
    }
}
