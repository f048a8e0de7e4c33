//! Pieces are looked up together: while one is read, the memory of the others is on its way.

use std::sync::{Mutex, PoisonError};

use super::{
    cache::{Cache, MEDIUM, MediumKey, Packed, PackedMany, Place, SHORT, ShortKey},
    merges::Scratch,
};
use crate::{
    model::Answer,
    pretokenize::{AHEAD, WINDOW},
};

/// Pieces that wait at most: those of a window, and as many again.
const BATCH: usize = 2 * WINDOW;

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
    /// Of pieces that wait: keys of short ones, lines of the cache, ends in the text. Each begins where the one before ends.
    keys: [ShortKey; BATCH],
    places: [Place; BATCH],
    ends: [usize; BATCH],
    num_waiting: usize,
    /// Where the first one begins.
    start: usize,
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
        Self {
            caches,
            asked: cache_bytes,
            cache: caches.take(cache_bytes),
            keys: [ShortKey::default(); BATCH],
            places: [Place::default(); BATCH],
            ends: [0; BATCH],
            num_waiting: 0,
            start: 0,
            found: Vec::new(),
        }
    }

    /// Bytes of its cache and its scratch.
    pub(crate) fn bytes(&self) -> usize {
        self.cache.bytes() + self.found.capacity() * 4
    }

    /// Whether all pieces of a window may wait too; else [`Batch::look_up`] comes first.
    #[inline(always)]
    pub(crate) fn has_room(&self) -> bool {
        self.num_waiting <= BATCH - WINDOW
    }

    /// Lets `text[start..end]` wait, which begins where the piece before ends. If the answer is true, [`Batch::look_up`] must be
    /// called before the next one.
    #[inline(always)]
    #[must_use]
    pub(crate) fn push(&mut self, text: &[u8], start: usize, end: usize) -> bool {
        let (key, place) = if end - start <= SHORT {
            let key = ShortKey::new(text, start, end);
            (key, self.cache.finder().short(key))
        } else if end - start <= MEDIUM {
            (ShortKey::default(), self.cache.medium_place(&MediumKey::new(text, start, end)))
        } else {
            <_>::default()
        };
        self.begin(start);
        let at = self.num_waiting % BATCH;
        (self.keys[at], self.places[at], self.ends[at]) = (key, place, end);
        self.num_waiting = at + 1;
        self.num_waiting == BATCH
    }

    /// Lets short pieces of a window wait, the first of which begins at `from` of it, as many as there are before a longer one. The window
    /// is at `base` of the text, and there is room. Gives what is left: a place in the window, and the starts behind it.
    #[inline(always)]
    pub(crate) fn push_window(
        &mut self,
        window: &[u8; WINDOW + AHEAD],
        base: usize,
        mut from: usize,
        mut starts: u64,
    ) -> (usize, u64) {
        self.begin(base + from);
        let Self { cache, keys, places, ends, num_waiting, .. } = self;
        let (finder, mut waiting) = (cache.finder(), *num_waiting);
        while starts != 0 {
            let to = starts.trailing_zeros() as usize;
            if to - from > SHORT {
                break;
            }
            let key = ShortKey::within(window, from, to);
            let at = waiting % BATCH;
            (keys[at], places[at], ends[at]) = (key, finder.short(key), base + to);
            waiting += 1;
            from = to;
            starts &= starts - 1;
        }
        *num_waiting = waiting;
        (from, starts)
    }

    /// The next piece begins at `start`.
    #[inline(always)]
    fn begin(&mut self, start: usize) {
        if self.num_waiting == 0 {
            self.start = start;
        }
        debug_assert_eq!(start, self.bounds(self.num_waiting).0);
    }

    /// Where a piece that waits begins and ends.
    #[inline(always)]
    fn bounds(&self, at: usize) -> (usize, usize) {
        (if at == 0 { self.start } else { self.ends[at - 1] }, self.ends[at % BATCH])
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
        let waiting = std::mem::take(&mut self.num_waiting).min(BATCH);
        let mut at = self.append_known(text, 0, waiting, ids);
        while at < waiting {
            let (start, end) = self.bounds(at);
            let key = medium_key(text, self.keys[at], (start, end));
            let place = key.map(|key| self.cache.medium_place(&key)).unwrap_or_default();
            if let Some(known) = key.and_then(|key| self.cache.known().medium(place, &key)) {
                ids.extend(known.ids().into_iter().take(known.count()));
            } else {
                self.found.clear();
                if find(start, end, &mut self.found) == Answer::Unusual {
                    return Answer::Unusual;
                }
                let short = self.keys[at];
                let is_kept = !short.is_none() && self.cache.keep_short(self.places[at], short, &self.found);
                if let Some(key) = key.filter(|_| !is_kept) {
                    self.cache.keep_medium(place, &key, &self.found);
                }
                ids.extend_from_slice(&self.found);
                if self.found.capacity() > Scratch::KEPT {
                    self.found = Vec::new();
                }
            }
            at = self.append_known(text, at + 1, waiting, ids);
        }
        Answer::Done
    }

    /// Appends the ids of pieces as long as the cache knows them; gives the first that it does not know.
    #[inline(always)]
    fn append_known(&mut self, text: &[u8], from: usize, to: usize, ids: &mut Vec<u32>) -> usize {
        ids.reserve(PackedMany::MOST * (to - from));
        let Self { cache, keys, places, ends, start, .. } = self;
        let (mut known, before) = (cache.known(), ids.len());
        let (room, mut written, mut at) = (ids.spare_capacity_mut(), 0, from);
        while at < to {
            let (place, key) = (places[at], keys[at]);
            // All places are written, which is faster than to copy so many.
            if key.is_none() {
                let bounds = (if at == 0 { *start } else { ends[at - 1] }, ends[at]);
                let Some(ids) = medium_key(text, key, bounds).and_then(|key| known.medium(place, &key))
                else {
                    break;
                };
                // SAFETY: there is room for all places of each piece.
                unsafe { room.as_mut_ptr().add(written).cast::<[u32; PackedMany::MOST]>().write(ids.ids()) };
                written += ids.count();
            } else {
                let Some(ids) = known.short(place, key) else { break };
                // SAFETY: as above.
                unsafe { room.as_mut_ptr().add(written).cast::<[u32; Packed::MOST]>().write(ids.ids()) };
                written += ids.count();
            }
            at += 1;
        }
        // SAFETY: of each piece all places were written, no fewer than it has ids.
        unsafe { ids.set_len(before + written) };
        at
    }
}

