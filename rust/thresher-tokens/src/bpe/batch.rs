//! Pieces are looked up together: while one is read, the memory of the others is on its way.

use super::{
    cache::{Cache, MEDIUM, MediumKey, Place, SHORT, ShortKey},
    merges::Scratch,
};
use crate::model::Answer;

/// Pieces that are looked up together.
const BATCH: usize = 16;

/// A pre-token, or a part of one, that is to be looked up.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    /// Of a short one.
    key: ShortKey,
    place: Place,
    start: usize,
    end: usize,
}

/// The cache of one thread, and what waits for it.
#[derive(Debug)]
pub(crate) struct Batch {
    cache: Cache,
    waiting: [Waiting; BATCH],
    num_waiting: usize,
    /// The ids of one piece.
    found: Vec<u32>,
}

impl Batch {
    /// With a cache of up to `cache_bytes`.
    pub(crate) fn new(cache_bytes: usize) -> Self {
        let cache = Cache::new(cache_bytes);
        Self { cache, waiting: [Waiting::default(); BATCH], num_waiting: 0, found: Vec::new() }
    }

    /// Bytes of its cache and its scratch.
    pub(crate) fn bytes(&self) -> usize {
        self.cache.bytes() + self.found.capacity() * 4
    }

    /// Lets `text[start..end]` wait. If the answer is true, [`Batch::look_up`] must be called before the next one.
    #[inline(always)]
    #[must_use]
    pub(crate) fn push(&mut self, text: &[u8], start: usize, end: usize) -> bool {
        let mut waiting = Waiting { start, end, ..Waiting::default() };
        if end - start <= SHORT {
            waiting.key = ShortKey::new(text, start, end);
            waiting.place = self.cache.place(waiting.key);
        } else if end - start <= MEDIUM {
            waiting.place = self.cache.medium_place(&MediumKey::new(text, start, end));
        }
        self.waiting[self.num_waiting % BATCH] = waiting;
        self.num_waiting += 1;
        self.num_waiting == BATCH
    }

    /// Appends the ids of all that is waiting. What is not in the cache is asked of `find`, which gets start and end and
    /// appends the ids; at the first answer that is not `Done` all else is dropped.
    #[inline(always)]
    pub(crate) fn look_up(
        &mut self,
        text: &[u8],
        ids: &mut Vec<u32>,
        mut find: impl FnMut(usize, usize, &mut Vec<u32>) -> Answer,
    ) -> Answer {
        for at in 0..std::mem::take(&mut self.num_waiting).min(BATCH) {
            let Waiting { key, place, start, end } = self.waiting[at];
            let len = end - start;
            if len <= SHORT {
                if let Some(known) = self.cache.short(place, key) {
                    known.append_to(ids);
                    continue;
                }
            } else if len <= MEDIUM && self.cache.medium(place, &MediumKey::new(text, start, end), ids) {
                continue;
            }
            self.found.clear();
            if find(start, end, &mut self.found) == Answer::Unusual {
                return Answer::Unusual;
            }
            if len <= SHORT {
                self.cache.keep_short(place, key, &self.found);
            } else if len <= MEDIUM {
                self.cache.keep_medium(place, &MediumKey::new(text, start, end), &self.found);
            }
            ids.extend_from_slice(&self.found);
            if self.found.capacity() > Scratch::KEPT {
                self.found = Vec::new();
            }
        }
        Answer::Done
    }
}
