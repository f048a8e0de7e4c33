//! Pieces are looked up together: while one is read, the memory of the others is on its way.

use std::sync::{Mutex, PoisonError};

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

/// Caches of workers that are gone, warm for those to come: who encodes a few texts at a time would else begin anew each time.
/// There are never more than there were workers at once.
#[derive(Debug, Default)]
pub(crate) struct Caches(Mutex<Vec<(usize, Cache)>>);

impl Caches {
    fn take(&self, bytes: usize) -> Cache {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.iter().rposition(|(of, _)| *of == bytes);
        found.map_or_else(|| Cache::new(bytes), |at| idle.swap_remove(at).1)
    }

    fn put(&self, bytes: usize, cache: Cache) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((bytes, cache));
    }
}

/// The cache of one thread, and what waits for it.
#[derive(Debug)]
pub(crate) struct Batch<'m> {
    caches: &'m Caches,
    /// The bytes that the cache was asked for.
    asked: usize,
    cache: Cache,
    waiting: [Waiting; BATCH],
    num_waiting: usize,
    /// The ids of one piece.
    found: Vec<u32>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.caches.put(self.asked, std::mem::take(&mut self.cache));
    }
}

impl<'m> Batch<'m> {
    /// With a cache of up to `cache_bytes`, which goes back to `caches`.
    pub(crate) fn new(caches: &'m Caches, cache_bytes: usize) -> Self {
        let (cache, waiting) = (caches.take(cache_bytes), [Waiting::default(); BATCH]);
        Self { caches, asked: cache_bytes, cache, waiting, num_waiting: 0, found: Vec::new() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_has_met_the_next_one_of_its_size_knows() {
        let caches = Caches::default();
        let asked = |bytes: usize| {
            let (mut batch, mut ids, mut n_asked) = (Batch::new(&caches, bytes), Vec::new(), 0);
            let text = b" one and another of sixteen or more";
            assert!(!batch.push(text, 0, 4) && !batch.push(text, 8, 35));
            let answer = batch.look_up(text, &mut ids, |start, _, found| {
                n_asked += 1;
                found.push(start as u32);
                Answer::Done
            });
            assert_eq!((answer, ids), (Answer::Done, vec![0, 8]));
            n_asked
        };
        assert_eq!([1 << 12, 1 << 12, 1 << 13, 1 << 12, 1 << 13].map(asked), [2, 0, 2, 0, 0]);
    }
}