/// The key of a piece in the second table of the cache; none if it is too long.
#[inline(always)]
fn medium_key(text: &[u8], key: ShortKey, (start, end): (usize, usize)) -> Option<MediumKey> {
    if end - start <= SHORT {
        return Some(key.into());
    }
    (end - start <= MEDIUM).then(|| MediumKey::new(text, start, end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_one_has_met_the_next_one_of_its_size_knows() {
        let caches = Caches::default();
        let asked = |bytes: usize| {
            let (mut batch, mut ids, mut n_asked) = (Batch::new(&caches, bytes), Vec::new(), 0);
            let text = b" one and another of sixteen or more";
            assert!(!batch.push(text, 0, 4) && !batch.push(text, 4, 31));
            let answer = batch.look_up(text, &mut ids, |start, _, found| {
                n_asked += 1;
                found.push(start as u32);
                Answer::Done
            });
            assert_eq!((answer, ids), (Answer::Done, vec![0, 4]));
            n_asked
        };
        assert_eq!([1 << 12, 1 << 12, 1 << 13, 1 << 12, 1 << 13].map(asked), [2, 0, 2, 0, 0]);
    }

    proptest! {
        #[test]
        fn a_window_at_once_has_the_ids_of_each_piece(
            text in prop::collection::vec(0_u8..3, 400),
            windows in prop::collection::vec(any::<u64>(), 1..60),
        ) {
            let caches = [Caches::default(), Caches::default()];
            let [mut at_once, mut each] = caches.each_ref().map(|caches| Batch::new(caches, 1 << 12));
            let [mut ids, mut wanted] = [Vec::new(), Vec::new()];
            // Ids tell the bytes of the piece; long ones have many.
            let find = |start: usize, end: usize, found: &mut Vec<u32>| {
                found.extend(text[start..end].iter().step_by(3).map(|byte| u32::from(*byte)));
                found.push((end - start) as u32);
                Answer::Done
            };
            for (at, window) in windows.iter().enumerate() {
                let (base, mut starts, mut from) = (at * 5, window & !1 & windows[at / 2].rotate_left(9), 0);
                let mut piece = 0;
                for to in (1..WINDOW).filter(|to| starts >> to & 1 == 1) {
                    if each.push(&text, base + piece, base + to) {
                        let _ = each.look_up(&text, &mut wanted, find);
                    }
                    piece = to;
                }
                let _ = each.look_up(&text, &mut wanted, find);
                if !at_once.has_room() {
                    let _ = at_once.look_up(&text, &mut ids, find);
                }
                while starts != 0 {
                    (from, starts) = at_once.push_window(text[base..].first_chunk().unwrap(), base, from, starts);
                    if starts != 0 {
                        let to = starts.trailing_zeros() as usize;
                        if at_once.push(&text, base + from, base + to) {
                            let _ = at_once.look_up(&text, &mut ids, find);
                        }
                        (from, starts) = (to, starts & (starts - 1));
                    }
                }
                let _ = at_once.look_up(&text, &mut ids, find);
            }
            prop_assert_eq!(ids, wanted);
        }
    }
}
