//! What both kinds of models have in common: a stretch is cut into words, and words that were met before are in a cache.

use std::fmt::Debug;

use super::words::Words;
use crate::{
    bpe::{
        batch::{Batch, Caches},
        cache::MEDIUM,
    },
    joints::Joints,
    model::{Answer, Model, ModelWorker, Stretch},
    pretokenize::begins_phrase,
};

/// Bytes of scratch that are kept from one text to the next.
const KEPT: usize = 1 << 16;

/// Where a stretch may be cut without changing its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cuts {
    /// Nowhere.
    None,
    /// Before blanks, where the file cuts or no token lies across.
    Blanks,
    /// Wherever no token lies across.
    Joints,
}

/// A model of words.
pub(super) trait WordModel: Send + Sync + Debug {
    /// What one thread needs.
    type Scratch: Send + Default;

    /// Between which characters no token lies.
    fn joints(&self) -> &Joints;

    /// The id of a whole word that is not to be cut.
    fn whole(&self, word: &str) -> Option<u32>;

    /// Appends the ids of a word, or of a part of one that no token reaches over.
    fn encode(&self, part: &str, scratch: &mut Self::Scratch, ids: &mut Vec<u32>) -> Answer;

    /// Where a part of a stretch has the ids that it has by itself; words are cut at blanks by the file if `split`.
    fn cuts(&self, split: bool) -> Cuts;

    fn resident_bytes(&self) -> usize;

    fn scratch_bytes(scratch: &Self::Scratch) -> usize;
}

/// A model and how its words are cut.
#[derive(Debug)]
pub(super) struct Front<M> {
    words: Words,
    model: M,
    cuts: Cuts,
    caches: Caches,
}

impl<M: WordModel> Front<M> {
    pub(super) fn new(words: Words, model: M) -> Self {
        let cuts = model.cuts(words.split);
        Self { words, model, cuts, caches: Caches::default() }
    }
}

impl<M: WordModel> Model for Front<M> {
    fn resident_bytes(&self) -> u64 {
        (size_of::<Self>() + self.model.resident_bytes()) as u64
    }

    fn worker(&self, cache_bytes: usize) -> Box<dyn ModelWorker + '_> {
        Box::new(Worker {
            front: self,
            batch: Batch::new(&self.caches, cache_bytes),
            prepared: String::new(),
            scratch: M::Scratch::default(),
        })
    }
}

/// What one thread encodes with.
struct Worker<'m, M: WordModel> {
    front: &'m Front<M>,
    batch: Batch<'m>,
    /// A stretch with blanks where they belong.
    prepared: String,
    scratch: M::Scratch,
}

impl<M: WordModel> ModelWorker for Worker<'_, M> {
    fn encode(&mut self, stretch: Stretch<'_>, ids: &mut Vec<u32>) -> Answer {
        let mut prepared = std::mem::take(&mut self.prepared);
        let answer = self.append_stretch(self.front.words.prepare(stretch, &mut prepared), ids);
        if prepared.capacity() <= KEPT {
            self.prepared = prepared;
        }
        answer
    }

    fn bytes(&self) -> usize {
        self.batch.bytes() + self.prepared.capacity() + M::scratch_bytes(&self.scratch)
    }
}

impl<M: WordModel> Worker<'_, M> {
    fn append_stretch(&mut self, text: &str, ids: &mut Vec<u32>) -> Answer {
        let Front { words, model, cuts, .. } = self.front;
        if !words.split {
            if let Some(id) = model.whole(text) {
                ids.push(id);
                return Answer::Done;
            }
            if *cuts == Cuts::None {
                return model.encode(text, &mut self.scratch, ids);
            }
        }
        let mut answer = Answer::Done;
        words.cut(text, model.joints(), |start, end| {
            if answer == Answer::Done {
                answer = self.append_word(text, start, end, ids);
            }
        });
        if answer == Answer::Done { self.look_up(text, ids) } else { answer }
    }

    /// Appends the ids of the word `text[start..end]`, a little later.
    #[inline(always)]
    fn append_word(&mut self, text: &str, start: usize, end: usize, ids: &mut Vec<u32>) -> Answer {
        let bytes = text.as_bytes();
        let len = end - start;
        // Scripts without blanks have phrases here, which do not come again.
        let phrase = len > MEDIUM || len > 1 && begins_phrase(bytes[start + 1]);
        if !phrase {
            return self.append(text, start, end, ids);
        }
        self.append_phrase(text, start, end, ids)
    }

    /// Appends the ids of a long word, part by part.
    #[inline(never)]
    fn append_phrase(&mut self, text: &str, start: usize, end: usize, ids: &mut Vec<u32>) -> Answer {
        let Front { model, cuts, .. } = self.front;
        if *cuts != Cuts::Joints {
            return self.append(text, start, end, ids);
        }
        let mut from = start;
        while from < end {
            let to = model.joints().part_end(text.as_bytes(), from, end);
            if self.append(text, from, to, ids) == Answer::Unusual {
                return Answer::Unusual;
            }
            from = to;
        }
        Answer::Done
    }

    /// Appends the ids of `text[start..end]`, a word or a part of one, a little later.
    #[inline(always)]
    fn append(&mut self, text: &str, start: usize, end: usize, ids: &mut Vec<u32>) -> Answer {
        if self.batch.push(text.as_bytes(), start, end) { self.look_up(text, ids) } else { Answer::Done }
    }

    /// Appends the ids of all that is waiting.
    #[inline(never)]
    fn look_up(&mut self, text: &str, ids: &mut Vec<u32>) -> Answer {
        let Self { front, batch, scratch, .. } = self;
        let Front { words, model, .. } = front;
        batch.look_up(text.as_bytes(), ids, |start, end, found| {
            let part = &text[start..end];
            match model.whole(part).filter(|_| words.split) {
                Some(id) => {
                    found.push(id);
                    Answer::Done
                }
                None => model.encode(part, scratch, found),
            }
        })
    }
}
