//! Which texts were seen before, so that of equal ones only one is signed.
//!
//! The one to be signed is the first in the order of the inputs. Threads meet texts in another order, so one that comes earlier
//! than the one that was seen is signed as well. When the table has no room left, texts that it does not know are signed
//! although they may repeat: the result is the same, at more work.

use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;

/// Locks among which the hashes are spread.
const SHARDS: usize = 64;
/// Bytes of an entry, with the room that the table keeps free and the old table while it grows.
const ENTRY_BYTES: u64 = 48;

/// A hash, low half first, and the place of the earliest text that has it.
type Entry = [u64; 3];

/// The texts seen so far, by any thread.
pub(super) struct Seen {
    shards: Box<[Mutex<HashTable<Entry>>]>,
    /// Texts that each shard has room for.
    room: usize,
}

impl Seen {
    /// A table of up to so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, room: (bytes / ENTRY_BYTES) as usize / SHARDS }
    }

    /// Whether a text of this hash, at this place, is to be signed.
    pub(super) fn is_first(&self, hash: u128, place: u64) -> bool {
        let (low, high) = (hash as u64, (hash >> 64) as u64);
        let mut shard = self.shards[high as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shard.find_mut(low, |entry| entry[..2] == [low, high]) {
            let is_earlier = place < known[2];
            known[2] = known[2].min(place);
            return is_earlier;
        }
        if shard.len() < self.room {
            shard.insert_unique(low, [low, high, place], |entry| entry[0]);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_of_equal_texts_is_signed_whoever_comes_first() {
        let seen = Seen::new(1 << 20);
        assert!(seen.is_first(7, 5));
        assert!(!seen.is_first(7, 5) && !seen.is_first(7, 6));
        assert!(seen.is_first(7, 3));
        assert!(!seen.is_first(7, 4));
        assert!(seen.is_first(7 | 1 << 64, 9), "the other half counts");
    }

    #[test]
    fn a_full_table_signs_what_it_does_not_know() {
        let seen = Seen::new(0);
        assert!(seen.is_first(7, 0) && seen.is_first(7, 1));
    }
}
